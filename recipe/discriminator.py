"""Tells real spectrograms from predicted ones: least squares (arXiv 1611.04076), feature matching (arXiv 1606.03498).

Used by `adversarial`, on log-mel spectrograms, and by `train_vocoder`, on log spectra at several resolutions.
A training step is three: predict; let the discriminator step, on what was predicted; judge the prediction by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Judgement(NamedTuple):
    scores: Tensor  # (B, 1, time, frequency), 1 = real
    features: list[Tensor]  # of the hidden layers


class Discriminator(nn.Module):
    """(B, C, T, F) -> [Judgement]: five 2-D convolutions, which see patches, not the whole. (B, T, F) is C = 1."""

    def __init__(self, channels: tuple[int, ...] = (32, 64, 128, 128), n_inputs: int = 1):
        super().__init__()
        sizes, strides = itertools.pairwise((n_inputs, *channels)), ((1, 2), (2, 2), (2, 2), (1, 1))
        self.hidden = nn.ModuleList(
            nn.Conv2d(*size, kernel_size=5, stride=stride, padding=2) for size, stride in zip(sizes, strides)
        )
        self.judge = nn.Conv2d(channels[-1], 1, kernel_size=3, padding=1)

    def forward(self, spectrograms: Tensor) -> list[Judgement]:
        x, features = spectrograms if spectrograms.dim() == 4 else spectrograms.unsqueeze(1), []
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [Judgement(self.judge(x), features)]


def mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()


def discriminator_loss(discriminator: nn.Module, sides: Sequence[Tensor]) -> dict[str, Tensor]:
    """The first side is real, the others, which may be shorter, are predicted. For each judge, then their mean."""
    judges = zip(*(discriminator(side) for side in sides))
    losses = []
    for real, *predicted in judges:
        fake = torch.cat([judgement.scores.flatten() for judgement in predicted])
        losses.append((real.scores - 1).square().mean() + fake.square().mean())
    return {"loss": mean(losses)}


def generator_losses(discriminator: nn.Module, sides: Sequence[Tensor]) -> dict[str, Tensor]:
    """How far the predicted sides are from passing, and the first of them from the features of the real one.

    The gradients go through the discriminator, not into it.
    """
    discriminator.requires_grad_(False)
    with torch.no_grad():
        real = discriminator(sides[0])
    predicted = [discriminator(side) for side in sides[1:]]
    discriminator.requires_grad_(True)
    scores = [torch.cat([judgement.scores.flatten() for judgement in judge]) for judge in zip(*predicted)]
    pairs = [pair for a, b in zip(predicted[0], real) for pair in zip(a.features, b.features)]
    return {
        "adversarial": mean((of_judge - 1).square().mean() for of_judge in scores),
        "feature_matching": mean(F.l1_loss(a, b) for a, b in pairs),
    }
