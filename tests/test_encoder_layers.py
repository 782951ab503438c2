"""The comparison of blocks on a tiny dataset: that it is fair, and that padding changes nothing."""

import argparse
import itertools
import json
import math

import encoder_layers
import pytest
import torch
from conftest import CONFIG, SMALL, single
from encoder_layers import KINDS, LayerNormBlock
from torch import nn

import lj_speech
import part2_solution as tts
from part2_solution import Vocabulary, collate, length_mask

SETTINGS = {**SMALL, "duration_width": 8}


def alignments(root):
    return [alignment for dataset in lj_speech.get_dataset(root) for alignment in dataset.alignments]


@pytest.fixture
def options(dataset_root, tmp_path):
    return argparse.Namespace(
        dataset_root=dataset_root, steps=12, batch_size=2, amp="fp32", seeds=[0, 1], json=tmp_path / "layers.json"
    )


@pytest.mark.parametrize("fast_path", [False, True])
def test_a_padded_batch_equals_its_items(fast_path):
    torch.manual_seed(0)
    block = LayerNormBlock(CONFIG, 0.1, tts.Block(CONFIG, 0.1))
    for norm in (block.layer.norm1, block.layer.norm2, block.residual_convolution.norm):
        nn.init.normal_(norm.bias)  # what would leak from padding
    mask = length_mask([5, 9, 2])
    x = torch.randn(3, 9, CONFIG.width) * mask.unsqueeze(-1)
    with torch.inference_mode(fast_path):  # with gradients the layer takes its plain path, also in eval mode
        together = block.eval()(x, ~mask, tts.real_positions(mask))
        for index, length in enumerate([5, 9, 2]):
            alone = block(x[index : index + 1, :length], None, None)
            torch.testing.assert_close(together[index : index + 1, :length], alone, atol=1e-5, rtol=1e-5)
    assert not together[~mask].any(), "padding is zero"


def test_so_does_a_batch_of_the_model(dataset_root):
    model = encoder_layers.make_model("built-in", alignments(dataset_root), SETTINGS, 0).cpu()
    batch = collate(Vocabulary(model.config.vocabulary), list(lj_speech.get_dataset(dataset_root)[0]))
    model(batch)  # statistics other than the initial ones
    with torch.inference_mode():
        together = model.eval()(batch).mels
        for index in range(len(together)):
            expected = model(single(batch, index)).mels[0]
            torch.testing.assert_close(together[index, : len(expected)], expected, atol=1e-4, rtol=1e-4)


def test_both_kinds_start_with_the_same_weights(dataset_root):
    strict, built_in = (encoder_layers.make_model(kind, alignments(dataset_root), SETTINGS, 0) for kind in KINDS)
    new = built_in.state_dict()
    shared = [name for name in strict.state_dict() if name in new]
    assert all(torch.equal(strict.state_dict()[name], new[name]) for name in shared)
    for part in ("encoder", "decoder"):
        for old, block in zip(getattr(strict, part).blocks.blocks, getattr(built_in, part).blocks.blocks):
            assert torch.equal(old.attention.in_proj_weight, block.layer.self_attn.in_proj_weight)
            assert torch.equal(old.feed_forward[2].weight, block.layer.linear2.weight)
            assert block.layer.self_attn.dropout == old.dropout.p
    n_norms = [sum(isinstance(part, nn.LayerNorm) for part in model.modules()) for model in (strict, built_in)]
    assert n_norms == [0, 2 * (SMALL["n_encoder_blocks"] + SMALL["n_decoder_blocks"])]


def test_both_kinds_train_on_the_same_batches(options, monkeypatch):
    seen, loss = [], tts.spectrogram_loss
    monkeypatch.setattr(tts, "spectrogram_loss", lambda *of: seen.append(of[1]) or loss(*of))
    report = encoder_layers.compare(options, SETTINGS)
    runs = [[batch.tokens.tolist() for batch in seen[start : start + 13]] for start in range(0, 52, 13)]
    assert len(seen) == 52, "12 for training and 1 for validation, of each run"
    assert runs[0] == runs[1] != runs[2] == runs[3]
    assert runs[0][:3] != runs[0][3:6], "each epoch has an order of its own"
    assert [(row["seed"], row["block"]) for row in report["rows"]] == list(itertools.product([0, 1], KINDS))
    assert all(math.isfinite(value) for row in report["rows"] for value in list(row.values())[1:])
    assert report["rows"][0]["training loss"] < report["curves"]["strict, seed 0"][0]
    assert json.loads(options.json.read_text()) == report
    assert [len(curve) for curve in report["curves"].values()] == [2] * 4
    assert len(encoder_layers.render(report).splitlines()) == 2 + 2 + 4


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    for arguments in (["--steps", "0"], ["--seeds", "-1"], ["--json", str(tmp_path / "no" / "a.json")], []):
        with pytest.raises(SystemExit):
            encoder_layers.main([str(tmp_path / "missing"), *arguments])
    assert "missing" in capsys.readouterr().err
