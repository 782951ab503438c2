"""How sharp are the borders between phonemes, how quiet are stops and pauses? A smeared border costs words.

    python benchmarks/borders.py TTS.pth --dataset LJ-Speech-aligned
    python benchmarks/borders.py TTS.pth
    python benchmarks/borders.py TTS.pth --dataset LJ-Speech-aligned --shifts

Speech, the rows: the texts of the held-out utterances, or without --dataset those of `plain.tsv`
    ours                with predicted durations, the audio analysed again like that of all others
    ... spectrogram     what the acoustic model gave to the vocoder
    ... real durations  those of the recordings, and the noise and echo of the room left in, as these have them
    hibari              with the durations that its network has for its symbols
    recordings          with their alignments, whose borders are off by some 20 ms
    ... copied          their spectrograms through our vocoder

Measures, the columns, of log-mel spectrograms (natural logarithm, frames of 11.6 ms)
    border         mean |difference| between two neighbouring frames at a border of two phonemes, where it is largest
                   within 2 frames of the border; of all bands, and of those below 1 kHz, 1 to 3 kHz and above
    inside         the same of frames that are at least 4 from a border: what noise and movement alone do
    closure        the quietest 2 frames of P, T, K between other phonemes, dB over the mean power of the utterance
    pause          power of the pause before the utterance, its first and last frames left out, in dB as before;
                   and of its bands above 3 kHz, where a hiss is
Means over all borders, closures and pauses, and their 95 % confidence. Power is that of the mel bands. At borders and
inside, what is 30 dB below the mean power of its band counts as silence: else a room's noise would make borders flat,
and digital silence steep.

With --shifts, `border` where all borders are taken some frames later (or earlier, below 0) than the alignment says, and
those of hibari as its network has them: it is largest where the alignment is right.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import evaluate
import numpy as np
import peers
import torch
from evaluate import Utterance
from tables import markdown_table
from tqdm import tqdm

import lj_speech
from lj_speech import MEL_SCALE_BINS, PAUSE, SAMPLING_RATE
from part2_solution import TextToSpeechSynthesizer
from recipe import prepare, teacher
from vocoder.spectrogram import FFT_SIZE, mel_bands, mel_spectrogram

STOPS = "P", "T", "K"
SHIFTS = range(-8, 5)  # frames
REACH = 2  # frames around a border where it is looked for
INSIDE = 4  # frames from the next border
SILENCE = 30.0  # dB below the mean of a band
CLOSURE = 2  # frames
PAUSE_FRAMES = 10  # at least, of a pause that is measured
PAUSE_MARGINS = 2, 6  # frames left out at its begin and end: the window reaches 2 into speech, and an onset is early
LOW, HIGH = 1000.0, 3000.0  # Hz

HIBARI_LATE = 0.05  # s by which its borders come after the sound, see --shifts

# ---------------------------------------------------------------------------------------------------------------------
# Measures
# ---------------------------------------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """Of one utterance."""

    borders: np.ndarray  # (n, 80) |differences|
    inside: np.ndarray  # (n, 80)
    closures: list[tuple[str, float]]  # code, dB
    pause: tuple[float, float] | None  # dB, of all bands and of those above HIGH


@functools.cache
def band_frequencies() -> np.ndarray:
    """(80,) Hz, the middle of each mel band."""
    return mel_bands().argmax(axis=0) * SAMPLING_RATE / FFT_SIZE


def decibels(power: np.ndarray | float) -> float:
    return float(10 * np.log10(np.mean(power)))


def border_frames(codes: Sequence[str], durations: Sequence[int]) -> list[int]:
    """The first frame of each phoneme that follows another one; pauses are none."""
    spoken = [(code, duration) for code, duration in zip(codes, durations) if duration > 0]
    starts = np.cumsum([0, *[duration for _, duration in spoken]])
    return [int(starts[i]) for i in range(1, len(spoken)) if PAUSE not in (spoken[i - 1][0], spoken[i][0])]


def measure_borders(changes: np.ndarray, borders: Iterable[int]) -> np.ndarray:
    """`changes[:, t]` (80, T - 1) are those from frame t to t + 1 -> (n, 80), those of the steepest frame."""
    steepest = []
    for border in borders:
        window = changes[:, max(0, border - 1 - REACH) : border + REACH]
        if window.shape[1]:
            steepest.append(window[:, window.mean(axis=0).argmax()])
    return np.reshape(steepest, (-1, MEL_SCALE_BINS))


def measure_inside(changes: np.ndarray, codes: Sequence[str], durations: Sequence[int]) -> np.ndarray:
    """The changes of frames of phonemes that are INSIDE or more from where they begin and end -> (n, 80)."""
    starts = np.cumsum([0, *durations])
    inside = [
        t for code, start, end in zip(codes, starts, starts[1:]) if code != PAUSE
        for t in range(start + INSIDE - 1, min(end - INSIDE, changes.shape[1]))
    ]  # fmt: skip
    return changes[:, inside].T


def measure_closures(
    power: np.ndarray, codes: Sequence[str], durations: Sequence[int], level: float
) -> list[tuple[str, float]]:
    starts, closures = np.cumsum([0, *durations]), []
    for i in range(1, len(codes) - 1):
        frames = power[starts[i] : starts[i + 1]]
        if codes[i] in STOPS and PAUSE not in (codes[i - 1], codes[i + 1]) and len(frames) >= CLOSURE:
            quietest = np.convolve(frames, np.full(CLOSURE, 1 / CLOSURE), "valid").min()
            closures.append((codes[i], decibels(quietest) - level))
    return closures


def measure(spectrogram: np.ndarray, codes: Sequence[str], durations: Sequence[int]) -> Measured:
    """Of a log-mel spectrogram (80, T) of N phonemes and their durations in frames."""
    power = np.exp(2 * spectrogram.astype(np.float64))
    spoken = np.repeat([code != PAUSE for code in codes], durations)[: power.shape[1]]
    level = decibels(power[:, : len(spoken)].sum(axis=0)[spoken])
    floor = np.log(power[:, : len(spoken)][:, spoken].mean(axis=1)) / 2 - SILENCE * np.log(10) / 20  # (80,)
    changes = np.abs(np.diff(np.maximum(spectrogram, floor[:, None]), axis=1))
    pause = None
    if codes[0] == PAUSE and durations[0] >= PAUSE_FRAMES:
        quiet = power[:, PAUSE_MARGINS[0] : durations[0] - PAUSE_MARGINS[1]]
        bands = quiet, quiet[band_frequencies() > HIGH]
        pause = tuple(decibels(part.sum(axis=0)) - level for part in bands)
    return Measured(
        measure_borders(changes, border_frames(codes, durations)), measure_inside(changes, codes, durations),
        measure_closures(power.sum(axis=0), codes, durations, level), pause,
    )  # fmt: skip


def summarise(kind: str, measured: Sequence[Measured]) -> dict:
    """One row."""
    frequencies = band_frequencies()
    borders, inside = (np.concatenate([getattr(item, name) for item in measured]) for name in ("borders", "inside"))
    closures = [closure for item in measured for closure in item.closures]
    levels = [decibel for _, decibel in closures]
    pauses = [item.pause for item in measured if item.pause is not None]
    over_bands = borders.mean(axis=1)
    return {
        "speech": kind, "n": len(measured), "borders": len(borders),
        "border": float(over_bands.mean()), "border ±": evaluate.margin(over_bands),
        "< 1 kHz": float(borders[:, frequencies < LOW].mean()),
        "1-3 kHz": float(borders[:, (frequencies >= LOW) & (frequencies <= HIGH)].mean()),
        "> 3 kHz": float(borders[:, frequencies > HIGH].mean()),
        "inside": float(inside.mean()) if len(inside) else None,
        "closures": len(closures), "closure dB": evaluate.mean(levels), "closure ±": evaluate.margin(levels),
        **{f"{stop} dB": evaluate.mean(level for code, level in closures if code == stop) for stop in STOPS},
        "pauses": len(pauses), "pause dB": evaluate.mean(pause[0] for pause in pauses),
        "pause > 3 kHz dB": evaluate.mean(pause[1] for pause in pauses),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# What is spoken
# ---------------------------------------------------------------------------------------------------------------------


def shift_borders(durations: Sequence[int], n_frames: int) -> list[int]:
    """All borders so many frames later, but for the outer two."""
    borders = np.cumsum([0, *durations])
    borders[1:-1] = np.clip(borders[1:-1] + n_frames, 0, borders[-1])
    return np.diff(borders).tolist()


def load_timed_hibari(late: float = HIBARI_LATE) -> Callable[[str, str], Utterance]:
    """(name, text) -> speech with its durations in our frames, its borders `late` seconds earlier.

    Raises ModuleNotFoundError without packages.
    """
    teacher.load_teacher()

    def speak(name: str, text: str) -> Utterance:
        sentences = teacher.read_sentences(text, 1.0, np.random.default_rng(peers.SEED))
        audio = prepare.resample(np.concatenate([part.audio for part in sentences]), teacher.RATE, SAMPLING_RATE)
        segments = teacher.read_symbols(
            [symbol for part in sentences for symbol in part.symbols], [n for part in sentences for n in part.units]
        )
        borders = [lj_speech.frame_at(segment.end * teacher.UNIT) for segment in segments]
        durations = shift_borders(np.diff([0, *borders]).tolist(), -lj_speech.frame_at(1000 * late))
        return Utterance(name, text, audio, [segment.code for segment in segments], durations)

    return speak


def analysed(utterance: Utterance) -> Utterance:
    """With the spectrogram of its audio."""
    return utterance._replace(spectrogram=mel_spectrogram(utterance.audio))


def speak_texts(synthesizer: TextToSpeechSynthesizer, texts: Mapping[str, str]) -> dict[str, list[Utterance]]:
    given = [evaluate.speak_text(synthesizer, name, text) for name, text in tqdm(texts.items(), desc="ours")]
    return {"ours": [analysed(item) for item in given], "ours, spectrogram": given}


def speak_held_out(synthesizer: TextToSpeechSynthesizer, samples: Mapping[str, Mapping]) -> dict[str, list[Utterance]]:
    """What needs the recordings' spectrograms and durations."""
    vocoder, spoken = lj_speech.Vocoder("harmonic"), defaultdict(list)
    for name, sample in tqdm(samples.items(), desc="recordings"):
        text, codes, durations = (sample[key] for key in ("text", "phonemes_code", "phonemes_duration"))
        with evaluate.room_left_in(synthesizer):
            ours = evaluate.speak(synthesizer, name, text, codes, durations)
        recording = Utterance(name, text, np.zeros(0), codes, durations, sample["spectrogram"])
        spoken["ours, real durations"].append(analysed(ours))
        spoken["recordings"].append(recording)
        spoken["recordings, copied"].append(analysed(evaluate.copy_synthesis(vocoder, name, sample)))
    return dict(spoken)


