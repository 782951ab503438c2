"""Words in context: the reading of a word that depends on its neighbours, and weak forms."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .lexicon import CONSONANTS, PAUSE, table, variants
from .pronounce import plural_codes, reading

# ---------------------------------------------------------------------------------------------------------------------
# Tables: words with several pronunciations
# ---------------------------------------------------------------------------------------------------------------------

# word, then reading=codes; the first reading is used when the context says nothing.
HETERONYMS = {word: dict(reading.split("=") for reading in readings.split(", ")) for word, readings in table("""
read past=R EH1 D, verb=R IY1 D, noun=R IY1 D / live noun=L AY1 V, verb=L IH1 V / lives noun=L AY1 V Z, verb=L IH1 V Z
lead noun=L IY1 D, metal=L EH1 D / wind noun=W IH1 N D, verb=W AY1 N D / winds noun=W IH1 N D Z, verb=W AY1 N D Z
tear noun=T IH1 R, verb=T EH1 R / tears noun=T IH1 R Z, verb=T EH1 R Z / close noun=K L OW1 S, verb=K L OW1 Z
use noun=Y UW1 S, verb=Y UW1 Z / uses noun=Y UW1 S IH0 Z, verb=Y UW1 Z IH0 Z / house noun=HH AW1 S, verb=HH AW1 Z
excuse noun=IH0 K S K Y UW1 S, verb=IH0 K S K Y UW1 Z / abuse noun=AH0 B Y UW1 S, verb=AH0 B Y UW1 Z
misuse noun=M IH0 S Y UW1 S, verb=M IH0 S Y UW1 Z / minute noun=M IH1 N AH0 T, tiny=M AY0 N UW1 T
bow noun=B OW1, verb=B AW1 / row noun=R OW1 / sow verb=S OW1, noun=S AW1 / bass noun=B EY1 S, fish=B AE1 S
dove noun=D AH1 V, past=D OW1 V / wound noun=W UW1 N D, past=W AW1 N D
refuse verb=R IH0 F Y UW1 Z, noun=R EH1 F Y UW2 Z
excuses noun=IH0 K S K Y UW1 S IH0 Z, verb=IH0 K S K Y UW1 Z IH0 Z
abuses noun=AH0 B Y UW1 S IH0 Z, verb=AH0 B Y UW1 Z IH0 Z
desert noun=D EH1 Z ER0 T, verb=D IH0 Z ER1 T
content noun=K AA1 N T EH0 N T, past=K AH0 N T EH1 N T, verb=K AH0 N T EH1 N T
resume verb=R IH0 Z UW1 M, noun=R EH1 Z AH0 M EY2 / invalid adjective=IH2 N V AE1 L AH0 D, person=IH1 N V AH0 L AH0 D
learned past=L ER1 N D, adjective=L ER1 N IH0 D / Polish nation=P OW1 L IH0 SH, verb=P AA1 L IH0 SH
separate noun=S EH1 P R AH0 T, verb=S EH1 P ER0 EY2 T
""").items()}
STRESS_SHIFT = set("""
record object present permit project contract contest conflict convict increase insult progress rebel subject suspect
import conduct compound compact contrast convert decrease digest discharge discount escort extract protest refund reject
survey torment transport commune confine incense produce perfect rewrite conserve defect combine console
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
PAST_CUES = set("yesterday ago last was were had did then when said".split())
FISH_CUES = set("fish fishing caught catch lake river sea striped boat trout".split())
TINY_THINGS = "detail|amount|particle|quantit|differ|descri|search|dose|portion|trace|fraction|vari|crack|grain|hole"
# Before "lives" and a preposition: "many lives in danger", but "King lives in Rome".
LIVES_CUES = set("many more most few several two three save saved lost lose own daily private human past other".split())


# ---------------------------------------------------------------------------------------------------------------------
# Words in context
# ---------------------------------------------------------------------------------------------------------------------


def _neighbours(words: Sequence[str], place: int) -> tuple[str, str, str]:
    """The two words before, less an adverb such as "often", and the one after; "" for a pause or an end."""
    before = ["", "", *words[max(0, place - 3):place]]
    if before[-1] in ADVERBS or before[-1].endswith("ly"):
        before.pop()
    return before[-2], before[-1], words[place + 1] if place + 1 < len(words) else ""


def _nearby(words: Sequence[str], place: int) -> Sequence[str]:
    return words[max(0, place - 12):place + 13]


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


