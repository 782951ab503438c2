"""Spectrograms to look at: a text that was spoken; a held-out recording and what checkpoints make of its phonemes.

    python benchmarks/pictures.py --text "Four hours of steady work." --out samples/spectrogram.png
    python benchmarks/pictures.py --checkpoint TTS.pth --dataset LJ-Speech-aligned --out report/spectrograms.png
    python benchmarks/pictures.py --checkpoint first.pth --compare second.pth --titles "at first" later --alignment ...

With --text the checkpoint speaks it; phonemes and words are labelled. With --dataset all checkpoints get the phonemes
and durations of one recording, so a moment has the same place in each row; all rows have one scale of colours, from
silence to the loudest of LJ Speech. `--alignment` adds the weights of the first checkpoint's upsampling. The utterance
is the first validation one that lasts 2 to 5 seconds, or `--utterance LJ001-0011`.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lj_speech  # noqa: E402
import part2_solution as tts  # noqa: E402
from part2_solution import Vocabulary, collate, denormalise  # noqa: E402
from recipe import melody  # noqa: E402
from speech import picture  # noqa: E402
from speech.record import Phoneme, Record  # noqa: E402

SECONDS = (2, 5)  # long enough to see words, short enough to see phonemes
FRAME_SECONDS = lj_speech.FRAME_MILLISECONDS / 1000

# -------- What is drawn ----------------------------------------------------------------------------------------------


def choose(dataset: lj_speech.AlignedDataset, utterance: str | None) -> int:
    """The index of the utterance with this ID, or of the first that lasts `SECONDS`. Raises ValueError for neither."""
    names = [path.name.removesuffix(".mel.npy") for path in dataset.mel_paths]
    if utterance is not None:
        if utterance not in names:
            raise ValueError(f"{utterance} is none of the {len(names)} held-out utterances: {', '.join(names[:5])} ...")
        return names.index(utterance)
    for index, alignment in enumerate(dataset.alignments):
        if SECONDS[0] <= sum(alignment.durations) * FRAME_SECONDS <= SECONDS[1]:
            return index
    raise ValueError(f"no held-out utterance lasts {SECONDS[0]} to {SECONDS[1]} seconds: choose one by --utterance")


@torch.inference_mode()
def predict(
    checkpoint: pathlib.Path, dataset: lj_speech.AlignedDataset, index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log-mel spectrogram (80, T) and weights of the upsampling (T, N), with the durations of a sample."""
    model = tts.load_checkpoint(checkpoint)
    one = lj_speech.AlignedDataset(dataset.mel_paths[index : index + 1], dataset.alignments[index : index + 1])
    sample = one[0]
    size, limit = sample["spectrogram"].shape[1], model.config.max_frames
    if size > limit or len(sample["phonemes_code"]) > model.config.max_phonemes:
        raise ValueError(f"the utterance of {size} frames is too long for {checkpoint}, which reaches {limit}")
    prediction = model(collate(Vocabulary(model.config.vocabulary), [melody.recorded(one, model)[0]]))
    return denormalise(prediction.mels[0]).T.numpy(), prediction.alignment[0].numpy()


# -------- Drawing ----------------------------------------------------------------------------------------------------


def phonemes_of(sample: dict) -> list[Phoneme]:
    """Those of a sample of `lj_speech.get_dataset`, with their times."""
    rows = zip(*(sample[f"phonemes_{name}"] for name in ("code", "start", "duration")))
    return [Phoneme(code, n * FRAME_SECONDS, (n + frames) * FRAME_SECONDS, frames) for code, n, frames in rows]


