"""The command `say`: a text to a sound file, to captions, to the loudspeakers."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import pathlib
import re
import signal
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace

from say import engines
from say.audio import FORMATS, Encoder, check_suffix, to_pcm, written_aside
from speech import captions
from speech.record import Record

EXAMPLES = """
examples:
    say "Four hours of steady work faced us."                     # into speech.wav
    say "Good morning." --out morning.mp3 --tempo 0.9 --pitch 2   # slower, two semitones higher
    say -f chapter.txt --out chapter.flac --captions chapter.srt
    echo "From a pipe." | say --out pipe.ogg
    say "Hello." --out - | head -c 2000 > hello.raw               # 16-bit mono samples, 22 050 a second
    say "The hibari sings." --pronounce hibari="HH IH0 B AA1 R IY0"
    say "How is it read?" --show-phonemes
    say --phonemes "pau HH AH0 L OW1 pau" --out hello.wav
    say "Aloud, please." --play
    say --serve                                                   # a page in the browser, and an endpoint for programs
"""
DEFAULT_OUT = pathlib.Path("speech.wav")
WHOLE = 10**9  # frames: larger than any piece, which is then vocoded at once


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="say", description="Speak English text.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    what = parser.add_argument_group("what is said (one of them, or text from a pipe)")
    what.add_argument("text", nargs="?", help="- reads standard input")
    what.add_argument("-f", "--file", type=pathlib.Path, help="read this text file aloud")
    what.add_argument("--phonemes", metavar="CODES", help='ARPAbet, such as "pau HH AH0 L OW1 pau"')

    where = parser.add_argument_group("where it goes")
    where.add_argument("-o", "--out", type=pathlib.Path, metavar="FILE",
                       help=f"{' '.join('.' + name for name in FORMATS)}, or - for raw samples as they are made "
                            f"(default: {DEFAULT_OUT}, unless it is played or shown)")
    where.add_argument("--play", action="store_true", help="to the loudspeakers, while it is made")
    where.add_argument("--captions", type=pathlib.Path, metavar="FILE", help=".srt, .vtt or .json, with times")
    where.add_argument("--caption-level", choices=("sentence", "word"), default="sentence",
                       help="one caption for each (default: %(default)s); .vtt and .json time words anyway")
    where.add_argument("--show-phonemes", action="store_true", help="print them, a line for each sentence")

    how = parser.add_argument_group("how it is said")
    how.add_argument("--tempo", type=float, help="0.5 is half as fast, 2 twice")
    how.add_argument("--pitch", type=float, metavar="SEMITONES", help="above or below the speaker's own; 0 is hers")
    how.add_argument("--intonation", type=float, metavar="FACTOR", help="0 is flat, 2 twice as lively; 1 is as usual")
    how.add_argument("--sentence-pause", type=float, metavar="SECONDS", help="of silence between sentences")
    how.add_argument("--paragraph-pause", type=float, metavar="SECONDS", help="of silence between paragraphs")
    how.add_argument("--style", action="append", default=[], metavar="NAME=NUMBER",
                     help="other settings of the voice; may be given again; `--style help` lists all")
    how.add_argument("--pronounce", action="append", default=[], metavar='WORD="CODES"', help="may be given again")
    how.add_argument("--dictionary", type=pathlib.Path, metavar="FILE",
                     help="pronunciations, a line each: a word, = or spaces, its phonemes; # begins a comment")

    with_what = parser.add_argument_group("with what")
    with_what.add_argument("--engine", choices=engines.ENGINES, default="auto", help="default: the fastest installed")
    with_what.add_argument("--threads", type=int, metavar="N", help="default: the engine's own choice")
    with_what.add_argument("--checkpoint", type=pathlib.Path, metavar="FILE", help="another voice")

    serve = parser.add_argument_group("server")
    serve.add_argument("--serve", action="store_true", help="a page, and OpenAI's /v1/audio/speech")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s, this machine)")
    serve.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--version", action="store_true", help="print it and exit")
    return parser


def version() -> str:
    """Of the checkout, where this runs from one, else of what is installed."""
    project = pathlib.Path(__file__).parent.parent / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return importlib.metadata.version("part2-solution")


# -------- What is said -----------------------------------------------------------------------------------------------


def read_text(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str | None:
    """The text, or None where phonemes are said. Ends the program where there is none or more than one."""
    given = [option for option in (options.text, options.file, options.phonemes) if option is not None]
    if len(given) > 1:
        parser.error("give a text, --file or --phonemes, not several of them")
    if options.phonemes is not None:
        return None
    if options.file:
        return decode(read_bytes(options.file), str(options.file))
    if options.text not in (None, "-"):
        if looks_like_file(options.text):
            raise ValueError(f"{options.text} is a file: `say -f {options.text}` reads it aloud")
        return options.text
    if options.text is None and sys.stdin.isatty():
        parser.error("nothing to say: give a text, -f FILE, or pipe one in")
    return decode(sys.stdin.buffer.read(), "standard input")


def looks_like_file(text: str) -> bool:
    try:
        return len(text.split()) == 1 and os.path.isfile(text)
    except ValueError:  # a null character
        return False


def read_bytes(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from error


def decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no text in UTF-8: see its byte {error.start}") from error


def read_pronunciations(options: argparse.Namespace) -> dict[str, str]:
    """Words and their phonemes; those of the command line come before those of the dictionary."""
    words = {}
    if options.dictionary:
        lines = decode(read_bytes(options.dictionary), str(options.dictionary)).splitlines()
        for number, line in enumerate(lines, 1):
            line = line.partition("#")[0].strip()
            if line:
                words.update(read_pronunciation(line, f"{options.dictionary}, line {number}"))
    for given in options.pronounce:
        words.update(read_pronunciation(given, "--pronounce"))
    return words


def read_pronunciation(line: str, where: str) -> dict[str, str]:
    import english

    word, codes = (re.split(r"\s*=\s*|\s+", line.strip(), maxsplit=1) + [""])[:2]
    unknown = [code for code in codes.split() if code not in english.PHONEMES]
    if not word or not codes or unknown:
        what = f"does not know {unknown[0]}" if unknown else "needs a word and its phonemes"
        raise ValueError(f'{where} {what}: write hibari="HH IH0 B AA1 R IY0", with stress as in the CMU dictionary')
    return {word: codes}


# -------- How ---------------------------------------------------------------------------------------------------------


def read_style(style, changes: Sequence[str]):
    """A frozen style with `NAME=NUMBER` changed. Raises ValueError that lists what there is."""
    try:
        numbers = {name: float(number) for name, number in (change.split("=") for change in changes)}
        unknown = numbers.keys() - asdict(style).keys()
    except ValueError:
        unknown = changes
    if unknown:
        known = " ".join(f"{name}={value}" for name, value in asdict(style).items())
        raise ValueError(f"--style takes any of: {known or 'nothing, this voice has no style'}")
    return replace(style, **numbers)


def set_up(voice, options: argparse.Namespace):
    """The voice with the settings of the command line. `--pitch` and `--intonation` count from what is usual."""
    changes = list(options.style)
    usual = asdict(voice.style)
    if options.pitch is not None:
        changes.append(f"pitch_shift={usual.get('pitch_shift', 0) + options.pitch}")
    if options.intonation is not None:
        changes.append(f"intonation={usual.get('intonation', 1) * options.intonation}")
    voice.style = read_style(voice.style, changes)
    return voice.with_settings(
        tempo=options.tempo, sentence_pause=options.sentence_pause, paragraph_pause=options.paragraph_pause
    )


# -------- Where it goes -----------------------------------------------------------------------------------------------


def open_outputs(options: argparse.Namespace, out: pathlib.Path | None, rate: int, stack: ExitStack) -> list[Callable]:
    """Functions that take pieces of audio; opened before anything is computed, so that what is wrong is told at once.

    The stack closes them: files get their names then, players are waited for.
    """
    outputs: list[Callable] = []
    if out and str(out) == "-":
        binary = sys.stdout.buffer

        def write_raw(audio) -> None:
            binary.write(to_pcm(audio))
            binary.flush()

        outputs.append(write_raw)
    elif out:
        kind = check_suffix(out, FORMATS)
        encoder = Encoder(kind, rate, stack.enter_context(written_aside(out)))
        stack.push(lambda kind, *_: encoder.finish() if kind is None else encoder.abandon())
        outputs.append(encoder.encode)
    if options.play:
        from say.players import open_player

        player = open_player(rate)
        stack.push(lambda kind, *_: player.close() if kind is None else None)
        outputs.append(player.write)
    return outputs


def speak(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    text, words = read_text(options, parser), read_pronunciations(options)
    wants_audio = options.play or options.captions or not options.show_phonemes
    out = options.out or (DEFAULT_OUT if wants_audio and not options.play else None)
    if options.show_phonemes:
        show_phonemes(options.phonemes, text, words, file=sys.stderr if str(out) == "-" else sys.stdout)
        if not out and not options.play:
            return
    from vocoder.spectrogram import SAMPLING_RATE

    with ExitStack() as stack:
        outputs = open_outputs(options, out, SAMPLING_RATE, stack)
        caption_file = None
        if options.captions:
            caption_format = captions.FORMATS[check_suffix(options.captions, captions.FORMATS)]
            caption_file = stack.enter_context(written_aside(options.captions))
        voice = set_up(engines.open_voice(options.engine, options.checkpoint, options.threads), options)
        as_made = options.play or str(out) == "-"
        pieces = say_pieces(voice, options, text, words, {"chunk": 32 if as_made else WHOLE})
        n_samples, spoken = 0, []
        for piece in pieces:
            n_samples += piece.audio.shape[1]
            spoken += piece.words
            for output in outputs:
                output(piece.audio)
        if caption_file:
            caption_file.write(caption_format(spoken, text or "", options.caption_level).encode())
    report(out, options.captions, n_samples / SAMPLING_RATE)


def say_pieces(voice, options, text: str | None, words: dict[str, str], how: dict) -> Iterator[Record]:
    if text is None:
        return voice.stream_phonemes(options.phonemes.split(), **how)
    return voice.stream(text, custom_words=words, progress=sys.stderr.isatty(), **how)


def show_phonemes(phonemes: str | None, text: str | None, words: dict[str, str], file) -> None:
    import english

    sentences = [phonemes.split()] if text is None else english.sentences_to_phonemes(text, words)
    for codes in sentences:
        print(*codes, file=file)


def report(out: pathlib.Path | None, caption_path: pathlib.Path | None, seconds: float) -> None:
    for path in (out, caption_path):
        if path and str(path) != "-":
            print(f"{path}: {seconds:.1f} s of speech", file=sys.stderr if str(out) == "-" else sys.stdout)


def serve(options: argparse.Namespace) -> None:
    try:
        from say import server
    except ImportError as error:
        raise ImportError(f"the page needs {error.name}: pip install fastapi uvicorn") from error
    voice = set_up(engines.open_voice(options.engine, options.checkpoint, options.threads), options)
    server.serve(voice, options.host, options.port)


# -------- Main --------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends with 0 where all went well, 1 where the text, a setting or a file is wrong, 2 where the options are."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.version:
        print(parser.prog, version())
        parser.exit()
    if options.threads is not None and options.threads < 1:
        parser.error("--threads is at least 1")
    warnings.formatwarning = lambda message, *_: f"{parser.prog}: {message}\n"  # for users, not for programmers
    if arguments is None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unfinished files are removed
    try:
        serve(options) if options.serve else speak(options, parser)
    except BrokenPipeError:  # who read our standard output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped\n")
