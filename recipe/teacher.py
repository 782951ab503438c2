"""The teacher: hibari, a small synthesiser, reads texts aloud; a voice learns from it as from a second speaker.

An hour of one speaker's recordings lacks many sequences of phonemes, and nearly all questions. A teacher reads whatever
is asked for. Trained on both (`recipe voice --second-speaker`), and told which one speaks, the decoder learns from the
teacher how phonemes sound beside each other, and the pitch model how one asks.

    text -- hibari --> audio -------------------------------> ID.mel.npy   log-mel (80, T), float16
                       symbols, how long each lasts --------> ID.json      phonemes in time
                       the pitch of each frame -------------> ID.pitch.npy as `recipe prepare --pitch` writes it

hibari (hibari-tts, Apache-2.0) is an American woman, about as high as LJ Speech's reader. Its graph knows how long each
symbol lasts and how high it is spoken, so nothing needs to be tracked. Three things are put right:

- Its sounds come 20 to 80 ms before these durations say. pocketsphinx aligns the first ALIGNED texts, and each border
  moves by the median for its kinds of phonemes.
- The phoneme before a pause includes the silence after it, and often a breath. The spectrogram tells where it ends.
- Breaths in pauses are made quiet.

    python -m recipe teacher LJSpeech-1.1/metadata.csv --everyday --random 5000 --out taught

It reads the transcripts, with `--everyday` also the lines of chatterbot-corpus and questions about them, with
`--random N` also N sentences of random words. Packages: requirements-eval.txt. A run that was stopped resumes.
"""

from __future__ import annotations

import functools
import importlib
import json
import logging
import os
import pathlib
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

import english
from english import PAUSE
from recipe import command_line, prepare, texts
from vocoder import stored
from vocoder.spectrogram import FRAME_MILLISECONDS, SAMPLING_RATE, mel_spectrogram
from vocoder.weights import write_atomically

logger = logging.getLogger(__name__)

