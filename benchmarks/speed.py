"""How fast and how large the voice is on the CPU, beside other neural voices, as the README's table.

    python benchmarks/speed.py                            # hibari-tts and Piper as well, where they are installed
    python benchmarks/speed.py --threads 1 --n 5

Each engine has a process of its own. They take turns, sentence by sentence, so that whatever else the machine does
hits all of them. A real-time factor is seconds of computing, from text to all of the audio, per second of audio; the
first audio is what a listener waits for. Given are the median and, in brackets, the least and the most. Cold is a new
process, from its start to the finished "Hello there.", and the memory of that process at its peak.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SENTENCES_PATH = pathlib.Path(__file__).with_name("sentences.tsv")
HELLO = "Hello there."
LONG_SENTENCE = (
    "When the committee finally published its report on the state of the harbour, which had been promised for more "
    "than two years, the newspapers paid hardly any attention to it, because the election had begun."
)
CPU_INFO = pathlib.Path("/proc/cpuinfo")  # of Linux
REST = 0.3  # s before each turn: threads of the engine before may still wait for work, at full speed

# -------- Engines ----------------------------------------------------------------------------------------------------


class Engine(NamedTuple):
    speak: Callable[[str], np.ndarray]  # text -> audio, (t,) or (1, t)
    stream: Callable[[str], Iterator[np.ndarray]]  # the same in pieces, the first as soon as it can be heard
    sampling_rate: int


def load_runtime(threads: int, precision: str = "auto") -> Engine:
    from runtime import TextToSpeechSynthesizer
    from vocoder.spectrogram import SAMPLING_RATE

    voice = TextToSpeechSynthesizer(threads=threads, precision=precision)
    return Engine(voice.synthesize_from_text, voice.stream_from_text, SAMPLING_RATE)


def load_torch(threads: int) -> Engine:
    from part2_solution import SAMPLING_RATE, TextToSpeechSynthesizer

    voice = TextToSpeechSynthesizer(ROOT / "TTS.pth", threads=threads, device="cpu")
    return Engine(voice.synthesize_from_text, voice.stream_from_text, SAMPLING_RATE)


def load_hibari(threads: int) -> Engine:
    import hibari

    voice = hibari.Hibari(threads=threads)
    return Engine(voice, voice.stream, hibari.SAMPLE_RATE)


def load_piper(threads: int) -> Engine:
    import peers

    from vocoder.spectrogram import SAMPLING_RATE

    stream = peers.load_piper_sentences(threads)
    return Engine(lambda text: np.concatenate(list(stream(text))), stream, SAMPLING_RATE)


ENGINES = {
    "ours": load_runtime,
    "ours, float32": lambda threads: load_runtime(threads, "float32"),
    "ours, PyTorch": load_torch,
    "hibari": load_hibari,
    "Piper": load_piper,
}


class Run(NamedTuple):
    """A text that was spoken, in seconds."""

    computing: float
    audio: float  # of speech


def speak(engine: Engine, text: str) -> Run:
    start = time.perf_counter()
    audio = engine.speak(text)
    return Run(time.perf_counter() - start, audio.shape[-1] / engine.sampling_rate)


def first_audio(engine: Engine, text: str) -> Run:
    start = time.perf_counter()
    audio = next(iter(engine.stream(text)))
    return Run(time.perf_counter() - start, audio.shape[-1] / engine.sampling_rate)


# -------- Processes --------------------------------------------------------------------------------------------------


def serve(name: str, threads: int) -> None:
    """In a process of its own: texts come as lines of JSON, their times go back."""
    engine = ENGINES[name](threads)
    speak(engine, HELLO)
    for line in sys.stdin:
        whole, text = json.loads(line)
        print(json.dumps((speak if whole else first_audio)(engine, text)), flush=True)


def serve_once(name: str, threads: int) -> None:
    speak(ENGINES[name](threads), HELLO)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class Worker:
    def __init__(self, name: str, threads: int):
        command = [sys.executable, __file__, "--serve", name, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, text: str, whole: bool = True) -> Run:
        time.sleep(REST)
        self.process.stdin.write(json.dumps([whole, text]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[3]} stopped: see above")
        return Run(*json.loads(line))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def start_cold(name: str) -> tuple[float, float]:
    """Seconds and megabytes of a new process that says hello, with 1 thread."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--serve-once", name, "--threads", "1"]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.perf_counter() - start, int(printed.splitlines()[-1]) / 1e3


