"""A training by two processes is that by one, with the same batches, within rounding."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass, replace

import conftest
import pytest
import torch
from conftest import QUICK, QUICK_VOICE, ROOT, TINY, interrupted_at, write_dataset

import part2_solution as tts
from compute import processes
from prosody.extension import Prosody

SETTINGS = {**TINY, "encoder_dropout": 0.0, "decoder_dropout": 0.0, "duration_dropout": 0.0}
CONFIGS = {"train": replace(QUICK, batch_size=4), "train_voice": replace(QUICK_VOICE, batch_size=4)}
# A bias before a batch normalisation or a softmax has no gradient but rounding, which AdamW makes large.
WITHOUT_GRADIENT = ("out_proj.bias", "feed_forward.2.bias", "in_proj_bias")


@dataclass(frozen=True)
class WithoutDropout(Prosody.Settings):
    pitch_dropout: float = 0.0
    cue_dropout: float = 0.0


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / "data", 9)  # 8 to learn from


def run_training(kind: str, root, folder, name: str, stop: tuple[str, int] | None = None) -> None:
    """Trains in this process; the weights go to a file in full precision, and so does what is logged."""
    torch.set_num_threads(1)
    logged, log = [], tts.Run.log

    def listen(run, prefix, state, scalars):
        logged.append({f"{prefix}/{name}": float(value) for name, value in scalars.items()})
        log(run, prefix, state, scalars)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tts, "save_checkpoint", lambda model, path, _: torch.save((model.state_dict(), logged), path))
        patch.setattr(tts.Run, "log", listen)
        patch.setattr(Prosody, "Settings", WithoutDropout)
        start = lambda: getattr(conftest, kind)(  # noqa: E731
            root, folder, name=name, config=CONFIGS[kind], model_settings=SETTINGS
        )
        if stop is None:
            start()
        else:
            with interrupted_at(patch, *stop):
                start()


def work(rank: int, port: int, *arguments) -> None:
    where = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({key: str(value) for key, value in where.items()})
    run_training(*arguments)
    assert not torch.distributed.is_initialized()


def run_by_two(*arguments) -> None:
    """As torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, *arguments), nprocs=2)


def assert_same_training(folder, first: str, second: str) -> None:
    """Losses and gradient norms as far as both are logged, and the weights at the end.

    On average: a step of AdamW has the sign of the gradient, and where that is near 0, rounding decides.
    """
    (weights, log), (other_weights, other_log) = (torch.load(folder / f"{name}.pth") for name in (first, second))
    n = min(len(log), len(other_log))
    for ours, theirs in zip(log[-n:], other_log[-n:]):
        names = {name for name in ours if not name.endswith("iterations_per_second")}
        assert names == {name for name in theirs if not name.endswith("iterations_per_second")}
        for name in names:
            assert ours[name] == pytest.approx(theirs[name], rel=2e-3), name
    for name, weight in weights.items():
        if not name.endswith(WITHOUT_GRADIENT):
            difference = float((weight - other_weights[name]).abs().float().mean())
            assert difference < 3e-4, f"{name}: {difference}"


@pytest.mark.parametrize("kind", ["train", "train_voice"])
def test_two_processes_train_as_one(root, tmp_path, kind):
    run_training(kind, root, tmp_path, "one")
    run_by_two(kind, root, tmp_path, "two")
    assert_same_training(tmp_path, "one", "two")
    assert len(list((tmp_path / "two").glob("events*"))) == 1, "one of them writes the log"


def test_a_run_of_two_processes_is_resumed_by_one(root, tmp_path):
    run_training("train", root, tmp_path, "whole")
    run_by_two("train", root, tmp_path, "cut", ("spectrogram", 1))
    assert not (tmp_path / "cut.pth").exists() and (tmp_path / "cut" / "training_state.pth").exists()
    run_training("train", root, tmp_path, "cut")
    assert_same_training(tmp_path, "cut", "whole")


def test_torchrun_trains_from_the_command_line(root, tmp_path):
    settings = {"batch-size": 4, "n-evaluations": 1, "duration-epochs": 1, "amp": "fp32"}
    options = [f"--{name}={value}" for name, value in settings.items()]
    paths = f"--logdir={tmp_path / 'log'}", f"--checkpoint={tmp_path / 'voice.pth'}"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*launcher, "part2_solution.py", "train", root, "--epochs=1", *options, *paths],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("spectrogram:   0%") == 1, "one bar, not two"
    assert tts.load_checkpoint(tmp_path / "voice.pth")
    assert not (tmp_path / "log" / "training_state.pth").exists()


# -------- Shares -----------------------------------------------------------------------------------------------------


def test_processes_share_each_batch_and_leave_none_without_utterance():
    lengths = list(range(50, 103))
    whole, *parts = (
        list(tts.BucketBatchSampler(lengths, 8, 2, 0, part))
        for part in (slice(None), slice(0, None, 3), slice(1, None, 3), slice(2, None, 3))
    )
    assert len(whole) == 7 and {len(batch) for batch in whole} == {7, 8}
    for batch, *shares in zip(whole, *parts, strict=True):
        assert sorted(batch) == sorted(sum(shares, [])) and all(shares)
    with pytest.raises(ValueError, match="batches of 7 utterances cannot be shared by 8 processes"):
        tts.BucketBatchSampler(lengths, 8, 2, 0, slice(0, None, 8))


def test_a_process_of_its_own_has_all_of_it():
    value = torch.randn(3)
    assert processes.share() == slice(0, None, 1) and processes.is_first()
    assert processes.total(value) is value and processes.from_first(value) is value
    before = torch.get_rng_state()
    processes.seed(0, 1)
    assert torch.equal(torch.get_rng_state(), before)
