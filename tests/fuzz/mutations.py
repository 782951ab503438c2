"""How whole things are broken: bytes, JSON values, arrays, what `torch.save` writes."""

from __future__ import annotations

import functools
import io
import json
import pathlib
import pickle
import random
import struct
import tempfile
import zipfile
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

ODD_NUMBERS = [0, 1, -1, 2, 1e9, -1e9, 1e38, 1e308, 1e-30, float("nan"), float("inf"), -float("inf"), 2**31, 2**63, 0.5,
               10**400, 100, -100]  # fmt: skip
ODD_VALUES = [
    *ODD_NUMBERS,
    None,
    True,
    False,
    "",
    " ",
    "12",
    "x" * 100,
    "\ud800",
    "\0",
    "../x",
    "é",
    [],
    {},
    [[]],
    ["pau"],
]
BATCH = 100  # examples that hypothesis draws together: the first of a batch are always simple


class Dice(random.Random):
    """All that is random in one case: a function of seed, kind and number."""

    def __init__(self, seed: int, kind: str, number: int):
        super().__init__(f"{seed} {kind} {number}")
        self.batch, self.place = f"{seed} {kind} {number // BATCH}", number % BATCH

    def draw(self, strategy: st.SearchStrategy) -> Any:
        """An example of hypothesis."""
        found = examples(strategy, self.batch)
        return found[self.place % len(found)]

    def happens(self, probability: float) -> bool:
        return self.random() < probability


