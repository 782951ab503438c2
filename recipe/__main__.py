"""python -m recipe COMMAND ...: one command line for all steps of the recipe."""

from __future__ import annotations

import argparse
import importlib
import sys

COMMANDS = {
    "prepare": "recordings, transcripts, alignments -> an aligned dataset",
    "shift-pitch": "copies of a dataset's utterances with another pitch",
    "teacher": "let a synthesiser read texts aloud, to learn from it",
    "train": "train the plain method on an aligned dataset",
    "voice": "train a voice as the shipped one: with melody, second speaker, copies",
    "adversarial": "fine-tune a voice against a discriminator",
    "mean": "the mean of the weights of several trainings of a voice",
    "export": "the voice as ONNX, for the runtime without PyTorch",
    "predict": "spectrograms of a voice with the recordings' durations, for train-vocoder",
    "train-vocoder": "train the vocoder on recordings",
    "prune-vocoder": "make a trained vocoder smaller",
}


def main() -> None:
    listing = "\n".join(f"  {name:14} {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m recipe", description=f"Make a voice.\n\ncommands:\n{listing}", usage="%(prog)s COMMAND ...",
        epilog="python -m recipe COMMAND --help lists the options.", add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        parser.print_help()
        sys.exit(0 if sys.argv[1:2] in (["--help"], ["-h"]) else 2)
    command = sys.argv[1]
    try:
        module = importlib.import_module("recipe." + command.replace("-", "_"))
    except ModuleNotFoundError as error:
        sys.exit(f"python -m recipe: {command} needs {error.name}: pip install -r requirements-data.txt")
    module.main(sys.argv[2:])


if __name__ == "__main__":
    main()
