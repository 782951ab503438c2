"""Settings of a training, checked before it starts; its files while it runs and when it goes on."""

import math
import os
import pathlib
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from conftest import CONFIG, QUICK, QUICK_VOICE, ROOT, interrupted_at, train, train_voice

import lj_speech
import part2_solution as tts
from compute import unfinished
from prosody.settings import Settings
from recipe import adversarial, train_vocoder, voice
from recipe import train as train_command
from vocoder import files, network, weights
from vocoder.settings import check_number

NAN, INF = float("nan"), float("inf")

# -------- Settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config, settings", [
    (QUICK, {"batch_size": 0}), (QUICK, {"batch_size": 2.0}), (QUICK, {"batch_size": True}), (QUICK, {"log_every": 0}),
    (QUICK, {"learning_rate": NAN}), (QUICK, {"learning_rate": -1}), (QUICK, {"learning_rate": "fast"}),
    (QUICK, {"learning_rate": None}), (QUICK, {"warmup_steps": 1.5}), (QUICK, {"cooldown": NAN}),
    (QUICK, {"cooldown": 2}), (QUICK, {"weight_decay": -1}), (QUICK, {"max_gradient_norm": -1}),
    (QUICK, {"max_gradient_norm": INF}), (QUICK, {"ema_decay": 2}), (QUICK, {"amp": "int8"}), (QUICK, {"amp": None}),
    (QUICK, {"seed": -1}), (QUICK, {"seed": 10**400}), (QUICK, {"duration_epochs": -1}),
    (QUICK, {"duration_epochs": 1.5}), (QUICK, {"duration_learning_rate": 1e9}), (QUICK, {"n_evaluations": 0}),
    (QUICK, {"n_workers": -1}), (QUICK, {"bucket_batches": 0}), (QUICK_VOICE, {"pitch_learning_rate": NAN}),
    (QUICK_VOICE, {"pitch_epochs": None}), (QUICK_VOICE, {"pitch_epochs": 1.5}), (QUICK_VOICE, {"own_share": 1}),
    (train_vocoder.CONFIG, {"batch_size": -1}), (adversarial.CONFIG, {"batch_size": "8"}),
    (CONFIG, {"width": 15}), (CONFIG, {"kernel_size": 4}), (CONFIG, {"encoder_dropout": 1}),
    (CONFIG, {"sigma": 0}), (CONFIG, {"max_frames": 0}), (CONFIG, {"log_duration_std": NAN}),
    (Settings(), {"n_pitches": 1}), (Settings(), {"lowest_pitch": 0}), (network.Config(), {"n_pitches": 2.5}),
])  # fmt: skip
def test_settings_check_themselves(config, settings):
    (name,) = settings
    with pytest.raises((TypeError, ValueError), match=f"^{name} is .*: (give|choose)"):
        replace(config, **settings)


def test_a_whole_number_that_no_float_holds_is_infinite():
    assert check_number("max_sigma", 10**400, 0, math.inf) == math.inf
    assert check_number("least", -(10**400), -math.inf, 0) == -math.inf
    with pytest.raises(ValueError, match="width"):
        check_number("width", 10**400, 1, 1024)


def test_settings_come_as_plain_numbers():
    config = tts.TrainConfig(batch_size=np.int64(4), learning_rate=np.float32(0.5), cooldown=0)
    assert [type(value) for value in (config.batch_size, config.learning_rate, config.cooldown)] == [int, float, float]
    assert replace(CONFIG, vocabulary=["pau", "B"]).vocabulary == ("pau", "B")
    assert tts.ModelConfig(**asdict(CONFIG)) == CONFIG and CONFIG.max_sigma == INF


