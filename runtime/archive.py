"""The file that `python -m recipe export` writes: weights, ONNX graphs that use them, and `voice.json` about both."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass

import numpy as np
import onnxruntime

from speech.pieces import check_threads
from vocoder import layout
from vocoder.files import check_archive, check_file
from vocoder.settings import Checked, setting
from vocoder.spectrogram import MEL_SCALE_BINS

VOICE_PATH = pathlib.Path(__file__).with_name("voice.zip")
ADVICE = "make it with `python -m recipe export`, or `git checkout runtime/voice.zip`"
CPU_INFO = pathlib.Path("/proc/cpuinfo")  # of Linux
PRECISIONS = ("auto", "float32", "int8")


def graph_name(name: str, int8: bool) -> str:
    return f"{name}-int8.onnx" if int8 else f"{name}.onnx"


def has_fast_int8() -> bool:
    """Does the processor multiply 8-bit numbers and add them up in 32 bits? Others are slower so, and less exact."""
    flags = CPU_INFO.read_text().split() if CPU_INFO.is_file() else []
    return bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & set(flags))


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, D') -> the same as int8, and the step (D',) of each column."""
    weight = weight.astype(np.float32)
    steps = np.maximum(np.maximum(weight.max(0), -weight.min(0)), np.float32(1e-12)) / 127
    weight *= 1 / steps
    return np.rint(weight, out=weight).astype(np.int8), steps


class Network:
    """One graph: arrays by name in, arrays by name out."""

    def __init__(self, graph: bytes, weights: dict[str, np.ndarray], threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it slows a busy machine down
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.session.run(self.outputs, inputs)))


@dataclass(frozen=True, kw_only=True)
class Model(Checked):
    """What of `part2_solution.ModelConfig` has to be known beside the graphs."""

    vocabulary: tuple[str, ...]
    max_phonemes: int = setting(least=1, most=20_000)
    max_frames: int = setting(least=1, most=60_000)


@dataclass(frozen=True, kw_only=True)
class Prosody(Checked):
    """And of the extension `prosody`."""

    noise_floor: tuple[float, ...] = setting(least=-layout.LARGEST_LOG_MEL, most=layout.LARGEST_LOG_MEL)

    def __post_init__(self):
        super().__post_init__()
        if len(self.noise_floor) != MEL_SCALE_BINS:
            raise ValueError(f"noise_floor has {len(self.noise_floor)} bands, not {MEL_SCALE_BINS}")


class Archive:
    """A voice on disk. `precision` is "float32", "int8", or "auto" for int8 where the processor is fast with it.

    Raises FileNotFoundError where there is no file, ValueError where it is something else.
    """

    def __init__(self, path: str | pathlib.Path = VOICE_PATH, threads: int = 1, precision: str = "auto"):
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}: choose one of {', '.join(PRECISIONS)}")
        self.path, self.threads = pathlib.Path(path), check_threads(threads)
        self.int8 = has_fast_int8() if precision == "auto" else precision == "int8"
        check_file(self.path, "voice", ADVICE)
        try:
            self.file = np.load(self.path)
            check_archive(self.file.zip, with_checksums=False)  # numpy compares those of what it reads
            record = json.loads(self.file["voice.json"])
            self.weights, self.made_from = record["weights"], record["made_from"]
            self.model, self.vocoder = Model(**record["model"]), layout.Config(**record["vocoder"])
            self.noise_floor = record["prosody"] and Prosody(**record["prosody"]).noise_floor
        except Exception as error:  # a broken file can raise anything
            raise ValueError(f"{self.path} holds no voice for this runtime ({error}): {ADVICE}") from error

    def network(self, name: str) -> Network:
        name = graph_name(name, self.int8)
        try:
            return Network(self.file[name], {key: self._weight(key) for key in self.weights[name]}, self.threads)
        except Exception as error:  # a broken file can raise anything
            raise ValueError(f"{self.path} has no intact graph {name} ({error}): {ADVICE}") from error

    def _weight(self, key: str) -> np.ndarray:
        name, _, kind = key.partition(".")
        weight = self.file[name]
        if weight.dtype.kind == "f" and not np.isfinite(weight).all():
            raise ValueError(f"{name} holds NaN or infinity")
        return quantise(weight)[0] if kind == "int8" else weight
