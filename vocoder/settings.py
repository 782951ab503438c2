"""Settings that check themselves: each field of a dataclass says what it may be. No PyTorch.

    @dataclass(frozen=True)
    class Config(Checked):
        batch_size: int = setting(32, "utterances a step", least=1, most=1000)

    Config(batch_size=0)  # ValueError: batch_size is 0: give a whole number from 1 to 1000
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any

MOST = sys.float_info.max  # what is no more is finite
MOST_ITEMS = 10_000  # of a list


def check_number(
    name: str, value: float, lowest: float, highest: float, advice: str = "", whole: bool = False
) -> float:
    """The number. Raises TypeError for what is none, ValueError where it is not from `lowest` to `highest`."""
    hint = f"give a {'whole ' if whole else ''}number from {_shown(lowest)} to {_shown(highest)}"
    hint += f" ({advice})" if advice else ""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral if whole else numbers.Real):
        raise TypeError(f"{name} is {value!r}: {hint}")
    if not lowest <= value <= highest:  # as NaN is not
        raise ValueError(f"{name} is {value}: {hint}")
    try:
        return int(value) if whole else float(value)
    except OverflowError:  # a whole number that no float holds
        return math.inf if value > 0 else -math.inf


def _shown(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def setting(
    default: Any = MISSING, description: str = "", least: float = -MOST, most: float = MOST, *, odd: bool = False,
    choices: Sequence[str] = (),
):  # fmt: skip
    """A field of a `Checked` dataclass: a number from `least` to `most`, or one of `choices`. A list has such items.

    Without a default it has to be given. The command line shows the description.
    """
    metadata = {"help": description, "least": least, "most": most, "odd": odd, "choices": tuple(choices)}
    return field(default=default, metadata=metadata)


class Checked:
    """A dataclass whose fields are checked, by their annotation and their `setting`, when it is made.

    Raises TypeError for values of another type, ValueError for those out of range; both name the field.
    """

    def __post_init__(self):
        for each in fields(self):
            object.__setattr__(self, each.name, _check(each, getattr(self, each.name)))


def _check(each: Field, value: Any) -> Any:
    kind, _, optional = each.type.partition(" | ")
    if optional == "None" and value is None:
        return None
    if not kind.startswith("tuple["):
        return _check_one(each, kind, each.name, value)
    if not isinstance(value, (tuple, list)) or not 0 < len(value) <= MOST_ITEMS:
        raise TypeError(f"{each.name} is {value!r:.80}: give a list of 1 to {MOST_ITEMS} items")
    item_kind = kind.removeprefix("tuple[").partition(",")[0]
    return tuple(_check_one(each, item_kind, f"an item of {each.name}", item) for item in value)


def _check_one(each: Field, kind: str, name: str, value: Any) -> Any:
    limits = {"least": -MOST, "most": MOST, "odd": False, "choices": (), **each.metadata}
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"{name} is {value!r:.80}: choose one of {', '.join(limits['choices'])}")
    if kind == "str" and not isinstance(value, str):
        raise TypeError(f"{name} is {value!r:.80}: give a text")
    if kind not in ("int", "float"):
        return value
    value = check_number(name, value, limits["least"], limits["most"], whole=kind == "int")
    if limits["odd"] and value % 2 == 0:
        raise ValueError(f"{name} is {value}: give an odd number")
    return value
