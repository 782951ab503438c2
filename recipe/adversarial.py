"""Adversarial fine-tuning: the decoder of a trained voice learns the detail that L1 and L2 average away.

    predicted and real spectrograms -> crops (B, 2, 96, 80) -> discriminator -> scores, one for each patch

A mean-squared loss turns several likely spectrograms into their mean, which sounds muffled. Here a small discriminator
learns to tell real crops from predicted ones, and the decoder learns to pass, held by the spectrogram loss and by the
discriminator's features. Encoder, σ and GRUs stay as they are, and so do the statistics of the batch normalisation.

With a second speaker (`--second-speaker`) the voice learns to speak sharply as both. The discriminator is told who
speaks, by the second channel of its input (arXiv 1411.1784), so that one does not come to sound like the other.

The voice overfits the recordings and speaks them more sharply than new sentences. So the discriminator also judges how
the speaker says what only the second one has said, and sentences without a recording, of which phonemes and durations
are known (`--texts`). There the spectrogram loss has no target; blurred, the prediction has to stay what it was before,
so that the words stay.

    python -m recipe adversarial LJ-Speech-aligned --checkpoint TTS.pth --out TTS-sharp.pth --steps 420
"""

from __future__ import annotations

import copy
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import lj_speech
import part2_solution as tts
from compute.unfinished import fingerprints
from part2_solution import AcousticModel, Batch, Run, TrainConfig, TrainingState, Vocabulary, collate, length_mask
from prosody.cues import match_cues
from prosody.extension import Prosody
from recipe import command_line, data, melody
from recipe.discriminator import Discriminator, discriminator_loss, generator_losses
from recipe.voice import count_repeats
from vocoder import weights
from vocoder.settings import check_number, setting

CROP_FRAMES = 96  # about a second: a few syllables
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.3, 0.5  # beside the spectrogram loss at 1
INTONATION, PITCH_OFFSET_STD = 1.5, 0.09  # of texts: how far the melody goes, and 1.6 semitones as a log of Hz
SAVE_EVERY = 100  # steps
LOG_EVERY = 10


@dataclass(frozen=True)
class AdversarialConfig(TrainConfig):
    """How a voice is fine-tuned."""

    own_share: float = setting(0.5, "at least this part of the recorded utterances is the speaker's own", 0, 0.99)


CONFIG = AdversarialConfig(batch_size=8, learning_rate=2e-4, ema_decay=0.99)  # the defaults here


class Batches(NamedTuple):
    recorded: Batch
    texts: Batch | None  # without spectrograms

    def to(self, device: torch.device) -> Batches:
        return Batches(*(None if batch is None else batch.to(device) for batch in self))


# -------- One step ---------------------------------------------------------------------------------------------------


def random_crops(batch: Batch, *spectrograms: Tensor) -> list[Tensor]:
    """The same random CROP_FRAMES of each (B, T, M), from real frames where an utterance has so many."""
    length = min(CROP_FRAMES, batch.frame_mask.shape[1])
    spans = (batch.frame_mask.sum(1) - length).clamp_min(0)
    starts = (torch.rand(len(spans), device=spans.device) * (spans + 1)).long()
    frames = (starts[:, None] + torch.arange(length, device=spans.device))[..., None]  # (B, length, 1)
    return [mels.float().gather(1, frames.expand(-1, -1, mels.shape[2])) for mels in spectrograms]


def tell_speaker(model: AcousticModel, batch: Batch, crops: Sequence[Tensor]) -> list[Tensor]:
    """(B, T, M) each -> (B, 2, T, M): the second channel is 1 where the second speaker speaks, else 0."""
    speaker = model.extension.speaker_of(batch)[:, :1, None].float()
    return [torch.stack([crop, speaker.expand_as(crop)], dim=1) for crop in crops]


def vary_pitch(texts: Batch) -> Batch:
    """Each utterance higher or lower, as recordings are."""
    shift = torch.randn(len(texts.tokens), 1, device=texts.tokens.device) * PITCH_OFFSET_STD
    return texts._replace(features={**texts.features, "log_pitch": texts.features["log_pitch"] + shift})


def blurred(mels: Tensor) -> Tensor:
    """(B, T, M) -> (B, T, M): means of 5 frames x 5 bands."""
    return F.avg_pool2d(mels.float(), kernel_size=5, stride=1, padding=2)


