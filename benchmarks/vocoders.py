"""How good and how fast is our vocoder? Against HiFi-GAN and Griffin-Lim, on the same spectrograms, on the CPU.

    python benchmarks/vocoders.py --dataset LJ-Speech-aligned --clips LJSpeech-1.1/wavs --checkpoint TTS.pth

Vocoders
    harmonic       ours, see `vocoder.network`
    hifigan        HiFi-GAN V1 (arXiv 2010.05646), published weights of LJ Speech. Its authors trained on nearly all
                   of those recordings, so it probably knows the ones that are held out here
    griffin-lim    no learning: the phases that fit the amplitudes (Griffin and Lim 1984; 60 iterations of the faster
                   form of Perraudin 2013), those by non-negative least squares of the mel bands; to be beaten

Parts, chosen with --parts
    copy     the held-out recordings' own spectrograms, against the recordings. PESQ (ITU-T P.862.2, wide band, 16 kHz,
             1 to 4.64), mel L1 of the audio analysed again; F0 error and voicing of frames outside of pauses
    model    the acoustic model's spectrograms: of the held-out utterances with the durations of the recordings, and of
             `sentences.tsv` with its own. Then differences in pairs, hifigan -> harmonic, with 95 % confidence. Piper
             says the sentences too, with another voice, that of a studio
    speed    real-time factors (seconds of computing per second of audio) of the vocoder alone and from text to audio,
             and the seconds until the first audio: `harmonic` gives it after a chunk of frames, the others at the end.
             Median, least and most. Piper speaks the same sentences in the same run, on as many threads

The other columns are those of `evaluate.py`. HiFi-GAN's audio comes half a frame late, which `lj_speech.Vocoder`
undoes. All audio of one utterance is cut to one length, since DistillMOS likes long clips better. Whisper, DistillMOS,
PESQ and Piper are in `requirements-eval.txt`; without the last two their columns and row are left out.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import compare
import evaluate
import numpy as np
import peers
import torch
import torch.nn.functional as F
import torchaudio
from evaluate import JUDGE_RATE, Judges, Score, Utterance, tool
from speed import spread
from torch import Tensor
from tqdm import tqdm

import lj_speech
from lj_speech import PAUSE
from part2_solution import CHECKPOINT_PATH, TextToSpeechSynthesizer
from recipe import prepare
from vocoder.hifigan import DELAY
from vocoder.network import WEIGHTS_PATH
from vocoder.spectrogram import FFT_SIZE, SAMPLING_RATE, STFT_HOP_LENGTH, mel_bands, mel_spectrogram

PARTS = ("copy", "model", "speed")
STREAMING = ("harmonic",)  # the others give their audio in one piece
CHUNK = 32  # frames, 0.37 s
LONG_SECONDS = 10
LONG_SENTENCE = (  # about that long
    "He had never cared much for mountains, but on that clear evening, with the valley spread out below him, he "
    "understood why his father, a rather impatient man, came back every summer."
)
REST = 0.05  # seconds before anything is timed: idle threads of what ran before go on spinning for a while

# -------- Vocoders ----------------------------------------------------------------------------------------------------


class GriffinLim:
    """Spectrogram to audio as `lj_speech.Vocoder` does it, without learning; the same audio each time."""

    N_STEPS = 100  # of the least squares; 200 fit no better

    def __init__(self, n_iterations: int = 60):
        self.bands = torch.from_numpy(mel_bands())  # (F, M)
        self.n_iterations = n_iterations

    def amplitudes(self, mels: Tensor) -> Tensor:
        """Mel bands (M, T) -> amplitudes (F, T) >= 0 of the least squared error.

        Projected gradient with momentum (FISTA: Beck and Teboulle 2009) from the clipped pseudo-inverse, which is all
        that torchaudio's InverseMelScale does: with it PESQ is 3.3, with this 3.7 (n = 3 recordings).
        """
        step = 1 / torch.linalg.matrix_norm(self.bands, 2).square()
        best = ahead = (torch.linalg.pinv(self.bands.T) @ mels).clamp_min(0)
        momentum = 1.0
        for _ in range(self.N_STEPS):
            before, best = best, (ahead - step * self.bands @ (self.bands.T @ ahead - mels)).clamp_min(0)
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = best + (momentum - 1) / following * (best - before)
            momentum = following
        return best

    @torch.inference_mode()
    def __call__(self, spectrogram: Tensor | np.ndarray, pitch: np.ndarray | None = None) -> Tensor:
        """Log-mel (80, T) -> audio (1, 256 T) in [-1, 1]; T > 3. It has no use for the pitch."""
        amplitudes = self.amplitudes(torch.as_tensor(spectrogram, dtype=torch.float32).exp())
        length = amplitudes.shape[1] * STFT_HOP_LENGTH - 1  # one more sample would be another frame
        invert = torchaudio.transforms.GriffinLim(
            FFT_SIZE, self.n_iterations, hop_length=STFT_HOP_LENGTH, power=1.0, length=length
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the phases to begin with
            return F.pad(invert(amplitudes), (0, 1))[None].clamp(-1, 1)

    def stream(self, spectrogram: Tensor | np.ndarray, chunk: int = CHUNK) -> Iterator[Tensor]:
        """In one piece."""
        yield self(spectrogram)


def load_vocoders(weights: pathlib.Path | None, band_correction: float) -> dict[str, Callable]:
    """By name; each maps a log-mel spectrogram (80, T) to audio (1, 256 T) and has `stream`.

    `band_correction` is for ours: 1 for measured spectrograms and 0 for predicted ones.
    """
    return {
        "harmonic": lj_speech.Vocoder("harmonic", weights, device="cpu", band_correction=band_correction),
        "hifigan": lj_speech.Vocoder("hifigan", device="cpu"),
        "griffin-lim": GriffinLim(),
    }


def align(audio: np.ndarray, n_frames: int) -> np.ndarray:
    """256 T samples -> those that all vocoders have: HiFi-GAN, which lags, lacks DELAY samples at the end."""
    return audio[: n_frames * STFT_HOP_LENGTH - DELAY]


def vocode(vocoder: Callable, source: Utterance) -> Utterance:
    """What the vocoder makes of the source's spectrogram, aligned and no longer than the source's audio."""
    audio = vocoder(source.spectrogram, pitch=source.pitch)[0].numpy()  # of no use to the others than ours
    return source._replace(audio=align(audio, source.spectrogram.shape[1])[: len(source.audio)])


# -------- What is spoken ----------------------------------------------------------------------------------------------


def silence(spectrogram: Tensor, pitch: Tensor | None = None) -> Tensor:
    """Instead of a vocoder, where only spectrograms are wanted."""
    return torch.zeros(1, spectrogram.shape[1] * STFT_HOP_LENGTH)


def recorded(samples: Mapping[str, Mapping], recordings: Mapping[str, np.ndarray]) -> list[Utterance]:
    """The held-out utterances whose recordings are there, cut to what a vocoder makes of their frames."""
    utterances = []
    for name in recordings:
        text, codes, durations, spectrogram = (
            samples[name][key] for key in ("text", "phonemes_code", "phonemes_duration", "spectrogram")
        )
        audio = align(recordings[name], spectrogram.shape[1])
        utterances.append(Utterance(name, text, audio, codes, durations, spectrogram))
    return utterances


def predicted(
    synthesizer: TextToSpeechSynthesizer, samples: Mapping[str, Mapping], sentences: Sequence[str]
) -> dict[str, list[Utterance]]:
    """The model's spectrograms by kind of speech; the synthesizer's vocoder is `silence`."""
    return {
        "held-out durations": [
            evaluate.speak(synthesizer, name, sample["text"], sample["phonemes_code"], sample["phonemes_duration"])
            for name, sample in tqdm(samples.items(), desc="held-out")
        ],
        "sentences": evaluate.speak_sentences(synthesizer, sentences),
    }


def read_recordings(clips: pathlib.Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Recordings by ID, (t,). Raises FileNotFoundError where there is none of them."""
    paths = prepare.find_audio(clips)
    found = {name: prepare.read_audio(paths[name]) for name in names if name in paths}
    if not found:
        raise FileNotFoundError(f"{clips} has no recording of the {len(names)} held-out utterances ({names[0]}, ...)")
    return found


