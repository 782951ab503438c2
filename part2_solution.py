"""Text-to-speech: phonemes -> log-mel spectrogram -> audio, trained on LJ Speech.

    text ──english──> phonemes ──encoder──> encoded ──Gaussian upsampling──> frames ──decoder──> mels ──vocoder──> audio
                      (B, N)     │          (B, N, D)  ▲     ▲               (B, T, D)          (B, T, M)      (1, S)
                                 │             └───────│─────┴── durations (B, N), by a GRU
                                 └─────────────────────┴── pitch (B, N), by another GRU, also from punctuation

Axes      B batch, N phonemes, T frames, D width, M = 80 mel bands, S samples; L is N or T.
Masks     `*_mask` is True at real positions. Every (B, L, D) tensor is zero at padding wherever a neighbour can see it:
          batch normalisation leaves it so, convolutions rely on it, attention is told the mask, losses count real
          positions only. So an utterance sounds the same alone and in a batch.
Training  first everything but the two GRUs, with the durations of the alignment and the pitch of the recording; then
          these, the rest frozen. Synthesis runs the same path and differs only in where durations and pitch come from.
Beside    `batching.py` makes padded batches, `pitch.py` the pitch, `training.py` the steps, `vocoder.py` the audio.

References
    Transformer blocks interleaved with convolution: arXiv 1910.10352 (here with batch instead of layer normalisation)
    Gaussian upsampling: Non-Attentive Tacotron, arXiv 2010.04301 §3.1 (here with one learned σ for all phonemes)
    Pitch of each phoneme, predicted and given to the decoder: FastPitch, arXiv 2006.06873
    Post-processing network: Tacotron 2, arXiv 1712.05884;  learning rate: Attention Is All You Need, arXiv 1706.03762
"""

from __future__ import annotations

import argparse
import math
import pathlib
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import batching
import cleaning
import english
import lj_speech
from batching import Batch, Vocabulary, check_durations, denormalise, make_loaders, run_gru
from cues import check_cues, read_cues, rising_ends
from lj_speech import MEL_SCALE_BINS, SPECTROGRAMS_MIN
from pitch import PitchConfig, PitchEncoding, PitchModel, WithPitch, read_log_pitch
from training import EpochConfig, Run, Stage, checksum, load_model, read_saved, run_stage, save_model

CHECKPOINT_PATH = pathlib.Path("TTS.pth")
CHECKPOINT_MD5 = "c46c92aeb2a973938af341f4b33091c4"
CHECKPOINT_LINK = ""  # a Google Drive address, filled in by whoever publishes a copy

# -------- Configuration ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ModelConfig(PitchConfig):
    """What the network is: `pitch.PitchConfig` and this. Stored in the checkpoint; see `describe_data`."""

    vocabulary: tuple[str, ...]  # index in this list = token
    max_phonemes: int  # longest utterance of the dataset, N and T: how far the learned positions reach
    max_frames: int
    log_duration_mean: float  # of log(1 + frames), over all real phonemes
    log_duration_std: float
    width: int = 256  # D; with 4 heads and 1024 inside, the size of the original
    n_heads: int = 4
    inner_width: int = 1024
    kernel_size: int = 5
    n_encoder_blocks: int = 3
    n_decoder_blocks: int = 3
    encoder_dropout: float = 0.15
    decoder_dropout: float = 0.1
    n_post_blocks: int = 5
    post_width: int = 128  # of the correction, which needs less than the decoder
    duration_width: int = 128  # of each direction of the GRU
    duration_dropout: float = 0.3  # durations are easily learned by heart


@dataclass(frozen=True)
class TrainConfig(EpochConfig):
    """How the network is trained: what `training.EpochConfig` has, and this."""

    bucket_batches: int = 16  # batches sorted by length together: 3.8 % padding on LJ Speech instead of 33 %
    duration_epochs: int | None = None  # None: as many as the rest
    pitch_epochs: int = 16
    duration_learning_rate: float = 1e-3
    pitch_learning_rate: float = 1e-3
    n_workers: int = 0  # processes that read spectrograms; 0 is right where they fit the file cache


# -------- Model ------------------------------------------------------------------------------------------------------


