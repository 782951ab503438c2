import pytest
import torch
from test_model import random_batch
from test_training import QUICK, train

import adversarial
import part2_solution as tts


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


def test_the_discriminator_learns_to_tell_noise_from_stripes():
    torch.manual_seed(0)
    discriminator = adversarial.Discriminator((4, 8, 8, 8))
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=2e-3)
    stripes = torch.randn(4, 32, 1).expand(-1, -1, 80)
    first = None
    for _ in range(40):
        loss = adversarial.discriminator_loss(discriminator, (torch.randn(4, 32, 80), stripes))["loss"]
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * first


def test_only_the_decoder_changes_and_its_statistics_stay(dataset_root, tmp_path):
    before = train(dataset_root, tmp_path, 1)
    after = tmp_path / "sharp.pth"
    adversarial.finetune(dataset_root, before, after, n_steps=3, config=QUICK, logdir=tmp_path / "log")
    first, second = (torch.load(path, weights_only=True) for path in (before, after))
    changed = {name for name in first["weights"] if not torch.equal(first["weights"][name], second["weights"][name])}
    assert changed and all(name.startswith(("decoder.", "pitch_encoding.")) for name in changed)
    assert not any("running" in name for name in changed)
    assert second["training"]["num_epochs"] == 1
    again = tmp_path / "again.pth"
    adversarial.finetune(dataset_root, after, again, n_steps=2, config=QUICK, logdir=tmp_path / "log")
    passes = torch.load(again, weights_only=True)["training"]["adversarial"]
    assert [one["n_steps"] for one in passes] == [3, 2]
    assert first["config"] == second["config"] and tts.load_checkpoint(after)


def test_missing_files_are_named(dataset_root, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        adversarial.finetune(dataset_root, tmp_path / "none.pth", tmp_path / "out.pth", logdir=tmp_path)