@functools.lru_cache(maxsize=8)
def examples(strategy: st.SearchStrategy, seed: str) -> list:
    found = []
    set_hypothesis_home_dir(pathlib.Path(tempfile.gettempdir()) / "hypothesis")  # its tables, not in the cases' folder

    @hypothesis.seed(int.from_bytes(seed.encode()))
    @hypothesis.settings(
        max_examples=BATCH, phases=[hypothesis.Phase.generate], database=None, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


# -------- Bytes ------------------------------------------------------------------------------------------------------


def flip_bit(dice: Dice, content: bytearray, place: int) -> None:
    content[place] ^= 1 << dice.randrange(8)


def set_byte(dice: Dice, content: bytearray, place: int) -> None:
    content[place] = dice.choice([0, 255, 128, dice.randrange(256)])


def set_number(dice: Dice, content: bytearray, place: int) -> None:
    number, form = dice.choice([0, 1, 2**16, 2**28, 2**31 - 1, 2**32 - 1]), dice.choice(["<I", ">I", "<Q", "<H"])
    packed = struct.pack(form, number & (1 << 8 * struct.calcsize(form)) - 1)
    content[place : place + len(packed)] = packed


def delete(dice: Dice, content: bytearray, place: int) -> None:
    del content[place : place + dice.choice([1, 2, 7, 100])]


def repeat(dice: Dice, content: bytearray, place: int) -> None:
    content[place:place] = content[place : place + dice.choice([1, 8, 64, 500])] * dice.choice([1, 2, 50])


def insert(dice: Dice, content: bytearray, place: int) -> None:
    content[place:place] = dice.randbytes(dice.choice([1, 4, 30]))


def cut(dice: Dice, content: bytearray, place: int) -> None:
    del content[place:]


def erase(dice: Dice, content: bytearray, place: int) -> None:
    n = min(dice.choice([4, 64, 1000]), len(content) - place)
    content[place : place + n] = bytes([dice.choice([0, 255])]) * n


def mutate_bytes(dice: Dice, whole: bytes) -> bytes:
    """One change or a few, near the beginning or the end, where headers are, as often as elsewhere."""
    content = bytearray(whole)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        if content:
            reach = dice.choice([len(content), min(len(content), 300)])
            place = dice.randrange(reach) if dice.happens(0.7) else len(content) - 1 - dice.randrange(reach)
            change = dice.choice([flip_bit, flip_bit, set_byte, set_number, delete, repeat, insert, cut, erase])
            change(dice, content, place)
    return bytes(content) if dice.happens(0.98) else dice.choice([b"", dice.randbytes(100), b"\x00" * 1000])


# -------- Trees of plain values --------------------------------------------------------------------------------------


def places_in(tree: Any, path: tuple = ()) -> list[tuple]:
    """The paths of all values in nested dicts and lists."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] * bool(path) + [place for key, child in children for place in places_in(child, (*path, key))]


def mutate_tree(dice: Dice, tree: Any, odd: Callable[[Dice, Any], Any]) -> Any:
    """Replace, remove or repeat a value. `odd` makes something of the value that was there. Changes the tree itself."""
    places = places_in(tree)
    if not places or dice.happens(0.02):
        return odd(dice, tree)
    *path, key = dice.choice(places)
    for step in path:
        tree = tree[step]
    what = dice.random()
    if what < 0.1:
        del tree[key]
    elif what < 0.2 and isinstance(tree, list):
        tree.insert(key, tree[key])
    elif what < 0.25 and isinstance(tree, dict):
        tree[dice.choice(["", "x", "utterance", "text"])] = tree.pop(key)
    else:
        tree[key] = odd(dice, tree[key])


def odd_value(dice: Dice, value: Any) -> Any:
    if isinstance(value, (int, float)) and dice.happens(0.5):
        return value * dice.choice([-1, 2, 10, 1000, 0.1])
    return dice.choice(ODD_VALUES)


def mutate_json(dice: Dice, content: bytes) -> bytes:
    if dice.happens(0.05):
        return dice.choice([b"[", b'{"utterance":', b'{"text": "a", "utterance": [']) * dice.choice([1, 1000, 200_000])
    holder = [json.loads(content)]
    for _ in range(dice.choice([1, 1, 2])):
        mutate_tree(dice, holder, odd_value)
    return json.dumps(holder[0] if holder else None).encode()


# -------- Arrays -----------------------------------------------------------------------------------------------------

HEADERS = [
    "{'descr': %r, 'fortran_order': %s, 'shape': %s}", "{'descr': %r, 'shape': %s %s}", "(" * 200, "{'descr': %r",
    "{'descr': %r, 'fortran_order': %s, 'shape': %s, 'more': 1}", "__import__('os')", "",
]  # fmt: skip
DTYPES = ["<f4", ">f4", "<f2", "<f8", "<i4", "|b1", "<c8", "|O", "|V4", "<U9", "<M8[s]", "", None, 4, [("a", "<f4")],
          "<f16", "(2,)<f4", "f" * 99]  # fmt: skip


def npy_file(header: str, body: bytes, version: int = 1) -> bytes:
    encoded = header.encode("latin-1", "replace") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", min(len(encoded), 65535)) + encoded + body


def mutate_npy(dice: Dice, content: bytes) -> bytes:
    """The header, or the values."""
    array = np.load(io.BytesIO(content))
    if dice.happens(0.5):
        shape = dice.choice([array.shape, array.shape[::-1], (80,), (80, -7), (80, 0), (0, 0), (80, 10**12),
                             (2**62, 80), (True, True), (80, 1), (80, 30_000), (),
                             (80, array.shape[1] * 20), "x"])  # fmt: skip
        parts = dice.choice(DTYPES), dice.choice([False, True, None]), shape
        header = dice.choice(HEADERS[:1] * 5 + HEADERS)
        header = header % parts[: header.count("%")] if "%" in header else header
        return npy_file(header, array.tobytes()[: dice.choice([None, None, 0, 100])], dice.choice([1, 1, 2, 3, 9]))
    array = array.astype(dice.choice(["f4", "f4", "f2", "f8", ">f4"]))
    change = dice.random()
    if change < 0.3:
        array.flat[dice.randrange(array.size)] = float(dice.choice(ODD_NUMBERS[:10]))
    elif change < 0.5:
        array[...] = float(dice.choice(ODD_NUMBERS[:10]))
    elif change < 0.7:
        array = array[:, : dice.choice([1, array.shape[1] - 1, array.shape[1] // 2, 0])]
    else:
        array = np.repeat(array, dice.choice([2, 20]), axis=dice.randrange(2))
    file = io.BytesIO()
    save = dice.choice([np.save, np.save, np.save, np.savez, np.savez_compressed])
    save(file, np.asfortranarray(array) if dice.happens(0.2) else array)
    return file.getvalue()


# -------- Pickles and archives ---------------------------------------------------------------------------------------


class Hostile:
    """A pickle that would run a command when read."""

    def __reduce__(self):
        import os

        return os.system, ("touch was-run",)


@functools.cache
def pickle_bombs() -> list[bytes]:
    billions = b"\x80\x02](lq\x00" + b"".join(b"](" + b"h%c" % i * 9 + b"eq%c" % (i + 1) for i in range(20)) + b"."
    return [
        b"\x80\x02]r\x00\x00\x00\x10.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f]\x94.", pickle.dumps(Hostile()),
        b"\x80\x02" + b"(" * 50_000 + b"l" * 50_000 + b".", b"\x80\x05\x96\x00\x00\x00\x00\x02\x00\x00\x00.", billions,
        b"\x80\x02\x8b\xff\xff\xff\x7f.", b"I" + b"9" * 5000 + b"\n.", pickle.dumps([[[]]] * 10_000),
        pickle.dumps(None),
    ]  # fmt: skip


def inflated(content: bytes, n_bytes: int = 700_000_000) -> bytes:
    """An archive, one of whose parts is zeros that take a thousandth of their size."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(file, "w") as archive:
        names = whole.namelist()
        largest = max(names, key=lambda name: whole.getinfo(name).file_size)
        for name in names:
            if name != largest:
                archive.writestr(name, whole.read(name))
        with archive.open(zipfile.ZipInfo(largest), "w", force_zip64=True) as part:
            part._compressor = __import__("zlib").compressobj(1, wbits=-15)
            part._zinfo.compress_type = zipfile.ZIP_DEFLATED
            for _ in range(n_bytes // 1_000_000):
                part.write(bytes(1_000_000))
    return file.getvalue()


def odd_tensor(dice: Dice, tensor: torch.Tensor) -> Any:
    changes = [
        lambda: tensor * float(dice.choice(ODD_NUMBERS[:10])), lambda: tensor.flatten()[1:], lambda: tensor[None],
        lambda: torch.full_like(tensor, float(dice.choice([0, 1, 1e4, -1e4])) if tensor.is_floating_point() else 7),
        lambda: tensor.double() * 1e300, lambda: tensor.to(torch.complex64), lambda: tensor.long(),
        lambda: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape), lambda: tensor.flatten()[:0],
        lambda: tensor.bool(), lambda: tensor.to_sparse(),
        lambda: torch.zeros(1).expand(2**33), lambda: tensor.to("meta"), lambda: dice.choice(ODD_VALUES),
    ]  # fmt: skip
    return dice.choice(changes)()


def odd_part(dice: Dice, value: Any) -> Any:
    return odd_tensor(dice, value) if isinstance(value, torch.Tensor) else odd_value(dice, value)


def mutate_content(dice: Dice, content: bytes) -> bytes:
    """Of what `torch.save` wrote, other values."""
    holder = [torch.load(io.BytesIO(content), weights_only=True)]
    holder[0] = {name: dict(part) if isinstance(part, dict) else part for name, part in holder[0].items()}
    for _ in range(dice.choice([1, 1, 2])):
        mutate_tree(dice, holder, odd_part)
    file = io.BytesIO()
    torch.save(holder[0] if holder else None, file)
    return file.getvalue()


def mutate_saved(dice: Dice, content: bytes) -> tuple[str, bytes]:
    """How what `torch.save` wrote was changed, and to what."""
    what = dice.random()
    if what < 0.45:
        return "bytes", mutate_bytes(dice, content)
    if what < 0.93:
        return "values", mutate_content(dice, content)
    if what < 0.995:
        return "pickle", dice.choice(pickle_bombs())
    return "inflated", inflated(content)