def predict(model: AcousticModel, batches: Batches, before: AcousticModel) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The losses without a discriminator, and the crops for it: the real ones, then the predicted ones."""
    recorded, texts = batches
    prediction = model(recorded)
    losses = tts.spectrogram_loss(prediction, recorded)
    crops = tell_speaker(model, recorded, random_crops(recorded, recorded.mels, prediction.mels))
    if texts is not None:
        texts = vary_pitch(texts)
        mels = model(texts).mels
        crops += tell_speaker(model, texts, random_crops(texts, mels))
        with torch.no_grad():
            known = before(texts).mels
        losses["drift"] = tts.masked_mean((blurred(mels) - blurred(known)).abs(), texts.frame_mask)
        losses["loss"] = losses["loss"] + losses["drift"]
    return losses, crops


def take_step(state: TrainingState, judge: TrainingState, batches: Batches, before: AcousticModel) -> dict[str, Tensor]:
    """Predict, let the discriminator step, then the decoder; returns the losses."""
    with state.autocast():
        losses, crops = predict(state.model, batches, before)
    judged = judge.train([side.detach() for side in crops], discriminator_loss)
    with state.autocast():
        parts = generator_losses(judge.model, crops)
    adversarial = ADVERSARIAL_WEIGHT * parts["adversarial"] + FEATURE_WEIGHT * parts["feature_matching"]
    return state.descend({**losses, **parts, "loss": losses["loss"] + adversarial}) | {"discriminator": judged["loss"]}


# -------- Data -------------------------------------------------------------------------------------------------------


def endless(loader: Iterable[Batch], step: int) -> Iterator[Batch]:
    """The batches of epoch after epoch, from those of `step` on."""
    for epoch in itertools.count(step // len(loader)):
        loader.batch_sampler.epoch = epoch
        yield from loader


@torch.no_grad()
def with_melody(alignments: Sequence[lj_speech.Alignment], model: AcousticModel) -> melody.WithFeatures:
    """The samples of texts, with the pitch that the model predicts for them, made livelier."""
    device, found = next(model.parameters()).device, []
    cues = [{"cues": torch.tensor(match_cues(item.text, item.codes))} for item in alignments]
    samples = melody.WithFeatures(lj_speech.AlignmentDataset(alignments), cues)
    for first in range(0, len(samples), 64):
        chunk = [samples[index] for index in range(first, min(first + 64, len(samples)))]
        batch = collate(Vocabulary(model.config.vocabulary), chunk).to(device)
        rows = melody.predict_log_pitch(model, batch, INTONATION).cpu()
        for sample, row in zip(chunk, rows):
            length = len(sample["phonemes_code"])
            speaker = torch.zeros(length, dtype=torch.int64)
            found.append({**sample["features"], "log_pitch": row[:length], "speaker": speaker})
    return melody.WithFeatures(samples.dataset, found)


def read_samples(
    model: AcousticModel, dataset_root: pathlib.Path, more_root: pathlib.Path | None, texts_root: pathlib.Path | None,
    second_root: pathlib.Path | None, own_share: float,
) -> tuple[melody.WithFeatures, melody.WithFeatures]:  # fmt: skip
    """(recordings, texts): these are sentences that the model can say and has not heard, and the second speaker's."""
    train, val = data.read_datasets(dataset_root, more_root)
    recordings = melody.read_features(train, model.config.vocabulary)
    heard = {alignment.text for dataset in (train, val) for alignment in dataset.alignments}
    items = lj_speech.get_alignments(texts_root) if texts_root is not None else []
    can_say = data.can_say(model.config)
    texts = with_melody([item for item in items if can_say(item) and item.text not in heard], model)
    if second_root is not None:
        usable = data.read_second_speaker(second_root, val, model.config)
        second = melody.read_features(usable, model.config.vocabulary, speaker=1)
        moved = melody.melodies(recordings + second)
        spoken = moved.where([index for index, row in enumerate(moved.features) if row["speaker"].any()])
        by_her = [{**row, "speaker": torch.zeros_like(row["speaker"])} for row in spoken.features]
        texts += melody.WithFeatures(spoken.dataset, by_her)
        recordings = recordings * count_repeats(len(recordings), len(second), own_share) + second
    return recordings, texts


