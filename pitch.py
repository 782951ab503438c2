"""The pitch of each phoneme: read in spectrograms, predicted from text, told to the decoder (arXiv 2006.06873).

    mels (B, T, M) ──network of the vocoder──> log pitch (B, N) ──PitchEncoding──> (B, N, D), added to `encoded`
                     tokens and durations ──PitchModel──> log pitch, where there is no recording
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import lj_speech
import vocoder
from batching import Batch, Vocabulary, collate, denormalise, run_gru
from lj_speech import SPECTROGRAMS_MIN


@dataclass(frozen=True)
class PitchConfig:
    """The part of the model's configuration that is about pitch."""

    lowest_pitch: float = 88.2  # Hz; what is lower or higher sounds like the lowest or highest
    highest_pitch: float = 416.0
    n_pitches: int = 32  # between them, 0.87 semitones from one to the next
    pitch_embedding: int = 64  # of the phonemes, for the pitch model: the encoder's knows the recordings by heart
    pitch_width: int = 128  # of each direction of its GRU
    pitch_dropout: float = 0.4

    @property
    def log_pitch_mean(self) -> float:
        """Of the logarithm of Hz: what the pitch model's output is normalised with."""
        return math.log(self.lowest_pitch * self.highest_pitch) / 2

    @property
    def log_pitch_std(self) -> float:
        return math.log(self.highest_pitch / self.lowest_pitch) / 6


class PitchModel(nn.Module):
    """(B, N) tokens and durations -> (B, N) normalised log pitch: a bidirectional GRU.

    It has an embedding of its own: with an hour of recordings, the encoder knows each by heart, and its output says
    more of what was recorded than of how one speaks.
    """

    def __init__(self, n_codes: int, config: PitchConfig):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, config.pitch_embedding)
        self.input = nn.Linear(config.pitch_embedding + 1, config.pitch_width)
        self.gru = nn.GRU(config.pitch_width, config.pitch_width, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.pitch_width, 1)
        self.dropout = nn.Dropout(config.pitch_dropout)

    def forward(self, tokens: Tensor, normalised_durations: Tensor, token_mask: Tensor) -> Tensor:
        x = torch.cat([self.dropout(self.embedding(tokens)), normalised_durations[..., None]], dim=-1)
        hidden = run_gru(self.gru, self.dropout(F.relu(self.input(x))), token_mask)
        return self.projection(self.dropout(hidden)).squeeze(-1)


class PitchEncoding(nn.Module):
    """(B, N) log pitch -> (B, N, D): a linear layer over Gaussian bumps, one at each of n_pitches."""

    def __init__(self, width: int, config: PitchConfig):
        super().__init__()
        ends = math.log(config.lowest_pitch), math.log(config.highest_pitch)
        self.register_buffer("centres", torch.linspace(*ends, config.n_pitches), persistent=False)
        self.projection = nn.Linear(config.n_pitches, width)
        nn.init.normal_(self.projection.weight, std=0.1)

    def forward(self, log_pitch: Tensor) -> Tensor:
        first, step, last = self.centres[0], self.centres[1] - self.centres[0], self.centres[-1]
        distances = (log_pitch.float().clamp(first, last)[..., None] - self.centres) / step
        return self.projection((-0.5 * distances.square()).exp())


@functools.cache
def pitch_reader(device: torch.device) -> vocoder.Vocoder:
    """The network of our vocoder, which reads the pitch in spectrograms."""
    return vocoder.load(device=device)


@torch.no_grad()
def read_log_pitch(batch: Batch, reach: float = 8.0) -> Tensor:
    """The log pitch (B, N) around the middle of each phoneme, from the spectrograms of the batch.

    A mean of the frames, weighted by how loud the voice is in them and by a Gaussian of `reach` frames, 93 ms: what is
    heard as the melody, without the ups and downs inside a syllable. In a pause the nearest voice counts.
    """
    reader = pitch_reader(batch.mels.device)
    context = reader.config.context
    with torch.autocast(batch.mels.device.type, enabled=False):
        mels = denormalise(batch.mels.float()).masked_fill(~batch.frame_mask[..., None], SPECTROGRAMS_MIN).mT
        filters = reader.predict_filters(F.pad(mels, (context, context), value=SPECTROGRAMS_MIN))
        loudness, logits = (part[:, context:-context] for part in (filters.voice.abs().mean(-1), filters.pitch_logits))
        log_pitch = reader.decode_pitch(logits).log()  # (B, T)
        times = torch.arange(log_pitch.shape[1], device=log_pitch.device) + 0.5
        centres = batch.durations.cumsum(1) - batch.durations / 2  # (B, N)
        distances = (times - centres[..., None]) / reach  # (B, N, T)
        weights = loudness.clamp_min(1e-9).log()[:, None] - 0.5 * distances.square()
        weights = weights.masked_fill(~batch.frame_mask[:, None], -math.inf).softmax(-1)
        return (weights @ log_pitch[..., None]).squeeze(-1)


class WithPitch(Sequence):
    """The samples of a dataset, each with its `log_pitch` (N,), which is read here, once."""

    def __init__(self, dataset: lj_speech.AlignedDataset, codes: Sequence[str]):
        vocabulary, device = Vocabulary(codes), torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.dataset, self.alignments, self.log_pitch = dataset, dataset.alignments, []
        for first in tqdm(range(0, len(dataset), 16), desc="reading the pitch", leave=False):
            samples = [dataset[index] for index in range(first, min(first + 16, len(dataset)))]
            rows = read_log_pitch(collate(vocabulary, samples).to(device)).cpu()
            self.log_pitch += [row[: len(sample["phonemes_code"])] for row, sample in zip(rows, samples)]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        return {**self.dataset[index], "log_pitch": self.log_pitch[index]}
