"""Words in context: the reading of a word that depends on its neighbours, and weak forms."""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from english.homographs import choose, readings
from english.lexicon import CONSONANTS, PAUSE, table, variants
from english.pronounce import plural_codes, reading

# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------

# Words of two readings that `homographs` does not know: the noun's codes and the verb's.
PAIRS = {word: tuple(codes.split(", ")) for word, codes in table("""
tears T IH1 R Z, T EH1 R Z / mouths M AW1 DH Z, M AW1 DH Z
""").items()}
STRESS_SHIFT = set("""
digest survey torment commune confine rewrite conserve
""".split())
# word: before a consonant, elsewhere
WEAK_FORMS = {"the": ("DH AH0", "DH IY0"), "to": ("T IH0", "T UW1"), "for": ("F ER0", "F AO1 R"),
              "with": ("W IH1 TH", "W IH1 DH")}
DETERMINERS = set("a an the this that these those my your his her its our their no any some every each another".split())
PLURAL_DETERMINERS = set("these those many most some all few several both two three other".split())
PREPOSITIONS = set("of in on at by for from with without under into about as than like near against".split())
CONJUNCTIONS = set("when if because while until after before".split())
ADVERBS = set("always often also ever never still even sometimes usually rarely seldom".split())
SUBJECT_PRONOUNS = set("i you he she it we they".split())
PLURAL_NOUNS = set("people men women children police".split())  # without "s"
PRONOUN_OBJECTS = set("me him them it us you itself himself herself themselves myself yourself".split())
BASE_VERB_CUES = set("""
to will would can could should shall may might must do does did not never don't doesn't didn't won't can't couldn't
cannot wouldn't shouldn't let's please i you we they who i'll you'll we'll they'll he'll she'll i'd you'd we'd they'd
""".split())
PERFECT_CUES = set("""
have has had having i've you've we've they've be been being is are was were am isn't wasn't haven't hasn't hadn't he's
it's she's get got
""".split())


# ---------------------------------------------------------------------------------------------------------------------
# Words in context
# ---------------------------------------------------------------------------------------------------------------------


def _neighbours(words: Sequence[str], place: int) -> tuple[str, str, str]:
    """The two words before, less an adverb such as "often", and the one after; "" for a pause or an end."""
    before = ["", "", *words[max(0, place - 3):place]]
    if before[-1] in ADVERBS or before[-1].endswith("ly"):
        before.pop()
    return before[-2], before[-1], words[place + 1] if place + 1 < len(words) else ""


def _role(words: Sequence[str], place: int) -> str | None:
    """ "verb", "noun", "past" (after have and be), or None: what the neighbours make of an ambiguous word."""
    earlier, before, after = _neighbours(words, place)
    if before in PERFECT_CUES or before == "not" and earlier in PERFECT_CUES:
        return "past"
    if before in SUBJECT_PRONOUNS and earlier in ("have", "has", "had"):
        return "past"
    if before in BASE_VERB_CUES or before.endswith("n't") or before in ("he", "she", "it", "which", "there", "who"):
        return "verb"
    if before in DETERMINERS or before in PREPOSITIONS or before.endswith("'s"):
        return "noun"
    objects = after in DETERMINERS or after in PRONOUN_OBJECTS
    if before in ("and", "or", ""):
        return "verb" if objects else "noun"
    if objects or words[place - 1] in ADVERBS:
        return "verb"
    return None if words[place].endswith("s") else _role_after_noun(earlier, before, after)


def _role_after_noun(earlier: str, before: str, after: str) -> str | None:
    """ "verb" if a plural noun does it ("Muscles contract"), "noun" in "a new record"; for words without "s"."""
    plural = before in PLURAL_NOUNS or re.search("[^sui]s$", before)
    if not plural:
        return "noun" if earlier in DETERMINERS else None
    if after in PERFECT_CUES or after == "of":
        return "noun"
    if earlier in PLURAL_DETERMINERS or earlier == "":
        return "verb"
    ends = after == "" or after in PREPOSITIONS or after in CONJUNCTIONS
    return "verb" if ends and earlier not in DETERMINERS else None


def _by_rule(words: Sequence[str], place: int) -> str | None:
    """Codes of a word whose pronunciation depends on its neighbours (lower-case `words`), or None for any other."""
    word = words[place]
    if word in PAIRS:
        return PAIRS[word][_role(words, place) == "verb"]
    if codes := _plural_homograph(words, place):
        return codes
    if word in STRESS_SHIFT or word.endswith("s") and word[:-1] in STRESS_SHIFT:
        base = word if word in STRESS_SHIFT else word[:-1]
        codes = _stressed(base, "verb" if _role(words, place) == "verb" else "noun")
        return codes if base == word else plural_codes(codes)
    if re.search("ates?$", word) and len(listed := variants(word)) > 1:
        verb = _role(words, place) == "verb"
        fitting = [codes for codes in listed if bool(re.search("EY. T", codes)) == verb]
        return (fitting or listed)[0]
    return None


def _plural_homograph(words: Sequence[str], place: int) -> str | None:
    """ "records" as the reading of "record" that its neighbours ask for; words of one syllable change less freely."""
    options = readings().get(words[place][:-1], []) if words[place].endswith("s") else []
    if {option.kind for option in options} != {"verb", "other"} or len(re.findall(r"\d", options[0].codes)) < 2:
        return None
    kind = {"verb": "verb", "noun": "other"}.get(_role(words, place), options[0].kind)
    return plural_codes(next(option.codes for option in options if option.kind == kind))


def _stressed(word: str, role: str) -> str:
    """Nouns bear the stress on the first syllable, verbs later (initial-stress-derived nouns)."""
    listed = variants(word)
    fitting = [codes for codes in listed if (re.search(r"\d", codes)[0] == "1") == (role == "noun")]
    return (fitting or listed)[0]


class Word(NamedTuple):
    """One row of a normalised sentence: a word or a pause mark, its codes, and where they are from."""

    text: str
    codes: list[str]
    source: str


def _custom_reading(token: str, custom: Mapping[str, str]) -> str | None:
    owner = token.removesuffix("'s")
    if owner != token and owner in custom and token not in custom:
        return plural_codes(custom[owner])
    return custom.get(token) or custom.get(token.lower())


def pronounce_words(normalized: str, custom: Mapping[str, str]) -> list[Word]:
    """The words and pause marks of a normalised sentence with their codes; `custom` is checked already."""
    tokens = normalized.split()
    lowered = [token.lower() if token not in ",.;:?!" else "" for token in tokens]
    words: list[Word] = []
    for place, token in enumerate(tokens):
        if token in ",.;:?!":
            words.append(Word(token, [PAUSE], "pause"))
        elif codes := _custom_reading(token, custom):
            words.append(Word(token, codes.split(), "custom"))
        elif len(token) > 1 and (chosen := choose(tokens, place)):
            words.append(Word(token, chosen.codes.split(), "context"))
        elif len(token) > 1 and (codes := _by_rule(lowered, place)):
            words.append(Word(token, codes.split(), "context"))
        else:
            try:
                codes, source = reading(token)
            except ValueError as problem:  # a letter of another script that came through as a word
                warnings.warn(str(problem), stacklevel=2)
                continue
            words.append(Word(token, codes.split(), source))
    for word, following in zip(words, [*words[1:], Word("", [PAUSE], "pause")]):
        if word.text.lower() in WEAK_FORMS and word.source == "dictionary":
            weak, strong = WEAK_FORMS[word.text.lower()]
            word.codes[:] = (weak if following.codes[0] in CONSONANTS else strong).split()
    return words
