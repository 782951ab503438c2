"""The pitch of each phoneme: read in spectrograms, predicted from text, told to the decoder (arXiv 2006.06873).

    mels (B, T, M) ──network of the vocoder──> log pitch (B, N) ──PitchEncoding──> (B, N, D), added to `encoded`
             tokens, durations and cues ──PitchModel──> log pitch, where there is no recording
"""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

import lj_speech
import vocoder
from batching import Batch, Vocabulary, collate, denormalise, run_gru
from cues import N_CUES, UNKNOWN, match_cues
from lj_speech import SPECTROGRAMS_MIN


@dataclass(frozen=True)
class PitchConfig:
    """The part of the model's configuration that is about pitch."""

    lowest_pitch: float = 88.2  # Hz; what is lower or higher sounds like the lowest or highest
    highest_pitch: float = 416.0
    n_pitches: int = 32  # between them, 0.87 semitones from one to the next
    pitch_embedding: int = 64  # of the phonemes, for the pitch model: the encoder's knows the recordings by heart
    pitch_width: int = 128  # of each direction of its GRU
    cue_embedding: int = 16
    cue_dropout: float = 0.1  # of the utterances have no cues, as phonemes that come without a text
    pitch_dropout: float = 0.4

    @property
    def log_pitch_mean(self) -> float:
        """Of the logarithm of Hz: what the pitch model's output is normalised with."""
        return math.log(self.lowest_pitch * self.highest_pitch) / 2

    @property
    def log_pitch_std(self) -> float:
        return math.log(self.highest_pitch / self.lowest_pitch) / 6


class PitchModel(nn.Module):
    """(B, N) tokens, durations and cues -> (B, N) normalised log pitch: a bidirectional GRU.

    It has an embedding of its own: with an hour of recordings, the encoder knows each by heart, and its output says
    more of what was recorded than of how one speaks. It speaks with two voices: see `teacher`.
    """

    def __init__(self, n_codes: int, config: PitchConfig):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, config.pitch_embedding)
        self.cue_embedding = nn.Embedding(N_CUES, config.cue_embedding)
        self.input = nn.Linear(config.pitch_embedding + config.cue_embedding + 1, config.pitch_width)
        self.teacher = nn.Parameter(torch.zeros(config.pitch_width))  # added where the teacher speaks
        self.gru = nn.GRU(config.pitch_width, config.pitch_width, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.pitch_width, 1)
        self.dropout, self.cue_dropout = nn.Dropout(config.pitch_dropout), config.cue_dropout

    def forward(self, batch: Batch, normalised_durations: Tensor) -> Tensor:
        """`batch` has tokens and their mask; without cues they are unknown, without `taught` the speaker speaks."""
        cues = torch.full_like(batch.tokens, UNKNOWN) if batch.cues is None else batch.cues
        if self.training:
            cues = cues.masked_fill(torch.rand(len(cues), 1, device=cues.device) < self.cue_dropout, UNKNOWN)
        embedded = self.dropout(torch.cat([self.embedding(batch.tokens), self.cue_embedding(cues)], dim=-1))
        x = self.input(torch.cat([embedded, normalised_durations[..., None]], dim=-1))
        if batch.taught is not None:
            x = x + batch.taught[:, None, None] * self.teacher
        hidden = run_gru(self.gru, self.dropout(F.relu(x)), batch.token_mask)
        return self.projection(self.dropout(hidden)).squeeze(-1)


class PitchEncoding(nn.Module):
    """(B, N) log pitch -> (B, N, D): a linear layer over Gaussian bumps, one at each of n_pitches."""

    def __init__(self, width: int, config: PitchConfig):
        super().__init__()
        ends = math.log(config.lowest_pitch), math.log(config.highest_pitch)
        self.register_buffer("centres", torch.linspace(*ends, config.n_pitches), persistent=False)
        self.projection = nn.Linear(config.n_pitches, width)
        nn.init.normal_(self.projection.weight, std=0.1)

    def forward(self, log_pitch: Tensor) -> Tensor:
        first, step, last = self.centres[0], self.centres[1] - self.centres[0], self.centres[-1]
        distances = (log_pitch.float().clamp(first, last)[..., None] - self.centres) / step
        return self.projection((-0.5 * distances.square()).exp())


@functools.cache
def pitch_reader(device: torch.device) -> vocoder.Vocoder:
    """The network of our vocoder, which reads the pitch in spectrograms."""
    return vocoder.load(device=device)


