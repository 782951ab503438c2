"""IPA to ARPAbet codes with stress, as phoneticians write it ("ˈwɝd") and as misaki does ("wˈɜɹd")."""

import re
import unicodedata
from collections.abc import Iterable

from english.lexicon import PHONEMES, VOWELS

ADVICE = "give ARPAbet codes with stress, such as 'HH AH0 L OW1', or IPA, such as 'həlˈoʊ'"

# Longest first. A, I, O, W and Y are misaki's letters for diphthongs, ᵊ and ᵻ its weak vowels, T its flapped t.
_SYMBOLS = {symbol: codes for codes, symbols in {
    "AY": "aɪ aj I", "AW": "aʊ aw W", "EY": "eɪ ej A e", "OY": "ɔɪ oɪ ɔj Y", "OW": "oʊ əʊ ow O Q o", "CH": "tʃ ʧ t͡ʃ",
    "JH": "dʒ ʤ d͡ʒ", "ER": "ɜɹ ɝ ɚ əɹ ʌɹ ɜr ər ɜː ɜ", "IY R": "iɹ ir", "AA": "ɑ ɒ a", "AE": "æ", "AO": "ɔ", "EH": "ɛ",
    "IH": "ɪ ᵻ ɨ", "IY": "i", "UH": "ʊ", "UW": "u ʉ", "AH": "ʌ ə ɐ ᵊ", "B": "b", "D": "d", "DH": "ð", "F": "f",
    "G": "ɡ g", "HH": "h ɦ", "Y": "j", "K": "k x", "L": "l ɫ ɭ", "M": "m", "N": "n ɲ", "NG": "ŋ", "P": "p",
    "R": "ɹ r ɾɾ ʁ ɻ", "S": "s", "SH": "ʃ ç", "T": "t ɾ ʔ T", "TH": "θ", "V": "v ʋ", "W": "w ʍ", "Z": "z", "ZH": "ʒ",
    "AH L": "l̩", "AH N": "n̩", "AH M": "m̩",
}.items() for symbol in symbols.split()}
_STRESSES = {"ˈ": "1", "ˌ": "2"}
_SILENT = set("ːˑ.‿ ͡ʰʲˠˤ̃̚")
_PATTERN = re.compile("|".join(sorted(map(re.escape, _SYMBOLS), key=len, reverse=True)))


def is_ipa(text: str) -> bool:
    """Whether `text` must be IPA: it has a letter that ARPAbet codes never have, as "sˈO" has and "S OW1" has not."""
    return re.search(r"[^A-Z0-9\s]", text) is not None


def codes_from_ipa(text: str, word: str = "") -> list[str]:
    """ "wˈɜɹd" -> ["W", "ER1", "D"]; a stress mark belongs to the next vowel. ValueError names an unknown symbol."""
    codes, stress, place = [], "0", 0
    text = unicodedata.normalize("NFD", text.strip()).replace("c\u0327", "ç")
    while place < len(text):
        if text[place] in _STRESSES:
            stress = _STRESSES[text[place]]
        elif match := _PATTERN.match(text, place):
            place = match.end() - 1
            for code in _SYMBOLS[match[0]].split():
                if code in VOWELS:
                    code, stress = code + stress, "0"
                codes.append(code)
        elif text[place] not in _SILENT:
            raise ValueError(f"custom word {word!r}: no English phoneme for {text[place]!r} in {text!r}; {ADVICE}")
        place += 1
    return _with_primary(codes)


def _with_primary(codes: list[str]) -> list[str]:
    """The codes with a primary stress: of vowels without any mark the first bears it."""
    vowels = [place for place, code in enumerate(codes) if code[-1].isdigit()]
    if vowels and not any(codes[place][-1] == "1" for place in vowels):
        place = next((place for place in vowels if codes[place][-1] == "2"), vowels[0])
        codes[place] = codes[place][:-1] + "1"
    return codes


def to_codes(pronunciation: str | Iterable[str], word: str) -> list[str]:
    """Checked ARPAbet codes of a pronunciation given in ARPAbet or IPA, for `word`; ValueError says what is wrong."""
    if isinstance(pronunciation, str):
        ipa = pronunciation.strip().strip("/")
        codes = codes_from_ipa(ipa, word) if is_ipa(ipa) else pronunciation.split()
    elif isinstance(pronunciation, Iterable) and all(isinstance(code, str) for code in pronunciation):
        codes = list(pronunciation)
    else:
        raise TypeError(f"custom word {word!r}: {pronunciation!r} is no pronunciation; {ADVICE}")
    bad = [code for code in codes if code not in PHONEMES]
    if bad or not codes:
        problem = f"{bad} are not in the vocabulary" if bad else "a word and its codes must not be empty"
        raise ValueError(f"custom word {word!r}: {problem}; {ADVICE}")
    return codes
