"""Files of vocoders, and spectrograms that are none: audio is finite, or they are refused."""

from __future__ import annotations

import functools
import io
import pathlib
import sys
import tempfile
import types
import warnings
from dataclasses import replace

import numpy as np
import torch
from test_waveglow import GLOW, SMALL

import lj_speech
from fuzz import voices
from fuzz.mutations import ODD_NUMBERS, Dice, mutate_bytes, mutate_saved, odd_tensor, pickle_bombs
from vocoder import network

GLOW_CONFIG = replace(SMALL, n_mels=80, hop_length=256, upsample_kernel=1024)
VOCODER_CONFIG = network.Config(width=16, n_blocks=1, short_width=8, n_short_blocks=1)


@functools.cache
def vocoder_file() -> bytes:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vocoder.pth"
        network.save(network.Vocoder(VOCODER_CONFIG), path, [])
        return path.read_bytes()


def glow(dice: Dice, change: bool) -> bytes:
    """A small WaveGlow as NVIDIA's file has it, with an odd parameter or attribute if it is to be changed."""
    module = types.ModuleType("glow")
    exec(GLOW, module.__dict__)
    sys.modules["glow"] = module
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = module.WaveGlow(GLOW_CONFIG, dice.happens(0.2))
        for mix in model.convinv:
            torch.nn.init.orthogonal_(mix.conv.weight)
        if change:
            change_module(dice, model)
        file = io.BytesIO()
        torch.save({"model": model}, file, _use_new_zipfile_serialization=dice.happens(0.5))
        return file.getvalue()
    finally:
        del sys.modules["glow"]


def change_module(dice: Dice, model: torch.nn.Module) -> None:
    if dice.happens(0.3):
        model.upsample.stride = dice.choice([(0,), (-1,), (10**9,), (255,), (1,), 0, "x", None, ()])
        return
    name, parameter = dice.choice(list(model.named_parameters()))
    holder, _, last = name.rpartition(".")
    changed = odd_tensor(dice, parameter.data)
    if isinstance(changed, torch.Tensor) and changed.layout == torch.strided and changed.numel() < 10**7:
        changed = changed if changed.is_floating_point() else changed.float()
        model.get_submodule(holder)._parameters[last] = torch.nn.Parameter(changed, requires_grad=False)
    else:
        model.get_submodule(holder)._parameters[last] = dice.choice([None, 1, "x", torch.zeros(3)])


def make(dice: Dice, folder: pathlib.Path) -> dict:
    name = dice.choice(["harmonic", "harmonic", "waveglow", "waveglow", "spectrogram", "hifigan"])
    if name == "spectrogram":
        odd = [float(number) if abs(number) < 1e308 else number for number in ODD_NUMBERS if number != 10**400]
        return {"vocoder": name, "values": [dice.choice(odd) for _ in range(3)], "pitch": dice.choice([None, *odd]),
                "n_frames": dice.choice([1, 2, 5, 40]), "seed": dice.randrange(1000)}  # fmt: skip
    if name == "waveglow":
        content = glow(dice, dice.happens(0.5))
        what = dice.random()
        content = mutate_bytes(dice, content) if what < 0.5 else dice.choice(pickle_bombs()) if what > 0.95 else content
    elif name == "harmonic":
        content = mutate_saved(dice, vocoder_file())[1]
    else:
        content = mutate_bytes(dice, vocoder_file())
    (folder / "weights.pth").write_bytes(content)
    return {"vocoder": name, "named": "weights.pth"}


def check(case: dict, folder: pathlib.Path) -> None:
    if case["vocoder"] == "spectrogram":
        rng = np.random.default_rng(case["seed"])
        spectrogram = rng.normal(-5, 2, (80, case["n_frames"])).astype(np.float32)
        for value in case["values"]:
            spectrogram[rng.integers(80), rng.integers(case["n_frames"])] = value
        pitch = None if case["pitch"] is None else torch.full((case["n_frames"],), case["pitch"], dtype=torch.float64)
        voices.check_audio(voices.vocoder()(spectrogram, pitch=pitch))
        return
    try:
        vocoder = lj_speech.Vocoder(case["vocoder"], folder / "weights.pth", "cpu")
        case["named"] = ""
        voices.check_audio(vocoder(np.full((80, 20), -5, np.float32)))
    finally:
        assert not (folder / "was-run").exists(), "code of the file was run"