# -------- Quality -----------------------------------------------------------------------------------------------------


def load_pesq() -> Callable[[np.ndarray, np.ndarray], float] | None:
    """Recording and copy, (t,) at SAMPLING_RATE -> wide-band PESQ, ValueError where one is silent.

    None without the package.
    """
    try:
        package = tool("pesq")
    except ModuleNotFoundError:
        return None

    def pesq(recording: np.ndarray, audio: np.ndarray) -> float:
        try:
            return float(package.pesq(JUDGE_RATE, evaluate.resample(recording), evaluate.resample(audio), "wb"))
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"PESQ hears no speech in a recording or in its copy ({error})") from error

    return pesq


def distance(source: Utterance, copy: Utterance) -> evaluate.Distance:
    """The copy's sound against the recording's: log-mel of the audio, and F0 outside of pauses."""
    mels = mel_spectrogram(copy.audio)
    length = min(mels.shape[1], source.spectrogram.shape[1])
    real, mels = source.spectrogram[:, :length], mels[:, :length]
    spoken = np.repeat([code != PAUSE for code in source.codes], source.durations)
    tracks = [evaluate.track_f0(utterance.audio)[0] for utterance in (source, copy)]
    length = min(len(spoken), *map(len, tracks))
    spoken = spoken[:length]
    f0 = evaluate.f0_error(*[track[:length][spoken] for track in tracks])
    details = evaluate.detail(real), evaluate.detail(mels)
    return evaluate.Distance(float(np.abs(mels - real).mean()), *details, None, f0, int(spoken.sum()))


