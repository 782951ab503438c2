"""Copies of a dataset's utterances with another pitch, from which the decoder learns to follow the pitch it is given.

    recording -- PSOLA --> higher or lower, as long and with the same vowels --> ID-0.mel.npy, ID-0.json, ID-1...

With an hour of recordings, a voice learns by heart how high each sentence was spoken, and does not look at the pitch.
Where a sentence comes at several pitches, it has to. Only the training part of the dataset is copied. PSOLA (Moulines
and Charpentier 1990) is Praat's, in the package praat-parselmouth (GPL-3.0).

    python shift_pitch.py CLIPS LJ-Speech-aligned --out LJ-Speech-shifted
    python part2_solution.py train LJ-Speech-aligned --more LJ-Speech-shifted --epochs 32
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

import lj_speech
import prepare_data
from lj_speech import SAMPLING_RATE

LOWEST, HIGHEST = 75.0, 450.0  # Hz, where Praat looks for the pitch
LEAST, MOST = 0.7, 4.5  # semitones of a shift


def shift_pitch(audio: np.ndarray, semitones: float) -> np.ndarray:
    """(S,) at SAMPLING_RATE -> (S,), everything else unchanged. Raises ModuleNotFoundError without parselmouth."""
    try:
        from parselmouth import Sound, praat
    except ImportError as error:
        raise ModuleNotFoundError(f"shifting needs {error.name}: pip install -r requirements-eval.txt") from error
    sound = Sound(audio.astype(np.float64), SAMPLING_RATE)
    manipulation = praat.call(sound, "To Manipulation", 0.01, LOWEST, HIGHEST)
    tier = praat.call(manipulation, "Extract pitch tier")
    praat.call(tier, "Multiply frequencies", sound.xmin, sound.xmax, 2 ** (semitones / 12))
    praat.call([tier, manipulation], "Replace pitch tier")
    shifted = praat.call(manipulation, "Get resynthesis (overlap-add)").values[0].astype(np.float32)
    return np.pad(shifted, (0, max(0, len(audio) - len(shifted))))[: len(audio)]


def random_shifts(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) semitones, up and down by turns, LEAST to MOST."""
    signs = np.resize(rng.permutation([-1, 1]), n)
    return signs * rng.uniform(LEAST, MOST, n)


def shift_utterance(mel_path: pathlib.Path, recording: pathlib.Path, n_copies: int, out: pathlib.Path) -> None:
    """Writes the copies of one utterance, each spectrogram before its JSON, to a temporary name and renamed."""
    name = mel_path.name.removesuffix(".mel.npy")
    audio = prepare_data.read_audio(recording).numpy()
    n_frames = np.load(mel_path, mmap_mode="r").shape[1]
    rng = np.random.default_rng(list(name.encode()))  # the same shifts in every run
    for copy, semitones in enumerate(random_shifts(n_copies, rng)):
        shifted = torch.as_tensor(shift_pitch(audio, semitones))
        mel = prepare_data.mel_spectrogram(shifted).numpy()
        if mel.shape[1] != n_frames:
            raise ValueError(f"{recording} has {mel.shape[1]} frames, {mel_path} {n_frames}: prepare the dataset again")
        temporary = out / "copy.tmp"
        with temporary.open("wb") as file:
            np.save(file, mel)
        os.replace(temporary, out / f"{name}-{copy}.mel.npy")
        shutil.copyfile(mel_path.with_name(f"{name}.json"), temporary)
        os.replace(temporary, out / f"{name}-{copy}.json")


def shift_dataset(clips: pathlib.Path, dataset_root: pathlib.Path, out: pathlib.Path, n_copies: int = 2) -> None:
    """Raises FileNotFoundError or ValueError where recordings and dataset do not belong together."""
    recordings = prepare_data.find_audio(clips)
    dataset, _ = lj_speech.get_dataset(dataset_root)
    names = [path.name.removesuffix(".mel.npy") for path in dataset.mel_paths]
    missing = [name for name in names if name not in recordings]
    if missing:
        raise FileNotFoundError(
            f"{clips} has no recording of {missing[:3]} ({len(missing)} of {len(names)} are missing)"
        )
    out.mkdir(parents=True, exist_ok=True)
    shift = functools.partial(shift_utterance, n_copies=n_copies, out=out)
    for name, path in zip(names, tqdm(dataset.mel_paths, unit="utterance")):
        if not (out / f"{name}-{n_copies - 1}.json").exists():
            shift(path, recordings[name])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Copies of a dataset's utterances with another pitch.")
    parser.add_argument("clips", type=pathlib.Path, help="folder of the recordings, ID.wav or ID.flac")
    parser.add_argument("dataset", type=pathlib.Path, help="LJ-Speech-aligned")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--copies", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        shift_dataset(options.clips, options.dataset, options.out, options.copies)
    except (ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
