"""Text-to-speech: phonemes -> log-mel spectrogram -> audio, trained on LJ Speech. The whole method, top to bottom.

    text ──english──> phonemes ──encoder──> encoded ──Gaussian upsampling──> frames ──decoder──> mels ──vocoder──> audio
                      (B, N)                (B, N, D)  ▲                     (B, T, D)          (B, T, M)      (1, S)
                                               └───────┴── durations (B, N), by a GRU

Axes      B batch, N phonemes, T frames, D width, M = 80 mel bands, S samples; L is N or T.
Masks     `*_mask` is True at real positions. Every (B, L, D) tensor is zero at padding wherever a neighbour can see it:
          batch normalisation leaves it so, convolutions rely on it, attention is told the mask, losses count real
          positions only. So an utterance sounds the same alone and in a batch.
Training  two stages: first everything but the GRU, with the durations of the alignment; then the GRU alone, the rest
          frozen. Synthesis runs the same path and differs only in where the durations come from.
Beyond    `Extension` names four moments at which a voice may do more than the method. The shipped voice does.

References
    Transformer blocks interleaved with convolution: arXiv 1910.10352 (here with batch instead of layer normalisation)
    Gaussian upsampling: Non-Attentive Tacotron, arXiv 2010.04301 §3.1 (here with one learned σ for all phonemes)
    Post-processing network: Tacotron 2, arXiv 1712.05884;  learning rate: Attention Is All You Need, arXiv 1706.03762
"""

from __future__ import annotations

import functools
import math
import pathlib
import runpy
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import english
import lj_speech
from compute import processes
from compute.layers import Dropout, MaskedBatchNorm, SelfAttention, real_positions
from compute.precision import AMP, choose_amp
from compute.unfinished import Unfinished, fingerprint
from lj_speech import MEL_SCALE_BINS, SAMPLING_RATE
from prosody.extension import Prosody as ShippedExtension  # what the shipped voice has beyond the method
from speech import pieces
from speech.pieces import Vocabulary
from speech.speaker import Speaker
from vocoder import weights
from vocoder.settings import Checked, check_number, setting
from vocoder.threads import each_with_threads, use_threads

CHECKPOINT_PATH = pathlib.Path("TTS.pth")
CHECKPOINT_MD5 = "e23f3f0e2ba3c4aa5d57f6feea01443c"
CHECKPOINT_LINK = ""  # a Google Drive address, filled in by whoever publishes a copy

# -------- Configuration ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Checked):
    """What the network is. Stored in the checkpoint; the first five come from the data, see `describe_data`."""

    vocabulary: tuple[str, ...]  # index in this list = token
    max_phonemes: int = setting(least=1, most=20_000)  # longest utterance of the dataset, N and T
    max_frames: int = setting(least=1, most=60_000)  # so far the learned positions reach
    log_duration_mean: float = setting(least=0, most=10)  # of log(1 + frames), over all real phonemes
    log_duration_std: float = setting(least=1e-3, most=10)
    width: int = setting(256, least=1, most=1024)  # D; with 4 heads and 1024 inside, the size of the original
    n_heads: int = setting(4, least=1, most=64)
    inner_width: int = setting(1024, least=1, most=8192)
    kernel_size: int = setting(5, least=1, most=63, odd=True)
    n_encoder_blocks: int = setting(3, least=1, most=64)
    n_decoder_blocks: int = setting(3, least=1, most=64)
    encoder_dropout: float = setting(0.15, least=0, most=0.99)
    decoder_dropout: float = setting(0.1, least=0, most=0.99)
    n_post_blocks: int = setting(5, least=0, most=64)
    post_width: int = setting(128, least=1, most=1024)  # of the correction, which needs less than the decoder
    duration_width: int = setting(128, least=1, most=1024)  # of each direction of the GRU
    duration_dropout: float = setting(0.3, least=0, most=0.99)  # the duration model overfits easily
    place_reach: int = setting(0, least=0, most=1000)  # frames from the borders of its phoneme that a frame is told of
    sigma: float = setting(1.5, least=0.01, most=100)  # of the upsampling, frames, before training
    max_sigma: float = setting(math.inf, least=0.01, most=math.inf)  # a wide σ mixes short phonemes with neighbours

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.n_heads:
            raise ValueError(f"width is {self.width}: give a multiple of n_heads, {self.n_heads}")


@dataclass(frozen=True)
class StepConfig(Checked):
    """How weights are changed. The defaults suit the acoustic model, the whole of LJ Speech and one GPU."""

    batch_size: int = setting(32, "utterances a step, of all processes together", 1, 10_000)
    learning_rate: float = setting(1e-3, "the peak, reached after the warm-up", 0, 1)
    warmup_steps: int = setting(1000, "steps to the peak of the learning rate, at most a fifth of all", 0, 10**9)
    cooldown: float = setting(0.3, "last part of the steps, in which the learning rate falls to 0", 0, 1)
    weight_decay: float = setting(1e-6, "of AdamW", 0, 1)
    max_gradient_norm: float = setting(1.0, "gradients are scaled down to this norm", 1e-6, 1e6)
    ema_decay: float = setting(0.999, "of the moving average of the weights, which is what is kept", 0, 1)
    amp: str = setting(
        "auto", "bf16, fp16 or fp32; auto is the fastest that the processor computes with", choices=AMP
    )
    seed: int = setting(0, "of all random numbers", 0, 2**32 - 1)


