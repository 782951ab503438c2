"""Other small voices that say the same texts, to compare with. They install from the registry, their weights inside.

hibari   hibari-tts, 6 M parameters, an American woman
piper    Piper's voice `joe`, medium
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import torch
import torchaudio

import teacher
from lj_speech import SAMPLING_RATE

SEED = 0  # of hibari's noise


def load_hibari(n_threads: int) -> Callable[[str], np.ndarray]:
    voice = importlib.import_module("hibari").Hibari(threads=n_threads)

    def say(text: str) -> np.ndarray:
        audio = torch.as_tensor(voice(text, seed=SEED))
        return torchaudio.functional.resample(audio, voice.sample_rate, SAMPLING_RATE).numpy()

    return say


def load_piper(n_threads: int) -> Callable[[str], np.ndarray]:
    say = teacher.load_piper(n_threads)
    return lambda text: np.concatenate(list(say(text)))


PEERS = {"hibari": load_hibari, "piper": load_piper}


def load_peer(name: str, n_threads: int = 1) -> Callable[[str], np.ndarray] | None:
    """text -> audio (S,) float32 at SAMPLING_RATE; None where its packages are not installed."""
    try:
        return PEERS[name](n_threads)
    except ModuleNotFoundError:
        return None
