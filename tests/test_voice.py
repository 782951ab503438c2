"""The shipped voice's training: three stages, a second speaker, more data, starting from a checkpoint."""

import hashlib
import logging
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import (
    CONFIG,
    QUICK_VOICE,
    interrupted_at,
    new_model,
    random_batch,
    train,
    train_voice,
    with_features,
    write_dataset,
    write_utterance,
)

import lj_speech
import part2_solution as tts
from part2_solution import Run, Vocabulary, collate
from prosody.cues import match_cues
from prosody.extension import Prosody
from recipe import adversarial, command_line, data, voice
from recipe.melody import WithFeatures, around_phonemes, melodies, predict_log_pitch, read_features

CODES = ["pau", "AA1", "AE0", "B", "IY1", "S", "T"]


def test_of_the_second_speaker_what_the_model_can_say_is_read_but_for_held_out_texts(dataset_root, second_root):
    train_part, held_out = lj_speech.get_dataset(dataset_root)
    config = tts.describe_data(train_part.alignments, min_count=1)
    second = data.read_second_speaker(second_root, held_out, config)
    assert [path.name for path in second.mel_paths] == ["t0.mel.npy", "t1.mel.npy"]
    assert len(data.read_second_speaker(second_root, train_part.where(lambda item: False), config)) == 3
    with pytest.raises(ValueError, match="nothing that the model can say"):
        data.read_second_speaker(second_root, held_out, replace(config, max_frames=2))
    for field, value in (("max_phonemes", 3), ("max_frames", 20), ("vocabulary", ("pau", "T", "IY1"))):
        second = data.read_second_speaker(second_root, held_out, replace(config, **{field: value}))
        assert [path.name for path in second.mel_paths] == ["t1.mel.npy"], field


def test_the_second_speakers_samples_come_last_and_their_melody_is_moved_to_the_speakers(dataset_root, second_root):
    own, _ = lj_speech.get_dataset(dataset_root)
    second, _ = lj_speech.get_dataset(second_root)
    samples = read_features(own + own, CODES) + read_features(second, CODES, speaker=1)
    speakers = [int(sample["features"]["speaker"][0]) for sample in samples]
    assert speakers == [0] * 2 * len(own) + [1] * len(second)
    last = samples[len(samples) - 1]
    assert last["spectrogram"].shape == (80, 18 if len(samples.alignments[-1].codes) == 3 else 24)
    assert all(len(row) == len(last["phonemes_code"]) for row in last["features"].values())
    moved_samples = melodies(samples)
    assert len(moved_samples) == len(own) + len(second), "a copy's melody is left out"
    assert "spectrogram" not in moved_samples[0]
    alone = [features["log_pitch"] for features in melodies(read_features(own, CODES)).features]
    moved, kept = (
        [features["log_pitch"] for features in moved_samples.features if features["speaker"][0] == who]
        for who in (1, 0)
    )
    torch.testing.assert_close(torch.cat(kept).sort().values, torch.cat(alone).sort().values)
    for row in moved:
        torch.testing.assert_close(row.mean(), torch.cat(alone).mean(), msg="each text's")
    spreads = [torch.cat([row - row.mean() for row in rows]).std() for rows in (moved, alone)]
    torch.testing.assert_close(*spreads)


@pytest.mark.parametrize("share, repeats", [(0.0, 1), (0.36, 12), (0.5, 20)])
def test_the_speakers_utterances_come_as_often_as_their_share_needs(share, repeats):
    assert voice.count_repeats(n_own=10, n_second=200, share=share) == repeats
    with pytest.raises(ValueError, match="own_share"):
        voice.count_repeats(10, 200, 1.0)


def test_repeated_samples_are_the_same(dataset_root):
    samples = read_features(lj_speech.get_dataset(dataset_root)[1], CODES)
    thrice = samples * 3
    assert len(thrice) == len(thrice.alignments) == 3 * len(samples)
    assert thrice[len(samples)]["text"] == samples[0]["text"]


def test_the_model_is_set_by_name():
    assert command_line.read_model_settings(["width=192", "max_sigma=1.2"]) == {"width": 192, "max_sigma": 1.2}
    for wrong in ("width", "width=wide", "height=2", "vocabulary=a"):
        with pytest.raises(ValueError, match="inner_width=1024"):
            command_line.read_model_settings([wrong])


