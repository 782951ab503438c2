"""Layers of the library: faster in training on a CPU, or told of padding and of other processes.

Measured with one thread, 10 utterances of 560 frames, width 192, forward and backward: attention in bf16 66 ms instead
of 148, dropout 4 ms instead of 8.5.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compute import processes

BYTE = 256  # values of one


class SelfAttention(nn.MultiheadAttention):
    """The library's, `batch_first`; with the same weights."""

    def attend(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """(B, L, D), and (B, L), True at padding, which follows what is real -> (B, L, D)."""
        if x.is_cpu and torch.is_autocast_enabled("cpu"):
            return self._attend_one_by_one(x, padding)
        return self(x, x, x, key_padding_mask=padding, need_weights=False)[0]

    def _attend_one_by_one(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """The attention weights of one utterance stay in the processor's cache, and none are computed for padding."""
        length = x.shape[1]
        lengths = [length] * len(x) if padding is None else (~padding).sum(1).tolist()
        projected, joined = F.linear(x, self.in_proj_weight, self.in_proj_bias), []
        for row, n in zip(projected, lengths):
            heads = row[:n].view(n, 3, self.num_heads, self.head_dim).permute(1, 2, 0, 3)
            queries, keys, values = heads.contiguous()  # (n_heads, n, head_dim) each
            weights = (queries * (1 / math.sqrt(self.head_dim)) @ keys.mT).softmax(-1)
            attended = (weights @ values).transpose(0, 1).flatten(1)
            joined.append(F.pad(attended, (0, 0, 0, length - n)))
        return self.out_proj(torch.stack(joined))


class Dropout(nn.Dropout):
    """On a processor each number is kept or dropped by a random byte, so `p` is rounded to a multiple of 1 / 256."""

    def forward(self, x: Tensor) -> Tensor:
        dropped = round(self.p * BYTE)
        if not self.training or dropped in (0, BYTE) or not x.is_cpu:
            return super().forward(x)
        n = x.numel()
        numbers = torch.empty((n + 7) // 8, dtype=torch.int64).random_(-(2**63), None)  # 8 bytes each
        kept = numbers.view(torch.uint8)[:n].view(x.shape) >= dropped
        return x * kept.to(x.dtype).mul_(BYTE / (BYTE - dropped))


def real_positions(mask: Tensor) -> Tensor | None:
    """(B, L) mask -> (n,) where it is True in its B L places, or None where it is True everywhere."""
    real = mask.flatten().nonzero().squeeze(1)
    return None if len(real) == mask.numel() else real


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation (arXiv 1502.03167) of (B, L, D) at the `real_positions`; padding comes out as zero.

    In fp32 also under autocast: sums over a batch are too long for 16 bits. In training, the statistics are those of
    the real positions of all processes; `nn.SyncBatchNorm` does so too, but on GPUs alone.
    """

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        if real is None and not self.training:  # in one operation
            scale = self.weight * (self.running_var + self.eps).rsqrt()
            return torch.addcmul(self.bias - self.running_mean * scale, x.float(), scale)
        every = x.float().flatten(0, 1)  # (B L, D)
        if real is None:
            return self._normalise(every).view_as(x)
        normed = self._normalise(every.index_select(0, real))
        return torch.zeros_like(every).index_copy_(0, real, normed).view_as(x)

    def _normalise(self, x: Tensor) -> Tensor:
        """(n, D) -> (n, D)"""
        if not self.training or processes.count() == 1:
            return super().forward(x)
        centred = x - self.running_mean  # nearly, so that the mean of squares loses no digits
        sums = torch.cat([x.new_full((1,), len(x)), centred.sum(0), centred.square().sum(0)])
        n, sums, squares = processes.total(sums).tensor_split([1, 1 + x.shape[1]])
        mean = sums / n
        variance = squares / n - mean.square()
        with torch.no_grad():
            self.running_mean += self.momentum * mean
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        return (centred - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias
