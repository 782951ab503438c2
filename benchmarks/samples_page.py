"""A page to judge by: the same sentences by our voice and by others, side by side, with what the judges say.

    python benchmarks/samples_page.py --out runs/samples/index.html

One file with all the audio inside, to open in a browser. It is not committed: the others' audio is theirs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import evaluate
import jinja2
import numpy as np
import peers
import soundfile
import torch
from evaluate import Judges, Score, Utterance

from lj_speech import SAMPLING_RATE
from part2_solution import CHECKPOINT_PATH, TextToSpeechSynthesizer

TEMPLATE = pathlib.Path(__file__).with_suffix(".html")
LOUDNESS = 0.05  # root mean square: -26 dB of full scale, as in listening tests (ITU-T P.56)


class Sample(NamedTuple):
    """A sentence by one voice."""

    url: str  # its audio
    score: Score


def equally_loud(audio: np.ndarray) -> np.ndarray:
    """(t,) -> the same at LOUDNESS, or as loud as its peaks allow: what is louder seems better."""
    rms, peak = float(np.sqrt(np.mean(np.square(audio)))), float(np.abs(audio).max())
    return audio * min(LOUDNESS / rms, 1 / peak) if peak else audio


def data_url(audio: np.ndarray) -> str:
    """(t,) at SAMPLING_RATE -> a FLAC inside an address."""
    file = io.BytesIO()
    soundfile.write(file, audio, SAMPLING_RATE, format="flac")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode()


def make_page(voices: Mapping[str, Callable], texts: Sequence[str], judges: Judges, checkpoint: str) -> str:
    """HTML; each of `voices` says (name, text)."""
    spoken: dict[str, list[Utterance]] = {name: evaluate.speak_list(say, texts, name) for name, say in voices.items()}
    scores = {name: [evaluate.judge(item, judges) for item in spoken[name]] for name in spoken}
    columns = [
        [Sample(data_url(equally_loud(item.audio)), score) for item, score in zip(spoken[name], scores[name])]
        for name in spoken
    ]
    template = jinja2.Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        voices=list(voices), sentences=list(zip(texts, zip(*columns))), rate=SAMPLING_RATE, checkpoint=checkpoint,
        rows=[evaluate.summarise(name, spoken[name], scores[name]) for name in spoken],
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", type=pathlib.Path, default=CHECKPOINT_PATH, help="default: %(default)s")
    parser.add_argument("--n", type=int, default=10, help="sentences of sentences.tsv (default: %(default)s)")
    parser.add_argument("--peers", nargs="*", choices=list(peers.PEERS), default=list(peers.PEERS), help="default: all")
    parser.add_argument("--threads", type=int, help="of the processor")
    parser.add_argument("--out", type=pathlib.Path, default="runs/samples/index.html", help="default: %(default)s")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        voices = evaluate.load_voices(TextToSpeechSynthesizer(options.checkpoint), options.peers)
        texts = evaluate.spread_out(evaluate.read_sentences(), options.n)
        md5 = hashlib.md5(options.checkpoint.read_bytes()).hexdigest()
        page = make_page(voices, texts, evaluate.load_judges([]), f"{options.checkpoint.name}, MD5 {md5}")
    except (ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    for peer in options.peers:
        if peer not in voices:
            print(f"Left out: {peer}, which is not installed: pip install -r requirements-eval.txt")
    print(f"{options.out}: {len(texts)} sentences by {', '.join(voices)}, {len(page) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