def real_positions(mask: Tensor) -> Tensor | None:
    """(B, L) mask -> (n,) where it is True in its B L places, or None where it is True everywhere."""
    real = mask.flatten().nonzero().squeeze(1)
    return None if len(real) == mask.numel() else real


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (arXiv 1502.03167) of (B, L, D) at the `real_positions`; padding comes out as zero.

    In fp32 also under autocast: sums over a batch are too long for 16 bits.
    """

    def __init__(self, width: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        every = x.float().flatten(0, 1)  # (B L, D)
        chosen = every if real is None else every.index_select(0, real)
        statistics, affine = (self.running_mean, self.running_var), (self.weight, self.bias)
        normed = F.batch_norm(chosen, *statistics, *affine, self.training, self.momentum, self.eps)
        if real is not None:
            normed = torch.zeros_like(every).index_copy_(0, real, normed)
        return normed.view_as(x)


class ResidualConvolution(nn.Module):
    """(B, L, D) -> (B, L, D): convolution, ReLU, batch normalisation, dropout, shortcut."""

    def __init__(self, width: int, kernel_size: int, dropout: float):
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel_size, padding=kernel_size // 2)
        self.norm = MaskedBatchNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        convolved = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        return x + self.dropout(self.norm(F.relu(convolved), real))


class Block(nn.Module):
    """(B, L, D) -> (B, L, D): self-attention, feed-forward layer and residual convolution, without layer normalisation.

    A Transformer encoder layer with batch normalisation after each shortcut, then a convolution (arXiv 1910.10352).
    Dropout is on what joins the shortcut: on the L x L attention weights it would cost more than the attention.
    """

    def __init__(self, config: ModelConfig, dropout: float):
        super().__init__()
        self.attention = nn.MultiheadAttention(config.width, config.n_heads, batch_first=True)
        self.attention_norm = MaskedBatchNorm(config.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, config.inner_width), nn.ReLU(), nn.Linear(config.inner_width, config.width)
        )
        self.feed_forward_norm = MaskedBatchNorm(config.width)
        self.residual_convolution = ResidualConvolution(config.width, config.kernel_size, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor | None, real: Tensor | None) -> Tensor:
        """`padding` is ~mask and `real` the `real_positions`; both None where all is real: then it is faster."""
        attended, _ = self.attention(x, x, x, key_padding_mask=padding, need_weights=False)
        x = self.attention_norm(x + self.dropout(attended), real)
        x = self.feed_forward_norm(x + self.dropout(self.feed_forward(x)), real)
        return self.residual_convolution(x, real)


class Blocks(nn.Module):
    """(B, L, D) -> (B, L, D): adds learned positions, then a stack of blocks."""

    def __init__(self, config: ModelConfig, n_blocks: int, max_length: int, dropout: float):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(max_length, config.width) * 0.1)
        self.blocks = nn.ModuleList(Block(config, dropout) for _ in range(n_blocks))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        length = x.shape[1]
        assert length <= len(self.positions), f"{length} positions, the model has {len(self.positions)}"
        x = (x + self.positions[:length]) * mask.unsqueeze(-1)
        real = real_positions(mask)
        padding = None if real is None else ~mask
        for block in self.blocks:
            x = block(x, padding, real)
        return x


class Encoder(nn.Module):
    """(B, N) tokens -> (B, N, D)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embedding = nn.Embedding(len(config.vocabulary), config.width)
        self.blocks = Blocks(config, config.n_encoder_blocks, config.max_phonemes, config.encoder_dropout)

    def forward(self, tokens: Tensor, token_mask: Tensor) -> Tensor:
        return self.blocks(self.embedding(tokens), token_mask)

    def attention_weights(self, batch: Batch) -> Tensor:
        """(B, N, N) of the first block, averaged over the heads, to look at."""
        x = self.embedding(batch.tokens) + self.blocks.positions[: batch.tokens.shape[1]]
        return self.blocks.blocks[0].attention(x, x, x, key_padding_mask=~batch.token_mask)[1]


