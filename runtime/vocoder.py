"""Our vocoder with onnxruntime and numpy: `vocoder.network` says how it works, here it is for predicted spectrograms.

    log-mel (80, T), pitch (T,) -> filters -> voice and noise (256 T,) -> gains in short windows -> audio (1, 256 T)

Letters: T frames, F = 513 frequencies (129 of short windows), S short windows, K pitch classes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.archive import Archive
from vocoder import layout
from vocoder.layout import (
    HIGHEST_HARMONIC,
    MARGIN,
    NOISE_FRAMES,
    PITCH_REACH,
    SHORT_HOP,
    SHORT_PER_FRAME,
    SHORT_SIZE,
    SHORT_START,
)
from vocoder.spectrogram import FFT_SIZE, MEL_SCALE_BINS, SAMPLING_RATE, STFT_HOP_LENGTH

BLOCK_SAMPLES = 2**16  # windows of so many samples are transformed at once


class Vocoder:
    """Log-mel spectrograms as a voice predicts them, (80, T) -> audio (1, 256 T), float32 in [-1, 1]."""

    def __init__(self, archive: Archive):
        self.config = archive.vocoder
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
            pulses, phases = pulse_train(self.decode_pitch(filters["pitch"], expected)[wanted], phase)
            inside = slice(part.rough.start - part.seen.start, part.rough.stop - part.seen.start)
            noise = noise_frames(part.rough)
            audio = self.render({name: values[inside] for name, values in filters.items()}, pulses, noise)
            start = (part.begin - part.rough.start + MARGIN) * STFT_HOP_LENGTH - SHORT_START
            audio = audio[None, start : start + (part.end - part.begin) * STFT_HOP_LENGTH]
            if not np.isfinite(audio).all():
                raise ValueError("the vocoder makes no finite audio of this spectrogram: its weights are damaged")
            yield audio.clip(-1, 1)
            phase = phases[part.following - part.pitch.start]

    def decode_pitch(self, logits: np.ndarray, expected: np.ndarray | None) -> np.ndarray:
        """(T, K) -> (T,) Hz: the mean around the likeliest class, near the pitch `expected` (T,) in Hz."""
        if expected is not None:
            distances = self.log2_pitches - np.log2(expected.astype(np.float32))[:, None]  # octaves
            distances *= distances
            distances *= np.float32(-0.5 * (12 / layout.PITCH_STD) ** 2)
            logits = np.add(logits, distances, out=distances)
        frames, best = np.arange(len(logits))[:, None], logits.argmax(1)[:, None]
        near = best + np.arange(-PITCH_REACH, PITCH_REACH + 1)
        inside = near.clip(0, self.config.n_pitches - 1)
        weights = np.exp(logits[frames, inside] - logits[frames, best]) * (near == inside)
        return np.exp2((weights * self.log2_pitches[inside]).sum(1) / weights.sum(1))

    def render(self, filters: dict[str, np.ndarray], pulses: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Filters of T frames, the voice's pulses (256 (T + 3),), spectra of noise (T, F) -> audio, from sample
        SHORT_START of the first window on."""
        n_frames, n_windows = len(noise), SHORT_PER_FRAME * len(noise)

        def voiced(part: slice) -> np.ndarray:
            factors = polar(filters["voice"][part], filters["phase"][part])
            return np.multiply(factors, spectra(pulses, FFT_SIZE, part), out=factors)

        sources = [overlap_add(voiced, n_frames, FFT_SIZE)]
        sources.append(overlap_add(lambda part: noise[part] * filters["noise"][part], n_frames, FFT_SIZE))
        inside = slice(SHORT_START, SHORT_START + (n_windows + 3) * SHORT_HOP)
        short_voice, short_noise = (short_spectra(source[inside], n_windows) for source in sources)
        gains = self.gains(log_power=log_power(short_voice), details=filters["details"])

        def shaped(part: slice) -> np.ndarray:
            short_noise[part] *= gains["noise"][part]
            factors = polar(gains["voice"][part], gains["phase"][part])
            factors *= short_voice[part]
            factors += short_noise[part]
            return factors

        return overlap_add(shaped, n_windows, SHORT_SIZE)


def check(spectrogram: np.ndarray, chunk: int, pitch: np.ndarray | None) -> None:
    if spectrogram.ndim != 2 or spectrogram.shape[0] != MEL_SCALE_BINS or spectrogram.shape[1] == 0:
        raise ValueError(f"expected ({MEL_SCALE_BINS}, T) with T > 0, got {spectrogram.shape}")
    if not np.isfinite(spectrogram).all():
        raise ValueError("the spectrogram holds NaN or infinity")
    layout.check_log_mel(float(np.abs(spectrogram).max()))
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}: give at least 1 frame")
    lowest, highest = layout.PITCH_LIMITS
    if pitch is None:
        return
    if pitch.shape != spectrogram.shape[1:] or not ((lowest <= pitch) & (pitch <= highest)).all():
        n_frames = spectrogram.shape[1]
        raise ValueError(f"expected a pitch > 0 Hz for each of {n_frames} frames, {lowest:g} to {highest:g}")


# -------- Sources ----------------------------------------------------------------------------------------------------


