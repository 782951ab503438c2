"""A GPU that is not there: tensors that say they are on one while their data is on the CPU.

An operation on tensors of both devices fails, as on a GPU, where the same code on a CPU would pass. What comes out is
what a CPU computes. There is no backward pass, for its engine asks the driver: all gradients are 1, so that what is
optimised moves and what is not stays.
"""

import contextlib
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only

GPU = torch.device("cuda", 0)
# Operations that take tensors of both devices: copies, lengths, and indices on the CPU.
MIXING = {"_to_copy", "copy_", "_pack_padded_sequence", "_pad_packed_sequence", "index"}


class OnGPU(Tensor):
    """`data_on_cpu`, said to be on the GPU."""

    @staticmethod
    def __new__(cls, data: Tensor):
        layout = {"strides": data.stride(), "storage_offset": data.storage_offset()}
        with torch.inference_mode(False):
            return Tensor._make_wrapper_subclass(cls, data.shape, dtype=data.dtype, device=GPU, **layout)

    def __init__(self, data: Tensor):
        self.data_on_cpu = data

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})

    def __repr__(self) -> str:
        return f"OnGPU({self.data_on_cpu})"

    def tolist(self) -> list:
        return self.data_on_cpu.tolist()

    def numpy(self):
        raise TypeError("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu()")

    def __array__(self, *_):
        return self.numpy()


class Dispatch(TorchDispatchMode):
    """Also sees the operations that have no tensors yet, such as `torch.zeros(3, device="cuda")`."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})


def on_cpu(tree):
    return tree_map_only(OnGPU, lambda tensor: tensor.data_on_cpu, tree)


def is_on_gpu(name: str, arguments) -> bool:
    """Whether some of the tensors are; all have to be, except for numbers."""
    tensors = [leaf for leaf in tree_iter(arguments) if isinstance(leaf, Tensor)]
    places = {isinstance(tensor, OnGPU) for tensor in tensors if isinstance(tensor, OnGPU) or tensor.dim() > 0}
    if len(places) > 1 and name not in MIXING:
        raise RuntimeError(f"{name} needs all tensors to be on the same device, found some on the GPU and some not")
    return True in places


def compute(function, args: tuple, kwargs: dict):
    """What the operation makes of the data, on the device that was asked for, else on that of its tensors."""
    with Dispatch():  # in inference mode, composite operations come whole
        parts = function.decompose(*args, **kwargs)
    if parts is not NotImplemented:
        return parts
    name = function._schema.name.removeprefix("aten::")
    gpu = is_on_gpu(name, (args, kwargs))
    if kwargs.get("device") is not None:
        gpu = torch.device(kwargs["device"]).type == "cuda"
        kwargs = kwargs | {"device": "cpu"}
    if name == "_fused_sdp_choice":
        return 0  # attention that is the same on all devices
    if name == "_conj":
        function = torch.conj_physical  # a lazy conjugate would be lost
    result = function(*on_cpu(args), **on_cpu(kwargs))
    if name.endswith("_") and isinstance(result, Tensor):
        return args[0]  # changed in place
    if name == "_pack_padded_sequence":
        return OnGPU(result[0]), result[1]  # the lengths stay on the CPU
    return tree_map_only(Tensor, OnGPU, result) if gpu else result


def move(module: nn.Module, device) -> nn.Module:
    """`nn.Module.to`, which cannot make such parameters."""
    if torch.device(device).type == "cuda":
        for part in module.modules():
            for name, parameter in list(part.named_parameters(recurse=False)):
                setattr(part, name, nn.Parameter(OnGPU(on_cpu(parameter.data)), parameter.requires_grad))
            for name, buffer in list(part.named_buffers(recurse=False)):
                setattr(part, name, OnGPU(on_cpu(buffer)))
    return module


def gradients_of_one(optimizer: torch.optim.Optimizer, set_to_none: bool = True) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)


gru = torch._VF.gru


def gru_of_the_cpu(*arguments):
    packed = arguments[1].dtype == torch.int64  # (data, lengths, state, weights, ...)
    if not is_on_gpu("gru", arguments[:1] + arguments[2:] if packed else arguments):
        return gru(*arguments)
    return tree_map_only(Tensor, OnGPU, gru(*on_cpu(arguments)))


@contextlib.contextmanager
def pretended_gpu():
    """`torch.cuda.is_available()`, and `device="cuda"` gives `OnGPU`."""
    loader = torch.utils.data.DataLoader.__init__
    replaced = {
        "torch.cuda.is_available": lambda: True,
        "torch.cuda._lazy_init": lambda: None,
        "torch.cuda.is_bf16_supported": lambda **_: True,
        "torch.cuda.get_rng_state": torch.get_rng_state,
        "torch.cuda.is_current_stream_capturing": lambda: False,
        "torch.nn.Module.to": move,
        "torch._VF.gru": gru_of_the_cpu,
        "torch.Tensor.backward": lambda loss: None,
        "torch.optim.AdamW.zero_grad": gradients_of_one,
        "torch.utils.data.DataLoader.__init__": lambda *args, pin_memory, **options: loader(*args, **options),
    }
    with contextlib.ExitStack() as stack:
        for name, value in replaced.items():
            stack.enter_context(mock.patch(name, value))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        torch._C._ensureCUDADeviceGuardSet()
        torch._C._set_only_lift_cpu_tensors(True)
        stack.callback(torch._C._set_only_lift_cpu_tensors, False)
        stack.enter_context(Dispatch())
        yield
