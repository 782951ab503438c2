"""The shipped voice: the method's two stages and one between them, for the melody.

    spectrogram    encoder, upsampling, decoder, and how pitch and speaker are told to them
    pitch          the pitch model, on melodies
    duration       the duration model, on alignments

    python -m recipe voice LJ-Speech-aligned --more LJ-Speech-shifted --second-speaker taught --epochs 8
"""

from __future__ import annotations

import logging
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

import lj_speech
import part2_solution as tts
from compute import processes
from compute.unfinished import fingerprints
from part2_solution import AcousticModel, Batch, Run, Stage, TrainConfig, TrainingState
from prosody.extension import Prosody
from recipe import command_line, data, melody
from vocoder import weights
from vocoder.settings import check_number, setting

STAGES = ("spectrogram", "pitch", "duration")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VoiceConfig(TrainConfig):
    """How the shipped voice is trained: as the method, and its melody."""

    pitch_epochs: int = setting(16, "epochs of the pitch model", 0, 10**6)
    pitch_learning_rate: float = setting(1e-3, "of the pitch model", 0, 1)
    own_share: float = setting(
        0.36, "at least this part of the utterances is the speaker's own, repeated if need be", 0, 0.99
    )


@torch.inference_mode()
def evaluate_pitch(state: TrainingState, loader: Iterable[Batch], writer) -> dict[str, Tensor]:
    """Root mean square error a phoneme, in semitones."""
    model = state.average.module
    squares = torch.stack([melody.pitch_loss(model, batch.to(state.device))["loss"] for batch in loader]).mean()
    return {"pitch_error_semitones": squares.sqrt() * model.extension.settings.log_pitch_std * 12 / math.log(2)}


def pitch_stage(datasets: Sequence, config: VoiceConfig) -> Stage:
    """The pitch model learns, the rest being frozen, on melodies."""
    config = replace(config, learning_rate=config.pitch_learning_rate, amp="fp32", weight_decay=1e-2)
    parts, n_epochs = ("extension.pitch_model",), config.pitch_epochs
    return Stage("pitch", parts, datasets, melody.pitch_loss, evaluate_pitch, n_epochs, config)


def make_model(alignments: Sequence, settings: Mapping, init: pathlib.Path | None) -> AcousticModel:
    """Of the data's configuration with random weights, or that of the checkpoint `init`."""
    config = replace(tts.describe_data(alignments), **settings)
    if init is None:
        return AcousticModel(config, Prosody(config))
    model = tts.load_checkpoint(init)
    if not isinstance(model.extension, Prosody):
        raise ValueError(f"{init} is a voice of the plain method, without melody: start from another, or from scratch")
    if settings and replace(model.config, **settings) != model.config:
        raise ValueError(f"{init} has other model settings than {dict(settings)}: leave them out")
    for name in ("max_phonemes", "max_frames"):
        longest, limit = getattr(config, name), getattr(model.config, name)
        if longest > limit:
            raise ValueError(f"an utterance has {name} = {longest}, {init} reaches {limit}: leave out the longer ones")
    return model


def count_repeats(n_own: int, n_second: int, share: float) -> int:
    """How often the speaker's utterances have to come for `share` of all to be hers."""
    if not 0 <= share < 1:
        raise ValueError(f"own_share is {share}: give a part of all utterances, 0 to below 1")
    return max(1, math.ceil(n_second * share / (1 - share) / n_own))


def read_durations(root: pathlib.Path, val: Sequence, config: tts.ModelConfig) -> list[lj_speech.Alignment]:
    """The alignments in `root` that the model can say and that are not held out."""
    held_out = {alignment.text for alignment in val}
    found = [item for item in lj_speech.get_alignments(root) if item.text not in held_out]
    usable = list(filter(data.can_say(config), found))
    logger.info("durations: %d utterances left out: too long or of unknown phonemes", len(found) - len(usable))
    return usable


def read_recordings(
    train: lj_speech.AlignedDataset, val: lj_speech.AlignedDataset, second_root: pathlib.Path | None,
    config: tts.ModelConfig, own_share: float,
) -> list[melody.WithFeatures]:  # fmt: skip
    """Training and validation with what the melody needs; the second speaker's utterances are for training."""
    recordings = [melody.read_features(part, config.vocabulary) for part in (train, val)]
    if second_root is not None:
        second = data.read_second_speaker(second_root, val, config)
        repeats = count_repeats(len(train), len(second), own_share)
        recordings[0] = recordings[0] * repeats + melody.read_features(second, config.vocabulary, speaker=1)
    return recordings


