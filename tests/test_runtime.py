"""The runtime without PyTorch says what PyTorch says."""

import json
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from conftest import ROOT, new_model

import part2_solution as tts
from vocoder import network

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from recipe import export  # noqa: E402
from runtime import TextToSpeechSynthesizer  # noqa: E402
from runtime.archive import quantise  # noqa: E402

TEXTS = (
    "Hello there.",
    "Did you hear that? Four hours of steady work faced us, and then it was 9 o'clock.",
    "A long sentence has many phonemes in it, and commas, so that the positions of the decoder are used far and wide.",
)
MEL_TOLERANCE, AUDIO_TOLERANCE = 2e-3, 1e-2  # log of magnitudes; of full scale. 23 texts: 7e-4 and 3e-3 at most


@pytest.fixture(scope="module")
def voice_path(tmp_path_factory) -> pathlib.Path:
    """The shipped voice."""
    path = tmp_path_factory.mktemp("runtime") / "voice.zip"
    export.export(tts.CHECKPOINT_PATH, network.WEIGHTS_PATH, path)
    return path


@pytest.fixture(scope="module")
def voices(voice_path):
    return tts.TextToSpeechSynthesizer(), TextToSpeechSynthesizer(voice_path, precision="float32")


def test_importing_it_brings_no_pytorch():
    code = "import sys, runtime; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("text", TEXTS)
def test_it_says_what_pytorch_says(voices, text):
    spoken, expected = (voice.speak(text) for voice in reversed(voices))
    assert [word.text for word in spoken.words] == [word.text for word in expected.words]
    assert [phoneme.frames for phoneme in spoken.phonemes] == [phoneme.frames for phoneme in expected.phonemes]
    assert spoken.audio.shape == expected.audio.shape and spoken.audio.dtype == np.float32
    assert np.abs(spoken.spectrogram - expected.spectrogram).max() < MEL_TOLERANCE
    assert np.abs(spoken.audio - expected.audio).max() < AUDIO_TOLERANCE
    assert np.abs(expected.audio).max() > 0.1


def test_settings_and_phonemes_do_the_same(voices):
    phonemes, durations = "pau HH AH0 L OW1 pau".split(), [10, 6, 5, 8, 20, 12]
    ours, theirs = (np.asarray(voice.synthesize_from_phonemes(phonemes, durations)) for voice in voices)
    assert np.abs(ours - theirs).max() < AUDIO_TOLERANCE and ours.shape == (1, 61 * 256)
    slow, slow_too = (voice.speak("Is it late?", tempo=0.7, pitch_shift=2, question_rise=0) for voice in voices)
    assert slow.audio.shape == slow_too.audio.shape
    assert np.abs(slow.audio - slow_too.audio).max() < AUDIO_TOLERANCE
    assert slow.audio.shape[1] > 1.2 * voices[0].speak("Is it late?").audio.shape[1]


def test_a_stream_is_the_same_audio(voices):
    runtime = voices[1]
    whole = runtime.synthesize_from_text(TEXTS[1])
    pieces = list(runtime.stream_from_text(TEXTS[1]))
    assert len(pieces) > 2
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-4)
    many = list(runtime.synthesize_many([TEXTS[0], TEXTS[1]]))
    np.testing.assert_array_equal(many[1], whole)


def test_eight_bits_are_near(voice_path, voices):
    coarse = TextToSpeechSynthesizer(voice_path, precision="int8")
    spoken, expected = (list(voice.predict("pau HH AH0 L OW1 pau".split())) for voice in (coarse, voices[1]))
    assert [speech.durations for speech in spoken] == [speech.durations for speech in expected]
    difference = np.abs(spoken[0].spectrogram - expected[0].spectrogram)
    assert 0 < difference.mean() < 0.1


def test_quantised_weights_are_within_half_a_step():
    weight = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    whole, steps = quantise(weight)
    assert whole.dtype == np.int8 and np.abs(whole).max() == 127
    assert (np.abs(whole * steps - weight) <= steps / 2 + 1e-6).all()


@pytest.mark.parametrize("settings", [{}, {"place_reach": 4, "sigma": 1.0, "max_sigma": 1.2}])
@pytest.mark.parametrize("with_prosody", [False, True])
def test_a_voice_of_any_kind_is_exported(tmp_path, settings, with_prosody):
    torch.manual_seed(1)
    model = new_model(with_prosody)
    model = tts.AcousticModel(tts.replace(model.config, **settings), model.extension).eval()
    tts.save_checkpoint(model, tmp_path / "voice.pth", {})
    export.export(tmp_path / "voice.pth", network.WEIGHTS_PATH, tmp_path / "voice.zip")
    codes, durations = list(model.config.vocabulary)[:4], [3, 0, 5, 4]
    expected = tts.TextToSpeechSynthesizer(tmp_path / "voice.pth").predict(codes, durations)[0]
    spoken = TextToSpeechSynthesizer(tmp_path / "voice.zip", precision="float32").predict(codes, durations)[0]
    np.testing.assert_allclose(spoken.alignment, expected.alignment, atol=1e-5)
    assert np.abs(spoken.spectrogram - expected.spectrogram.numpy()).max() < MEL_TOLERANCE


def test_what_it_was_made_from_is_recorded(voice_path):
    record = json.loads(zipfile.ZipFile(voice_path).read("voice.json"))
    assert record["made_from"]["acoustic model"] == tts.get_checkpoint_metadata()[0]


def test_a_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m recipe export"):
        TextToSpeechSynthesizer(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(ValueError, match="text.zip holds no voice"):
        TextToSpeechSynthesizer(tmp_path / "text.zip")
