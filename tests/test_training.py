"""Batching, the training loop, checkpoints and resume, on a tiny dataset that can be learned."""

import hashlib

import numpy as np
import pytest
import torch
from conftest import write_dataset, write_utterance
from test_lj_speech import Hostile
from test_model import SMALL

import lj_speech
import part2_solution as tts
import training
from batching import BucketBatchSampler, Vocabulary, collate, padded_fraction

TINY = {**SMALL, "duration_width": 8}
QUICK = tts.TrainConfig(batch_size=2, n_evaluations=2, log_every=1, learning_rate=3e-3, duration_learning_rate=1e-2)


def train(root, tmp_path, num_epochs=2, name="a", **options):
    options = {"config": QUICK, "model_settings": TINY, **options}
    tts.train_tts(root, num_epochs, tmp_path / name, checkpoint_path=tmp_path / f"{name}.pth", **options)
    return tmp_path / f"{name}.pth"


# -------- Batching ---------------------------------------------------------------------------------------------------


def test_buckets_cover_each_utterance_once_and_cut_padding():
    lengths = np.random.default_rng(0).integers(80, 870, 1000).tolist()
    sampler = BucketBatchSampler(lengths, batch_size=32, bucket_batches=16, seed=0)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(1000))
    assert len(batches) == len(sampler) == 32 and all(len(batch) <= 32 for batch in batches)
    unsorted = np.array_split(np.random.default_rng(0).permutation(1000), 32)
    with_buckets, without = padded_fraction(lengths, batches), padded_fraction(lengths, unsorted)
    print(f"padding: {with_buckets:.1%} with buckets, {without:.1%} without")
    assert with_buckets < 0.06 < 0.3 < without


def test_batches_change_with_the_epoch_and_are_fixed_by_the_seed():
    def batches(seed, epoch):
        sampler = BucketBatchSampler(list(range(100)), 4, 5, seed)
        sampler.epoch = epoch
        return list(sampler)

    assert batches(0, 0) == batches(0, 0) != batches(0, 1)
    assert batches(0, 0) != batches(1, 0)


def test_padded_fraction_of_a_known_case():
    assert padded_fraction([10, 5, 5], [[0, 1], [2]]) == pytest.approx(5 / 25)


def test_vocabulary_falls_back_on_another_stress():
    vocabulary = Vocabulary(("AA0", "AA1", "B", "EY0", "pau"))
    assert vocabulary.encode(["AA1", "AA2", "EY2", "EY", "pau"]) == [1, 1, 3, 3, 4]
    with pytest.raises(ValueError, match="'ZH'"):
        vocabulary.encode(["B", "ZH"])


def test_rare_vowels_are_left_to_the_fallback(dataset_root):
    alignment = lj_speech.Alignment("", ["AA1"] * 10 + ["AA2", "OY2", "B"], list(range(13)), [1] * 13)
    config = tts.describe_data([alignment])
    assert config.vocabulary == ("AA1", "B", "OY2")
    assert (config.max_phonemes, config.max_frames) == (13, 13)


# -------- Learning ---------------------------------------------------------------------------------------------------


def test_two_utterances_are_learned_by_heart(tmp_path):
    root = write_dataset(tmp_path / "data", 3)
    config = tts.TrainConfig(batch_size=2, n_evaluations=1, learning_rate=5e-3, duration_learning_rate=2e-2)
    settings = {**TINY, "encoder_dropout": 0, "decoder_dropout": 0, "duration_dropout": 0, "width": 32}
    checkpoint = train(root, tmp_path, 250, config=config, model_settings=settings)
    model = tts.load_checkpoint(checkpoint)
    dataset = lj_speech.get_dataset(root)[0]
    batch = collate(Vocabulary(model.config.vocabulary), dataset)
    with torch.no_grad():
        loss = float(tts.spectrogram_loss(model(batch), batch)["corrected"])
        durations = model.predict_durations(model.encoder(batch.tokens, batch.token_mask), batch.token_mask)
    spread = float(tts.masked_mean((batch.mels - batch.mels[batch.frame_mask].mean()).abs(), batch.frame_mask))
    assert loss < 0.25 * spread, f"loss {loss:.3f}, spread of the data {spread:.3f}"
    assert (durations - batch.durations).abs()[batch.token_mask].float().mean() < 0.7