def pick(row: Mapping, *columns: str) -> dict:
    return {column: row[column] for column in columns}


SPEECH_COLUMNS = "n", "WER %", "log p", "MOS", "MOS ±", "MOS filled", "MOS filled ±"


def copy_row(
    name: str, copies: Sequence[Utterance], scores: Sequence[Score], pesqs: Sequence, distances: Sequence
) -> dict:
    """One row of the table of copies; PESQ and distances are empty for the recordings themselves."""
    row = {"copy-synthesis": name} | pick(evaluate.summarise(name, copies, scores), *SPEECH_COLUMNS)
    row |= {"PESQ": evaluate.mean(pesqs), "PESQ ±": evaluate.margin(pesqs)}
    measures = "mel L1", "F0 error st", "voicing error %"
    return row | (
        pick(evaluate.summarise_distances(name, distances), *measures) if distances else dict.fromkeys(measures)
    )


def model_row(kind: str, name: str, spoken: Sequence[Utterance], scores: Sequence[Score]) -> dict:
    columns = pick(evaluate.summarise(name, spoken, scores), *SPEECH_COLUMNS, "F0 Hz")
    return {"spectrograms": kind, "vocoder": name, **columns}


def pair_row(kind: str, hifigan: Sequence[Score], harmonic: Sequence[Score]) -> dict:
    """Both on the same spectrograms: hifigan -> harmonic, and the mean difference of MOS with its confidence."""
    pairs = [(before._asdict(), after._asdict()) for before, after in zip(hifigan, harmonic, strict=True)]
    return {"hifigan -> harmonic": kind, **compare.compare(pairs)}


def plain(scores: Sequence[Score], **more: Sequence) -> list[dict]:
    """For JSON: the scores with further measures of each utterance."""
    columns = {name: values for name, values in more.items() if values}
    return [score._asdict() | {name: columns[name][i] for name in columns} for i, score in enumerate(scores)]


class Part(NamedTuple):
    """Results of copy or model."""

    rows: list[dict]
    pairs: list[dict]
    scores: dict[str, list[dict]]  # by "kind/vocoder"
    spoken: dict[str, list[Utterance]]


def judge_all(label: str, utterances: Sequence[Utterance], judges: Judges) -> list[Score]:
    return [evaluate.judge(utterance, judges) for utterance in tqdm(utterances, desc=label)]


def measure_copies(vocoders: Mapping[str, Callable], sources: Sequence[Utterance], judges: Judges) -> Part:
    pesq = load_pesq()
    scores = {"recordings": judge_all("recordings", sources, judges)}
    rows, spoken = [copy_row("recordings", sources, scores["recordings"], [], [])], {"recordings": sources}
    details = {"recordings": plain(scores["recordings"])}
    for name, vocoder in vocoders.items():
        spoken[name] = [vocode(vocoder, source) for source in tqdm(sources, desc=name)]
        scores[name] = judge_all(f"copies, {name}", spoken[name], judges)
        pairs = list(zip(sources, spoken[name]))
        pesqs = [pesq(source.audio, copy.audio) for source, copy in pairs] if pesq else []
        distances = [distance(source, copy) for source, copy in pairs]
        rows.append(copy_row(name, spoken[name], scores[name], pesqs, distances))
        details[name] = plain(scores[name], pesq=pesqs, mel_l1=[distance.mel_l1 for distance in distances])
    pairs = [pair_row("copy-synthesis", scores["hifigan"], scores["harmonic"])]
    return Part(rows, pairs, *[{f"copy-synthesis/{name}": part[name] for name in part} for part in (details, spoken)])


