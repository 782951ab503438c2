"""Several processes that train one model, one for each GPU: on one machine or on many. torchrun starts them.

    torchrun --nproc-per-node=2 part2_solution.py train LJ-Speech-aligned --epochs 32

Each process takes a part of each batch. Losses and batch statistics are means over the real positions of all parts, and
DistributedDataParallel averages the gradients: so N processes take the same steps as one, within rounding. The first
writes the log and the files. All need the dataset; what a run resumes from, only the first.
In a process of its own, everything here does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Together with the processes that torchrun started beside this one; also a decorator of a function."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # from here on, "cuda" is this one
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    return rank() == 0


def share() -> slice:
    """The part of each batch that is this process's."""
    return slice(rank(), None, count())


def total(value: Tensor) -> Tensor:
    """The sum of all processes' values, also for gradients."""
    if count() == 1:
        return value
    from torch.distributed.nn.functional import all_reduce  # the one that knows gradients

    return all_reduce(value)


def from_first(value):
    """What the first process has."""
    if count() == 1:
        return value
    values = [value if is_first() else None]
    dist.broadcast_object_list(values)
    return values[0]


def seed(*numbers: int) -> None:
    """Random numbers of its own for each process but the first, whose generator goes on as that of a single one."""
    if not is_first():
        torch.manual_seed(int(np.random.SeedSequence([*numbers, rank()]).generate_state(1)[0]))


class Losses(nn.Module):
    """`compute_loss(model, batch)` as a module, for DistributedDataParallel."""

    def __init__(self, model: nn.Module, compute_loss: Callable):
        super().__init__()
        self.model, self.compute_loss = model, compute_loss

    def forward(self, batch) -> dict[str, Tensor]:
        return self.compute_loss(self.model, batch)


def distribute(compute_loss: Callable, model: nn.Module) -> Callable:
    """`compute_loss(model, batch)` with the gradients of all processes; losses have to be the same in each."""
    if count() == 1:
        return compute_loss
    # Batch statistics are equal already.
    losses = nn.parallel.DistributedDataParallel(Losses(model, compute_loss), broadcast_buffers=False)
    return lambda _, batch: losses(batch)


class NoWriter:
    """A TensorBoard log that keeps nothing."""

    def add_scalar(self, *_, **__) -> None:
        pass

    add_image = add_audio = add_scalar
