"""What is done to a predicted spectrogram before it is spoken: less of the room's noise, and soft ends.

A voice learns the noise of the room that it was recorded in. In the recordings it has no beginning and no end; around
synthesised sentences there is silence, and noise that breaks off is heard as a fault.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lj_speech import SPECTROGRAMS_MIN

QUIET_PART = 1 / 16  # of the frames of recordings: these are pauses
LEAST_POWER = 0.03  # part of a band's power that is always left: 15 dB less
FADE_FRAMES = 5  # 58 ms


def read_noise_floor(dataset: Sequence[Mapping], n_utterances: int = 200) -> Tensor:
    """Of samples of `lj_speech.get_dataset`, some of them if there are more -> (80,) mean of the quietest frames."""
    chosen = range(0, len(dataset), max(1, len(dataset) // n_utterances))
    frames = torch.cat([torch.as_tensor(dataset[index]["spectrogram"]).float() for index in chosen], dim=1)
    loudness = frames.exp().sum(0)
    n_quiet = max(1, round(len(loudness) * QUIET_PART))
    return frames[:, loudness.argsort()[:n_quiet]].mean(1)


def denoise(spectrogram: Tensor, noise_floor: Tensor, strength: float) -> Tensor:
    """Log-mel (80, T) less `strength` times the power of the noise (80,): spectral subtraction (Boll 1979)."""
    power = (2 * spectrogram).exp()
    cleaned = power - strength * (2 * noise_floor[:, None]).exp()
    return torch.maximum(cleaned, LEAST_POWER * power).log() / 2


def fade(spectrogram: Tensor, n_first: int, n_last: int) -> Tensor:
    """Log-mel (80, T), which rises out of silence at first and sinks into it at last, in FADE_FRAMES at most."""
    n_first, n_last = min(n_first, FADE_FRAMES), min(n_last, FADE_FRAMES)
    log_gains = torch.zeros(spectrogram.shape[1])
    log_gains[:n_first] = rising(n_first)
    log_gains[len(log_gains) - n_last :] += rising(n_last).flip(0)
    return (spectrogram + log_gains.to(spectrogram.device)).clamp_min(SPECTROGRAMS_MIN)


def rising(n_frames: int) -> Tensor:
    """(n,) log gains from silence to 0: a quarter of a squared sine."""
    return ((torch.arange(n_frames) + 0.5) / max(1, n_frames) * math.pi / 2).sin().square().log()
