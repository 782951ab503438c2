"""Our vocoder with onnxruntime and numpy: `vocoder.network` says how it works, here it is for predicted spectrograms.

    log-mel (80, T), pitch (T,) -> filters -> voice and noise (256 T,) -> gains in short windows -> audio (1, 256 T)

Letters: T frames, F = 513 frequencies (129 of short windows), S short windows, K pitch classes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from runtime.archive import Archive
from vocoder import layout
from vocoder.layout import HIGHEST_HARMONIC, MARGIN, NOISE_FRAMES, PITCH_REACH, SHORT_HOP, SHORT_SIZE, SHORT_START
from vocoder.spectrogram import FFT_SIZE, MEL_SCALE_BINS, SAMPLING_RATE, STFT_HOP_LENGTH


class Vocoder:
    """Log-mel spectrograms as a voice predicts them, (80, T) -> audio (1, 256 T), float32 in [-1, 1]."""

    def __init__(self, archive: Archive):
        self.config = layout.Config(**archive.vocoder)
        self.filters, self.gains = archive.network("filters"), archive.network("gains")
        classes = np.arange(self.config.n_pitches) * self.config.pitch_step / 1200
        self.log2_pitches = (math.log2(self.config.lowest_pitch) + classes).astype(np.float32)

    def __call__(self, spectrogram: np.ndarray, pitch: np.ndarray | None = None) -> np.ndarray:
        """`pitch` (T,) in Hz is what the spectrogram was made with, where it is known."""
        return np.concatenate(list(self.stream(spectrogram, spectrogram.shape[-1], pitch)), axis=1)

    def stream(
        self, spectrogram: np.ndarray, chunk: int = 32, pitch: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """The same audio in pieces (1, 256 n), each as soon as it is ready; see `layout.chunks`.

        Raises ValueError for other shapes, for NaN and infinity.
        """
        check(spectrogram, chunk, pitch)
        mels, n_frames = np.ascontiguousarray(spectrogram.T, np.float32), spectrogram.shape[1]
        phase = 0.0
        for part in layout.chunks(n_frames, chunk, self.config, correcting=False):
            filters = self.filters(mels=mels[part.seen])
            wanted = np.arange(part.pitch.start, part.pitch.stop).clip(0, n_frames - 1) - part.seen.start
            expected = None if pitch is None else pitch[part.seen]
            pulses, phases = pulse_frames(self.decode_pitch(filters["pitch"], expected)[wanted], phase)
            inside = slice(part.rough.start - part.seen.start, part.rough.stop - part.seen.start)
            noise = noise_spectra()[np.arange(part.rough.start, part.rough.stop) % NOISE_FRAMES]
            audio = self.render({name: values[inside] for name, values in filters.items()}, pulses, noise)
            start = (part.begin - part.rough.start + MARGIN) * STFT_HOP_LENGTH - SHORT_START
            yield audio[None, start : start + (part.end - part.begin) * STFT_HOP_LENGTH].clip(-1, 1)
            phase = phases[part.following - part.pitch.start]

    def decode_pitch(self, logits: np.ndarray, expected: np.ndarray | None) -> np.ndarray:
        """(T, K) -> (T,) Hz: the mean around the likeliest class, near the pitch `expected` (T,) in Hz."""
        if expected is not None:
            semitones = 12 * (self.log2_pitches - np.log2(expected.astype(np.float32))[:, None])
            logits = logits - 0.5 * (semitones / np.float32(layout.PITCH_STD)) ** 2
        best = logits.argmax(1)[:, None]
        near = best + np.arange(-PITCH_REACH, PITCH_REACH + 1)
        inside = near.clip(0, self.config.n_pitches - 1)
        likely = np.take_along_axis(logits, inside, 1) - np.take_along_axis(logits, best, 1)
        weights = np.exp(likely) * (near == inside)
        return np.exp2((weights * self.log2_pitches[inside]).sum(1) / weights.sum(1))

    def render(self, filters: dict[str, np.ndarray], pulses: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Filters of T frames, spectra (T, F) of both sources -> audio, from sample SHORT_START of the first window."""
        n_frames = len(pulses)
        both = np.stack([pulses, noise])
        both[0] *= polar(filters["voice"], filters["phase"])
        both[1] *= filters["noise"]
        parts = overlap_add(both)[:, SHORT_START : SHORT_START + n_frames * STFT_HOP_LENGTH + SHORT_SIZE - SHORT_HOP]
        voice, noise = spectra(parts, SHORT_SIZE)  # (4 T, F) each
        power = voice.real**2 + voice.imag**2
        loudness = np.log(power * np.float32((4 / SHORT_SIZE) ** 2) + np.float32(layout.LOUDNESS_FLOOR)) / 6 + 2
        gains = self.gains(loudness=loudness, details=filters["details"])
        voice *= polar(gains["voice"], gains["phase"])
        noise *= gains["noise"]
        voice += noise
        return overlap_add(voice[None])[0]