@dataclass(frozen=True)
class TrainConfig(StepConfig):
    """How the network is trained: a step, and what is around it. A name that begins with that of a stage is its own."""

    bucket_batches: int = setting(
        16, "batches sorted by length together: 3.8 %% padding on LJ Speech instead of 33 %%", 1, 10**6
    )
    duration_epochs: int | None = setting(None, "epochs of the duration model; else as many as the rest", 0, 10**6)
    duration_learning_rate: float = setting(1e-3, "of the duration model", 0, 1)
    n_evaluations: int = setting(20, "of validation, pictures and audio, spread over the run", 1, 10**6)
    log_every: int = setting(50, "steps from one entry of the log to the next", 1, 10**9)
    n_workers: int = setting(0, "processes that read spectrograms; 0 is right where they fit the file cache", 0, 256)


# -------- Vocabulary and batches -------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Utterances padded to the longest one."""

    tokens: Tensor  # (B, N) int64
    durations: Tensor  # (B, N) int64, frames
    token_mask: Tensor  # (B, N) bool
    mels: Tensor | None = None  # (B, T, M), normalised; None for the duration model, which needs no spectrograms
    frame_mask: Tensor | None = None  # (B, T) bool
    features: Mapping[str, Tensor] = {}  # (B, N) each, what an `Extension` knows of the phonemes

    def to(self, device: torch.device) -> Batch:
        tensors = (None if part is None else part.to(device, non_blocking=True) for part in self[:-1])
        return Batch(*tensors, {name: row.to(device, non_blocking=True) for name, row in self.features.items()})

    def rows(self, places: Sequence[int], n_phonemes: int | None = None) -> Batch:
        """Some of its utterances, cut to so many phonemes, without spectrograms."""
        tokens, durations, mask = (part[places, :n_phonemes] for part in self[:3])
        features = {name: row[places, :n_phonemes] for name, row in self.features.items()}
        return Batch(tokens, durations, mask, features=features)


def normalise(spectrogram: Tensor) -> Tensor:
    return (spectrogram - lj_speech.SPECTROGRAMS_MEAN) / lj_speech.SPECTROGRAMS_STD


def denormalise(mels: Tensor) -> Tensor:
    spectrogram = mels * lj_speech.SPECTROGRAMS_STD + lj_speech.SPECTROGRAMS_MEAN
    return spectrogram.clamp(lj_speech.SPECTROGRAMS_MIN, lj_speech.SPECTROGRAMS_MAX)


def pad(sequences: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)


def length_mask(lengths: Sequence[int]) -> Tensor:
    """(B,) lengths -> (B, L) mask."""
    lengths = torch.as_tensor(lengths)
    return torch.arange(int(lengths.max())) < lengths[:, None]


def collate(vocabulary: Vocabulary, samples: Sequence[Mapping]) -> Batch:
    """Samples of `lj_speech.get_dataset` -> Batch. They may have `features`, (N,) each by name, and no spectrogram."""
    tokens = [torch.tensor(vocabulary.encode(sample["phonemes_code"])) for sample in samples]
    durations = [torch.tensor(sample["phonemes_duration"]) for sample in samples]
    names = samples[0].get("features", {})
    features = {name: pad([torch.as_tensor(sample["features"][name]) for sample in samples]) for name in names}
    batch = Batch(pad(tokens), pad(durations), length_mask([len(row) for row in tokens]), features=features)
    if "spectrogram" not in samples[0]:
        return batch
    mels = [normalise(torch.as_tensor(sample["spectrogram"])).T for sample in samples]
    for duration, mel in zip(durations, mels):
        assert int(duration.sum()) == len(mel), f"{int(duration.sum())} frames of durations, {len(mel)} of spectrogram"
    return batch._replace(mels=pad(mels), frame_mask=length_mask([len(mel) for mel in mels]))


