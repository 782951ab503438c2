"""Adversarial fine-tuning: the decoder of a trained voice learns the detail that L1 and L2 average away.

    predicted and real spectrograms -> crops (B, 1, 96, 80) -> discriminator -> scores, one for each patch

A mean-squared loss makes of several likely spectrograms their mean, which sounds muffled. Here a small discriminator
learns to tell real crops from predicted ones (least squares, arXiv 1611.04076), and the decoder learns to pass, held by
the spectrogram loss and by the discriminator's features (feature matching, arXiv 1606.03498). Encoder, σ and duration
model stay as they are, and so do the statistics of the batch normalisation.

    python adversarial.py LJ-Speech-aligned --checkpoint TTS.pth --out TTS-sharp.pth --steps 420
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import lj_speech
import part2_solution as tts

CROP_FRAMES = 96  # about a second: a few syllables
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.3, 0.5  # beside the spectrogram loss at 1
LEARNING_RATE = 2e-4


class Judgement(NamedTuple):
    scores: Tensor  # (B, 1, time, band), 1 = real
    features: list[Tensor]  # of the hidden layers


class Discriminator(nn.Module):
    """Crops (B, T, 80) -> Judgement: five 2-D convolutions that see patches, not the whole."""

    def __init__(self, channels: tuple[int, ...] = (32, 64, 128, 128)):
        super().__init__()
        sizes, strides = itertools.pairwise((1, *channels)), ((1, 2), (2, 2), (2, 2), (1, 1))
        self.hidden = nn.ModuleList(
            nn.Conv2d(*size, kernel_size=5, stride=stride, padding=2) for size, stride in zip(sizes, strides)
        )
        self.judge = nn.Conv2d(channels[-1], 1, kernel_size=3, padding=1)

    def forward(self, crops: Tensor) -> Judgement:
        x, features = crops.unsqueeze(1), []
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return Judgement(self.judge(x), features)


def random_crops(batch: tts.Batch, *spectrograms: Tensor) -> list[Tensor]:
    """The same random CROP_FRAMES of each (B, T, M), from real frames where an utterance has so many."""
    length = min(CROP_FRAMES, batch.mels.shape[1])
    spans = (batch.frame_mask.sum(1) - length).clamp_min(0)
    starts = (torch.rand(len(spans), device=spans.device) * (spans + 1)).long()
    frames = (starts[:, None] + torch.arange(length, device=spans.device))[..., None]  # (B, length, 1)
    return [mels.float().gather(1, frames.expand(-1, -1, mels.shape[2])) for mels in spectrograms]


def discriminator_loss(discriminator: Discriminator, crops: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    real, predicted = (discriminator(side).scores for side in crops)
    return {"loss": (real - 1).square().mean() + predicted.square().mean()}


def decoder_loss(model: tts.AcousticModel, batch: tts.Batch, opponent: tts.Stage) -> dict[str, Tensor]:
    """Lets the discriminator take its step on this batch, then judges by it."""
    prediction = model(batch)
    real, predicted = random_crops(batch, batch.mels, prediction.mels)
    judging = opponent.train((real, predicted.detach()), discriminator_loss)["loss"]
    discriminator = opponent.model.requires_grad_(False)
    fake = discriminator(predicted)
    with torch.no_grad():
        genuine = discriminator(real)
    discriminator.requires_grad_(True)
    adversarial = (fake.scores - 1).square().mean()
    matching = torch.stack([F.l1_loss(a, b) for a, b in zip(fake.features, genuine.features)]).mean()
    losses = tts.spectrogram_loss(prediction, batch)
    loss = losses["loss"] + ADVERSARIAL_WEIGHT * adversarial + FEATURE_WEIGHT * matching
    others = {"adversarial": adversarial, "feature_matching": matching, "discriminator": judging}
    return {**losses, "loss": loss, **others}


def endless(loader: Iterable[tts.Batch]) -> Iterator[tts.Batch]:
    for epoch in itertools.count():
        loader.batch_sampler.epoch = epoch
        yield from loader


def train_mode(model: tts.AcousticModel) -> None:
    """Dropout in the decoder only; batch normalisation keeps its statistics, which small batches would upset."""
    model.eval()
    for module in model.decoder.modules():
        if isinstance(module, nn.Dropout):
            module.train()


def finetune(
    dataset_root: pathlib.Path, checkpoint_path: pathlib.Path, out: pathlib.Path, n_steps: int = 420,
    config: tts.TrainConfig = tts.TrainConfig(batch_size=8, warmup_steps=50, ema_decay=0.99),
    logdir: str | pathlib.Path = "runs/adversarial",
) -> None:  # fmt: skip
    """Fine-tune the decoder of `checkpoint_path` for `n_steps` and write the averaged result to `out`.

    Raises FileNotFoundError or ValueError for a missing or unusable dataset or checkpoint.
    """
    from torch.utils.tensorboard import SummaryWriter

    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = tts.load_checkpoint(checkpoint_path).to(device)
    datasets = lj_speech.get_dataset(dataset_root)
    lengths = [[sum(alignment.durations) for alignment in dataset.alignments] for dataset in datasets]
    loader, _ = tts.make_loaders(datasets, lengths, model.config.vocabulary, config)
    discriminator = Discriminator().to(device)
    opponent = tts.Stage(discriminator, [discriminator], LEARNING_RATE, n_steps, config)
    stage = tts.Stage(model, [model.decoder], LEARNING_RATE, n_steps, config)
    writer = SummaryWriter(str(logdir))
    train_mode(model)
    for batch in itertools.islice(tqdm(endless(loader), total=n_steps, unit="step"), n_steps):
        losses = stage.train(batch.to(device), lambda model, batch: decoder_loss(model, batch, opponent))
        if stage.step % 10 == 0:
            for name, value in losses.items():
                writer.add_scalar(f"adversarial/{name}", float(value), stage.step)
    writer.close()
    training = tts.read_saved(checkpoint_path, "")["training"]
    passes = [*training.get("adversarial", []), {"n_steps": n_steps, **asdict(config)}]
    tts.save_checkpoint(stage.average, out, training | {"adversarial": passes})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Adversarial fine-tuning of a trained voice.")
    parser.add_argument("dataset_root", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=tts.CHECKPOINT_PATH)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=420)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--amp", default="auto", choices=["auto", "bf16", "fp16", "fp32"])
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/adversarial")
    options = parser.parse_args(arguments)
    config = tts.TrainConfig(batch_size=options.batch_size, amp=options.amp, warmup_steps=50, ema_decay=0.99)
    finetune(options.dataset_root, options.checkpoint, options.out, options.steps, config, options.logdir)


if __name__ == "__main__":
    main()
