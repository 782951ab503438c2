"""The plain method on an aligned dataset: `part2_solution.train_tts` on the command line.

    python -m recipe train LJ-Speech-aligned --epochs 32
    torchrun --nproc-per-node=2 part2_solution.py train LJ-Speech-aligned --epochs 32    # the same on two GPUs
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from part2_solution import CHECKPOINT_PATH, TrainConfig, train_tts
from recipe import command_line


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("train", "Train the plain method on an aligned dataset.")
    parser.add_argument("dataset_root", type=pathlib.Path, help="an aligned dataset: see `python -m recipe prepare`")
    parser.add_argument("--epochs", type=int, required=True, help="32 are 13 000 iterations on the whole of LJ Speech")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=CHECKPOINT_PATH, help="default: %(default)s")
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/tts", help="default: %(default)s")
    parser.add_argument("--no-resume", action="store_true", help="discard an unfinished run in the log folder")
    command_line.add_settings(parser, TrainConfig())
    command_line.run(parser, arguments, lambda options: train_tts(
        options.dataset_root, options.epochs, options.logdir,
        config=command_line.read_settings(options, TrainConfig()), checkpoint_path=options.checkpoint,
        resume=not options.no_resume,
    ))  # fmt: skip