def measure_model(
    vocoders: Mapping[str, Callable],
    sources: Mapping[str, Sequence[Utterance]],
    judges: Judges,
    piper: Callable[[str], Iterator[np.ndarray]] | None,
) -> Part:
    part = Part([], [], {}, {})
    for kind in sources:
        scores = {}
        for name, vocoder in vocoders.items():
            spoken = [vocode(vocoder, source) for source in tqdm(sources[kind], desc=name)]
            scores[name] = judge_all(f"{kind}, {name}", spoken, judges)
            part.rows.append(model_row(kind, name, spoken, scores[name]))
            part.scores[f"{kind}/{name}"], part.spoken[f"{kind}/{name}"] = plain(scores[name]), spoken
        part.pairs.append(pair_row(kind, scores["hifigan"], scores["harmonic"]))
    if piper is not None:
        spoken = [source._replace(audio=np.concatenate(list(piper(source.text)))) for source in sources["sentences"]]
        scores = judge_all("sentences, Piper", spoken, judges)
        part.rows.append(model_row("none: a whole synthesiser says the sentences", "Piper", spoken, scores))
        part.scores["sentences/Piper"], part.spoken["sentences/Piper"] = plain(scores), spoken
    return part


# -------- Speed -------------------------------------------------------------------------------------------------------


def timed(function: Callable, *arguments) -> tuple[float, Any]:
    """Seconds and result."""
    time.sleep(REST)
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def load_piper(n_threads: int) -> Callable[[str], Iterator[np.ndarray]] | None:
    """Piper's voice `joe`: text -> the audio of each sentence at its rate, which is ours; None without the packages."""
    try:
        return peers.load_piper_sentences(n_threads)
    except ModuleNotFoundError:
        return None


class Timing(NamedTuple):
    """One sentence, in seconds."""

    text: str
    audio: float  # of speech
    spectrogram: float  # of computing: text to phonemes to spectrogram
    vocoders: dict[str, float]  # of computing, whole
    chunks: dict[str, float]  # the same by `stream`
    piper: tuple[float, float] | None  # of computing, of speech


def say(synthesizer: TextToSpeechSynthesizer, text: str) -> Utterance:
    """Text to spectrogram; the synthesizer's vocoder is `silence`."""
    return evaluate.speak(synthesizer, "", text, lj_speech.text_to_phonemes(text))


def in_chunks(vocoder: Callable, spectrogram: np.ndarray) -> list[Tensor]:
    return list(vocoder.stream(spectrogram, CHUNK))


def first_chunk(vocoder: Callable, spectrogram: np.ndarray | Tensor) -> Tensor:
    return next(iter(vocoder.stream(spectrogram, CHUNK)))


def first_chunk_from_text(synthesizer: TextToSpeechSynthesizer, vocoder: Callable, text: str) -> Tensor:
    speaking = copy.copy(synthesizer)
    speaking.vocoder = vocoder
    return next(speaking.stream_from_text(text, chunk=CHUNK))


def time_sentence(synthesizer: TextToSpeechSynthesizer, vocoders: Mapping, piper: Callable | None, text: str) -> Timing:
    """All speak the sentence in turn, so that what else runs on the machine slows down all of them."""
    spectrogram_seconds, said = timed(say, synthesizer, text)
    whole = {name: timed(vocoder, said.spectrogram)[0] for name, vocoder in vocoders.items()}
    chunks = {name: timed(in_chunks, vocoders[name], said.spectrogram)[0] for name in STREAMING}
    audio = said.spectrogram.shape[1] * STFT_HOP_LENGTH / SAMPLING_RATE
    if piper is not None:
        seconds, pieces = timed(lambda: list(piper(text)))
        piper = seconds, sum(map(len, pieces)) / SAMPLING_RATE
    return Timing(text, audio, spectrogram_seconds, whole, chunks, piper)


