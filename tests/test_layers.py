"""Layers of the room `compute` against those of the library; of batch normalisation, see test_model."""

import pytest
import torch
from torch import nn

from compute.layers import Dropout, SelfAttention
from part2_solution import length_mask


def test_attention_one_by_one_is_the_library_s_at_real_positions():
    torch.manual_seed(0)
    layer, mask = SelfAttention(16, 2, batch_first=True), length_mask([7, 3, 6])
    weight, results = torch.randn(3, 7, 16) * mask[..., None], []
    x = torch.randn(3, 7, 16)
    for attend in (layer._attend_one_by_one, lambda x, padding: layer(x, x, x, key_padding_mask=padding)[0]):
        layer.zero_grad()
        leaf = x.clone().requires_grad_()
        out = attend(leaf, ~mask)
        (out * weight).sum().backward()
        gradients = [leaf.grad[mask], *(parameter.grad.clone() for parameter in layer.parameters())]
        results.append([out[mask].detach(), *gradients])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(layer._attend_one_by_one(x, None), layer(x, x, x)[0])


def test_attention_is_one_by_one_in_16_bits_on_a_cpu_only(monkeypatch):
    layer, x, calls = SelfAttention(16, 2, batch_first=True), torch.randn(2, 5, 16), []
    one_by_one = layer._attend_one_by_one
    monkeypatch.setattr(layer, "_attend_one_by_one", lambda *arguments: calls.append(1) or one_by_one(*arguments))
    exact = layer.attend(x, None)
    assert not calls
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer.attend(x, None)
    assert calls and rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=0.01, rtol=0.02)


@pytest.mark.parametrize("p, dropped", [(0.1, 26 / 256), (0.5, 0.5), (0.003, 1 / 256)])
def test_dropout_drops_its_part_and_keeps_the_mean(p, dropped):
    torch.manual_seed(0)
    x = torch.full((301, 997), 2.0).requires_grad_()
    out = Dropout(p)(x)
    n, share = x.numel(), float((out == 0).float().mean())
    assert abs(share - dropped) < 5 * (dropped * (1 - dropped) / n) ** 0.5
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([2 / (1 - dropped)]))
    out.sum().backward()
    assert torch.equal(x.grad, out.detach() / 2), "the mask of the gradient is that of the values"
    rows, columns = (out == 0).float().mean(1), (out == 0).float().mean(0)
    for part, length in ((rows, 997), (columns, 301)):  # neighbours are independent
        assert float(part.std()) == pytest.approx((dropped * (1 - dropped) / length) ** 0.5, rel=0.2)


def test_dropout_keeps_all_or_nothing_where_told_so():
    x = torch.randn(5, 7)
    assert torch.equal(Dropout(0.5).eval()(x), x) and torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros_like(x))
    assert isinstance(Dropout(0.5), nn.Dropout)


def test_dropout_is_fixed_by_the_seed():
    layer, x, results = Dropout(0.5), torch.ones(1000, dtype=torch.bfloat16), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(layer(x))
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])
    assert results[0].dtype == torch.bfloat16