def test_the_pitch_that_was_tracked_counts(dataset_root, second_root):
    own, _ = lj_speech.get_dataset(dataset_root)
    read = lambda dataset: [row["log_pitch"] for row in read_features(dataset, CODES).features]  # noqa: E731
    heard, n_frames = read(own), sum(own.alignments[0].durations)
    beside = lambda path: path.with_name(path.name.replace(".mel.npy", ".pitch.npy"))  # noqa: E731
    np.save(beside(own.mel_paths[0]), np.stack([np.full(n_frames, 5.0), np.zeros(n_frames)]).astype(np.float32))
    tracked = read(own)
    torch.testing.assert_close(tracked[0], torch.full_like(heard[0], 5.0))
    torch.testing.assert_close(tracked[1:], heard[1:], atol=1e-3, rtol=0)

    nothing_held_out = own.where(lambda item: False)
    second = data.read_second_speaker(second_root, nothing_held_out, tts.describe_data(own.alignments, 1))
    for place, (path, item) in enumerate(zip(second.mel_paths, second.alignments)):
        rising = np.repeat(4 + np.arange(len(item.codes)) / 5 + place, item.durations)
        tracked = np.stack([rising, np.full(len(rising), -5.0)]).astype(np.float32)
        np.save(beside(path), tracked)
    moved = melodies(read_features(own, CODES) + read_features(second, CODES, speaker=1))
    rows = [features["log_pitch"] for features in moved.features if features["speaker"][0]]
    assert len(rows) == 3 and all((row.diff() > 0).all() for row in rows), "as tracked, not as heard"
    np.save(beside(path), tracked[:, 1:])
    with pytest.raises(ValueError, match="prepare both again"):
        read_features(second, CODES, speaker=1)


@pytest.mark.parametrize("pitch, loudness", [(np.nan, 0), (np.inf, 0), (1, 0), (9, 0), (5, 100), (5, -99), (5, np.nan),
                                             (5, np.inf), (5, -np.inf)])  # fmt: skip
def test_a_pitch_that_is_none_is_named(dataset_root, pitch, loudness):
    dataset, _ = lj_speech.get_dataset(dataset_root)
    path = dataset_root / "LJ001.pitch.npy"
    n_frames = sum(dataset.alignments[0].durations)
    np.save(path, np.stack([np.full(n_frames, pitch), np.full(n_frames, loudness)]))
    with pytest.raises(ValueError, match="LJ001.pitch.npy.*prepare it again"):
        read_features(dataset, CODES)
    for content in (b"", path.read_bytes()[:-1], b"garbage"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="LJ001.pitch.npy.*prepare it again"):
            read_features(dataset, CODES)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="LJ001.pitch.npy is no ordinary file"):
        read_features(dataset, CODES)


def speakers(batch, *of_items) -> torch.Tensor:
    return torch.tensor(of_items)[:, None].expand_as(batch.tokens)


def test_the_decoder_is_told_who_speaks():
    model, batch = new_model().eval(), random_batch()
    hers = model(batch).mels
    torch.testing.assert_close(model(with_features(batch, speaker=speakers(batch, 0, 0, 0))).mels, hers)
    mixed = model(with_features(batch, speaker=speakers(batch, 0, 1, 0))).mels
    torch.testing.assert_close(mixed[0], hers[0])
    assert (mixed[1] - hers[1])[batch.frame_mask[1]].abs().max() > 1e-3


def test_training_with_a_second_speaker(dataset_root, second_root, tmp_path, monkeypatch):
    """He adds utterances to each stage but the durations, and the discriminator judges what she makes of his texts."""
    sizes, make_loader = [], tts.make_loader
    monkeypatch.setattr(tts, "make_loader", lambda part, *others: sizes.append(len(part)) or make_loader(part, *others))
    checkpoint = train_voice(dataset_root, tmp_path, 1, second_root=second_root)
    n_own = len(lj_speech.get_dataset(dataset_root)[0])
    assert sizes == [n_own + 2, 1, n_own + 2, 1, n_own, 1], "training and validation of each stage"
    extension = tts.load_checkpoint(checkpoint).extension
    assert not torch.equal(extension.noise_floor, torch.full((80,), lj_speech.SPECTROGRAMS_MIN)), "it was measured"
    assert extension.pitch_model.teacher.any()
    sizes.clear()
    out = tmp_path / "sharp.pth"
    adversarial.finetune(
        dataset_root, checkpoint, out, 2, QUICK_VOICE, second_root=second_root, logdir=tmp_path / "log"
    )
    assert sizes == [n_own + 2, 2]
    settings = torch.load(out, weights_only=True)["training"]
    expected = {"folder": "second", "n": 3}
    assert settings["data"]["second_speaker"] == settings["adversarial"][0]["data"]["second_speaker"] == expected


