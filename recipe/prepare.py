"""Make the dataset folder `LJ-Speech-aligned/` from recordings, transcripts and alignments.

    recording -- resample -- log-mel spectrogram ------------------------------> ID.mel.npy  float32 (80, T)
    transcript --.
    alignment ---+- unknown words spelled out - pauses from gaps - verified ---> ID.json     phones in milliseconds
    recording -- Praat, with --pitch ------------------------------------------> ID.pitch.npy  float32 (2, T)

Recordings: WAV or FLAC files of one speaker, in a folder and the folders below it; the file's name is the ID.
Transcripts: `metadata.csv` (ID|text|normalised text), a CSV with the columns id and text, or ID.txt / ID.lab files.
Alignments: JSON lines (`id`, `n_samples` at 22 050 Hz, `words` and `phones` as [label, start_s, end_s]), a folder of
TextGrids as the Montreal Forced Aligner (MFA) writes them, or none: then pocketsphinx aligns the recordings with the
pronunciations of `english`, which are those of synthesis.

ID.pitch.npy holds the pitch, log of Hz, and log loudness, -inf where there is no voice. Without it `recipe.melody`
reads the pitch in the spectrograms.

An utterance that fails a check is left out, with the reason in the summary and in `skipped.txt`. A run that was
stopped resumes: complete utterances are not done again; to start afresh, delete the folder.

    python -m recipe prepare --audio LJSpeech-1.1 --alignments alignments.jsonl.gz --out LJ-Speech-aligned
    python -m recipe prepare --download corpora --out LJ-Speech-aligned
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import pathlib
import pickle
import re
import signal
import struct
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import groupby
from multiprocessing import get_context
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
import torchaudio
from tqdm import tqdm

import english
from recipe import command_line
from vocoder import stored
from vocoder.spectrogram import FFT_SIZE, SAMPLING_RATE, STFT_HOP_LENGTH, mel_spectrogram
from vocoder.weights import write_atomically

# -------- Conventions and records -------------------------------------------------------------------------------------

AUDIO_SUFFIXES = {".wav", ".flac"}
TRANSCRIPT_SUFFIXES = {".txt", ".lab"}
PAUSE_LABELS = {"", "sp", "sil", "SIL", "<eps>", english.PAUSE}
UNKNOWN_WORD, UNKNOWN_PHONE = "<unk>", "spn"
LETTERS = r"[^\W\d_]+"
FILE_NAME = re.compile(r"[^/\\\x00-\x1f\ud800-\udfff]{1,60}")  # an ID becomes one
DASH = "--"  # the aligner may take it for a word it does not know

MIN_PAUSE = 0.02  # s; a shorter gap is rounding and belongs to the phoneme before it
MIN_PHONEME = 0.03  # s; with less for each, a spelling cannot be what was said
MIN_AMPLITUDE, MAX_AMPLITUDE = 1e-3, 2.0  # a recording below is silent, one above was not scaled to [-1, 1]
MIN_RATE = 16000  # Hz; with less, the upper mel bands hear nothing
MAX_RESAMPLING = 1_000_000  # weights of a filter; rates that have no common divisor with ours need 2 GB
MAX_SAMPLES = 60_000_000  # of a recording, all channels together
WAV_OPEN_END = 0x7FF00000  # bytes; programs that write into a pipe claim to write more
MAX_CLIPPED = 0.05  # of the samples of a recording, at full scale
PITCH_LIMITS = 75.0, 450.0  # Hz, where Praat looks for the pitch
LENGTH_TOLERANCE = 0.05  # s between recording and alignment
ALIGNER_RATE = 16000  # Hz, what pocketsphinx' acoustic model was trained on
ALIGNER_FRAMES_PER_SECOND = 100
ALIGNER_DELAY = 0.018  # s by which its boundaries come too early, measured against MFA on LJ Speech


class Segment(NamedTuple):
    """A labelled stretch of time, in seconds."""

    label: str
    start: float
    end: float


class Alignment(NamedTuple):
    """What is said when; pauses may be labelled or just missing."""

    words: list[Segment]
    phones: list[Segment]
    seconds: float  # length of the recording


class Job(NamedTuple):
    """All that a worker needs to make one utterance."""

    id: str
    text: str
    audio: pathlib.Path | None  # None: write the JSON alone
    alignment: str | pathlib.Path | None  # a JSON line, a TextGrid, or None: align here
    out: pathlib.Path
    pitch: bool = False  # track it too


@dataclass(frozen=True)
class Summary:
    """What `prepare` did: IDs written now, IDs that were complete already, and why the others were left out."""

    written: list[str]
    kept: list[str]
    skipped: dict[str, str]  # ID -> "reason: details"

    def __str__(self) -> str:
        reasons = Counter(reason.partition(":")[0] for reason in self.skipped.values())
        counts = f"{len(self.written)} utterances written, {len(self.kept)} were there, {len(self.skipped)} skipped"
        return "\n".join([counts, *(f"{count:7d}  {reason}" for reason, count in reasons.most_common())])


# -------- Sound -------------------------------------------------------------------------------------------------------


def resample(audio: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """(t,) float32 at one rate -> at another."""
    return torchaudio.functional.resample(torch.from_numpy(audio), rate, new_rate).numpy()


def check_format(file: soundfile.SoundFile) -> None:
    """Raises ValueError for a recording that cannot be used, before it is read."""
    divisor = math.gcd(file.samplerate, SAMPLING_RATE)
    if file.samplerate < MIN_RATE:
        raise ValueError(f"recording has too low a rate: {file.samplerate} Hz, expected at least {MIN_RATE}")
    if file.samplerate * SAMPLING_RATE > MAX_RESAMPLING * divisor**2:
        raise ValueError(f"recording has an unusual rate: {file.samplerate} Hz, convert it to {SAMPLING_RATE}")
    if file.frames > stored.MOST_SECONDS * file.samplerate or file.frames * file.channels > MAX_SAMPLES:
        raise ValueError(f"recording is too long: {file.frames / file.samplerate:.0f} s, cut it into sentences")


def check_whole(path: pathlib.Path) -> None:
    """Raises ValueError for what is no file, and for a WAV that is shorter than it says: it would just be cut off."""
    if not path.is_file():
        raise ValueError(f"recording cannot be read: {path} is no ordinary file")
    with path.open("rb") as file:
        head = file.read(8)
    kind, size = struct.unpack("<4sI", head.ljust(8, b"\0"))
    if kind == b"RIFF" and path.stat().st_size + 1 < size + 8 < WAV_OPEN_END:
        raise ValueError(f"recording ends early: {path.stat().st_size} bytes of {size + 8}")


def check_samples(samples: np.ndarray) -> None:
    """Raises ValueError for (t, channels) samples that are none, whose scale is wrong, or that are clipped."""
    amplitudes = np.abs(samples)
    if amplitudes.size == 0:
        raise ValueError("recording is too short: 0 samples")
    if (amplitudes > MAX_AMPLITUDE).any():
        raise ValueError(f"recording is out of range: up to {amplitudes.max():.3g}, expected -1 to 1")
    if (clipped := (amplitudes > 0.999).mean()) > MAX_CLIPPED:
        raise ValueError(f"recording is clipped: {clipped:.0%} of its samples are at full scale")


def read_audio(path: pathlib.Path) -> np.ndarray:
    """Read a sound file as (t,) float32 samples in [-1, 1], mixed to mono, at SAMPLING_RATE.

    Raises ValueError where it is broken or nothing to learn from. (torchaudio.load would need torchcodec.)
    """
    try:
        check_whole(path)
        with soundfile.SoundFile(path) as file:
            check_format(file)
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        raise ValueError(f"recording cannot be read: {error}") from error
    check_samples(samples)
    return resample(samples.mean(axis=1), rate, SAMPLING_RATE)


# -------- Input files -------------------------------------------------------------------------------------------------


def read_lines(path: pathlib.Path) -> Iterator[str]:
    """The lines of a text file, which may be gzipped. Raises FileNotFoundError or ValueError that names it."""
    with stored.opened(path, math.inf, "give a text file") as packed:
        try:
            with gzip.open(packed) if path.suffix == ".gz" else packed as file:
                while line := file.readline(stored.MOST_JSON_BYTES):
                    if len(line) == stored.MOST_JSON_BYTES:
                        raise ValueError(f"a line of it is longer than {len(line)} bytes")
                    yield line.decode("utf-8")
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is no intact text in UTF-8: {error}") from error


def find_audio(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The recordings in `folder` and below, by ID (the file's name). Raises FileNotFoundError where there is none."""
    files = {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES}
    if not files:
        raise FileNotFoundError(f"no WAV or FLAC file in {folder.resolve()}: give the folder of the recordings")
    return files


