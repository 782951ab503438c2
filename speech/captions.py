"""Captions of what was spoken: SubRip (srt), WebVTT (vtt) and JSON, from words with their times.

All take `words`, a list of `speech.record.Word`, and the text that they are from. The words of the pieces of a stream
can be put into one list: their times count from the beginning of the text.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from speech.record import Word, Written, sentences_of, written_words

LINE_LENGTH = 42  # characters: what broadcasters and streaming services ask for
N_LINES = 2
LONGEST = 7.0  # seconds that a caption stays


class Caption(NamedTuple):
    start: float
    end: float
    lines: list[list[Written]]


def captions(words: Sequence[Word], text: str, level: str = "sentence") -> list[Caption]:
    """One for each sentence, or more where it does not fit on the screen; or, of level "word", one for each word."""
    if level not in ("sentence", "word"):
        raise ValueError(f"there are no captions of level {level!r}: choose sentence or word")
    if level == "word":
        return [Caption(word.start, word.end, [[word]]) for word in written_words(words, text)]
    found = []
    for _, sentence in itertools.groupby(words, lambda word: word.sentence):
        for part in divide(written_words(list(sentence), text), _fits_screen):
            found.append(Caption(part[0].start, part[-1].end, divide(part, _fits_line)))
    return found


def divide(words: list[Written], fits: Callable[[list[Written]], bool]) -> list[list[Written]]:
    """Cut in two near the middle, best after a mark, until each part fits."""
    if len(words) < 2 or fits(words):
        return [words]
    lengths = list(itertools.accumulate(len(word.text) + 1 for word in words))

    def cost(cut: int) -> float:
        off_middle = abs(lengths[cut - 1] - lengths[-1] / 2) / lengths[-1]
        return off_middle - 0.15 * (words[cut - 1].text[-1] in ",;:.?!—–")

    cut = min(range(1, len(words)), key=cost)
    return divide(words[:cut], fits) + divide(words[cut:], fits)


def _fits_line(words: list[Written]) -> bool:
    return len(" ".join(word.text for word in words)) <= LINE_LENGTH


def _fits_screen(words: list[Written]) -> bool:
    return words[-1].end - words[0].start <= LONGEST and len(divide(words, _fits_line)) <= N_LINES


def srt(words: Sequence[Word], text: str, level: str = "sentence") -> str:
    blocks = []
    for number, caption in enumerate(captions(words, text, level), 1):
        times = f"{_time(caption.start, ',')} --> {_time(caption.end, ',')}"
        lines = [" ".join(word.text for word in line).replace("-->", "→") for line in caption.lines]
        blocks.append("\n".join([str(number), times, *lines]) + "\n")
    return "\n".join(blocks)


def vtt(words: Sequence[Word], text: str, level: str = "sentence") -> str:
    """Each word but the first of a caption has its time before it, which players use to highlight what is spoken."""
    blocks = ["WEBVTT\n"]
    for caption in captions(words, text, level):
        lines = [
            " ".join(
                (f"<{_time(word.start, '.')}>" if word.start > caption.start else "") + html.escape(word.text, False)
                for word in line
            )
            for line in caption.lines
        ]
        blocks.append("\n".join([f"{_time(caption.start, '.')} --> {_time(caption.end, '.')}", *lines]) + "\n")
    return "\n".join(blocks)


def as_json(words: Sequence[Word], text: str, level: str = "sentence") -> str:
    """Sentences, in them words as they are written and as they are spoken, in them phonemes; whatever the level is."""
    return json.dumps({"text": text, "sentences": as_data(words, text)}, ensure_ascii=False, indent=1) + "\n"


def as_data(words: Sequence[Word], text: str) -> list[dict]:
    """The sentences of the JSON as plain data."""

    def timed(thing, **more) -> dict:
        return {"start": round(thing.start, 3), "end": round(thing.end, 3), **more}

    return [
        {"text": sentence.text} | timed(sentence, words=[
            {"text": word.text, "spoken": " ".join(part.text for part in word.words)} | timed(word, phonemes=[
                {"code": phoneme.code} | timed(phoneme) for part in word.words for phoneme in part.phonemes
            ])
            for word in written_words(sentence.words, text)
        ])
        for sentence in sentences_of(words, text)
    ]  # fmt: skip


FORMATS: dict[str, Callable[..., str]] = {"srt": srt, "vtt": vtt, "json": as_json}


def _time(seconds: float, point: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, hours = milliseconds // 60_000 % 60, milliseconds // 3_600_000
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000 % 60:02d}{point}{milliseconds % 1000:03d}"
