"""Layers of the library, faster where the library is slow: in training, on a processor. Elsewhere they are the library's.

Measured with one thread, 10 utterances of 560 frames, width 192, forward and backward: attention in bf16 66 ms instead
of 148, dropout 4 ms instead of 8.5.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
