"""Does a voice speak with the speaker's melody, and do its questions sound like questions?

    python benchmarks/melody.py TTS.pth --dataset LJ-Speech-aligned

like the speaker   the pitch of each phoneme that is predicted for validation utterances, with the durations of the
                   recordings, against the pitch that is read in these: correlation within an utterance, and
                   standard deviation of the predicted over that of the read pitch, pauses left out
questions          yes/no questions of `questions.tsv`, spoken from text, and the same words as statements: how high the
                   last 0.1 s of voice are over the median of the whole, in semitones, by Praat
95 % confidence of the means. `--piper` measures the questions of Piper's voice `joe`, as the teacher speaks, too.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
from collections.abc import Callable, Sequence

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # the modules of the project

import peers  # noqa: E402

import lj_speech  # noqa: E402
from part2_solution import AcousticModel, TextToSpeechSynthesizer, Vocabulary, collate  # noqa: E402
from recipe import melody as features  # noqa: E402
from recipe import prepare  # noqa: E402

QUESTIONS = pathlib.Path(__file__).with_name("questions.tsv")
END = 0.1  # s of voice
SEMITONES = 12 / np.log(2)
# Hz, where Praat looks for the pitch: of a woman, and of Piper's `joe`
LIMITS = {"ours": (90.0, 450.0), "hibari": (90.0, 450.0), "piper": (50.0, 200.0)}


def mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f} ± {1.96 * statistics.stdev(values) / len(values) ** 0.5:.2f}"


@torch.inference_mode()
def like_the_speaker(model: AcousticModel, dataset: lj_speech.AlignedDataset) -> tuple[list[float], list[float]]:
    """Correlation and ratio of the deviations, of each utterance."""
    correlations, ratios = [], []
    for sample in features.melodies(features.read_features(dataset, model.config.vocabulary)):
        batch = collate(Vocabulary(model.config.vocabulary), [sample])
        spoken = [code != lj_speech.PAUSE for code in sample["phonemes_code"]]
        rows = features.predict_log_pitch(model, batch), batch.features["log_pitch"]
        predicted, read = (row[0].numpy()[spoken] for row in rows)
        correlations.append(float(np.corrcoef(predicted, read)[0, 1]))
        ratios.append(float(predicted.std() / read.std()))
    return correlations, ratios


def rise(audio: np.ndarray, limits: tuple[float, float]) -> float:
    """Semitones of the end over the median. Raises ValueError where there is no voice."""
    sound = prepare.load_praat().Sound(audio.astype(np.float64), lj_speech.SAMPLING_RATE)
    pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=limits[0], pitch_ceiling=limits[1])
    voiced = pitch.selected_array["frequency"]
    voiced = voiced[voiced > 0]
    if len(voiced) == 0:
        raise ValueError("no voice is found")
    return float(SEMITONES * np.log(np.median(voiced[-round(END / 0.01) :]) / np.median(voiced)))


def read_questions() -> list[list[str]]:
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def compare(speak: Callable[[str], np.ndarray], limits: tuple[float, float]) -> dict[str, list[float]]:
    """The rises of questions and of statements, and their differences."""
    rises = [[rise(speak(text), limits) for text in pair] for pair in read_questions()]
    questions, statements = (list(column) for column in zip(*rises))
    return {"question": questions, "statement": statements, "difference": list(np.subtract(questions, statements))}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path, nargs="?", default=pathlib.Path("TTS.pth"))
    parser.add_argument("--dataset", type=pathlib.Path, help="an aligned dataset, for the first table")
    parser.add_argument("--peers", nargs="*", default=[], choices=peers.PEERS, help="the questions of these voices too")
    options = parser.parse_args(arguments)
    synthesizer = TextToSpeechSynthesizer(options.checkpoint)
    if options.dataset:
        correlations, ratios = like_the_speaker(synthesizer.model.cpu(), lj_speech.get_dataset(options.dataset)[1])
        print(f"like the speaker, n = {len(ratios)}: correlation {mean(correlations)}, deviation {mean(ratios)}")
        synthesizer.model.to(synthesizer.device)
    voices = {"ours": lambda text: synthesizer.synthesize_from_text(text)[0].numpy()}
    voices |= {name: peers.PEERS[name](1) for name in options.peers}
    for name, speak in voices.items():
        rises = {kind: mean(values) for kind, values in compare(speak, LIMITS[name]).items()}
        print(f"{name}, n = {len(read_questions())} pairs, semitones: {rises}")


if __name__ == "__main__":
    main()
