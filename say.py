"""The command `say`: a text into a WAV or FLAC file.

    say "Four hours of steady work faced us." --out speech.wav      # or: python say.py ...
"""

from __future__ import annotations

import argparse
import pathlib
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace


def read_style(style, changes: Sequence[str]):
    """A frozen style with `NAME=NUMBER` changed. Raises ValueError that lists what there is."""
    try:
        return replace(style, **{name: float(number) for name, number in (change.split("=") for change in changes)})
    except (TypeError, ValueError) as error:
        known = " ".join(f"{name}={value}" for name, value in asdict(style).items())
        raise ValueError(f"--style takes any of: {known or 'nothing, this voice has no style'}") from error


def speak(options: argparse.Namespace) -> None:
    import soundfile

    if options.out.suffix[1:].upper() not in soundfile.available_formats() or not options.out.parent.is_dir():
        raise ValueError(f"cannot write {options.out}: give a .wav or .flac in a folder that exists")
    from part2_solution import SAMPLING_RATE, TextToSpeechSynthesizer  # slow to import

    synthesizer = TextToSpeechSynthesizer(options.checkpoint)
    synthesizer.tempo, synthesizer.style = options.tempo, read_style(synthesizer.style, options.style)
    audio = synthesizer.synthesize_from_text(options.text, progress=True)
    soundfile.write(options.out, audio[0].numpy(), SAMPLING_RATE)
    print(f"{options.out}: {audio.shape[1] / SAMPLING_RATE:.1f} s of speech")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="say", description="Speak a text into a WAV or FLAC file.")
    parser.add_argument("text")
    parser.add_argument("--out", type=pathlib.Path, default="speech.wav", help="default: %(default)s")
    parser.add_argument("--tempo", type=float, default=1.0, help="0.5 is half as fast, 2 twice (default: %(default)s)")
    parser.add_argument("--style", action="append", default=[], metavar="NAME=NUMBER",
                        help="how the voice speaks, e.g. pitch_shift=3; may be given again; `--style help` lists all")
    parser.add_argument("--checkpoint", type=pathlib.Path, default="TTS.pth", help="default: %(default)s")
    options = parser.parse_args(arguments)
    warnings.formatwarning = lambda message, *_: f"{message}\n"  # for users, not for programmers
    try:
        speak(options)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