class BucketBatchSampler(torch.utils.data.Sampler[list[int]]):
    """Batches of utterances of similar length, each utterance once an epoch, in an order fixed by seed and epoch.

    The shuffled utterances are cut into buckets of `bucket_batches` batches; only inside a bucket they are sorted.
    Batches have `batch_size` utterances or a little less, so that none is small. Of each, this is the `part`.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, bucket_batches: int, seed: int, part=slice(None)):
        self.lengths, self.batch_size, self.bucket_batches = np.asarray(lengths), batch_size, bucket_batches
        self.seed, self.epoch, self.part = seed, 0, part
        smallest, n_parts = len(lengths) // max(1, len(self)), part.step or 1
        if smallest < n_parts:
            raise ValueError(f"batches of {smallest} utterances cannot be shared by {n_parts} processes: use fewer")

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        shuffled, batches = np.array_split(rng.permutation(len(self.lengths)), len(self)), []
        for start in range(0, len(shuffled), self.bucket_batches):
            unsorted = shuffled[start : start + self.bucket_batches]
            bucket = np.concatenate(unsorted)
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            batches += [batch.tolist() for batch in np.array_split(bucket, len(unsorted))]
        rng.shuffle(batches)
        yield from (batch[self.part] for batch in batches)


def make_loader(
    dataset: Sequence, vocabulary: Sequence[str], config: TrainConfig, part: slice = slice(None)
) -> torch.utils.data.DataLoader:
    """Length-bucketed batches of a dataset's samples, or this part of each; the dataset knows their `alignments`."""
    lengths = [sum(item.durations) for item in dataset.alignments]
    return torch.utils.data.DataLoader(
        dataset, collate_fn=functools.partial(collate, Vocabulary(vocabulary)),
        batch_sampler=BucketBatchSampler(lengths, config.batch_size, config.bucket_batches, config.seed, part),
        num_workers=config.n_workers, persistent_workers=config.n_workers > 0, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


# -------- Model ------------------------------------------------------------------------------------------------------


class ResidualConvolution(nn.Module):
    """(B, L, D) -> (B, L, D): convolution, ReLU, batch normalisation, dropout, shortcut."""

    def __init__(self, width: int, kernel_size: int, dropout: float):
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel_size, padding=kernel_size // 2)
        self.norm = MaskedBatchNorm(width)
        self.dropout = Dropout(dropout)

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
        self.attention = SelfAttention(config.width, config.n_heads, batch_first=True)
        self.attention_norm = MaskedBatchNorm(config.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, config.inner_width), nn.ReLU(), nn.Linear(config.inner_width, config.width)
        )
        self.feed_forward_norm = MaskedBatchNorm(config.width)
        self.residual_convolution = ResidualConvolution(config.width, config.kernel_size, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor | None, real: Tensor | None) -> Tensor:
        """`padding` is ~mask and `real` the `real_positions`; both are None where all is real, which is faster."""
        x = self.attention_norm(x + self.dropout(self.attention.attend(x, padding)), real)
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
        self.dropout = Dropout(config.duration_dropout)
        self.gru = nn.GRU(config.width, config.duration_width, num_layers=2, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.duration_width, 1)

    def forward(self, encoded: Tensor, token_mask: Tensor) -> Tensor:
        # Packed, so that the backward direction starts at the last real phoneme.
        lengths = token_mask.sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(self.dropout(encoded), lengths, True, enforce_sorted=False)
        hidden = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], True, total_length=encoded.shape[1])[0]
        return self.projection(self.dropout(hidden)).squeeze(-1)


class GaussianUpsampling(nn.Module):
    """(B, N, D) encoded phonemes and (B, N) durations -> (B, T, D) frames and (B, T, N) weights.

    arXiv 2010.04301 §3.1: frame t takes phoneme n with weight N(t + 0.5; c_n, σ²), normalised over n, c_n being the
    middle of the phoneme. With one σ the densities' constants cancel and the weights are a softmax. Phonemes without
    duration and padding weigh nothing; an utterance needs one phoneme of positive duration. fp32: 800² overflows fp16.
    """

    def __init__(self, sigma: float = 1.5, max_sigma: float = math.inf):
        super().__init__()
        self.log_sigma, self.max_sigma = nn.Parameter(torch.tensor(math.log(sigma))), max_sigma

    @property
    def sigma(self) -> Tensor:
        return self.log_sigma.exp().clamp_max(self.max_sigma)

    def forward(self, encoded: Tensor, durations: Tensor, token_mask: Tensor, n_frames: int) -> tuple[Tensor, Tensor]:
        with torch.autocast(encoded.device.type, enabled=False):
            durations = durations.float()
            centres = durations.cumsum(1) - durations / 2  # (B, N)
            times = torch.arange(n_frames, device=encoded.device) + 0.5  # (T,)
            distances = (times[None, :, None] - centres[:, None, :]) / self.sigma  # (B, T, N)
            spoken = (token_mask & (durations > 0))[:, None, :]
            weights = (-0.5 * distances.square()).masked_fill(~spoken, -math.inf).softmax(-1)
            return weights @ encoded.float(), weights


class PlaceEmbedding(nn.Module):
    """(B, N) durations -> (B, T, D): how many frames ago the phoneme of each frame began, and in how many it ends.
    arXiv 2010.04301 §3.1 also tells a frame its place in its phoneme, there by a sinusoidal embedding."""

    def __init__(self, width: int, reach: int):
        super().__init__()
        self.since, self.until = (nn.Embedding(reach, width) for _ in range(2))  # the last row: or more
        for embedding in (self.since, self.until):
            nn.init.normal_(embedding.weight, std=0.1)

    def forward(self, durations: Tensor, n_frames: int) -> Tensor:
        ends, last = durations.cumsum(1), self.since.num_embeddings - 1
        times = torch.arange(n_frames, device=durations.device).repeat(len(durations), 1)  # (B, T)
        phonemes = torch.searchsorted(ends, times, right=True).clamp_max(durations.shape[1] - 1)
        end = ends.gather(1, phonemes)
        since, until = times - end + durations.gather(1, phonemes), end - 1 - times
        return self.since(since.clamp(0, last)) + self.until(until.clamp(0, last))


class Decoder(nn.Module):
    """(B, T, D) frames -> two (B, T, M) spectrograms: without and with the correction of the post-processing."""

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


