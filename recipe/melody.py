"""The pitch of recordings, and the features that a voice with `prosody` learns from.

    mels (B, T, M) ──network of the vocoder──> log pitch (B, N) around each phoneme
    ID.pitch.npy, tracked by Praat ───────────> the same, where it is there: it hears more of the ends of sentences
"""

from __future__ import annotations

import functools
import math
import operator
import pathlib
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

import lj_speech
from lj_speech import SPECTROGRAMS_MIN
from part2_solution import AcousticModel, Batch, Vocabulary, collate, denormalise, masked_mean
from prosody.cues import match_cues
from prosody.extension import Prosody
from vocoder import network, stored

QUIET_PART = 1 / 16  # of the frames of recordings: these are pauses


# -------- Pitch of a spectrogram -------------------------------------------------------------------------------------


@functools.cache
def pitch_reader(device: torch.device) -> network.Vocoder:
    """The network of our vocoder, which reads the pitch in spectrograms."""
    return network.load(device=device)


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
    """The log pitch (N,) from the ID.pitch.npy beside ID.mel.npy (`recipe prepare --pitch`), None where there is none.

    Raises ValueError where it holds anything else, or is not of the utterance's length.
    """
    path = mel_path.with_name(mel_path.name.replace(".mel.npy", ".pitch.npy"))
    if not path.exists():
        return None
    rows, durations = torch.from_numpy(stored.read_pitch(path)), torch.tensor([alignment.durations])
    if rows.shape[1] != durations.sum():
        raise ValueError(f"{path} is of another length than {mel_path}: prepare both again")
    return around_phonemes(*rows[:, None], durations)[0]


# -------- Samples with features --------------------------------------------------------------------------------------


class WithFeatures(lj_speech.AlignmentDataset):
    """The samples of a dataset, each with `features`, (N,) by name: `log_pitch`, `cues` and `speaker`."""

    def __init__(self, dataset: lj_speech.AlignmentDataset, features: Sequence[Mapping[str, Tensor]]):
        super().__init__(dataset.alignments)
        self.dataset, self.features = dataset, list(features)

    def __getitem__(self, index: int) -> dict:
        return {**self.dataset[index], "features": self.features[index]}

    def __add__(self, other: WithFeatures) -> WithFeatures:
        return WithFeatures(self.dataset + other.dataset, self.features + other.features)

    def __mul__(self, n: int) -> WithFeatures:
        """Each sample `n` times, n > 0."""
        return functools.reduce(operator.add, [self] * n)

    def where(self, wanted: Sequence[int]) -> WithFeatures:
        """The samples at these places, without spectrograms."""
        alignments = lj_speech.AlignmentDataset([self.alignments[index] for index in wanted])
        return WithFeatures(alignments, [self.features[index] for index in wanted])


def read_features(dataset: lj_speech.AlignedDataset, codes: Sequence[str], speaker: int = 0) -> WithFeatures:
    """The pitch is that in ID.pitch.npy where there is one, else what our vocoder's network reads."""
    vocabulary, device = Vocabulary(codes), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    log_pitch = [tracked_log_pitch(*pair) for pair in zip(dataset.mel_paths, dataset.alignments)]
    untracked = [index for index, row in enumerate(log_pitch) if row is None]
    for first in tqdm(range(0, len(untracked), 16), desc="reading the pitch", leave=False):
        indices = untracked[first : first + 16]
        samples = [dataset[index] for index in indices]
        rows = read_log_pitch(collate(vocabulary, samples).to(device)).cpu()
        for index, sample, row in zip(indices, samples, rows):
            log_pitch[index] = row[: len(sample["phonemes_code"])]
    features = [
        {"log_pitch": row, "cues": torch.tensor(match_cues(item.text, item.codes)),
         "speaker": torch.full((len(item.codes),), speaker)}
        for row, item in zip(log_pitch, dataset.alignments)
    ]  # fmt: skip
    return WithFeatures(dataset, features)


def recorded(dataset: lj_speech.AlignedDataset, model: AcousticModel) -> Sequence:
    """The samples of a dataset with what this model needs to speak them as they were recorded."""
    return read_features(dataset, model.config.vocabulary) if isinstance(model.extension, Prosody) else dataset


def melodies(recordings: WithFeatures) -> WithFeatures:
    """The samples without their spectrograms, for the pitch model.

    Of several with one text and speaker the first: the recording rather than its copies. Each of the second speaker's
    gets the speaker's mean, for his register is chance, and all of them her spread.
    """
    first = {}
    for index, (item, features) in enumerate(zip(recordings.alignments, recordings.features)):
        first.setdefault((item.text, int(features["speaker"][0])), index)
    places = {who: [index for (_, speaker), index in first.items() if speaker == who] for who in (0, 1)}
    own, second = (recordings.where(places[who]) for who in (0, 1))
    if len(second) == 0:
        return own
    ours, theirs = ([row["log_pitch"] for row in part.features] for part in (own, second))
    spreads = [torch.cat([row - row.mean() for row in rows]).std() for rows in (ours, theirs)]
    middle = torch.cat(ours).mean()
    moved = [(row - row.mean()) / spreads[1] * spreads[0] + middle for row in theirs]
    second = WithFeatures(second.dataset, [{**old, "log_pitch": row} for old, row in zip(second.features, moved)])
    return own + second


def read_noise_floor(dataset: Sequence[Mapping], n_utterances: int = 200) -> Tensor:
    """Samples of `lj_speech.get_dataset`, of which some are read -> (80,) mean of the quietest frames."""
    chosen = range(0, len(dataset), max(1, len(dataset) // n_utterances))
    frames = torch.cat([torch.as_tensor(dataset[index]["spectrogram"]).float() for index in chosen], dim=1)
    loudness = frames.exp().sum(0)
    n_quiet = max(1, round(len(loudness) * QUIET_PART))
    return frames[:, loudness.argsort()[:n_quiet]].mean(1)


# -------- What the pitch model learns --------------------------------------------------------------------------------


def predict_log_pitch(model: AcousticModel, batch: Batch, intonation: float = 1) -> Tensor:
    """(B, N), of Hz."""
    log_durations = model.normalise_durations(batch.durations)
    return model.extension.predict_log_pitch(batch, log_durations, intonation)


def pitch_loss(model: AcousticModel, batch: Batch) -> dict[str, Tensor]:
    """L2 of the normalised log pitch; nothing but the pitch model gets a gradient."""
    error = (predict_log_pitch(model, batch) - batch.features["log_pitch"]) / model.extension.settings.log_pitch_std
    return {"loss": masked_mean(error.square(), batch.token_mask)}
