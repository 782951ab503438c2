"""What a text says about the melody of each phoneme: where words begin, and which mark each clause ends in."""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Iterable, Sequence

import english
from english import PAUSE, Word

MARKS = ("", ",", ";", ":", ".", "?", "!")  # "" for the pause before a sentence
ENDS = frozenset(".?!")  # of what is asked or said
UNKNOWN = 0  # where phonemes come without a text
N_CUES = 1 + 2 * len(MARKS)

WH_WORDS = frozenset("how what when where which who whom whose why".split())
AUXILIARIES = frozenset(
    "ai am are ca can could did do does had has have is may might must sha shall should was were will wo would".split()
)
VAGUE = frozenset("anyone anything less more other so somebody someone something twice two".split())  # after "or"


def read_cues(words: Sequence[Word]) -> list[int]:
    """A number for each phoneme of a sentence of `english.spoken_words`: the mark that its clause ends in, and whether
    it is the first of its word. A pause has the mark that it stands for, but that of a question that falls counts as a
    full stop: "?" is for questions that rise."""
    cues, mark = [], "."
    ends = [place for place, word in enumerate(words) if word.codes == [PAUSE] and word.text in ENDS]
    asked = {place: words[before + 1 : place] for before, place in zip([-1, *ends], ends)}  # what a mark closes
    for place, word in reversed(list(enumerate(words))):
        if word.codes == [PAUSE]:
            mark = word.text or ("." if place > 0 else "")
            if mark == "?" and falls(asked[place]):
                mark = "."
        inside = 1 + 2 * MARKS.index(mark)
        cues += [inside] * (len(word.codes) - 1) + [inside + 1]
    return cues[::-1]


def read_features(words: Sequence[Word]) -> dict[str, list]:
    """What the words of a sentence say of the melody of each phoneme, by name."""
    codes, cues = english.codes_of(words), read_cues(words)
    return {"cues": cues, "rises": rising_ends(codes, cues)}


def falls(words: Sequence[Word]) -> bool:
    """Does what these words end with ask who, what or how, or for a choice, not whether?

    Such questions fall (Pierrehumbert and Hirschberg 1990; of choices: Pruitt and Roelofsen 2013). The last clause that
    begins as a question decides.
    """
    clauses = [
        list(clause) for pause, clause in itertools.groupby(words, lambda word: word.codes == [PAUSE]) if not pause
    ]
    for number, clause in reversed(list(enumerate(clauses))):
        for word in clause[:2]:
            stem = word.text.lower().removesuffix("n't").partition("'")[0]
            if stem in WH_WORDS:
                return True
            if stem in AUXILIARIES:
                return offers_choice(itertools.chain(*clauses[number:]))
    return offers_choice(itertools.chain(*clauses))


def offers_choice(words: Iterable[Word]) -> bool:
    """Tea or coffee, but not an hour or two."""
    pairs = itertools.pairwise(word.text.lower() for word in words)
    return any(first == "or" and second not in VAGUE for first, second in pairs)


def rising_ends(codes: Sequence[str], cues: Sequence[int]) -> list[float]:
    """How much each phoneme has of the rise of a question: from its last stressed vowel, 0.5, to its end, 1; else 0.

    A low or level accent and a high boundary, L* H-H%, is how English asks whether (Pierrehumbert and Hirschberg 1990).
    """
    asking = {1 + 2 * MARKS.index("?"), 2 + 2 * MARKS.index("?")}
    clauses = list(itertools.accumulate((code == PAUSE for code in codes), initial=0))  # how many pauses came before
    rises = [0.0] * len(codes)
    for (asks, _), group in itertools.groupby(range(len(codes)), lambda place: (cues[place] in asking, clauses[place])):
        places = list(group)
        stressed = [place for place in places if codes[place][-1] in "12"]
        if asks and stressed:
            first, last = stressed[-1], places[-1]
            for place in range(first, last + 1):
                rises[place] = 1 - 0.5 * (last - place) / max(1, last - first)
    return rises


def match_cues(text: str, codes: Sequence[str]) -> list[int]:
    """`read_cues` for N phonemes that were spoken: nobody pauses and speaks exactly as `english` reads."""
    try:
        with warnings.catch_warnings(action="ignore"):
            sentences = english.spoken_words(text)
    except ValueError:  # there is no word in it
        return [UNKNOWN] * len(codes)
    pairs = [(code, cue) for words in sentences for code, cue in zip(english.codes_of(words), read_cues(words))]
    read, read_cue = zip(*((code.rstrip("012"), cue) for code, cue in pairs if code != PAUSE))
    places = [place for place, code in enumerate(codes) if code != PAUSE]
    spoken = [codes[place].rstrip("012") for place in places]
    cues = [2] * len(codes)  # a pause at the beginning: no mark
    for _, i, i_end, j, j_end in difflib.SequenceMatcher(None, spoken, read, autojunk=False).get_opcodes():
        for k in range(i, i_end):  # what is read differently is stretched over what was spoken
            cues[places[k]] = read_cue[max(0, min(j + (k - i) * (j_end - j) // (i_end - i), j_end - 1))]
    for place, code in enumerate(codes):
        if code == PAUSE and place > 0:  # has the mark of what it follows
            cues[place] = cues[place - 1] + cues[place - 1] % 2
    return cues
