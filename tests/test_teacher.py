"""The teacher of melody: its files, and the pitch model that learns from them."""

import functools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from test_model import CONFIG, random_batch

import english
import lj_speech
import part2_solution as tts
import prepare_data
import teacher
import training
from batching import Vocabulary, collate
from cues import match_cues
from lj_speech import SAMPLING_RATE
from pitch import around_phonemes, read_taught


def write_melody(folder, name, text, log_pitch, codes=("pau", "AA1", "B", "pau"), frames=10):
    """A text whose phonemes are `frames` long each; `log_pitch` is of each phoneme, None without voice."""
    step = frames * lj_speech.FRAME_MILLISECONDS
    phones = [{"phone": code, "onset": place * step, "duration": step} for place, code in enumerate(codes)]
    record = {"ID": name, "text": text, "utterance": {"words": [{"phones": phones}]}}
    (folder / f"{name}.json").write_text(json.dumps(record))
    values = [(value or 0.0, -5.0 if value else -np.inf) for value in log_pitch]
    np.save(folder / f"{name}.pitch.npy", np.repeat(np.array(values, dtype=np.float32).T, frames, axis=1))


def naive_around(log_pitch, log_loudness, durations, reach=8.0):
    """Frame by frame, one phoneme after the other."""
    means, start = [], 0
    for duration in durations:
        centre, total, weights = start + duration / 2, 0.0, 0.0
        for frame, (value, loudness) in enumerate(zip(log_pitch, log_loudness)):
            weight = np.exp(loudness) * np.exp(-0.5 * ((frame + 0.5 - centre) / reach) ** 2)
            total, weights = total + weight * value, weights + weight
        means.append(total / weights)
        start += duration
    return means


def test_the_mean_around_a_phoneme_is_that_of_a_naive_one():
    rng = np.random.default_rng(0)
    log_pitch, log_loudness = rng.normal(5, 0.3, 30), rng.normal(-3, 1, 30)
    log_loudness[10:14] = -np.inf
    rows = (torch.tensor(row)[None] for row in (log_pitch, log_loudness, [7, 0, 12, 11]))
    np.testing.assert_allclose(around_phonemes(*rows)[0], naive_around(log_pitch, log_loudness, [7, 0, 12, 11]))


def test_praat_hears_a_low_voice():
    times = np.arange(SAMPLING_RATE) / SAMPLING_RATE
    audio = sum(np.cos(2 * np.pi * 80 * k * times) / k for k in range(1, 20)).astype(np.float32) * 0.1
    audio[: SAMPLING_RATE // 2] = 0
    spectrogram = prepare_data.mel_spectrogram(torch.from_numpy(audio)).numpy()
    pytest.importorskip("parselmouth")
    log_pitch, log_loudness = teacher.track_pitch(audio, spectrogram)
    assert log_pitch.shape == (spectrogram.shape[1],)
    assert np.isneginf(log_loudness[:35]).all() and np.isfinite(log_loudness[50:80]).all()
    np.testing.assert_allclose(np.exp(log_pitch[50:80]), 80, rtol=0.01)


def test_the_teachers_pitch_is_moved_to_the_speakers(tmp_path):
    write_melody(tmp_path, "a", "A b?", [4.3, 4.4, 4.6, 4.5])
    write_melody(tmp_path, "b", "A b.", [4.6, 4.5, None, 4.3])
    ours = [{"log_pitch": torch.tensor([5.0, 5.2, 5.6])}]
    taught = read_taught(tmp_path, ours)
    together = torch.cat([sample["log_pitch"] for sample in taught])
    torch.testing.assert_close(together.mean(), ours[0]["log_pitch"].mean())
    torch.testing.assert_close(together.std(), ours[0]["log_pitch"].std())
    assert (
        taught[0]["log_pitch"][0] < taught[0]["log_pitch"][2] and taught[1]["log_pitch"][0] > taught[1]["log_pitch"][3]
    )
    for sample, text in zip(taught, ("A b?", "A b.")):
        assert sample["taught"] and sample["phonemes_duration"] == [10] * 4
        assert sample["cues"].tolist() == match_cues(text, sample["phonemes_code"])


def test_a_folder_without_melodies_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="teacher.py"):
        read_taught(tmp_path, [])


