"""The teacher: what he reads, and his audio."""

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import english
import lj_speech
from lj_speech import SAMPLING_RATE
from recipe import prepare, teacher

# -------- Reading aloud ----------------------------------------------------------------------------------------------


def buzz(pitch, seconds=1.0):
    """Half silence, half a voice-like sound."""
    times = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    audio = sum(np.cos(2 * np.pi * pitch * k * times) / k for k in range(1, 20)).astype(np.float32) * 0.1
    audio[: len(audio) // 2] = 0
    return audio


def test_a_man_gets_the_speakers_register():
    parselmouth = pytest.importorskip("parselmouth")
    changed = teacher.change_voice(buzz(80), np.random.default_rng(0))
    assert changed.shape == (SAMPLING_RATE,) and changed.dtype == np.float32 and np.abs(changed).max() <= teacher.PEAK
    found = parselmouth.Sound(changed.astype(float), SAMPLING_RATE).to_pitch_ac(pitch_floor=75, pitch_ceiling=450)
    median = np.median(found.selected_array["frequency"][found.selected_array["frequency"] > 0])
    assert abs(12 * np.log2(median / teacher.REGISTER)) < 3 * teacher.REGISTER_STD
    assert np.abs(changed[: SAMPLING_RATE // 3]).max() < 1e-3, "nothing is moved in time"
    with pytest.raises(ValueError, match="too short"):
        teacher.change_voice(buzz(80, 0.01), np.random.default_rng(0))


def test_reading_aloud_leaves_a_corpus(tmp_path, monkeypatch):
    """With stand-ins for the synthesiser and for Praat; the aligner is the real one."""
    pytest.importorskip("pocketsphinx")
    audio, _ = soundfile.read(ROOT / "samples" / "demo.flac", dtype="float32")
    text = "Four hours of steady work faced us before the evening tea."

    def change_voice(audio, rng):
        if not audio.any():
            raise ValueError("the audio is too short")
        return audio

    monkeypatch.setattr(teacher, "need", lambda package: None)
    monkeypatch.setattr(prepare, "load_praat", lambda: None)
    monkeypatch.setattr(teacher, "load_teacher", lambda: lambda text: audio if text[0] == "F" else 0 * audio)
    monkeypatch.setattr(teacher, "change_voice", change_voice)
    spoken, out = tmp_path / "spoken", tmp_path / "taught"
    teacher.teach({"a": text.replace(" before", "\nbefore"), "b": "Silence."}, spoken, n_workers=1)
    assert sorted(path.name for path in spoken.iterdir()) == ["a.flac", "metadata.csv"]
    assert prepare.prepare(out, spoken, n_workers=1).written == ["a"]
    alignment = lj_speech.read_alignment(out / "a.json")
    assert alignment.text == text and sum(alignment.durations) > 100
    assert [code for code in alignment.codes if code != "pau"] == [
        code for code in english.text_to_phonemes(text) if code != "pau"
    ]
    monkeypatch.setattr(teacher, "read_aloud", lambda out, job: pytest.fail("was there") if job[0] == "a" else "")
    teacher.teach({"a": text}, spoken, n_workers=1)


def test_texts_that_all_fail_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "need", lambda package: None)
    monkeypatch.setattr(prepare, "load_praat", lambda: None)
    monkeypatch.setattr(teacher, "load_teacher", lambda: lambda text: np.concatenate([]))  # Piper says nothing
    with pytest.raises(ValueError, match="none of the 1 texts"):
        teacher.teach({"a": "..."}, tmp_path, n_workers=1)


def test_everyday_texts_are_plain_and_ask():
    pytest.importorskip("chatterbot_corpus")
    texts = teacher.everyday_texts()
    assert len(texts) > 1000 and sum(text.endswith("?") for text in texts.values()) > 300
    assert all(english.text_to_phonemes(text) for text in list(texts.values())[:50])
    asked = [text for name, text in texts.items() if name.endswith("-asked")]
    assert len(asked) > 500 and all(text.startswith(teacher.ASKING) and text.endswith("?") for text in asked)


def test_asking_about_a_statement():
    assert teacher.ask("The sea is cold.", "Did you know that") == "Did you know that the sea is cold?"
    assert teacher.ask("I'm here!", "Do you believe that") == "Do you believe that I'm here?"
    assert teacher.ask("It is late .", "Did you say that") == "Did you say that it is late?"
