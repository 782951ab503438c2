"""How fast the acoustic model trains here, and where the time goes, as a Markdown table.

    python benchmarks/training.py                                    # utterances of LJ Speech's lengths, of noise
    python benchmarks/training.py LJ-Speech-aligned --steps 40 --batch-size 10 --model width=192 --json training.json

A row for each device that is here and each number type that it computes fast with; `--compile` adds those rows with
`torch.compile`, which has `--compile-limit` seconds for all its warm-up.

steps/s, frames/s   real frames; the whole step, with reading the batch
padding             part of all frames in the batches
loader … optimizer  parts of the time: reading a batch and bringing it to the device; forward pass and loss; backward
                    pass and clipping; optimizer and moving average of the weights. On a GPU these are measured in a
                    second pass, which waits for the GPU between them
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import pathlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import evaluate
import numpy as np
import torch
from encoder_layers import take

import lj_speech
import part2_solution as tts
from compute.precision import choose_amp
from part2_solution import TrainingState
from recipe.command_line import read_model_settings

# Of the 13 100 utterances of LJ Speech, in frames: the shortest, each tenth part, the longest.
DECILES = (96, 295, 390, 464, 527, 583, 640, 695, 750, 809, 870)
PHONEMES_PER_FRAME = 0.127  # there, the median
CODES = ["".join(pair) for pair in itertools.product("ABCDEFGHIJ", "KLMNPQR")]
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
PHASES = ("loader", "forward", "backward", "optimizer")
SHARES = ("padding", *PHASES)
WARM_UP = 3  # steps that are not measured


class RandomDataset(lj_speech.AlignmentDataset):
    """`n` utterances of LJ Speech's lengths, with noise for spectrograms."""

    def __init__(self, n: int, seed: int):
        rng = np.random.default_rng(seed)
        lengths = np.interp(rng.uniform(0, 10, n), range(11), DECILES).astype(int)
        super().__init__([self._align(f"R{index:05d}", int(length), rng) for index, length in enumerate(lengths)])
        self.noise = rng.normal(-5, 2, (tts.MEL_SCALE_BINS, DECILES[-1])).astype(np.float32)

    @staticmethod
    def _align(name: str, n_frames: int, rng: np.random.Generator) -> lj_speech.Alignment:
        n = max(2, round(n_frames * PHONEMES_PER_FRAME))
        ends = np.sort(rng.choice(n_frames - 1, n - 1, replace=False)) + 1
        durations = np.diff(ends, prepend=0, append=n_frames).tolist()
        return lj_speech.Alignment(name, [str(code) for code in rng.choice(CODES, n)], list(range(n)), durations)

    def __getitem__(self, index: int) -> dict:
        return {**super().__getitem__(index), "spectrogram": self.noise[:, : sum(self.alignments[index].durations)]}


# -------- Measuring --------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """Adds up the seconds of each phase. `exact` waits for the GPU at the end of each."""

    device: torch.device
    exact: bool
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    last: float = 0.0

    def start(self) -> None:
        self.wait()
        self.last = time.perf_counter()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def end(self, phase: str) -> None:
        if self.exact:
            self.wait()
        now = time.perf_counter()
        self.seconds[phase] += now - self.last
        self.last = now