@processes.joined()
def train_voice(
    dataset_root: pathlib.Path, num_epochs: int, logdir: str | pathlib.Path = "runs/voice", *,
    config: VoiceConfig = VoiceConfig(), model_settings: Mapping = {}, more_root: pathlib.Path | None = None,
    second_root: pathlib.Path | None = None, durations_root: pathlib.Path | None = None,
    init: pathlib.Path | None = None, checkpoint_path: str | pathlib.Path = tts.CHECKPOINT_PATH, resume: bool = True,
) -> None:  # fmt: skip
    """Train a voice with `prosody`; leaves it in `checkpoint_path`. An interrupted run resumes from `logdir`.

    model_settings      fields of `ModelConfig` other than their defaults, e.g. {"width": 384}
    more_root           more utterances to train on, e.g. copies with another pitch (`recipe.shift_pitch`)
    second_root         a second speaker's utterances to train on, told apart by an embedding (`recipe.teacher`)
    durations_root      more alignments, without spectrograms, for the duration model (`recipe prepare --no-audio`)
    init                a checkpoint to start from, with its configuration; then num_epochs may be 0
    resume              False discards an unfinished run in `logdir`

    Raises FileNotFoundError for a missing dataset, ValueError for broken data or settings.
    """
    least, advice = (0, "0 changes only the GRUs of `init`") if init else (1, "")
    check_number("num_epochs", num_epochs, least, 10**6, advice, whole=True)
    weights.check_destination(pathlib.Path(checkpoint_path))
    roots = {"dataset": dataset_root, "more": more_root, "second_speaker": second_root, "durations": durations_root}
    hashes = fingerprints(**roots)
    train, val = data.read_datasets(dataset_root, more_root)
    torch.manual_seed(config.seed)
    model = make_model([*train.alignments, *val.alignments], model_settings, init)
    settings = {
        "model": asdict(model.config), "training": asdict(config), "num_epochs": num_epochs,
        "data": data.describe(**roots), "hashes": hashes,
    }  # fmt: skip
    if init is not None:
        settings |= {"init": weights.checksum(pathlib.Path(init)), "before": weights.read_training(pathlib.Path(init))}
    alignments = [train.alignments, val.alignments]
    if durations_root is not None:
        alignments[0] = read_durations(durations_root, val.alignments, model.config)
    with Run(pathlib.Path(logdir), settings, resume, STAGES) as run:
        stages = []
        if run.state is None or run.state["stage"] != "duration":
            model.extension.noise_floor.copy_(melody.read_noise_floor(train))
            recordings = read_recordings(train, val, second_root, model.config, config.own_share)
            parts = ("extension.pitch_encoding", "extension.speaker_embedding")
            stages.append(tts.spectrogram_stage(model, recordings, num_epochs, config, parts))
            stages.append(pitch_stage([melody.melodies(part) for part in recordings], config))
        stages.append(tts.duration_stage(alignments, num_epochs, config))
        model = tts.run_stages(model.to("cuda" if torch.cuda.is_available() else "cpu"), stages, run)
        run.finish(model, pathlib.Path(checkpoint_path))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("voice", "Train a voice with melody, as the shipped one.")
    parser.add_argument("dataset_root", type=pathlib.Path, help="an aligned dataset: see `python -m recipe prepare`")
    parser.add_argument("--epochs", type=int, required=True, help="of the first stage; 0 with --init skips it")
    parser.add_argument("--more", type=pathlib.Path, help="more utterances to train on: see shift-pitch")
    parser.add_argument("--second-speaker", type=pathlib.Path, help="a second speaker's utterances: see teacher")
    parser.add_argument("--model", nargs="*", default=[], metavar="NAME=NUMBER", help="what the network is: width=192")
    parser.add_argument("--durations-root", type=pathlib.Path, help="more alignments for the duration model")
    parser.add_argument("--init", type=pathlib.Path, help="checkpoint to start from instead of from scratch")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=tts.CHECKPOINT_PATH, help="default: %(default)s")
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/voice", help="default: %(default)s")
    parser.add_argument("--no-resume", action="store_true", help="discard an unfinished run in the log folder")
    command_line.add_settings(parser, VoiceConfig())
    command_line.run(parser, arguments, lambda options: train_voice(
        options.dataset_root, options.epochs, options.logdir,
        config=command_line.read_settings(options, VoiceConfig()),
        model_settings=command_line.read_model_settings(options.model), more_root=options.more,
        second_root=options.second_speaker, durations_root=options.durations_root, init=options.init,
        checkpoint_path=options.checkpoint, resume=not options.no_resume,
    ))  # fmt: skip
