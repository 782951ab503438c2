"""Text or phonemes -> audio, as `part2_solution.TextToSpeechSynthesizer` does it, with onnxruntime and numpy."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import english
from english import PAUSE
from prosody import cues, room, settings
from runtime.archive import VOICE_PATH, Archive
from runtime.vocoder import Vocoder
from speech import pieces
from speech.speaker import Speaker


class Speech(NamedTuple):
    """What is said in one piece."""

    spectrogram: np.ndarray  # (80, T) log-mel, as the vocoder takes it
    phonemes: list[str]  # N codes
    durations: list[int]  # N frames
    alignment: np.ndarray  # (T, N), the weights of the upsampling
    sentence: int = 0  # which one of the text
    words: Sequence[english.Word] = ()  # all of this sentence
    hints: Mapping[str, np.ndarray] = {}  # for the vocoder, by name


class Plain:
    """A voice of the method alone: nothing to say of the melody, and no style. See `part2_solution.Extension`."""

    @dataclass(frozen=True)
    class Style:
        pass

    def read_words(self, words: Sequence[english.Word]) -> dict[str, list]:
        return {}

    def plan(self, tokens: np.ndarray, features: Mapping[str, Sequence], style) -> dict[str, np.ndarray]:
        """More inputs of the graph `spectrogram`."""
        return {}

    def finish(self, speech: Speech, style, pitch: np.ndarray | None = None) -> Speech:
        """The spectrogram as it is spoken, and hints for the vocoder, from more outputs of that graph."""
        return speech


class Prosody(Plain):
    """See `prosody.extension.Prosody`; the pitch model is in the graph."""

    Style = settings.Style

    def __init__(self, noise_floor: Sequence[float]):
        self.noise_floor = np.array(noise_floor, np.float32)

    def read_words(self, words: Sequence[english.Word]) -> dict[str, list]:
        return cues.read_features(words)

    def plan(self, tokens: np.ndarray, features: Mapping[str, Sequence], style) -> dict[str, np.ndarray]:
        n, names = len(tokens), ("pitch_shift", "intonation", "question_rise", "speaker")
        numbers = {name: np.array(getattr(style, name), np.float32) for name in names}
        read = np.array(features.get("cues", [cues.UNKNOWN] * n), np.int64)
        rises = np.array(features.get("rises", [0.0] * n), np.float32)
        return {"tokens": tokens, "cues": read, "rises": rises, **numbers}

    def finish(self, speech: Speech, style: settings.Style, pitch: np.ndarray | None = None) -> Speech:
        first, last = (speech.durations[place] * (speech.phonemes[place] == PAUSE) for place in (0, -1))
        dry = room.dry(speech.spectrogram, self.noise_floor, *style.room)
        return speech._replace(spectrogram=room.fade(dry, first, last), hints={"pitch": pitch})


class TextToSpeechSynthesizer(Speaker):
    """A trained voice: text or phonemes to audio, on the CPU, without PyTorch.

    audio = TextToSpeechSynthesizer().synthesize_from_text("Hello there.")  # numpy, (1, t), 22 050 Hz
    `speak` and `stream` of `Speaker` also tell when each word and phoneme is heard, and take settings for one text.
    `tempo`, pauses and `style` may change at any time: voice.style = replace(voice.style, ...)
    """

    PACE = 0.95  # of a tempo of 1: predicted durations are near the median, which is below the mean

    def __init__(
        self, path: str | pathlib.Path = VOICE_PATH, vocoder: Callable | None = None, threads: int | None = None,
        precision: str = "auto",
    ):  # fmt: skip
        """`path` is a file of `python -m recipe export`. `vocoder` maps (80, T) log-mel and hints to audio (1, t).

        `threads` are 1 by default; with 2, a text of several sentences takes two thirds of the time.
        `precision` is "float32", "int8", or "auto" for int8 where the processor is fast with it: no judge hears it.
        Raises FileNotFoundError or ValueError for a missing or unusable file.
        """
        self.threads = pieces.check_threads(1 if threads is None else threads)
        archive = Archive(path, max(1, self.threads - 1), precision)  # one of several predicts the next sentence
        self.max_phonemes, self.max_frames = archive.model.max_phonemes, archive.model.max_frames
        self.vocabulary = pieces.Vocabulary(archive.model.vocabulary)
        self.extension = Prosody(archive.noise_floor) if archive.noise_floor else Plain()
        self.style = self.extension.Style()
        self.phonemes, self.spectrogram = archive.network("phonemes"), archive.network("spectrogram")
        self.vocoder = vocoder or Vocoder(archive)

    def synthesize_many(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """The audio of each text, in order. On a CPU, batches would gain nothing: one after the other."""
        return (self.synthesize_from_text(text) for text in texts)

    def predict_text(self, text: str, custom_words: Mapping = {}, progress: bool = False) -> Iterator[Speech]:
        """With several threads, the next sentence is predicted while this one becomes audio."""
        speeches = super().predict_text(text, custom_words, progress)
        return speeches if self.threads == 1 else pieces.one_ahead(speeches)

    def vocode(self, speech: Speech) -> np.ndarray:
        """What `predict` returns -> audio (1, t)."""
        return self.vocoder(speech.spectrogram, **speech.hints)

    def predict_batch(self, requests: Sequence[pieces.Request]) -> list[Speech | int]:
        """What each is spoken as, or its number of frames where that is 0 or more than the model reaches."""
        return [self._predict(each.phonemes, each.durations, each.features) for each in requests]

    def _predict(self, phonemes: list[str], durations: list[int] | None, features: Mapping) -> Speech | int:
        tokens = np.array(self.vocabulary.encode(phonemes), np.int64)
        read = self.phonemes(tokens=tokens)
        if durations is None:
            durations = pieces.round_durations(read["frames"], self.PACE * self.tempo)
        n_frames = sum(durations)
        if not 0 < n_frames <= self.max_frames:
            return n_frames
        planned = self.extension.plan(tokens, features, self.style)
        spoken = self.spectrogram(encoded=read["encoded"], durations=np.array(durations, np.float32), **planned)
        speech = Speech(spoken.pop("mels").T, phonemes, durations, spoken.pop("alignment"))
        return self.extension.finish(speech, self.style, **spoken)
