"""The measures of the melody."""

import numpy as np
import pytest
import torch
from conftest import CONFIG

import lj_speech
import part2_solution as tts
from benchmarks import melody


def glide(low: float, high: float, seconds: float = 1.0) -> np.ndarray:
    """Ten harmonics, level for all but the last fifth, in which they go from `low` to `high`."""
    times = np.arange(round(seconds * lj_speech.SAMPLING_RATE)) / lj_speech.SAMPLING_RATE
    pitch = low + (high - low) * np.clip((times - 0.8 * seconds) / (0.15 * seconds), 0, 1)
    phase = 2 * np.pi * np.cumsum(pitch) / lj_speech.SAMPLING_RATE
    return 0.05 * sum(np.cos(k * phase) for k in range(1, 11))


def test_the_rise_is_that_of_the_end():
    pytest.importorskip("parselmouth")
    assert melody.rise(glide(200, 200), melody.LIMITS["ours"]) == pytest.approx(0, abs=0.1)
    assert melody.rise(glide(200, 300), melody.LIMITS["ours"]) == pytest.approx(12 * np.log2(1.5), abs=1.5)
    assert melody.rise(glide(300, 200), melody.LIMITS["ours"]) < -5
    with pytest.raises(ValueError, match="no voice"):
        melody.rise(np.zeros(9999), melody.LIMITS["ours"])


def test_questions_come_with_statements():
    pairs = melody.read_questions()
    assert len(pairs) >= 20 and len({text for pair in pairs for text in pair}) == 2 * len(pairs)
    assert all(question.endswith("?") and statement.endswith(".") for question, statement in pairs)


def test_questions_are_compared_with_their_statements(monkeypatch):
    monkeypatch.setattr(melody, "rise", lambda audio, limits: audio)
    rises = melody.compare(lambda text: 2.0 if text.endswith("?") else -1.0, melody.LIMITS["ours"])
    assert set(rises["question"]) == {2.0} and set(rises["statement"]) == {-1.0} and set(rises["difference"]) == {3.0}


def test_a_melody_is_like_itself(monkeypatch):
    """Read from a fake, and predicted twice as far from the mean: all alike, and twice the deviation."""
    codes = ["pau", "AA1", "B", "AA1"]
    pitches = torch.tensor([9.0, 5.0, 5.2, 5.1])
    cues = torch.zeros(4, dtype=torch.long)
    features = {"log_pitch": pitches, "cues": cues, "speaker": torch.zeros(4, dtype=torch.long)}
    sample = {"phonemes_code": codes, "phonemes_duration": [5] * 4, "features": features}
    monkeypatch.setattr(melody.features, "read_features", lambda dataset, vocabulary: [sample, sample])
    monkeypatch.setattr(melody.features, "melodies", list)
    monkeypatch.setattr(melody.features, "predict_log_pitch", lambda model, batch: 2 * batch.features["log_pitch"])
    model = tts.AcousticModel(CONFIG)
    correlations, ratios = melody.like_the_speaker(model, None)
    assert correlations == pytest.approx([1, 1]) and ratios == pytest.approx([2, 2])
