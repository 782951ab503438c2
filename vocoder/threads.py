"""How many threads of the processor PyTorch computes with, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch


@contextlib.contextmanager
def use_threads(threads: int | None) -> Iterator[None]:
    """None: as many as before."""
    before = torch.get_num_threads()
    if threads is not None and threads != before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def each_with_threads(values: Iterable, threads: int | None) -> Iterator:
    """The same values, each computed with so many threads; in between there are as many as before."""
    values, end = iter(values), object()
    while True:
        with use_threads(threads):
            value = next(values, end)
        if value is end:
            return
        yield value