class DurationModel(nn.Module):
    """(B, N, D) encoded phonemes -> (B, N) normalised log durations: a bidirectional GRU."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dropout = nn.Dropout(config.duration_dropout)
        self.gru = nn.GRU(config.width, config.duration_width, num_layers=2, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.duration_width, 1)

    def forward(self, encoded: Tensor, token_mask: Tensor) -> Tensor:
        hidden = run_gru(self.gru, self.dropout(encoded), token_mask)
        return self.projection(self.dropout(hidden)).squeeze(-1)


class GaussianUpsampling(nn.Module):
    """(B, N, D) encoded phonemes and (B, N) durations -> (B, T, D) frames and (B, T, N) weights.

    arXiv 2010.04301 §3.1: frame t takes phoneme n with weight N(t + 0.5; c_n, σ²), normalised over n, c_n being the
    middle of the phoneme. With one σ the densities' constants cancel and the weights are a softmax. Phonemes without
    duration and padding weigh nothing; an utterance needs one phoneme of positive duration. fp32: 800² overflows fp16.
    """

    def __init__(self, sigma: float = 1.5):
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma)))

    @property
    def sigma(self) -> Tensor:
        return self.log_sigma.exp()

    def forward(self, encoded: Tensor, durations: Tensor, token_mask: Tensor, n_frames: int) -> tuple[Tensor, Tensor]:
        with torch.autocast(encoded.device.type, enabled=False):
            durations = durations.float()
            centres = durations.cumsum(1) - durations / 2  # (B, N)
            times = torch.arange(n_frames, device=encoded.device) + 0.5  # (T,)
            distances = (times[None, :, None] - centres[:, None, :]) / self.sigma  # (B, T, N)
            spoken = (token_mask & (durations > 0))[:, None, :]
            weights = (-0.5 * distances.square()).masked_fill(~spoken, -math.inf).softmax(-1)
            return weights @ encoded.float(), weights


class Decoder(nn.Module):
    """(B, T, D) frames -> two (B, T, M) spectrograms: the blocks' own and the one corrected by the post-processing."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.blocks = Blocks(config, config.n_decoder_blocks, config.max_frames, config.decoder_dropout)
        self.projection = nn.Linear(config.width, MEL_SCALE_BINS)
        self.post_input = nn.Linear(MEL_SCALE_BINS, config.post_width)
        self.post_blocks = nn.ModuleList(
            ResidualConvolution(config.post_width, config.kernel_size, dropout=0) for _ in range(config.n_post_blocks)
        )
        self.post_projection = nn.Linear(config.post_width, MEL_SCALE_BINS)

    def forward(self, frames: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        coarse_mels = self.projection(self.blocks(frames, frame_mask))
        x, real = self.post_input(coarse_mels) * frame_mask.unsqueeze(-1), real_positions(frame_mask)
        for block in self.post_blocks:
            x = block(x, real)
        return coarse_mels, coarse_mels + self.post_projection(x)


class Prediction(NamedTuple):
    """What the model says to a batch; values at padding have no meaning."""

    coarse_mels: Tensor  # (B, T, M), before post-processing
    mels: Tensor  # (B, T, M), normalised
    alignment: Tensor  # (B, T, N), the weights of the upsampling


class AcousticModel(nn.Module):
    """Phonemes to spectrograms: `encoder`, durations and pitch (given, or from `predict_...`), then `decode`."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.duration_model = DurationModel(config)
        self.pitch_model = PitchModel(len(config.vocabulary), config)
        self.pitch_encoding = PitchEncoding(config.width, config)
        self.speaker_embedding = nn.Embedding(2, config.width)  # the speaker's and, for training, a teacher's
        self.upsampling = GaussianUpsampling()
        self.decoder = Decoder(config)
        self.register_buffer("noise_floor", torch.full((MEL_SCALE_BINS,), SPECTROGRAMS_MIN))  # log-mel, of recordings

    @property
    def spectrogram_parts(self) -> tuple[nn.Module, ...]:
        """What the first training changes."""
        return self.encoder, self.pitch_encoding, self.speaker_embedding, self.upsampling, self.decoder

    def decode(self, encoded: Tensor, batch: Batch) -> Prediction:
        """Encoded phonemes (B, N, D) -> Prediction; the batch has durations, pitch and frame mask."""
        taught = torch.zeros_like(batch.tokens[:, :1]) if batch.taught is None else batch.taught.long()[:, None]
        encoded = encoded + self.pitch_encoding(batch.log_pitch) + self.speaker_embedding(taught)
        n_frames = batch.frame_mask.shape[1]
        frames, alignment = self.upsampling(encoded, batch.durations, batch.token_mask, n_frames)
        return Prediction(*self.decoder(frames, batch.frame_mask), alignment)

    def forward(self, batch: Batch) -> Prediction:
        if batch.log_pitch is None:
            batch = batch._replace(log_pitch=read_log_pitch(batch))
        return self.decode(self.encoder(batch.tokens, batch.token_mask), batch)

    def normalise_durations(self, durations: Tensor) -> Tensor:
        return (torch.log1p(durations.float()) - self.config.log_duration_mean) / self.config.log_duration_std

    def predict_durations(self, encoded: Tensor, token_mask: Tensor, tempo: float = 1) -> Tensor:
        """(B, N, D) -> (B, N) whole frames, at least 1 a phoneme, 0 at padding; `tempo` times as fast as predicted.

        Rounded along the utterance, so that the remainders add up and the tempo is kept.
        """
        normalised = self.duration_model(encoded, token_mask).float()
        durations = torch.expm1(normalised * self.config.log_duration_std + self.config.log_duration_mean)
        ends = ((durations / tempo).clamp_min(1) * token_mask).cumsum(1).add(0.5).floor()
        return torch.diff(ends, dim=1, prepend=torch.zeros_like(ends[:, :1])).long()

    def predict_log_pitch(self, batch: Batch, intonation: float = 1, shift: float | Tensor = 0) -> Tensor:
        """(B, N), of Hz: `intonation` times as far from each utterance's mean, and `shift` higher."""
        normalised = self.pitch_model(batch, self.normalise_durations(batch.durations)).float()
        log_pitch = normalised * self.config.log_pitch_std + self.config.log_pitch_mean
        middle = (log_pitch * batch.token_mask).sum(1, keepdim=True) / batch.token_mask.sum(1, keepdim=True)
        return middle + intonation * (log_pitch - middle) + shift


# -------- Loss -------------------------------------------------------------------------------------------------------


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of (B, L) or (B, L, K) over the real positions of the (B, L) mask."""
    mask = mask.reshape(mask.shape + (1,) * (values.dim() - mask.dim())).expand_as(values)
    return values.masked_fill(~mask, 0).sum() / mask.sum()


def spectrogram_loss(prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
    """L1 + L2 of both spectrograms against the recording's: `loss` is the sum of `coarse` and `corrected`."""

    def distance(mels: Tensor) -> Tensor:
        error = mels.float() - batch.mels
        return masked_mean(error.abs() + error.square(), batch.frame_mask)

    coarse, corrected = distance(prediction.coarse_mels), distance(prediction.mels)
    return {"loss": coarse + corrected, "coarse": coarse, "corrected": corrected}


def duration_loss(model: AcousticModel, batch: Batch) -> dict[str, Tensor]:
    """L2 of the normalised log durations; nothing but the duration model gets a gradient."""
    with torch.no_grad():
        encoded = model.encoder(batch.tokens, batch.token_mask)
    error = model.duration_model(encoded, batch.token_mask) - model.normalise_durations(batch.durations)
    return {"loss": masked_mean(error.square(), batch.token_mask)}


def pitch_loss(model: AcousticModel, batch: Batch) -> dict[str, Tensor]:
    """L2 of the normalised log pitch; nothing but the pitch model gets a gradient."""
    error = model.predict_log_pitch(batch) - batch.log_pitch
    return {"loss": masked_mean(error.square(), batch.token_mask) / model.config.log_pitch_std**2}


# -------- Checkpoints ------------------------------------------------------------------------------------------------


def get_checkpoint_metadata() -> tuple[str, str]:
    """(MD5 checksum, Google Drive link) of the published `TTS.pth`; the link is empty while nobody has published it."""
    return CHECKPOINT_MD5, CHECKPOINT_LINK


def save_checkpoint(model: AcousticModel, path: pathlib.Path, training: Mapping) -> None:
    """Write configuration, fp16 weights and how they were trained (plain data): all that synthesis needs.

    The published checkpoint, recognised by its checksum, is copied aside before it is replaced.
    """
    if path.exists() and checksum(path) == CHECKPOINT_MD5:
        shutil.copy2(path, path.with_name(f"{path.stem}-shipped{path.suffix}"))
    save_model(model, path, training)


def load_checkpoint(path: str | pathlib.Path) -> AcousticModel:
    """Read a checkpoint of `save_checkpoint` into an fp32 model in eval mode on the CPU.

    Raises FileNotFoundError where there is none, ValueError for a truncated, foreign or hostile file.
    """
    path, advice = pathlib.Path(path), "train a voice with train_tts, or `git checkout TTS.pth`"
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path.resolve()}: {advice}")
    return load_model(path, lambda config: AcousticModel(ModelConfig(**config)), "model", advice)