def test_texts_get_the_melody_that_the_model_predicts():
    model = new_model().eval()
    items = [lj_speech.Alignment(f"A b{mark}", ["pau", "AA1", "B", "pau"], [0, 3, 6, 9], [3] * 4) for mark in "?.?"]
    one, two, three = adversarial.with_melody(items, model)
    assert one["features"]["cues"].tolist() == match_cues("A b?", items[0].codes)
    torch.testing.assert_close(one["features"]["log_pitch"], three["features"]["log_pitch"])
    assert not torch.equal(one["features"]["log_pitch"], two["features"]["log_pitch"])
    batch = collate(Vocabulary(CONFIG.vocabulary), [one])
    with torch.no_grad():
        expected = predict_log_pitch(model, batch, adversarial.INTONATION)[0]
    torch.testing.assert_close(one["features"]["log_pitch"], expected)
    moved = adversarial.vary_pitch(batch).features["log_pitch"] - batch.features["log_pitch"]
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


def test_the_pitch_model_knows_who_speaks_and_what_the_text_says():
    model, batch = new_model().eval(), random_batch()
    torch.nn.init.normal_(model.extension.pitch_model.teacher)
    hers = predict_log_pitch(model, batch)
    torch.testing.assert_close(predict_log_pitch(model, with_features(batch, speaker=speakers(batch, 0, 0, 0))), hers)
    mixed = predict_log_pitch(model, with_features(batch, speaker=speakers(batch, 0, 1, 0)))
    torch.testing.assert_close(mixed[0], hers[0])
    assert (mixed[1] - hers[1])[batch.token_mask[1]].abs().max() > 1e-3
    unknown = torch.zeros_like(batch.features["cues"])
    assert (predict_log_pitch(model, with_features(batch, cues=unknown)) - hers).abs().max() > 1e-3


def test_questions_of_the_second_speaker_become_questions_of_the_speaker(tmp_path):
    """The speaker never asks; the second one rises where a question ends and falls elsewhere, as the speaker does."""
    codes = ["pau", "AA1", "B", "pau"]
    rising, falling = torch.tensor([5.5, 5.5, 6.0, 6.0]), torch.tensor([5.5, 5.5, 5.0, 5.0])
    cues = {mark: torch.tensor(match_cues(f"A b{mark}", codes)) for mark in ".?"}

    def samples(*rows) -> WithFeatures:
        alignments = [lj_speech.Alignment(f"A b{mark}", codes, [0, 10, 20, 30], [10] * 4) for mark, _, _ in rows]
        features = [{"cues": cues[mark], "log_pitch": melody, "speaker": torch.full((4,), speaker)}
                    for mark, melody, speaker in rows]  # fmt: skip
        return WithFeatures(lj_speech.AlignmentDataset(alignments), features)

    said = (".", falling, 0)
    learned = samples(*[said] * 4, *[("?", rising, 1), (".", falling, 1)] * 4)
    config = replace(
        QUICK_VOICE, batch_size=4, pitch_epochs=60, pitch_learning_rate=1e-2, warmup_steps=5, ema_decay=0.9
    )
    torch.manual_seed(0)
    model_config = replace(CONFIG, log_duration_mean=2.4)
    model = tts.AcousticModel(model_config, Prosody(model_config, pitch_dropout=0.0, cue_dropout=0.0))
    stage = voice.pitch_stage([learned, samples(said)], config)
    model = tts.run_stage(model, stage, Run(tmp_path / "log", {}, resume=False))
    batch = collate(Vocabulary(CONFIG.vocabulary), list(samples((".", falling, 0), ("?", falling, 0))))
    statement, question = predict_log_pitch(model, batch)
    assert statement[2] - statement[1] < -0.2 and question[2] - question[1] > 0.1


# -------- Starting from a checkpoint ---------------------------------------------------------------------------------


def test_training_goes_on_from_a_checkpoint(dataset_root, tmp_path):
    first = train_voice(dataset_root, tmp_path)
    rates = "learning_rate", "pitch_learning_rate", "duration_learning_rate"
    still = replace(QUICK_VOICE, **dict.fromkeys(rates, 1e-9))
    second = train_voice(dataset_root, tmp_path, name="b", config=still, init=first, model_settings={})
    before, after = (torch.load(path, weights_only=True) for path in (first, second))
    assert before["config"] == after["config"]
    assert after["training"]["init"] == hashlib.md5(first.read_bytes()).hexdigest()
    one, two = (dict(tts.load_checkpoint(path).named_parameters()) for path in (first, second))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)


