"""Numbers that a voice can be set to, checked when they are set."""

from __future__ import annotations

from collections.abc import Mapping

from vocoder.settings import check_number


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