def read_transcripts(path: pathlib.Path) -> dict[str, str]:
    """Texts by ID, from `metadata.csv` (the last column counts), a CSV with id and text, or a folder of ID.txt, ID.lab.

    The file may be gzipped. Raises FileNotFoundError or ValueError where there is none.
    """
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.suffix in TRANSCRIPT_SUFFIXES]
        texts = {file.stem: "".join(read_lines(file)) for file in files}
    else:
        try:
            texts = _read_table(path)
        except csv.Error as error:
            raise ValueError(f"{path} cannot be read as lines ID|text or a CSV: {error}") from error
    texts = {identifier: text.strip() for identifier, text in texts.items() if text.strip()}
    if not texts:
        raise ValueError(f"no transcripts in {path.resolve()}: need lines ID|text, a CSV with id and text, or ID.txt")
    return texts


def _read_table(path: pathlib.Path) -> dict[str, str]:
    if "|" in next(read_lines(path), ""):
        rows = csv.reader(read_lines(path), delimiter="|", quoting=csv.QUOTE_NONE)
        return {row[0]: row[-1] for row in rows if len(row) > 1}
    rows = csv.DictReader(read_lines(path))
    return {row["id"]: row["text"] or "" for row in rows if {"id", "text"} <= row.keys()}


def find_alignments(path: pathlib.Path) -> dict[str, str | pathlib.Path]:
    """Alignments by ID, still to be read: lines of a JSON lines file (may be gzipped) or TextGrids of a folder.

    Raises FileNotFoundError or ValueError where there is none.
    """
    if path.is_dir():
        found: dict[str, str | pathlib.Path] = {grid.stem: grid for grid in sorted(path.rglob("*.TextGrid"))}
    else:
        lines = enumerate(read_lines(path), 1)
        found = {_alignment_id(line, path, number): line for number, line in lines if line.strip()}
    if not found:
        raise ValueError(f"no alignments in {path.resolve()}: expected JSON lines or a folder of TextGrids")
    return found