def let_hibari_speak(texts: Mapping[str, str], late: float) -> dict[str, list[Utterance]]:
    """Nothing where it is not installed."""
    try:
        hibari = load_timed_hibari(late)
    except ModuleNotFoundError as error:
        print(f"Left out: hibari ({error})")
        return {}
    return {"hibari": [analysed(hibari(name, text)) for name, text in tqdm(texts.items(), desc="hibari")]}


# ---------------------------------------------------------------------------------------------------------------------
# All of it
# ---------------------------------------------------------------------------------------------------------------------


def speak_all(
    checkpoint: pathlib.Path, dataset: pathlib.Path | None, n: int | None, late: float = HIBARI_LATE
) -> dict[str, list[Utterance]]:
    """By kind of speech; the spectrograms are those to be measured."""
    synthesizer = TextToSpeechSynthesizer(checkpoint)
    samples, _ = evaluate.read_held_out(dataset, n)
    texts = {name: sample["text"] for name, sample in samples.items()}
    if not samples:
        sentences = evaluate.spread_out(evaluate.read_sentences(evaluate.list_path("plain")), n)
        texts = {f"{number:02d}": text for number, text in enumerate(sentences, 1)}
    return speak_texts(synthesizer, texts) | speak_held_out(synthesizer, samples) | let_hibari_speak(texts, late)


