"""A text to sentences of words with their phonemes: every stage in order."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from english.context import Word, pronounce_words
from english.lexicon import PAUSE, CustomWords
from english.markup import INLINE, take_pronunciations, to_plain
from english.normalise import is_mark, normalize, spoken_character
from english.pronounce import custom_codes
from english.sentences import split_sentences

_FIRST_MARK, _N_MARKS = 0xE000, 6400  # the private-use characters that stand for words with a given pronunciation


class Given(NamedTuple):
    """A word whose pronunciation the caller gives."""

    word: str
    codes: str


def _mark_given(text: str, custom: Mapping[str, str]) -> tuple[str, dict[str, Given]]:
    """`text` with a private-use character for each word whose pronunciation is given, and what these characters mean.

    Given are the pronunciations in the text, `[word](/codes/)`, and those of `custom`.
    """
    text = re.sub("[\ue000-\uf8ff]", " ", text)
    given: dict[str, Given] = {}

    def mark(word: str, codes: str) -> str:
        if len(given) >= _N_MARKS:
            return f" {word} "
        character = chr(_FIRST_MARK + len(given))
        given[character] = Given(word, codes)
        return f" {character}"

    text = take_pronunciations(text, mark)
    if custom:
        longest = sorted(custom, key=len, reverse=True)[:_N_MARKS - len(given)]
        marks = {word: mark(word, custom[word]) for word in longest}
        pattern = rf"(?i)(?<!\w)(?:{'|'.join(map(re.escape, marks))})(?!\w)"
        text = re.sub(pattern, lambda match: marks.get(match[0].lower(), match[0]), text) if marks else text
    return text, given


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
    ends_paragraph: bool = False


class SpokenSentence(list):
    """The words of a sentence, pauses included: a list of `Word`. After the last one of a paragraph a reader rests."""

    ends_paragraph = False


def explain(text: str, custom_words: CustomWords | None = None) -> Iterator[Sentence]:
    """Each sentence of `text` with its normalised form and its words, as `text_to_phonemes` reads it."""
    custom = custom_codes(custom_words)
    marked, given = _mark_given(text, custom)
    codes = {mark: known.codes for mark, known in given.items()} | custom
    plain, left_out = to_plain(marked)
    if left_out:
        counted = ", ".join(f"{n} {kind}" for kind, n in left_out.items())
        warnings.warn(f"left out what nobody would read aloud: {counted}", stacklevel=3)
    for paragraph in re.split(r"\n[^\S\n]*\n\s*", plain):
        sentences = split_sentences(paragraph)
        for number, sentence in enumerate(sentences, 1):
            normalized = normalize(sentence)
            words = [word._replace(text=given[word.text[0]].word + word.text[1:]) if word.text[0] in given else word
                     for word in pronounce_words(normalized, codes)]
            yield Sentence(sentence, normalized, words, number == len(sentences))


def codes_of(words: Sequence[Word]) -> list[str]:
    return [code for word in words for code in word.codes]


def spoken_words(text: str, custom_words: CustomWords | None = None) -> list[SpokenSentence]:
    """The words of each sentence, with a pause at both ends and where a reader pauses, never two in a row.

    Each sentence is a list of `Word`; its attribute `ends_paragraph` is true where a reader would rest longer, never
    for the last one. Markdown and HTML lose their marks. `[word](/W ER1 D/)` in the text gives a pronunciation, in
    ARPAbet or IPA; so does `custom_words`, which maps words (any case) to codes, a list or "HH AH0 L OW1", or to IPA.
    Both override everything else. Characters without an English reading, blocks of code and the tails of long
    addresses are skipped with a warning. ValueError if nothing is left to say or a pronunciation is none; TypeError if
    `text` is not a string or `custom_words` not such a mapping.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    warn_of_unreadable(INLINE.sub(r"\1", text))
    sentences = []
    for sentence in explain(text, custom_words):
        words = SpokenSentence([Word("", [PAUSE], "pause")])
        for word in (*sentence.words, words[0]):
            if word.codes != [PAUSE] or words[-1].codes != [PAUSE]:
                words.append(word)
        if len(words) > 1:
            sentences.append(words)
        if sentences and sentence.ends_paragraph:
            sentences[-1].ends_paragraph = True
    if not sentences:
        raise ValueError(f"nothing to say in {text[:80]!a}: no letters, digits or symbols with an English reading")
    sentences[-1].ends_paragraph = False
    return sentences


def sentences_to_phonemes(text: str, custom_words: CustomWords | None = None) -> list[list[str]]:
    """The codes of each sentence of `spoken_words`, ARPAbet with stress, "pau" for the pauses. Raises as it does."""
    return [codes_of(words) for words in spoken_words(text, custom_words)]


def text_to_phonemes(text: str, custom_words: CustomWords | None = None) -> list[str]:
    """The codes of `sentences_to_phonemes` in one list, neighbouring sentences sharing a "pau"."""
    first, *others = sentences_to_phonemes(text, custom_words)
    return first + [code for sentence in others for code in sentence[1:]]
