"""Six outputs of a voice in the first format of checkpoints, pinned to what the program that wrote that format said.

The voice is tiny and random, and instead of a vocoder a weighted sum over the bands speaks, so that new weights of
voice and vocoder change nothing here. `six_outputs.py` compares the shipped voice bit by bit.
"""

import json

import pytest
import torch
from conftest import ROOT
from six_outputs import six_outputs

import part2_solution as tts
from prosody.extension import Prosody

CHECKPOINT = ROOT / "tests" / "first_format.pth"
EXPECTED = json.loads((ROOT / "tests" / "six_outputs.json").read_text())


class SumOfBands:
    """Spectrogram (80, T) -> (1, T)."""

    def __call__(self, spectrogram, **hints):
        return (spectrogram * torch.linspace(-1, 1, 80)[:, None]).mean(0, keepdim=True)

    def stream(self, spectrogram, chunk, **hints):
        return self(spectrogram).split(chunk, dim=1)


@pytest.fixture(scope="module")
def outputs():
    return six_outputs(tts.TextToSpeechSynthesizer(CHECKPOINT, vocoder=SumOfBands()))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_first_format_says_what_it_said(outputs, name):
    audio, expected = outputs[name][0].double(), EXPECTED[name]
    assert len(audio) == expected["length"]
    assert float(audio.mean()) == pytest.approx(expected["mean"], abs=2e-5)
    assert float(audio.std()) == pytest.approx(expected["std"], abs=2e-5)
    assert audio[:5].tolist() == pytest.approx(expected["first"], abs=1e-4)
    assert audio[-5:].tolist() == pytest.approx(expected["last"], abs=1e-4)


def test_the_first_format_becomes_the_present_one(tmp_path):
    model = tts.load_checkpoint(CHECKPOINT)
    assert isinstance(model.extension, Prosody) and model.extension.settings.n_pitches == 8
    old = torch.load(CHECKPOINT, weights_only=True)
    assert "extension" not in old and "n_pitches" in old["config"] and "noise_floor" in old["weights"]
    tts.save_checkpoint(model, tmp_path / "new.pth", old["training"])
    new = torch.load(tmp_path / "new.pth", weights_only=True)
    assert new["config"].keys() == {field.name for field in tts.fields(tts.ModelConfig)}
    assert new["extension"]["name"] == "Prosody" and new["extension"]["settings"]["n_pitches"] == 8
    assert set(old["weights"]) <= set(new["weights"]) | set(new["extension"]["weights"])
    again = tts.load_checkpoint(tmp_path / "new.pth").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("part, name", [("config", "colour"), ("weights", "extra.weight")])
def test_what_nobody_has_a_name_for_is_refused(tmp_path, part, name):
    content = torch.load(CHECKPOINT, weights_only=True)
    content[part] = {**content[part], name: torch.zeros(1)}
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match="bad.pth"):
        tts.load_checkpoint(tmp_path / "bad.pth")
