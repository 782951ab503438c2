"""Damaged, foreign and hostile files of weights: each is refused by a sentence that names it, in little memory."""

import contextlib
import copy
import io
import json
import os
import pathlib
import pickle
import random
import re
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from conftest import ROOT, new_model
from test_vocoder import TINY, smooth_spectrograms, tiny_vocoder
from test_waveglow import SMALL as SMALL_GLOW

import lj_speech
import part2_solution as tts
import runtime
import waveglow
from recipe import voice
from recipe.train_vocoder import previous_runs
from runtime import archive
from vocoder import files, hifigan, network, weights

FIRST_FORMAT = pathlib.Path(__file__).with_name("first_format.pth")
LOADERS = {
    "checkpoint": tts.load_checkpoint, "vocoder": network.load, "HiFi-GAN": hifigan.load, "WaveGlow": waveglow.load,
    "state": lambda path: weights.read(path, "start anew"), "runtime": runtime.TextToSpeechSynthesizer,
}  # fmt: skip
every_loader = pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS.keys())


@contextlib.contextmanager
def refused(path, *, match=None):
    """A ValueError or FileNotFoundError of one line that names the file."""
    with pytest.raises((ValueError, FileNotFoundError), match=match) as caught:
        yield
    assert type(caught.value) in (ValueError, FileNotFoundError), "no subclass, such as UnicodeDecodeError"
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


def edited(path: pathlib.Path, change, source=FIRST_FORMAT) -> pathlib.Path:
    """A checkpoint of other content."""
    content = torch.load(source, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


# -------- Files that are none ----------------------------------------------------------------------------------------


@every_loader
@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "empty", "text", "pickle", "deflated", "nested"])
def test_what_is_no_file_of_weights(load, kind, tmp_path):
    path = tmp_path / "bad.pth"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "deflated":
        with zipfile.ZipFile(FIRST_FORMAT) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
    elif kind != "missing":
        contents = {"empty": b"", "text": b"no weights", "pickle": pickle.dumps({"a": 1}), "nested": b"(" * 200_000}
        path.write_bytes(contents[kind])
    with refused(path, match={"folder": "folder", "pipe": "pipe", "missing": "there is no"}.get(kind)):
        load(path)


@every_loader
def test_flipped_bits_never_raise_anything_else(load, tmp_path):
    """Of a pickle and of the archive around it, where everything is an instruction."""
    whole, path, generator = FIRST_FORMAT.read_bytes(), tmp_path / "flipped.pth", random.Random(0)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[generator.randrange(14_000)] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            load(path)
        except (ValueError, FileNotFoundError) as error:
            assert type(error) in (ValueError, FileNotFoundError) and path.name in str(error)


def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path):
    """The checksums in the archive are compared: also those of files that were written before."""
    whole, path, generator = FIRST_FORMAT.read_bytes(), tmp_path / "flipped.pth", random.Random(1)
    expected = tts.load_checkpoint(FIRST_FORMAT)
    n_noticed = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            loaded = tts.load_checkpoint(path)
        except ValueError:
            n_noticed += 1
            continue
        assert loaded.config == expected.config
        for name, tensor in loaded.state_dict().items():
            assert torch.equal(tensor, expected.state_dict()[name])
    assert n_noticed > 50


