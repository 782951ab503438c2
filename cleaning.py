"""What is done to a predicted spectrogram before it is spoken: less of the room, its noise and its echo, and soft ends.

A voice learns the room that it was recorded in. In the recordings it has no beginning and no end; around synthesised
sentences there is silence, and a room that breaks off is heard as a fault.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lj_speech import FRAME_MILLISECONDS, SPECTROGRAMS_MIN

QUIET_PART = 1 / 16  # of the frames of recordings: these are pauses
LEAST_POWER = 0.015  # part of a band's power that is always left: 18 dB less
ECHO_SECONDS = 0.3  # in which the room's echo fades by 60 dB
LATE_FRAMES = 4  # 46 ms, the window of the spectrogram: what is later than that is echo
FADE_FRAMES = 5  # 58 ms


def read_noise_floor(dataset: Sequence[Mapping], n_utterances: int = 200) -> Tensor:
    """Of samples of `lj_speech.get_dataset`, some of them if there are more -> (80,) mean of the quietest frames."""
    chosen = range(0, len(dataset), max(1, len(dataset) // n_utterances))
    frames = torch.cat([torch.as_tensor(dataset[index]["spectrogram"]).float() for index in chosen], dim=1)
    loudness = frames.exp().sum(0)
    n_quiet = max(1, round(len(loudness) * QUIET_PART))
    return frames[:, loudness.argsort()[:n_quiet]].mean(1)


def dry(spectrogram: Tensor, noise_floor: Tensor, denoising: float, dereverberation: float) -> Tensor:
    """Log-mel (80, T) less parts of the power of noise and echo: spectral subtraction (Boll 1979, Lebart et al. 2001).

    `denoising` is how many times the power of the noise (80,) is taken away, `dereverberation` how many times that of
    `late_echo`.
    """
    power = (2 * spectrogram).exp()
    room = denoising * (2 * noise_floor[:, None]).exp() + dereverberation * late_echo(spectrogram).exp()
    return torch.maximum(power - room, LEAST_POWER * power).log() / 2


def late_echo(spectrogram: Tensor) -> Tensor:
    """Log-mel (80, T) -> (80, T) log power of the loudest that is left of frames LATE_FRAMES ago and before.

    They fade by 60 dB in ECHO_SECONDS, as in a room with an exponential decay (Polack 1988).
    """
    fading = math.log(1e6) * FRAME_MILLISECONDS / 1000 / ECHO_SECONDS  # of log power, in a frame
    faded = fading * torch.arange(spectrogram.shape[1], device=spectrogram.device)
    loudest = (2 * spectrogram + faded).cummax(1).values[:, :-LATE_FRAMES]
    return F.pad(loudest, (LATE_FRAMES, 0), value=-math.inf)[:, : len(faded)] - faded


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
