"""How well word times agree with the audio: pocketsphinx looks for the words in what was spoken.

    python benchmarks/word_times.py --engine torch
    python benchmarks/word_times.py --engine onnx                     # after `python -m recipe export`

The last row but one is the README's sentence again, its times read back from the captions that `say` writes.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from recipe.prepare import Segment, force_align  # noqa: E402
from say import engines  # noqa: E402
from speech import captions  # noqa: E402
from speech.record import Record  # noqa: E402

DEMO = "Four hours of steady work faced us before the evening tea."
TEXTS = [
    DEMO,
    "Have you seen my brother? He left his umbrella on the kitchen table.",
    "Dr. Ray paid $3.50, didn't he? Nobody knows. \"Come in!\" she said; then it rained.",
    "The train to Boston leaves at 5:30, so please be at the station a little earlier.",
    "In the beginning there was nothing but a long, straight road, which led over the hills and down to the sea.",
]


class Agreement(NamedTuple):
    """Milliseconds between the borders of words: what is told less what is found."""

    starts: np.ndarray
    ends: np.ndarray

    @property
    def error(self) -> float:
        return float(np.abs(np.concatenate(self)).mean())


def align(said: Record) -> list[Segment]:
    """Where the aligner hears the words. Raises ValueError where it finds no path."""
    return force_align(said.audio[0], [[phoneme.code for phoneme in word.phonemes] for word in said.words]).words


def compare(told: Sequence[tuple[float, float]], heard: Sequence[tuple[float, float]]) -> Agreement:
    """Of start and end of each word, in seconds."""
    return Agreement(*(1000 * (np.array(told) - np.array(heard))).T)


def measure(said: Record, heard: Sequence[Segment]) -> Agreement:
    """The times of the words of `said`, and where `align` hears them."""
    return compare([(word.start, word.end) for word in said.words], [(word.start, word.end) for word in heard])


def measure_captions(said: Record, heard: Sequence[Segment]) -> Agreement:
    """The same with times from a captions file, a caption for each word as it is written."""
    found, groups = iter(heard), []
    for written in said.written:
        segments = [next(found) for _ in written.words]
        groups.append((segments[0].start, segments[-1].end))
    return compare(read_times(captions.srt(said.words, said.text, "word")), groups)


def read_times(srt: str) -> list[tuple[float, float]]:
    """Start and end of each caption, in seconds."""
    times = []
    for line in re.findall(r"^.+ --> .+$", srt, re.MULTILINE):
        hours, minutes, seconds = zip(*(time.replace(",", ".").split(":") for time in line.split(" --> ")))
        times.append(tuple(3600 * float(h) + 60 * float(m) + float(s) for h, m, s in zip(hours, minutes, seconds)))
    return times


def print_row(name: str, agreement: Agreement) -> None:
    means = (f"{part.mean():+.0f} ms" for part in agreement)
    print(f"| {name} | {len(agreement.starts)} | {agreement.error:.0f} ms | {' | '.join(means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=engines.ENGINES, default="auto")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="another voice")
    options = parser.parse_args()
    voice = engines.open_voice(options.engine, options.checkpoint)
    print("| text | words | mean error of borders | starts, mean | ends, mean |\n|---|---:|---:|---:|---:|")
    spoken = [voice.speak(text) for text in TEXTS]
    found = [align(said) for said in spoken]
    every = [measure(*pair) for pair in zip(spoken, found)]
    for text, agreement in zip(TEXTS, every):
        print_row(text, agreement)
    print_row("captions of the first", measure_captions(spoken[0], found[0]))
    print_row("all but these captions", Agreement(*map(np.concatenate, zip(*every))))


if __name__ == "__main__":
    main()