class Extension(nn.Module):
    """What a voice may have beyond the method, at four moments. This one, the method's own, has nothing."""

    @dataclass(frozen=True)
    class Settings:
        """What the extension is; stored in the checkpoint beside its weights."""

    @dataclass(frozen=True)
    class Style:
        """How it speaks; may change with each utterance."""

    def __init__(self, config: ModelConfig, **settings):
        super().__init__()
        self.settings = self.Settings(**settings)

    def read_words(self, words: Sequence[english.Word]) -> dict[str, list]:
        """Text: a sentence of `english.spoken_words` -> features by name, a value for each of its N phonemes."""
        return {}

    def plan(self, batch: Batch, log_durations: Tensor, style: Style) -> dict[str, Tensor]:
        """Before the decoder: a batch with durations, also as normalised (B, N) -> more features (B, N)."""
        return {}

    def add_to(self, encoded: Tensor, batch: Batch) -> Tensor:
        """In the model, in training too: encoded phonemes (B, N, D) -> the same plus what the features add."""
        return encoded

    def finish(self, speech: Speech, batch: Batch, style: Style) -> Speech:
        """Before the vocoder: a batch of one and its speech -> the same as it is spoken, with hints for the vocoder."""
        return speech


EXTENSIONS = {kind.__name__: kind for kind in (Extension, ShippedExtension)}


class Prediction(NamedTuple):
    """What the model predicts for a batch; values at padding have no meaning."""

    coarse_mels: Tensor  # (B, T, M), before post-processing
    mels: Tensor  # (B, T, M), normalised
    alignment: Tensor  # (B, T, N), the weights of the upsampling


class AcousticModel(nn.Module):
    """Phonemes to spectrograms: `encoder`, durations (given, or from `predict_durations`), then `decode`."""

    PARTS = ("encoder", "duration_model", "upsampling", "places", "decoder")

    def __init__(self, config: ModelConfig, extension: Extension | None = None):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.duration_model = DurationModel(config)
        self.extension = extension or Extension(config)
        self.upsampling = GaussianUpsampling(config.sigma, config.max_sigma)
        self.places = PlaceEmbedding(config.width, config.place_reach) if config.place_reach else None
        self.decoder = Decoder(config)

    def decode(self, encoded: Tensor, batch: Batch) -> Prediction:
        """(B, N, D) encoded phonemes -> Prediction; the batch has durations, frame mask and all features."""
        encoded = self.extension.add_to(encoded, batch)
        frames, alignment = self.upsampling(encoded, batch.durations, batch.token_mask, batch.frame_mask.shape[1])
        if self.places is not None:
            frames = frames + self.places(batch.durations, batch.frame_mask.shape[1])
        return Prediction(*self.decoder(frames, batch.frame_mask), alignment)

    def forward(self, batch: Batch) -> Prediction:
        return self.decode(self.encoder(batch.tokens, batch.token_mask), batch)

    def normalise_durations(self, durations: Tensor) -> Tensor:
        return (torch.log1p(durations.float()) - self.config.log_duration_mean) / self.config.log_duration_std

    def predict_durations(self, encoded: Tensor, token_mask: Tensor, tempo: float = 1) -> Tensor:
        """(B, N, D) -> (B, N) frames, at least 1 a phoneme, 0 at padding; `tempo` times as fast as predicted.

        Rounded along the utterance, so that the remainders add up and the tempo is kept.
        """
        normalised = self.duration_model(encoded, token_mask).float()
        durations = torch.expm1(normalised * self.config.log_duration_std + self.config.log_duration_mean)
        if not durations.isfinite().all():
            raise ValueError(pieces.DAMAGED)
        ends = ((durations / tempo).clamp(1, pieces.LONGEST) * token_mask).cumsum(1).add(0.5).floor()
        return torch.diff(ends, dim=1, prepend=torch.zeros_like(ends[:, :1])).long()


# -------- Loss -------------------------------------------------------------------------------------------------------


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of (B, L) or (B, L, K) over the real positions of the (B, L) mask, and of those of all processes."""
    mask = mask.reshape(mask.shape + (1,) * (values.dim() - mask.dim())).expand_as(values)
    return processes.total(values.masked_fill(~mask, 0).sum()) / processes.total(mask.sum())


def spectrogram_loss(prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
    """L1 + L2 of both spectrograms against the recording's: `loss` is the sum of `coarse` and `corrected`."""
    errors = [mels.float() - batch.mels for mels in (prediction.coarse_mels, prediction.mels)]
    coarse, corrected = (masked_mean(error.abs() + error.square(), batch.frame_mask) for error in errors)
    return {"loss": coarse + corrected, "coarse": coarse, "corrected": corrected}


def duration_loss(model: AcousticModel, batch: Batch) -> dict[str, Tensor]:
    """L2 of the normalised log durations; nothing but the duration model gets a gradient."""
    with torch.no_grad():
        encoded = model.encoder(batch.tokens, batch.token_mask)
    error = model.duration_model(encoded, batch.token_mask) - model.normalise_durations(batch.durations)
    return {"loss": masked_mean(error.square(), batch.token_mask)}


