"""The command line, as a user types it."""

import contextlib
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import resource
import shlex
import struct
import subprocess
import sys
import termios
import types

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import part2_solution as tts
from say import audio, command_line, engines, players
from speech.record import Record

RATE = 22050
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
WORDS = "Four hours of steady work."


@pytest.fixture(scope="module")
def shipped():
    return tts.TextToSpeechSynthesizer(ROOT / "TTS.pth")


@pytest.fixture
def voice(shipped, monkeypatch, tmp_path):
    """`say` runs in a folder of its own and finds the voice loaded."""
    monkeypatch.setattr(engines, "open_voice", lambda *options: shipped.with_settings())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    return shipped


def types_in(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def fails(*arguments: str, code: int = 1) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main(arguments)
    assert ended.value.code == code


# -------- What is said -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", audio.FORMATS)
def test_a_file_of_each_kind(voice, name, capsys):
    command_line.main([WORDS, "--out", f"x.{name.upper()}"])
    expected = voice.synthesize_from_text(WORDS)[0].numpy()
    samples, rate = soundfile.read(f"x.{name.upper()}")
    assert len(samples) / rate == pytest.approx(len(expected) / RATE, abs=0.001)
    assert rate == (24000 if name == "opus" else RATE)
    if name in ("wav", "flac"):
        np.testing.assert_allclose(samples, expected, atol=1e-4)
    assert np.std(samples) == pytest.approx(np.std(expected), rel=0.1)
    assert capsys.readouterr().out == f"x.{name.upper()}: {len(expected) / RATE:.1f} s of speech\n"
    assert os.listdir() == [f"x.{name.upper()}"]


def test_from_a_file_a_pipe_and_the_command_line_it_is_the_same(voice, monkeypatch):
    pathlib.Path("in.txt").write_bytes(b"\xef\xbb\xbf" + WORDS.encode())
    command_line.main([WORDS])
    command_line.main(["--file", "in.txt", "--out", "file.wav"])
    for number, arguments in enumerate([[], ["-"]]):
        types_in(monkeypatch, WORDS.encode())
        command_line.main([*arguments, "--out", f"{number}.wav"])
    contents = {pathlib.Path(name).read_bytes() for name in ("speech.wav", "file.wav", "0.wav", "1.wav")}
    assert len(contents) == 1


def test_phonemes(voice, capsys):
    command_line.main(["--phonemes", "pau HH AH0 L OW1 pau", "--out", "x.wav", "--captions", "x.vtt"])
    samples, _ = soundfile.read("x.wav")
    assert len(samples) == voice.synthesize_from_phonemes("pau HH AH0 L OW1 pau".split()).shape[1]
    assert pathlib.Path("x.vtt").read_text() == "WEBVTT\n"
    fails("--phonemes", "pau QQ")
    assert "'QQ'" in capsys.readouterr().err


def test_phonemes_are_shown(voice, capsys, tmp_path):
    pathlib.Path("words.txt").write_text("# names\n\nhibari = HH IH0 B AA1 R IY0  # a lark\nNew\tN UW1\n")
    command_line.main(["Hibari. New.", "--show-phonemes", "--dictionary", "words.txt", "--pronounce", "new=N Y UW1"])
    assert capsys.readouterr().out == "pau HH IH0 B AA1 R IY0 pau\npau N Y UW1 pau\n"
    assert os.listdir() == ["words.txt"]
    command_line.main(["Yes.", "--show-phonemes", "--out", "x.wav"])
    assert capsys.readouterr().out.startswith("pau Y EH1 S pau\nx.wav: ")


def test_settings_change_what_is_heard(voice):
    command_line.main([WORDS, "--out", "usual.wav", "--pitch", "0", "--intonation", "1", "--tempo", "1"])
    changes = ["--pitch", "3", "--intonation", "0.5", "--tempo", "0.8", "--style", "denoising=0"]
    command_line.main([WORDS, "--out", "other.wav", *changes])
    style = voice.style
    changed = {"pitch_shift": style.pitch_shift + 3, "intonation": style.intonation / 2}
    expected = voice.speak(WORDS, tempo=0.8, denoising=0, **changed)
    np.testing.assert_allclose(soundfile.read("other.wav")[0], expected.audio[0], atol=1e-4)
    np.testing.assert_allclose(soundfile.read("usual.wav")[0], voice.speak(WORDS).audio[0], atol=1e-4)
    assert voice.style == style
    command_line.main(["Yes.\n\nNo. Why?", "--out", "short.wav", "--sentence-pause", "0", "--paragraph-pause", "0"])
    command_line.main(["Yes.\n\nNo. Why?", "--out", "long.wav", "--sentence-pause", "1", "--paragraph-pause", "2"])
    assert soundfile.info("long.wav").frames - soundfile.info("short.wav").frames == 3 * RATE


# -------- Where it goes ----------------------------------------------------------------------------------------------


def test_captions_of_each_kind(voice):
    text = "Dr. Ray paid $3.50, didn't he? Nobody knows."
    said = voice.speak(text)
    for name in ("x.srt", "x.vtt", "x.json"):
        command_line.main([text, "--captions", name])
    command_line.main([text, "--captions", "words.srt", "--caption-level", "word"])
    shown = pathlib.Path("x.srt").read_text()
    assert re.match(r"1\n00:00:00,\d+ --> 00:00:0\d,\d+\nDr. Ray paid \$3.50, didn't he\?\n\n2\n", shown)
    assert pathlib.Path("words.srt").read_text().count(" --> ") == len(text.split())
    data = json.loads(pathlib.Path("x.json").read_text())
    starts = [word["start"] for sentence in data["sentences"] for word in sentence["words"]]
    assert starts == pytest.approx([word.start for word in said.written], abs=6e-4)
    assert pathlib.Path("x.vtt").read_text().startswith("WEBVTT\n\n00:00:00.")
    assert pathlib.Path("speech.wav").exists(), "captions without a sound are of no use"


def run_say(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "say", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=300, **options)


def test_raw_samples_in_a_real_process(tmp_path, shipped):
    """From any folder, through real pipes; nothing else is on standard output."""
    result = run_say("--out", "-", "--captions", "x.srt", "--engine", "torch", input=WORDS.encode(), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    samples = np.frombuffer(result.stdout, "<i2") / 32767
    np.testing.assert_allclose(samples, shipped.synthesize_from_text(WORDS)[0], atol=3e-3)
    assert result.stderr.decode().startswith("x.srt: ")


def test_who_reads_no_further_ends_it(tmp_path):
    command = f"{sys.executable} -m say 'One. Two. Three.' --out - | head -c 100; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, timeout=300)
    assert result.stdout[100:] == b"141\n" and result.stderr == b""


def test_a_long_text_has_a_progress_bar_on_a_terminal(tmp_path):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    text = "This is a sentence that takes a while to say, and then some more of it. " * 250
    command = [sys.executable, "-m", "say", "--out", "x.wav"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave, cwd=tmp_path, env=ENVIRONMENT
    ) as process:
        process.stdin.write(text.encode())
        process.stdin.close()
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 1000):
                shown += part
        except OSError:  # the other end is closed
            pass
        assert process.wait(timeout=300) == 0
    os.close(master)
    assert b"/250 [" in shown


class Aplay:
    """A program on the path that keeps what it is given."""

    def __init__(self, folder: pathlib.Path, monkeypatch, code: str = "cat > heard.raw; echo $@ > arguments"):
        (folder / "bin").mkdir()
        path = folder / "bin" / "aplay"
        path.write_text(f"#!/bin/sh\ncd {folder}\n{code}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setitem(sys.modules, "sounddevice", None)


def test_it_is_played_by_a_program(voice, tmp_path, monkeypatch):
    Aplay(tmp_path, monkeypatch)
    command_line.main([WORDS, "--play"])
    heard = np.frombuffer((tmp_path / "heard.raw").read_bytes(), "<i2") / 32767
    np.testing.assert_allclose(heard, voice.synthesize_from_text(WORDS)[0], atol=3e-3)
    assert "-r 22050" in (tmp_path / "arguments").read_text() and not (tmp_path / "speech.wav").exists()


@pytest.mark.parametrize("code, message", [("exit 3", "aplay"), ("cat > heard.raw; exit 1", "aplay could not play")])
def test_a_player_that_fails(voice, tmp_path, monkeypatch, capsys, code, message):
    Aplay(tmp_path, monkeypatch, code)
    fails(WORDS * 10, "--play", "--out", "x.wav")
    assert message in capsys.readouterr().err and not pathlib.Path("x.wav").exists()


@pytest.fixture
def heard(monkeypatch):
    """What sounddevice is given, and "stop" when it is told to wait for the end."""
    heard = []
    stream = types.SimpleNamespace(
        start=lambda: None, write=heard.append, stop=lambda: heard.append("stop"), close=lambda: None
    )
    device = types.SimpleNamespace(query_devices=lambda kind: {}, OutputStream=lambda *a, **b: stream)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    return heard


def test_it_is_played_by_sounddevice(voice, heard):
    command_line.main(["Yes.", "--play"])
    assert heard[-1] == "stop" and heard[0].shape == (32 * 256, 1)
    assert sum(map(len, heard[:-1])) == voice.synthesize_from_text("Yes.").shape[1]


def test_where_nothing_can_play(voice, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(players.shutil, "which", lambda name: None)
    fails("Yes.", "--play")
    assert "nothing here can play: install sounddevice" in capsys.readouterr().err


# -------- What can be wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["Yes.", "--out", "x.raw"], "cannot write x.raw: its name must end in one of .wav .flac .ogg .opus .mp3"),
        (["Yes.", "--out", "x"], "its name must end in one of .wav"),
        (["Yes.", "--out", "folder"], "cannot write folder: it is a folder"),
        (["Yes.", "--out", "folder.wav"], "cannot write folder.wav: it is a folder"),
        (["Yes.", "--out", "nowhere/x.wav"], "nowhere/x.wav: No such file or directory"),
        (["Yes.", "--out", "in.txt/x.wav"], "x.wav: Not a directory"),
        (["Yes.", "--out", "a" * 300 + ".wav"], "File name too long"),
        (["Yes.", "--captions", "x.txt"], "cannot write x.txt: its name must end in one of .srt .vtt .json"),
        (["in.txt"], "in.txt is a file: `say -f in.txt` reads it aloud"),
        (["-f", "none.txt"], "cannot read none.txt: No such file or directory"),
        (["-f", "folder"], "cannot read folder: Is a directory"),
        (["-f", "latin.txt"], "latin.txt is no text in UTF-8: see its byte 3"),
        (["..."], "nothing to say in '...'"),
        ([""], "nothing to say"),
        (["Yes.", "--tempo", "0"], "tempo is 0.0: give a number from 0.1 to 10"),
        (["Yes.", "--tempo", "nan"], "tempo is nan"),
        (["Yes.", "--pitch", "99"], "pitch_shift is 98.7: give a number from -24 to 24"),
        (["Yes.", "--sentence-pause", "-1"], "sentence_pause is -1.0"),
        (["Yes.", "--style", "help"], "--style takes any of: pitch_shift=-0.3 intonation=1.35"),
        (["Yes.", "--style", "colour=3"], "--style takes any of"),
        (["Yes.", "--pronounce", "hibari"], "--pronounce needs a word and its phonemes: write hibari="),
        (["Yes.", "--pronounce", "hibari=H I"], "--pronounce does not know H: write hibari="),
        (["Yes.", "--dictionary", "in.txt"], "in.txt, line 2 does not know Some: write hibari="),
        (["Yes.", "--dictionary", "none.txt"], "cannot read none.txt"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(voice, capsys, arguments, message):
    pathlib.Path("in.txt").write_text("# text\nThis Some\n")
    pathlib.Path("latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    for name in ("folder", "folder.wav"):
        pathlib.Path(name).mkdir()
    fails(*arguments)
    shown = capsys.readouterr().err
    assert message in shown and shown.startswith("say: ") and shown.count("\n") == 1
    assert sorted(os.listdir()) == ["folder", "folder.wav", "in.txt", "latin.txt"]
    assert os.listdir("folder") == []


@pytest.mark.parametrize("arguments", [["a", "-f", "b"], ["a", "--phonemes", "b"], ["a", "--engine", "steam"],
                                       ["a", "--threads", "0"], ["a", "--tempo", "fast"], ["a", "b"]])  # fmt: skip
def test_wrong_options_end_with_2(voice, arguments):
    fails(*arguments, code=2)


def test_nothing_is_asked_of_a_terminal(voice, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    fails(code=2)
    assert "nothing to say: give a text, -f FILE, or pipe one in" in capsys.readouterr().err


def test_other_errors_of_the_checkpoint_and_the_engine(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fails("Yes.", "--checkpoint", "none.pth", "--engine", "torch")
    assert "there is no checkpoint" in capsys.readouterr().err and os.listdir() == []
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    fails("Yes.", "--engine", "onnx")
    assert "the engine onnx is not installed: it needs runtime and onnxruntime" in capsys.readouterr().err
    assert os.listdir() == []


@pytest.mark.parametrize("name", [*audio.FORMATS, "json"])
def test_a_full_disk_leaves_nothing(voice, heard, capsys, name):
    """A limit on the size of files fails as a full disk does: in the middle of writing."""
    pathlib.Path(f"old.{name}").write_text("kept")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    options = ["--captions", "old.json", "--play"] if name == "json" else ["--out", f"old.{name}"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(SystemExit, match="1"):
            command_line.main([WORDS, *options])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"old.{name}: File too large\n" in capsys.readouterr().err
    assert os.listdir() == [f"old.{name}"] and pathlib.Path(f"old.{name}").read_text() == "kept"


def test_a_folder_without_permission(voice, capsys, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(65534)  # nobody, whom permissions bind
    try:
        fails("Yes.", "--out", str(folder / "x.wav"))
    finally:
        if as_root:
            os.seteuid(0)
    assert "x.wav: Permission denied" in capsys.readouterr().err and os.listdir(folder) == []


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(voice):
    pathlib.Path("real.wav").write_text("old")
    pathlib.Path("real.wav").chmod(0o640)
    pathlib.Path("x.wav").symlink_to("real.wav")
    command_line.main(["Yes.", "--out", "x.wav"])
    assert pathlib.Path("x.wav").is_symlink() and soundfile.info("real.wav").frames > 1000
    assert pathlib.Path("real.wav").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error, code", [(KeyboardInterrupt(), 130), (ValueError("broken"), 1), (OSError("gone"), 1)])
def test_what_is_stopped_leaves_nothing(voice, monkeypatch, error, code):
    def stream(self, text, **options):
        yield Record(text, np.zeros((1, 50000), np.float32), [], [], np.zeros((80, 195), np.float32))
        raise error

    monkeypatch.setattr(type(voice), "stream", stream)
    for name in audio.FORMATS:
        fails("Yes.", "--out", f"x.{name}", "--captions", "x.srt", code=code)
    assert os.listdir() == []


def test_a_process_that_is_told_to_end_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "say", "--out", "x.wav"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path, env=ENVIRONMENT) as process:
        process.stdin.write(b"This is a sentence. " * 3000)
        process.stdin.close()
        while not os.listdir(tmp_path):  # until the file is begun
            assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=60) == 143
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_an_interruption_while_the_file_is_written_is_not_lost(kind):
    class Interrupted(io.BytesIO):
        def write(self, data):
            raise SystemExit(143)

    with pytest.raises(SystemExit, match="143"):
        encoder = audio.Encoder(kind, 22050, Interrupted())
        for _ in range(50):
            encoder.encode(np.zeros((1, 22050), np.float32))
        encoder.finish()


# -------- Help -------------------------------------------------------------------------------------------------------


def examples() -> list[str]:
    lines = [line.partition("  #")[0].strip() for line in command_line.EXAMPLES.splitlines()]
    return [line for line in lines if "say " in line and "--serve" not in line]


@pytest.mark.parametrize("line", examples())
def test_each_example_of_the_help_runs(voice, line, monkeypatch, tmp_path):
    pathlib.Path("chapter.txt").write_text("It was late.\n\nThey went home.\n")
    Aplay(tmp_path, monkeypatch)
    before, _, after = line.partition("say ")
    if before:
        echo, text = shlex.split(before.removesuffix("| "))
        assert echo == "echo"
        types_in(monkeypatch, text.encode())
    if "|" in after:
        script = f'say() {{ {sys.executable} -m say "$@"; }}\n{line}'
        subprocess.run(["bash", "-c", script], env=ENVIRONMENT, check=True, timeout=300)
        assert pathlib.Path("hello.raw").stat().st_size == 2000
    else:
        command_line.main(shlex.split(after))
    for name in re.findall(r"--(?:out|captions) ([a-z0-9.]+)", after):
        assert pathlib.Path(name).stat().st_size > 50


def test_the_readme_shows_what_comes_back(voice, capsys):
    """All that is shown without a pipe or a server; of numbers that they are there, for another voice has others."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    session = readme.partition("## What it does")[2].partition("\n\n    ")[2].partition("\n\n")[0]
    pathlib.Path("chapter.txt").touch()
    shown = [part.strip().partition("\n") for part in ("    " + session).split("    $ ") if part.strip()]
    assert len(shown) >= 5
    for command, _, expected in shown:
        what, *arguments = shlex.split(command)
        if "|" in arguments or "--serve" in arguments:
            continue
        if what == "cat":
            print(pathlib.Path(arguments[0]).read_text(), end="")
        else:
            with contextlib.suppress(SystemExit):
                command_line.main(arguments)
        printed = "".join(capsys.readouterr())
        expected = [line.strip() for line in expected.splitlines()]
        assert [re.sub(r"\d", "0", line) for line in printed.splitlines()] == [re.sub(r"\d", "0", e) for e in expected]


def test_help_and_version(capsys):
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit, match="0"):
            command_line.main([option])
    shown = capsys.readouterr().out
    assert command_line.EXAMPLES.strip() in shown and re.search(r"\nsay \d+\.\d+", shown)
    code = "import say.command_line, sys; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60)
    assert result.returncode == 0, "help needs no PyTorch"


# -------- Sound ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 40, 5000], list(range(1000, 60000, 777))])
def test_another_sampling_rate(cuts):
    """A sum of sines is the same sines; pieces make no difference."""
    sines = lambda rate: sum(0.2 * np.sin(2 * np.pi * f * np.arange(3 * rate) / rate) for f in (100, 3000, 9000))  # noqa: E731
    resampler = audio.Resampler(22050, 24000)
    pieces = [resampler.push(piece) for piece in np.split(sines(22050).astype(np.float32)[None], cuts, axis=1)]
    resampled = np.concatenate([*pieces, resampler.finish()], axis=1)
    assert resampled.shape == (1, 72000)
    np.testing.assert_allclose(resampled[0, 100:-100], sines(24000)[100:-100], atol=2e-3)


@pytest.mark.parametrize("name", ["wav", "ogg", "opus", "mp3"])
def test_bytes_as_they_come_are_a_file_that_can_be_read(name):
    samples = (0.5 * np.sin(np.arange(3 * RATE) / 10)).astype(np.float32)[None]
    encoder = audio.Encoder(name, RATE)
    parts = [encoder.encode(piece) for piece in np.split(samples, 6, axis=1)] + [encoder.finish()]
    assert sum(map(bool, parts)) > 2 or name == "ogg"
    heard, rate = soundfile.read(io.BytesIO(b"".join(parts)))
    assert len(heard) / rate == pytest.approx(3, abs=0.08)
    assert np.std(heard) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
