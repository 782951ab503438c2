"""How large and how fast the voice is on the CPU: prints the README's table.

    python benchmarks/speed.py --checkpoint TTS.pth --threads 2

Loading is timed in new processes, from the first import to the first audio. A real-time factor is seconds of computing
per second of audio, of one sentence, after one run that is not timed; text to spectrogram includes the pronunciation.
Given are the median and, in brackets, the least and the most of n runs. The last row is what the recogniser of
`evaluate.py` hears; it needs `requirements-eval.txt` and is left out without it.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import evaluate
import numpy as np
import torch
from torch import nn
from words import count_word_errors, words_of

import lj_speech
from part2_solution import CHECKPOINT_PATH, TextToSpeechSynthesizer
from vocoder import network

SENTENCE = "Four hours of steady work faced us before the evening tea."
LOADING = """
import json, sys, time
start = time.perf_counter()
import torch
from part2_solution import TextToSpeechSynthesizer
torch.set_num_threads(int(sys.argv[3]))
synthesizer = TextToSpeechSynthesizer(sys.argv[1])
ready = time.perf_counter()
synthesizer.synthesize_from_text(sys.argv[2])
print(json.dumps([ready - start, time.perf_counter() - ready]))
"""

# -------- Measures ----------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """One sentence from text to audio, in seconds."""

    text: float  # of computing, as the next two
    model: float
    vocoder: float
    audio: float  # of speech


def time_sentence(synthesizer: TextToSpeechSynthesizer, text: str) -> tuple[Run, np.ndarray]:
    """The times, and the audio (t,)."""
    start = time.perf_counter()
    codes = lj_speech.text_to_phonemes(text)
    pronounced = time.perf_counter() - start
    said = evaluate.speak(synthesizer, "", text, codes)
    seconds = len(said.audio) / lj_speech.SAMPLING_RATE
    return Run(pronounced, said.model_seconds, said.vocoder_seconds, seconds), said.audio


def time_loading(checkpoint: pathlib.Path, n_threads: int) -> tuple[float, float]:
    """Seconds of a new process until the voice is ready, then until it has said its first sentence."""
    command = [sys.executable, "-c", LOADING, str(checkpoint.resolve()), SENTENCE, str(n_threads)]
    printed = subprocess.run(command, cwd=evaluate.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(json.loads(printed.splitlines()[-1]))


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def words_recognised(text: str, audio: np.ndarray) -> str | None:
    """"11 of 11: what was heard"; None without the recogniser."""
    try:
        heard = evaluate.Recogniser().recognise(evaluate.resample(audio))
    except ModuleNotFoundError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    expected, said = map(words_of, (text, heard))
    recognised = max(0, len(expected) - count_word_errors(expected, said))  # more may be heard than was said
    return f"{recognised} of {len(expected)}: “{heard}”"


# -------- Table -------------------------------------------------------------------------------------------------------


def spread(values: Sequence[float], unit: str = "") -> str:
    """"median (least – most)", two significant digits."""
    median, least, most = (f"{value:.2g}" for value in (statistics.median(values), min(values), max(values)))
    return f"{median}{unit} ({least} – {most})"


def megabytes(path: pathlib.Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def measure(checkpoint: pathlib.Path, n_threads: int, n: int) -> list[dict]:
    """The rows of the table."""
    synthesizer = TextToSpeechSynthesizer(checkpoint)
    time_sentence(synthesizer, SENTENCE)
    runs, audio = zip(*[time_sentence(synthesizer, SENTENCE) for _ in range(n)])
    ready, first = zip(*[time_loading(checkpoint, n_threads) for _ in range(min(n, 3))])
    rows = {
        "parameters, acoustic model": f"{count_parameters(synthesizer.model) / 1e6:.2f} M",
        "parameters, vocoder": f"{count_parameters(network.load()) / 1e6:.2f} M",
        f"size of {checkpoint.name}": megabytes(checkpoint),
        f"size of {network.WEIGHTS_PATH.name}": megabytes(network.WEIGHTS_PATH),
        f"time to load (n = {len(ready)})": spread(ready, " s"),
        f"first sentence after that (n = {len(first)})": spread(first, " s"),
        f"real-time factor, text to spectrogram (n = {n})": spread([(r.text + r.model) / r.audio for r in runs]),
        f"real-time factor, vocoder (n = {n})": spread([r.vocoder / r.audio for r in runs]),
        f"real-time factor, text to audio (n = {n})": spread([sum(r[:3]) / r.audio for r in runs]),
        "words recognised of the sentence": words_recognised(SENTENCE, audio[-1]),
    }
    return [{"": name, "value": value} for name, value in rows.items() if value is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Size and speed of the voice on the CPU, as a Markdown table.")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=evaluate.ROOT / CHECKPOINT_PATH)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n", type=int, default=10, help="runs to take the median of")
    options = parser.parse_args()
    if options.threads < 1 or options.n < 1:
        parser.error("--threads and --n are at least 1")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the table is about the CPU, also where there is a GPU
    torch.set_num_threads(options.threads)
    try:
        rows = measure(options.checkpoint, options.threads, options.n)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(f"“{SENTENCE}” on {evaluate.describe(evaluate.machine())}\n")
    print(evaluate.markdown_table(rows))


if __name__ == "__main__":
    main()
