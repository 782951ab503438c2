"""Weights and settings on disk: plain data, written atomically, read without running code from the file.

What is read is what was written: the checksums that `torch.save` puts into its archive are compared. Nothing that is
read takes more memory than its file is long, and weights are taken only where all of them fit the settings.
"""

from __future__ import annotations

import hashlib
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vocoder.files import (  # noqa: F401 (what writes weights writes files)
    check_archive,
    check_destination,
    check_file,
    remove_unfinished,
    write_atomically,
)

INSTALLED = "part2_solution_weights"  # where pip puts TTS.pth: in site-packages itself, Python runs all *.pth files
ARCHIVE = b"PK\x03\x04"  # the first bytes of what `torch.save` writes, since PyTorch 1.6
RANDOM = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)
OPTIONAL = ".num_batches_tracked"  # counters of batch normalisation, which a trained model does not need

def places(path: str | pathlib.Path, beside: str | pathlib.Path) -> list[pathlib.Path]:
    """Where a relative path may be: in the working folder, beside the file `beside`, and where pip puts it."""
    folder, path = pathlib.Path(beside).parent, pathlib.Path(path)
    return [path, folder / path, folder / INSTALLED / path]


def find(path: str | pathlib.Path, beside: str | pathlib.Path) -> pathlib.Path:
    """The first of the `places` where there is a file, else the path as it is."""
    return next((place for place in places(path, beside) if place.is_file()), pathlib.Path(path))


def checksum(path: pathlib.Path) -> str:
    """MD5, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


# -------- Contents ----------------------------------------------------------------------------------------------------


def save(content: Mapping, path: pathlib.Path) -> None:
    """Write tensors and plain data."""
    write_atomically(path, lambda file: torch.save(dict(content), file))


def read(path: pathlib.Path, advice: str, noun: str = "file") -> dict:
    """Read what `save` wrote, or an older `torch.save`, which had no checksums.

    Raises FileNotFoundError where there is no file, ValueError for a damaged, foreign or hostile one. Both name the
    `noun` and end with the `advice`.
    """
    is_archive = check_file(path, noun, advice) == ARCHIVE
    try:
        if is_archive:
            with zipfile.ZipFile(path) as archive:
                check_archive(archive, with_checksums=True)
        content = torch.load(path, map_location="cpu", weights_only=True)
        check_sizes(content, path.stat().st_size)
    except Exception as error:  # a broken file can raise anything
        raise ValueError(f"{path} is no intact file of this program ({_reason(error)}): {advice}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a dict: {advice}")
    return content


def _reason(error: Exception) -> str:
    """Its own words where they are a sentence of ours, else its name: those of others can be a page long."""
    return str(error) if type(error) is ValueError else type(error).__name__


def check_sizes(content: Any, most_bytes: int) -> None:
    """Raises ValueError where tensors are more than was stored: repeated, or without numbers."""
    n_bytes = 0
    for tensor in _tensors(content):
        own = tensor.numel() * tensor.element_size()
        n_bytes += own
        if tensor.device.type != "cpu" or own > tensor.untyped_storage().nbytes() or n_bytes > most_bytes:
            raise ValueError("its tensors are larger than the file")


def _tensors(content: Any) -> Iterator[Tensor]:
    """All that are in nested dicts, lists and tuples, each once."""
    waiting, seen = [content], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part


def read_training(path: pathlib.Path) -> dict:
    """How the weights in a file were trained; empty where it does not say."""
    training = read(path, "take another file").get("training", {})
    if not isinstance(training, dict):
        raise ValueError(f"{path} holds no record of its training but {training!r:.40}: take another file")
    return training


# -------- Modules -----------------------------------------------------------------------------------------------------


def pack(module: nn.Module) -> dict[str, Tensor]:
    """The module's weights on the CPU, in fp16."""
    state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    packed = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    overflown = [name for name, tensor in packed.items() if not tensor.isfinite().all()]
    assert not overflown, f"weights that are not finite in fp16: {overflown}"
    return packed


class _WithoutRandomNumbers(TorchFunctionMode):
    """Modules that are made meanwhile are not initialised: that takes no time, and hardly any memory."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        if function in RANDOM:
            return options["tensor"] if "tensor" in options else arguments[0]
        return function(*arguments, **options)


def fill(make: Callable[[], nn.Module], packed: Mapping[str, Tensor]) -> nn.Module:
    """The module that `make` returns, with weights that `pack` made, in fp32.

    Raises ValueError for other weights than it has, or of another shape, and for NaN and infinity.
    """
    with _WithoutRandomNumbers():
        module = make()
    expected, unpacked = module.state_dict(), {}
    others = sorted((expected.keys() ^ packed.keys()) - {name for name in expected if name.endswith(OPTIONAL)})
    if others:
        raise ValueError(f"its settings ask for other weights: {', '.join(others[:3])}{', ...' * (len(others) > 3)}")
    for name, tensor in packed.items():
        if (shape := tuple(tensor.shape)) != (wanted := tuple(expected[name].shape)):
            raise ValueError(f"{name} has the shape {shape}, its settings ask for {wanted}")
        unpacked[name] = tensor.to(expected[name].dtype).contiguous()
        if unpacked[name].numel() and not torch.stack(unpacked[name].aminmax()).isfinite().all():
            raise ValueError(f"the weights hold NaN or infinity: {name}")
    module.load_state_dict(unpacked, assign=True)
    return module


def load(path: pathlib.Path, build: Callable[[dict], nn.Module], noun: str, advice: str) -> nn.Module:
    """Read a file into the module that `build` makes of its content, in eval mode on the CPU. Raises as `read`."""
    content = read(path, advice, noun)
    try:
        return build(content).eval()
    except Exception as error:  # a foreign file can raise anything
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} holds no {noun} of this program ({reason}): {advice}") from error
