"""Weights and settings on disk: plain data, written atomically, read without running code from the file."""

from __future__ import annotations

import hashlib
import os
import pathlib
import pickle
from collections.abc import Callable, Mapping
from typing import BinaryIO

import torch
from torch import Tensor, nn

INSTALLED = "part2_solution_weights"  # where pip puts TTS.pth: in site-packages itself, Python runs all *.pth files


def write_atomically(path: pathlib.Path, write: Callable[[BinaryIO], object]) -> None:
    """`write` to a temporary file in the same folder, then rename: `path` always holds a complete file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        write(file)
    os.replace(temporary, path)


def places(path: str | pathlib.Path, beside: str | pathlib.Path) -> list[pathlib.Path]:
    """Where a relative path may be: in the working folder, beside the file `beside`, and where pip puts it."""
    folder, path = pathlib.Path(beside).parent, pathlib.Path(path)
    return [path, folder / path, folder / INSTALLED / path]


def find(path: str | pathlib.Path, beside: str | pathlib.Path) -> pathlib.Path:
    """The first of the `places` where there is a file, else the path as it is."""
    return next((place for place in places(path, beside) if place.is_file()), pathlib.Path(path))


def checksum(path: pathlib.Path) -> str:
    """MD5, hexadecimal."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def save(content: Mapping, path: pathlib.Path) -> None:
    """Write tensors and plain data."""
    write_atomically(path, lambda file: torch.save(dict(content), file))


def read(path: pathlib.Path, advice: str) -> dict:
    """Read what `save` wrote. Any other file is a ValueError that ends with the `advice`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no intact file of this program ({type(error).__name__}): {advice}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a dict: {advice}")
    return content


def pack(module: nn.Module) -> dict[str, Tensor]:
    """The module's weights on the CPU, in fp16."""
    state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    packed = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    overflown = [name for name, tensor in packed.items() if not tensor.isfinite().all()]
    assert not overflown, f"weights that are not finite in fp16: {overflown}"
    return packed


def unpack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` made, in fp32. Raises ValueError for NaN and infinity."""
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise ValueError("the weights hold NaN or infinity")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}


def load(path: pathlib.Path, build: Callable[[dict], nn.Module], noun: str, advice: str) -> nn.Module:
    """Read a file into the module that `build` makes of its content, in eval mode on the CPU.

    Raises FileNotFoundError where there is no file, ValueError for a truncated, foreign or hostile one. Both name the
    `noun` and end with the `advice`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {noun} at {path.resolve()}: {advice}")
    content = read(path, advice)
    try:
        return build(content).eval()
    except (RuntimeError, LookupError, TypeError, AttributeError, ValueError, AssertionError) as error:
        raise ValueError(f"{path} holds no {noun} of this program ({error}): {advice}") from error
