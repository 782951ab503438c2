"""Numbers that a voice can be set to, checked when they are set."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping


def check_number(name: str, value: float, lowest: float, highest: float, advice: str = "") -> float:
    """The number. Raises TypeError for what is none, ValueError where it is not from `lowest` to `highest`."""
    hint = f"give a number from {lowest:g} to {highest:g}" + (f" ({advice})" if advice else "")
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}: {hint}")
    if not (math.isfinite(value) and lowest <= value <= highest):
        raise ValueError(f"{name} is {value}: {hint}")
    return float(value)


def check_custom_words(custom_words: Mapping | None) -> Mapping:
    """Words and their codes, as `english.spoken_words` takes them. Raises TypeError for anything else."""
    advice = "give words and their phonemes, such as {'hibari': 'HH IH0 B AA1 R IY0'}"
    if custom_words is None:
        return {}
    if not isinstance(custom_words, Mapping):
        raise TypeError(f"custom_words is a {type(custom_words).__name__}: {advice}")
    for word, codes in custom_words.items():
        as_list = isinstance(codes, (list, tuple)) and all(isinstance(code, str) for code in codes)
        if not isinstance(word, str) or not (isinstance(codes, str) or as_list):
            raise TypeError(f"custom_words has {word!r}: {codes!r}: {advice}")
    return custom_words


class Setting:
    """An attribute that holds a number in a range."""

    def __init__(self, default: float, lowest: float, highest: float, advice: str = ""):
        self.default, self.range, self.advice = default, (lowest, highest), advice

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, voice, owner: type | None = None) -> float:
        return self.default if voice is None else voice.__dict__.get(self.name, self.default)

    def __set__(self, voice, value: float) -> None:
        voice.__dict__[self.name] = check_number(self.name, value, *self.range, self.advice)