def run_steps(state: TrainingState, batches: Iterator, n_steps: int, exact: bool) -> tuple[Clock, float, list]:
    """Some steps: where their time went, all their seconds, and (real, padded) frames of each batch."""
    clock, frames = Clock(state.device, exact), []

    def compute_loss(model: tts.AcousticModel, batch: tts.Batch) -> Mapping:
        losses = tts.spectrogram_loss(model(batch), batch)
        clock.end("forward")
        return losses

    hook = state.optimizer.register_step_pre_hook(lambda *_: clock.end("backward"))
    clock.start()
    start = clock.last
    for batch in itertools.islice(batches, n_steps):
        frames.append((int(batch.frame_mask.sum()), batch.frame_mask.numel()))
        batch = batch.to(state.device)
        clock.end("loader")
        state.train(batch, compute_loss)
        clock.end("optimizer")
    clock.wait()
    hook.remove()
    return clock, time.perf_counter() - start, frames


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TimeoutError after so many seconds, where the system can; 0 sets no limit."""
    if not seconds or not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def measure(
    dataset: Sequence, device: str, config: tts.TrainConfig, n_steps: int, settings: Mapping = {},
    compile_limit: int | None = None,
) -> dict:  # fmt: skip
    """The row of the table; compiled unless `compile_limit`, in seconds, is None."""
    torch.manual_seed(config.seed)
    model = tts.AcousticModel(replace(tts.describe_data(dataset.alignments), **settings)).to(device)
    stage = tts.spectrogram_stage(model, (dataset, dataset), 1, config)
    loader = tts.make_loader(dataset, model.config.vocabulary, config)
    n_passes = 2 if device == "cuda" else 1
    n_warm_up = len(loader) if compile_limit is not None else WARM_UP  # all shapes
    n_all = n_warm_up + n_passes * n_steps
    state = TrainingState(model, [model.get_submodule(name) for name in stage.parts], n_all, config)
    row = {"device": device, "numbers": NAMES[state.amp], "compiled": "no" if compile_limit is None else "yes"}
    model.eval()
    for part in state.parts:
        part.train()
    batches = take(loader, n_all)
    try:
        with time_limit(compile_limit or 0):
            if compile_limit is not None:
                model.compile(dynamic=True)
            run_steps(state, batches, n_warm_up, exact=False)
    except TimeoutError:
        return row | dict.fromkeys(["steps/s", "frames/s", *SHARES])
    clock, seconds, frames = run_steps(state, batches, n_steps, exact=n_passes == 1)
    if n_passes == 2:
        clock, *_ = run_steps(state, batches, n_steps, exact=True)
    real, padded = map(sum, zip(*frames))
    phases = {phase: clock.seconds[phase] / sum(clock.seconds.values()) for phase in PHASES}
    return row | {"steps/s": len(frames) / seconds, "frames/s": real / seconds, "padding": 1 - real / padded, **phases}


def render(rows: Sequence[Mapping]) -> str:
    """Markdown; shares in percent."""
    return evaluate.markdown_table([
        {name: f"{value:.1%}" if name in SHARES and value is not None else value for name, value in row.items()}
        for row in rows
    ])  # fmt: skip


def number_types(device: str) -> list[str]:
    """fp32, and what the device computes faster with."""
    return list(dict.fromkeys(["fp32", NAMES[choose_amp("auto", torch.device(device))]]))


def measure_all(dataset: Sequence, options: argparse.Namespace, report: Callable) -> list[dict]:
    """All rows; `report` is told of each as soon as it is there."""
    rows, settings = [], read_model_settings(options.model)
    devices = options.devices or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    limits = [None, options.compile_limit] if options.compile else [None]
    for device in devices:
        for amp, limit in itertools.product(number_types(device), limits):
            config = tts.TrainConfig(batch_size=options.batch_size, amp=amp, seed=options.seed)
            rows.append(measure(dataset, device, config, options.steps, settings, limit))
            report(rows)
    return rows


# -------- Command line -----------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how fast the acoustic model trains, as a Markdown table.")
    parser.add_argument("dataset_root", type=pathlib.Path, nargs="?", help="without one, utterances are made up")
    parser.add_argument("--utterances", type=int, default=500, help="how many are made up (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="that are measured (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="utterances a step (default: %(default)s)")
    parser.add_argument("--model", nargs="*", default=[], metavar="NAME=NUMBER", help="what the network is: width=192")
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda"), help="default: those that are here")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile, which needs a C++ compiler")
    parser.add_argument("--compile-limit", type=int, default=600, help="seconds for that (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there too")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if min(options.utterances, options.steps, options.batch_size, options.threads, options.compile_limit) < 1:
        parser.error("--utterances, --steps, --batch-size, --threads and --compile-limit are at least 1")
    if options.seed < 0:
        parser.error("--seed is at least 0")
    if "cuda" in (options.devices or []) and not torch.cuda.is_available():
        parser.error("--devices cuda: there is no GPU here")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}")
    torch.set_num_threads(options.threads)
    try:
        if options.dataset_root is None:
            dataset = RandomDataset(options.utterances, options.seed)
        else:
            dataset, _ = lj_speech.get_dataset(options.dataset_root)
        machine = evaluate.machine()
        write = lambda rows: evaluate.write_json({"machine": machine, "rows": rows}, options.json)  # noqa: E731
        rows = measure_all(dataset, options, write if options.json else lambda rows: None)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(f"Measured on {evaluate.describe(machine)}: {options.steps} steps of {options.batch_size} utterances.\n")
    print(render(rows))


if __name__ == "__main__":
    main()
