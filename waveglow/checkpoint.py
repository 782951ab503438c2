"""Reads NVIDIA's published WaveGlow without running anything the file brings.

The file is a whole pickled module, and unpickling is running a program. So the pickle gets to build inert values only:
every class it names is looked up in an allow-list of our own stand-ins, nothing is imported, and whatever is not
on the list refuses the file. Modules become plain namespaces, tensors become descriptions of where their numbers lie;
the numbers are read as bytes and loaded strictly into our own `WaveGlow`.

`torch.load(weights_only=True)` cannot do this: it refuses whole modules in the file format from before PyTorch 1.6,
which the published file has. That format and the later zip are both read here, whatever device they were saved on.
"""

from __future__ import annotations

import math
import mmap
import pathlib
import pickle
import zipfile
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from vocoder import weights
from vocoder.hifigan import fold_weight_norm
from waveglow.model import Config, WaveGlow

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before PyTorch 1.6
MODULES = (
    "glow.WaveGlow", "glow.WN", "glow.Invertible1x1Conv",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.conv.Conv1d", "torch.nn.modules.conv.ConvTranspose1d",
    "torch.nn.utils.weight_norm.WeightNorm",
)
DTYPES = {
    "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16, "Double": torch.float64,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Byte": torch.uint8, "Bool": torch.bool,
}  # the integers are an optimizer's, which is passed over


# -------- Unpickling to inert values ----------------------------------------------------------------------------------

class StoredTensor(NamedTuple):
    """Where a tensor's numbers lie: `storage` is a key of the file's storages; offset and strides count elements."""

    storage: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Reader(pickle._Unpickler):
    """Unpickles to plain data, with a `SimpleNamespace` for each module and a `StoredTensor` for each tensor.

    It is the unpickler in Python: that in C makes room for as many objects as a few bytes say that there are.
    """

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.dtypes: dict[str, tuple[torch.dtype, int]] = {}  # per storage: its type and its number of elements
        # A pickle may set attributes on whatever it is given: types built into the interpreter refuse that, and the
        # functions are this reader's own, so that nothing is left behind for the next file.
        self.allowed = dict.fromkeys(MODULES, SimpleNamespace) | {
            "collections.OrderedDict": OrderedDict,
            "builtins.set": set,
            "__builtin__.set": set,
            "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *_: StoredTensor(
                storage, offset, size, stride
            ),
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
            "torch.nn.backends.thnn._get_thnn_function_backend": lambda: None,  # modules up to PyTorch 1.2 have one
        }
        for name, dtype in DTYPES.items():
            self.allowed |= {f"torch.{name}Storage": dtype, f"torch.cuda.{name}Storage": dtype}

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.allowed[f"{module}.{name}"]

    def persistent_load(self, pid: tuple) -> Any:
        match pid:
            case ("module", stand_in, *_):  # the rest is the class's source code
                return stand_in
            case ("storage", torch.dtype() as dtype, str(key), str(), int(n_elements), *views) if not any(views):
                self.dtypes[key] = dtype, n_elements
                return key
        raise pickle.UnpicklingError(f"it refers to {pid!r:.80}")


# -------- The two file formats ----------------------------------------------------------------------------------------

def _storage(data: bytes, dtype: torch.dtype, n_elements: int) -> Tensor:
    if len(data) != n_elements * dtype.itemsize:
        raise EOFError(f"{len(data)} bytes where {n_elements} numbers of type {dtype} should be: a broken download?")
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _read_zip(path: pathlib.Path) -> tuple[Any, dict[str, Tensor]]:
    with zipfile.ZipFile(path) as archive:
        weights.check_archive(archive, with_checksums=False)  # of what is read they are compared
        [pickled] = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(pickled) as file:
            reader = Reader(file)
            content = reader.load()
        folder = pickled.removesuffix("data.pkl") + "data/"
        return content, {key: _storage(archive.read(folder + key), *kind) for key, kind in reader.dtypes.items()}


