"""Which program speaks. Imported when it is needed: PyTorch takes a second."""

from __future__ import annotations

import importlib.util
import pathlib

from speech.speaker import Speaker

ENGINES = ("auto", "onnx", "torch")


def has_exported_voice() -> bool:
    """Is there the file that `python -m recipe export` writes?"""
    room = importlib.util.find_spec("runtime")
    return room is not None and pathlib.Path(room.origin).with_name("voice.zip").is_file()


def choose(engine: str) -> str:
    """ "auto" becomes the fastest that is ready: the one without PyTorch also needs an exported voice.

    Raises ImportError for one that is not installed.
    """
    packages = {"onnx": ("runtime", "onnxruntime"), "torch": ("torch",)}
    remedy = {"onnx": "pip install onnxruntime", "torch": "pip install torch"}
    installed = [name for name, needs in packages.items() if all(map(importlib.util.find_spec, needs))]
    if engine == "auto":
        ready = [name for name in installed if name != "onnx" or has_exported_voice()]
        engine = (ready or installed or ["onnx"])[0]
    if engine not in installed:
        needed = " and ".join(packages[engine])
        raise ImportError(f"the engine {engine} is not installed: it needs {needed}: {remedy[engine]}")
    return engine


def open_voice(engine: str, checkpoint: pathlib.Path | None = None, threads: int | None = None) -> Speaker:
    """A voice of the engine, by default the shipped one. A file's kind decides between engines where that is open."""
    if engine == "auto" and checkpoint is not None:
        engine = "onnx" if checkpoint.suffix == ".zip" else "torch"
    if choose(engine) == "onnx":
        from runtime import TextToSpeechSynthesizer

        given = {"path": checkpoint, "threads": threads}
        return TextToSpeechSynthesizer(**{name: value for name, value in given.items() if value is not None})
    import torch

    from part2_solution import CHECKPOINT_PATH, TextToSpeechSynthesizer

    if threads:
        torch.set_num_threads(threads)
    return TextToSpeechSynthesizer(checkpoint or CHECKPOINT_PATH)