def _alignment_id(line: str, path: pathlib.Path, number: int) -> str:
    try:
        identifier = stored.parse_json(line)["id"]
        if not FILE_NAME.fullmatch(identifier):
            raise ValueError(f"{identifier!r:.80} is no file name")
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path}, line {number} is no JSON object with an id ({error!r:.200})") from error
    return identifier


def parse_alignment_line(line: str) -> Alignment:
    """Read one JSON line. Raises ValueError where it has another form."""
    try:
        record = stored.parse_json(line)
        words, phones = ([Segment(str(label), float(start), float(end)) for label, start, end in record[tier]]
                         for tier in ("words", "phones"))  # fmt: skip
        return Alignment(words, phones, record["n_samples"] / SAMPLING_RATE)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise ValueError(f"alignment cannot be read: {error!r:.200}") from error


def read_textgrid(path: pathlib.Path) -> Alignment:
    """Read the tiers "words" and "phones" of a TextGrid, long or short form. Raises ValueError for another content."""
    try:
        from praatio import textgrid
    except ImportError as error:
        raise ModuleNotFoundError("TextGrids need praatio: pip install praatio") from error
    try:
        if not path.is_file():
            raise ValueError("it is no ordinary file")
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        words, phones = ([Segment(entry.label, entry.start, entry.end) for entry in grid.getTier(tier).entries]
                         for tier in ("words", "phones"))  # fmt: skip
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"TextGrid has no readable tiers words and phones: {error!r}") from error
    return Alignment(words, phones, grid.maxTimestamp)


# -------- Forced alignment --------------------------------------------------------------------------------------------


@cache
def _decoder() -> Any:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        advice = "aligning recordings needs pocketsphinx: pip install -r requirements-data.txt"
        raise ModuleNotFoundError(advice) from error
    # Without a language model it aligns only; its search for the best path fails on a quarter of LJ Speech.
    return Decoder(lm=None, silprob=0.1, bestpath=False, loglevel="FATAL")


def _decode(samples: bytes) -> None:
    _decoder().reinit_feat()  # it learns the noise of what it hears: else the result depends on what it heard before
    _decoder().start_utt()
    _decoder().process_raw(samples, full_utt=True)
    _decoder().end_utt()