# -------- Training ---------------------------------------------------------------------------------------------------


def describe_data(alignments: Sequence[lj_speech.Alignment], min_count: int = 10) -> ModelConfig:
    """The part of the configuration that the data decides: vocabulary, longest utterance, durations.

    Vowels spoken less than `min_count` times are left to the fallback on another stress.
    """
    codes, counts = np.unique([code for alignment in alignments for code in alignment.codes], return_counts=True)
    frequent = {code.rstrip("012") for code, count in zip(codes, counts) if count >= min_count}
    kept = [str(code) for code, count in zip(codes, counts) if count >= min_count or code.rstrip("012") not in frequent]
    log_durations = np.log1p(np.concatenate([alignment.durations for alignment in alignments]))
    return ModelConfig(
        vocabulary=tuple(kept),
        max_phonemes=max(len(alignment.codes) for alignment in alignments),
        max_frames=max(sum(alignment.durations) for alignment in alignments),
        log_duration_mean=float(log_durations.mean()),
        log_duration_std=float(log_durations.std()) or 1.0,
    )


def spectrogram_picture(mels: Tensor) -> Tensor:
    """Normalised (T, M) -> (1, M, T) grey levels in [0, 1], low bands at the bottom."""
    return ((mels.float().T.flip(0) + 3) / 6).clamp(0, 1)[None]


@torch.inference_mode()
def evaluate_spectrograms(stage: Stage, loader: Iterable[Batch], writer) -> dict[str, Tensor]:
    """Validation loss of the averaged model; pictures and audio of one utterance go to TensorBoard."""
    model, batches = stage.average, [batch.to(stage.device) for batch in loader]
    losses = [spectrogram_loss(model(batch), batch)["corrected"] for batch in batches]
    prediction, length = model(batches[0]), int(batches[0].frame_mask[0].sum())
    recorded, predicted = batches[0].mels[0, :length], prediction.mels[0, :length]
    pictures = {
        "spectrogram, recorded above predicted": torch.cat([*map(spectrogram_picture, (recorded, predicted))], dim=1),
        "alignment": prediction.alignment[:1, :length].mT.flip(1),
        "attention of the first encoder layer": model.encoder.attention_weights(batches[0])[:1],
    }
    for name, picture in pictures.items():
        writer.add_image(name, picture, stage.step)
    audio = lj_speech.Vocoder(trust=0.0)(denormalise(predicted).T)
    writer.add_audio("predicted", audio, stage.step, sample_rate=lj_speech.SAMPLING_RATE)
    return {"spectrogram_loss": torch.stack(losses).mean(), "sigma": model.upsampling.sigma}


