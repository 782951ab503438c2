"""Which program speaks. Imported when it is needed: PyTorch takes a second."""

from __future__ import annotations

import importlib.util
import pathlib

from speech.speaker import Speaker

ENGINES = ("auto", "onnx", "torch")


def choose(engine: str) -> str:
    """ "auto" becomes the fastest that is installed. Raises ImportError for one that is not."""
    packages = {"onnx": ("runtime", "onnxruntime"), "torch": ("torch",)}
    installed = [name for name, needs in packages.items() if all(map(importlib.util.find_spec, needs))]
    if engine == "auto":
        engine = installed[0] if installed else "onnx"
    if engine not in installed:
        raise ImportError(f"the engine {engine} is not installed: it needs {' and '.join(packages[engine])}")
    return engine


def open_voice(engine: str, checkpoint: pathlib.Path | None = None, threads: int | None = None) -> Speaker:
    """A voice of the engine, by default the shipped one."""
    if choose(engine) == "onnx":
        from runtime import TextToSpeechSynthesizer

        return TextToSpeechSynthesizer(*([checkpoint] if checkpoint else []), threads=threads)
    import torch

    from part2_solution import CHECKPOINT_PATH, TextToSpeechSynthesizer

    if threads:
        torch.set_num_threads(threads)
    return TextToSpeechSynthesizer(checkpoint or CHECKPOINT_PATH)