def force_align(audio: np.ndarray, pronunciations: Sequence[Sequence[str]]) -> Alignment:
    """Find when the phonemes are spoken, with pocketsphinx: first the words, then the phonemes within them.

    `audio` is (t,) at SAMPLING_RATE, `pronunciations` are the phonemes of each word; the result has just these, with
    their stress, and leaves pauses out. Raises ValueError where no path through the recording is found.
    """
    decoder, seconds = _decoder(), len(audio) / SAMPLING_RATE
    names = ["-".join(codes) for codes in pronunciations]  # a name per pronunciation: no variants to choose from
    for name, codes in zip(names, pronunciations):
        if decoder.lookup_word(name) is None:
            decoder.add_word(name, " ".join(code.rstrip("012") for code in codes), False)
    resampled = resample(audio, SAMPLING_RATE, ALIGNER_RATE)
    samples = (resampled.clip(-1, 1) * 32767).astype(np.int16).tobytes()
    try:
        decoder.set_align_text(" ".join(names))
        _decode(samples)
        decoder.set_alignment()
        _decode(samples)
        found = [phone for word in decoder.get_alignment() if word.name in names for phone in word]
    except (RuntimeError, TypeError) as error:  # TypeError: there is no alignment to iterate over
        raise ValueError(f"aligner finds no path: {error}") from error
    codes = [code for word in pronunciations for code in word]
    if [phone.name for phone in found] != [code.rstrip("012") for code in codes]:
        raise ValueError("aligner finds no path: it stopped before the last word")
    starts = [phone.start / ALIGNER_FRAMES_PER_SECOND + ALIGNER_DELAY for phone in found]
    ends = [start + phone.duration / ALIGNER_FRAMES_PER_SECOND for start, phone in zip(starts, found)]
    phones = [Segment(*phone) for phone in zip(codes, starts, np.minimum(ends, seconds).tolist())]
    edges = np.cumsum([0, *map(len, pronunciations)])
    words = [Segment(name, phones[i].start, phones[j - 1].end) for name, i, j in zip(names, edges, edges[1:])]
    return Alignment(words, phones, seconds)


# -------- Unknown words: the transcript tells how they are spelled, `english` how they are said -----------------------


def spell_unknown_words(labels: Sequence[str], text: str) -> list[str]:
    """The piece of the transcript that each UNKNOWN_WORD among the words of an alignment stands for.

    Raises ValueError where it cannot be told.
    """
    text = text.replace("—", DASH).replace("’", "'")
    tokens = list(re.finditer(rf"{LETTERS}|{DASH}", text))
    known = [part for label in labels for part in re.findall(rf"{UNKNOWN_WORD}|{LETTERS}", label)]
    matcher = SequenceMatcher(None, known, [token[0].lower() for token in tokens], autojunk=False)
    pieces = []
    for _, first, after, first_token, after_token in matcher.get_opcodes():
        block, matched = known[first:after], tokens[first_token:after_token]
        if UNKNOWN_WORD in block:
            piece = text[matched[0].start() : matched[-1].end()] if matched else ""
            options = [[piece] if piece else [], piece.split(), [token[0] for token in matched]]
            fitting = next((option for option in options if len(option) == len(block)), None)
            if fitting is None:
                raise ValueError(f"unknown word cannot be found in the transcript: {' '.join(block)} is {piece!r}")
            pieces += [spelling for word, spelling in zip(block, fitting) if word == UNKNOWN_WORD]
    return pieces


def pronounce_spelling(spelling: str) -> list[str]:
    """The phonemes of an unknown word or several, as in "i.e" and "tread-wheels"; a dash has none.

    Abbreviations are read letter by letter, as the reader of LJ Speech does.
    """
    words = re.findall(rf"{LETTERS}(?:'{LETTERS})*", spelling)
    return [code for word in words for code in english.pronounce(word.upper() if len(word) == 1 else word)]