def make_batches(
    recordings: melody.WithFeatures, texts: melody.WithFeatures, codes: Sequence[str], config: TrainConfig, step: int
) -> Iterator[Batches]:
    """Half of each batch is recorded and half is text where there are texts; else all is recorded."""
    if len(texts) == 0:
        yield from (Batches(batch, None) for batch in endless(tts.make_loader(recordings, codes, config), step))
    config = replace(config, batch_size=max(1, config.batch_size // 2))
    loaders = [tts.make_loader(part, codes, config) for part in (recordings, texts)]
    for recorded, text in zip(*(endless(loader, step) for loader in loaders)):
        yield Batches(recorded, text._replace(frame_mask=length_mask(text.durations.sum(1))))


# -------- Training ---------------------------------------------------------------------------------------------------


def train_mode(model: AcousticModel) -> None:
    """Dropout in the decoder only; batch normalisation keeps its statistics, which small batches would upset."""
    model.eval()
    for module in model.decoder.modules():
        if isinstance(module, nn.Dropout):
            module.train()


def finetune(
    dataset_root: pathlib.Path, checkpoint_path: pathlib.Path, out: pathlib.Path, n_steps: int = 420,
    config: AdversarialConfig = CONFIG, *, texts_root: pathlib.Path | None = None,
    more_root: pathlib.Path | None = None, second_root: pathlib.Path | None = None,
    logdir: str | pathlib.Path = "runs/adversarial",
) -> None:  # fmt: skip
    """Fine-tune the decoder of `checkpoint_path` for `n_steps` and write the averaged result to `out`.

    texts_root      alignments without spectrograms (`recipe prepare --no-audio`): sentences that only the
                    discriminator judges
    more_root       more utterances with spectrograms, as for `recipe.voice`
    second_root     a second speaker's utterances: both are learned, and how the speaker says them

    An interrupted run resumes from `logdir`.
    Raises FileNotFoundError or ValueError for a missing or unusable dataset or checkpoint.
    """
    check_number("n_steps", n_steps, 1, 10**9, whole=True)
    weights.check_destination(out)
    roots = {"dataset": dataset_root, "more": more_root, "texts": texts_root, "second_speaker": second_root}
    torch.manual_seed(config.seed)
    before, training = tts.load_checkpoint(checkpoint_path), weights.read_training(checkpoint_path)
    if not isinstance(before.extension, Prosody):
        raise ValueError(f"{checkpoint_path} is a voice of the plain method: this needs one of `recipe voice`")
    settings = {
        "n_steps": n_steps, **asdict(config), "checkpoint": weights.checksum(pathlib.Path(checkpoint_path)),
        "data": data.describe(**roots), "hashes": fingerprints(**roots),
    }  # fmt: skip
    before = before.to("cuda" if torch.cuda.is_available() else "cpu").requires_grad_(False)
    with Run(pathlib.Path(logdir), settings, resume=True) as run:
        samples = read_samples(before, dataset_root, more_root, texts_root, second_root, config.own_share)
        model = take_steps(before, samples, n_steps, config, run)
        passes = [*training.get("adversarial", []), settings]
        tts.save_checkpoint(model, out, {**training, "adversarial": passes})


def take_steps(
    before: AcousticModel, samples: tuple[melody.WithFeatures, melody.WithFeatures], n_steps: int, config: TrainConfig,
    run: Run,
) -> AcousticModel:  # fmt: skip
    """`n_steps` on what `read_samples` returns, from where an unfinished run was; returns the averaged model."""
    model, discriminator = copy.deepcopy(before), Discriminator(n_inputs=2).to(next(before.parameters()).device)
    state = TrainingState(model, [model.decoder, model.extension.pitch_encoding], n_steps, config)
    judge = TrainingState(discriminator, [discriminator], n_steps, config)
    run.restore(state, judge=judge)
    train_mode(model)
    batches = make_batches(*samples, model.config.vocabulary, config, state.step)
    with tqdm(desc="adversarial", initial=state.step, total=n_steps, unit="step") as bar:
        while state.step < n_steps:
            losses = take_step(state, judge, next(batches).to(state.device), before)
            bar.update()
            if state.step == 1 or state.step % LOG_EVERY == 0:
                run.log("adversarial", state, losses)
                bar.set_postfix(loss=f"{float(losses['loss']):.3f}")
            if state.step % SAVE_EVERY == 0:
                run.save("adversarial", state, judge=judge.state_dict())
    return state.average.module


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("adversarial", "Fine-tune a trained voice against a discriminator.")
    parser.add_argument("dataset_root", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=tts.CHECKPOINT_PATH, help="default: %(default)s")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=420, help="default: %(default)s")
    parser.add_argument("--texts", type=pathlib.Path, help="alignments without recordings to learn from too")
    parser.add_argument("--more", type=pathlib.Path, help="more utterances to learn from: see shift-pitch")
    parser.add_argument("--second-speaker", type=pathlib.Path, help="a second speaker's utterances, as texts")
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/adversarial", help="default: %(default)s")
    command_line.add_settings(parser, CONFIG)
    command_line.run(parser, arguments, lambda options: finetune(
        options.dataset_root, options.checkpoint, options.out, options.steps,
        command_line.read_settings(options, CONFIG), texts_root=options.texts, more_root=options.more,
        second_root=options.second_speaker, logdir=options.logdir,
    ))  # fmt: skip
