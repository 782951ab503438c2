"""Fine-tuning against a discriminator: what it sees, what learns, what is recorded."""

import pytest
import torch
from conftest import SPEED, new_model, random_batch, train, train_voice

import part2_solution as tts
from part2_solution import TrainingState
from recipe import adversarial
from recipe.discriminator import Discriminator, discriminator_loss, generator_losses

QUICK = adversarial.AdversarialConfig(**SPEED, amp="fp32")


def test_crops_are_of_the_same_frames_and_of_real_ones():
    torch.manual_seed(0)
    batch = random_batch(lengths=((5, 150), (9, 110)))
    first, second = adversarial.random_crops(batch, batch.mels, batch.mels * 2)
    assert first.shape == (2, adversarial.CROP_FRAMES, 80) and torch.equal(first * 2, second)
    for crop, mels, length in zip(first, batch.mels, (150, 110)):
        places = [start for start in range(length - 95) if torch.equal(mels[start : start + 96], crop)]
        assert len(places) == 1, "an unbroken piece of the real frames"


def test_short_utterances_are_taken_whole():
    batch = random_batch()  # 40 frames at most
    (crops,) = adversarial.random_crops(batch, batch.mels)
    assert torch.equal(crops, batch.mels)


def test_the_discriminator_is_told_who_speaks():
    batch = random_batch()
    speaker = torch.zeros_like(batch.tokens)
    speaker[1] = 1
    batch = batch._replace(features={**batch.features, "speaker": speaker})
    (side,) = adversarial.tell_speaker(new_model(), batch, [batch.mels])
    assert torch.equal(side[:, 0], batch.mels) and side[:, 1].mean((1, 2)).tolist() == [0, 1, 0][: len(side)]


def test_the_discriminator_learns_to_tell_noise_from_stripes():
    torch.manual_seed(0)
    discriminator = Discriminator((4, 8, 8, 8))
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=2e-3)
    stripes = torch.randn(4, 32, 1).expand(-1, -1, 80)
    first = None
    for _ in range(40):
        loss = discriminator_loss(discriminator, (torch.randn(4, 32, 80), stripes))["loss"]
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * first


def test_the_decoder_is_drawn_to_what_passes():
    """The gradient of the losses goes to the prediction, not to the discriminator."""
    torch.manual_seed(0)
    discriminator, real, predicted = Discriminator((2, 2, 2, 2)), torch.randn(2, 16, 80), torch.randn(2, 16, 80)
    losses = generator_losses(discriminator, [real, predicted.requires_grad_()])
    sum(losses.values()).backward()
    assert predicted.grad.any() and all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    same = generator_losses(discriminator, [real, real])
    assert same["feature_matching"] == 0 < losses["feature_matching"]


def test_no_backward_pass_runs_under_autocast(monkeypatch):
    model, discriminator = new_model(), Discriminator((2, 2, 2, 2), n_inputs=2)
    config = tts.replace(QUICK, amp="bf16")
    state = TrainingState(model, [model.decoder], 4, config)
    judge = TrainingState(discriminator, [discriminator], 4, config)
    seen, backward = [], torch.Tensor.backward
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda loss: seen.append(torch.is_autocast_enabled("cpu")) or backward(loss)
    )
    losses = adversarial.take_step(state, judge, adversarial.Batches(random_batch(), None), new_model())
    assert seen == [False, False] and {"loss", "adversarial", "feature_matching", "discriminator"} <= losses.keys()


def test_only_the_decoder_changes_and_its_statistics_stay(dataset_root, tmp_path):
    before = train_voice(dataset_root, tmp_path, 1)
    after = tmp_path / "sharp.pth"
    adversarial.finetune(dataset_root, before, after, n_steps=3, config=QUICK, logdir=tmp_path / "log")
    first, second = (torch.load(path, weights_only=True) for path in (before, after))
    changed = set()
    for pick in (lambda content: content["weights"], lambda content: content["extension"]["weights"]):
        changed |= {name for name, tensor in pick(first).items() if not torch.equal(tensor, pick(second)[name])}
    assert changed and all(name.startswith(("decoder.", "pitch_encoding.")) for name in changed)
    assert not any("running" in name for name in changed)
    assert second["training"]["num_epochs"] == 1
    again = tmp_path / "again.pth"
    adversarial.finetune(dataset_root, after, again, n_steps=2, config=QUICK, logdir=tmp_path / "log")
    passes = torch.load(again, weights_only=True)["training"]["adversarial"]
    assert [one["n_steps"] for one in passes] == [3, 2]
    assert passes[0]["learning_rate"] == QUICK.learning_rate, "the one that was used"
    assert passes[0]["data"]["dataset"] == {"folder": dataset_root.name, "n": 6}
    assert first["config"] == second["config"] and tts.load_checkpoint(after)


def test_a_stopped_run_with_two_speakers_resumes(dataset_root, second_root, tmp_path, monkeypatch):
    before = train_voice(dataset_root, tmp_path, 1)
    monkeypatch.setattr(adversarial, "SAVE_EVERY", 2)
    take_step, steps = adversarial.take_step, []

    def interrupt(state, *others):
        steps.append(state.step)
        if steps == [0, 1, 2]:
            raise KeyboardInterrupt
        return take_step(state, *others)

    monkeypatch.setattr(adversarial, "take_step", interrupt)
    out = tmp_path / "sharp.pth"
    options = {"n_steps": 4, "config": QUICK, "second_root": second_root, "logdir": tmp_path / "log"}
    with pytest.raises(KeyboardInterrupt):
        adversarial.finetune(dataset_root, before, out, **options)
    assert not out.exists()
    adversarial.finetune(dataset_root, before, out, **options)
    assert steps == [0, 1, 2, 2, 3] and tts.load_checkpoint(out)


def test_the_plain_method_is_refused(dataset_root, tmp_path):
    checkpoint = train(dataset_root, tmp_path, 1)
    with pytest.raises(ValueError, match="plain method"):
        adversarial.finetune(dataset_root, checkpoint, tmp_path / "out.pth", logdir=tmp_path)


def test_missing_files_are_named(dataset_root, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        adversarial.finetune(dataset_root, tmp_path / "none.pth", tmp_path / "out.pth", logdir=tmp_path)