def _spread(unknown: Segment, codes: Sequence[str], audio: np.ndarray | None) -> list[Segment]:
    """Put the phonemes of an unknown word into its time: aligned with the sound, or evenly without."""
    if unknown.end - unknown.start < MIN_PHONEME * len(codes):
        raise ValueError(f"unknown word is too short for its spelling: {unknown} is {' '.join(codes)}")
    inner = np.linspace(unknown.start, unknown.end, len(codes) + 1)[1:-1].tolist()
    if audio is not None:
        piece = audio[round(unknown.start * SAMPLING_RATE) : round(unknown.end * SAMPLING_RATE)]
        try:
            inner = [unknown.start + phone.start for phone in force_align(piece, [codes]).phones[1:]]
        except ValueError:
            pass  # evenly is 40 ms off on average, aligned 11 ms: good enough for a word
    edges = [unknown.start, *inner, unknown.end]
    return [Segment(*phone) for phone in zip(codes, edges, edges[1:])]


def repair(alignment: Alignment, text: str, audio: np.ndarray | None) -> Alignment:
    """Replace every UNKNOWN_PHONE by the phonemes of its word, a dash by a pause.

    `audio` is (t,) samples, or None. Raises ValueError where a word cannot be found or does not fit.
    """
    if all(phone.label != UNKNOWN_PHONE for phone in alignment.phones):
        return alignment
    words = [word for word in alignment.words if word.label not in PAUSE_LABELS]
    pieces = iter(spell_unknown_words([word.label for word in words], text))
    spelled = {word.start: next(pieces) if word.label == UNKNOWN_WORD else word.label for word in words}
    phones = []
    for phone in alignment.phones:
        if phone.label != UNKNOWN_PHONE:
            phones.append(phone)
        elif phone.start not in spelled:
            raise ValueError(f"unknown word is not among the words: {phone}")
        elif codes := pronounce_spelling(spelled[phone.start]):
            phones += _spread(phone, codes, audio)
    return alignment._replace(phones=phones)


# -------- From an alignment to the record of the dataset --------------------------------------------------------------


def close_gaps(phones: Sequence[Segment], seconds: float) -> list[Segment]:
    """Phonemes and pauses that follow each other from 0 to `seconds` without a hole.

    Pauses are what lies between phonemes, whatever the aligner called it; two never meet. Raises ValueError for
    phonemes outside english.PHONEMES, that overlap, or that go on after the end.
    """
    speech = [phone for phone in phones if phone.label not in PAUSE_LABELS]
    strange = sorted({phone.label for phone in speech} - english.PHONEMES)
    if strange:
        raise ValueError(f"phonemes are not ARPAbet with stress: {' '.join(strange)}")
    if not 0 < seconds <= stored.MOST_SECONDS:
        raise ValueError(f"alignment is too long or too short: {seconds:.2f} s")
    if not speech or speech[-1].end > seconds + LENGTH_TOLERANCE:
        raise ValueError(f"alignment has no speech or goes on after the end of the recording: {seconds:.2f} s")
    labels, starts, now = [], [], 0.0
    for label, start, end in [*speech, Segment("", seconds, seconds)]:
        if start - now > MIN_PAUSE:
            labels.append(english.PAUSE)
            starts.append(now)
        labels.append(label)
        starts.append(start)
        now = end
    starts[0], starts[-1] = 0.0, seconds
    if not (np.diff(starts) > 0).all():  # nor is NaN
        raise ValueError("phonemes overlap or have no duration: " + " ".join(labels[:-1]))
    return [Segment(*phone) for phone in zip(labels[:-1], starts, starts[1:])]


def make_record(identifier: str, text: str, alignment: Alignment, seconds: float) -> dict:
    """What `ID.json` holds: the phones by word, with onset and duration in milliseconds; a pause is its own word."""
    word_starts = [word.start for word in alignment.words]

    def word_of(phone: Segment) -> float:
        if phone.label == english.PAUSE:
            return -phone.end  # no other phone has it
        return bisect_right(word_starts, (phone.start + phone.end) / 2)

    def in_milliseconds(phone: Segment) -> dict:
        onset, end = round(phone.start * 1000, 3), round(phone.end * 1000, 3)
        return {"phone": phone.label, "onset": onset, "duration": round(end - onset, 3)}

    words = groupby(close_gaps(alignment.phones, seconds), key=word_of)
    return {
        "ID": identifier,
        "text": text,
        "utterance": {"words": [{"phones": [in_milliseconds(phone) for phone in word]} for _, word in words]},
    }


