"""Utterances to batches: phoneme codes to tokens, spectrograms normalised, padding and masks, buckets by length."""

from __future__ import annotations

import functools
import math
import numbers
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import lj_speech
from lj_speech import SPECTROGRAMS_MAX, SPECTROGRAMS_MEAN, SPECTROGRAMS_MIN, SPECTROGRAMS_STD


class Vocabulary:
    """Phoneme codes to tokens. Of an unknown vowel the same one at another stress is taken."""

    def __init__(self, codes: Sequence[str]):
        self.token_of = {code: token for token, code in enumerate(codes)}

    def encode(self, codes: Sequence[str]) -> list[int]:
        """Raises ValueError naming a code that is neither known nor known at another stress."""
        return [self._encode_one(code) for code in codes]

    def knows(self, codes: Sequence[str]) -> bool:
        try:
            self.encode(codes)
        except ValueError:
            return False
        return True

    def _encode_one(self, code: str) -> int:
        candidates = [code] + [code.rstrip("012") + stress for stress in ("1", "2", "0", "")]
        for candidate in candidates:
            if candidate in self.token_of:
                return self.token_of[candidate]
        raise ValueError(f"unknown phoneme {code!r}: the model knows {' '.join(self.token_of)}")


class Batch(NamedTuple):
    """Utterances padded to the longest one."""

    tokens: Tensor  # (B, N) int64
    durations: Tensor  # (B, N) int64, frames
    token_mask: Tensor  # (B, N) bool
    mels: Tensor | None = None  # (B, T, M), normalised; None for the duration model, which needs no spectrograms
    frame_mask: Tensor | None = None  # (B, T) bool
    log_pitch: Tensor | None = None  # (B, N), of Hz; where there is none, it is read from the spectrograms
    cues: Tensor | None = None  # (B, N) int64, what the text says of the melody: see `cues`
    taught: Tensor | None = None  # (B,) bool, whether the teacher speaks: see `teacher`

    def to(self, device: torch.device) -> Batch:
        return Batch(*(None if tensor is None else tensor.to(device, non_blocking=True) for tensor in self))


def normalise(spectrogram: Tensor) -> Tensor:
    return (spectrogram - SPECTROGRAMS_MEAN) / SPECTROGRAMS_STD


def denormalise(mels: Tensor) -> Tensor:
    return (mels * SPECTROGRAMS_STD + SPECTROGRAMS_MEAN).clamp(SPECTROGRAMS_MIN, SPECTROGRAMS_MAX)


def pad(sequences: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)


def length_mask(lengths: Sequence[int]) -> Tensor:
    """(B,) lengths -> (B, L) mask."""
    lengths = torch.as_tensor(lengths)
    return torch.arange(int(lengths.max())) < lengths[:, None]


