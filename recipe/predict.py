"""Spectrograms as a voice makes them, with the recordings' durations: what the vocoder learns from.

    python -m recipe predict TTS.pth LJ-Speech-aligned --out predicted
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import torch
from tqdm.auto import tqdm

import lj_speech
import part2_solution as tts
from recipe import command_line, melody
from vocoder import weights


@torch.inference_mode()
def predict(checkpoint_path: pathlib.Path, dataset_root: pathlib.Path, out: pathlib.Path) -> None:
    """Write to `out` the spectrogram of each utterance, (80, T) in fp16."""
    weights.check_destination(out / "ID.mel.npy")
    model = tts.load_checkpoint(checkpoint_path)
    vocabulary = tts.Vocabulary(model.config.vocabulary)
    for dataset in lj_speech.get_dataset(dataset_root):
        for path, sample in zip(tqdm(dataset.mel_paths, unit="utterance"), melody.recorded(dataset, model)):
            spectrogram = tts.denormalise(model(tts.collate(vocabulary, [sample])).mels[0]).T
            content = spectrogram.numpy().astype(np.float16)
            weights.write_atomically(out / path.name, lambda file, content=content: np.save(file, content))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("predict", "Spectrograms of a voice with the recordings' durations.")
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    command_line.run(parser, arguments, lambda options: predict(options.checkpoint, options.dataset, options.out))
