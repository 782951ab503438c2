"""The benchmark of training, on a tiny model."""

import importlib.util
import json
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ROOT, TINY

import part2_solution as tts

# By its path: a room may have the same name.
spec = importlib.util.spec_from_file_location("benchmark_training", ROOT / "benchmarks" / "training.py")
sys.modules[spec.name] = training = importlib.util.module_from_spec(spec)
spec.loader.exec_module(training)
PHASES, RandomDataset = training.PHASES, training.RandomDataset
MODEL = [f"{name}={value}" for name, value in TINY.items()]


def test_made_up_utterances_have_the_lengths_of_lj_speech():
    dataset = RandomDataset(2000, 0)
    lengths = [sum(alignment.durations) for alignment in dataset.alignments]
    deciles = np.quantile(lengths, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles[1:-1], training.DECILES[1:-1], rtol=0.06)
    assert min(lengths) >= training.DECILES[0] and max(lengths) <= training.DECILES[-1]
    assert all(min(alignment.durations) >= 1 for alignment in dataset.alignments)
    sample = dataset[3]
    assert sample["spectrogram"].shape == (80, lengths[3]) and len(sample["phonemes_code"]) > 1
    assert dataset.alignments == RandomDataset(2000, 0).alignments != RandomDataset(2000, 1).alignments


def test_a_row_for_each_number_type(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "number_types", lambda device: ["fp32", "bf16"])
    path = tmp_path / "training.json"
    options = "--utterances 12 --steps 4 --batch-size 4 --threads 1 --devices cpu".split()
    training.main([*options, "--json", str(path), "--model", *MODEL])
    table = capsys.readouterr().out
    assert "4 steps of 4 utterances" in table and "| cpu" in table and "%" in table
    rows = json.loads(path.read_text())["rows"]
    assert [(row["device"], row["numbers"], row["compiled"]) for row in rows] == [
        ("cpu", "fp32", "no"), ("cpu", "bf16", "no")
    ]  # fmt: skip
    for row in rows:
        assert sum(row[phase] for phase in PHASES) == pytest.approx(1) and min(row[phase] for phase in PHASES) > 0
        assert 0 < row["padding"] < 0.5
        frames = row["frames/s"] / row["steps/s"]  # of a batch, on average
        assert 4 * training.DECILES[0] < frames < 4 * training.DECILES[-1]


def test_what_takes_too_long_to_compile_is_a_row_of_dashes(monkeypatch):
    monkeypatch.setattr(tts.AcousticModel, "compile", lambda *_, **__: time.sleep(10))
    config = tts.TrainConfig(batch_size=4, amp="fp32")
    row = training.measure(RandomDataset(8, 0), "cpu", config, 2, TINY, compile_limit=1)
    assert row["compiled"] == "yes" and row["steps/s"] is None
    assert training.render([row]).splitlines()[-1].count("–") == 7


@pytest.mark.parametrize("options, message", [
    (["nowhere"], "nowhere"), (["--steps", "0"], "at least 1"), (["--model", "colour=3"], "any of: width"),
    (["--json", "no/folder.json"], "no folder"), (["--seed", "-1"], "at least 0"),
])  # fmt: skip
def test_bad_options_are_one_line(capsys, options, message):
    with pytest.raises(SystemExit):
        training.main(options)
    assert message in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_there_is_no_gpu_here(capsys):
    with pytest.raises(SystemExit):
        training.main(["--devices", "cuda"])
    assert "no GPU" in capsys.readouterr().err