def first_audio(
    synthesizer: TextToSpeechSynthesizer, vocoders: Mapping, piper: Callable | None, spectrogram: np.ndarray, n: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds until there is something to hear, n times by vocoder: of a spectrogram, and of LONG_SENTENCE as text."""
    seconds = {"spectrogram": {name: [] for name in vocoders}, "text": {name: [] for name in vocoders}}
    for _ in range(n):
        for name, vocoder in vocoders.items():
            seconds["spectrogram"][name].append(timed(first_chunk, vocoder, spectrogram)[0])
            seconds["text"][name].append(timed(first_chunk_from_text, synthesizer, vocoder, LONG_SENTENCE)[0])
        if piper is not None:
            seconds["text"].setdefault("Piper", []).append(timed(lambda: next(piper(LONG_SENTENCE)))[0])
    return seconds


def long_spectrogram(spectrograms: Sequence[np.ndarray]) -> np.ndarray:
    """(80, T) of LONG_SECONDS, of these one after the other, again and again."""
    n_frames = round(LONG_SECONDS * SAMPLING_RATE / STFT_HOP_LENGTH)
    joined = np.concatenate(spectrograms, axis=1)
    return np.tile(joined, -(-n_frames // joined.shape[1]))[:, :n_frames]


def speed_rows(timings: Sequence[Timing], first: Mapping[str, Mapping]) -> list[dict]:
    """The vocoders alone."""
    return [
        {
            "vocoder": name,
            "n": len(timings),
            "RTF": spread([timing.vocoders[name] / timing.audio for timing in timings]),
            "RTF in chunks": spread([timing.chunks[name] / timing.audio for timing in timings])
            if name in STREAMING else None,
            f"first audio of {LONG_SECONDS} s": spread(first["spectrogram"][name], " s"),
            "n of that": len(first["spectrogram"][name]),
        }
        for name in timings[0].vocoders
    ]  # fmt: skip


def text_rows(timings: Sequence[Timing], first: Mapping[str, Mapping], long_seconds: Mapping[str, float]) -> list[dict]:
    """From text to audio."""
    factors = {
        name: [(timing.spectrogram + timing.vocoders[name]) / timing.audio for timing in timings]
        for name in timings[0].vocoders
    }
    if timings[0].piper is not None:
        factors["Piper"] = [timing.piper[0] / timing.piper[1] for timing in timings]
    return [
        {
            "from text": name if name == "Piper" else f"our model, {name}",
            "n": len(timings),
            "RTF": spread(factors[name]),
            "first audio of a long sentence": spread(first["text"][name], " s"),
            "n of that": len(first["text"][name]),
            "its length, s": long_seconds[name],
        }
        for name in factors
    ]


def measure_speed(
    synthesizer: TextToSpeechSynthesizer,
    vocoders: Mapping,
    piper: Callable | None,
    sentences: Sequence[str],
    n_runs: int,
) -> dict:
    """Rows of both tables, and the single times."""
    said = say(synthesizer, LONG_SENTENCE)
    length = said.spectrogram.shape[1] * STFT_HOP_LENGTH / SAMPLING_RATE
    long_seconds = dict.fromkeys(vocoders, length)
    if piper is not None:
        long_seconds["Piper"] = sum(map(len, piper(LONG_SENTENCE))) / SAMPLING_RATE
    time_sentence(synthesizer, vocoders, piper, sentences[0])  # not counted: first calls are slow
    timings = [time_sentence(synthesizer, vocoders, piper, text) for text in tqdm(sentences, desc="speed")]
    spectrogram = long_spectrogram([said.spectrogram, *[say(synthesizer, text).spectrogram for text in sentences[:2]]])
    first = first_audio(synthesizer, vocoders, piper, spectrogram, n_runs)
    return {
        "speed": speed_rows(timings, first),
        "text": text_rows(timings, first, long_seconds),
        "timings": {"sentences": [timing._asdict() for timing in timings], "first audio": first},
    }


# -------- All of it ---------------------------------------------------------------------------------------------------


def measure(options: argparse.Namespace) -> dict:
    """Plain data for `render` and JSON; options as those of the command line."""
    vocoders = load_vocoders(options.vocoder_weights, band_correction=0.0)
    synthesizer = TextToSpeechSynthesizer(options.checkpoint, vocoder=silence)
    sentences = evaluate.spread_out(evaluate.read_sentences(), options.n)
    samples = evaluate.read_held_out(options.dataset, options.n)[0] if {"copy", "model"} & set(options.parts) else {}
    sources = recorded(samples, read_recordings(options.clips, list(samples))) if "copy" in options.parts else []
    piper = load_piper(options.threads) if {"model", "speed"} & set(options.parts) else None
    report = {
        "checkpoint": describe_file(options.checkpoint),
        "vocoder": describe_file(options.vocoder_weights or WEIGHTS_PATH),
        "machine": evaluate.machine(),
        "held_out": list(samples),
        "left_out": left_out(options.parts, len(samples), len(sources), piper),
    }
    judges = evaluate.load_judges([]) if samples else None
    parts = []
    if "copy" in options.parts:
        parts.append(measure_copies(load_vocoders(options.vocoder_weights, band_correction=1.0), sources, judges))
        report["copy"] = parts[-1].rows
    if "model" in options.parts:
        parts.append(measure_model(vocoders, predicted(synthesizer, samples, sentences), judges, piper))
        report["model"] = parts[-1].rows
    report["pairs"] = [row for part in parts for row in part.pairs]
    report["utterances"] = {kind: scores for part in parts for kind, scores in part.scores.items()}
    for part in parts if options.keep else ():
        evaluate.keep_audio(options.keep, part.spoken)
    if "speed" in options.parts:
        report |= measure_speed(synthesizer, vocoders, piper, sentences, options.runs)
    return report


def describe_file(path: pathlib.Path) -> dict:
    return {"file": path.name, "md5": hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else None}


def left_out(parts: Sequence[str], n_samples: int, n_recordings: int, piper: Callable | None) -> list[str]:
    lines = []
    if "copy" in parts and n_recordings < n_samples:
        lines.append(f"copies of {n_samples - n_recordings} of {n_samples} held-out utterances, not in --clips")
    if "copy" in parts and load_pesq() is None:
        lines.append("PESQ: pip install -r requirements-eval.txt")
    if {"model", "speed"} & set(parts) and piper is None:
        lines.append("Piper: pip install -r requirements-eval.txt")
    return lines


def render(report: Mapping) -> str:
    """The whole report as Markdown."""
    files = (report[key] for key in ("checkpoint", "vocoder"))
    return "\n\n".join([
        "; ".join(f"{file['file']}, MD5 {file['md5']}" for file in files),
        f"Measured on {evaluate.describe(report['machine'])}.",
        *[evaluate.markdown_table(report[key]) for key in ("copy", "model", "pairs", "speed", "text")
          if report.get(key)],
        *[f"Left out: {line}" for line in report["left_out"]],
    ])  # fmt: skip


def parse(arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description="Compare our vocoder with HiFi-GAN and Griffin-Lim, on the CPU.")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=evaluate.ROOT / CHECKPOINT_PATH)
    parser.add_argument("--vocoder-weights", type=pathlib.Path, help="of our vocoder; vocoder.pth by default")
    parser.add_argument("--dataset", type=pathlib.Path, help="LJ-Speech-aligned: its held-out part, for copy and model")
    parser.add_argument("--clips", type=pathlib.Path, help="folder of recordings, ID.wav or ID.flac, for copy")
    parser.add_argument("--parts", default=",".join(PARTS), help="which to measure, with commas; all by default")
    parser.add_argument("--n", type=int, help="at most so many sentences and held-out utterances; all by default")
    parser.add_argument("--runs", type=int, default=10, help="how often the first audio is timed")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--json", type=pathlib.Path, help="write the report there, with all utterances and times")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the audio")
    options = parser.parse_args(arguments)
    options.parts = [part.strip() for part in options.parts.split(",")]
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"--parts: there is no part {unknown[0]!r}, choose from {', '.join(PARTS)}")
    if {"copy", "model"} & set(options.parts) and options.dataset is None:
        parser.error("the parts copy and model need --dataset")
    if "copy" in options.parts and options.clips is None:
        parser.error("the part copy needs --clips")
    if any(number is not None and number < 1 for number in (options.n, options.runs, options.threads)):
        parser.error("--n, --runs and --threads are at least 1")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}")
    return parser, options


def main(arguments: Sequence[str] | None = None) -> None:
    parser, options = parse(arguments)
    torch.set_num_threads(options.threads)
    try:
        report = measure(options)
    except (ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(render(report))
    if options.json:
        evaluate.write_json(report, options.json)


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # all compared on the CPU, also where there is a GPU
    main()
