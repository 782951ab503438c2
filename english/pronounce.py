"""One word to phonemes: dictionary, rules for endings, prefixes and compounds, then a network for unknown words."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import english.other_lexicon as other_lexicon
from english.ipa import ADVICE, to_codes
from english.lexicon import CustomWords, lexicon, table, variants
from english.network import guess


def plural_codes(codes: str) -> str:
    last = codes.rsplit(" ", 1)[-1]
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return codes + " IH0 Z"
    return codes + (" S" if last in ("P", "T", "K", "F", "TH") else " Z")


def _past_codes(codes: str) -> str:
    last = codes.rsplit(" ", 1)[-1]
    if last in ("T", "D"):
        return codes + " AH0 D"
    return codes + (" T" if last in ("P", "K", "F", "TH", "S", "SH", "CH") else " D")


def _adverb_codes(codes: str) -> str:
    return codes + (" IY0" if codes.endswith(" L") else " L IY0")


# Endings and prefixes for which rules err less than the network on words taken out of the dictionary. Each: ending,
# what may stand in its place in the base word, codes added to the base.
SUFFIXES = [
    ("'s", ("",), plural_codes), ("ies", ("y", "ie"), plural_codes), ("es", ("e", ""), plural_codes),
    ("s", ("",), plural_codes), ("ied", ("y",), _past_codes), ("ed", ("", "e"), _past_codes),
    ("in'", ("ing",), lambda codes: codes.removesuffix("G")), ("ically", ("ic",), lambda codes: codes + " L IY0"),
    ("bly", ("ble",), lambda codes: codes.removesuffix("AH0 L") + "L IY0"), ("ly", ("",), _adverb_codes), *(
        (ending, replaced, lambda codes, added=added: f"{codes} {added}") for ending, replaced, added in [
            ("ing", ("", "e"), "IH0 NG"), ("'ve", ("",), "AH0 V"), ("'ll", ("",), "AH0 L"),
            ("ness", ("",), "N AH0 S"), ("less", ("",), "L AH0 S"),
            ("ment", ("",), "M AH0 N T"), ("like", ("",), "L AY2 K"), ("ful", ("",), "F AH0 L"),
            ("ship", ("",), "SH IH2 P"), ("hood", ("",), "HH UH2 D"), ("shire", ("",), "SH ER0"),
            ("able", ("", "e"), "AH0 B AH0 L"),
            ("ism", ("", "e"), "IH2 Z AH0 M"), ("wise", ("",), "W AY2 Z"), ("dom", ("",), "D AH0 M")]),
]
PREFIXES = table("""
un AH0 N / re R IY0 / non N AA2 N / mis M IH0 S / dis D IH0 S / pre P R IY0 / anti AE2 N T IY0 / sub S AH1 B
inter IH2 N T ER0 / multi M AH2 L T IY0 / micro M AY1 K R OW0 / cyber S AY1 B ER0 / hyper HH AY2 P ER0
ultra AH2 L T R AH0 / mega M EH1 G AH0 / nano N AE1 N OW0 / neuro N UH2 R OW0 / bio B AY2 OW0 / geo JH IY2 OW0
pseudo S UW2 D OW0 / semi S EH2 M IY0 / mini M IH1 N IY0 / tele T EH1 L AH0 / photo F OW1 T OW0 / auto AO1 T OW0
electro IH0 L EH2 K T R OW0 / counter K AW1 N T ER0 / trans T R AE2 N Z / eco IY1 K OW0 / neo N IY2 OW0
proto P R OW2 T OW0 / socio S OW2 S IY0 OW0 / thermo TH ER1 M OW0 / hydro HH AY2 D R OW0 / over OW2 V ER0
""")
# British spellings and the American ones that the dictionary has.
SPELLINGS = [(re.compile(pattern), replacement) for pattern, replacement in [
    ("our(?!s?$|[st])|our(?=s?$)", "or"), ("is(?=e[drs]?$|ers?$|ing$|ations?$|able$)", "iz"),
    ("ys(?=e[drs]?$|ers?$|ing$)", "yz"), ("oeuvre", "euver"), ("(?<=[bcdghptv])re(?=s?$)", "er"), ("ogue(?=s?$)", "og"),
    ("ll(?=ed$|ing$|ers?$|ists?$|ous$)", "l"), ("l(?=ful|ment)", "ll"), ("[ao]e(?=..)", "e"), ("ence(?=s?$)", "ense"),
    ("amme(?=s?$)", "am"), ("mould", "mold"), ("plough", "plow"), ("sulph", "sulf"), ("grey", "gray"),
    ("dgement", "dgment"), ("draught", "draft"), ("fibre", "fiber"), ("xion", "ction"),
]]


LEAST = 4  # letters of each part of a compound


def _listed(word: str) -> str | None:
    """Codes from a dictionary."""
    return lexicon().get(word) or other_lexicon.lookup(word)


def _bases(word: str, ending: str, replacements: tuple[str, ...]) -> list[str]:
    """What `word` may be made of: "hoping" of "hope", "hopping" of "hop", "singing" of "sing"."""
    stem = word.removesuffix(ending)
    bases = [stem + replacement for replacement in replacements]
    if ending in ("ed", "ing", "able"):
        if re.search("[^aeiou][aeiouy][^aeiouwxy]$", stem):
            bases.reverse()
        if len(stem) > 3 and stem[-1] == stem[-2]:
            bases.append(stem[:-1])
    return [base for base in bases if len(base) > 2]


def _from_suffix(word: str) -> str | None:
    for ending, replacements, add in SUFFIXES:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2 or stem.endswith("s") and ending == "s":
            continue
        for base in _bases(word, ending, replacements):
            if codes := lexicon().get(base) or other_lexicon.lookup(base, exactly=True) or known(base):
                return add(codes)
    return None


def _from_parts(word: str) -> str | None:
    """Two known words written as one, the second with secondary stress; the most even split wins."""
    for prefix, codes in PREFIXES.items():
        rest = word.removeprefix(prefix)
        if rest != word and len(rest) > 4:
            rest_codes = _listed(rest) if other_lexicon.is_word(rest) else _from_suffix(rest)
            if rest_codes:
                return f"{codes} {rest_codes}"
    for cut in sorted(range(LEAST, len(word) - LEAST + 1), key=lambda cut: abs(2 * cut - len(word))):
        first, second = word[:cut], word[cut:]
        if (codes := lexicon().get(first)) and (codes_after := lexicon().get(second)):
            if other_lexicon.is_word(first) and other_lexicon.is_word(second):
                return f"{codes} {codes_after.replace('1', '2')}"
    return None


def _from_spelling(word: str) -> str | None:
    """A British spelling as its American one."""
    for pattern, replacement in SPELLINGS:
        american = pattern.sub(replacement, word)
        if american != word:
            codes = _listed(american) if other_lexicon.is_word(american) else _from_suffix(american)
            if codes:
                return codes
    return None


@lru_cache(maxsize=50_000)
def known(word: str) -> str | None:
    """Codes of a lower-case word by dictionary and rules, or None; rules only for words of a length that occurs."""
    if (codes := _listed(word)) or len(word) > 30:
        return codes
    return _from_suffix(word) or _from_spelling(word) or _from_parts(word)


@lru_cache(maxsize=50_000)
def _guess(letters: str) -> str:
    """Codes of a word (a-z only) that no rule knows: the network, letter by letter if it has no vowel."""
    if not re.search("[aeiouy]", letters) or len(letters) == 1:
        return " ".join(lexicon()[letter + "."] for letter in letters)
    if len(letters) > 24:
        return " ".join(_guess(letters[start:start + 12]) for start in range(0, len(letters), 12))
    codes = " ".join(guess(letters))
    return codes if re.search(r"\d", codes) else " ".join(lexicon()[letter + "."] for letter in letters)


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
    listed = variants(word) or variants(letters) or [known(letters) or _guess(letters)]
    codes = listed[0]
    if ending:
        vowel = {"é": "EY", "à": "AA"}[ending[1]]
        fitting = [variant for variant in listed if re.search(rf"{vowel}\d$", variant)]
        codes = fitting[0] if fitting else re.sub(r" [A-Z]+\d$", "", codes).replace("1", "0") + f" {vowel}1"
    nasals = re.findall("[nñ]", word)
    if codes.split().count("N") == len(nasals):
        following = iter(nasals)
        codes = re.sub(r"\bN\b(?: Y)?", lambda match: "N Y" if next(following) == "ñ" else match[0], codes)
    return codes


@lru_cache(maxsize=50_000)
def reading(word: str) -> tuple[str, str]:
    """(codes, where they are from) of one plain word without context."""
    if len(word) == 1 and word.isupper() and word.isascii() and word != "I":
        return lexicon()[word.lower() + "."], "letter"
    if re.fullmatch("[A-Z]'s", word):
        return plural_codes(lexicon()[word[0].lower() + "."]), "letter"
    lower = unicodedata.normalize("NFC", word.lower())
    if codes := _from_accents(lower):
        return codes, "rule"
    plain = lower if lower in lexicon() else _ascii_letters(lower)
    if codes := lexicon().get(plain):
        return codes, "dictionary"
    if codes := other_lexicon.lookup(plain):
        return codes, "lexicon"
    if codes := known(plain):
        return codes, "rule"
    owner = plain.removesuffix("'s")
    letters = re.sub("[^a-z]", "", owner)
    if not letters:
        raise ValueError(f"no letters to pronounce in {word!r}")
    codes = known(owner) or _guess(letters)
    return codes if owner == plain else plural_codes(codes), "network"


def custom_codes(custom_words: CustomWords | None) -> dict[str, str]:
    """Custom words in lower case -> codes in one string; ValueError or TypeError says what to give."""
    if custom_words is not None and not isinstance(custom_words, Mapping):
        kind = type(custom_words).__name__
        raise TypeError(f"custom_words must map words to pronunciations, not be a {kind}; {ADVICE}")
    checked = {}
    for word, pronunciation in (custom_words or {}).items():
        if not isinstance(word, str):
            raise TypeError(f"custom word {word!r} must be a str; {ADVICE}")
        if not word.strip():
            raise ValueError(f"custom word {word!r}: a word and its codes must not be empty; {ADVICE}")
        checked[word.lower()] = " ".join(to_codes(pronunciation, word))
    return checked


def pronounce(word: str, custom_words: CustomWords | None = None) -> list[str]:
    """ARPAbet codes with stress of one plain word, without context; never empty.

    From `custom_words`, the dictionary, suffix and compound rules, or the network, in this order.
    ValueError if `word` has no Latin letter or `custom_words` has a code outside the vocabulary.
    """
    custom = custom_codes(custom_words)
    return (custom.get(word.lower()) or reading(word)[0]).split()