def run_gru(gru: nn.GRU, x: Tensor, mask: Tensor) -> Tensor:
    """(B, N, D) -> (B, N, 2 D'); packed, so that the backward direction starts at the last real phoneme."""
    packed = nn.utils.rnn.pack_padded_sequence(x, mask.sum(1).cpu(), True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(gru(packed)[0], True, total_length=x.shape[1])[0]


def collate(vocabulary: Vocabulary, samples: Sequence[Mapping]) -> Batch:
    """Samples of `lj_speech.get_dataset` -> Batch; the duration model's have no spectrograms."""
    tokens = [torch.tensor(vocabulary.encode(sample["phonemes_code"])) for sample in samples]
    durations = [torch.tensor(sample["phonemes_duration"]) for sample in samples]
    batch = Batch(pad(tokens), pad(durations), length_mask([len(item) for item in tokens]))
    melody = {name: pad([sample[name] for sample in samples]) for name in ("log_pitch", "cues") if name in samples[0]}
    if "cues" in samples[0]:
        melody["taught"] = torch.tensor([sample.get("taught", False) for sample in samples])
    batch = batch._replace(**melody)
    if "spectrogram" not in samples[0]:
        return batch
    mels = [normalise(torch.as_tensor(sample["spectrogram"])).T for sample in samples]
    for duration, mel in zip(durations, mels):
        assert int(duration.sum()) == len(mel), f"{int(duration.sum())} frames of durations, {len(mel)} of spectrogram"
    return batch._replace(mels=pad(mels), frame_mask=length_mask([len(mel) for mel in mels]))


class BucketBatchSampler(torch.utils.data.Sampler[list[int]]):
    """Batches of utterances of similar length, each utterance once an epoch, in an order fixed by seed and epoch.

    The shuffled utterances are cut into buckets of `bucket_batches` batches; only inside a bucket they are sorted.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, bucket_batches: int, seed: int):
        self.lengths = np.asarray(lengths)
        self.batch_size, self.bucket_size = batch_size, batch_size * bucket_batches
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        shuffled = rng.permutation(len(self.lengths))
        batches = []
        for start in range(0, len(shuffled), self.bucket_size):
            bucket = shuffled[start : start + self.bucket_size]
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            batches += [bucket[i : i + self.batch_size].tolist() for i in range(0, len(bucket), self.batch_size)]
        rng.shuffle(batches)
        yield from batches


def check_durations(durations: Sequence[int], n_phonemes: int, limit: int) -> list[int]:
    """As a list of whole numbers of frames, 0 to `limit`. Raises TypeError or ValueError for anything else."""
    durations = durations.tolist() if hasattr(durations, "tolist") else durations
    if not isinstance(durations, (list, tuple)):
        raise TypeError(f"durations is a {type(durations).__name__}, expected a list of int")
    if len(durations) != n_phonemes:
        raise ValueError(f"{len(durations)} durations for {n_phonemes} phonemes: give one for each")
    for duration in durations:
        if isinstance(duration, bool) or not isinstance(duration, numbers.Integral):
            raise TypeError(f"a duration is {duration!r}: give whole numbers of frames")
        if not 0 <= duration <= limit:
            raise ValueError(f"a duration is {duration}: give 0 to {limit} frames of 11.6 ms")
    if sum(durations) == 0:
        raise ValueError("all durations are 0: nothing would be said")
    return [int(duration) for duration in durations]


def padded_fraction(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """The part of all frames in the batches that is padding."""
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    return 1 - sum(lengths[index] for batch in batches for index in batch) / padded


def read_datasets(root: pathlib.Path, more_root: pathlib.Path | None = None) -> tuple:
    """(training, validation); all utterances of `more_root` are for training."""
    more = lj_speech.get_dataset(more_root) if more_root else ()
    train, val = lj_speech.get_dataset(root)
    return sum(more, train), val


def can_say(config) -> Callable[[lj_speech.Alignment], bool]:
    """Whether a model of this configuration has the phonemes of an utterance and positions for its length."""
    vocabulary = Vocabulary(config.vocabulary)
    return lambda item: (
        len(item.codes) <= config.max_phonemes
        and 0 < sum(item.durations) <= config.max_frames
        and vocabulary.knows(item.codes)
    )


def read_taught(root: pathlib.Path, held_out: lj_speech.AlignedDataset, config) -> lj_speech.AlignedDataset:
    """What a model of this configuration can say of a second voice's dataset, without the texts of `held_out`.

    Raises FileNotFoundError or ValueError for a missing or unusable dataset.
    """
    sayable, texts = can_say(config), {alignment.text for alignment in held_out.alignments}
    train, val = lj_speech.get_dataset(root)
    taught = (val + train).where(lambda item: sayable(item) and item.text not in texts)
    if not taught:
        raise ValueError(f"{root} has nothing that the model can say: its utterances are too long, or all held out")
    return taught


def make_loaders(datasets: Sequence, lengths: Sequence, vocabulary: Sequence[str], config) -> list:
    """Data loaders of length-bucketed batches, for training and validation."""
    samplers = [BucketBatchSampler(items, config.batch_size, config.bucket_batches, config.seed) for items in lengths]
    plain = np.array_split(np.random.default_rng(0).permutation(len(lengths[0])), len(samplers[0]))
    fractions = [padded_fraction(lengths[0], batches) for batches in (list(samplers[0]), plain)]
    print("{} utterances in {} batches, {:.1%} padding ({:.1%} unsorted)".format(
        len(lengths[0]), len(samplers[0]), *fractions))  # fmt: skip
    return [
        torch.utils.data.DataLoader(
            dataset, batch_sampler=sampler, collate_fn=functools.partial(collate, Vocabulary(vocabulary)),
            num_workers=config.n_workers, persistent_workers=config.n_workers > 0, pin_memory=torch.cuda.is_available(),
        )
        for dataset, sampler in zip(datasets, samplers)
    ]  # fmt: skip
