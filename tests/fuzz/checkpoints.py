"""Files of a voice: what is loaded is what was saved, or speaks without NaN, or is refused."""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib

import torch

import part2_solution as tts
from fuzz import voices
from fuzz.mutations import Dice, mutate_bytes, mutate_saved

PHONEMES = "pau HH AH0 L OW1 pau".split()


@functools.cache
def exported(folder: pathlib.Path) -> bytes:
    """The small voice for the runtime without PyTorch."""
    from recipe import export
    from vocoder import network

    (folder / "small.pth").write_bytes(voices.checkpoint())
    export.export(folder / "small.pth", network.WEIGHTS_PATH, folder / "small.zip")
    content = (folder / "small.zip").read_bytes()
    for name in ("small.pth", "small.zip"):
        (folder / name).unlink()
    return content


def make(dice: Dice, folder: pathlib.Path) -> dict:
    if dice.happens(0.1):
        how, name = "bytes", "voice.zip"
        content = mutate_bytes(dice, exported(folder))
    else:
        prosody, name = dice.happens(0.7), "voice.pth"
        how, content = mutate_saved(dice, voices.checkpoint(prosody))
    if dice.happens(0.02):
        dice.choice([os.mkfifo, os.mkdir])(folder / name)
    else:
        (folder / name).write_bytes(content)
    return {"file": name, "how": how, "named": name, "prosody": name == "voice.zip" or prosody}


def state_of(path: pathlib.Path) -> bytes:
    return hashlib.md5(path.read_bytes()).digest() if path.is_file() else b""


def check(case: dict, folder: pathlib.Path) -> None:
    path = folder / case["file"]
    before = state_of(path)
    try:
        use(path, case)
    finally:
        assert not (folder / "was-run").exists(), "code of the file was run"
        assert state_of(path) == before, "the file was changed by reading it"


def use(path: pathlib.Path, case: dict) -> None:
    if path.suffix == ".zip":
        import runtime

        voice = runtime.TextToSpeechSynthesizer(path, threads=1)
        case["named"] = ""
        voices.check_audio(voice.synthesize_from_phonemes(PHONEMES))
        return
    voice = voices.load(path)
    case["named"] = ""  # what is loaded may still be of no use
    if case["how"] == "bytes":
        (path.parent / "whole.pth").write_bytes(voices.checkpoint(case["prosody"]))
        whole = tts.load_checkpoint(path.parent / "whole.pth").state_dict()
        loaded = voice.model.state_dict()
        assert voice.model.config == voices.CONFIG, "other settings were loaded than saved"
        assert loaded.keys() == whole.keys() and all(torch.equal(loaded[key], whole[key]) for key in whole), (
            "other weights were loaded than saved")  # fmt: skip
    for audio in (voice.synthesize_from_phonemes(PHONEMES), voice.synthesize_from_text("Is it?")):
        voices.check_audio(audio)