def checked_spectrogram(audio: np.ndarray) -> np.ndarray:
    """The (80, T) spectrogram of (t,) samples. Raises ValueError for a recording without sound."""
    if len(audio) <= FFT_SIZE // 2:
        raise ValueError(f"recording is too short: {len(audio)} samples")
    if not np.isfinite(audio).all() or np.abs(audio).max() < MIN_AMPLITUDE:
        raise ValueError("recording is silent or has values that are no numbers")
    return mel_spectrogram(audio)


def load_praat() -> ModuleType:
    try:
        import parselmouth
    except ImportError as error:
        raise ModuleNotFoundError("the pitch needs Praat: pip install praat-parselmouth==0.4.7") from error
    return parselmouth


def track_pitch(audio: np.ndarray, spectrogram: np.ndarray) -> np.ndarray:
    """(t,) samples and their (80, T) log-mel -> (2, T) float32: log of Hz; log loudness, -inf without voice.

    Praat's autocorrelation (Boersma 1993), nearest to each frame. Raises ValueError where there is no voice at all.
    """
    step, (lowest, highest) = STFT_HOP_LENGTH / SAMPLING_RATE, PITCH_LIMITS
    sound = load_praat().Sound(audio.astype(np.float64), SAMPLING_RATE)
    found = sound.to_pitch_ac(time_step=step, pitch_floor=lowest, pitch_ceiling=highest)
    nearest = np.round((np.arange(spectrogram.shape[1]) * step - found.xs()[0]) / step).astype(int)
    pitch = found.selected_array["frequency"][nearest.clip(0, len(found.xs()) - 1)]
    voiced = pitch > 0
    if not voiced.any():
        raise ValueError("no voice is found")
    loudness = np.where(voiced, spectrogram.mean(0), -np.inf)
    return np.stack([np.log(np.where(voiced, pitch, 1.0)), loudness]).astype(np.float32)


# -------- One utterance, all utterances -------------------------------------------------------------------------------


def _align(job: Job, audio: np.ndarray | None) -> Alignment:
    if job.alignment is None:
        words = [word for sentence in english.explain(job.text) for word in sentence.words]
        return force_align(audio, [word.codes for word in words if word.codes != [english.PAUSE]])
    is_file = isinstance(job.alignment, pathlib.Path)
    known = read_textgrid(job.alignment) if is_file else parse_alignment_line(job.alignment)
    return repair(known, job.text, audio)


def make_utterance(job: Job) -> str | None:
    """Make the files of one utterance; the JSON comes last, so that where it is, the others are complete.

    Returns None, or the reason why it cannot be used.
    """
    try:
        audio = read_audio(job.audio) if job.audio else None
        spectrogram = None if audio is None else checked_spectrogram(audio)
        alignment = _align(job, audio)
        seconds = alignment.seconds if audio is None else len(audio) / SAMPLING_RATE
        if abs(alignment.seconds - seconds) > LENGTH_TOLERANCE:
            raise ValueError(f"alignment is of {alignment.seconds:.2f} s, the recording has {seconds:.2f} s")
        record = make_record(job.id, job.text, alignment, seconds)
        content = json.dumps(record, ensure_ascii=False).encode()
        pitch = track_pitch(audio, spectrogram) if job.pitch else None
    except ValueError as error:
        return str(error)
    if pitch is not None:
        write_atomically(job.out / f"{job.id}.pitch.npy", lambda file: np.save(file, pitch))
    if spectrogram is not None:
        write_atomically(job.out / f"{job.id}.mel.npy", lambda file: np.save(file, spectrogram))
    write_atomically(job.out / f"{job.id}.json", lambda file: file.write(content))
    return None


def _start_worker() -> None:
    torch.set_num_threads(1)  # the processes share the cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets files be finished


def make_all(make: Callable[[Any], str | None], jobs: Sequence, n_workers: int) -> list[str | None]:
    """`make` of each job, in processes of their own where there is more than one worker."""

    def watched(reasons: Iterable[str | None]) -> list[str | None]:
        return list(tqdm(reasons, total=len(jobs), desc="utterances", unit=""))

    if n_workers == 1:
        return watched(map(make, jobs))
    with ProcessPoolExecutor(n_workers, get_context("spawn"), _start_worker) as pool:
        try:
            return watched(pool.map(make, jobs))
        except BaseException:  # an interrupt too
            pool.shutdown(cancel_futures=True)
            raise


