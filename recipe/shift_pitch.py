"""Copies of a dataset's utterances with another pitch, from which the decoder learns to follow the pitch it is given.

    recording -- PSOLA --> another pitch, as long and with the same vowels --> ID-0.mel.npy, ID-0.json, ID-1...

With an hour of recordings, a voice overfits: it remembers how high each sentence was spoken and ignores the pitch that
it is told. Where a sentence comes at several pitches, it has to listen. By turns a copy is higher or lower, has another
melody, or has the same melody with an end that rises, as the speaker's hardly ever do. Where the dataset has the pitch
(`prepare --pitch`), it is tracked in the copies too.

Only the training part of the dataset is copied. PSOLA (Moulines and Charpentier 1990) is Praat's, in the package
praat-parselmouth (GPL-3.0).

    python -m recipe shift-pitch CLIPS LJ-Speech-aligned --out LJ-Speech-shifted
    python -m recipe voice LJ-Speech-aligned --more LJ-Speech-shifted --epochs 32
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from tqdm.auto import tqdm

import lj_speech
from recipe import command_line, prepare
from recipe.prepare import PITCH_LIMITS
from vocoder import stored
from vocoder.spectrogram import SAMPLING_RATE, mel_spectrogram
from vocoder.weights import write_atomically

LEAST, MOST = 0.7, 4.5  # semitones of a shift
KNOTS, MELODY_STD = 0.35, 2.0  # s between the knots of another melody, and semitones that it goes up and down
RISES, RISE_SECONDS = (3.0, 14.0), (0.2, 0.45)  # semitones of an end that rises, and of how long: least and most
AUDIBLE = 90.0, 440.0  # Hz, what the pitch is kept to

# Seconds of the points of a pitch contour, ascending -> how many semitones higher each becomes.
Curve = Callable[[np.ndarray], np.ndarray]


def shift_pitch(audio: np.ndarray, curve: Curve) -> np.ndarray:
    """(S,) at SAMPLING_RATE -> (S,), everything else unchanged. Raises ModuleNotFoundError without parselmouth."""
    praat = prepare.load_praat()
    call, sound = praat.praat.call, praat.Sound(audio.astype(np.float64), SAMPLING_RATE)
    manipulation = call(sound, "To Manipulation", 0.01, *PITCH_LIMITS)
    found = call(manipulation, "Extract pitch tier")
    indices = range(1, int(call(found, "Get number of points")) + 1)
    if not indices:  # no voice
        return audio
    times = np.array([call(found, "Get time from index", index) for index in indices])
    pitch = np.array([call(found, "Get value at index", index) for index in indices])
    shifted = call("Create PitchTier", "shifted", sound.xmin, sound.xmax)
    for time, hertz in zip(times, np.clip(pitch * 2 ** (curve(times) / 12), *AUDIBLE)):
        call(shifted, "Add point", float(time), float(hertz))
    call([shifted, manipulation], "Replace pitch tier")
    result = call(manipulation, "Get resynthesis (overlap-add)").values[0].astype(np.float32)
    return np.pad(result, (0, max(0, len(audio) - len(result))))[: len(audio)]


def higher_or_lower(rng: np.random.Generator) -> Curve:
    semitones = rng.choice([-1, 1]) * rng.uniform(LEAST, MOST)
    return lambda times: np.full(len(times), semitones)


def another_melody(rng: np.random.Generator) -> Curve:
    def curve(times: np.ndarray) -> np.ndarray:
        knots = np.arange(times[0], times[-1] + KNOTS, KNOTS)
        return np.interp(times, knots, rng.normal(0, MELODY_STD, len(knots)))

    return curve


def rising_end(rng: np.random.Generator) -> Curve:
    semitones, seconds = rng.uniform(*RISES), rng.uniform(*RISE_SECONDS)
    return lambda times: semitones * np.clip(1 - (times[-1] - times) / seconds, 0, 1)


CURVES = higher_or_lower, another_melody, rising_end  # of copy 0, 1, 2, 3...


def shift_utterance(mel_path: pathlib.Path, recording: pathlib.Path, n_copies: int, out: pathlib.Path) -> None:
    """Writes the copies of one utterance, each spectrogram before its JSON, to a temporary name and renamed.

    Complete copies are not made again; those from before the pitch was tracked are not complete once it is.
    """
    name = mel_path.name.removesuffix(".mel.npy")
    tracked = mel_path.with_name(f"{name}.pitch.npy").exists()
    last = [out / f"{name}-{n_copies - 1}.{suffix}" for suffix in ["json"] + ["pitch.npy"] * tracked]
    if all(path.exists() for path in last):
        return
    audio = prepare.read_audio(recording)
    n_frames = stored.count_frames(mel_path)
    record = mel_path.with_name(f"{name}.json").read_bytes()
    rng = np.random.default_rng(list(name.encode()))  # the same in every run
    for copy in range(n_copies):
        shifted = shift_pitch(audio, CURVES[copy % len(CURVES)](rng))
        mel = mel_spectrogram(shifted)
        if mel.shape[1] != n_frames:
            raise ValueError(f"{recording} has {mel.shape[1]} frames, {mel_path} {n_frames}: prepare the dataset again")
        arrays = {"mel": mel}
        if tracked:
            arrays["pitch"] = prepare.track_pitch(shifted, mel)
        for kind, array in arrays.items():
            write_atomically(out / f"{name}-{copy}.{kind}.npy", functools.partial(np.save, arr=array))
        write_atomically(out / f"{name}-{copy}.json", lambda file: file.write(record))


def shift_dataset(clips: pathlib.Path, dataset_root: pathlib.Path, out: pathlib.Path, n_copies: int = 3) -> None:
    """Raises FileNotFoundError or ValueError where recordings and dataset do not belong together."""
    recordings = prepare.find_audio(clips)
    dataset, _ = lj_speech.get_dataset(dataset_root)
    names = [path.name.removesuffix(".mel.npy") for path in dataset.mel_paths]
    missing = [name for name in names if name not in recordings]
    if missing:
        raise FileNotFoundError(
            f"{clips} has no recording of {missing[:3]} ({len(missing)} of {len(names)} are missing)"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, path in zip(names, tqdm(dataset.mel_paths, unit="utterance")):
        shift_utterance(path, recordings[name], n_copies, out)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("shift-pitch", "Copies of a dataset's utterances with another pitch.")
    parser.add_argument("clips", type=pathlib.Path, help="folder of the recordings, ID.wav or ID.flac")
    parser.add_argument("dataset", type=pathlib.Path, help="LJ-Speech-aligned")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--copies", type=int, default=3, help="of each utterance (default: %(default)s)")
    command_line.run(
        parser, arguments, lambda options: shift_dataset(options.clips, options.dataset, options.out, options.copies)
    )
