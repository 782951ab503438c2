"""Shared by the tests: a tiny dataset in the published format, small models and quick trainings."""

import contextlib
import json
import os
import pathlib
import zlib

import numpy as np
import pytest
import torch

import part2_solution as tts
from lj_speech import FRAME_MILLISECONDS as MILLISECONDS
from part2_solution import Batch, ModelConfig, length_mask, pad
from prosody.cues import N_CUES
from prosody.extension import Prosody
from recipe import voice

ROOT = pathlib.Path(__file__).parent.parent
CODES = ["pau", "AA1", "AE0", "B", "IY1", "S", "T"]
SMALL = {"width": 16, "n_heads": 2, "inner_width": 32, "n_encoder_blocks": 2, "n_decoder_blocks": 2, "post_width": 8}
TINY = {**SMALL, "duration_width": 8}
CONFIG = ModelConfig(
    vocabulary=("pau", "AA1", "B", "S"), max_phonemes=12, max_frames=60, log_duration_mean=1.5, log_duration_std=0.5,
    **TINY,
)  # fmt: skip
SPEED = {"batch_size": 2, "n_evaluations": 2, "log_every": 1, "learning_rate": 3e-3, "duration_learning_rate": 1e-2}
QUICK = tts.TrainConfig(**SPEED, amp="fp32")
QUICK_VOICE = voice.VoiceConfig(**SPEED, amp="fp32", pitch_epochs=2)


@pytest.fixture(autouse=True)
def one_thread():
    """The networks of the tests are too small for more, and what sets more leaves it to the tests that follow."""
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)


# -------- A dataset in which each phoneme has a spectrum of its own, so that it can be learned ------------------------


def write_utterance(root: pathlib.Path, name: str, codes: list[str], durations: list[int], first=0, n_frames=None):
    """Write `name.json` and `name.mel.npy`; the first phoneme starts at frame `first`."""
    starts = first + np.cumsum([0, *durations[:-1]])
    phones = [
        {"phone": code, "onset": start * MILLISECONDS, "duration": duration * MILLISECONDS}
        for code, start, duration in zip(codes, starts.tolist(), durations)
    ]
    record = {"ID": name, "text": f"text of {name}", "utterance": {"words": [{"phones": phones}]}}
    (root / f"{name}.json").write_text(json.dumps(record))
    n_frames = n_frames or first + sum(durations)
    spectra = {code: np.random.default_rng(zlib.crc32(code.encode())).normal(-5, 2, 80) for code in codes}
    mel = np.full((80, n_frames), -11.0, dtype=np.float32)
    for code, start, duration in zip(codes, starts, durations):
        mel[:, start : start + duration] = spectra[code][:, None]
    np.save(root / f"{name}.mel.npy", mel)


def write_dataset(root: pathlib.Path, n_utterances: int = 6) -> pathlib.Path:
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(n_utterances):
        codes = ["pau", *rng.choice(CODES[1:], size=4 + index % 3), "pau"]
        write_utterance(root, f"LJ{index:03d}", [str(code) for code in codes], rng.integers(2, 9, len(codes)).tolist())
    return root


@pytest.fixture
def second_root(tmp_path):
    """Three utterances of a second speaker; the text of the second is among those held out in `dataset_root`."""
    root = tmp_path / "second"
    root.mkdir()
    for name, codes in (
        ("t0", ["pau", "S", "AA1", "pau"]),
        ("LJ000", ["pau", "B", "pau"]),
        ("t1", ["pau", "T", "IY1"]),
    ):
        write_utterance(root, name, codes, [6] * len(codes))
    return root


@pytest.fixture
def dataset_root(tmp_path) -> pathlib.Path:
    return write_dataset(tmp_path / "LJ-Speech-aligned")


class Hostile:
    """A pickle that would run a command when read."""

    def __init__(self, marker: pathlib.Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


# -------- Models and batches -----------------------------------------------------------------------------------------


def random_batch(lengths=((5, 20), (9, 40), (2, 7)), seed=0) -> Batch:
    """Utterances of so many phonemes and frames, with the features of `prosody`."""
    generator = torch.Generator().manual_seed(seed)
    tokens = [torch.randint(4, (n,), generator=generator) for n, _ in lengths]
    durations = []
    for n, t in lengths:
        cuts = torch.randperm(t - 1, generator=generator)[: n - 1].sort().values + 1
        durations.append(torch.diff(cuts, prepend=torch.tensor([0]), append=torch.tensor([t])))
    mels = [torch.randn(t, 80, generator=generator) for _, t in lengths]
    masks = [length_mask(column) for column in zip(*lengths)]
    features = {
        "log_pitch": pad([torch.rand(n, generator=generator) + 4.8 for n, _ in lengths]),  # 120 to 330 Hz
        "cues": pad([torch.randint(N_CUES, (n,), generator=generator) for n, _ in lengths]),
    }
    return Batch(pad(tokens), pad(durations), masks[0], pad(mels), masks[1], features)


def single(batch: Batch, index: int) -> Batch:
    """One utterance of a batch, without its padding."""
    n, t = int(batch.token_mask[index].sum()), int(batch.frame_mask[index].sum())
    row = slice(index, index + 1)
    tokens, durations, token_mask = (part[row, :n] for part in batch[:3])
    features = {name: values[row, :n] for name, values in batch.features.items()}
    return Batch(tokens, durations, token_mask, batch.mels[row, :t], batch.frame_mask[row, :t], features)


def with_features(batch: Batch, **features) -> Batch:
    return batch._replace(features={**batch.features, **features})


def new_model(with_prosody: bool = True) -> tts.AcousticModel:
    torch.manual_seed(0)
    return tts.AcousticModel(CONFIG, Prosody(CONFIG) if with_prosody else None)


@pytest.fixture(params=["method", "prosody"])
def model(request) -> tts.AcousticModel:
    """With statistics other than the initial ones, in eval mode."""
    model = new_model(request.param == "prosody")
    for _ in range(3):
        model(random_batch())
    return model.eval()


# -------- Trainings --------------------------------------------------------------------------------------------------


def train(root, tmp_path, num_epochs=2, name="a", **options):
    """The plain method; returns the checkpoint."""
    options = {"config": QUICK, "model_settings": TINY, **options}
    tts.train_tts(root, num_epochs, tmp_path / name, checkpoint_path=tmp_path / f"{name}.pth", **options)
    return tmp_path / f"{name}.pth"


def train_voice(root, tmp_path, num_epochs=2, name="a", **options):
    """A voice with prosody; returns the checkpoint."""
    options = {"config": QUICK_VOICE, "model_settings": TINY, **options}
    voice.train_voice(root, num_epochs, tmp_path / name, checkpoint_path=tmp_path / f"{name}.pth", **options)
    return tmp_path / f"{name}.pth"


@contextlib.contextmanager
def interrupted_at(monkeypatch, stage: str, epoch: int):
    """A training inside is interrupted before this epoch of this stage."""
    train_epoch = tts.train_epoch

    def interrupt(current, state, *others):
        if (current.name, state.epoch) == (stage, epoch):
            raise KeyboardInterrupt
        train_epoch(current, state, *others)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tts, "train_epoch", interrupt)
        yield
