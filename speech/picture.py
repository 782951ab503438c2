"""What was said as a picture: the spectrogram, where each phoneme begins, and the words.

Draws on the axes ("panels") of matplotlib, which only the caller needs to import:

    picture.draw(synthesizer.speak("Good morning."), plt.figure(figsize=(12, 4)).subplots())
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speech.record import Phoneme, Record
from vocoder.spectrogram import SAMPLING_RATE, SPECTROGRAMS_MAX, SPECTROGRAMS_MIN, STFT_HOP_LENGTH


def draw(spoken: Record, panel):
    """All of a record, its phonemes above and its words below. Returns the image, for a scale of colours."""
    image = draw_spectrogram(panel, spoken.spectrogram, spoken.phonemes, spoken.start)
    label_phonemes(panel, spoken.phonemes)
    words = spoken.written
    axis = panel.secondary_xaxis(-0.1, transform=panel.transAxes)
    axis.set_xticks([(word.start + word.end) / 2 for word in words], [word.text for word in words], fontsize=9)
    axis.tick_params(length=0)
    axis.spines["bottom"].set_visible(False)
    for time in {time for word in words for time in (word.start, word.end)}:
        panel.axvline(time, color="white", linewidth=0.9, alpha=0.7)
    return image


def draw_spectrogram(panel, spectrogram: np.ndarray, phonemes: Sequence[Phoneme], start: float = 0.0):
    """(80, T) log-mel, low bands at the bottom, thin lines where phonemes begin; `start` in seconds."""
    end = start + spectrogram.shape[1] * STFT_HOP_LENGTH / SAMPLING_RATE
    image = panel.imshow(
        spectrogram, origin="lower", aspect="auto", extent=(start, end, 0, len(spectrogram)), cmap="magma",
        interpolation="nearest", vmin=SPECTROGRAMS_MIN, vmax=SPECTROGRAMS_MAX,
    )  # fmt: skip
    panel.set_xlim(start, end)  # whatever is drawn next
    for phoneme in phonemes[1:]:
        panel.axvline(phoneme.start, color="white", linewidth=0.4, alpha=0.35)
    panel.set_ylabel("mel band", fontsize=8)
    return image


def label_phonemes(panel, phonemes: Sequence[Phoneme]) -> None:
    """Above the panel, each at its middle, on four levels by turns: next to each other they would overlap."""
    spoken = [phoneme for phoneme in phonemes if phoneme.frames]
    labels = [phoneme.code + "\n" * (i % 4) for i, phoneme in enumerate(spoken)]
    axis = panel.secondary_xaxis("top")
    axis.set_xticks([(phoneme.start + phoneme.end) / 2 for phoneme in spoken], labels, fontsize=6, linespacing=1.0)
    axis.tick_params(length=2, pad=1)
