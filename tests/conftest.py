"""A tiny dataset in the published format: each phoneme has a spectrum of its own, so that it can be learned."""

import json
import pathlib
import zlib

import numpy as np
import pytest
import torch

from lj_speech import FRAME_MILLISECONDS as MILLISECONDS

torch.set_num_threads(1)  # the networks of the tests are too small for more

CODES = ["pau", "AA1", "AE0", "B", "IY1", "S", "T"]


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
def dataset_root(tmp_path) -> pathlib.Path:
    return write_dataset(tmp_path / "LJ-Speech-aligned")
