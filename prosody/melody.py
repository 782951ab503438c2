"""The pitch of each phoneme: predicted from text, and told to the decoder (FastPitch, arXiv 2006.06873).

    tokens, durations, cues ──PitchModel──> log pitch (B, N) ──PitchEncoding──> (B, N, D), added to `encoded`
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prosody.cues import N_CUES
from prosody.settings import Settings


class PitchModel(nn.Module):
    """(B, N) tokens, durations and cues -> (B, N) normalised log pitch: a bidirectional GRU.

    It has an embedding of its own: with an hour of recordings the encoder overfits, and its output says more of what
    was recorded than of how one speaks. It speaks with two voices: see `recipe.teacher`.
    """

    def __init__(self, n_codes: int, settings: Settings):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, settings.pitch_embedding)
        self.cue_embedding = nn.Embedding(N_CUES, settings.cue_embedding)
        self.input = nn.Linear(settings.pitch_embedding + settings.cue_embedding + 1, settings.pitch_width)
        self.teacher = nn.Parameter(torch.zeros(settings.pitch_width))  # added where the second speaker speaks
        self.gru = nn.GRU(settings.pitch_width, settings.pitch_width, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * settings.pitch_width, 1)
        self.dropout, self.cue_dropout = nn.Dropout(settings.pitch_dropout), settings.cue_dropout

    def forward(
        self, tokens: Tensor, token_mask: Tensor, log_durations: Tensor, cues: Tensor, speaker: Tensor
    ) -> Tensor:
        """All of (B, N); `log_durations` are normalised."""
        if self.training:
            cues = cues.masked_fill(torch.rand(len(cues), 1, device=cues.device) < self.cue_dropout, 0)
        embedded = self.dropout(torch.cat([self.embedding(tokens), self.cue_embedding(cues)], dim=-1))
        x = self.input(torch.cat([embedded, log_durations[..., None]], dim=-1))
        x = self.dropout(F.relu(x + speaker[..., None] * self.teacher))
        # Packed, so that the backward direction starts at the last real phoneme.
        packed = nn.utils.rnn.pack_padded_sequence(x, token_mask.sum(1).cpu(), True, enforce_sorted=False)
        hidden = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], True, total_length=x.shape[1])[0]
        return self.projection(self.dropout(hidden)).squeeze(-1)


class PitchEncoding(nn.Module):
    """(B, N) log pitch -> (B, N, D): a linear layer over Gaussian bumps, one at each of n_pitches."""

    def __init__(self, width: int, settings: Settings):
        super().__init__()
        ends = math.log(settings.lowest_pitch), math.log(settings.highest_pitch)
        self.register_buffer("centres", torch.linspace(*ends, settings.n_pitches), persistent=False)
        self.projection = nn.Linear(settings.n_pitches, width)
        nn.init.normal_(self.projection.weight, std=0.1)

    def forward(self, log_pitch: Tensor) -> Tensor:
        first, step, last = self.centres[0], self.centres[1] - self.centres[0], self.centres[-1]
        distances = (log_pitch.float().clamp(first, last)[..., None] - self.centres) / step
        return self.projection((-0.5 * distances.square()).exp())
