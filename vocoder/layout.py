"""The sizes of our vocoder, its noise and its chunks: what its two engines share. numpy only.

`vocoder.network` is the engine with PyTorch, `runtime.vocoder` the one without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vocoder.settings import Checked, setting
from vocoder.spectrogram import FFT_SIZE, SAMPLING_RATE, SPECTROGRAMS_MAX, SPECTROGRAMS_MIN, STFT_HOP_LENGTH

MARGIN = FFT_SIZE // (2 * STFT_HOP_LENGTH)  # frames on either side that overlap with a frame's first half
REACH = (FFT_SIZE - 1) // STFT_HOP_LENGTH  # frames on either side that overlap with a frame
SHORT_SIZE = FFT_SIZE // 4  # samples of the short window
SHORT_HOP = SHORT_SIZE // 4
N_SHORT_FREQUENCIES = SHORT_SIZE // 2 + 1
SHORT_PER_FRAME = STFT_HOP_LENGTH // SHORT_HOP
SHORT_START = (FFT_SIZE - SHORT_SIZE + SHORT_HOP) // 2  # of the first short window
LARGEST_GAIN = 3.0  # of a short window, natural logarithm
LARGEST_AMPLITUDE = 6.0  # of a filter, natural logarithm
HIGHEST_HARMONIC = 10000.0  # Hz; above, all is noise
NOISE_FRAMES = 512  # after which the noise repeats: 6 seconds
PITCH_STD = 2.0  # semitones, of the pitch around the one that is expected
PITCH_REACH = 4  # classes on either side of the likeliest one that its pitch is a mean of
NOISE_IN_VOICE = 0.6  # of what spectral losses ask for: to them a wavering voice is a noisy one
LOUDNESS_FLOOR = 1e-8  # of power in a short window
LOUDNESS_SCALE = (4 / SHORT_SIZE) ** 2  # from the power of a spectrum to that of a sine in it
LARGEST_LOG_MEL = 100.0  # beyond it, either way, a spectrogram is no log-mel
PITCH_LIMITS = 1.0, SAMPLING_RATE / 2  # Hz, of a pitch that is expected


@dataclass(frozen=True)
class Config(Checked):
    width: int = setting(256, "of the network", 1, 2048)
    n_blocks: int = setting(6, "of the network", 1, 64)
    kernel_size: int = setting(7, "frames: the network sees 21 to either side", 1, 63, odd=True)
    expansion: int = setting(1, "of the width inside a block", 1, 16)
    short_width: int = setting(96, "of the network for short windows", 1, 2048)
    n_short_blocks: int = setting(3, "of that network", 1, 64)
    lowest_pitch: float = setting(65.0, "Hz", 20, 2000)
    pitch_step: float = setting(20.0, "cents from one class to the next", 1, 1200)
    n_pitches: int = setting(180, "classes, up to 515 Hz", 2, 2000)

    def __post_init__(self):
        super().__post_init__()
        octaves = self.n_pitches * self.pitch_step / 1200
        if octaves > math.log2(SAMPLING_RATE / 2 / self.lowest_pitch):
            raise ValueError(f"n_pitches is {self.n_pitches}: from {self.lowest_pitch} Hz on, that many steps of "
                             f"{self.pitch_step} cents reach beyond {SAMPLING_RATE / 2:g} Hz")  # fmt: skip

    @property
    def context(self) -> int:
        """Frames that the network sees on either side."""
        return (1 + self.n_blocks) * (self.kernel_size // 2)

    @property
    def short_context(self) -> int:
        """Frames on either side whose audio has a say in how loud a short window is."""
        seen = self.n_short_blocks * (self.kernel_size // 2) * SHORT_HOP  # and half a window at either end
        return math.ceil((seen + SHORT_SIZE) / STFT_HOP_LENGTH)


def check_log_mel(largest: float) -> None:
    """Raises ValueError for a spectrogram whose values go so far, up or down."""
    if not largest <= LARGEST_LOG_MEL:
        raise ValueError(f"the spectrogram holds {largest:.3g}: log-mel values are natural logarithms, "
                         f"from {SPECTROGRAMS_MIN} to {SPECTROGRAMS_MAX} for speech")  # fmt: skip


def white_noise() -> np.ndarray:
    """(256 NOISE_FRAMES,) float32, standard normal: what `torch.randn` gives on a CPU after `torch.manual_seed(0)`.

    Uniform numbers of 24 bits from the Mersenne Twister, 16 at a time, of which the first 8 make the radii and the
    others the angles of Box and Muller (1958).
    """
    raw = np.random.RandomState(0).randint(0, 2**32, size=NOISE_FRAMES * STFT_HOP_LENGTH, dtype=np.uint32)
    uniform = ((raw & 0xFFFFFF) * np.float32(2**-24)).astype(np.float32).reshape(-1, 2, 8)
    radius, angle = np.sqrt(-2 * np.log1p(-uniform[:, 0])), np.float32(2 * math.pi) * uniform[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)


class Chunk(NamedTuple):
    """Frames `begin` to `end` are heard, and which others are needed for that; `end`s are exclusive."""

    begin: int
    end: int
    rough: slice  # frames that sound in them or shape what does
    pitch: slice  # frames whose pitch these need; reaches MARGIN over either end of the spectrogram
    seen: slice  # frames that the network needs
    following: int  # the first frame of the next chunk's `pitch`


def chunks(n_frames: int, chunk: int, config: Config, correcting: bool) -> Iterator[Chunk]:
    """The first of `chunk` frames and each other twice as long as the one before: what a piece takes to be spoken is
    time enough for the next, and the frames around a piece, which have to be known too, are then few.

    `correcting`: the bands are corrected after that, for which more frames have to be known.
    """
    reach = config.short_context + (REACH if correcting else 0)
    begin, end = 0, min(chunk, n_frames)
    while begin < n_frames:
        rough = slice(max(begin - 1 - reach, 0), min(end + 2 + reach, n_frames))
        pitch = slice(rough.start - MARGIN, rough.stop + MARGIN)
        seen = slice(max(pitch.start - config.context, 0), min(pitch.stop + config.context, n_frames))
        yield Chunk(begin, end, rough, pitch, seen, max(end - 1 - reach, 0) - MARGIN)
        begin, end = end, min(end + 2 * (end - begin), n_frames)
