"""What a voice is asked to say: phonemes and durations are checked, encoded, cut to a length that the model can speak.

numpy only: both engines need it, the one with PyTorch and the one without.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from english import PAUSE

DAMAGED = "the durations that the voice predicts are no numbers: its weights are damaged, or it learned too fast"
LONGEST = 1e6  # frames of a phoneme


class Vocabulary:
    """Phoneme codes to tokens. An unknown vowel is read as the same vowel with another stress."""

    def __init__(self, codes: Sequence[str]):
        self.token_of = {code: token for token, code in enumerate(codes)}

    def encode(self, codes: Sequence[str]) -> list[int]:
        """Raises ValueError naming a code that is neither known nor known with another stress."""
        return [self._encode_one(code) for code in codes]

    def _encode_one(self, code: str) -> int:
        for candidate in (code, *(code.rstrip("012") + stress for stress in ("1", "2", "0", ""))):
            if candidate in self.token_of:
                return self.token_of[candidate]
        raise ValueError(f"unknown phoneme {code!r}: the model knows {' '.join(self.token_of)}")


def check_phonemes(phonemes: Sequence[str]) -> list[str]:
    """As a list. Raises TypeError or ValueError for anything else than codes."""
    if not isinstance(phonemes, (list, tuple)) or not all(isinstance(code, str) for code in phonemes):
        raise TypeError("phonemes is no list of str: use synthesize_from_text for text")
    if len(phonemes) == 0:
        raise ValueError("there are no phonemes to say")
    return list(phonemes)


def check_durations(durations: Sequence[int], n_phonemes: int, limit: int) -> list[int]:
    """As a list of whole numbers of frames, 0 to `limit`. Raises TypeError or ValueError for anything else."""
    durations = durations.tolist() if hasattr(durations, "tolist") else durations
    if not isinstance(durations, (list, tuple)):
        raise TypeError(f"durations is a {type(durations).__name__}, expected a list of int")
    if len(durations) != n_phonemes:
        raise ValueError(f"{len(durations)} durations for {n_phonemes} phonemes: give one for each")
    for duration in durations:
        if isinstance(duration, bool) or not isinstance(duration, numbers.Integral):
            raise TypeError(f"a duration is {duration!r}: give whole numbers of frames")
        if not 0 <= duration <= limit:
            raise ValueError(f"a duration is {duration}: give 0 to {limit} frames of 11.6 ms")
    if sum(durations) == 0:
        raise ValueError("all durations are 0: nothing would be said")
    return [int(duration) for duration in durations]


def check_chunk(chunk: int) -> int:
    """Raises TypeError or ValueError for what is no number of frames."""
    if isinstance(chunk, bool) or not isinstance(chunk, numbers.Integral):
        raise TypeError(f"chunk is {chunk!r}: give a whole number of frames, at least 1")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}: give at least 1 frame")
    return int(chunk)


def check_threads(threads: int | None) -> int | None:
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}: give at least 1")
    return threads


def round_durations(durations: np.ndarray, tempo: float) -> list[int]:
    """(N,) frames, not rounded -> whole frames, at least 1 each, `tempo` times as fast.

    Rounded along the utterance, so that the remainders add up and the tempo is kept.
    Raises ValueError for NaN and infinity.
    """
    if not np.isfinite(durations).all():
        raise ValueError(DAMAGED)
    frames = np.clip(durations / np.float32(tempo), 1, LONGEST)
    ends = np.floor(frames.cumsum(dtype=np.float32) + np.float32(0.5))
    return np.diff(ends, prepend=0).astype(int).tolist()


def cut_at_pause(phonemes: Sequence[str]) -> int:
    """Where to cut phonemes that are too many: after the pause nearest to the middle, or in the middle."""
    middle = len(phonemes) / 2
    pauses = [place + 1 for place, code in enumerate(phonemes[:-1]) if code == PAUSE and place > 0]
    return min(pauses or [int(middle)], key=lambda place: abs(place - middle))


class Request(NamedTuple):
    """What is to be said in one go."""

    phonemes: list[str]  # N codes
    durations: list[int] | None = None  # N frames, or to be predicted
    features: Mapping[str, Sequence] = {}  # N values each
    words: Sequence = ()  # of `english.spoken_words`, if it is a sentence

    def checked(self, max_frames: int) -> Request:
        """The same. Raises TypeError or ValueError where lengths and values are not as they should be."""
        phonemes, durations = check_phonemes(self.phonemes), self.durations
        if durations is not None:
            durations = check_durations(durations, len(phonemes), max_frames)
        if any(len(row) != len(phonemes) for row in self.features.values()):
            raise ValueError(f"there are {len(phonemes)} phonemes: give as many values of {', '.join(self.features)}")
        return self._replace(phonemes=phonemes, durations=durations)

    def halves(self) -> Iterator[Request]:
        cut = cut_at_pause(self.phonemes)
        for part in (slice(cut), slice(cut, None)):
            features = {name: row[part] for name, row in self.features.items()}
            durations = None if self.durations is None else self.durations[part]
            yield Request(self.phonemes[part], durations, features)


# What an engine makes of requests: for each, what is spoken, or its number of frames where there is nothing to be heard
# or the model does not reach so far.
Predict = Callable[[Sequence[Request]], Sequence]


def predict_in_pieces(predict: Predict, request: Request, max_phonemes: int) -> Iterator:
    """What is spoken of a request. What is too long is cut in two, again and again."""
    if len(request.phonemes) > max_phonemes:
        for half in request.halves():
            yield from predict_in_pieces(predict, half, max_phonemes)
    else:
        yield from _pieces_of(predict, predict([request])[0], request, max_phonemes)


def _pieces_of(predict: Predict, spoken, request: Request, max_phonemes: int) -> Iterator:
    """`spoken` is what `predict` made of it."""
    if not isinstance(spoken, int):
        yield spoken
    elif spoken > 0 and len(request.phonemes) == 1:
        raise ValueError(f"{request.phonemes[0]} would last {spoken} frames, more than the model reaches")
    elif spoken > 0:
        for half in request.halves():
            yield from predict_in_pieces(predict, half, max_phonemes)


def one_ahead(values: Iterable) -> Iterator:
    """The same values; while one is used, a thread already computes the next."""
    values, end = iter(values), object()
    value = next(values, end)
    with ThreadPoolExecutor(1) as worker:
        while value is not end:
            following = worker.submit(next, values, end)
            yield value
            value = following.result()


def predict_many(
    predict: Predict, texts: Iterable[Sequence[Request]], max_phonemes: int, batch_size: int
) -> Iterator[list]:
    """What is spoken of each text, of one request a sentence, in order. Sentences of similar length are predicted
    together; those of a few texts are collected for that, so memory stays flat however many there are."""
    texts = iter(texts)
    while True:
        collected, n_sentences = [], 0
        while n_sentences < 4 * batch_size and (sentences := next(texts, None)) is not None:
            collected.append(sentences)
            n_sentences += len(sentences)
        if not collected:
            return
        requests = [request for sentences in collected for request in sentences]
        spoken = iter(_predict_sorted(predict, requests, max_phonemes, batch_size))
        for sentences in collected:
            found = [next(spoken) for _ in sentences]
            yield [piece._replace(sentence=index, words=sentence.words)
                   for index, (sentence, pieces) in enumerate(zip(sentences, found)) for piece in pieces]


def _predict_sorted(predict: Predict, requests: Sequence[Request], max_phonemes: int, batch_size: int) -> list[list]:
    order = sorted(range(len(requests)), key=lambda place: len(requests[place].phonemes))
    found: dict[int, list] = {}
    for first in range(0, len(order), batch_size):
        places = order[first : first + batch_size]
        fitting = [place for place in places if len(requests[place].phonemes) <= max_phonemes]
        spoken = dict(zip(fitting, predict([requests[place] for place in fitting]) if fitting else []))
        for place in places:
            request = requests[place]
            if place in spoken:
                found[place] = list(_pieces_of(predict, spoken[place], request, max_phonemes))
            else:
                found[place] = list(predict_in_pieces(predict, request, max_phonemes))
    return [found[place] for place in range(len(requests))]
