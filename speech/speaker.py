"""What every engine can do with a text, given what it predicts: speak it as one record, or piece by piece."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

import english
from speech import pieces, record
from speech.record import Phoneme, Record, Word
from speech.settings import Setting, check_custom_words
from speech.written import PARAGRAPH_BREAK, Places
from vocoder.spectrogram import SAMPLING_RATE, SPECTROGRAMS_MIN, STFT_HOP_LENGTH


class Speaker:
    """A voice: what `part2_solution` and `runtime` have in common. An engine has these attributes and methods:

    vocabulary, max_phonemes, max_frames, style, extension.read_words
    predict_batch(requests)     -> for each `pieces.Request` its speech, or its number of frames where there is none.
                                A speech has a spectrogram (80, T), phonemes, durations, hints for the vocoder, sentence
                                (which one of the text) and words (all of it, as `english.spoken_words`)
    vocode(speech)              -> audio (1, t)
    vocoder.stream(spectrogram, chunk, **hints) -> the same in pieces
    """

    returned = staticmethod(np.asarray)  # an engine may return audio as something else

    tempo = Setting(1.0, 0.1, 10, "0.5 speaks half as fast, 2 twice as fast")
    sentence_pause = Setting(0.25, 0, 60, "seconds of silence between sentences, on top of the pauses at their ends")
    paragraph_pause = Setting(0.6, 0, 60, "seconds of silence between paragraphs")

    @classmethod
    def _general_settings(cls) -> dict[str, Setting]:
        return {name: value for name, value in vars(Speaker).items() if isinstance(value, Setting)}

    def settings(self) -> dict[str, dict]:
        """All that `with_settings` takes: each with its value now and its range."""
        found = {name: (getattr(self, name), *setting.range) for name, setting in self._general_settings().items()}
        for field in dataclasses.fields(self.style):
            found[field.name] = getattr(self.style, field.name), *self.style.RANGES[field.name]
        return {name: dict(zip(("value", "lowest", "highest"), numbers)) for name, numbers in found.items()}

    def with_settings(self, **settings):
        """The same voice with other settings; this one keeps its own. None leaves a setting as it is.

        Settings are `tempo`, `sentence_pause`, `paragraph_pause` and the fields of `style`.
        Raises TypeError for a setting that there is not and for what is no number, ValueError for one out of range.
        """
        settings = {name: value for name, value in settings.items() if value is not None}
        if not settings:
            return copy.copy(self)
        general = list(self._general_settings())
        of_style = [field.name for field in dataclasses.fields(self.style)]
        unknown = [name for name in settings if name not in (*general, *of_style)]
        if unknown:
            raise TypeError(f"there is no setting {', '.join(unknown)}: this voice has {', '.join(general + of_style)}")
        voice = copy.copy(self)
        for name in settings.keys() & general:
            setattr(voice, name, settings[name])
        voice.style = dataclasses.replace(self.style, **{name: settings[name] for name in settings.keys() & of_style})
        return voice

    def speak(self, text: str, *, custom_words: Mapping | None = None, progress: bool = False, **settings) -> Record:
        """English text -> what is said, with its times. `settings` are as in `with_settings`, for this text alone.

        Raises TypeError where `text` is no str, ValueError where it holds nothing to say.
        """
        voice, custom_words = self.with_settings(**settings), check_custom_words(custom_words)
        return record.join(voice._say(voice.predict_text(text, custom_words, progress), text, voice._whole))

    def stream(
        self, text: str, *, custom_words: Mapping | None = None, chunk: int = 32, progress: bool = False, **settings
    ) -> Iterator[Record]:
        """The same piece by piece, each as soon as it is ready, the first of `chunk` frames. Their times add up: they
        count from the beginning of the text."""
        voice, custom_words = self.with_settings(**settings), check_custom_words(custom_words)
        return voice._say(voice.predict_text(text, custom_words, progress), text, voice._in_chunks(chunk))

    def speak_phonemes(self, phonemes: list[str], durations: list[int] | None = None, **settings) -> Record:
        """Phoneme codes -> what is said; there are no words in it. `durations` as in `synthesize_from_phonemes`."""
        voice = self.with_settings(**settings)
        return record.join(voice._say(voice.predict(phonemes, durations), "", voice._whole))

    def stream_phonemes(self, phonemes: list[str], chunk: int = 32, **settings) -> Iterator[Record]:
        """The same piece by piece."""
        voice = self.with_settings(**settings)
        return voice._say(voice.predict(phonemes), "", voice._in_chunks(chunk))

    # -------- Audio alone --------------------------------------------------------------------------------------------

    def synthesize_from_text(self, text: str, custom_words: Mapping = {}, progress: bool = False):
        """English text -> audio (1, t) float32 in [-1, 1], 22 050 Hz, on the CPU; `progress` shows a bar.

        Raises TypeError where `text` is no str, ValueError where it holds nothing to say.
        """
        return self.returned(self.speak(text, custom_words=custom_words, progress=progress).audio)

    def stream_from_text(self, text: str, custom_words: Mapping = {}, chunk: int = 32) -> Iterator:
        """The same audio in pieces (1, n), the first of `chunk` frames; needs a vocoder that has `stream`."""
        for piece in self.stream(text, custom_words=custom_words, chunk=chunk):
            yield self.returned(piece.audio)

    def synthesize_from_phonemes(self, phonemes: list[str], durations: list[int] | None = None):
        """N phoneme codes, any number -> audio (1, t); `durations`, N numbers of frames, replace the predicted ones.

        Raises TypeError or ValueError for anything that is not such lists.
        """
        return self.returned(self.speak_phonemes(phonemes, durations).audio)

    # -------- Predictions --------------------------------------------------------------------------------------------

    def read(self, text: str, custom_words: Mapping = {}) -> list[pieces.Request]:
        """One request for each sentence."""
        sentences = english.spoken_words(text, custom_words)
        return [pieces.Request(english.codes_of(words), None, self.extension.read_words(words), words)
                for words in sentences]  # fmt: skip

    def predict_text(self, text: str, custom_words: Mapping = {}, progress: bool = False) -> Iterator:
        """What `synthesize_from_text` gives to the vocoder, in order, each as soon as it is predicted."""
        requests = self.read(text, custom_words)
        if progress:
            from tqdm.auto import tqdm

            requests = tqdm(requests, unit="sentence", delay=1)
        for index, request in enumerate(requests):
            for speech in pieces.predict_in_pieces(self.predict_batch, request, self.max_phonemes):
                yield speech._replace(sentence=index, words=request.words)

    def predict(self, phonemes: list, durations: list | None = None, features: Mapping = {}) -> list:
        """What `synthesize_from_phonemes` gives to the vocoder. `features` are the extension's, N values each."""
        self.vocabulary.encode(pieces.check_phonemes(phonemes))  # names the unknown before anything is computed
        request = pieces.Request(phonemes, durations, features).checked(self.max_frames)
        return list(pieces.predict_in_pieces(self.predict_batch, request, self.max_phonemes))

    # -------- Pieces of speech ---------------------------------------------------------------------------------------

    def join(self, speeches: Iterable) -> Record:
        """What `predict_text` gives -> what is said."""
        return record.join(self._say(speeches, "", self._whole))

    # -------- Pieces of audio ----------------------------------------------------------------------------------------

    def _whole(self, speech) -> Iterable:
        return [self.vocode(speech)]

    def _in_chunks(self, chunk: int) -> Callable:
        chunk = pieces.check_chunk(chunk)
        return lambda speech: self.vocoder.stream(speech.spectrogram, chunk, **speech.hints)

    def _say(self, speeches: Iterable, text: str, vocode: Callable) -> Iterator[Record]:
        """A record for each piece of audio, and for each silence between sentences."""
        timeline = Timeline(text)
        for speech in speeches:
            pause = timeline.begin(speech)
            if pause is not None:
                seconds = self.paragraph_pause if pause == "paragraph" else self.sentence_pause
                yield timeline.silence(round(seconds * SAMPLING_RATE))
            for audio in vocode(speech):
                audio = as_array(audio)
                if not np.isfinite(audio).all():
                    raise ValueError("the vocoder gives audio with NaN or infinity: take another one")
                yield timeline.advance(audio)


