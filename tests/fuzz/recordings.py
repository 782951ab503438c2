"""Recordings, transcripts and alignments that are not as they should be: what is prepared of them can be loaded."""

from __future__ import annotations

import functools
import gzip
import io
import os
import pathlib

import numpy as np
import soundfile
from test_prepare_data import RATE, TEXT, alignment_line, sweep

import lj_speech
from fuzz.mutations import Dice, mutate_bytes, mutate_json
from recipe.prepare import prepare

NAMES = ("a1", "a2", "a3")
FORMS = [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("flac", "PCM_24")]
RATES = [RATE, RATE, RATE, 8000, 16000, 44100, 48000, 22049, 192000]
SCALES = [1.0, 1.0, 50.0, 0.0, 1e-6, float("nan"), float("inf"), 32767.0, -1.0]


@functools.cache
def recording(form: str, subtype: str, rate: int, channels: int, scale: float, seconds: float) -> bytes:
    samples, file = np.repeat(sweep(seconds, rate)[:, None], channels, 1) * np.float32(scale), io.BytesIO()
    samples = samples if subtype == "FLOAT" else np.nan_to_num(samples).clip(-1, 1)
    soundfile.write(file, samples, rate, subtype=subtype, format=form.upper())
    return file.getvalue()


def write_recording(dice: Dice, folder: pathlib.Path, name: str, odd: bool) -> None:
    form, subtype = dice.choice(FORMS)
    odd_values = (
        dice.choice(RATES),
        dice.choice([1, 2, 6]),
        dice.choice(SCALES),
        dice.choice([1.3, 1.3, 0.0, 0.02, 5.0]),
    )
    content = recording(form, subtype, *(odd_values if odd and dice.happens(0.5) else (RATE, 1, 1.0, 1.3)))
    path = folder / f"{name}.{form}"
    if odd and dice.happens(0.05):
        dice.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")])()
    else:
        path.write_bytes(mutate_bytes(dice, content) if odd and dice.happens(0.6) else content)


def make(dice: Dice, folder: pathlib.Path) -> dict:
    odd = dice.choice(["recording", "recording", "transcripts", "alignments", "alignments"])
    (folder / "wavs").mkdir()
    for number, name in enumerate(NAMES):
        write_recording(dice, folder / "wavs", name, odd == "recording" and number == 0)
    transcripts = "".join(f"{name}|raw|{TEXT}\n" for name in NAMES).encode()
    lines = [alignment_line(name).encode() for name in NAMES]
    if odd == "alignments":
        lines[0] = mutate_json(dice, lines[0]) if dice.happens(0.6) else mutate_bytes(dice, lines[0])
    alignments = b"\n".join(lines)
    if odd == "transcripts":
        transcripts = mutate_bytes(dice, transcripts)
    packed = {"transcripts": "metadata.csv", "alignments": "alignments.jsonl"}
    for content, (kind, name) in zip((transcripts, alignments), packed.items()):
        if dice.happens(0.2):
            content = gzip.compress(content)
            content = mutate_bytes(dice, content) if odd == kind else content
            packed[kind] = name + ".gz"
        (folder / packed[kind]).write_bytes(content)
    named = {"recording": ""}.get(odd) if odd == "recording" else packed[odd]
    return {**packed, "audio": dice.happens(0.8) or odd == "recording", "odd": named}


def check(case: dict, folder: pathlib.Path) -> None:
    audio, out = folder / "wavs" if case["audio"] else None, folder / "out"
    alignments, transcripts = folder / case["alignments"], folder / case["transcripts"]
    summary = prepare(out, audio, alignments, transcripts, n_workers=1)
    least = len(NAMES) if audio else len(NAMES) - 1  # without recordings, an alignment whose ID is damaged is unknown
    assert all(summary.skipped.values()) and len(summary.written) + len(summary.skipped) >= least, str(summary)
    assert not list(out.glob("*.tmp"))
    if audio and len(summary.written) >= 2:
        for dataset in lj_speech.get_dataset(out):
            assert all(np.isfinite(sample["spectrogram"]).all() for sample in dataset)
    assert len(lj_speech.get_alignments(out)) == len(summary.written)