def pulse_train(pitch: np.ndarray, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Pitch (T + 2 MARGIN,) in Hz -> samples (256 (T + 3),) of a pulse train, and the phase at each frame, in cycles.

    `phase` is that at the centre of the first of these frames. See `vocoder.network.Vocoder.pulse_frames`.
    """
    cycles = pitch.astype(np.float64) / SAMPLING_RATE  # a sample
    advance = (cycles[1:] + cycles[:-1]) * (STFT_HOP_LENGTH / 2)  # to the next frame, linearly
    phases = (phase + np.concatenate([[0.0], advance.cumsum()])) % 1
    k = np.arange(STFT_HOP_LENGTH)
    powers = np.stack([np.ones_like(k), k, k * k / 2]).astype(np.float32)
    terms = np.stack([phases[:-1], cycles[:-1], np.diff(cycles) / STFT_HOP_LENGTH], axis=1).astype(np.float32)
    train = np.empty((len(terms), STFT_HOP_LENGTH), np.float32)  # (T + 3, 256)
    for part in blocks(len(terms)):
        samples = terms[part] @ powers
        samples -= np.rint(samples)
        train[part] = pulses(samples, terms[part, 1:] @ powers[:2])
    return train.ravel(), phases


def pulses(phase: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """`vocoder.network.pulses`, for a phase from -0.5 to 0.5 cycles, scaled for `spectra`."""
    top = np.floor(np.divide(np.float32(HIGHEST_HARMONIC / SAMPLING_RATE), cycles, dtype=np.float32))
    top *= 2
    top += 1
    x = phase * np.float32(math.pi)
    below = np.sin(x)
    at_pulse = np.abs(below) < 1e-7
    below[at_pulse] = 1
    x *= top
    kernel = np.sin(x, out=x)
    kernel /= below
    kernel[at_pulse] = top[at_pulse]
    kernel -= 1
    kernel *= np.float32(0.5 / (FFT_SIZE / 4))
    return kernel


@functools.cache
def noise_spectra() -> np.ndarray:
    """(NOISE_FRAMES, F) of white noise, over its mean amplitude around each frequency."""
    noise = layout.white_noise()
    frames = spectra(np.concatenate([noise, noise[: FFT_SIZE - STFT_HOP_LENGTH]]), FFT_SIZE, slice(0, NOISE_FRAMES))
    padded = np.pad(np.abs(frames), ((0, 0), (1, 1)), mode="reflect")
    return frames / np.maximum((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3, np.float32(1e-6))


def noise_frames(part: slice) -> np.ndarray:
    """Some frames of the noise, which repeats."""
    if part.stop <= NOISE_FRAMES:
        return noise_spectra()[part]
    return noise_spectra()[np.arange(part.start, part.stop) % NOISE_FRAMES]


# -------- Short-time Fourier transforms ------------------------------------------------------------------------------


def blocks(n: int, size: int = FFT_SIZE) -> Iterator[slice]:
    """Slices of n windows of a size, few enough to stay in a processor's cache."""
    step = BLOCK_SAMPLES // size
    return (slice(first, min(first + step, n)) for first in range(0, n, step))


@functools.cache
def window(size: int) -> np.ndarray:
    return np.hanning(size + 1)[:-1].astype(np.float32)


def spectra(samples: np.ndarray, size: int, part: slice) -> np.ndarray:
    """Contiguous (S,) -> (T, F): a part of the Hann windows that begin every quarter of their size."""
    hop, step = size // 4, samples.itemsize
    overlapping = as_strided(samples[part.start * hop :], (part.stop - part.start, size), (hop * step, step))
    # norm="forward" divides by the size. Without it NumPy computes in double precision, which takes five times as long.
    return np.fft.rfft(overlapping * (window(size) * np.float32(size)), norm="forward")


def short_spectra(samples: np.ndarray, n_windows: int) -> np.ndarray:
    """All of n short windows, from the first sample on -> (n, F)."""
    result = np.empty((n_windows, SHORT_SIZE // 2 + 1), np.complex64)
    for part in blocks(n_windows, SHORT_SIZE):
        result[part] = spectra(samples, SHORT_SIZE, part)
    return result


def log_power(spectra: np.ndarray) -> np.ndarray:
    """What the network for short windows sees of them: (S, F) complex -> (S, F)."""
    result = np.empty(spectra.shape, np.float32)
    for part in blocks(len(spectra), SHORT_SIZE):
        power = np.square(spectra.real[part], out=result[part])
        power += np.square(spectra.imag[part])
        power += np.float32(layout.LOUDNESS_FLOOR / layout.LOUDNESS_SCALE)
        np.log(power, out=power)
    return result


def overlap_add(spectra_of: Callable[[slice], np.ndarray], n_windows: int, size: int) -> np.ndarray:
    """Spectra of a part of n windows -> samples ((n + 3) size / 4,): least-squares inverse (Griffin and Lim 1984)."""
    summed, quarter = np.zeros((n_windows + 3, size // 4), np.float32), size // 4
    squares = (window(size) ** 2).reshape(4, quarter)
    weights = window(size) / np.tile(squares.sum(0), 4)
    for part in blocks(n_windows, size):
        frames = np.fft.irfft(spectra_of(part))
        frames *= weights
        for place in range(4):
            summed[part.start + place : part.stop + place] += frames[:, place * quarter : (place + 1) * quarter]
    for row in {0, 1, 2, n_windows, n_windows + 1, n_windows + 2}:  # at either end fewer windows overlap
        there = squares[max(0, row + 1 - n_windows) : row + 1].sum(0)
        summed[row] *= squares.sum(0) / np.maximum(there, np.float32(1e-3))
    return summed.ravel()


def polar(amplitude: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Complex numbers of these amplitudes and phases."""
    result = np.empty(phase.shape, np.complex64)
    np.multiply(amplitude, np.cos(phase), out=result.real)
    np.multiply(amplitude, np.sin(phase), out=result.imag)
    return result
