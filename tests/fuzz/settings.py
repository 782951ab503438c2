"""Settings of trainings, models and voices: refused in a sentence, or of some use."""

from __future__ import annotations

import dataclasses
import math
import numbers
import pathlib

import numpy as np

import part2_solution as tts
import waveglow
from fuzz import voices
from fuzz.mutations import ODD_NUMBERS, ODD_VALUES, Dice
from prosody.settings import Settings, Style
from recipe.voice import VoiceConfig
from vocoder import network

CONFIGS = {
    kind.__name__: kind for kind in (tts.StepConfig, tts.TrainConfig, VoiceConfig, tts.ModelConfig, Settings, Style)
}
CONFIGS |= {"network.Config": network.Config, "waveglow.Config": waveglow.Config}
NEEDED = {
    "ModelConfig": {field.name: getattr(voices.CONFIG, field.name) for field in dataclasses.fields(voices.CONFIG)}
}
OF_THE_VOICE = [
    "tempo",
    "sentence_pause",
    "paragraph_pause",
    *(field.name for field in dataclasses.fields(Style)),
    "speed",
]
REASONABLE = [0.3, 0.5, 1, 1.5, 2, 3, 10]
WORDS = ["hibari", "Is", "", " ", "a b", "\0", "é", "1"]
CODES = ["HH IH0 B AA1 R IY0", "", "X", "HH", ["HH"], [], None, 1, "hh ih0", ["HH IH0"], "HH\nIH0", [None]]
FREE = {"max_sigma": math.inf}  # what may be infinite


def value(dice: Dice):
    return dice.choice([*ODD_NUMBERS, *ODD_VALUES, *REASONABLE, *REASONABLE])


def make(dice: Dice, folder: pathlib.Path) -> dict:
    what = dice.choice(["config", "config", "voice", "words", "phonemes"])
    if what == "config":
        name = dice.choice(sorted(CONFIGS))
        names = [field.name for field in dataclasses.fields(CONFIGS[name])]
        return {
            "what": what,
            "name": name,
            "settings": {dice.choice(names): value(dice) for _ in range(dice.choice([1, 1, 2]))},
        }
    if what == "voice":
        chosen = dice.sample(OF_THE_VOICE, dice.choice([1, 2, 3]))
        return {
            "what": what,
            "settings": {name: value(dice) for name in chosen},
            "chunk": dice.choice([None, None, 32, value(dice)]),
        }
    if what == "words":
        return {
            "what": what,
            "words": dice.choice([value(dice), {dice.choice(WORDS): dice.choice(CODES) for _ in range(2)}]),
        }
    known = ["pau", "HH", "AH0", "AA1", "IY2", "Z"]
    phonemes = [dice.choice(known if dice.happens(0.9) else ODD_VALUES) for _ in range(dice.choice([0, 1, 3, 70, 200]))]
    durations = [dice.choice([0, 1, 5, 40] if dice.happens(0.95) else ODD_VALUES) for _ in phonemes]
    return {"what": what, "phonemes": dice.choice([phonemes, phonemes, phonemes, value(dice)]),
            "durations": dice.choice([None, durations, durations, durations[:-1], value(dice)])}  # fmt: skip


def check(case: dict, folder: pathlib.Path) -> None:
    if case["what"] == "config":
        check_config(CONFIGS[case["name"]](**{**NEEDED.get(case["name"], {}), **case["settings"]}))
    elif case["what"] == "voice":
        text = "Is it? Yes."
        if case["chunk"] is None:
            voices.check_audio(voices.voice().speak(text, **case["settings"]).audio)
        else:
            for piece in voices.voice().stream(text, chunk=case["chunk"], **case["settings"]):
                voices.check_audio(piece.audio)
    elif case["what"] == "words":
        voices.check_audio(voices.voice().synthesize_from_text("Is hibari é?", custom_words=case["words"]))
    else:
        voices.check_audio(voices.voice().synthesize_from_phonemes(case["phonemes"], case["durations"]))


def check_config(config) -> None:
    """What is accepted is of the type of the default, finite, and of use to what takes it."""
    for field in dataclasses.fields(config):
        found = getattr(config, field.name)
        if "int" in str(field.type) and "tuple" not in str(field.type) and found is not None:
            assert isinstance(found, numbers.Integral) and not isinstance(found, bool), f"{field.name} is {found!r}"
        if str(field.type) in ("float", "<class 'float'>"):
            assert isinstance(found, numbers.Real) and not isinstance(found, bool), f"{field.name} is {found!r}"
            assert math.isfinite(found) or FREE.get(field.name) == found, f"{field.name} is {found!r}"
    if isinstance(config, tts.StepConfig):
        factors = [tts.learning_rate_factor(step, 100, config) for step in range(101)]
        assert (
            all(0 <= factor <= 1 for factor in factors) and 0 <= config.ema_decay <= 1 and config.max_gradient_norm > 0
        )
    if isinstance(config, tts.TrainConfig):
        size = min(config.batch_size, 10**6), min(config.bucket_batches, 10**6)
        batches = list(tts.BucketBatchSampler([3, 1, 2], *size, config.seed))
        assert sorted(np.concatenate(batches).tolist()) == [0, 1, 2]
        assert config.log_every > 0 and config.n_evaluations > 0
