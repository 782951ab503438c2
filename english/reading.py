"""A text to sentences of words with their phonemes: every stage in order."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from .context import Word, pronounce_words
from .lexicon import PAUSE, CustomWords
from .normalise import is_mark, normalize, split_sentences, spoken_character
from .pronounce import custom_codes


def _mark_custom(text: str, custom: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """`text` with each custom word replaced by a private-use character, and the codes of those characters."""
    text = re.sub("[\ue000-\uf8ff]", " ", text)
    if not custom:
        return text, {}
    # More than 6400 would leave the private-use area; the rest still counts as plain words.
    marks = {word: chr(0xE000 + number) for number, word in enumerate(sorted(custom, key=len, reverse=True)[:6400])}
    pattern = rf"(?i)(?<!\w)(?:{'|'.join(map(re.escape, marks))})(?!\w)"
    text = re.sub(pattern, lambda match: f" {marks[match[0].lower()]}" if match[0].lower() in marks else match[0], text)
    return text, {mark: custom[word] for word, mark in marks.items()} | custom


def warn_of_unreadable(text: str) -> None:
    foreign = (character for character in sorted(set(text)) if not character.isascii())
    unreadable = [character for character in foreign if is_mark(character) or spoken_character(character) is None]
    if unreadable:
        shown = ascii("".join(unreadable[:20]))
        warnings.warn(f"skipped {len(unreadable)} characters without an English reading: {shown}", stacklevel=4)


class Sentence(NamedTuple):
    """What the stages made of one sentence."""

    text: str
    normalized: str
    words: list[Word]


def explain(text: str, custom_words: CustomWords | None = None) -> Iterator[Sentence]:
    """Each sentence of `text` with its normalised form and its words, as `text_to_phonemes` reads it."""
    marked, custom = _mark_custom(text, custom_codes(custom_words))
    for sentence in split_sentences(marked):
        normalized = normalize(sentence)
        yield Sentence(sentence, normalized, pronounce_words(normalized, custom))


def codes_of(words: Sequence[Word]) -> list[str]:
    return [code for word in words for code in word.codes]


def spoken_words(text: str, custom_words: CustomWords | None = None) -> list[list[Word]]:
    """The words of each sentence, with a pause at both ends and where a reader pauses, never two in a row.

    `custom_words` maps words (any case) to codes, a list or "HH AH0 L OW1", and overrides everything else.
    Characters without an English reading are skipped with a warning. ValueError if nothing is left to say, or if
    `custom_words` has a code outside the vocabulary; TypeError if `text` is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    warn_of_unreadable(text)
    sentences = []
    for sentence in explain(text, custom_words):
        words = [Word("", [PAUSE], "pause")]
        for word in (*sentence.words, words[0]):
            if word.codes != [PAUSE] or words[-1].codes != [PAUSE]:
                words.append(word)
        if len(words) > 1:
            sentences.append(words)
    if not sentences:
        raise ValueError(f"nothing to say in {text[:80]!a}: no letters, digits or symbols with an English reading")
    return sentences


def sentences_to_phonemes(text: str, custom_words: CustomWords | None = None) -> list[list[str]]:
    """The codes of each sentence of `spoken_words`, ARPAbet with stress, "pau" for the pauses. Raises as it does."""
    return [codes_of(words) for words in spoken_words(text, custom_words)]


def text_to_phonemes(text: str, custom_words: CustomWords | None = None) -> list[str]:
    """The codes of `sentences_to_phonemes` in one list, neighbouring sentences sharing a "pau"."""
    first, *others = sentences_to_phonemes(text, custom_words)
    return first + [code for sentence in others for code in sentence[1:]]