def measure_speech(spoken: Mapping[str, Sequence[Utterance]]) -> list[dict]:
    return [
        summarise(kind, [measure(item.spectrogram, item.codes, item.durations) for item in items])
        for kind, items in spoken.items()
    ]


def measure_shifts(spoken: Mapping[str, Sequence[Utterance]]) -> list[dict]:
    """`border` by how many frames later all borders are taken."""
    rows = [{"speech": kind} for kind in spoken]
    for shift in SHIFTS:
        shifted = {
            kind: [item._replace(durations=shift_borders(item.durations, shift)) for item in items]
            for kind, items in spoken.items()
        }
        for row, measured in zip(rows, measure_speech(shifted)):
            row[f"{shift:+d}"] = measured["border"]
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path, nargs="?", default=pathlib.Path("TTS.pth"))
    parser.add_argument("--dataset", type=pathlib.Path, help="LJ-Speech-aligned: its held-out part")
    parser.add_argument("--n", type=int, help="at most so many texts; all by default")
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--shifts", action="store_true", help="is the alignment right?")
    parser.add_argument("--json", type=pathlib.Path, help="write the table there")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    spoken = speak_all(options.checkpoint, options.dataset, options.n, 0.0 if options.shifts else HIBARI_LATE)
    rows = measure_shifts(spoken) if options.shifts else measure_speech(spoken)
    print(markdown_table(rows))
    if options.json:
        evaluate.write_json({"machine": evaluate.machine(), "borders": rows}, options.json)


if __name__ == "__main__":
    main()
