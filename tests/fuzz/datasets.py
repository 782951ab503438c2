"""A dataset folder in which a file or two are not as they should be."""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import pickle
import tempfile

import numpy as np
import torch
from conftest import write_dataset

import lj_speech
import part2_solution as tts
from fuzz.mutations import Dice, mutate_bytes, mutate_json, mutate_npy, pickle_bombs
from recipe import melody

CODES = "all_possible_phoneme_codes.pkl"


@functools.cache
def whole() -> dict[str, bytes]:
    """A small dataset with pitch, by name of its files."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_dataset(pathlib.Path(folder), 3)
        for path in root.glob("*.mel.npy"):
            n_frames = np.load(path).shape[1]
            pitch = np.stack([np.full(n_frames, 5.0), np.full(n_frames, -5.0)]).astype(np.float32)
            np.save(path.with_name(path.name.replace(".mel", ".pitch")), pitch)
        (root / CODES).write_bytes(pickle.dumps({"AA1", "B", "pau"}))
        return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def mutate_file(dice: Dice, path: pathlib.Path) -> None:
    content = path.read_bytes()
    if dice.happens(0.05):
        path.unlink()
        changes = [path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path), lambda: None,
                   lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to("/dev/null")]  # fmt: skip
        dice.choice(changes)()
    elif dice.happens(0.3):
        path.write_bytes(mutate_bytes(dice, content))
    elif path.suffix == ".json":
        path.write_bytes(mutate_json(dice, content))
    elif path.suffix == ".npy":
        path.write_bytes(mutate_npy(dice, content))
    else:
        path.write_bytes(dice.choice(pickle_bombs()))


def make(dice: Dice, folder: pathlib.Path) -> dict:
    for name, content in whole().items():
        (folder / name).write_bytes(content)
    names = dice.sample(sorted(whole()), dice.choice([1, 1, 1, 2]))
    for name in names:
        mutate_file(dice, folder / name)
    return {"named": names[0].partition(".")[0] if len(names) == 1 else "", "changed": names}


def state_of(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()
            if path.is_file() and path.stat().st_size < 10**8}  # fmt: skip


def check(case: dict, folder: pathlib.Path) -> None:
    before = state_of(folder)
    try:
        use(folder)
    finally:
        assert state_of(folder) == before, "files were changed by reading them"


def use(folder: pathlib.Path) -> None:
    datasets = lj_speech.get_dataset(folder)
    vocabulary = tts.Vocabulary(sorted(lj_speech.POSSIBLE_PHONEME_CODES))
    for dataset in datasets:
        for sample, path, alignment in zip(dataset, dataset.mel_paths, dataset.alignments, strict=True):
            assert isinstance(sample["text"], str) and all(isinstance(code, str) for code in sample["phonemes_code"])
            assert sum(sample["phonemes_duration"]) == sample["spectrogram"].shape[1]
            assert np.isfinite(sample["spectrogram"]).all() and sample["spectrogram"].dtype == np.float32
            batch = tts.collate(vocabulary, [sample])
            assert batch.mels.isfinite().all() and (batch.durations >= 0).all()
            log_pitch = melody.tracked_log_pitch(path, alignment)
            assert log_pitch is None or torch.isfinite(log_pitch).all(), "pitch is not finite"
        config = tts.describe_data(dataset.alignments)
        assert np.isfinite([config.log_duration_mean, config.log_duration_std]).all()
    assert lj_speech.get_alignments(folder)