class Timeline:
    """Where in time each piece of a text is. Counts samples, for sums of seconds are never exact."""

    def __init__(self, text: str):
        self.text, self.places = text, Places(text if isinstance(text, str) else "")
        self.n_samples = self.n_frames = 0  # so far, with silence
        self.sentence: int | None = None
        self.places_of_words: Sequence[tuple[int, int]] = []
        self.spoken: list[Phoneme] = []  # of this sentence
        self.n_words = 0  # of this sentence that have been told

    def begin(self, speech) -> str | None:
        """Take the next thing that is said. What has to be silent before it: None, a "sentence" or a "paragraph"."""
        pause = None
        if speech.sentence != self.sentence:
            before = self.places_of_words[-1][1] if self.places_of_words else 0
            ended = getattr(self.speech.words, "ends_paragraph", None) if self.sentence is not None else None
            self.places_of_words = self.places.find(speech.words) if self.text else [(0, 0)] * len(speech.words)
            if self.sentence is not None:
                ended = self._breaks(speech.words, before) if ended is None else ended
                pause = "paragraph" if ended else "sentence"
            self.sentence, self.spoken, self.n_words = speech.sentence, [], 0
        self.speech, self.frames_told = speech, 0
        self.spectrogram = as_array(speech.spectrogram)
        self.phonemes: list[Phoneme] = []  # of this piece, still to be told
        self.words: list[Word] = []
        self.is_timed = False
        return pause

    def _breaks(self, words: Sequence, before: int) -> bool:
        """Does a paragraph begin with these words? `before` is where the sentence before them ends in the text."""
        begin = max(before, self.places_of_words[0][0]) if words else before
        return PARAGRAPH_BREAK.search(self.text, before, begin) is not None

    def _time(self) -> None:
        """Phonemes of what is said now, and the words that it completes."""
        first, frame = self.n_samples, 0
        for code, frames in zip(self.speech.phonemes, self.speech.durations):
            start, end = (first + STFT_HOP_LENGTH * place for place in (frame, frame + frames))
            self.phonemes.append(Phoneme(code, start / SAMPLING_RATE, end / SAMPLING_RATE, frames))
            frame += frames
        self.spoken += self.phonemes
        place = sum(len(word.codes) for word in self.speech.words[: self.n_words])
        for word, characters in list(zip(self.speech.words, self.places_of_words))[self.n_words :]:
            phonemes = self.spoken[place : place + len(word.codes)]
            if len(phonemes) < len(word.codes):
                break  # the rest of it is in the next piece
            place, self.n_words = place + len(word.codes), self.n_words + 1
            if any(phoneme.code != "pau" for phoneme in phonemes):
                spoken = self.text[slice(*characters)] if word.source == "custom" else word.text
                times = phonemes[0].start, phonemes[-1].end
                self.words.append(Word(spoken, *times, phonemes, characters, self.sentence))
        self.is_timed = True

    def advance(self, audio: np.ndarray) -> Record:
        """The next piece of audio (1, n) of what is said, with the words and phonemes that begin in it."""
        if not self.is_timed:
            self._time()
        start, end = self.n_samples, self.n_samples + audio.shape[1]
        frames = self.spectrogram[:, self.frames_told :][:, : round(audio.shape[1] / STFT_HOP_LENGTH)]
        self.frames_told += frames.shape[1]
        self.n_frames, self.n_samples = self.n_frames + frames.shape[1], end
        is_last = self.frames_told == self.spectrogram.shape[1]
        until = math.inf if is_last else end / SAMPLING_RATE
        words, self.words = _before(self.words, until)
        phonemes, self.phonemes = _before(self.phonemes, until)
        return Record(self.text, audio, words, phonemes, frames, start / SAMPLING_RATE)

    def silence(self, n_samples: int) -> Record:
        start = self.n_samples
        self.n_samples += n_samples
        n_frames = round(self.n_samples / STFT_HOP_LENGTH) - self.n_frames
        self.n_frames += n_frames
        return record.silence(self.text, n_samples, n_frames, start / SAMPLING_RATE, SPECTROGRAMS_MIN)


def as_array(values) -> np.ndarray:
    """A tensor on any device, or an array -> float32 array."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values, dtype=np.float32)


def _before(items: list, time: float) -> tuple[list, list]:
    """Those that begin before a time, and the others."""
    n = sum(item.start < time for item in items)
    return items[:n], items[n:]
