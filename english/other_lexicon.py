"""misaki's American lexica (Apache-2.0), for words that the CMU dictionary lacks; misaki itself is never imported.

Their files are sorted lines of JSON, so a word is found by bisection in the raw bytes: nothing is parsed, no
dictionary is built, and starting costs nothing.
"""

import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from english.ipa import codes_from_ipa

_FILES = ("us_gold.json", "us_silver.json")
_LINE = b'\n  "'  # an entry's line begins so; the lines inside an entry are indented further


@cache
def _texts() -> list[bytes]:
    package = importlib.util.find_spec("misaki")
    if package is None:
        return []
    folder = Path(package.submodule_search_locations[0]) / "data"
    return [(folder / name).read_bytes() for name in _FILES]


def _value(text: bytes, start: int) -> str | None:
    """The pronunciation, in misaki's IPA, of the entry whose line begins at `start`; the usual one of several."""
    end = text.find(_LINE, start + 1)
    entry = text[start:len(text) - 1 if end < 0 else end].decode().rstrip().rstrip(",")
    value = next(iter(json.loads("{" + entry.rstrip("}") + ("}}" if "{" in entry else "}")).values()))
    return value["DEFAULT"] if isinstance(value, dict) else value


def _find(text: bytes, word: str) -> str | None:
    wanted = word.encode()
    low, high = 0, len(text)
    while low < high:
        start = text.rfind(_LINE, low, (low + high) // 2 + len(_LINE))
        if start < 0:
            start = text.find(_LINE, low, high)
            if start < 0:
                return None
        key = text[start + len(_LINE):text.index(b'": ', start)]
        if key == wanted:
            return _value(text, start)
        if key < wanted:
            following = text.find(_LINE, start + 1, high)
            if following < 0:
                return None
            low = following
        else:
            high = start
    return None


@lru_cache(maxsize=50_000)
def lookup(word: str, exactly: bool = False) -> str | None:
    """Codes of a word as it is written, or else of the name or acronym so spelled ("benghazi", "nasa"), or None."""
    if not re.fullmatch("[^\\W\\d_]+(?:['-][^\\W\\d_]+)*'?", word):
        return None
    for text in _texts():
        for spelling in [word] if exactly else dict.fromkeys((word, word.capitalize(), word.upper())):
            if ipa := _find(text, spelling):
                return " ".join(codes_from_ipa(ipa))
    return None


@lru_cache(maxsize=10_000)
def is_said(acronym: str) -> bool:
    """Whether the lexicon has these capitals as a word ("UNESCO"); those that are spelled it leaves out."""
    return any(_find(text, acronym) for text in _texts()[:1])


@lru_cache(maxsize=50_000)
def is_word(word: str) -> bool:
    """Whether `word` is an ordinary word of the language, not only a name."""
    return any(_find(text, word) for text in _texts()[:1])


def entries() -> Iterator[tuple[str, list[str], bool]]:
    """All (spelling, codes, whether it is of the second file, of rarer words), for training."""
    for rare, text in enumerate(_texts()):
        for spelling, value in json.loads(text).items():
            ipa = value["DEFAULT"] if isinstance(value, dict) else value
            if ipa:
                yield spelling, codes_from_ipa(ipa), bool(rare)
