"""The file that `python -m recipe export` writes: ONNX graphs by name, and `voice.json` about them."""

from __future__ import annotations

import json
import pathlib
import zipfile

import numpy as np
import onnxruntime

VOICE_PATH = pathlib.Path(__file__).with_name("voice.zip")
ADVICE = "make it with `python -m recipe export`, or `git checkout runtime/voice.zip`"


class Network:
    """One graph: arrays by name in, arrays by name out."""

    def __init__(self, content: bytes, n_threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy machine would wait
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.session.run(self.outputs, inputs)))


class Archive:
    """A voice on disk. Raises FileNotFoundError where there is none, ValueError where the file is something else."""

    def __init__(self, path: str | pathlib.Path = VOICE_PATH, n_threads: int = 1):
        self.path, self.n_threads = pathlib.Path(path), n_threads
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no voice at {self.path.resolve()}: {ADVICE}")
        try:
            self.facts = json.loads(self._read("voice.json"))
            self.model, self.vocoder = self.facts["model"], self.facts["vocoder"]
            self.prosody, self.made_from = self.facts["prosody"], self.facts["made_from"]
        except (zipfile.BadZipFile, LookupError, ValueError, TypeError, OSError) as error:
            raise ValueError(f"{self.path} holds no voice for this runtime ({error}): {ADVICE}") from error

    def network(self, name: str) -> Network:
        try:
            return Network(self._read(f"{name}.onnx"), self.n_threads)
        except (zipfile.BadZipFile, LookupError, OSError, RuntimeError) as error:
            raise ValueError(f"{self.path} has no intact graph {name} ({error}): {ADVICE}") from error

    def _read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)
