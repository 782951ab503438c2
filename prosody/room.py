"""A predicted spectrogram with less of the room's noise and echo, and with soft ends. numpy only.

A voice learns the room that it was recorded in. In the recordings the room never stops; around synthesised sentences
there is silence, and a room that breaks off sounds like a fault.
"""

from __future__ import annotations

import math

import numpy as np

from vocoder.spectrogram import FRAME_MILLISECONDS, SPECTROGRAMS_MIN

LEAST_POWER = 0.015  # part of a band's power that is always left: -18 dB
ECHO_SECONDS = 0.3  # in which the room's echo fades by 60 dB
LATE_FRAMES = 4  # 46 ms, the window of the spectrogram: what is later than that is echo
FADE_FRAMES = 5  # 58 ms


def dry(spectrogram: np.ndarray, noise_floor: np.ndarray, denoising: float, dereverberation: float) -> np.ndarray:
    """Subtract noise and echo from log-mel (80, T): spectral subtraction (Boll 1979, Lebart et al. 2001).

    `denoising` is how many times the power of the noise (80,) is taken away, `dereverberation` how many times that of
    `late_echo`.
    """
    power = np.exp(2 * spectrogram)
    room = denoising * np.exp(2 * noise_floor[:, None]) + dereverberation * np.exp(late_echo(spectrogram))
    return np.log(np.maximum(power - room, LEAST_POWER * power)) / 2


def late_echo(spectrogram: np.ndarray) -> np.ndarray:
    """Log-mel (80, T) -> (80, T) log power of the loudest that is left of frames LATE_FRAMES ago and before.

    They fade by 60 dB in ECHO_SECONDS, as in a room with an exponential decay (Polack 1988).
    """
    fading = math.log(1e6) * FRAME_MILLISECONDS / 1000 / ECHO_SECONDS  # of log power, in a frame
    faded = (fading * np.arange(spectrogram.shape[1])).astype(np.float32)
    echo = np.full_like(spectrogram, -np.inf)
    loudest = np.maximum.accumulate(2 * spectrogram[:, :-LATE_FRAMES] + faded[:-LATE_FRAMES], axis=1)
    np.subtract(loudest, faded[LATE_FRAMES:], out=echo[:, LATE_FRAMES:])
    return echo


def fade(spectrogram: np.ndarray, n_first: int, n_last: int) -> np.ndarray:
    """Fade log-mel (80, T) in over its first and out over its last frames, FADE_FRAMES at most."""
    n_first, n_last = min(n_first, FADE_FRAMES), min(n_last, FADE_FRAMES)
    log_gains = np.zeros(spectrogram.shape[1], np.float32)
    log_gains[:n_first] = rising(n_first)
    log_gains[len(log_gains) - n_last :] += rising(n_last)[::-1]
    return np.maximum(spectrogram + log_gains, np.float32(SPECTROGRAMS_MIN))


def rising(n_frames: int) -> np.ndarray:
    """(n,) log gains from silence to 0: a quarter of a squared sine."""
    return np.log(np.sin((np.arange(n_frames) + 0.5) / max(1, n_frames) * math.pi / 2) ** 2)