@torch.inference_mode()
def evaluate_pitch(stage: Stage, loader: Iterable[Batch], writer) -> dict[str, Tensor]:
    """Root mean square error a phoneme, in semitones."""
    batches = (batch.to(stage.device) for batch in loader)
    squares = torch.stack([pitch_loss(stage.average, batch)["loss"] for batch in batches]).mean()
    return {"pitch_error_semitones": squares.sqrt() * stage.average.config.log_pitch_std * 12 / math.log(2)}


@torch.inference_mode()
def evaluate_durations(stage: Stage, loader: Iterable[Batch], writer) -> dict[str, float]:
    """Mean absolute error a phoneme, in ms, and predicted over real total length."""
    predicted, real = [], []
    for batch in (batch.to(stage.device) for batch in loader):
        encoded = stage.average.encoder(batch.tokens, batch.token_mask)
        predicted.append(stage.average.predict_durations(encoded, batch.token_mask)[batch.token_mask].float())
        real.append(batch.durations[batch.token_mask].float())
    predicted, real = torch.cat(predicted), torch.cat(real)
    error = (predicted - real).abs().mean() * lj_speech.FRAME_MILLISECONDS
    return {"duration_error_ms": error, "length_ratio": predicted.sum() / real.sum()}


def train_tts(
    dataset_root: pathlib.Path, num_epochs: int, logdir: str | pathlib.Path = "runs/tts", *,
    config: TrainConfig = TrainConfig(), model_settings: Mapping = {}, durations_root: pathlib.Path | None = None,
    more_root: pathlib.Path | None = None, taught_root: pathlib.Path | None = None, init: pathlib.Path | None = None,
    checkpoint_path: str | pathlib.Path = CHECKPOINT_PATH, resume: bool = True,
) -> None:  # fmt: skip
    """Train from scratch on the aligned dataset at `dataset_root`; leaves the voice in `./TTS.pth`.

    First everything but the GRUs for `num_epochs` epochs, then the pitch model, at last the duration model. The average
    of the weights at the end of the annealed learning rate is kept, not the one with the lowest validation loss: audio
    goes on improving long after that loss has begun to rise. An interrupted run resumes from `logdir`.

    model_settings      fields of `ModelConfig` other than their defaults, e.g. {"width": 384}
    durations_root      more alignments without spectrograms for the duration model (`prepare_data.py --no-audio`)
    more_root           more utterances to train on, e.g. copies with another pitch (`shift_pitch.py`)
    taught_root         a second voice's utterances to train on, which is told apart from the speaker (`teacher.py`)
    init                a checkpoint to start from, with its configuration, instead of from scratch
    resume              False discards an unfinished run in `logdir`

    Raises FileNotFoundError for a missing dataset, ValueError for broken data or settings.
    """
    if num_epochs < (0 if init else 1):
        raise ValueError(f"num_epochs is {num_epochs}: train for at least 1, or 0 to change only the GRUs of `init`")
    datasets = batching.read_datasets(dataset_root, more_root)
    torch.manual_seed(config.seed)
    model = make_model([a for dataset in datasets for a in dataset.alignments], model_settings, init)
    first = {} if init is None else {"init": checksum(pathlib.Path(init)), "before": read_saved(init, "")["training"]}
    sizes = {"num_epochs": num_epochs, "taught": str(taught_root)}
    settings = {"model": asdict(model.config), "training": asdict(config), **sizes, **first}
    run = Run(pathlib.Path(logdir), settings, resume)

    if run.state is None or run.state["stage"] != "duration":
        model.noise_floor.copy_(cleaning.read_noise_floor(datasets[0]))
        taught = taught_root and batching.read_taught(taught_root, datasets[1], model.config)
        pitched = [WithPitch(dataset, model.config.vocabulary, more) for dataset, more in zip(datasets, (taught, None))]
        if run.state is None or run.state["stage"] == "spectrogram":
            model = train_spectrograms(model, pitched, num_epochs, config, run)
        model = train_pitch(model, pitched, config, run)
    alignments = [dataset.alignments for dataset in datasets]
    if durations_root is not None:
        held_out = {alignment.text for alignment in alignments[1]}
        more = [item for item in lj_speech.get_alignments(durations_root) if item.text not in held_out]
        alignments[0] = list(filter(batching.can_say(model.config), more))
        print(f"durations: {len(more) - len(alignments[0])} utterances left out: too long or of unknown phonemes")
    model = train_durations(model, alignments, config.duration_epochs or num_epochs, config, run)
    save_checkpoint(model, pathlib.Path(checkpoint_path), settings)
    run.state_path.unlink(missing_ok=True)