def draw_scale(figure, image, panels: Sequence) -> None:
    bar = figure.colorbar(image, ax=list(panels), pad=0.01, fraction=0.03, aspect=40)
    bar.set_label("log amplitude", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def draw_alignment(panel, alignment: np.ndarray, title: str) -> None:
    """(T, N): how much each frame takes of each phoneme."""
    extent = (0, len(alignment) * FRAME_SECONDS, 0, alignment.shape[1])
    panel.imshow(alignment.T, origin="lower", aspect="auto", extent=extent, cmap="Greys", interpolation="nearest")
    panel.set_title(f"{title}: weights of the upsampling", fontsize=9, loc="left")
    panel.set_ylabel("phoneme", fontsize=8)


def draw(rows: Sequence[tuple[str, np.ndarray]], sample: dict, alignment: np.ndarray | None, path: pathlib.Path):
    """`rows` are title and spectrogram, the recording first; `alignment` is that of the second row, or None."""
    n_panels = len(rows) + (alignment is not None)
    size = (8, 0.7 + 1.6 * n_panels)
    figure, panels = plt.subplots(n_panels, 1, figsize=size, sharex=True, layout="constrained", squeeze=False)
    panels, phonemes = panels[:, 0], phonemes_of(sample)
    for panel, (title, spectrogram) in zip(panels, rows):
        image = picture.draw_spectrogram(panel, spectrogram, phonemes)
        panel.set_title(title, fontsize=9, loc="left")
    if alignment is not None:
        draw_alignment(panels[-1], alignment, rows[1][0])
    picture.label_phonemes(panels[0], phonemes)
    panels[-1].set_xlabel("seconds", fontsize=8)
    for panel in panels:
        panel.tick_params(labelsize=7)
    draw_scale(figure, image, panels[: len(rows)])
    save(figure, path)


def draw_text(spoken: Record, path: pathlib.Path) -> None:
    """A text that was spoken, with its phonemes and words."""
    figure, panel = plt.subplots(figsize=(8, 2.9), layout="constrained")
    draw_scale(figure, picture.draw(spoken, panel), [panel])
    panel.tick_params(labelsize=7)
    save(figure, path)


def save(figure, path: pathlib.Path, dpi: int = 130) -> None:
    figure.set_dpi(dpi)
    figure.canvas.draw()
    write_png(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())), path, dpi=(dpi, dpi))
    plt.close(figure)


def write_png(picture: Image.Image, path: pathlib.Path, **options) -> None:
    """Of 256 colours: half the size of one with all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    few.save(path, optimize=True, **options)


# -------- Command line -----------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    if options.text:
        draw_text(tts.TextToSpeechSynthesizer(options.checkpoint).speak(options.text), options.out)
        name = options.text
    else:
        name = draw_checkpoints(options)
    print(f"{options.out}: {name}, {options.out.stat().st_size / 1000:.0f} kB")


def draw_checkpoints(options: argparse.Namespace) -> str:
    """Returns the name of the utterance."""
    checkpoints = [options.checkpoint, *options.compare]
    titles = options.titles or [path.name for path in checkpoints]
    if len(titles) != len(checkpoints):
        raise ValueError(f"{len(titles)} titles for {len(checkpoints)} checkpoints: give one for each")
    dataset = lj_speech.get_dataset(options.dataset)[1]
    index = choose(dataset, options.utterance)
    sample, name = dataset[index], dataset.mel_paths[index].name.removesuffix(".mel.npy")
    predictions = [predict(checkpoint, dataset, index) for checkpoint in checkpoints]
    title = f"recording {name}: “{textwrap.shorten(sample['text'], 85, placeholder=' …')}”"
    rows = [(title, sample["spectrogram"]), *zip(titles, (mels for mels, _ in predictions))]
    draw(rows, sample, predictions[0][1] if options.alignment else None, options.out)
    return name


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=tts.CHECKPOINT_PATH)
    parser.add_argument("--compare", type=pathlib.Path, nargs="+", default=[], help="more checkpoints, a row each")
    parser.add_argument("--titles", nargs="+", help="of the checkpoints' rows; default: the names of the files")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="to be spoken")
    what.add_argument("--dataset", type=pathlib.Path, help="LJ-Speech-aligned: of its held-out part")
    parser.add_argument("--utterance", help="ID of a held-out utterance, e.g. LJ001-0011")
    parser.add_argument("--alignment", action="store_true", help="add a row: the weights of the upsampling")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a .png")
    options = parser.parse_args(arguments)
    try:
        run(options)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
