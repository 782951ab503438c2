"""What a spectrogram is in this project: the convention of Tacotron 2 and WaveGlow. numpy only.

22 050 Hz mono audio in [-1, 1] -> centred 1024-sample Hann STFT every 256 samples, with reflect padding -> magnitudes
-> 80 Slaney mel bands of 0-8000 Hz, normalised by area -> natural logarithm of max(x, 1e-5).

Letters: S samples, T frames, F = 513 frequencies, M = 80 bands.
"""

from __future__ import annotations

import functools

import numpy as np

SAMPLING_RATE = 22050  # Hz
FFT_SIZE = 1024  # samples, also the length of the Hann window
STFT_HOP_LENGTH = 256  # samples from one frame to the next
FRAME_MILLISECONDS = 1000 * STFT_HOP_LENGTH / SAMPLING_RATE
N_FREQUENCIES = FFT_SIZE // 2 + 1
MEL_SCALE_BINS = 80
MAX_FREQUENCY = 8000.0  # Hz, the upper end of the last mel band
MEL_FLOOR = 1e-5  # of magnitudes, before the logarithm
SPECTROGRAMS_MEAN = -5.529334  # of log-mel values, over all of LJ Speech
SPECTROGRAMS_STD = 2.0827525
SPECTROGRAMS_MIN = -11.52  # log(MEL_FLOOR), rounded down
SPECTROGRAMS_MAX = 2.08


def mel_to_hertz(mels: np.ndarray) -> np.ndarray:
    """Slaney's scale: linear up to 1000 Hz (15 mel), logarithmic above."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (np.maximum(mels, 15) - 15)))


@functools.cache
def mel_bands() -> np.ndarray:
    """(F, M) float32: `magnitudes @ mel_bands()` are mel magnitudes. Triangles, each of area 1 over Hz."""
    last = 15 + 27 * np.log(MAX_FREQUENCY / 1000) / np.log(6.4)  # in mel
    edges = mel_to_hertz(np.linspace(0, last, MEL_SCALE_BINS + 2))
    frequencies = np.linspace(0, SAMPLING_RATE / 2, N_FREQUENCIES)[:, None]
    rising = (frequencies - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies) / np.diff(edges)[1:]
    triangles = np.minimum(rising, falling).clip(0)
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)


def mel_spectrogram(audio: np.ndarray) -> np.ndarray:
    """Samples (S,) at SAMPLING_RATE, S > 512 -> log-mel (80, T) float32, T = S // 256 + 1."""
    padded = np.pad(np.asarray(audio, dtype=np.float64), FFT_SIZE // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SIZE)[::STFT_HOP_LENGTH]  # (T, 1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SIZE) / FFT_SIZE)
    magnitudes = np.abs(np.fft.rfft(frames * window))  # (T, F)
    return np.log((magnitudes @ mel_bands()).clip(MEL_FLOOR)).T.astype(np.float32)
