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


class WithPitch(Sequence):
    """The samples of a dataset, each with its `log_pitch` and `cues` (N,), which are read here, once."""

    def __init__(self, dataset: lj_speech.AlignedDataset, codes: Sequence[str]):
        vocabulary, device = Vocabulary(codes), torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.dataset, self.alignments, self.log_pitch = dataset, dataset.alignments, []
        for first in tqdm(range(0, len(dataset), 16), desc="reading the pitch", leave=False):
            samples = [dataset[index] for index in range(first, min(first + 16, len(dataset)))]
            rows = read_log_pitch(collate(vocabulary, samples).to(device)).cpu()
            self.log_pitch += [row[: len(sample["phonemes_code"])] for row, sample in zip(rows, samples)]
        self.cues = [torch.tensor(match_cues(item.text, item.codes)) for item in dataset.alignments]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        return {**self.dataset[index], "log_pitch": self.log_pitch[index], "cues": self.cues[index]}

    def melodies(self) -> list[dict]:
        """The samples without their spectrograms."""
        rows = zip(self.alignments, self.log_pitch, self.cues)
        return [{**alignment.as_sample(), "log_pitch": pitch, "cues": cues} for alignment, pitch, cues in rows]


def read_taught(root: pathlib.Path, samples: Sequence[dict]) -> list[dict]:
    """The melodies that a teacher left in `root` (see `teacher`), at the mean and spread of those of `samples`.

    Raises FileNotFoundError where there are none.
    """
    taught = []
    for path in sorted(root.glob("*.json")):
        log_pitch, log_loudness = torch.from_numpy(np.load(path.with_suffix(".pitch.npy")))
        alignment = lj_speech.fit_to_length(lj_speech.read_alignment(path), len(log_pitch))
        durations = torch.tensor([alignment.durations])
        around = around_phonemes(log_pitch[None], log_loudness[None], durations)[0]
        cues = torch.tensor(match_cues(alignment.text, alignment.codes))
        taught.append({**alignment.as_sample(), "log_pitch": around, "cues": cues, "taught": True})
    if not taught:
        raise FileNotFoundError(f"no *.json in {root.resolve()}: make them with `python teacher.py --help`")
    theirs, ours = (torch.cat([sample["log_pitch"] for sample in items]) for items in (taught, samples))
    for sample in taught:
        sample["log_pitch"] = (sample["log_pitch"] - theirs.mean()) / theirs.std() * ours.std() + ours.mean()
    return taught