def test_a_flipped_bit_in_a_weight_is_named(tmp_path):
    path = tmp_path / "flipped.pth"
    with zipfile.ZipFile(ROOT / "TTS.pth") as whole:
        (part,) = (entry for entry in whole.infolist() if entry.filename.endswith("/data/7"))
    place = part.header_offset + 200
    damaged = bytearray((ROOT / "TTS.pth").read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    with refused(path, match="damaged: the checksum of"):
        tts.load_checkpoint(path)


# -------- Small files, huge memory -----------------------------------------------------------------------------------


def repeated(content):
    content["weights"] = {"a": torch.zeros(1).expand(2**40)}


def many_views(content):
    storage = torch.zeros(10_000)
    content["weights"] = {str(row): storage[row:] for row in range(100)}


def without_numbers(content):
    content["weights"] = {"a": torch.empty(2**40, device="meta")}


def of_config(**settings):
    return lambda content: content["config"].update(settings)


@pytest.mark.parametrize("change, message", [
    (repeated, "larger than the file"), (many_views, "larger than the file"), (without_numbers, "larger than the file"),
    (of_config(width=8000), "width is 8000"), (of_config(n_encoder_blocks=50_000), "n_encoder_blocks is 50000"),
    (of_config(max_frames=10**9), "max_frames is"), (of_config(kernel_size=4), "kernel_size is 4"),
    (of_config(n_heads=0), "n_heads is 0"), (of_config(n_heads=3), "width is 16"), (of_config(width=1024), "the shape"),
    (of_config(n_pitches=10**9), "n_pitches is"), (of_config(vocabulary=[1]), "vocabulary is 1"),
    (of_config(vocabulary="AA"), "vocabulary is"), (of_config(width=True), "width is True"),
    (of_config(log_duration_mean=float("nan")), "log_duration_mean is nan"),
    (of_config(log_duration_std=0), "log_duration_std is 0"), (of_config(log_duration_std=float("inf")), "is inf"),
    *((of_config(lowest_pitch=value), "lowest_pitch is") for value in (0, -1, float("nan"), float("inf"), 500)),
    (of_config(highest_pitch=float("inf")), "highest_pitch is inf"), (of_config(max_sigma=float("nan")), "is nan"),
])  # fmt: skip
def test_settings_and_sizes_that_make_no_sense(change, message, tmp_path):
    path = edited(tmp_path / "bad.pth", change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused(path, match=message):
        tts.load_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024, "kB"


BOMB = b"\x80\x02]r\x00\x00\x00\x10."  # an empty list, to be remembered as the 268 435 456th object


def test_nine_bytes_take_no_memory(tmp_path):
    path = tmp_path / "bomb.pth"
    path.write_bytes(BOMB)
    program = (
        "import resource, sys, pathlib, waveglow, part2_solution as tts; from vocoder import hifigan, network\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))\n"
        "for load in (waveglow.load, tts.load_checkpoint, network.load, hifigan.load):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    try: load(pathlib.Path(sys.argv[1]))\n"
        "    except ValueError: pass\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(int(line) < 100 * 1024 for line in result.stdout.split()) and len(result.stdout.split()) == 4


def test_an_archive_that_says_it_is_larger(tmp_path):
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as made:
        made.writestr("a", b"1234")
    content = (tmp_path / "large.zip").read_bytes()
    place = content.index(b"PK\x01\x02") + 24
    (tmp_path / "large.zip").write_bytes(content[:place] + (3 * 10**9).to_bytes(4, "little") + content[place + 4 :])
    with zipfile.ZipFile(tmp_path / "large.zip") as made, pytest.raises(ValueError, match="more than it has"):
        files.check_archive(made, with_checksums=True)


# -------- Weights that are no numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers(value, tmp_path):
    def change(content):
        content["weights"]["encoder.embedding.weight"][0, 0] = value

    with refused(tmp_path / "bad.pth", match="NaN or infinity"):
        tts.load_checkpoint(edited(tmp_path / "bad.pth", change))
    model = tiny_vocoder()
    network.save(model, tmp_path / "vocoder.pth", [])

    def change_vocoder(content):
        content["weights"]["output_norm.bias"][0] = value

    with refused(tmp_path / "vocoder.pth", match="NaN or infinity"):
        network.load(edited(tmp_path / "vocoder.pth", change_vocoder, tmp_path / "vocoder.pth"))


@pytest.mark.parametrize("settings, message", [
    ({"width": 8000}, "width is 8000"), ({"n_blocks": 0}, "n_blocks is 0"), ({"kernel_size": 2}, "odd"),
    ({"lowest_pitch": 0.0}, "lowest_pitch is 0"), ({"pitch_step": 1200.0}, "beyond 11025"), ({"colour": 1}, "colour"),
    ({"pitch_step": float("nan")}, "pitch_step is nan"), ({"expansion": 1.5}, "expansion is 1.5"),
])  # fmt: skip
def test_vocoders_of_settings_that_make_no_sense(settings, message, tmp_path):
    network.save(tiny_vocoder(), path := tmp_path / "vocoder.pth", [])
    with refused(path, match=message):
        network.load(edited(path, lambda content: content["config"].update(settings), path))


def unwise(model: torch.nn.Module, scale: float) -> torch.nn.Module:
    """With finite weights, so large that what they give may be infinite."""
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(scale)
    return model


@pytest.mark.parametrize("scale", [1e2, 1e6, 1e18, 1e30])
def test_large_weights_give_finite_audio_or_an_error(scale, tmp_path):
    speak = lj_speech.Vocoder("harmonic", network.WEIGHTS_PATH, device="cpu")
    speak.model = unwise(tiny_vocoder(), scale)
    try:
        audio = speak(smooth_spectrograms(20))
        assert audio.isfinite().all() and audio.abs().max() <= 1
    except ValueError as error:
        assert "no finite audio" in str(error)


@pytest.mark.parametrize("value", [1e38, -1e38, 3e38, -101.0, 101.0, float("inf"), float("nan")])
def test_spectrograms_beyond_sense_are_refused(value):
    speak = lj_speech.Vocoder("harmonic", device="cpu")
    for spectrogram in (torch.full((80, 5), value), np.full((80, 5), value, np.float32)):
        with pytest.raises(ValueError, match="the spectrogram holds"):
            speak(spectrogram)
        with pytest.raises(ValueError, match="the spectrogram holds"):
            list(speak.stream(spectrogram))


@pytest.mark.parametrize("value", [100.0, -100.0, 0.0])
def test_loud_and_silent_spectrograms_give_finite_audio(value):
    audio = lj_speech.Vocoder("harmonic", device="cpu")(torch.full((80, 5), value))
    assert audio.isfinite().all() and audio.abs().max() <= 1


@pytest.mark.parametrize("pitch", [float("inf"), float("nan"), 0.0, -1.0, 1e-45, 1e38])
def test_pitches_beyond_sense_are_refused(pitch):
    with pytest.raises(ValueError, match="pitch > 0 Hz for each frame"):
        lj_speech.Vocoder("harmonic", device="cpu")(torch.full((80, 5), -5.0), torch.full((5,), pitch))


class Broken:
    def __call__(self, spectrogram, **hints):
        return torch.full((1, spectrogram.shape[1] * 256), float("nan"))


def test_a_vocoder_of_ones_own_may_not_give_nan(tmp_path):
    tts.save_checkpoint(new_model(), tmp_path / "TTS.pth", {})
    with pytest.raises(ValueError, match="NaN or infinity"):
        tts.TextToSpeechSynthesizer(tmp_path / "TTS.pth", Broken()).synthesize_from_phonemes(["AA1", "B"])


@pytest.mark.parametrize("bias", [1e30, float("nan"), 40.0])
def test_durations_that_are_no_numbers_are_no_silence(bias, tmp_path):
    """Of weights that were changed after they were loaded, or that overflow."""
    tts.save_checkpoint(new_model(), tmp_path / "TTS.pth", {})
    voice = tts.TextToSpeechSynthesizer(tmp_path / "TTS.pth")
    torch.nn.init.constant_(voice.model.duration_model.projection.bias, bias)
    with pytest.raises(ValueError, match="durations that the voice predicts|more than the model reaches"):
        voice.synthesize_from_phonemes(["AA1", "B"])


# -------- WaveGlow ---------------------------------------------------------------------------------------------------


def glow_state():
    torch.manual_seed(0)
    return waveglow.WaveGlow(SMALL_GLOW).state_dict()


def load_glow(tmp_path, monkeypatch, change=lambda state: None, stride=SMALL_GLOW.hop_length):
    """What is loaded where a file holds these weights."""
    state = glow_state()
    change(state)
    module = type("Module", (), {"_modules": {"upsample": type("Upsample", (), {"stride": (stride,)})}})
    monkeypatch.setattr(waveglow.checkpoint, "_read_legacy", lambda path: ({"model": module}, {}))
    monkeypatch.setattr(waveglow.checkpoint, "_parameters", lambda module: state)
    monkeypatch.setattr(waveglow.checkpoint, "_numbers", lambda tensors, storages: tensors)
    (tmp_path / "glow.pt").write_bytes(b"glow")
    return waveglow.load(tmp_path / "glow.pt")


def set_to(name, value):
    return lambda state: state[name].fill_(value)


@pytest.mark.parametrize("change, stride, message", [
    (set_to("WN.0.start.bias", float("nan")), 16, "NaN"), (set_to("upsample.bias", float("inf")), 16, "NaN"),
    (set_to("convinv.0.conv.weight", 0.0), 16, "no inverse"), (set_to("convinv.1.conv.weight", 1.0), 16, "no inverse"),
    (lambda state: None, 0, "hop_length is 0"), (lambda state: None, -8, "hop_length is -8"),
    (lambda state: None, 12, "group of 8"), (lambda state: None, "16", "hop_length is '16'"),
    (lambda state: None, 128, "upsample_kernel is 64"), (lambda state: state.pop("upsample.bias"), 16, "upsample.bias"),
])  # fmt: skip
def test_a_waveglow_that_would_give_no_audio(change, stride, message, tmp_path, monkeypatch):
    with refused(tmp_path / "glow.pt", match=message):
        load_glow(tmp_path, monkeypatch, change, stride)


def test_a_waveglow_of_numbers_is_loaded(tmp_path, monkeypatch):
    assert load_glow(tmp_path, monkeypatch).config == SMALL_GLOW


def test_a_waveglow_of_repetitions_is_refused():
    stored = {"0": torch.zeros(4)}
    big = waveglow.checkpoint.StoredTensor("0", 0, (2**20, 2**20), (0, 0))
    with pytest.raises(ValueError, match="larger than what it stores"):
        waveglow.checkpoint._numbers({"upsample.weight": big}, stored)


# -------- The runtime's voice ----------------------------------------------------------------------------------------


def write_voice(path: pathlib.Path, **changes) -> pathlib.Path:
    """An archive of the runtime without graphs, whose `voice.json` has these changes."""
    record = {
        "model": {"vocabulary": ["pau"], "max_phonemes": 9, "max_frames": 99}, "vocoder": {}, "prosody": None,
        "weights": {}, "made_from": {},
    } | changes  # fmt: skip
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("voice.json", json.dumps(record))
    return path


@pytest.mark.parametrize("changes, message", [
    ({"model": {}}, "vocabulary"), ({"model": None}, "no voice"), ({"vocoder": {"width": 0}}, "width is 0"),
    ({"model": {"vocabulary": [], "max_phonemes": 9, "max_frames": 9}}, "vocabulary is"),
    ({"model": {"vocabulary": ["a"], "max_phonemes": 9, "max_frames": float("nan")}}, "max_frames is nan"),
    ({"vocoder": {"lowest_pitch": float("inf")}}, "lowest_pitch is inf"), ({"vocoder": {"colour": 1}}, "colour"),
    ({"prosody": {"noise_floor": [0.0]}}, "noise_floor has 1"), ({"weights": {}}, "no intact graph"),
    ({"prosody": {"noise_floor": [float("nan")] * 80}}, "noise_floor is nan"), ({"prosody": 3}, "no voice"),
])  # fmt: skip
def test_voices_of_the_runtime_that_make_no_sense(changes, message, tmp_path):
    path = write_voice(tmp_path / "voice.zip", **changes)
    with refused(path, match=message):
        runtime.TextToSpeechSynthesizer(path)


def test_weights_of_the_runtime_are_numbers(tmp_path):
    path, buffer = write_voice(tmp_path / "voice.zip"), io.BytesIO()
    np.save(buffer, np.array([np.inf], np.float16))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("w.npy", buffer.getvalue())
    with pytest.raises(ValueError, match="w holds NaN or infinity"):
        archive.Archive(path)._weight("w")


def test_durations_of_the_runtime_are_numbers():
    from speech import pieces

    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="no numbers"):
            pieces.round_durations(np.array([value], np.float32), 1.0)
    assert pieces.round_durations(np.array([1e30], np.float32), 1.0) == [10**6]


# -------- What a training was --------------------------------------------------------------------------------------


def test_a_checkpoint_without_a_record_of_its_training_is_a_beginning(tmp_path):
    path = edited(tmp_path / "plain.pth", lambda content: content.pop("training"))
    assert weights.read_training(path) == {} and previous_runs(path) == []
    alignment = lj_speech.Alignment("", ["AA1", "B"], [0, 1], [1, 1])
    assert voice.make_model([alignment], {}, path).config.width == 16
    with refused(path, match="no record of its training"):
        weights.read_training(edited(path, lambda content: content.update(training=[1])))
    with refused(path, match="no list of its trainings"):
        previous_runs(edited(path, lambda content: content.update(training={"runs": 3})))


def test_the_shipped_files_are_what_they_were():
    """They are loaded as they are, without a word."""
    assert weights.checksum(ROOT / "TTS.pth") == tts.CHECKPOINT_MD5
    assert tts.load_checkpoint(ROOT / "TTS.pth").config.width == 256
    assert network.load().config == network.Config() != TINY
    assert re.fullmatch("[0-9a-f]{32}", weights.checksum(network.WEIGHTS_PATH))
