"""The teacher: his audio, what a voice learns from him, and what it does not take from him."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from conftest import write_utterance
from test_model import CONFIG, random_batch
from test_training import QUICK, train

import adversarial
import batching
import english
import lj_speech
import part2_solution as tts
import prepare_data
import teacher
import training
from batching import Vocabulary, collate
from cues import match_cues
from lj_speech import SAMPLING_RATE
from pitch import WithPitch, around_phonemes


@pytest.fixture
def taught_root(tmp_path):
    """Three utterances of a second voice; the text of the second is among those held out in `dataset_root`."""
    root = tmp_path / "taught"
    root.mkdir()
    for name, codes in (
        ("t0", ["pau", "S", "AA1", "pau"]),
        ("LJ000", ["pau", "B", "pau"]),
        ("t1", ["pau", "T", "IY1"]),
    ):
        write_utterance(root, name, codes, [6] * len(codes))
    return root


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
    audio, _ = soundfile.read("samples/demo.flac", dtype="float32")
    text = "Four hours of steady work faced us before the evening tea."

    def change_voice(audio, rng):
        if not audio.any():
            raise ValueError("the audio is too short")
        return audio

    monkeypatch.setattr(teacher, "need", lambda package: None)
    monkeypatch.setattr(prepare_data, "load_praat", lambda: None)
    monkeypatch.setattr(teacher, "load_teacher", lambda: lambda text: audio if text[0] == "F" else 0 * audio)
    monkeypatch.setattr(teacher, "change_voice", change_voice)
    spoken, out = tmp_path / "spoken", tmp_path / "taught"
    teacher.teach({"a": text.replace(" before", "\nbefore"), "b": "Silence."}, spoken, n_workers=1)
    assert sorted(path.name for path in spoken.iterdir()) == ["a.flac", "metadata.csv"]
    assert prepare_data.prepare(out, spoken, n_workers=1).written == ["a"]
    alignment = lj_speech.read_alignment(out / "a.json")
    assert alignment.text == text and sum(alignment.durations) > 100
    assert [code for code in alignment.codes if code != "pau"] == [
        code for code in english.text_to_phonemes(text) if code != "pau"
    ]
    monkeypatch.setattr(teacher, "read_aloud", lambda out, job: pytest.fail("was there") if job[0] == "a" else "")
    teacher.teach({"a": text}, spoken, n_workers=1)


def test_texts_that_all_fail_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "need", lambda package: None)
    monkeypatch.setattr(prepare_data, "load_praat", lambda: None)
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


# -------- What is learned from him -----------------------------------------------------------------------------------


def test_of_the_teacher_what_the_model_can_say_is_taken_but_for_held_out_texts(dataset_root, taught_root):
    train_part, held_out = lj_speech.get_dataset(dataset_root)
    config = tts.describe_data(train_part.alignments, min_count=1)
    taught = batching.read_taught(taught_root, held_out, config)
    assert [path.name for path in taught.mel_paths] == ["t0.mel.npy", "t1.mel.npy"]
    assert len(batching.read_taught(taught_root, train_part.where(lambda item: False), config)) == 3
    with pytest.raises(ValueError, match="nothing that the model can say"):
        batching.read_taught(taught_root, held_out, tts.replace(config, max_frames=2))
    for field, value in (("max_phonemes", 3), ("max_frames", 20), ("vocabulary", ("pau", "T", "IY1"))):
        taught = batching.read_taught(taught_root, held_out, tts.replace(config, **{field: value}))
        assert [path.name for path in taught.mel_paths] == ["t1.mel.npy"], field


def test_the_teachers_samples_come_last_and_their_melody_is_moved_to_the_speakers(dataset_root, taught_root):
    own, _ = lj_speech.get_dataset(dataset_root)
    taught, _ = lj_speech.get_dataset(taught_root)
    codes = ["pau", "AA1", "AE0", "B", "IY1", "S", "T"]
    samples = WithPitch(own + own, codes, taught)
    assert [samples[index]["taught"] for index in range(len(samples))] == [False] * 2 * len(own) + [True] * len(taught)
    assert samples[len(samples) - 1]["spectrogram"].shape == (80, 18 if len(samples.alignments[-1].codes) == 3 else 24)
    melodies = samples.melodies()
    assert len(melodies) == len(own) + len(taught), "a copy's melody is left out"
    alone = [sample["log_pitch"] for sample in WithPitch(own, codes).melodies()]
    moved, kept = ([sample["log_pitch"] for sample in melodies if sample["taught"] == who] for who in (True, False))
    torch.testing.assert_close(torch.cat(kept).sort().values, torch.cat(alone).sort().values)
    for row in moved:
        torch.testing.assert_close(row.mean(), torch.cat(alone).mean(), msg="each text's")
    spreads = [torch.cat([row - row.mean() for row in rows]).std() for rows in (moved, alone)]
    torch.testing.assert_close(*spreads)


def test_the_pitch_that_was_tracked_counts(dataset_root, taught_root):
    own, _ = lj_speech.get_dataset(dataset_root)
    heard = [sample["log_pitch"] for sample in WithPitch(own, ["pau", "AA1", "AE0", "B", "IY1", "S", "T"])]
    steady = np.stack(
        [np.full(sum(own.alignments[0].durations), 5.0), np.zeros(sum(own.alignments[0].durations))]
    ).astype(np.float32)
    np.save(own.mel_paths[0].with_name(own.mel_paths[0].name.replace(".mel.npy", ".pitch.npy")), steady)
    tracked = [sample["log_pitch"] for sample in WithPitch(own, ["pau", "AA1", "AE0", "B", "IY1", "S", "T"])]
    torch.testing.assert_close(tracked[0], torch.full_like(heard[0], 5.0))
    torch.testing.assert_close(tracked[1:], heard[1:], atol=1e-3, rtol=0)

    taught = batching.read_taught(taught_root, own.where(lambda item: False), tts.describe_data(own.alignments, 1))
    for place, (path, item) in enumerate(zip(taught.mel_paths, taught.alignments)):
        melody = np.repeat(np.arange(len(item.codes)) + place, item.durations)
        tracked = np.stack([melody, np.full(len(melody), -5.0)]).astype(np.float32)
        np.save(path.with_name(path.name.replace(".mel.npy", ".pitch.npy")), tracked)
    melodies = WithPitch(own, ["pau", "AA1", "AE0", "B", "IY1", "S", "T"], taught).melodies()
    rows = {sample["text"]: sample["log_pitch"] for sample in melodies if sample["taught"]}
    assert len(rows) == 3 and all((row.diff() > 0).all() for row in rows.values()), "as tracked, not as heard"
    np.save(path.with_name(path.name.replace(".mel.npy", ".pitch.npy")), tracked[:, 1:])
    with pytest.raises(ValueError, match="prepare both again"):
        WithPitch(own, ["pau", "AA1", "AE0", "B", "IY1", "S", "T"], taught).melodies()


def test_the_decoder_is_told_who_speaks():
    torch.manual_seed(0)
    model, batch = tts.AcousticModel(CONFIG).eval(), random_batch()
    hers = model(batch).mels
    torch.testing.assert_close(model(batch._replace(taught=torch.zeros(3, dtype=torch.bool))).mels, hers)
    mixed = model(batch._replace(taught=torch.tensor([False, True, False]))).mels
    torch.testing.assert_close(mixed[0], hers[0])
    assert (mixed[1] - hers[1])[batch.frame_mask[1]].abs().max() > 1e-3


def test_training_with_a_teacher(dataset_root, taught_root, tmp_path, capsys):
    """He adds utterances to each stage but the durations, and the discriminator judges what she makes of his texts."""
    checkpoint = train(dataset_root, tmp_path, 1, taught_root=taught_root)
    n_own = len(lj_speech.get_dataset(dataset_root)[0])
    sizes = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines() if "padding" in line]
    assert sizes == [n_own + 2, n_own + 2, n_own]
    before = tts.load_checkpoint(checkpoint)
    assert torch.equal(before.noise_floor, torch.full((80,), -11.0)) or before.noise_floor.isfinite().all()
    adversarial.finetune(
        dataset_root, checkpoint, tmp_path / "sharp.pth", 2, QUICK, taught_root=taught_root, logdir=tmp_path / "log"
    )
    assert [int(line.split()[0]) for line in capsys.readouterr().out.splitlines() if "padding" in line] == [n_own, 2]
    settings = training.read_saved(tmp_path / "sharp.pth", "")["training"]
    assert settings["taught"] == settings["adversarial"][0]["taught"] == str(taught_root)


def test_texts_get_the_melody_that_the_model_predicts():
    torch.manual_seed(0)
    model = tts.AcousticModel(CONFIG).eval()
    items = [lj_speech.Alignment(f"A b{mark}", ["pau", "AA1", "B", "pau"], [0, 3, 6, 9], [3] * 4) for mark in "?.?"]
    one, two, three = adversarial.with_melody(items, model)
    assert one["cues"].tolist() == match_cues("A b?", items[0].codes)
    torch.testing.assert_close(one["log_pitch"], three["log_pitch"])
    assert not torch.equal(one["log_pitch"], two["log_pitch"])
    batch = collate(Vocabulary(CONFIG.vocabulary), [one])
    with torch.no_grad():
        expected = model.predict_log_pitch(batch, adversarial.INTONATION)[0]
    torch.testing.assert_close(one["log_pitch"], expected)
    moved = adversarial.vary_pitch(batch).log_pitch - batch.log_pitch
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved))
    assert 0 < moved.abs().max() < 1


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
    codes = ["pau", "AA1", "B", "pau"]
    rising, falling = [5.5, 5.5, 6.0, 6.0], [5.5, 5.5, 5.0, 5.0]
    cues = {mark: torch.tensor(match_cues(f"A b{mark}", codes)) for mark in ".?"}

    def sample(mark, melody, taught):
        basis = {"text": f"A b{mark}", "phonemes_code": codes, "phonemes_duration": [10] * 4, "cues": cues[mark]}
        return {**basis, "log_pitch": torch.tensor(melody), "taught": taught}

    said = [sample(".", falling, False)]
    learned = said * 4 + [sample("?", rising, True), sample(".", falling, True)] * 4
    datasets = [SimpleNamespace(melodies=lambda samples=samples: samples) for samples in (learned, said)]
    config = tts.TrainConfig(batch_size=4, pitch_epochs=60, pitch_learning_rate=1e-2, warmup_steps=5, ema_decay=0.9)
    torch.manual_seed(0)
    settings = {"log_duration_mean": 2.4, "pitch_dropout": 0.0, "cue_dropout": 0.0}
    model = tts.AcousticModel(tts.replace(CONFIG, **settings))
    model = tts.train_pitch(model, datasets, config, training.Run(tmp_path / "log", {}, resume=False))
    batch = collate(Vocabulary(CONFIG.vocabulary), [sample(mark, falling, False) for mark in ".?"])
    statement, question = model.predict_log_pitch(batch)
    assert statement[2] - statement[1] < -0.2 and question[2] - question[1] > 0.1