def check(spectrogram: np.ndarray, chunk: int, pitch: np.ndarray | None) -> None:
    if spectrogram.ndim != 2 or spectrogram.shape[0] != MEL_SCALE_BINS or spectrogram.shape[1] == 0:
        raise ValueError(f"expected ({MEL_SCALE_BINS}, T) with T > 0, got {spectrogram.shape}")
    if not np.isfinite(spectrogram).all():
        raise ValueError("the spectrogram holds NaN or infinity")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}: give at least 1 frame")
    if pitch is not None and (pitch.shape != spectrogram.shape[1:] or not (pitch > 0).all()):
        raise ValueError(f"expected a pitch > 0 Hz for each of {spectrogram.shape[1]} frames")


# -------- Sources ----------------------------------------------------------------------------------------------------


def pulse_frames(pitch: np.ndarray, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Pitch (T + 2 MARGIN,) in Hz -> spectra (T, F) of a pulse train, and the phase at each frame, in cycles.

    `phase` is that at the centre of the first of these frames.
    """
    cycles = pitch.astype(np.float64) / SAMPLING_RATE  # a sample
    advance = (cycles[1:] + cycles[:-1]) * (STFT_HOP_LENGTH / 2)  # to the next frame, linearly
    phases = (phase + np.concatenate([[0.0], advance.cumsum()])) % 1
    k = np.arange(STFT_HOP_LENGTH)
    start, slope = cycles[:-1, None], np.diff(cycles)[:, None] / STFT_HOP_LENGTH
    samples = phases[:-1, None] + start * k + slope * (k * k / 2)
    samples -= np.rint(samples)
    train = pulse_train(samples.astype(np.float32).ravel(), (start + slope * k).ravel())
    return spectra(train, FFT_SIZE) / np.float32(FFT_SIZE / 4), phases


def pulse_train(phase: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """`vocoder.network.pulses`: phase (S,) in cycles, -0.5 to 0.5, and cycles a sample -> cosines of all harmonics."""
    n_harmonics = np.floor(HIGHEST_HARMONIC / SAMPLING_RATE / cycles).astype(np.float32)
    x = phase * np.float32(math.pi)
    top, below = 2 * n_harmonics + 1, np.sin(x)
    at_pulse = np.abs(below) < 1e-7
    kernel = np.sin(top * x) / np.where(at_pulse, np.float32(1), below)
    return (np.where(at_pulse, top, kernel) - 1) / 2


@functools.cache
def noise_spectra() -> np.ndarray:
    """(NOISE_FRAMES, F) of white noise, over its mean amplitude around each frequency."""
    noise = layout.white_noise()
    frames = spectra(np.concatenate([noise, noise[: FFT_SIZE - STFT_HOP_LENGTH]]), FFT_SIZE)
    padded = np.pad(np.abs(frames), ((0, 0), (1, 1)), mode="reflect")
    return frames / np.maximum((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3, np.float32(1e-6))


# -------- Short-time Fourier transforms ------------------------------------------------------------------------------


@functools.cache
def window(size: int) -> np.ndarray:
    return np.hanning(size + 1)[:-1].astype(np.float32)


def spectra(samples: np.ndarray, size: int) -> np.ndarray:
    """(..., S) -> (..., T, F): of Hann windows that begin every quarter of their size, T = 4 (S - size) / size + 1."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[..., :: size // 4, :]
    # norm="forward" divides by the size. Without it NumPy computes in double precision, which takes five times as long.
    return np.fft.rfft(frames * (window(size) * np.float32(size)), norm="forward")


def overlap_add(spectra: np.ndarray) -> np.ndarray:
    """(B, T, F) -> (B, (T + 3) size / 4): least-squares inverse of `spectra` (Griffin and Lim 1984)."""
    n_frames, size = spectra.shape[1], 2 * (spectra.shape[2] - 1)
    frames = np.fft.irfft(spectra)
    frames *= window(size)
    return fold(frames) / window_power(n_frames, size)


def fold(windows: np.ndarray) -> np.ndarray:
    """(B, T, W) windows, one every W / 4 samples -> their sum (B, (T + 3) W / 4)."""
    n, n_frames, size = windows.shape
    quarters = windows.reshape(n, n_frames, 4, size // 4)
    summed = np.zeros((n, n_frames + 3, size // 4), np.float32)
    for place in range(4):
        summed[:, place : place + n_frames] += quarters[:, :, place]
    return summed.reshape(n, -1)


@functools.lru_cache(maxsize=8)
def window_power(n_frames: int, size: int) -> np.ndarray:
    """((T + 3) size / 4,): the sum of the squared windows."""
    squared = np.broadcast_to(window(size) ** 2, (1, n_frames, size))
    return np.maximum(fold(squared)[0], np.float32(1e-3))


def polar(amplitude: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Complex numbers of these amplitudes and phases."""
    result = np.empty(phase.shape, np.complex64)
    np.multiply(amplitude, np.cos(phase), out=result.real)
    np.multiply(amplitude, np.sin(phase), out=result.imag)
    return result