def _heteronym(words: Sequence[str], place: int) -> str | None:
    """Codes of a word whose pronunciation depends on its neighbours (lower-case `words`), or None for any other."""
    word = words[place]
    if word in HETERONYMS:
        readings = HETERONYMS[word]
        role = _special_role(words, place) or _role(words, place)
        return readings.get(role) or next(iter(readings.values()))
    if word in STRESS_SHIFT or word.endswith("s") and word[:-1] in STRESS_SHIFT:
        base = word if word in STRESS_SHIFT else word[:-1]
        codes = _stressed(base, "verb" if _role(words, place) == "verb" else "noun")
        return codes if base == word else plural_codes(codes)
    if re.search("ates?$", word) and len(listed := variants(word)) > 1:
        verb = _role(words, place) == "verb"
        fitting = [codes for codes in listed if bool(re.search("EY. T", codes)) == verb]
        return (fitting or listed)[0]
    return None


def _stressed(word: str, role: str) -> str:
    """Nouns bear the stress on the first syllable, verbs later (initial-stress-derived nouns)."""
    listed = variants(word)
    fitting = [codes for codes in listed if (re.search(r"\d", codes)[0] == "1") == (role == "noun")]
    return (fitting or listed)[0]


def _special_role(words: Sequence[str], place: int) -> str | None:
    """Readings that hang on particular neighbours rather than on the part of speech."""
    word, (earlier, before, after) = words[place], _neighbours(words, place)
    if word == "read":
        return _tense_of_read(words, place)
    if word in ("live", "lives") and (after in PREPOSITIONS or after in ("here", "there", "alone", "together")):
        return _role_of_live(word, before)
    if word == "lead" and (before == "of" or re.match("(?:is|pipe|paint|poison|bullet|pencil)", after)):
        return "metal"
    if word == "minute" and re.match(TINY_THINGS, after):
        return "tiny"
    if word == "close" and before in ("the", "a") and after in ("of", ""):
        return "verb"
    if word == "house" and before not in BASE_VERB_CUES:
        return "noun"
    if word == "wind" and after in ("up", "down") and before not in DETERMINERS:
        return "verb"
    if word == "winds" and after in ("up", "down", "through", "along", "around", "round", "uphill", "its", "the"):
        return "verb"
    if word == "bow" and (before == "a" and earlier in ("take", "takes", "took", "made", "with") or after == "down"):
        return "verb"
    if word == "bass" and not FISH_CUES.isdisjoint(_nearby(words, place)):
        return "fish"
    if word == "dove" and before not in DETERMINERS and after in ("into", "in", "under", "off"):
        return "past"
    if word == "wound" and before not in DETERMINERS and after in ("up", "the", "around", "down", "its"):
        return "past"
    if word == "invalid" and before in DETERMINERS and after in ("", "was", "is", "who", "and", "in", "of"):
        return "person"
    if word == "learned" and before in DETERMINERS:
        return "adjective"
    return None


def _tense_of_read(words: Sequence[str], place: int) -> str:
    earlier, before, _ = _neighbours(words, place)
    if before and before not in BASE_VERB_CUES and not before.endswith("n't") or _role(words, place) == "past":
        return "past"
    if before in SUBJECT_PRONOUNS and earlier not in BASE_VERB_CUES:
        past = any(word in PAST_CUES or word.endswith("ed") for word in _nearby(words, place))
        return "past" if past else "verb"
    return "verb"


def _role_of_live(word: str, before: str) -> str | None:
    """The part of speech of "live" or "lives" where a place or company follows."""
    if word == "live":
        return "noun" if before in PERFECT_CUES or before.endswith("ed") else "verb"
    return "verb" if before and before not in DETERMINERS | PREPOSITIONS | LIVES_CUES else None


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
    lowered = [token if token in HETERONYMS else token.lower() if token not in ",.;:?!" else "" for token in tokens]
    words: list[Word] = []
    for place, token in enumerate(tokens):
        if token in ",.;:?!":
            words.append(Word(token, [PAUSE], "pause"))
        elif codes := _custom_reading(token, custom):
            words.append(Word(token, codes.split(), "custom"))
        elif len(token) > 1 and (codes := _heteronym(lowered, place)):
            words.append(Word(token, codes.split(), "context"))
        else:
            codes, source = reading(token)
            words.append(Word(token, codes.split(), source))
    for word, following in zip(words, [*words[1:], Word("", [PAUSE], "pause")]):
        if word.text.lower() in WEAK_FORMS and word.source == "dictionary":
            weak, strong = WEAK_FORMS[word.text.lower()]
            word.codes[:] = (weak if following.codes[0] in CONSONANTS else strong).split()
    return words