def prepare(
    out: pathlib.Path,
    audio: pathlib.Path | None = None,
    alignments: pathlib.Path | None = None,
    transcripts: pathlib.Path | None = None,
    n_workers: int | None = None,
    pitch: bool = False,
) -> Summary:
    """Make the dataset folder `out`, see the top of this file; its utterances that are complete already are kept.

    Without `audio` only the JSONs are made, of all `alignments`: enough for the duration model. Without `alignments`
    the recordings are aligned here. Without `transcripts` they are looked for in the folder `audio`. `n_workers` is
    the number of processes, all cores if None. With `pitch` it is tracked in the recordings too.

    Raises FileNotFoundError or ValueError for missing or unusable input, ModuleNotFoundError for a package to install.
    """
    if audio is None and (alignments is None or transcripts is None):
        raise ValueError("without recordings both alignments and transcripts are needed")
    if pitch and audio is None:
        raise ValueError("the pitch is tracked in recordings: give them, or leave it out")
    files = find_audio(audio) if audio else {}
    suffixes = [".json"] + [".mel.npy"] * bool(files) + [".pitch.npy"] * pitch
    known = find_alignments(alignments) if alignments else {}
    metadata = audio / "metadata.csv" if audio else None
    texts = read_transcripts(transcripts or (metadata if metadata.exists() else audio))
    out.mkdir(parents=True, exist_ok=True)
    codes = {*english.PHONEMES, english.PAUSE}
    write_atomically(out / "all_possible_phoneme_codes.pkl", lambda file: pickle.dump(codes, file))

    kept, skipped, jobs = [], {}, []
    for identifier in sorted(files or known):
        if all((out / f"{identifier}{suffix}").exists() for suffix in suffixes):
            kept.append(identifier)
        elif identifier not in texts or (known and identifier not in known):
            skipped[identifier] = "no alignment" if identifier in texts else "no transcript"
        else:
            jobs.append(Job(identifier, texts[identifier], files.get(identifier), known.get(identifier), out, pitch))
    reasons = dict(zip((job.id for job in jobs), make_all(make_utterance, jobs, n_workers or os.cpu_count() or 1)))
    skipped |= {identifier: reason for identifier, reason in reasons.items() if reason}
    listing = "".join(f"{identifier}\t{reason}\n" for identifier, reason in sorted(skipped.items()))
    write_atomically(out / "skipped.txt", lambda file: file.write(listing.encode(errors="backslashreplace")))
    summary = Summary([identifier for identifier, reason in reasons.items() if not reason], kept, skipped)
    if not summary.written and not summary.kept:
        raise ValueError(f"not one utterance can be used: {summary}")
    return summary


# -------- Command line ------------------------------------------------------------------------------------------------


def download(folder: pathlib.Path) -> pathlib.Path:
    """Get LJ Speech (2.6 GB) into `folder` and return where it lies. Raises ConnectionError without internet."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        torchaudio.datasets.LJSPEECH(folder, download=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: the file came damaged
        raise ConnectionError(
            f"LJ Speech could not be downloaded ({error}): get LJSpeech-1.1.tar.bz2 from "
            "https://keithito.com/LJ-Speech-Dataset, unpack it and give --audio LJSpeech-1.1"
        ) from error
    return folder / "LJSpeech-1.1"


def main(arguments: Sequence[str] | None = None) -> None:
    parser, path = command_line.make_parser("prepare", __doc__), pathlib.Path
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--audio", type=path, metavar="DIR", help="folder with the recordings, or the corpus' folder")
    source.add_argument("--download", type=path, metavar="DIR", help="get LJ Speech (2.6 GB) into this folder first")
    source.add_argument("--no-audio", action="store_true", help="make the JSONs alone, for the duration model")
    parser.add_argument("--alignments", type=path, metavar="PATH", help="JSON lines (.gz) or a folder of TextGrids")
    parser.add_argument("--transcripts", type=path, metavar="PATH", help="default: in the folder with the recordings")
    parser.add_argument("--pitch", action="store_true", help="track the pitch too, with Praat")
    parser.add_argument("--out", type=path, metavar="DIR", default="LJ-Speech-aligned", help="default: %(default)s")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; default: all cores")
    command_line.run(parser, arguments, prepare_with)


def prepare_with(options: argparse.Namespace) -> None:
    audio = download(options.download) if options.download else options.audio
    print(prepare(options.out, audio, options.alignments, options.transcripts, options.workers, options.pitch))
