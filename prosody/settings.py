"""What the extension is, stored in the checkpoint, and how it speaks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from vocoder.settings import Checked, check_number, setting


@dataclass(frozen=True)
class Settings(Checked):
    """Of the pitch model and the pitch encoding."""

    lowest_pitch: float = setting(88.2, "Hz; what is lower or higher sounds like the lowest or highest", 20, 2000)
    highest_pitch: float = setting(416.0, "Hz", 20, 2000)
    n_pitches: int = setting(32, "between them, 0.87 semitones from one to the next", 2, 1000)
    pitch_embedding: int = setting(64, "of the phonemes, for the pitch model: the encoder's overfits", 1, 2048)
    pitch_width: int = setting(128, "of each direction of its GRU", 1, 2048)
    cue_embedding: int = setting(16, "of the cues", 1, 2048)
    cue_dropout: float = setting(0.1, "part without cues, like phonemes that come without a text", 0, 0.99)
    pitch_dropout: float = setting(0.4, "in the pitch model", 0, 0.99)

    def __post_init__(self):
        super().__post_init__()
        if self.lowest_pitch >= self.highest_pitch:
            raise ValueError(f"lowest_pitch is {self.lowest_pitch}: give less than highest_pitch, {self.highest_pitch}")

    @property
    def log_pitch_mean(self) -> float:
        """Of the logarithm of Hz: what the pitch model's output is normalised with."""
        return math.log(self.lowest_pitch * self.highest_pitch) / 2

    @property
    def log_pitch_std(self) -> float:
        return math.log(self.highest_pitch / self.lowest_pitch) / 6


@dataclass(frozen=True)
class Style:
    """How the voice speaks. The defaults were chosen for the shipped voice."""

    pitch_shift: float = -0.3  # semitones above the prediction; this gives the speaker's mean
    intonation: float = 1.35  # how far the predicted melody, a mean of likely ones, goes up and down: 0 is flat
    question_rise: float = 5.0  # semitones that the end of a yes/no question is above the prediction
    denoising: float = 10.0  # times the power of the room's noise that is taken away; 0 leaves it
    dereverberation: float = 0.1  # times the power of the room's echo that is taken away
    speaker: float = 0.0  # who speaks: 0 the speaker, 1 the second one, whom no room surrounds; between them, a mixture

    RANGES: ClassVar = {  # beyond them it is no speech
        "pitch_shift": (-24, 24), "intonation": (-5, 5), "question_rise": (-24, 24),
        "denoising": (0, 1000), "dereverberation": (0, 10), "speaker": (0, 1),
    }  # fmt: skip

    @property
    def room(self) -> tuple[float, float]:
        """How much of noise and echo is taken away from whoever speaks."""
        return (1 - self.speaker) * self.denoising, (1 - self.speaker) * self.dereverberation

    def __post_init__(self):
        for field in fields(self):
            check_number(field.name, getattr(self, field.name), *self.RANGES[field.name])
