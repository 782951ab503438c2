"""What was said: audio, and when each sentence, word and phoneme of it is heard. All times are seconds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vocoder.spectrogram import MEL_SCALE_BINS, SAMPLING_RATE


class Phoneme(NamedTuple):
    code: str  # ARPAbet, or "pau"
    start: float
    end: float
    frames: int  # the same duration in spectrogram frames, as `synthesize_from_phonemes` takes it

    @property
    def duration(self) -> float:
        return self.end - self.start


class Word(NamedTuple):
    """A spoken word. "$3.50" is five of them, which are written at the same place."""

    text: str  # as it is read: "doctor"
    start: float
    end: float
    phonemes: list[Phoneme]
    characters: tuple[int, int] = (0, 0)  # where it is in the text that was given: text[0:3] == "Dr."
    sentence: int = 0  # which one of the text


class Written(NamedTuple):
    """A word as it is written, with the marks around it, and the words that it is read as."""

    text: str  # "Dr.", "$3.50,"
    start: float
    end: float
    words: list[Word]


class Sentence(NamedTuple):
    text: str  # as it is written
    start: float
    end: float
    words: list[Word]


@dataclass(frozen=True, eq=False)
class Record:
    """A text that was spoken, or a piece of it. Times count from the beginning of the text, also in a piece."""

    text: str  # all that was given, "" for phonemes
    audio: np.ndarray  # (1, t) float32 in [-1, 1]
    words: list[Word]  # those that begin here; pauses are none
    phonemes: list[Phoneme]  # those that begin here, with the pauses
    spectrogram: np.ndarray  # (80, T) log-mel, what the vocoder got; between sentences it is silent
    start: float = 0.0  # of the audio
    sampling_rate: int = SAMPLING_RATE

    @property
    def seconds(self) -> float:
        return self.audio.shape[1] / self.sampling_rate

    @property
    def end(self) -> float:
        return self.start + self.seconds

    @property
    def sentences(self) -> list[Sentence]:
        return sentences_of(self.words, self.text)

    @property
    def written(self) -> list[Written]:
        return written_words(self.words, self.text)


def join(records: Iterable[Record]) -> Record:
    """Pieces that follow each other, at least one -> one record."""
    records = list(records)
    return Record(
        text=records[0].text,
        audio=np.concatenate([record.audio for record in records], axis=1),
        words=[word for record in records for word in record.words],
        phonemes=[phoneme for record in records for phoneme in record.phonemes],
        spectrogram=np.concatenate([record.spectrogram for record in records], axis=1),
        start=records[0].start,
        sampling_rate=records[0].sampling_rate,
    )


def written_words(words: Sequence[Word], text: str) -> list[Written]:
    """Neighbours that are written at the same place become one."""
    groups = itertools.groupby(words, lambda word: (word.sentence, word.characters))
    return [
        Written(_slice(text, place) or " ".join(word.text for word in group), group[0].start, group[-1].end, group)
        for (_, place), group in ((key, list(group)) for key, group in groups)
    ]


def sentences_of(words: Sequence[Word], text: str) -> list[Sentence]:
    sentences = []
    for _, group in itertools.groupby(words, lambda word: word.sentence):
        group = list(group)
        place = min(word.characters[0] for word in group), max(word.characters[1] for word in group)
        written = _slice(text, place) or " ".join(word.text for word in group)
        sentences.append(Sentence(written, group[0].start, group[-1].end, group))
    return sentences


def _slice(text: str, place: tuple[int, int]) -> str:
    """A part of a text in one line."""
    return " ".join(text[slice(*place)].split())


def silence(text: str, n_samples: int, n_frames: int, start: float, floor: float) -> Record:
    """Nothing is said for so many samples; `floor` is the log-mel value of silence."""
    spectrogram = np.full((MEL_SCALE_BINS, n_frames), floor, dtype=np.float32)
    return Record(text, np.zeros((1, n_samples), dtype=np.float32), [], [], spectrogram, start)
