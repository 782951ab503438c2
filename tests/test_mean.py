"""The mean of the weights of several trainings of a voice."""

import re
from dataclasses import replace

import pytest
import torch
from conftest import CONFIG, new_model

import part2_solution as tts
from prosody.extension import Prosody
from recipe import mean


def voice_of(number: float, **settings) -> tts.AcousticModel:
    config = replace(CONFIG, **settings)
    model = tts.AcousticModel(config, Prosody(config))
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.fill_(number)
    return model


def saved(path, model):
    tts.save_checkpoint(model, path, {})
    return path


def test_each_weight_is_the_weighted_mean(tmp_path):
    paths = [saved(tmp_path / f"{number}.pth", voice_of(number)) for number in (1.0, 5.0)]
    mean.main(["3", str(paths[0]), "1", str(paths[1]), "--out", str(tmp_path / "mean.pth")])
    found = tts.load_checkpoint(tmp_path / "mean.pth")
    assert all((tensor == 2).all() for tensor in found.state_dict().values() if tensor.is_floating_point())
    assert tts.weights.read_training(tmp_path / "mean.pth")["mean"][0]["share"] == 3


def test_places_that_a_voice_lacks_count_as_zero():
    found = mean.mean([voice_of(4.0), voice_of(8.0, place_reach=5)], [0.5, 0.5])
    assert (found.places.since.weight == 4).all() and (found.decoder.projection.weight == 6).all()


def test_the_mean_of_a_voice_and_itself_speaks_as_it_does(tmp_path):
    path = saved(tmp_path / "voice.pth", new_model())
    mean.write_mean([(0.5, path), (0.5, path)], tmp_path / "mean.pth", sigma=2.5)
    model, again = (tts.load_checkpoint(each) for each in (path, tmp_path / "mean.pth"))
    assert float(again.upsampling.sigma.detach()) == pytest.approx(2.5, rel=1e-3)
    model.upsampling.load_state_dict(again.upsampling.state_dict())
    tokens, mask = torch.tensor([[0, 1, 2, 0]]), torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(model.encoder(tokens, mask), again.encoder(tokens, mask))


@pytest.mark.parametrize("parts, complaint", [
    (["0.5", "{voice}", "0.5"], "a share before each checkpoint"),
    (["{voice}", "0.5"], "a share before each checkpoint"),
    (["0", "{voice}"], "all shares are 0"),
    (["nan", "{voice}"], "the share of .* is nan"),
    (["1", "{voice}", "1", "{other}"], "only trainings of one voice"),
    (["1", "missing.pth"], "missing.pth"),
    (["1", "{voice}", "--sigma", "0"], "sigma is 0"),
])  # fmt: skip
def test_what_has_no_mean_is_refused_in_one_line(parts, complaint, tmp_path, capsys):
    paths = {"voice": saved(tmp_path / "voice.pth", voice_of(1.0)),
             "other": saved(tmp_path / "other.pth", voice_of(1.0, inner_width=CONFIG.inner_width * 2))}  # fmt: skip
    with pytest.raises(SystemExit, match="1"):
        mean.main([part.format(**paths) for part in parts] + ["--out", str(tmp_path / "mean.pth")])
    assert not (tmp_path / "mean.pth").exists()
    assert re.search(complaint, capsys.readouterr().err)
