"""Adversarial fine-tuning: the decoder of a trained voice learns the detail that L1 and L2 average away.

    predicted and real spectrograms -> crops (B, 1, 96, 80) -> discriminator -> scores, one for each patch

A mean-squared loss makes of several likely spectrograms their mean, which sounds muffled. Here a small discriminator
learns to tell real crops from predicted ones (least squares, arXiv 1611.04076), and the decoder learns to pass, held by
the spectrogram loss and by the discriminator's features (feature matching, arXiv 1606.03498). Encoder, σ and GRUs
stay as they are, and so do the statistics of the batch normalisation.

What the training has recordings of, the voice knows nearly by heart, and says more sharply than what it will be asked
to say. So the discriminator may also judge sentences without a recording, of which phonemes and durations are known
(`--texts`), or a teacher's, of which the melody is known too (`--taught`). There the spectrogram loss has no target;
blurred, the prediction has to stay what it was before, so that the words stay.

    python adversarial.py LJ-Speech-aligned --checkpoint TTS.pth --out TTS-sharp.pth --steps 420
"""

from __future__ import annotations

import argparse
import copy
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import lj_speech
import part2_solution as tts
from batching import Batch, Vocabulary, can_say, collate, length_mask, make_loaders, read_datasets, read_taught
from cues import match_cues
from pitch import WithPitch
from training import Run, Stage, checksum, read_saved

CROP_FRAMES = 96  # about a second: a few syllables
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.3, 0.5  # beside the spectrogram loss at 1
LEARNING_RATE = 2e-4
INTONATION, PITCH_OFFSET_STD = 1.5, 0.09  # of texts: how far the melody goes, and 1.6 semitones as a log of Hz
SAVE_EVERY = 100  # steps


class Judgement(NamedTuple):
    scores: Tensor  # (B, 1, time, band), 1 = real
    features: list[Tensor]  # of the hidden layers


class Batches(NamedTuple):
    recorded: Batch
    texts: Batch | None  # without spectrograms


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


def random_crops(batch: Batch, *spectrograms: Tensor) -> list[Tensor]:
    """The same random CROP_FRAMES of each (B, T, M), from real frames where an utterance has so many."""
    length = min(CROP_FRAMES, batch.frame_mask.shape[1])
    spans = (batch.frame_mask.sum(1) - length).clamp_min(0)
    starts = (torch.rand(len(spans), device=spans.device) * (spans + 1)).long()
    frames = (starts[:, None] + torch.arange(length, device=spans.device))[..., None]  # (B, length, 1)
    return [mels.float().gather(1, frames.expand(-1, -1, mels.shape[2])) for mels in spectrograms]


def discriminator_loss(discriminator: Discriminator, crops: Sequence[Tensor]) -> dict[str, Tensor]:
    """The first crops are real, the others, which may be shorter, predicted."""
    real, *predicted = (discriminator(side).scores.flatten() for side in crops)
    return {"loss": (real - 1).square().mean() + torch.cat(predicted).square().mean()}


def decoder_loss(model: tts.AcousticModel, batches: Batches, opponent: Stage, before: tts.AcousticModel) -> dict:
    """Lets the discriminator take its step on these batches, then judges by it."""
    recorded, texts = batches
    if texts is not None:
        texts = vary_pitch(texts)
    prediction = model(recorded)
    losses = tts.spectrogram_loss(prediction, recorded)
    real, *predicted = random_crops(recorded, recorded.mels, prediction.mels)
    if texts is not None:
        mels = model(texts).mels
        predicted += random_crops(texts, mels)
        with torch.no_grad():
            known = before(texts).mels
        losses["drift"] = tts.masked_mean((blurred(mels) - blurred(known)).abs(), texts.frame_mask)

    judging = opponent.train((real, *(crops.detach() for crops in predicted)), discriminator_loss)["loss"]
    discriminator = opponent.model.requires_grad_(False)
    with torch.no_grad():
        genuine = discriminator(real)
    judgements = [discriminator(crops) for crops in predicted]
    discriminator.requires_grad_(True)
    adversarial = (torch.cat([judgement.scores.flatten() for judgement in judgements]) - 1).square().mean()
    matching = torch.stack([F.l1_loss(a, b) for a, b in zip(judgements[0].features, genuine.features)]).mean()
    parts = losses["loss"] + losses.get("drift", 0), ADVERSARIAL_WEIGHT * adversarial, FEATURE_WEIGHT * matching
    others = {"adversarial": adversarial, "feature_matching": matching, "discriminator": judging}
    return {**losses, "loss": sum(parts), **others}


