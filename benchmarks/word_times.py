"""How well word times agree with the audio: pocketsphinx looks for the words in what was spoken.

    python benchmarks/word_times.py [--engine torch]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from recipe.prepare import force_align  # noqa: E402
from say import engines  # noqa: E402

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


def measure(voice, text: str) -> Agreement:
    """Raises ValueError where the aligner finds no path."""
    said = voice.speak(text)
    found = force_align(said.audio[0], [[phoneme.code for phoneme in word.phonemes] for word in said.words]).words
    told = np.array([(word.start, word.end) for word in said.words])
    heard = np.array([(word.start, word.end) for word in found])
    return Agreement(*(1000 * (told - heard)).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=engines.ENGINES, default="auto")
    voice = engines.open_voice(parser.parse_args().engine)
    every = []
    print("| text | words | mean error of borders | starts, mean | ends, mean |\n|---|---:|---:|---:|---:|")
    for text in TEXTS:
        agreement = measure(voice, text)
        every.append(agreement)
        means = (f"{part.mean():+.0f} ms" for part in agreement)
        print(f"| {text} | {len(agreement.starts)} | {agreement.error:.0f} ms | {' | '.join(means)} |")
    total = Agreement(*map(np.concatenate, zip(*every)))
    means = (f"{part.mean():+.0f} ms" for part in total)
    print(f"| all | {len(total.starts)} | {total.error:.0f} ms | {' | '.join(means)} |")


if __name__ == "__main__":
    main()
