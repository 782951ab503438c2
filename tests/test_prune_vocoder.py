import numpy as np
import pytest
import torch

from recipe import prune_vocoder
from recipe.train_vocoder import previous_runs
from vocoder import network

WIDE = network.Config(width=8, n_blocks=2, expansion=4, short_width=8, n_short_blocks=1)


@pytest.fixture
def saved(tmp_path):
    """A vocoder half of whose hidden units are without effect, and two spectrograms."""
    torch.manual_seed(0)
    model = network.Vocoder(WIDE)
    for block in [*model.blocks, *model.short_gains.blocks]:
        block.contract.weight.data[:, torch.randperm(32)[:16]] = 0
    network.save(model, tmp_path / "wide.pth", [{"n_steps": 3}])
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.mel.npy", np.random.default_rng(0).normal(-5, 2, (80, 40)).astype(np.float16))
    return tmp_path


def test_units_without_effect_go(saved):
    prune_vocoder.prune(saved / "wide.pth", saved, 2, saved / "narrow.pth")
    wide, narrow = network.load(saved / "wide.pth"), network.load(saved / "narrow.pth")
    assert narrow.config.expansion == 2
    assert narrow.blocks[0].expand.weight.shape == (16, 8)
    spectrogram = torch.randn(1, 80, 30) - 5
    torch.testing.assert_close(narrow(spectrogram), wide(spectrogram), rtol=0.01, atol=2e-3)
    first, second = previous_runs(saved / "narrow.pth")
    assert first == {"n_steps": 3} and second == {"pruned": saved.name, "expansion": 2}


def test_what_is_left_makes_good_for_what_goes():
    torch.manual_seed(0)
    block, units = network.Block(4, 6, 7, 1.0), torch.randn(100, 6).double()
    units[:, 5] = 0.1 + 2 * units[:, 0] - units[:, 1]
    block.contract.weight.data[:, 5] *= 0.01  # the one to go
    wanted = units @ block.contract.weight.T.double() + block.contract.bias.double()
    assert prune_vocoder.prune_block(block, units, 5) < 1e-6
    left = units[:, :5] @ block.contract.weight.T.double() + block.contract.bias.double()
    torch.testing.assert_close(left, wanted, rtol=0, atol=1e-3)


def test_of_many_items_few_are_taken():
    assert prune_vocoder.evenly(list(range(10)), 4) == [0, 3, 6, 9]
    assert prune_vocoder.evenly(list(range(3)), 4) == [0, 1, 2]


@pytest.mark.parametrize("expansion", [0, 4])
def test_nothing_to_prune(saved, expansion):
    with pytest.raises(ValueError, match="expansion is 4"):
        prune_vocoder.prune(saved / "wide.pth", saved, expansion, saved / "narrow.pth")


def test_the_command_names_what_is_missing(saved, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [str(saved / "wide.pth"), str(empty), "--expansion", "2", "--out", str(saved / "narrow.pth")]
    with pytest.raises(SystemExit):
        prune_vocoder.main(command)
    assert "python -m recipe predict" in capsys.readouterr().err
    assert not (saved / "narrow.pth").exists()
