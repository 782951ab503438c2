"""Audio (1, n), piece by piece, to the loudspeakers: by sounddevice if it is installed, else by a program."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tempfile
from typing import Protocol

import numpy as np

from say.audio import Encoder

# Programs that read from standard input, each with its arguments and the format that it gets.
PROGRAMS = {
    "aplay": (["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "{rate}", "-"], "pcm"),
    "paplay": (["--raw", "--format=s16le", "--channels=1", "--rate={rate}"], "pcm"),
    "ffplay": (["-nodisp", "-autoexit", "-loglevel", "error", "-i", "-"], "wav"),
    "mpv": (["--no-terminal", "-"], "wav"),
}


class Player(Protocol):
    def write(self, audio: np.ndarray) -> None: ...

    def close(self) -> None:
        """When all has been heard."""


class SoundDevice:
    def __init__(self, rate: int):
        import sounddevice  # OSError where PortAudio is missing

        sounddevice.query_devices(kind="output")  # raises where there is none
        self.stream = sounddevice.OutputStream(rate, channels=1, dtype="float32")
        self.stream.start()

    def write(self, audio: np.ndarray) -> None:
        self.stream.write(np.ascontiguousarray(audio[0][:, None]))

    def close(self) -> None:
        self.stream.stop()  # after what is left to be heard
        self.stream.close()


class Program:
    def __init__(self, path: str, rate: int):
        arguments, kind = PROGRAMS[pathlib.Path(path).stem]
        command = [path, *(argument.format(rate=rate) for argument in arguments)]
        self.encoder, self.name = Encoder(kind, rate), pathlib.Path(path).stem
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def write(self, audio: np.ndarray) -> None:
        try:
            self.process.stdin.write(self.encoder.encode(audio))
            self.process.stdin.flush()
        except BrokenPipeError:
            raise OSError(f"{self.name} stopped playing") from None

    def close(self) -> None:
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        if self.process.wait():
            raise OSError(f"{self.name} could not play: it ended with {self.process.returncode}")


class AfPlay:
    """That of macOS plays files only."""

    def __init__(self, path: str, rate: int):
        self.path, self.file = path, tempfile.NamedTemporaryFile(suffix=".wav")
        self.encoder = Encoder("wav", rate, self.file)

    def write(self, audio: np.ndarray) -> None:
        self.encoder.encode(audio)

    def close(self) -> None:
        self.encoder.finish()
        self.file.flush()
        try:
            subprocess.run([self.path, self.file.name], check=True)
        except subprocess.CalledProcessError as error:
            raise OSError(f"afplay could not play: it ended with {error.returncode}") from None
        finally:
            self.file.close()


def open_player(rate: int) -> Player:
    """Raises OSError where nothing can play."""
    try:
        return SoundDevice(rate)
    except Exception:  # not installed, no PortAudio, no device: each has an error of its own
        pass
    for name in PROGRAMS:
        if path := shutil.which(name):
            return Program(path, rate)
    if path := shutil.which("afplay"):
        return AfPlay(path, rate)
    raise OSError(f"nothing here can play: install sounddevice (pip) or one of {', '.join(PROGRAMS)}, or use --out")
