"""Homographs: which of a word's readings a sentence asks for ("He wound the bandage round the wound").

A log-linear model over the neighbouring words: every feature of the context adds its weight to the score of each
reading. Weights belong to one reading of one word; those of the kind "verb" also to all verbs that have a noun beside
them, so that rare readings are recognised by their grammar. `recipe.train_homographs` learns them.
"""

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("homographs.tsv")
WEIGHTS = Path(__file__).with_name("homographs.bin")
WEIGHT_STEP = 1 / 32  # weights are stored as whole numbers of these, -128 to 127
NEAR, FAR = 3, 12  # how many neighbours count by place, and how many as a bag of words


class Reading(NamedTuple):
    """One reading of a homograph; `name` is unique among all words."""

    name: str
    kind: str
    codes: str


@cache
def readings() -> dict[str, list[Reading]]:
    """word -> its readings, the commonest first."""
    table: dict[str, list[Reading]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            word, name, kind, codes = line.split("\t")
            table.setdefault(word, []).append(Reading(f"{word}_{name}", kind, codes))
    return table


# ---------------------------------------------------------------------------------------------------------------------
# Features
# ---------------------------------------------------------------------------------------------------------------------

_CLASSES = {word: name for name, words in {
    "determiner": "a an the this that these those my your his her its our their no any some every each another",
    "preposition": "of in on at by for from with without under into about as than like near against over after before",
    "conjunction": "and or but when if because while until that which who whom whose where",
    "subject": "i you he she it we they there", "object": "me him them us itself himself herself themselves myself",
    "modal": "to will would can could should shall may might must do does did not never don't doesn't didn't won't "
             "can't couldn't cannot wouldn't shouldn't let's please i'll you'll we'll they'll he'll she'll",
    "be": "be been being is are was were am isn't wasn't aren't weren't i'm you're he's she's it's we're they're",
    "have": "have has had having i've you've we've they've haven't hasn't hadn't",
    "mark": ", . ; : ? !",
}.items() for word in words.split()}
_ENDINGS = ("ing", "ed", "ly", "tion", "ment", "ness", "ity", "ous", "ful", "ive", "al", "ic", "er", "'s", "s")


def _class(word: str) -> str:
    if word in _CLASSES:
        return _CLASSES[word]
    return next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending) + 2), "other")


def _case(tokens: Sequence[str], place: int) -> str:
    if not 0 <= place < len(tokens):
        return "none"
    return "capital" if tokens[place][0].isupper() else "small"


def near_features(tokens: Sequence[str], place: int) -> Iterator[str]:
    """What surrounds the token at `place`: words, endings, word classes and capitals, by place."""
    words = [token.lower() for token in tokens[max(0, place - NEAR):place + NEAR + 1]]
    middle = min(place, NEAR)
    padded = [""] * (NEAR - middle) + words + [""] * NEAR
    a, b, c, _, x, y, z = padded[:2 * NEAR + 1]
    yield from ("bias", f"-1 {c}", f"+1 {x}", f"-2 {b}", f"+2 {y}", f"-3 {a}", f"+3 {z}", f"-2-1 {b} {c}",
                f"-1+1 {c} {x}", f"+1+2 {x} {y}")
    yield from (f"-1 ..{c[-3:]}", f"+1 ..{x[-3:]}", f"-2 ..{b[-3:]}", f"+2 ..{y[-3:]}", f"-1 ..{c[-2:]}",
                f"+1 ..{x[-2:]}")
    a, b, c, x, y = map(_class, (a, b, c, x, y))
    yield from (f"-1 :{c}", f"+1 :{x}", f"-2 :{b}", f"+2 :{y}", f"-2-1 :{b} {c}", f"-1+1 :{c} {x}", f"+1+2 :{x} {y}",
                f"-2-1+1 :{b} {c} {x}", f"-1+1+2 :{c} {x} {y}", f"-3-2-1 :{a} {b} {c}")
    yield from (f"case {_case(tokens, place)} {place == 0}", f"case-1 {_case(tokens, place - 1)}",
                f"case+1 {_case(tokens, place + 1)}")


def far_features(tokens: Sequence[str], place: int) -> Iterator[str]:
    """The words around, wherever they stand, and their beginnings."""
    for at in range(max(0, place - FAR), min(len(tokens), place + FAR + 1)):
        if at != place and len(tokens[at]) > 2:
            word = tokens[at].lower()
            yield f"near {word}"
            yield f"near {word[:5]}.."


def key(owner: str, feature: str) -> int:
    """Weights are found by a number made of the reading or kind that they belong to, and of the feature."""
    return zlib.crc32(feature.encode(), zlib.crc32(owner.encode()))


# ---------------------------------------------------------------------------------------------------------------------
# Weights
# ---------------------------------------------------------------------------------------------------------------------


def save_weights(weights: dict[int, int]) -> None:
    keys = sorted(weights)
    values = array("b", [weights[number] for number in keys])
    WEIGHTS.write_bytes(zlib.compress(array("I", keys).tobytes() + values.tobytes(), 9))


@cache
def _weights() -> tuple[array, array]:
    """Sorted keys, and the weight of each."""
    raw = zlib.decompress(WEIGHTS.read_bytes())
    n = len(raw) // 5
    keys, values = array("I"), array("b")
    keys.frombytes(raw[:4 * n])
    values.frombytes(raw[4 * n:])
    return keys, values


def _score(owner: str, features: list[str]) -> int:
    keys, values = _weights()
    total, owner_key = 0, zlib.crc32(owner.encode())
    for feature in features:
        wanted = zlib.crc32(feature.encode(), owner_key)
        place = bisect_left(keys, wanted)
        if place < len(keys) and keys[place] == wanted:
            total += values[place]
    return total


def choose(tokens: Sequence[str], place: int) -> Reading | None:
    """The likeliest reading of the homograph at `place` of a normalised sentence; None for any other word."""
    options = readings().get(tokens[place].lower())
    if not options:
        return None
    near = list(near_features(tokens, place))
    features = near + list(far_features(tokens, place))
    verb = _score("verb", near) if any(option.kind == "verb" for option in options) else 0
    return max(options, key=lambda option: _score(option.name, features) + verb * (option.kind == "verb"))