def make_model(alignments: Sequence, settings: Mapping, init: pathlib.Path | None) -> AcousticModel:
    """Of the data's configuration with random weights, or that of the checkpoint `init`; on the GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = replace(describe_data(alignments), **settings)
    if init is None:
        return AcousticModel(config).to(device)
    model = load_checkpoint(init)
    if settings and replace(model.config, **settings) != model.config:
        raise ValueError(f"{init} has other model settings than {dict(settings)}: leave them out")
    for name in ("max_phonemes", "max_frames"):
        if getattr(config, name) > getattr(model.config, name):
            longest, limit = getattr(config, name), getattr(model.config, name)
            raise ValueError(f"an utterance has {name} = {longest}, {init} reaches {limit}: leave out the longer ones")
    return model.to(device)


def train_spectrograms(model: AcousticModel, datasets: Sequence, n_epochs: int, config: TrainConfig, run: Run):
    """The first training: everything but the GRUs, on spectrograms. Returns the averaged model."""
    lengths = [[sum(alignment.durations) for alignment in dataset.alignments] for dataset in datasets]
    loaders = make_loaders(datasets, lengths, model.config.vocabulary, config)
    stage = Stage(model, model.spectrogram_parts, config.learning_rate, n_epochs * len(loaders[0]), config)
    functions = (lambda model, batch: spectrogram_loss(model(batch), batch), evaluate_spectrograms)
    return run_stage("spectrogram", stage, loaders, n_epochs, functions, run)


def train_pitch(model: AcousticModel, datasets: Sequence, config: TrainConfig, run: Run):
    """The second training: the pitch model alone, on melodies. Returns the averaged model."""
    config = replace(config, amp="fp32", weight_decay=1e-2)
    samples = [dataset.melodies() for dataset in datasets]
    lengths = [[len(sample["phonemes_code"]) for sample in items] for items in samples]
    loaders = make_loaders(samples, lengths, model.config.vocabulary, config)
    stage = Stage(model, [model.pitch_model], config.pitch_learning_rate, config.pitch_epochs * len(loaders[0]), config)
    return run_stage("pitch", stage, loaders, config.pitch_epochs, (pitch_loss, evaluate_pitch), run)


def train_durations(model: AcousticModel, alignments: Sequence, n_epochs: int, config: TrainConfig, run: Run):
    """The third training: the duration model alone, on alignments. Returns the averaged model."""
    config = replace(config, amp="fp32")  # a small network, and regression wants the precision
    lengths = [[len(alignment.codes) for alignment in items] for items in alignments]
    samples = [[alignment.as_sample() for alignment in items] for items in alignments]
    loaders = make_loaders(samples, lengths, model.config.vocabulary, config)
    stage = Stage(model, [model.duration_model], config.duration_learning_rate, n_epochs * len(loaders[0]), config)
    return run_stage("duration", stage, loaders, n_epochs, (duration_loss, evaluate_durations), run)


# -------- Synthesis --------------------------------------------------------------------------------------------------


class Speech(NamedTuple):
    """What was said: a piece of at most `max_phonemes` phonemes and `max_frames` frames."""

    spectrogram: Tensor  # (80, T) log-mel, as the vocoder takes it
    phonemes: list[str]  # N codes
    durations: list[int]  # N frames
    alignment: Tensor  # (T, N), the weights of the upsampling
    pitch: Tensor  # (T,) Hz, what the decoder was told


class TextToSpeechSynthesizer:
    """A trained voice: text or phonemes to audio. Inference only; on the GPU if there is one, else on the CPU.

    synthesizer = TextToSpeechSynthesizer("TTS.pth")
    audio = synthesizer.synthesize_from_text("Hello there.")  # (1, t), 22 050 Hz
    """

    SENTENCE_PAUSE = 0.25  # seconds of silence between sentences, on top of the pauses at their ends
    PACE = 0.95  # she reads so much slower than predicted: predictions are near the median of durations, below the mean
    tempo = 1.0  # times as fast as she reads; does nothing to durations that are given
    pitch = -0.3  # semitones above the prediction; these give the speaker's mean. Set on the object to speak higher
    intonation = 1.35  # how far the predicted melody, a mean of likely ones, goes up and down: 0 is flat
    question_rise = 5.0  # semitones that the end of a yes/no question is above the prediction
    denoising = 10.0  # times the power of the room's noise that is taken away; 0 leaves it
    dereverberation = 0.1  # times that of the room's echo

    def __init__(self, checkpoint_path: str | pathlib.Path = CHECKPOINT_PATH, vocoder=None):
        """`vocoder` maps a (80, T) log-mel spectrogram to audio (1, t); without one, `lj_speech.Vocoder(trust=0)`.

        Raises FileNotFoundError or ValueError for a missing or unusable checkpoint.
        """
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = load_checkpoint(checkpoint_path).to(self.device)
        self.vocabulary = Vocabulary(self.model.config.vocabulary)
        self.vocoder = vocoder or lj_speech.Vocoder(device=self.device, trust=0.0)

    def synthesize_from_text(self, text: str, custom_words: Mapping = {}) -> Tensor:
        """English text -> audio (1, t) float32 in [-1, 1], 22 050 Hz, on the CPU.

        Raises TypeError where `text` is no str, ValueError where it holds nothing to say.
        """
        audio = []
        for pieces in self._predict_sentences(text, custom_words):
            audio += [*map(self.speak, pieces), self._silence()]
        return torch.cat(audio[:-1], dim=1)

    def stream_from_text(self, text: str, custom_words: Mapping = {}, chunk: int = 32) -> Iterator[Tensor]:
        """The same audio in pieces (1, n); the first takes ten seconds of spectrogram and `chunk` frames of audio.

        Needs a vocoder that has `stream`, as `lj_speech.Vocoder` has. Raises as `synthesize_from_text`, when iterated.
        """
        for index, pieces in enumerate(self._predict_sentences(text, custom_words)):
            if index > 0:
                yield self._silence()
            for speech in pieces:
                yield from self.vocoder.stream(speech.spectrogram, chunk, **self._hint(speech))

    def _predict_sentences(self, text: str, custom_words: Mapping) -> Iterator[Iterator[Speech]]:
        for words in english.spoken_words(text, custom_words):
            yield self._predict_pieces(english.codes_of(words), None, read_cues(words))

    def _silence(self) -> Tensor:
        return torch.zeros(1, round(self.SENTENCE_PAUSE * lj_speech.SAMPLING_RATE))

    def synthesize_from_phonemes(self, phonemes: list[str], durations: list[int] | None = None) -> Tensor:
        """N phoneme codes -> audio (1, t); `durations`, N numbers of frames, replace the predicted ones.

        Of any length: what is longer than the utterances of the training is spoken in pieces, cut at pauses.
        Raises TypeError or ValueError for anything that is not such lists.
        """
        return torch.cat(list(map(self.speak, self.predict(phonemes, durations))), dim=1)

    def speak(self, speech: Speech) -> Tensor:
        """What `predict` returns -> audio (1, t)."""
        return self.vocoder(speech.spectrogram, **self._hint(speech))

    def _hint(self, speech: Speech) -> dict[str, Tensor]:
        """Our vocoder is told the pitch, others need not know what to do with it."""
        return {"pitch": speech.pitch} if isinstance(self.vocoder, lj_speech.Vocoder) else {}

    def predict(self, phonemes: list[str], durations: list | None = None, cues: list | None = None) -> list[Speech]:
        """The spectrograms that `synthesize_from_phonemes` gives to the vocoder, with durations and alignment.

        `cues`, one for each phoneme, tell what the text says of the melody (`cues.match_cues(text, phonemes)`).
        """
        if not isinstance(phonemes, (list, tuple)) or not all(isinstance(code, str) for code in phonemes):
            raise TypeError("phonemes is no list of str: use synthesize_from_text for text")
        if len(phonemes) == 0:
            raise ValueError("there are no phonemes to say")
        self.vocabulary.encode(phonemes)  # names the unknown before anything is computed
        if durations is not None:
            durations = check_durations(durations, len(phonemes), self.model.config.max_frames)
        return list(self._predict_pieces(list(phonemes), durations, check_cues(cues, len(phonemes))))

    @torch.inference_mode()
    def _predict_pieces(self, phonemes: list, durations: list | None, cues: list[int]) -> Iterator[Speech]:
        """Halves what is too long for the learned positions, as near the middle as there is a pause."""
        config = self.model.config
        if not self.tempo > 0:
            raise ValueError(f"tempo is {self.tempo}: give 0.5 to speak half as fast, 2 for twice as fast")
        if len(phonemes) <= config.max_phonemes:
            tokens = torch.tensor([self.vocabulary.encode(phonemes)], device=self.device)
            token_mask = torch.ones_like(tokens, dtype=torch.bool)
            encoded = self.model.encoder(tokens, token_mask)
            frames = durations or self.model.predict_durations(encoded, token_mask, self.PACE * self.tempo)[0].tolist()
            if 0 < sum(frames) <= config.max_frames:
                batch = self._complete(tokens, phonemes, frames, cues)
                prediction = self.model.decode(encoded, batch)
                spectrogram = self._clean(denormalise(prediction.mels[0]).T, phonemes, frames)
                alignment = prediction.alignment[0]
                pitch = (alignment @ batch.log_pitch[0]).exp().clamp(config.lowest_pitch, config.highest_pitch)
                yield Speech(spectrogram, phonemes, frames, alignment, pitch)
            if sum(frames) <= config.max_frames:
                return
        if len(phonemes) == 1:
            raise ValueError(f"{phonemes[0]} would last {frames} frames, the model reaches {config.max_frames}")
        middle = len(phonemes) / 2
        pauses = [i + 1 for i, code in enumerate(phonemes[:-1]) if code == lj_speech.PAUSE and i > 0]
        cut = min(pauses or [int(middle)], key=lambda place: abs(place - middle))
        for piece in (slice(cut), slice(cut, None)):
            yield from self._predict_pieces(phonemes[piece], durations and durations[piece], cues[piece])

    def _clean(self, spectrogram: Tensor, phonemes: list[str], frames: list[int]) -> Tensor:
        """Less of the room's noise and echo, and soft ends where there are pauses."""
        first, last = (frames[place] * (phonemes[place] == lj_speech.PAUSE) for place in (0, -1))
        dry = cleaning.dry(spectrogram, self.model.noise_floor, self.denoising, self.dereverberation)
        return cleaning.fade(dry, first, last)

    def _complete(self, tokens: Tensor, phonemes: list[str], frames: list[int], cues: list[int]) -> Batch:
        """One utterance with durations, and with the melody that `pitch`, `intonation` and `question_rise` ask for."""
        rows = frames, cues, rising_ends(phonemes, cues)
        durations, cues, rises = (torch.tensor([row], device=self.device) for row in rows)
        shapes = tokens.shape, (1, sum(frames))
        token_mask, frame_mask = (torch.ones(shape, dtype=torch.bool, device=self.device) for shape in shapes)
        batch = Batch(tokens, durations, token_mask, frame_mask=frame_mask, cues=cues)
        shift = (self.pitch + self.question_rise * rises) * math.log(2) / 12
        return batch._replace(log_pitch=self.model.predict_log_pitch(batch, self.intonation, shift))


