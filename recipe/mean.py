"""The weighted mean of the weights of several trainings of one voice (arXiv 2203.05482).

Weights that share a history lie so near to each other that their mean is a voice, often a better one than either: what
is random in them averages out. `voice` and `adversarial` keep a mean along a training, this is one of several.

    python -m recipe mean 0.5 TTS.pth 0.5 TTS-sharp.pth --sigma 2 --out TTS-mean.pth

The duration model learns from what the encoder says, so train it again afterwards:

    python -m recipe voice LJ-Speech-aligned --init TTS-mean.pth --epochs 0 --pitch-epochs 0 --checkpoint TTS.pth
"""

from __future__ import annotations

import argparse
import math
import pathlib
from collections.abc import Sequence

import torch

import part2_solution as tts
from part2_solution import AcousticModel
from recipe import command_line
from vocoder import weights
from vocoder.settings import check_number

OPTIONAL = "places."  # what begins so counts as zero in a voice that lacks it


def mean(models: Sequence[AcousticModel], shares: Sequence[float]) -> AcousticModel:
    """One of the models, with the mean of all their weights. Raises ValueError where these are not the same."""
    result = max(models, key=lambda model: model.config.place_reach)
    total, states, found = sum(shares), [model.state_dict() for model in models], result.state_dict()
    for model, state in zip(models, states):
        shapes = [{name: row.shape for name, row in each.items() if not name.startswith(OPTIONAL)}
                  for each in (state, found)]  # fmt: skip
        if shapes[0] != shapes[1] or model.config.vocabulary != result.config.vocabulary:
            raise ValueError("these voices differ in shape or phonemes: only trainings of one voice have a mean")
    for name, tensor in found.items():
        if tensor.is_floating_point():
            parts = [share / total * state[name].double() for share, state in zip(shares, states) if name in state]
            found[name] = torch.stack(parts).sum(0).to(tensor.dtype)
    result.load_state_dict(found)
    return result


def write_mean(parts: Sequence[tuple[float, pathlib.Path]], out: pathlib.Path, sigma: float | None = None) -> None:
    """`parts` are shares and checkpoints; `sigma`, in frames, is that of the mean's upsampling.

    Raises FileNotFoundError or ValueError for what is no checkpoint, or of another voice.
    """
    weights.check_destination(out)
    for share, path in parts:
        check_number(f"the share of {path}", share, 0, 1e6)
    if sum(share for share, _ in parts) == 0:
        raise ValueError("all shares are 0: give one that is not")
    paths = [path for _, path in parts]
    model = mean([tts.load_checkpoint(path) for path in paths], [share for share, _ in parts])
    if sigma is not None:
        check_number("sigma", sigma, 0.01, min(100, model.config.max_sigma))
        model.upsampling.log_sigma.data.fill_(math.log(sigma))
    record = [{"share": share, "checkpoint": weights.checksum(path), "training": weights.read_training(path)}
              for share, path in parts]  # fmt: skip
    tts.save_checkpoint(model, out, {"mean": record, "sigma": sigma})


def read_parts(words: Sequence[str]) -> list[tuple[float, pathlib.Path]]:
    """SHARE CHECKPOINT SHARE CHECKPOINT ..."""
    try:
        return [(float(share), pathlib.Path(path)) for share, path in zip(words[::2], words[1::2], strict=True)]
    except ValueError as error:
        raise ValueError("give a share before each checkpoint: 0.5 TTS.pth 0.5 TTS-sharp.pth") from error


def work(options: argparse.Namespace) -> None:
    write_mean(read_parts(options.parts), options.out, options.sigma)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("mean", "The weighted mean of the weights of several trainings of one voice.")
    parser.add_argument("parts", nargs="+", metavar="SHARE CHECKPOINT", help="0.5 TTS.pth 0.5 TTS-sharp.pth")
    parser.add_argument("--sigma", type=float, help="of the upsampling, in frames (default: the mean one)")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    command_line.run(parser, arguments, work)