# -------- Checkpoints ------------------------------------------------------------------------------------------------


def get_checkpoint_metadata() -> tuple[str, str]:
    """(MD5 checksum, Google Drive link) of the published `TTS.pth`; the link is empty while nobody has published it."""
    return CHECKPOINT_MD5, CHECKPOINT_LINK


def save_checkpoint(model: AcousticModel, path: pathlib.Path, training: Mapping) -> None:
    """Write all that synthesis needs, and how it was trained. The published checkpoint is copied aside first."""
    if path.exists() and weights.checksum(path) == CHECKPOINT_MD5:
        shutil.copy2(path, path.with_name(f"{path.stem}-shipped{path.suffix}"))
    extension = {"name": type(model.extension).__name__, "settings": asdict(model.extension.settings)}
    weights.save({
        "config": asdict(model.config), "training": dict(training),
        "weights": {name: tensor for name, tensor in weights.pack(model).items() if not name.startswith("extension.")},
        "extension": {**extension, "weights": weights.pack(model.extension)},
    }, path)  # fmt: skip


def load_checkpoint(path: str | pathlib.Path) -> AcousticModel:
    """Read a checkpoint, in the working folder or beside this file, into an fp32 model in eval mode on the CPU.

    Raises FileNotFoundError where there is none, ValueError for a truncated, foreign or hostile file.
    """
    path = weights.find(path, beside=__file__)
    return weights.load(path, build_model, "checkpoint", "train a voice with train_tts, or `git checkout TTS.pth`")


def build_model(content: Mapping) -> AcousticModel:
    """What is in a checkpoint -> the model. Settings and weights that nobody has a name for are refused."""
    config, own, extension = dict(content["config"]), dict(content["weights"]), content.get("extension")
    if extension is None:  # the first format, which the published file has: what the method has no name for
        known = {item.name for item in fields(ModelConfig)}
        settings = {name: config.pop(name) for name in [*config] if name not in known}
        others = {name: own.pop(name) for name in [*own] if name.partition(".")[0] not in AcousticModel.PARTS}
        extension = {"name": ShippedExtension.__name__, "settings": settings, "weights": others}
    config, kind = ModelConfig(**config), EXTENSIONS[extension["name"]]
    others = {f"extension.{name}": tensor for name, tensor in extension["weights"].items()}
    return weights.fill(lambda: AcousticModel(config, kind(config, **extension["settings"])), own | others)


# -------- Training: a step -------------------------------------------------------------------------------------------


