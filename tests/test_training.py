"""Batching, the training loop, checkpoints and resume, on a tiny dataset that can be learned."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CONFIG, QUICK, TINY, Hostile, interrupted_at, new_model, random_batch, train, write_dataset
from torch import nn

import lj_speech
import part2_solution as tts
from compute import precision
from part2_solution import BucketBatchSampler, TrainingState, Vocabulary, collate
from vocoder import weights

# -------- Batching ---------------------------------------------------------------------------------------------------


def padded_fraction(lengths, batches) -> float:
    """The part of all frames in the batches that is padding."""
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    return 1 - sum(lengths[index] for batch in batches for index in batch) / padded


def test_buckets_cover_each_utterance_once_and_cut_padding():
    lengths = np.random.default_rng(0).integers(80, 870, 1000).tolist()
    sampler = BucketBatchSampler(lengths, batch_size=32, bucket_batches=16, seed=0)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(1000))
    assert len(batches) == len(sampler) == 32 and all(len(batch) <= 32 for batch in batches)
    unsorted = np.array_split(np.random.default_rng(0).permutation(1000), 32)
    with_buckets, without = padded_fraction(lengths, batches), padded_fraction(lengths, unsorted)
    assert with_buckets < 0.06 < 0.3 < without


def test_batches_change_with_the_epoch_and_are_fixed_by_the_seed():
    def batches(seed, epoch):
        sampler = BucketBatchSampler(list(range(100)), 4, 5, seed)
        sampler.epoch = epoch
        return list(sampler)

    assert batches(0, 0) == batches(0, 0) != batches(0, 1)
    assert batches(0, 0) != batches(1, 0)


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


def test_a_few_utterances_are_overfitted(tmp_path):
    root = write_dataset(tmp_path / "data", 3)
    config = replace(QUICK, n_evaluations=1, learning_rate=5e-3, duration_learning_rate=2e-2, log_every=50)
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
    factors = [tts.learning_rate_factor(step, 1000, config) for step in range(1001)]
    assert int(np.argmax(factors)) == 99 and max(factors) == pytest.approx(1)
    assert factors[399] == pytest.approx(0.5) and factors[1000] == 0
    assert np.all(np.diff(factors[:99]) > 0) and np.all(np.diff(factors[100:]) < 0)


@pytest.mark.parametrize("amp", ["bf16", "fp32"])
def test_amp_trains_on_the_cpu(dataset_root, tmp_path, amp):
    checkpoint = train(dataset_root, tmp_path, 1, config=replace(QUICK, amp=amp))
    assert tts.load_checkpoint(checkpoint)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fp16_with_a_scaler_trains_on_the_gpu(dataset_root, tmp_path):
    checkpoint = train(dataset_root, tmp_path, 1, config=replace(QUICK, amp="fp16"))
    assert tts.load_checkpoint(checkpoint)


def test_amp_is_chosen_by_the_device(tmp_path, monkeypatch):
    for flags, expected in (("avx2 fma", torch.float32), ("avx2 avx512_bf16", torch.bfloat16), (None, torch.float32)):
        cpu_info = tmp_path / "cpuinfo"
        cpu_info.unlink(missing_ok=True) if flags is None else cpu_info.write_text(f"flags : {flags}")
        monkeypatch.setattr(precision, "CPU_INFO", cpu_info)
        assert precision.choose_amp("auto", torch.device("cpu")) == expected, flags
    assert precision.choose_amp("bf16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(ValueError, match="auto, bf16, fp16, fp32"):
        precision.choose_amp("int8", torch.device("cpu"))


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
    assert len(log.Scalars("spectrogram/iterations_per_second")) == 6


# -------- Interruption -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage, epoch", [("spectrogram", 1), ("duration", 0), ("duration", 1)])
def test_a_resumed_run_equals_an_uninterrupted_one(dataset_root, tmp_path, monkeypatch, stage, epoch):
    uninterrupted = train(dataset_root, tmp_path, name="whole")
    with interrupted_at(monkeypatch, stage, epoch):
        train(dataset_root, tmp_path, name="cut")
    assert not (tmp_path / "cut.pth").exists() and (tmp_path / "cut" / "training_state.pth").exists()
    torch.manual_seed(1234)  # as another process would have it
    resumed = train(dataset_root, tmp_path, name="cut")
    first, second = (torch.load(path, weights_only=True)["weights"] for path in (uninterrupted, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (tmp_path / "cut" / "training_state.pth").exists(), "a finished run is not resumed"


def test_an_unfinished_run_of_other_settings_is_not_resumed(dataset_root, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tts, "evaluate_durations", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            train(dataset_root, tmp_path)
    with pytest.raises(ValueError, match="other settings.*resume=False"):
        train(dataset_root, tmp_path, num_epochs=3)
    (tmp_path / "a" / "training_state.pth").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="resume=False"):
        train(dataset_root, tmp_path)
    assert train(dataset_root, tmp_path, num_epochs=1, resume=False).exists()


def test_a_failed_save_leaves_the_previous_file_intact(tmp_path, monkeypatch):
    path = tmp_path / "state.pth"
    weights.save({"value": 1}, path)

    def fail_half_way(content, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail_half_way)
    with pytest.raises(OSError):
        weights.save({"value": 2}, path)
    assert weights.read(path, "") == {"value": 1}


def test_the_published_checkpoint_is_copied_aside(dataset_root, tmp_path, monkeypatch):
    checkpoint = train(dataset_root, tmp_path, 1)
    content = checkpoint.read_bytes()
    monkeypatch.setattr(tts, "CHECKPOINT_MD5", hashlib.md5(content).hexdigest())
    train(dataset_root, tmp_path, 2)
    assert checkpoint.read_bytes() != content
    assert (tmp_path / "a-shipped.pth").read_bytes() == content


# -------- Bad input --------------------------------------------------------------------------------------------------


def test_bad_arguments(dataset_root, tmp_path):
    with pytest.raises(ValueError, match="num_epochs is 0: give a whole number"):
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
    unknown_weight = {**content, "weights": {**content["weights"], "encoder.extra": torch.zeros(1)}}
    other_extension = {**content, "extension": {**content["extension"], "name": "os"}}
    unknown_setting = {**content, "extension": {**content["extension"], "settings": {"colour": "red"}}}
    bad_files = foreign, with_nan, other_size, unknown_field, unknown_weight, other_extension, unknown_setting
    for bad in (*bad_files, [1, 2], {"config": None}, {"w": Hostile(marker)}):
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


# -------- A step -----------------------------------------------------------------------------------------------------


def test_the_average_is_the_moving_average_of_weights_and_statistics():
    model, batch = new_model(with_prosody=False), random_batch()
    state = TrainingState(model, [model.encoder, model.decoder, model.upsampling], 20, replace(QUICK, ema_decay=0.5))
    model.encoder.train()
    expected = None
    for step in range(4):
        state.train(batch, lambda model, batch: tts.spectrogram_loss(model(batch), batch))
        new = {name: value.clone() for name, value in model.state_dict().items() if value.is_floating_point()}
        decay = min(0.5, (1 + step) / (10 + step))
        expected = new if expected is None else {k: decay * expected[k] + (1 - decay) * new[k] for k in new}
    averaged = state.average.module.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(averaged[name], value, msg=name)
    assert not torch.equal(averaged["encoder.blocks.blocks.0.attention_norm.running_mean"], torch.zeros(CONFIG.width))


def test_a_step_is_that_of_the_library():
    """Against AdamW with clipping and the schedule written out."""
    torch.manual_seed(0)
    layer, twin = nn.Linear(3, 1), nn.Linear(3, 1)
    twin.load_state_dict(layer.state_dict())
    config = replace(QUICK, learning_rate=0.1, warmup_steps=2, max_gradient_norm=0.5, weight_decay=0.1)
    state, x = TrainingState(layer, [layer], 10, config), torch.randn(5, 3)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.1, betas=(0.9, 0.98), weight_decay=0.1)
    for step in range(6):
        losses = state.train(x, lambda layer, x: {"loss": layer(x).square().mean()})
        optimizer.param_groups[0]["lr"] = 0.1 * tts.learning_rate_factor(step, 10, config)
        optimizer.zero_grad()
        twin(x).square().mean().backward()
        norm = nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        optimizer.step()
        assert float(losses["gradient_norm"]) == pytest.approx(float(norm), rel=1e-4)
        assert losses["learning_rate"] == pytest.approx(optimizer.param_groups[0]["lr"])
    torch.testing.assert_close(layer.weight, twin.weight)
    assert math.isfinite(float(losses["loss"]))
