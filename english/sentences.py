"""A text to sentences."""

import re

from english.tables import ABBREVIATIONS, CALENDAR, DOTTED, SENTENCE_STARTERS, TITLES

_LINE_BREAK = re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_WRAPPED_LINE = re.compile(r"(?<=[^\n]{50})(?<![.!?:])\n(?=[a-z])")
_STOP = re.compile(r"""[.!?…]{1,9}["')\]”’]{0,3}(?=\s)|\n""")
_NOT_LAST = {*TITLES, *ABBREVIATIONS, *CALENDAR, *DOTTED, "st", "rs"} - {"sat", "sun", "mar", "may", "fri", "fr"}


def _ends_sentence(before: str, after: str) -> bool:
    """Whether the stop at the end of `before` (some characters) ends the sentence; `after` follows it."""
    word, stop = re.fullmatch(r"""(?s).*?([\w.]*?)([.!?…\n]+)["')\]”’]*""", before).groups()
    follows = re.match(r"""[\s"'(\[“‘]*([^\W\d_]*)""", after)[1]
    if stop == "\n":
        return True
    if follows[:1].islower() or re.match(r"\s+[.!?…]", after):
        return False
    if stop == "." and word in ("Mar", "Sat", "Sun", "Fri") and re.match(r"\s+(?:\d|[A-Z][a-z]{2}\.)", after):
        return False
    if stop == "." and (word.lower() in _NOT_LAST or "." in word or re.fullmatch("[A-Zbcdv]", word)):
        return follows.lower() in SENTENCE_STARTERS and not (len(follows) == 1 and len(word) == 1)
    return True


def split_sentences(text: str) -> list[str]:
    """Sentences of `text`, stripped, none empty; a line ends one too unless it is the wrapped line of a paragraph."""
    text = _WRAPPED_LINE.sub(" ", _LINE_BREAK.sub("\n", text))
    sentences, start = [], 0
    for stop in _STOP.finditer(text):
        if _ends_sentence(text[max(start, stop.end() - 40):stop.end()], text[stop.end():stop.end() + 40]):
            sentences.append(text[start:stop.end()].strip())
            start = stop.end()
    return [sentence for sentence in (*sentences, text[start:].strip()) if sentence]
