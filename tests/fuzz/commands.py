"""The command lines: they end with 0, 1 or 2 and at most one line of error, and files are whole or as they were."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import sys

import soundfile
from conftest import write_dataset

from fuzz import voices
from fuzz.mutations import Dice
from fuzz.texts import SENTENCES, mutate_text
from say import audio, command_line
from speech import captions

NUMBERS = ["0", "1", "-1", "0.5", "2", "1e9", "1e-30", "nan", "inf", "", "x", "1e999", "0x10", "-0.0", "١"]
OUTS = ["x.wav", "x.flac", "x.ogg", "x.opus", "x.mp3", "old.wav", "folder", "folder.wav", "nowhere/x.wav", "x", "x.raw",
        "", "old.wav/x.wav", "a" * 300 + ".wav", "link.wav", "pipe.wav", ".wav", "x.WAV", "/dev/full",
        "\ud800.wav"]  # fmt: skip
CAPTIONS = ["x.srt", "x.vtt", "x.json", "old.srt", "x.txt", "folder", "nowhere/x.srt", ""]
FILES = ["in.txt", "latin.txt", "words.txt", "folder", "none.txt", "old.wav", "empty.txt", ""]  # no pipe: it is read
STYLES = ["help", "pitch_shift=", "intonation=", "colour=", "=", "denoising=", "", "question_rise=1=", "tempo="]
WORDS = ["hibari=HH IH0", "hibari", "=HH", "a=", "hibari=X", "", "=", "a b=HH", "é=HH AH0"]
TRAIN = ["--epochs", "--batch-size", "--learning-rate", "--warmup-steps", "--cooldown", "--weight-decay", "--amp",
         "--seed", "--max-gradient-norm", "--ema-decay", "--bucket-batches", "--duration-epochs",
         "--duration-learning-rate", "--n-evaluations", "--log-every", "--model", "--checkpoint",
         "--logdir", "--pitch-epochs", "--pitch-learning-rate", "--own-share", "--init", "--durations-root",
         "--more", "--second-speaker"]  # fmt: skip


def make(dice: Dice, folder: pathlib.Path) -> dict:
    if dice.happens(0.15):
        chosen = dice.sample(TRAIN, dice.choice([1, 2]))
        options = [
            part for name in chosen for part in (name, dice.choice([*NUMBERS, "fp32", "width=8", "folder", "data"]))
        ]
        return {"command": "train", "arguments": options, "input": ""}
    options = {
        "--tempo": NUMBERS, "--pitch": NUMBERS, "--intonation": NUMBERS, "--sentence-pause": NUMBERS,
        "--threads": NUMBERS,
        "--paragraph-pause": NUMBERS, "--out": OUTS, "--captions": CAPTIONS,
        "--caption-level": ["word", "sentence", "x"],
        "--style": [style + dice.choice(NUMBERS) for style in STYLES], "--pronounce": WORDS, "--dictionary": FILES,
        "--phonemes": ["pau HH AH0 pau", "X", "", "pau"], "--file": FILES, "--show-phonemes": None, "--version": None,
        "--checkpoint": FILES, "--engine": ["torch", "onnx", "auto", "x"],
    }  # fmt: skip
    arguments = []
    if dice.happens(0.8):
        text = dice.choice(["Yes.", "-", "", "in.txt", "--", "-x", mutate_text(dice, dice.choice(SENTENCES))[:200]])
        arguments.append(text)
    for name in dice.sample(sorted(options), dice.choice([1, 2, 3])):
        arguments += [name] if options[name] is None else [name, dice.choice(options[name])]
    if dice.happens(0.6) and "--out" not in arguments:
        arguments += ["--out", dice.choice(OUTS)]
    return {"command": "say", "arguments": arguments, "input": dice.choice(["", "Yes.", "No\0.", "é"])}


def write_files(folder: pathlib.Path) -> None:
    for name, content in {
        "in.txt": b"It was late.\n", "latin.txt": "caf\xe9".encode("latin-1"), "words.txt": b"hibari HH IH0\n",
        "empty.txt": b"", "old.wav": b"kept", "old.srt": b"kept", "small.pth": voices.checkpoint(),
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    for name in ("folder", "folder.wav"):
        (folder / name).mkdir()
    (folder / "link.wav").symlink_to("old.wav")
    os.mkfifo(folder / "pipe.wav")


def run(main, arguments: list[str], typed: str) -> tuple[int, str]:
    """How a command ended, and what it said about errors."""
    said, before = io.StringIO(), sys.stdin
    heard = io.TextIOWrapper(io.BytesIO())
    sys.stdin = io.TextIOWrapper(io.BytesIO(typed.encode("utf-8", "surrogatepass")))
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(heard):
            main(arguments)
            return 0, said.getvalue()
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    finally:
        sys.stdin = before


def check(case: dict, folder: pathlib.Path) -> str:
    code = check_training(case, folder) if case["command"] == "train" else check_say(case, folder)
    return "refused" if code else "passed"


def state_of(folder: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


def check_say(case: dict, folder: pathlib.Path) -> int:
    write_files(folder)
    before = state_of(folder)
    defaults = [] if "--checkpoint" in case["arguments"] else ["--checkpoint=small.pth"]
    code, said = run(command_line.main, [*defaults, *case["arguments"]], case["input"])
    after = state_of(folder)
    changed = [name for name in after.keys() | before.keys() if after.get(name) != before.get(name)]
    assert code in (0, 1, 2), f"it ended with {code}: {said}"
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("say: ")]
    if code == 1:
        assert said.startswith("say: ") and len(said) < 3000, said
    if code:
        assert errors and not changed, f"{changed} changed, although it ended with {code}: {said}"
    for name in changed:
        suffix = pathlib.Path(name).suffix[1:].lower()
        assert suffix in {*audio.FORMATS, *captions.FORMATS} and ".tmp" not in name, f"{name} is left"
        if suffix in audio.FORMATS:
            assert soundfile.info(folder / name).samplerate > 0
    return code


def check_training(case: dict, folder: pathlib.Path) -> int:
    from recipe import voice

    write_dataset(folder / "data", 3)
    (folder / "folder").mkdir()
    small = [
        "--model",
        "width=8",
        "n_heads=2",
        "inner_width=8",
        "n_encoder_blocks=1",
        "n_decoder_blocks=1",
        "post_width=4",
    ]
    usual = [folder / "data", "--epochs", "1", "--batch-size", "2", "--amp", "fp32", "--duration-epochs", "1",
             "--checkpoint", "voice.pth", "--logdir", "log", "--pitch-epochs", "1", *small]  # fmt: skip
    (folder / "voice.pth").write_bytes(b"kept")
    code, said = run(voice.main, [*map(str, usual), *case["arguments"]], "")
    assert code in (0, 1, 2) and "Traceback" not in said, said
    if code:
        assert (folder / "voice.pth").read_bytes() == b"kept", "what was there is gone"
    else:
        saved = [path for path in folder.glob("*.pth") if path.stat().st_size > 4] or [folder / "1"]
        assert saved, "nothing was saved"
    return code