def test_reading_aloud_leaves_phonemes_and_pitch(tmp_path, monkeypatch):
    """With stand-ins for the synthesiser and for Praat; the aligner is the real one."""
    pytest.importorskip("pocketsphinx")
    audio, _ = soundfile.read("samples/demo.flac", dtype="float32")
    text = "Four hours of steady work faced us before the evening tea."
    monkeypatch.setattr(teacher, "need", lambda package: None)
    monkeypatch.setattr(teacher, "load_teacher", lambda: lambda text: audio if text[0] == "F" else 0 * audio)
    monkeypatch.setattr(teacher, "track_pitch", lambda audio, spectrogram: np.zeros((2, spectrogram.shape[1]), "f4"))
    teacher.teach({"a": text, "b": "Silence."}, tmp_path, n_workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.pitch.npy"]
    alignment = lj_speech.read_alignment(tmp_path / "a.json")
    assert [code for code in alignment.codes if code != "pau"] == [
        c for c in english.text_to_phonemes(text) if c != "pau"
    ]
    assert len(read_taught(tmp_path, [{"log_pitch": torch.rand(9)}])) == 1
    monkeypatch.setattr(
        teacher, "read_aloud", lambda out, job: pytest.fail("was there already") if job[0] == "a" else ""
    )
    teacher.teach({"a": text}, tmp_path, n_workers=1)


def test_texts_that_all_fail_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "need", lambda package: None)
    with pytest.raises(ValueError, match="none of the 1 texts"):
        teacher.teach({"a": "..."}, tmp_path, n_workers=1)


def test_everyday_texts_are_plain_and_ask():
    pytest.importorskip("chatterbot_corpus")
    texts = teacher.everyday_texts()
    assert len(texts) > 1000 and sum(text.endswith("?") for text in texts.values()) > 300
    assert all(english.text_to_phonemes(text) for text in list(texts.values())[:50])


# -------- The pitch model --------------------------------------------------------------------------------------------


def test_the_model_knows_who_speaks_and_what_the_text_says():
    torch.manual_seed(0)
    model, batch = tts.AcousticModel(CONFIG).eval(), random_batch()
    torch.nn.init.normal_(model.pitch_model.teacher)
    speaker = model.predict_log_pitch(batch)
    torch.testing.assert_close(
        model.predict_log_pitch(batch._replace(taught=torch.zeros(3, dtype=torch.bool))), speaker
    )
    one_taught = model.predict_log_pitch(batch._replace(taught=torch.tensor([False, True, False])))
    torch.testing.assert_close(one_taught[0], speaker[0])
    assert (one_taught[1] - speaker[1])[batch.token_mask[1]].abs().max() > 1e-3
    assert (model.predict_log_pitch(batch._replace(cues=None)) - speaker).abs().max() > 1e-3


def test_questions_of_the_teacher_become_questions_of_the_speaker(tmp_path):
    """The speaker never asks; the teacher rises where a question ends and falls elsewhere, as the speaker does."""
    falling, rising = [5.5, 5.5, 5.0, 5.0], [5.5, 5.5, 6.0, 6.0]
    for number in range(8):
        text, melody = (("A b?", rising), ("A b.", falling))[number % 2]
        write_melody(tmp_path, str(number), text, [value - 1 for value in melody])
    codes = ["pau", "AA1", "B", "pau"]
    cues = {mark: torch.tensor(match_cues(f"A b{mark}", codes)) for mark in ".?"}
    sample = {"text": "said", "phonemes_code": codes, "phonemes_duration": [10] * 4, "cues": cues["."]}
    sample["log_pitch"] = torch.tensor(falling)
    datasets = [SimpleNamespace(melodies=functools.partial(list, [sample] * n)) for n in (4, 1)]
    config = tts.TrainConfig(batch_size=4, pitch_epochs=60, pitch_learning_rate=1e-2, warmup_steps=5, ema_decay=0.9)
    torch.manual_seed(0)
    settings = {"log_duration_mean": 2.4, "pitch_dropout": 0.0, "cue_dropout": 0.0}
    model = tts.AcousticModel(tts.replace(CONFIG, **settings))
    model = tts.train_pitch(model, datasets, tmp_path, config, training.Run(tmp_path / "log", {}, resume=False))
    batch = collate(Vocabulary(CONFIG.vocabulary), [{**sample, "cues": cues[mark]} for mark in ".?"])
    statement, question = model.predict_log_pitch(batch)
    assert statement[2] - statement[1] < -0.2 and question[2] - question[1] > 0.1