# -------- Command line -----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Text-to-speech: train a voice, or let it speak.")
    commands = parser.add_subparsers(required=True)
    say = commands.add_parser("say", help="speak a text into a WAV file")
    say.add_argument("text")
    say.add_argument("--out", type=pathlib.Path, default="speech.wav")
    say.add_argument("--tempo", type=float, default=1.0, help="0.5 speaks half as fast, 2 twice as fast")
    say.set_defaults(run=run_say)
    train = commands.add_parser("train", help="train on a folder of the aligned dataset")
    train.add_argument("dataset_root", type=pathlib.Path)
    train.add_argument("--epochs", type=int, required=True)
    train.add_argument("--logdir", type=pathlib.Path, default="runs/tts")
    train.add_argument("--durations-root", type=pathlib.Path, help="more alignments for the duration model")
    train.add_argument("--more", type=pathlib.Path, help="more utterances to train on: see shift_pitch.py")
    train.add_argument("--taught", type=pathlib.Path, help="utterances of a second voice: see teacher.py")
    train.add_argument("--init", type=pathlib.Path, help="checkpoint to start from instead of from scratch")
    train.add_argument("--no-resume", action="store_true", help="discard an unfinished run in the log folder")
    for setting in fields(TrainConfig):
        kind = type(setting.default) if setting.default is not None else int
        train.add_argument("--" + setting.name.replace("_", "-"), type=kind, default=setting.default)
    train.set_defaults(run=run_train)
    for command in (say, train):
        command.add_argument("--checkpoint", type=pathlib.Path, default=CHECKPOINT_PATH)
    options = parser.parse_args(arguments)
    warnings.formatwarning = lambda message, *_: f"{message}\n"  # for users, not for programmers
    try:
        options.run(options)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def run_say(options: argparse.Namespace) -> None:
    import soundfile

    if options.out.suffix[1:].upper() not in soundfile.available_formats() or not options.out.parent.is_dir():
        raise ValueError(f"cannot write {options.out}: give a .wav or .flac in a folder that exists")
    synthesizer = TextToSpeechSynthesizer(options.checkpoint)
    synthesizer.tempo = options.tempo
    audio = synthesizer.synthesize_from_text(options.text)
    soundfile.write(options.out, audio[0].numpy(), lj_speech.SAMPLING_RATE)
    print(f"{options.out}: {audio.shape[1] / lj_speech.SAMPLING_RATE:.1f} s of speech")


def run_train(options: argparse.Namespace) -> None:
    config = TrainConfig(**{setting.name: getattr(options, setting.name) for setting in fields(TrainConfig)})
    train_tts(
        options.dataset_root, options.epochs, options.logdir, config=config, durations_root=options.durations_root,
        more_root=options.more, taught_root=options.taught, init=options.init, checkpoint_path=options.checkpoint,
        resume=not options.no_resume,
    )  # fmt: skip


if __name__ == "__main__":
    main()