def vary_pitch(texts: Batch) -> Batch:
    """Each utterance higher or lower, as recordings are."""
    shift = torch.randn(len(texts.tokens), 1, device=texts.tokens.device) * PITCH_OFFSET_STD
    return texts._replace(log_pitch=texts.log_pitch + shift)


def blurred(mels: Tensor) -> Tensor:
    """(B, T, M) -> (B, T, M): means of 5 frames x 5 bands."""
    return F.avg_pool2d(mels.float(), kernel_size=5, stride=1, padding=2)


def endless(loader: Iterable[Batch], step: int) -> Iterator[Batch]:
    """The batches of epoch after epoch, from those of `step` on."""
    for epoch in itertools.count(step // len(loader)):
        loader.batch_sampler.epoch = epoch
        yield from loader


def read_texts(root: pathlib.Path, config: tts.ModelConfig) -> list[lj_speech.Alignment]:
    """The sentences in `root` that the model can say."""
    return list(filter(can_say(config), lj_speech.get_alignments(root)))


@torch.no_grad()
def with_melody(alignments: Sequence[lj_speech.Alignment], model: tts.AcousticModel) -> list[dict]:
    """The samples of texts, with the pitch that the model predicts for them, made livelier."""
    samples, device = [], next(model.parameters()).device
    for first in range(0, len(alignments), 64):
        items = alignments[first : first + 64]
        cues = [{"cues": torch.tensor(match_cues(item.text, item.codes))} for item in items]
        chunk = [item.as_sample() | cue for item, cue in zip(items, cues)]
        batch = collate(Vocabulary(model.config.vocabulary), chunk).to(device)
        rows = model.predict_log_pitch(batch, INTONATION).cpu()
        samples += [sample | {"log_pitch": row[: len(sample["phonemes_code"])]} for sample, row in zip(chunk, rows)]
    return samples


def make_batches(datasets: Sequence, texts: Sequence[lj_speech.Alignment], taught: lj_speech.AlignedDataset | None,
                 model: tts.AcousticModel, config: tts.TrainConfig, step: int) -> Iterator[Batches]:  # fmt: skip
    """Half of each batch is recorded and half is text where there are texts; else all is recorded.

    The texts are `texts` and those of a teacher, as long as he spoke them and with his melody.
    """
    codes, n_recorded = model.config.vocabulary, len(datasets[0])
    pitched = WithPitch(datasets[0], codes, taught)
    heard = {alignment.text for dataset in datasets for alignment in dataset.alignments}
    spoken = with_melody([item for item in texts if item.text not in heard], model)
    spoken += [sample | {"taught": False} for sample in pitched.melodies() if sample["taught"]]  # the speaker says it
    if spoken:
        config = replace(config, batch_size=max(1, config.batch_size // 2))

    def batches(samples: Sequence, lengths: Sequence[int]) -> Iterator[Batch]:
        return endless(make_loaders([samples], [lengths], codes, config)[0], step)

    lengths = [sum(alignment.durations) for alignment in datasets[0].alignments]
    recorded = batches(torch.utils.data.Subset(pitched, range(n_recorded)), lengths)
    if not spoken:
        return (Batches(batch, None) for batch in recorded)
    without_mask = batches(spoken, [sum(sample["phonemes_duration"]) for sample in spoken])
    with_mask = (batch._replace(frame_mask=length_mask(batch.durations.sum(1))) for batch in without_mask)
    return (Batches(*pair) for pair in zip(recorded, with_mask))


def train_mode(model: tts.AcousticModel) -> None:
    """Dropout in the decoder only; batch normalisation keeps its statistics, which small batches would upset."""
    model.eval()
    for module in model.decoder.modules():
        if isinstance(module, nn.Dropout):
            module.train()


def finetune(
    dataset_root: pathlib.Path, checkpoint_path: pathlib.Path, out: pathlib.Path, n_steps: int = 420,
    config: tts.TrainConfig = tts.TrainConfig(batch_size=8, ema_decay=0.99), *,
    texts_root: pathlib.Path | None = None, more_root: pathlib.Path | None = None,
    taught_root: pathlib.Path | None = None, logdir: str | pathlib.Path = "runs/adversarial",
) -> None:  # fmt: skip
    """Fine-tune the decoder of `checkpoint_path` for `n_steps` and write the averaged result to `out`.

    texts_root      alignments without spectrograms (`prepare_data.py --no-audio`): sentences that only the
                    discriminator judges
    more_root       more utterances with spectrograms, as for `train_tts`
    taught_root     a second voice's utterances, of which only the discriminator judges what the speaker makes of them

    An interrupted run resumes from `logdir`.
    Raises FileNotFoundError or ValueError for a missing or unusable dataset or checkpoint.
    """
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = tts.load_checkpoint(checkpoint_path).to(device).requires_grad_(False)
    datasets = read_datasets(dataset_root, more_root)
    roots = {"texts": str(texts_root), "more": str(more_root), "taught": str(taught_root)}
    settings = {"n_steps": n_steps, **asdict(config), "checkpoint": checksum(pathlib.Path(checkpoint_path)), **roots}
    run = Run(pathlib.Path(logdir), settings, resume=True)
    discriminator = Discriminator().to(device)
    opponent = Stage(discriminator, [discriminator], LEARNING_RATE, n_steps, config)
    model = copy.deepcopy(before)
    stage = Stage(model, [model.decoder, model.pitch_encoding], LEARNING_RATE, n_steps, config)
    if run.state is not None:
        opponent.load_state_dict(run.state["opponent"])
        stage.load_state_dict(run.state)
    train_mode(model)
    texts = read_texts(texts_root, model.config) if texts_root else []
    taught = taught_root and read_taught(taught_root, datasets[1], model.config)
    batches = make_batches(datasets, texts, taught, before, config, stage.step)
    compute_loss = lambda model, pair: decoder_loss(model, pair, opponent, before)  # noqa: E731
    for _ in tqdm(range(stage.step, n_steps), initial=stage.step, total=n_steps, unit="step"):
        pair = Batches(*(batch and batch.to(device) for batch in next(batches)))
        losses = stage.train(pair, compute_loss)
        if stage.step % 10 == 0:
            run.log("adversarial", stage, losses)
        if stage.step % SAVE_EVERY == 0:
            run.save("adversarial", stage, opponent=opponent.state_dict())
    training = read_saved(checkpoint_path, "")["training"]
    tts.save_checkpoint(stage.average, out, training | {"adversarial": [*training.get("adversarial", []), settings]})
    run.state_path.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Adversarial fine-tuning of a trained voice.")
    parser.add_argument("dataset_root", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=tts.CHECKPOINT_PATH)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=420)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--amp", default="auto", choices=["auto", "bf16", "fp16", "fp32"])
    parser.add_argument("--texts", type=pathlib.Path, help="alignments without recordings to learn from too")
    parser.add_argument("--more", type=pathlib.Path, help="more utterances to learn from: see shift_pitch.py")
    parser.add_argument("--taught", type=pathlib.Path, help="utterances of a second voice, as texts: see teacher.py")
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/adversarial")
    options = parser.parse_args(arguments)
    config = tts.TrainConfig(batch_size=options.batch_size, amp=options.amp, ema_decay=0.99)
    finetune(
        options.dataset_root, options.checkpoint, options.out, options.steps, config,
        texts_root=options.texts, more_root=options.more, taught_root=options.taught, logdir=options.logdir,
    )  # fmt: skip


if __name__ == "__main__":
    main()