def _read_legacy(path: pathlib.Path) -> tuple[Any, dict[str, Tensor]]:
    with path.open("rb") as whole, mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ) as file:
        if Reader(file).load() != LEGACY_MAGIC:
            raise pickle.UnpicklingError("it was not written by torch.save")
        for _ in ("format version", "machine"):
            Reader(file).load()
        reader = Reader(file)
        content = reader.load()
        storages = {}
        for key in Reader(file).load():
            dtype, n_elements = reader.dtypes[key]
            file.read(8)  # the number of elements again
            storages[key] = _storage(file.read(n_elements * dtype.itemsize), dtype, n_elements)
        return content, storages


# -------- From the file's modules to ours -----------------------------------------------------------------------------

def _parameters(module: SimpleNamespace, prefix: str = "") -> dict[str, StoredTensor]:
    """The stored parameters under their dotted names."""
    found = {prefix + name: tensor for name, tensor in module._parameters.items() if tensor is not None}
    for name, child in module._modules.items():
        found |= _parameters(child, f"{prefix}{name}.")
    return found


def _numbers(tensors: dict[str, StoredTensor], storages: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in fp32. Together they are not larger than what is stored: none is made of repetitions."""
    if sum(math.prod(tensor.size) for tensor in tensors.values()) > sum(map(len, storages.values())):
        raise ValueError("its tensors are larger than what it stores")
    return {name: storages[tensor.storage].as_strided(tensor.size, tensor.stride, tensor.offset).float()
            for name, tensor in tensors.items()}  # fmt: skip


def _join_conditions(state: dict[str, Tensor], n_layers: int) -> None:
    """Older files have one conditioning layer per WaveNet layer, `cond_layers.i`: join them in `cond_layer`."""
    for first in [name for name in state if ".cond_layers.0." in name]:
        parts = [state.pop(first.replace(".cond_layers.0.", f".cond_layers.{i}.")) for i in range(n_layers)]
        state[first.replace(".cond_layers.0.", ".cond_layer.")] = torch.cat(parts)


def _config(state: dict[str, Tensor], hop_length: int) -> Config:
    n_flows = sum(name.startswith("convinv.") for name in state)
    width, _, kernel = state["WN.0.in_layers.0.weight"].shape
    return Config(
        n_mels=len(state["upsample.weight"]),
        hop_length=hop_length,
        upsample_kernel=state["upsample.weight"].shape[2],
        flow_channels=tuple(len(state[f"convinv.{k}.conv.weight"]) for k in range(n_flows)),
        n_layers=sum(name.startswith("WN.0.in_layers.") and name.endswith(".weight") for name in state),
        n_channels=width // 2,
        kernel=kernel,
    )


def load(path: str | pathlib.Path, device: str | torch.device = "cpu") -> WaveGlow:
    """The published WaveGlow in evaluation mode, in fp32, weight normalisation folded into the weights.

    The dimensions are those of the file's tensors, so smaller or larger models of the same make load too.
    `FileNotFoundError` where there is no file; `ValueError` where it is broken, holds something else or asks for
    anything that a WaveGlow does not need. No code from the file is run, no module it names is imported.
    """
    path = pathlib.Path(path)
    weights.check_file(path, "WaveGlow weights", "NVIDIA publishes waveglow_256channels_ljs_v2.pt")
    try:
        content, storages = (_read_zip if zipfile.is_zipfile(path) else _read_legacy)(path)
        module = content["model"]
        state = fold_weight_norm(_numbers(_parameters(module), storages))
        config = _config(state, module._modules["upsample"].stride[0])  # the only dimension that no shape tells
        _join_conditions(state, config.n_layers)
        model = weights.fill(lambda: WaveGlow(config), state)
        for flow in model.convinv:
            flow.check()
    except Exception as error:  # a broken or hostile pickle can raise anything
        raise ValueError(f"refused {path}, not a WaveGlow file: {type(error).__name__}: {error}") from error
    return model.eval().requires_grad_(False).to(device)