def installed() -> list[str]:
    """The engines that can be loaded here."""
    found = []
    for name in ENGINES:
        command = [sys.executable, __file__, "--serve-once", name, "--threads", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            found.append(name)
        else:
            print(f"left out: {name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    return found


# -------- Table ------------------------------------------------------------------------------------------------------


def read_sentences(n: int) -> list[str]:
    """The first n short ones."""
    lines = [line.split("\t") for line in SENTENCES_PATH.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return [text for kind, text in lines if kind == "short"][:n]


def measure(names: Sequence[str], threads: int, n: int) -> dict[str, dict[str, list[float]]]:
    """Row -> engine -> numbers."""
    sentences, workers = read_sentences(n), {name: Worker(name, threads) for name in names}
    long_text = " ".join(read_sentences(20))
    rows: dict[str, dict[str, list[float]]] = {}

    def note(row: str, name: str, value: float) -> None:
        rows.setdefault(f"{row}, {threads} thread{'s' * (threads > 1)}", {}).setdefault(name, []).append(value)

    for index in range(n):
        for name, worker in workers.items():
            run = worker(sentences[index])
            note("real-time factor, short sentences", name, run.computing / run.audio)
            note("first audio of a long sentence, ms", name, 1000 * worker(LONG_SENTENCE, whole=False).computing)
    for _ in range(max(1, n // 8)):
        for name, worker in workers.items():
            run = worker(long_text)
            note("real-time factor, long text", name, run.computing / run.audio)
    for worker in workers.values():
        worker.close()
    return rows


def measure_cold(names: Sequence[str], n: int) -> dict[str, dict[str, list[float]]]:
    rows = {"cold start, s": {name: [] for name in names}, "memory, MB": {name: [] for name in names}}
    for _ in range(n):
        for name in names:
            for row, value in zip(rows.values(), start_cold(name)):
                row[name].append(value)
    return rows


def spread(values: Sequence[float], unit: str = "") -> str:
    """"median (least – most)", two significant digits, three above 100."""
    numbers = statistics.median(values), min(values), max(values)
    median, least, most = (f"{value:.0f}" if value >= 10 else f"{value:.2g}" for value in numbers)
    return f"{median}{unit} ({least} – {most})"


def table(rows: dict[str, dict[str, list[float]]], names: Sequence[str]) -> str:
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row, values in rows.items():
        n = len(next(iter(values.values())))
        lines.append(f"| {row} (n = {n}) | " + " | ".join(spread(values[name]) for name in names) + " |")
    return "\n".join(lines)


def processor() -> str:
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags]
    return f"{len(names)} × {names[0]} ({' '.join(known)})" if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and size of the voice on the CPU, as a Markdown table.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--n", type=int, default=30, help="sentences; cold starts are a fifth (default: %(default)s)")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), help="default: those that are installed")
    parser.add_argument("--json", type=pathlib.Path, help="write all numbers to this file")
    parser.add_argument("--serve", choices=list(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("--serve-once", choices=list(ENGINES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.threads) < 1 or not 1 <= options.n <= len(read_sentences(1000)):
        parser.error(f"--threads is at least 1, --n from 1 to {len(read_sentences(1000))}")
    if options.serve:
        return serve(options.serve, options.threads[0])
    if options.serve_once:
        return serve_once(options.serve_once, options.threads[0])
    names = options.engines or installed()
    rows = {key: value for threads in options.threads for key, value in measure(names, threads, options.n).items()}
    rows |= measure_cold(names, max(1, options.n // 5))
    if options.json:
        options.json.write_text(json.dumps({"processor": processor(), "rows": rows}, indent=1))
    print(f"{processor()}, Python {platform.python_version()}\n\n{table(rows, names)}")


if __name__ == "__main__":
    main()