def test_the_pitch_alone_is_learned_anew(dataset_root, tmp_path):
    first = train_voice(dataset_root, tmp_path)
    still = replace(QUICK_VOICE, duration_epochs=0, pitch_epochs=2)
    second = train_voice(dataset_root, tmp_path, 0, name="b", config=still, init=first, model_settings={})
    before, after = (torch.load(path, weights_only=True) for path in (first, second))
    one, two = (tts.load_checkpoint(path).state_dict() for path in (first, second))
    changed = {name for name, old in one.items() if not torch.equal(old, two[name])}
    assert changed and all(name.startswith("extension.pitch_model") for name in changed)
    assert after["training"]["before"] == before["training"]


def test_what_does_not_fit_a_checkpoint_is_named(dataset_root, tmp_path):
    checkpoint = train_voice(dataset_root, tmp_path, 1)
    with pytest.raises(ValueError, match="other model settings"):
        train_voice(dataset_root, tmp_path, name="b", init=checkpoint, model_settings={"width": 64})
    write_utterance(dataset_root, "LJ999", ["AA1", "B"] * 20, [3] * 40)
    with pytest.raises(ValueError, match="max_phonemes = 40"):
        train_voice(dataset_root, tmp_path, name="b", init=checkpoint, model_settings={})


def test_a_voice_of_the_plain_method_is_no_beginning(dataset_root, tmp_path):
    with pytest.raises(ValueError, match="plain method"):
        train_voice(dataset_root, tmp_path, name="b", init=train(dataset_root, tmp_path, 1), model_settings={})


@pytest.mark.parametrize("stage, epoch", [("spectrogram", 1), ("pitch", 0), ("pitch", 1), ("duration", 1)])
def test_a_resumed_run_equals_an_uninterrupted_one(dataset_root, tmp_path, monkeypatch, stage, epoch):
    uninterrupted = train_voice(dataset_root, tmp_path, name="whole")
    with interrupted_at(monkeypatch, stage, epoch):
        train_voice(dataset_root, tmp_path, name="cut")
    torch.manual_seed(1234)  # as another process would have it
    resumed = train_voice(dataset_root, tmp_path, name="cut")
    first, second = (tts.load_checkpoint(path).state_dict() for path in (uninterrupted, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_durations_learn_from_more_alignments_than_spectrograms(dataset_root, tmp_path, caplog, monkeypatch):
    more = write_dataset(tmp_path / "more", 20)
    for path in more.glob("*.npy"):
        path.unlink()
    write_utterance(more, "LJ998", ["AA1", "ZH"], [3, 3])
    write_utterance(more, "LJ999", ["AA1", "B"] * 20, [3] * 40)
    sizes, make_loader = [], tts.make_loader
    monkeypatch.setattr(tts, "make_loader", lambda part, *others: sizes.append(len(part)) or make_loader(part, *others))
    caplog.set_level(logging.INFO)
    train_voice(dataset_root, tmp_path, 1, durations_root=more)
    assert sizes[-2] == 19, "22 less the one held out, one of an unknown phoneme, and one that is too long"
    assert "2 utterances left out: too long" in caplog.text


def test_the_style_says_who_speaks_and_the_second_one_is_in_no_room():
    extension, batch = new_model().extension, random_batch()
    extension.pitch_model.teacher.data.normal_()
    extension.eval()
    log_durations, encoded = batch.durations.float(), torch.zeros(*batch.tokens.shape, 16)

    def told(style):
        planned = extension.plan(batch, log_durations, style)
        return extension.add_to(encoded, batch._replace(features={**batch.features, **planned}))

    first, second = (extension.Style(speaker=who, pitch_shift=0.0, intonation=1.0) for who in (0, 1))
    features = {"cues": batch.features["cues"], "speaker": torch.ones_like(batch.tokens)}
    hers = batch._replace(features=features)
    features["log_pitch"] = extension.predict_log_pitch(hers, log_durations)
    torch.testing.assert_close(told(second), extension.add_to(encoded, hers))
    assert not torch.allclose(told(first), told(second)) and second.room == (0, 0) != first.room
