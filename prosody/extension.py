"""The extension of the shipped voice: what happens at the four moments that `part2_solution.Extension` names.

    words ──> cues, rises ──(durations)──> log_pitch ──> added to the encoded phonemes; spectrogram ──> without the room
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from english import PAUSE, Word
from prosody import room, settings
from prosody.cues import UNKNOWN, match_cues, read_features, rising_ends
from prosody.melody import PitchEncoding, PitchModel
from vocoder.spectrogram import MEL_SCALE_BINS, SPECTROGRAMS_MIN


class Prosody(nn.Module):
    """Pitch, questions, the room and a second speaker. `Batch`, `Speech` and the configuration are the method's."""

    Settings, Style = settings.Settings, settings.Style

    def __init__(self, config, **fields):
        super().__init__()
        self.settings = self.Settings(**fields)
        self.pitch_model = PitchModel(len(config.vocabulary), self.settings)
        self.pitch_encoding = PitchEncoding(config.width, self.settings)
        self.speaker_embedding = nn.Embedding(2, config.width)  # the speaker's, and the second one's
        self.register_buffer("noise_floor", torch.full((MEL_SCALE_BINS,), SPECTROGRAMS_MIN))  # log-mel, of recordings

    # -------- Text ---------------------------------------------------------------------------------------------------

    def read_words(self, words: Sequence[Word]) -> dict[str, list]:
        return read_features(words)

    def read_text(self, text: str, codes: Sequence[str]) -> dict[str, list]:
        """The same for phonemes that were spoken, by whoever spoke them."""
        cues = match_cues(text, codes)
        return {"cues": cues, "rises": rising_ends(codes, cues)}

    # -------- Before the decoder -------------------------------------------------------------------------------------

    def plan(self, batch, log_durations: Tensor, style: settings.Style) -> dict[str, Tensor]:
        shift = torch.tensor(style.pitch_shift, device=batch.tokens.device)
        if "rises" in batch.features:
            shift = shift + style.question_rise * batch.features["rises"]
        speaker = torch.full_like(log_durations, style.speaker)
        told = batch._replace(features={**batch.features, "speaker": speaker})
        log_pitch = self.predict_log_pitch(told, log_durations, style.intonation)
        return {"log_pitch": log_pitch + shift * math.log(2) / 12, "speaker": speaker}

    def predict_log_pitch(self, batch, log_durations: Tensor, intonation: float = 1) -> Tensor:
        """(B, N), of Hz: `intonation` times as far from each utterance's mean as predicted."""
        unknown = torch.full_like(batch.tokens, UNKNOWN)
        cues, speaker = batch.features.get("cues", unknown), self.speaker_of(batch)
        normalised = self.pitch_model(batch.tokens, batch.token_mask, log_durations, cues, speaker).float()
        log_pitch = normalised * self.settings.log_pitch_std + self.settings.log_pitch_mean
        middle = (log_pitch * batch.token_mask).sum(1, keepdim=True) / batch.token_mask.sum(1, keepdim=True)
        return middle + intonation * (log_pitch - middle)

    def speaker_of(self, batch) -> Tensor:
        """(B, N): 0 for the speaker, who is meant where none is given, 1 for the second one; between, a mixture."""
        return batch.features.get("speaker", torch.zeros_like(batch.tokens))

    # -------- In the model -------------------------------------------------------------------------------------------

    def add_to(self, encoded: Tensor, batch) -> Tensor:
        if "log_pitch" not in batch.features:
            raise ValueError("this voice needs the log_pitch of each phoneme: from `plan`, or from `recipe.melody`")
        speaker = torch.lerp(*self.speaker_embedding.weight, self.speaker_of(batch)[..., None].float())
        return encoded + self.pitch_encoding(batch.features["log_pitch"]) + speaker

    # -------- Before the vocoder -------------------------------------------------------------------------------------

    def finish(self, speech, batch, style: settings.Style):
        """Less of the room's noise and echo, soft ends where there are pauses, and the pitch for the vocoder."""
        first, last = (speech.durations[place] * (speech.phonemes[place] == PAUSE) for place in (0, -1))
        measured, floor = speech.spectrogram.cpu().numpy(), self.noise_floor.cpu().numpy()
        spoken = room.fade(room.dry(measured, floor, *style.room), first, last)
        log_pitch = speech.alignment @ batch.features["log_pitch"][0]  # (T,)
        pitch = log_pitch.exp().clamp(self.settings.lowest_pitch, self.settings.highest_pitch)
        return speech._replace(spectrogram=torch.from_numpy(spoken).to(pitch.device), hints={"pitch": pitch})