@pytest.mark.parametrize("command, arguments", [
    (train_command, ["--epochs", "1", "--batch-size", "0"]), (train_command, ["--epochs", "1", "--log-every", "0"]),
    (train_command, ["--epochs", "0"]), (train_command, ["--epochs", "1", "--learning-rate", "nan"]),
    (train_command, ["--epochs", "1", "--amp", "int8"]), (voice, ["--epochs", "1", "--pitch-epochs", "-1"]),
    (voice, ["--epochs", "1", "--model", "width=7"]), (voice, ["--epochs", "1", "--durations-root", "nowhere"]),
    (voice, ["--epochs", "1", "--init", "nowhere.pth"]), (adversarial, ["--steps", "0", "--out", "x.pth"]),
    (train_vocoder, ["--steps", "0", "--out", "x.pth"]), (train_vocoder, ["--steps", "1", "--out", "."]),
    (train_vocoder, ["--steps", "1", "--out", "x.pth", "--expansion", "0"]),
])  # fmt: skip
def test_a_command_line_of_bad_settings_is_one_line(command, arguments, dataset_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        command.main([str(dataset_root), *arguments])
    printed = capsys.readouterr().err.strip()
    assert stopped.value.code in (1, 2) and "Traceback" not in printed
    assert printed.splitlines()[-1].startswith("python -m recipe") and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("num_epochs", [0, -1, 1.5, NAN, None, "2"])
def test_numbers_of_epochs(num_epochs, dataset_root, tmp_path):
    for start in (train, train_voice):
        with pytest.raises((TypeError, ValueError), match="num_epochs is"):
            start(dataset_root, tmp_path, num_epochs)


def test_what_is_missing_is_found_before_anything_is_computed(dataset_root, tmp_path, monkeypatch):
    monkeypatch.setattr(tts, "run_stages", lambda *_: pytest.fail("it has started"))
    monkeypatch.setattr(lj_speech.AlignedDataset, "__getitem__", lambda *_: pytest.fail("it has read a spectrogram"))
    (tmp_path / "a.pth").mkdir()
    for start in (train, train_voice):
        with pytest.raises(ValueError, match="a.pth is no ordinary file"):
            start(dataset_root, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        train(dataset_root, tmp_path, name="file/b")
    for root in ("durations_root", "second_root", "more_root"):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            train_voice(dataset_root, tmp_path, name="b", **{root: tmp_path / "nowhere"})


# -------- Going on ---------------------------------------------------------------------------------------------------


def state_of(path):
    return tts.load_checkpoint(path).state_dict()


@pytest.mark.parametrize("stage, epoch", [("pitch", 0), ("pitch", 1), ("duration", 0), ("duration", 1)])
def test_settings_of_a_stage_that_is_not_finished_may_be_mended(dataset_root, tmp_path, monkeypatch, stage, epoch):
    """What it would have been with these settings from the beginning, as far as chance does not decide."""
    mended = replace(QUICK_VOICE, **{f"{stage}_learning_rate": 2e-3})
    with interrupted_at(monkeypatch, stage, epoch):
        train_voice(dataset_root, tmp_path)
    resumed = train_voice(dataset_root, tmp_path, config=mended)
    expected, got = state_of(train_voice(dataset_root, tmp_path, name="whole", config=mended)), state_of(resumed)
    own = {"pitch": ("extension.pitch_model", "duration_model"), "duration": ("duration_model",)}[stage]
    for name in expected:
        if not name.startswith(own):
            assert torch.equal(expected[name], got[name]), name
    assert torch.load(resumed, weights_only=True)["training"]["training"][f"{stage}_learning_rate"] == 2e-3


def test_a_stage_that_is_left_out_after_all(dataset_root, tmp_path, monkeypatch):
    """What was learned before it is kept, and it is as before the training."""
    with interrupted_at(monkeypatch, "duration", 1):
        train(dataset_root, tmp_path)
    left_out = replace(QUICK, duration_epochs=0)
    expected, got = (state_of(train(dataset_root, tmp_path, name=name, config=left_out)) for name in ("whole", "a"))
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_a_stage_that_failed_is_mended(dataset_root, tmp_path, monkeypatch):
    """The example of a training that was lost: its last stage stops with an error."""
    def fail(*_):
        raise RuntimeError("loss is nan")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(tts, "duration_loss", fail)
        train(dataset_root, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(tts, "spectrogram_loss", fail)  # it does not learn again what it has learned
        assert train(dataset_root, tmp_path, config=replace(QUICK, duration_learning_rate=1e-3, duration_epochs=1))


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"batch_size": 3}, {"pitch_epochs": 5}])
def test_settings_of_what_is_finished_may_not(dataset_root, tmp_path, monkeypatch, change):
    with interrupted_at(monkeypatch, "duration", 1):
        train_voice(dataset_root, tmp_path)
    (name,) = change
    with pytest.raises(ValueError, match=rf"other settings or data \(training.{name}\): pass resume=False"):
        train_voice(dataset_root, tmp_path, config=replace(QUICK_VOICE, **change))