VOWELS = {
    "ɑ": "AA", "ɒ": "AA", "a": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ᵊ": "AH", "ɔ": "AO", "W": "AW",
    "I": "AY", "ɛ": "EH", "e": "EH", "ɜ": "ER", "ɚ": "ER", "A": "EY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "i": "IY",
    "O": "OW", "o": "OW", "Y": "OY", "ʊ": "UH", "u": "UW",
}  # fmt: skip
CONSONANTS = {
    "b": "B", "ʧ": "CH", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "ʤ": "JH", "k": "K", "x": "K", "l": "L",
    "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "T": "T", "ɾ": "T",
    "ʔ": "T", "θ": "TH", "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
STRESS = {"ˈ": "1", "ˌ": "2"}
EDGE = ""  # hibari's symbol for the silence at either end
MARKS = {EDGE, *';:,.!?—…"()“”'}  # they last as long as a pause
KINDS = {
    "voiceless stop": "P T K", "voiced stop": "B D G", "affricate": "CH JH", "voiceless fricative": "S SH F TH HH",
    "voiced fricative": "Z ZH V DH", "nasal": "M N NG", "approximant": "L R W Y",
}  # fmt: skip
KIND_OF = {code: kind for kind, codes in KINDS.items() for code in codes.split()}  # the others are vowels
DURATIONS = "Clip_output_0"  # a value of hibari's graph: how many UNITS each symbol lasts
UNIT, PITCH_STEP = 25.0, 12.5  # ms: of a symbol's duration, from one value of the pitch to the next
RATE = 24000  # Hz, of hibari
TEMPO = 0.85, 1.1  # least and most: each text is read a little faster or slower
LOWEST_PITCH = 60.0  # Hz; the network gives less, often under 1, where there is no voice
PEAK = 0.95
ALIGNED, LEAST_BORDERS = 260, 25  # texts that pocketsphinx aligns; borders of two kinds for a median of their own
MAX_FRAMES, MAX_PHONEMES = 870, 195  # what is longer is left out: LJ Speech's longest

# Log-mel, mean over the bands.
DIP = -8.3  # below it, a phoneme before a pause has ended
SPEECH = -6.8  # above it, it has not
ONSET = -7.6  # above it, the phoneme after a pause has begun
SOFTENING, RAMP = 4.0, 3  # how much a pause is made quieter, and in how many frames


class Spoken(NamedTuple):
    """What hibari makes of a sentence."""

    audio: np.ndarray  # (S,) float32 at RATE
    symbols: list[str]
    units: list[int]  # how long each symbol lasts, in UNITs
    pitch: np.ndarray  # Hz, every PITCH_STEP; near 0 without voice


class Segment(NamedTuple):
    """A phoneme or pause, in frames, or in UNITs as hibari has it."""

    code: str
    start: int
    end: int


def need(package: str):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModuleNotFoundError(f"the teacher needs {error.name}: pip install -r requirements-eval.txt") from error


# -------- Reading aloud ----------------------------------------------------------------------------------------------


@functools.cache
def load_teacher():
    """hibari, whose graph also gives DURATIONS."""
    onnx, hibari = need("onnx"), need("hibari")
    graph = onnx.load(importlib.import_module("hibari.voices").voice_path("heart"))
    names = [name for node in graph.graph.node for name in node.output if name.strip("/") == DURATIONS]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(names[0], onnx.TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "hibari.onnx")
        onnx.save(graph, path)
        return hibari.Hibari(model=str(path))


def read_sentences(text: str, tempo: float, rng: np.random.Generator) -> list[Spoken]:
    """Raises ValueError where the durations do not add up to the audio: another version of hibari."""
    teacher, synthesise = load_teacher(), importlib.import_module("hibari.dsp").synth
    sentences = []
    for phonemes in teacher.phonemize(text):
        known = [symbol for symbol in phonemes if symbol in teacher.vocab]
        inputs = {"ids": np.array([teacher.ids(known)]), "speed": np.array([tempo], dtype=np.float32)}
        *values, units = teacher.sess.run(None, inputs)
        *filters, pitch = (value[0] for value in values)
        units = np.rint(units.reshape(-1)).astype(int)
        if units.sum() * UNIT != len(pitch) * PITCH_STEP:
            raise ValueError(f"{units.sum()} units for {len(pitch)} values of pitch: install hibari-tts==0.2.1")
        n_samples = int(units.sum() * UNIT * RATE / 1000)
        audio = synthesise(*filters, pitch, rng)[:n_samples]
        audio = np.pad(audio, (0, n_samples - len(audio))).astype(np.float32)
        sentences.append(Spoken(audio, [EDGE, *known, EDGE], units.tolist(), pitch))
    return sentences


def read_symbols(symbols: Sequence[str], units: Sequence[int]) -> list[Segment]:
    """Symbols and how long they last -> ARPAbet codes with stress, and pauses, in UNITs.

    A stress mark belongs to the vowel after it, a space to the phoneme before it. ə or ɜ and ɹ are one vowel, ER.
    """
    codes, lengths, stress, waiting = [], [], "0", 0
    for before, symbol, length in zip([EDGE, *symbols], symbols, units):
        if symbol in STRESS:
            stress, waiting = STRESS[symbol], waiting + length
            continue
        if symbol == "ɹ" and before in ("ə", "ɜ", "ɚ"):
            codes[-1] = "ER" + codes[-1][-1]
            lengths[-1] += length
            continue
        if symbol == " " or symbol in MARKS and codes[-1:] == [PAUSE]:
            lengths[-1] += length
            continue
        if symbol in VOWELS:
            codes.append(VOWELS[symbol] + stress)
            stress = "0"
        elif symbol in CONSONANTS or symbol in MARKS:
            codes.append(CONSONANTS.get(symbol, PAUSE))
        else:
            raise ValueError(f"hibari's symbol {symbol!r} has no ARPAbet code")
        lengths.append(length + waiting)
        waiting = 0
    ends = np.cumsum(lengths).tolist()
    return [Segment(*row) for row in zip(codes, [0, *ends], ends) if row[1] < row[2]]


def restress(codes: Sequence[str], text: str) -> list[str]:
    """The stress of `english` where it has the same phonemes: a voice is asked for what `english` reads."""
    ours = [code for words in english.spoken_words(text) for code in english.codes_of(words) if code != PAUSE]
    places = [place for place, code in enumerate(codes) if code != PAUSE]
    plain = [[code.rstrip("012") for code in side] for side in ([codes[place] for place in places], ours)]
    result = list(codes)
    for first, our_first, size in SequenceMatcher(None, *plain, autojunk=False).get_matching_blocks():
        for k in range(size):
            result[places[first + k]] = ours[our_first + k]
    return result


# -------- When it is heard -------------------------------------------------------------------------------------------


def kind_of(code: str) -> str:
    return KIND_OF.get(code.rstrip("012"), "vowel")


def word_lengths(symbols: Sequence[str]) -> list[int]:
    """How many phonemes each word of a sentence has."""
    words = [[]]
    for symbol in symbols:
        if symbol == " " or symbol in MARKS:
            words.append([])
        else:
            words[-1].append(symbol)
    return [len(read_symbols(word, [1] * len(word))) for word in words if word]


def measure_lags(job: tuple[str, str]) -> list[tuple[str, str, float]]:
    """The kinds of phonemes on both sides of each border of a text, and its lag in ms: what pocketsphinx finds is that
    much later than hibari says. Nothing where it finds no path."""
    found = []
    for sentence in read_sentences(job[1], 1.0, np.random.default_rng(0)):
        segments = read_symbols(sentence.symbols, sentence.units)
        codes = iter([segment.code for segment in segments if segment.code != PAUSE])
        words = [[next(codes) for _ in range(length)] for length in word_lengths(sentence.symbols)]
        try:
            heard = iter(prepare.force_align(prepare.resample(sentence.audio, RATE, SAMPLING_RATE), words).phones)
        except ValueError:
            continue
        for before, segment in zip([None, *segments], segments):
            if segment.code != PAUSE:
                lag = next(heard).start * 1000 - segment.start * UNIT
                if before is not None and before.code != PAUSE:
                    found.append((kind_of(before.code), kind_of(segment.code), lag))
    return found


def median_lags(borders: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """By "KIND|KIND" of both sides, and by "|KIND" of the right one for pairs of which there are few."""
    by_pair = defaultdict(list)
    for left, right, lag in borders:
        by_pair[f"{left}|{right}"].append(lag)
        by_pair[f"|{right}"].append(lag)
    enough = {pair: lags for pair, lags in by_pair.items() if len(lags) >= LEAST_BORDERS or pair.startswith("|")}
    return {pair: round(statistics.median(lags), 1) for pair, lags in sorted(enough.items())}


def place_pauses(segments: Sequence[Segment], loudness: np.ndarray) -> list[Segment]:
    """Segments in frames -> the same with pauses where they are heard; one of under two frames goes to its neighbour.

    `loudness` (T,) is the mean log-mel of each frame.
    """
    rest, placed = [list(segment) for segment in segments], []
    for number, (code, start, end) in enumerate(rest):
        if code != PAUSE:
            placed.append([code, start, end])
            continue
        following = rest[number + 1] if number + 1 < len(rest) else None
        begin = end_of_speech(placed[-1], start, end, loudness) if placed else start
        while following and end - 1 > begin and loudness[end - 1] > ONSET:
            end -= 1
        if end - begin < 2:  # no pause is heard
            begin, end = (end, end) if placed else (start, start)
        if placed:
            placed[-1][2] = begin
        if following:
            following[1] = end
        if begin < end:
            placed.append([PAUSE, begin, end])
    return [Segment(*segment) for segment in placed if segment[1] < segment[2]]


def end_of_speech(segment: Sequence, start: int, end: int, loudness: np.ndarray) -> int:
    """Where the segment before a pause, which lasts from `start` to `end`, has really ended.

    At the first dip, or after the last frame that is as loud as speech; a stop has its burst after the dip, and weak
    fricatives are hardly louder than it.
    """
    code, first, _ = segment
    quiet = np.flatnonzero(loudness[first + 2 : end] < DIP)
    dip = first + 2 + int(quiet[0]) if len(quiet) else end
    loud = np.flatnonzero(loudness[first:start] > SPEECH)
    last = max(dip, first + 3, first + 1 + int(loud[-1]) if len(loud) else 0)
    if "stop" in kind_of(code) or kind_of(code) == "affricate":
        last = max(last, dip + 8)
    if code in ("F", "TH", "V", "DH", "HH"):
        last = max(last, first + 9)
    return min(last, end)


def move_borders(segments: Sequence[Segment], lags: Mapping[str, float]) -> list[Segment]:
    """Each border between two phonemes moves by the median lag of their kinds; those of pauses stay."""
    starts = [segment.start for segment in segments]
    for place, (before, segment) in enumerate(zip(segments, segments[1:]), 1):
        if PAUSE not in (before.code, segment.code):
            left, right = kind_of(before.code), kind_of(segment.code)
            lag = lags.get(f"{left}|{right}", lags.get(f"|{right}", 0.0)) / FRAME_MILLISECONDS
            starts[place] = max(starts[place - 1] + 2, round(starts[place] + lag))
    ends = [*starts[1:], segments[-1].end]
    for place in range(len(segments) - 1, 0, -1):
        starts[place] = ends[place - 1] = min(starts[place], ends[place] - 1)
    return [Segment(segment.code, *span) for segment, *span in zip(segments, starts, ends)]


def soften_pauses(spectrogram: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    """Log-mel (80, T) with quieter pauses: a breath in one would be learned as part of speech."""
    result, n_frames = spectrogram.copy(), spectrogram.shape[1]
    for code, start, end in segments:
        if code == PAUSE:
            frames = np.arange(end - start)
            from_start = frames if start > 0 else np.full_like(frames, RAMP)
            to_end = frames[::-1] if end < n_frames else np.full_like(frames, RAMP)
            result[:, start:end] -= SOFTENING * np.minimum(np.minimum(from_start, to_end) / RAMP, 1)
    return np.maximum(result, np.minimum(spectrogram, spectrogram.min()))


# -------- A dataset --------------------------------------------------------------------------------------------------


def make_utterance(out: pathlib.Path, lags: Mapping[str, float], job: tuple[str, str]) -> str | None:
    """Writes the files of (ID, text), the JSON at last. Returns None, or the reason why it cannot be used."""
    identifier, text = job
    rng = np.random.default_rng(list(identifier.encode()))  # the same in every run
    try:
        sentences = read_sentences(text, float(rng.uniform(*TEMPO)), rng)
        audio = prepare.resample(np.concatenate([part.audio for part in sentences]), RATE, SAMPLING_RATE)
        spectrogram = mel_spectrogram(audio * min(1.0, PEAK / max(1e-9, float(np.abs(audio).max()))))
        segments = find_segments(sentences, text, spectrogram, lags)
    except ValueError as error:
        return f"{identifier}: {error}"
    if spectrogram.shape[1] > MAX_FRAMES or len(segments) > MAX_PHONEMES:
        return f"{identifier}: too long"
    pitch = pitch_of_frames(np.concatenate([part.pitch for part in sentences]), spectrogram)
    phones = [
        {"phone": code, "onset": round(start * FRAME_MILLISECONDS, 3),
         "duration": round((end - start) * FRAME_MILLISECONDS, 3)} for code, start, end in segments
    ]  # fmt: skip
    record = {"ID": identifier, "text": text, "utterance": {"words": [{"phones": [phone]} for phone in phones]}}
    arrays = {"pitch": pitch, "mel": soften_pauses(spectrogram, segments).astype(np.float16)}
    for name, array in arrays.items():
        write_atomically(out / f"{identifier}.{name}.npy", functools.partial(np.save, arr=array))
    content = json.dumps(record, ensure_ascii=False).encode()
    write_atomically(out / f"{identifier}.json", lambda file: file.write(content))
    return None


def find_segments(
    sentences: Sequence[Spoken], text: str, spectrogram: np.ndarray, lags: Mapping[str, float]
) -> list[Segment]:
    """The phonemes of a text in frames, from 0 to T, with the stress of `english`."""
    symbols = [symbol for part in sentences for symbol in part.symbols]
    read = read_symbols(symbols, [length for part in sentences for length in part.units])
    n_frames = spectrogram.shape[1]
    edges = [min(n_frames, round(segment.start * UNIT / FRAME_MILLISECONDS)) for segment in read] + [n_frames]
    codes = restress([segment.code for segment in read], text)
    segments = [Segment(*row) for row in zip(codes, edges, edges[1:])]
    return move_borders(place_pauses(segments, spectrogram.mean(0)), lags)


def pitch_of_frames(pitch: np.ndarray, spectrogram: np.ndarray) -> np.ndarray:
    """Hz every PITCH_STEP -> (2, T): log of Hz; log loudness, -inf without voice. As `prepare.track_pitch`."""
    times = np.arange(spectrogram.shape[1]) * FRAME_MILLISECONDS / PITCH_STEP
    hertz = pitch[np.minimum(np.rint(times).astype(int), len(pitch) - 1)]
    voiced = hertz >= LOWEST_PITCH
    rows = np.log(np.where(voiced, hertz, 1.0)), np.where(voiced, spectrogram.mean(0), -np.inf)
    return np.stack(rows).astype(np.float32)


def teach(read: Mapping[str, str], out: pathlib.Path, n_workers: int | None = None) -> None:
    """Let the teacher read the texts, by ID, into the dataset folder `out`; what is there is not read again.

    Raises ModuleNotFoundError for a package to install, ValueError where nothing could be used.
    """
    load_teacher()
    out.mkdir(parents=True, exist_ok=True)
    n_workers = n_workers or os.cpu_count() or 1
    lags_path = out / "lags.txt"
    if not lags_path.exists():
        measured = prepare.make_all(measure_lags, list(read.items())[:ALIGNED], n_workers)
        lags = median_lags([border for borders in measured for border in borders])
        write_atomically(lags_path, lambda file: file.write(json.dumps(lags, indent=1).encode()))
    lags = stored.read_json(lags_path, "delete it, it is measured again")
    jobs = [item for item in read.items() if not (out / f"{item[0]}.json").exists()]
    reasons = prepare.make_all(functools.partial(make_utterance, out, lags), jobs, n_workers)
    for reason in filter(None, reasons):
        logger.info("left out %s", reason)
    if all(reasons) and len(jobs) == len(read):
        raise ValueError(f"none of the {len(read)} texts could be used")


def choose_texts(transcripts: pathlib.Path, n: int | None, everyday: bool, n_random: int) -> dict[str, str]:
    """What the teacher reads, by ID, in a random order that is the same each time."""
    known = {name: " ".join(text.split()) for name, text in prepare.read_transcripts(transcripts).items()}
    chosen = random.Random(0).sample(sorted(known), min(n or len(known), len(known)))
    read = {name: known[name] for name in chosen}
    if everyday:
        read |= texts.everyday(pathlib.Path(need("chatterbot_corpus").__file__).parent / "data" / "english")
    if n_random:
        words = sorted({word.text.lower() for text in known.values() for words in english.spoken_words(text)
                        for word in words if word.text.isalpha()})  # fmt: skip
        read |= texts.at_random(n_random, words)
    order = random.Random(1).sample(sorted(read), len(read))
    return {name: read[name] for name in order}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("teacher", "Let a synthesiser read texts aloud, to learn from it.")
    parser.add_argument("transcripts", type=pathlib.Path, help="metadata.csv, or what else `prepare` reads")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the dataset folder")
    parser.add_argument("--texts", type=int, help="how many of the transcripts (default: all)")
    parser.add_argument("--everyday", action="store_true", help="also the lines of chatterbot-corpus")
    parser.add_argument("--random", type=int, default=0, help="also sentences of random words (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    command_line.run(parser, arguments, lambda options: teach(
        choose_texts(options.transcripts, options.texts, options.everyday, options.random), options.out,
        options.workers,
    ))  # fmt: skip


if __name__ == "__main__":
    main()