def learning_rate_factor(step: int, n_steps: int, config: StepConfig) -> float:
    """Linear warm-up, then 1 / sqrt(step) (arXiv 1706.03762 §5.3, scaled to a peak of 1), at last linearly to 0."""
    warmup = max(1, min(config.warmup_steps, n_steps // 5))  # a short run warms up in its first fifth
    noam = min((step + 1) / warmup, math.sqrt(warmup / (step + 1)))
    return noam * min(1.0, (n_steps - step) / max(1.0, config.cooldown * n_steps))


class TrainingState:
    """What a training changes at each step. `parts` are the modules that learn; the others are frozen, in eval mode."""

    STATEFUL = ("model", "average", "optimizer", "scheduler", "scaler")

    def __init__(self, model: nn.Module, parts: Sequence[nn.Module], n_steps: int, config: StepConfig):
        self.model, self.parts, self.config = model.requires_grad_(False), parts, config
        self.step = self.epoch = 0
        self.average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=self._average, use_buffers=True).eval()
        self.parameters = [parameter.requires_grad_() for part in parts for parameter in part.parameters()]
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.AdamW(
            self.parameters, config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
        )
        factor = functools.partial(learning_rate_factor, n_steps=n_steps, config=config)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.amp = choose_amp(config.amp, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == torch.float16)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.amp, enabled=self.amp != torch.float32)

    def train(self, batch, compute_loss: Callable) -> dict[str, Tensor]:
        """One step down compute_loss(model, batch)["loss"]; returns as `descend`."""
        with self.autocast():
            losses = compute_loss(self.model, batch)
        return self.descend(losses)

    def descend(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step down losses["loss"]; returns the losses, the gradient norm before clipping and the learning rate."""
        learning_rate = self.scheduler.get_last_lr()[0]
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        self.scaler.unscale_(self.optimizer)
        gradient_norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.average.update_parameters(self.model)
        self.step += 1
        others = {"gradient_norm": gradient_norm, "learning_rate": learning_rate}
        return {name: value.detach() for name, value in losses.items()} | others

    def _average(self, averaged: list[Tensor], current: list[Tensor], n_averaged: Tensor) -> None:
        """Exponential moving average, over a short window at first."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        if averaged[0].is_floating_point():  # not the counters of batches
            torch._foreach_lerp_(averaged, current, 1 - decay)

    def state_dict(self) -> dict:
        cuda_rng = torch.cuda.get_rng_state() if self.device.type == "cuda" else None
        position = {"step": self.step, "epoch": self.epoch, "rng": torch.get_rng_state(), "cuda_rng": cuda_rng}
        return {key: getattr(self, key).state_dict() for key in self.STATEFUL} | position

    def load_state_dict(self, state: Mapping) -> None:
        for key in self.STATEFUL:
            getattr(self, key).load_state_dict(state[key])
        self.step, self.epoch = state["step"], state["epoch"]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"])


class Run(Unfinished):
    """One training run: its folder, its TensorBoard log and its state on disk, from which it resumes."""

    def __init__(self, logdir: pathlib.Path, settings: Mapping, resume: bool, stages: Sequence[str] = ()):
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and synthesis does not need it

        super().__init__(logdir, settings, resume, stages)
        self.writer = SummaryWriter(str(logdir)) if processes.is_first() else processes.NoWriter()

    def save(self, name: str, state: TrainingState, **more) -> None:
        self.write({"stage": name, **state.state_dict(), **more})

    def finish(self, model: AcousticModel, path: pathlib.Path) -> None:
        """Write the checkpoint."""
        if processes.is_first():
            save_checkpoint(model, path, self.settings)

    def log(self, prefix: str, state: TrainingState, scalars: Mapping[str, Tensor | float]) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(f"{prefix}/{name}", value := float(value), state.step)
            if not math.isfinite(value) and state.amp != torch.float16:  # there the scaler skips such steps
                raise RuntimeError(f"{name} is {value} at step {state.step}: lower the learning rate or check the data")


# -------- Training: stages -------------------------------------------------------------------------------------------


class Stage(NamedTuple):
    """One training of several that follow each other."""

    name: str
    parts: Sequence[str]  # what learns: names of modules of the model
    datasets: Sequence  # from which samples: those for training and those for validation
    compute_loss: Callable  # which loss: (model, batch) -> dict with `loss`
    evaluate: Callable  # (state, loader, writer) -> measures
    n_epochs: int  # how long
    config: TrainConfig


def run_stages(model: AcousticModel, stages: Sequence[Stage], run: Run) -> AcousticModel:
    """Train stage after stage, from where an unfinished run was; returns the averaged model."""
    names = [stage.name for stage in stages]
    for stage in stages[names.index(run.state["stage"]) if run.state is not None else 0 :]:
        model = run_stage(model, stage, run)
    return model


def run_stage(model: AcousticModel, stage: Stage, run: Run) -> AcousticModel:
    """Train to the last epoch, now and then evaluating and saving the state; returns the averaged model."""
    (dataset, val_dataset), codes = stage.datasets, model.config.vocabulary
    loader = make_loader(dataset, codes, stage.config, processes.share())
    val_loader = make_loader(val_dataset, codes, stage.config)  # all of it, in each process
    n_steps, every = stage.n_epochs * len(loader), max(1, stage.n_epochs // stage.config.n_evaluations)
    state = TrainingState(model, [model.get_submodule(name) for name in stage.parts], n_steps, stage.config)
    run.restore(state, stage.name, stage.parts)
    stage = stage._replace(compute_loss=processes.distribute(stage.compute_loss, model))
    with tqdm(desc=stage.name, initial=state.step, total=n_steps, unit="step", disable=processes.rank() > 0) as bar:
        while state.epoch < stage.n_epochs:
            train_epoch(stage, state, loader, run, bar)
            if state.epoch % every == 0 or state.epoch == stage.n_epochs:
                run.log("validation", state, stage.evaluate(state, val_loader, run.writer))
                run.save(stage.name, state)
    return state.average.module


def train_epoch(stage: Stage, state: TrainingState, loader: Iterable[Batch], run: Run, bar: tqdm) -> None:
    state.model.eval()
    for part in state.parts:
        part.train()
    loader.batch_sampler.epoch = state.epoch
    processes.seed(stage.config.seed, state.epoch)
    for batch in loader:
        scalars = state.train(batch.to(state.device), stage.compute_loss)
        bar.update()
        if state.step == 1 or state.step % state.config.log_every == 0:
            run.log(stage.name, state, {**scalars, "iterations_per_second": bar.format_dict["rate"] or 0.0})
            bar.set_postfix(loss=f"{float(scalars['loss']):.3f}")
    state.epoch += 1


def describe_data(alignments: Sequence[lj_speech.Alignment], min_count: int = 10) -> ModelConfig:
    """The part of the configuration that the data decides: vocabulary, longest utterance, durations.

    Vowels spoken less than `min_count` times are left out: they are read with another stress.
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
        log_duration_std=float(log_durations.std()) if log_durations.std() > 1e-3 else 1.0,
    )


@torch.inference_mode()
def evaluate_spectrograms(state: TrainingState, loader: Iterable[Batch], writer) -> dict[str, Tensor]:
    """Validation loss of the averaged model; pictures and audio of one utterance go to TensorBoard."""
    model, batches = state.average.module, [batch.to(state.device) for batch in loader]
    losses = [spectrogram_loss(model(batch), batch)["corrected"] for batch in batches]
    prediction, length = model(batches[0]), int(batches[0].frame_mask[0].sum())
    recorded, predicted = batches[0].mels[0, :length], prediction.mels[0, :length]
    pictures = {  # (1, height, width), grey levels in [0, 1], low bands and first phonemes at the bottom
        "spectrogram, recorded above predicted": (torch.cat([predicted, recorded], dim=1).T.flip(0)[None] + 3) / 6,
        "alignment": prediction.alignment[:1, :length].mT.flip(1),
        "attention of the first encoder layer": model.encoder.attention_weights(batches[0])[:1],
    }
    for name, picture in pictures.items():
        writer.add_image(name, picture.clamp(0, 1), state.step)
    audio = lj_speech.Vocoder(band_correction=0.0)(denormalise(predicted).T)
    writer.add_audio("predicted", audio, state.step, sample_rate=SAMPLING_RATE)
    return {"spectrogram_loss": torch.stack(losses).mean(), "sigma": model.upsampling.sigma}


@torch.inference_mode()
def evaluate_durations(state: TrainingState, loader: Iterable[Batch], writer) -> dict[str, float]:
    """Mean absolute error a phoneme, in ms, and predicted over real total length."""
    predicted, real, model = [], [], state.average.module
    for batch in (batch.to(state.device) for batch in loader):
        encoded = model.encoder(batch.tokens, batch.token_mask)
        predicted.append(model.predict_durations(encoded, batch.token_mask)[batch.token_mask].float())
        real.append(batch.durations[batch.token_mask].float())
    predicted, real = torch.cat(predicted), torch.cat(real)
    error = (predicted - real).abs().mean() * lj_speech.FRAME_MILLISECONDS
    return {"duration_error_ms": error, "length_ratio": predicted.sum() / real.sum()}


def spectrogram_stage(
    model: AcousticModel, datasets: Sequence, n_epochs: int, config: TrainConfig, parts: Sequence[str] = ()
) -> Stage:
    """Everything but the GRU learns, on spectrograms; so do `parts` of an extension."""
    compute_loss = lambda model, batch: spectrogram_loss(model(batch), batch)  # noqa: E731
    own = [name for name in model.PARTS if name != "duration_model" and getattr(model, name) is not None]
    return Stage("spectrogram", [*own, *parts], datasets, compute_loss, evaluate_spectrograms, n_epochs, config)


def duration_stage(alignments: Sequence[Sequence], n_epochs: int, config: TrainConfig) -> Stage:
    """The duration model learns alone, on alignments; it is small, and regression wants the precision of fp32."""
    datasets = [lj_speech.AlignmentDataset(part) for part in alignments]
    n_epochs = n_epochs if config.duration_epochs is None else config.duration_epochs
    config = replace(config, learning_rate=config.duration_learning_rate, amp="fp32")
    return Stage("duration", ("duration_model",), datasets, duration_loss, evaluate_durations, n_epochs, config)


@processes.joined()
def train_tts(
    dataset_root: pathlib.Path, num_epochs: int, logdir: str | pathlib.Path = "runs/tts", *,
    config: TrainConfig = TrainConfig(), model_settings: Mapping = {},
    checkpoint_path: str | pathlib.Path = CHECKPOINT_PATH, resume: bool = True,
) -> None:  # fmt: skip
    """Train from scratch on the aligned dataset at `dataset_root`; leaves the voice in `./TTS.pth`.

    First everything but the duration model for `num_epochs` epochs, then the duration model. The average of the weights
    at the end of the annealed learning rate is kept, not the one with the lowest validation loss: audio goes on
    improving long after that loss has begun to rise. An interrupted run resumes from `logdir` unless `resume` is False.
    `model_settings` are fields of `ModelConfig` other than their defaults, e.g. {"width": 384}.
    Raises FileNotFoundError for a missing dataset, ValueError for broken data or settings.
    """
    check_number("num_epochs", num_epochs, 1, 10**6, whole=True)
    weights.check_destination(pathlib.Path(checkpoint_path))
    datasets = lj_speech.get_dataset(dataset_root)
    alignments = [dataset.alignments for dataset in datasets]
    torch.manual_seed(config.seed)
    model = AcousticModel(replace(describe_data([*alignments[0], *alignments[1]]), **model_settings))
    data = {"folder": pathlib.Path(dataset_root).name, "n": len(alignments[0]), "hash": fingerprint(dataset_root)}
    settings = {"model": asdict(model.config), "training": asdict(config), "num_epochs": num_epochs, "data": data}
    stages = [spectrogram_stage(model, datasets, num_epochs, config), duration_stage(alignments, num_epochs, config)]
    with Run(pathlib.Path(logdir), settings, resume, [stage.name for stage in stages]) as run:
        model = run_stages(model.to("cuda" if torch.cuda.is_available() else "cpu"), stages, run)
        run.finish(model, pathlib.Path(checkpoint_path))


# -------- Synthesis --------------------------------------------------------------------------------------------------


class Speech(NamedTuple):
    """What is said in one piece: at most `max_phonemes` phonemes and `max_frames` frames."""

    spectrogram: Tensor  # (80, T) log-mel, as the vocoder takes it
    phonemes: list[str]  # N codes
    durations: list[int]  # N frames
    alignment: Tensor  # (T, N), the weights of the upsampling
    sentence: int = 0  # which one of the text
    words: Sequence[english.Word] = ()  # all of this sentence
    hints: Mapping[str, Tensor] = {}  # what an `Extension` has to say to the vocoder, by name


class TextToSpeechSynthesizer(Speaker):
    """A trained voice: text or phonemes to audio. Inference only; on the GPU if there is one, else on the CPU.

    audio = TextToSpeechSynthesizer("TTS.pth").synthesize_from_text("Hello there.")  # (1, t), 22 050 Hz
    audio = synthesizer.synthesize_from_phonemes("pau HH AH0 L OW1 pau".split(), durations=None)
    These are in `Speaker`, and so are `speak` and `stream`, which also tell when each word and phoneme is heard.
    `tempo`, pauses and `style` (the extension's) may change at any time: voice.style = replace(voice.style, ...)
    """

    returned = staticmethod(torch.from_numpy)  # audio is a tensor
    PACE = 0.95  # of a tempo of 1: predicted durations are near the median, which is below the mean

    def __init__(
        self, checkpoint_path: str | pathlib.Path = CHECKPOINT_PATH, vocoder: Callable | None = None,
        device: str | torch.device | None = None, threads: int | None = 1,
    ):  # fmt: skip
        """`vocoder` maps (80, T) log-mel and the extension's hints, by name, to audio (1, t), as `lj_speech.Vocoder`.

        `threads` of the processor: 1 is best for short sentences, and beside other programs; None is PyTorch's choice.
        Raises FileNotFoundError or ValueError for a missing or unusable checkpoint.
        """
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.threads = pieces.check_threads(threads)
        self.model = load_checkpoint(checkpoint_path).to(self.device)
        self.extension, self.style = self.model.extension, self.model.extension.Style()
        self.vocabulary = Vocabulary(self.model.config.vocabulary)
        self.max_phonemes, self.max_frames = self.model.config.max_phonemes, self.model.config.max_frames
        self.vocoder = vocoder or lj_speech.Vocoder(device=self.device, band_correction=0.0)

    def synthesize_many(self, texts: Iterable[str], batch_size: int = 16) -> Iterator[Tensor]:
        """The audio of each text, in order; as from `synthesize_from_text`, but `batch_size` sentences at a time."""
        requests = (self.read(text) for text in texts)
        for speeches in pieces.predict_many(self.predict_batch, requests, self.max_phonemes, batch_size):
            yield torch.from_numpy(self.join(speeches).audio)

    def _in_chunks(self, chunk: int) -> Callable:
        vocode = super()._in_chunks(chunk)
        return lambda speech: each_with_threads(vocode(speech), self.threads)

    def vocode(self, speech: Speech) -> Tensor:
        """What `predict` returns -> audio (1, t)."""
        with use_threads(self.threads):
            return self.vocoder(speech.spectrogram, **speech.hints)

    @torch.inference_mode()
    def predict_batch(self, requests: Sequence[pieces.Request]) -> list[Speech | int]:
        """What each is spoken as, or its number of frames where that is 0 or more than the model reaches."""
        with use_threads(self.threads):
            encoded, batch = self._encode(requests)
            lengths = batch.durations.sum(1).tolist()
            kept = [row for row, n in enumerate(lengths) if 0 < n <= self.max_frames]
            speeches = self._decode(encoded[kept], batch.rows(kept), [requests[row] for row in kept]) if kept else []
        return [speeches[kept.index(row)] if row in kept else n for row, n in enumerate(lengths)]

    def _encode(self, requests: Sequence[pieces.Request]) -> tuple[Tensor, Batch]:
        """-> encoded (B, N, D), and a batch with the given durations, or the predicted ones where none are given."""
        tokens = self._pad([self.vocabulary.encode(request.phonemes) for request in requests])
        token_mask = length_mask([len(request.phonemes) for request in requests]).to(self.device)
        features = {name: self._pad([each.features[name] for each in requests]) for name in requests[0].features}
        encoded = self.model.encoder(tokens, token_mask)
        if requests[0].durations is None:
            frames = self.model.predict_durations(encoded, token_mask, self.PACE * self.tempo)
        else:
            frames = self._pad([request.durations for request in requests])
        return encoded, Batch(tokens, frames, token_mask, features=features)

    def _pad(self, rows: Sequence[Sequence]) -> Tensor:
        return pad([torch.tensor(row) for row in rows]).to(self.device)

    def _decode(self, encoded: Tensor, batch: Batch, requests: Sequence[pieces.Request]) -> list[Speech]:
        extension, frame_mask = self.model.extension, length_mask(batch.durations.sum(1).tolist())
        batch = batch._replace(frame_mask=frame_mask.to(self.device))
        planned = extension.plan(batch, self.model.normalise_durations(batch.durations), self.style)
        batch = batch._replace(features={**batch.features, **planned})
        prediction, speeches = self.model.decode(encoded, batch), []
        for row, request in enumerate(requests):
            own = batch.rows([row], n := len(request.phonemes))
            durations = own.durations[0].tolist()
            mels, alignment = (part[row, : sum(durations)] for part in (prediction.mels, prediction.alignment))
            speech = Speech(denormalise(mels).T, request.phonemes, durations, alignment[:, :n])
            speeches.append(extension.finish(speech, own, self.style))
        return speeches


if __name__ == "__main__":  # python part2_solution.py train ... is python -m recipe train ...
    runpy.run_module("recipe", run_name="__main__")