def test_learning_rate_rises_falls_and_ends_at_zero():
    config = tts.TrainConfig(warmup_steps=100, cooldown=0.2)
    factors = [training.learning_rate_factor(step, 1000, config) for step in range(1001)]
    assert int(np.argmax(factors)) == 99 and max(factors) == pytest.approx(1)
    assert factors[399] == pytest.approx(0.5) and factors[1000] == 0
    assert np.all(np.diff(factors[:99]) > 0) and np.all(np.diff(factors[100:]) < 0)


@pytest.mark.parametrize("amp", ["bf16", "fp32"])
def test_amp_trains_on_the_cpu(dataset_root, tmp_path, amp):
    checkpoint = train(dataset_root, tmp_path, 1, config=tts.replace(QUICK, amp=amp))
    assert tts.load_checkpoint(checkpoint)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fp16_with_a_scaler_trains_on_the_gpu(dataset_root, tmp_path):
    checkpoint = train(dataset_root, tmp_path, 1, config=tts.replace(QUICK, amp="fp16"))
    assert tts.load_checkpoint(checkpoint)


def test_amp_is_chosen_by_the_device():
    assert training.choose_amp("auto", torch.device("cpu")) == torch.float32
    assert training.choose_amp("bf16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(ValueError, match="auto, bf16, fp16, fp32"):
        training.choose_amp("int8", torch.device("cpu"))


def test_the_log_has_losses_pictures_and_audio(dataset_root, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(dataset_root, tmp_path)
    log = EventAccumulator(str(tmp_path / "a"))
    log.Reload()
    tags = log.Tags()
    for stage, names in (("spectrogram", ["loss", "coarse", "corrected"]), ("duration", ["loss"])):
        assert {f"{stage}/{name}" for name in [*names, "gradient_norm", "learning_rate"]} <= set(tags["scalars"])
    assert {"validation/spectrogram_loss", "validation/sigma", "validation/duration_error_ms"} <= set(tags["scalars"])
    assert len(tags["images"]) == 3 and tags["audio"] == ["predicted"]
    assert len(log.Scalars("spectrogram/loss")) == 6, "3 batches in each of 2 epochs"
    speeds, waits = (log.Scalars(f"spectrogram/{name}") for name in ("iterations_per_second", "loader_fraction"))
    assert len(speeds) == len(waits) == 2 and min(speed.value for speed in speeds) > 0
    assert all(0 < wait.value < 1 for wait in waits)


# -------- Starting from a checkpoint ---------------------------------------------------------------------------------


def test_training_goes_on_from_a_checkpoint(dataset_root, tmp_path):
    first, rates = train(dataset_root, tmp_path), ("learning_rate", "pitch_learning_rate", "duration_learning_rate")
    still = tts.replace(QUICK, **dict.fromkeys(rates, 1e-9))
    second = train(dataset_root, tmp_path, name="b", config=still, init=first, model_settings={})
    before, after = (torch.load(path, weights_only=True) for path in (first, second))
    assert (
        before["config"] == after["config"] and after["training"]["init"] == hashlib.md5(first.read_bytes()).hexdigest()
    )
    learned = [name for name, _ in tts.load_checkpoint(first).named_parameters()]
    assert all(torch.allclose(before["weights"][name], after["weights"][name], atol=1e-4) for name in learned)


def test_the_pitch_alone_is_learned_anew(dataset_root, tmp_path):
    first = train(dataset_root, tmp_path)
    still = tts.replace(QUICK, duration_epochs=0, pitch_epochs=2)
    second = train(dataset_root, tmp_path, 0, name="b", config=still, init=first, model_settings={})
    before, after = (torch.load(path, weights_only=True) for path in (first, second))
    changed = {name for name, old in before["weights"].items() if not torch.equal(old, after["weights"][name])}
    assert changed and all(name.startswith("pitch_model") for name in changed)
    assert after["training"]["before"] == before["training"]


def test_what_does_not_fit_a_checkpoint_is_named(dataset_root, tmp_path):
    checkpoint = train(dataset_root, tmp_path, 1)
    with pytest.raises(ValueError, match="other model settings"):
        train(dataset_root, tmp_path, name="b", init=checkpoint, model_settings={"width": 64})
    write_utterance(dataset_root, "LJ999", ["AA1", "B"] * 20, [3] * 40)
    with pytest.raises(ValueError, match="max_phonemes = 40"):
        train(dataset_root, tmp_path, name="b", init=checkpoint, model_settings={})


# -------- Interruption -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage, epoch", [("spectrogram", 1), ("pitch", 1), ("duration", 1)])
def test_a_resumed_run_equals_an_uninterrupted_one(dataset_root, tmp_path, monkeypatch, stage, epoch):
    uninterrupted = train(dataset_root, tmp_path, name="whole")
    train_epoch = training.train_epoch

    def interrupt(name, state, *others):
        if (name, state.epoch) == (stage, epoch):
            raise KeyboardInterrupt
        return train_epoch(name, state, *others)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(dataset_root, tmp_path, name="cut")
    assert not (tmp_path / "cut.pth").exists() and (tmp_path / "cut" / "training_state.pth").exists()
    torch.manual_seed(1234)  # as another process would have it
    resumed = train(dataset_root, tmp_path, name="cut")
    first, second = (torch.load(path, weights_only=True)["weights"] for path in (uninterrupted, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (tmp_path / "cut" / "training_state.pth").exists(), "a finished run is not resumed"


def test_an_unfinished_run_of_other_settings_is_not_resumed(dataset_root, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tts, "train_durations", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            train(dataset_root, tmp_path)
    with pytest.raises(ValueError, match="other settings.*resume=False"):
        train(dataset_root, tmp_path, num_epochs=3)
    (tmp_path / "a" / "training_state.pth").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="resume=False"):
        train(dataset_root, tmp_path)
    assert train(dataset_root, tmp_path, num_epochs=1, resume=False).exists()


def test_a_failed_save_leaves_the_previous_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "state.pth"
    training.save_atomically({"value": 1}, path)

    def fail_half_way(content, target):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail_half_way)
    with pytest.raises(OSError):
        training.save_atomically({"value": 2}, path)
    assert training.read_saved(path, "") == {"value": 1}


def test_the_published_checkpoint_is_copied_aside(dataset_root, tmp_path, monkeypatch):
    checkpoint = train(dataset_root, tmp_path, 1)
    content = checkpoint.read_bytes()
    monkeypatch.setattr(tts, "CHECKPOINT_MD5", hashlib.md5(content).hexdigest())
    train(dataset_root, tmp_path, 2)
    assert checkpoint.read_bytes() != content
    assert (tmp_path / "a-shipped.pth").read_bytes() == content


def test_durations_learn_from_more_alignments_than_spectrograms(dataset_root, tmp_path, capsys):
    more = write_dataset(tmp_path / "more", 20)
    for path in more.glob("*.npy"):
        path.unlink()
    write_utterance(more, "LJ998", ["AA1", "ZH"], [3, 3])
    write_utterance(more, "LJ999", ["AA1", "B"] * 20, [3] * 40)
    train(dataset_root, tmp_path, 1, durations_root=more)
    output = capsys.readouterr().out
    assert "19 utterances in" in output, "22 less the one held out, one of an unknown phoneme, and one that is too long"
    assert "2 utterances left out: too long" in output


# -------- Bad input --------------------------------------------------------------------------------------------------


def test_bad_arguments(dataset_root, tmp_path):
    with pytest.raises(ValueError, match="num_epochs is 0"):
        train(dataset_root, tmp_path, 0)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train(tmp_path / "nowhere", tmp_path)


def test_bad_checkpoints_are_named_and_no_code_is_run(dataset_root, tmp_path):
    with pytest.raises(FileNotFoundError, match="git checkout"):
        tts.load_checkpoint(tmp_path / "missing.pth")
    whole = train(dataset_root, tmp_path, 1).read_bytes()
    marker, path = tmp_path / "was-run", tmp_path / "bad.pth"
    foreign = {"weights": {"w": torch.zeros(1)}}
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    with_nan = {**content, "weights": {key: value * torch.nan for key, value in content["weights"].items()}}
    other_size = {**content, "config": {**content["config"], "width": 64}}
    unknown_field = {**content, "config": {**content["config"], "colour": "red"}}
    for bad in (foreign, with_nan, other_size, unknown_field, [1, 2], {"config": None}, {"w": Hostile(marker)}):
        torch.save(bad, path)
        with pytest.raises(ValueError, match="bad.pth"):
            tts.load_checkpoint(path)
    for raw in (b"", b"no archive", whole[: len(whole) // 2]):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="bad.pth"):
            tts.load_checkpoint(path)
    assert not marker.exists()


def test_loss_that_is_not_finite_stops_the_training(dataset_root, tmp_path, monkeypatch):
    monkeypatch.setattr(tts, "spectrogram_loss", lambda prediction, batch: {"loss": prediction.mels.mean() * torch.nan})
    with pytest.raises(RuntimeError, match="nan at step 1"):
        train(dataset_root, tmp_path)