def alter(path: pathlib.Path) -> None:
    array = np.load(path)
    array[0, 0] += 1
    np.save(path, array)


@pytest.mark.parametrize("start, names", [(train, ["data.hash"]), (train_voice, ["hashes.dataset"])])
@pytest.mark.parametrize("change", [
    lambda root: (root / "LJ002.json").write_text((root / "LJ002.json").read_text().replace("text of", "TEXT OF")),
    lambda root: alter(root / "LJ003.mel.npy"),
    lambda root: [os.rename(root / f"LJ004{kind}", root / f"LJ009{kind}") for kind in (".json", ".mel.npy")],
])  # fmt: skip
def test_changed_data_are_noticed(dataset_root, tmp_path, monkeypatch, start, names, change):
    with interrupted_at(monkeypatch, "duration", 0):
        start(dataset_root, tmp_path)
    change(dataset_root)
    with pytest.raises(ValueError, match="|".join(names)):
        start(dataset_root, tmp_path)


def test_what_an_older_version_did_not_record_is_not_compared():
    before, now = {"data": {"n": 1}, "steps": 2}, {"data": {"n": 1, "hash": "x"}, "steps": 2, "new": 0}
    assert list(unfinished.differences(before, now)) == []
    assert list(unfinished.differences(now, before)) == ["data.hash", "new"]
    assert list(unfinished.differences({"a": {"b": 1}, "c": None}, {"a": None, "c": {"d": 1}})) == ["a", "c"]


def test_a_state_of_another_training_is_refused(dataset_root, tmp_path):
    path = tmp_path / "a" / "training_state.pth"
    for state in ({}, {"settings": {}}, {"settings": {}, "stage": "vocoder"}, {"settings": 3, "stage": "duration"}):
        weights.save(state, path)
        with pytest.raises(ValueError, match="is no state of this training: pass resume=False"):
            train(dataset_root, tmp_path)
    weights.save({"settings": {}, "stage": "duration", "average": {}}, path)
    with pytest.raises(ValueError, match=r"is no state of this training \(KeyError\): pass resume=False"):
        train(dataset_root, tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match="no ordinary file"):
        train(dataset_root, tmp_path)


# -------- Two at once ------------------------------------------------------------------------------------------------


HOLD = "import pathlib, sys, time; from compute.unfinished import Lock; lock = Lock(pathlib.Path(sys.argv[1])); " \
    "print('held', flush=True); time.sleep(60)"  # fmt: skip


def test_two_trainings_in_one_folder(dataset_root, tmp_path):
    """The second one names the first; when that is killed, its folder is free."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "a"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"process {other.pid} on .* trains in .*a: wait for it"):
            train(dataset_root, tmp_path)
    finally:
        other.kill()
        other.wait()
    assert train(dataset_root, tmp_path, 1).is_file()


def test_a_folder_is_free_after_an_interruption_and_after_an_error(dataset_root, tmp_path, monkeypatch):
    with interrupted_at(monkeypatch, "spectrogram", 1):
        train(dataset_root, tmp_path)
    with pytest.raises(ValueError, match="num_epochs"):
        train(dataset_root, tmp_path, 3)
    unfinished.Lock(tmp_path / "a").release()
    assert train(dataset_root, tmp_path).is_file()


def test_files_that_are_written_at_once_do_not_mix(tmp_path):
    path, names = tmp_path / "file", []

    def write_inner(file):
        names.append(file.name)
        file.write(b"inner")

    def write_outer(file):
        names.append(file.name)
        file.write(b"out")
        files.write_atomically(path, write_inner)
        file.write(b"er")

    files.write_atomically(path, write_outer)
    assert path.read_bytes() == b"outer" and len(set(names)) == 2 and os.listdir(tmp_path) == ["file"]


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    for error in (OSError("disk full"), KeyboardInterrupt()):
        def fail(file, error=error):
            file.write(b"half")
            raise error

        with pytest.raises(type(error)):
            files.write_atomically(tmp_path / "file", fail)
        assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed(dataset_root, tmp_path):
    (tmp_path / "a").mkdir()
    (left := tmp_path / "a" / "training_state.pth.01234567.tmp").write_bytes(b"half")
    train(dataset_root, tmp_path, 1)
    assert not left.exists()
