"""What a voice is asked to say: phonemes and durations are checked, encoded, cut to a length that the model can speak.

numpy only: both engines need it, the one with PyTorch and the one without.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from english import PAUSE

Spoken = TypeVar("Spoken")


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


def check_features(features: Mapping[str, Sequence], n_phonemes: int) -> None:
    """Raises ValueError where a feature has not one value for each phoneme."""
    if any(len(row) != n_phonemes for row in features.values()):
        raise ValueError(f"there are {n_phonemes} phonemes: give as many values of {', '.join(features)}")


def round_durations(durations: np.ndarray, tempo: float) -> list[int]:
    """(N,) frames, not rounded -> whole frames, at least 1 each, `tempo` times as fast.

    Rounded along the utterance, so that the remainders add up and the tempo is kept.
    """
    ends = np.floor(np.maximum(durations / np.float32(tempo), 1).cumsum(dtype=np.float32) + np.float32(0.5))
    return np.diff(ends, prepend=0).astype(int).tolist()


def cut_at_pause(phonemes: Sequence[str]) -> int:
    """Where to cut phonemes that are too many: after the pause nearest to the middle, or in the middle."""
    middle = len(phonemes) / 2
    pauses = [place + 1 for place, code in enumerate(phonemes[:-1]) if code == PAUSE and place > 0]
    return min(pauses or [int(middle)], key=lambda place: abs(place - middle))


def speak_in_pieces(
    speak: Callable[[list, list | None, Mapping], Spoken | None], phonemes: list, durations: list | None,
    features: Mapping[str, Sequence], max_phonemes: int,
) -> Iterator[Spoken]:  # fmt: skip
    """What `speak` makes of the phonemes, with their durations and features; cut in two, again and again, what is more
    than `max_phonemes`, and what `speak` finds too long, for which it raises `TooLong`. It gives None for silence."""
    if len(phonemes) <= max_phonemes:
        try:
            spoken = speak(phonemes, durations, features)
        except TooLong as error:
            if len(phonemes) == 1:
                raise ValueError(f"{phonemes[0]} would last {error.n_frames} frames, {error}") from None
        else:
            if spoken is not None:
                yield spoken
            return
    cut = cut_at_pause(phonemes)
    for piece in (slice(cut), slice(cut, None)):
        own = {name: row[piece] for name, row in features.items()}
        yield from speak_in_pieces(speak, phonemes[piece], durations[piece] if durations else None, own, max_phonemes)


class TooLong(Exception):
    """What was to be spoken in one piece would have `n_frames`, more than the model reaches."""

    def __init__(self, n_frames: int, limit: int):
        super().__init__(f"the model reaches {limit}")
        self.n_frames = n_frames