def around_phonemes(log_pitch: Tensor, log_loudness: Tensor, durations: Tensor, reach: float = 8.0) -> Tensor:
    """(B, T) each and (B, N) durations -> (B, N): the log pitch around the middle of each phoneme.

    A mean of the frames, weighted by how loud the voice is in them and by a Gaussian of `reach` frames, 93 ms: what is
    heard as the melody, without the ups and downs inside a syllable. In a pause the nearest voice counts.
    """
    times = torch.arange(log_pitch.shape[1], device=log_pitch.device) + 0.5
    centres = durations.cumsum(1) - durations / 2  # (B, N)
    distances = (times - centres[..., None]) / reach  # (B, N, T)
    weights = (log_loudness[:, None] - 0.5 * distances.square()).softmax(-1)
    return (weights @ log_pitch[..., None]).squeeze(-1)


@torch.no_grad()
def read_log_pitch(batch: Batch) -> Tensor:
    """The log pitch (B, N) around each phoneme, from the spectrograms of the batch."""
    reader = pitch_reader(batch.mels.device)
    context = reader.config.context
    with torch.autocast(batch.mels.device.type, enabled=False):
        mels = denormalise(batch.mels.float()).masked_fill(~batch.frame_mask[..., None], SPECTROGRAMS_MIN).mT
        filters = reader.predict_filters(F.pad(mels, (context, context), value=SPECTROGRAMS_MIN))
        loudness, logits = (part[:, context:-context] for part in (filters.voice.abs().mean(-1), filters.pitch_logits))
        log_loudness = loudness.clamp_min(1e-9).log().masked_fill(~batch.frame_mask, -math.inf)
        return around_phonemes(reader.decode_pitch(logits).log(), log_loudness, batch.durations)


def tracked_log_pitch(mel_path: pathlib.Path, alignment: lj_speech.Alignment) -> Tensor | None:
    """The log pitch (N,) from the ID.pitch.npy beside ID.mel.npy (`prepare_data.py --pitch`), None where there is none.

    Raises ValueError where it is not of the utterance's length.
    """
    path = mel_path.with_name(mel_path.name.replace(".mel.npy", ".pitch.npy"))
    if not path.exists():
        return None
    rows, durations = torch.from_numpy(np.load(path)), torch.tensor([alignment.durations])
    if rows.shape != (2, durations.sum()):
        raise ValueError(f"{path} is of another length than {mel_path}: prepare both again")
    return around_phonemes(*rows[:, None], durations)[0]


def _centred(sample: dict) -> Tensor:
    return sample["log_pitch"] - sample["log_pitch"].mean()


class WithPitch(Sequence):
    """The samples of a dataset, then a teacher's, each with `log_pitch` and `cues` (N,), read here, and `taught`.

    The pitch is that in ID.pitch.npy where there is one: the network, which learned from little, hears half of what
    the last syllables of a sentence do. Without, it is the network's.
    """

    def __init__(
        self, dataset: lj_speech.AlignedDataset, codes: Sequence[str], taught: lj_speech.AlignedDataset | None = None
    ):
        vocabulary, device = Vocabulary(codes), torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.n_own, self.dataset = len(dataset), dataset + taught if taught else dataset
        self.alignments = self.dataset.alignments
        self.log_pitch = list(map(tracked_log_pitch, self.dataset.mel_paths, self.alignments))
        untracked = [index for index, row in enumerate(self.log_pitch) if row is None]
        for first in tqdm(range(0, len(untracked), 16), desc="reading the pitch", leave=False):
            indices = untracked[first : first + 16]
            samples = [self.dataset[index] for index in indices]
            rows = read_log_pitch(collate(vocabulary, samples).to(device)).cpu()
            for index, sample, row in zip(indices, samples, rows):
                self.log_pitch[index] = row[: len(sample["phonemes_code"])]
        self.cues = [torch.tensor(match_cues(item.text, item.codes)) for item in self.alignments]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        return self.dataset[index] | self._melody(index)

    def _melody(self, index: int) -> dict:
        return {"log_pitch": self.log_pitch[index], "cues": self.cues[index], "taught": index >= self.n_own}

    def melodies(self) -> list[dict]:
        """The samples without their spectrograms, for the pitch model.

        Of several with one text the first: the recording rather than its copies. Each of the teacher's gets the
        speaker's mean, for his register is chance, and all of them her spread.
        """
        samples = [item.as_sample() | self._melody(index) for index, item in enumerate(self.alignments)]
        samples = list({(sample["text"], sample["taught"]): sample for sample in reversed(samples)}.values())
        own, taught = ([item for item in samples if item["taught"] == who] for who in (False, True))
        if taught:
            theirs, ours = (torch.cat([_centred(item) for item in items]).std() for items in (taught, own))
            middle = torch.cat([item["log_pitch"] for item in own]).mean()
            for item in taught:
                item["log_pitch"] = _centred(item) / theirs * ours + middle
        return samples
