"""Audio (1, n) float32, piece by piece, as bytes and as files of many formats."""

from __future__ import annotations

import functools
import os
import pathlib
import secrets
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np

OPUS_RATE = 24000  # Hz: Opus knows few rates
MP3_OPTIONS = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}  # 80 kbit/s; players can tell its length
MP3_SYNC = b"\xff\xf3"  # each frame begins so, at this rate


class Format(NamedTuple):
    name: str  # of libsndfile
    subtype: str
    media_type: str
    rate: int | None = None  # that it needs
    can_stream: bool = True  # False where the beginning tells the length
    options: Mapping = {}


FORMATS = {
    "wav": Format("WAV", "PCM_16", "audio/wav"),
    "flac": Format("FLAC", "PCM_16", "audio/flac", can_stream=False),
    "ogg": Format("OGG", "VORBIS", "audio/ogg"),
    "opus": Format("OGG", "OPUS", "audio/ogg", OPUS_RATE),
    "mp3": Format("MP3", "MPEG_LAYER_III", "audio/mpeg", options=MP3_OPTIONS),
}


def to_pcm(audio: np.ndarray) -> bytes:
    """16-bit samples, little-endian."""
    return (audio[0].clip(-1, 1) * 32767).round().astype("<i2").tobytes()


def wav_header(rate: int) -> bytes:
    """Of a WAV file whose length is not known yet: as long as can be."""
    most = 0xFFFFFFFF
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", most, b"WAVE") + form + struct.pack("<4sI", b"data", most)


# -------- Another sampling rate --------------------------------------------------------------------------------------


class Resampler:
    """Pieces of audio (1, n) at one rate -> pieces at another: a windowed sinc for each phase.

    Only for rates that are near each other and go up: nothing is done against aliases.
    """

    REACH = 16  # samples on either side

    def __init__(self, rate: int, new_rate: int):
        assert rate <= new_rate
        divisor = np.gcd(rate, new_rate)
        self.down, self.up = rate // divisor, new_rate // divisor
        self.samples = np.zeros(self.REACH, dtype=np.float32)  # those that are still needed
        self.first = -self.REACH  # where they begin
        self.n_out = 0

    @functools.cached_property
    def filters(self) -> np.ndarray:
        """(phases, 2 REACH): the weights of the samples around a time."""
        offsets = np.arange(1 - self.REACH, self.REACH + 1) - np.arange(self.up)[:, None] / self.up
        weights = np.sinc(offsets) * np.i0(8 * np.sqrt(1 - (offsets / self.REACH).clip(-1, 1) ** 2))
        return (weights / weights.sum(1, keepdims=True)).astype(np.float32)

    def push(self, audio: np.ndarray) -> np.ndarray:
        self.samples = np.concatenate([self.samples, audio[0]])
        end = self.first + len(self.samples) - self.REACH  # times before it have all their samples
        outs = np.arange(self.n_out, max(self.n_out, -(-end * self.up // self.down)))
        if len(outs) == 0:
            return np.zeros((1, 0), dtype=np.float32)
        places, phases = outs * self.down // self.up, outs * self.down % self.up
        windows = np.lib.stride_tricks.sliding_window_view(self.samples, 2 * self.REACH)
        resampled = np.einsum("nk,nk->n", windows[places - self.REACH + 1 - self.first], self.filters[phases])
        self.n_out = int(outs[-1]) + 1
        unneeded = self.n_out * self.down // self.up - self.REACH + 1 - self.first
        self.samples, self.first = self.samples[unneeded:], self.first + unneeded
        return resampled[None]

    def finish(self) -> np.ndarray:
        return self.push(np.zeros((1, self.REACH), dtype=np.float32))


def make_resampler(rate: int, new_rate: int | None) -> Resampler | None:
    return None if new_rate in (None, rate) else Resampler(rate, new_rate)


# -------- Encoders ---------------------------------------------------------------------------------------------------


class _Sink:
    """What libsndfile writes to: a file, whose errors it would swallow, or memory, from which `take` takes them."""

    def __init__(self, file: BinaryIO | None = None):
        self.file, self.error = file, None
        self.taken = self.position = 0
        self.buffer = bytearray()

    def write(self, data) -> int:
        data = bytes(data)
        if self.file:
            return self._in_file(self.file.write, data)
        place = self.position - self.taken
        if place >= 0:  # what was taken cannot be mended: lengths in headers stay open
            self.buffer[place : place + len(data)] = data
        self.position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self.file:
            return self._in_file(self.file.seek, offset, whence)
        self.position = offset + (0, self.position, self.taken + len(self.buffer))[whence]
        return self.position

    def tell(self) -> int:
        return self._in_file(self.file.tell) if self.file else self.position

    def read(self, n: int = -1) -> bytes:
        return self.file.read(n) if self.file else b""

    def _in_file(self, work: Callable, *arguments) -> int:
        try:
            return work(*arguments)
        except BaseException as error:  # also an interruption: libsndfile's callbacks would swallow it
            self.error = self.error or error
            return 0

    def take(self) -> bytes:
        data = bytes(self.buffer)
        self.drop(len(data))
        return data

    def drop(self, n: int) -> None:
        del self.buffer[:n]
        self.taken += n


class Encoder:
    """Pieces of audio -> bytes of one of FORMATS or "pcm", as they come, or into a file if there is one."""

    def __init__(self, name: str, rate: int, file: BinaryIO | None = None, pcm_rate: int | None = None):
        format = FORMATS.get(name)
        new_rate = (format.rate if format else pcm_rate) or rate
        self.resampler = make_resampler(rate, new_rate)
        self.streams_mp3 = name == "mp3" and file is None
        self.begin = wav_header(new_rate) if name == "wav" and file is None else b""
        self.sink, self.sound_file = _Sink(file), None
        if not (format is None or self.begin):
            import soundfile

            assert file or format.can_stream, f"{name} needs a file"
            self.sound_file = self._checked(lambda: soundfile.SoundFile(
                self.sink, "w", new_rate, 1, subtype=format.subtype, format=format.name, **format.options
            ))  # fmt: skip

    def encode(self, audio: np.ndarray) -> bytes:
        return self._encode(self.resampler.push(audio) if self.resampler else audio)

    def _encode(self, audio: np.ndarray) -> bytes:
        if self.sound_file is None:
            begin, self.begin = self.begin, b""
            return begin + to_pcm(audio)
        self._checked(lambda: self.sound_file.write(audio[0]))
        return self._take()

    def _take(self) -> bytes:
        """What is ready. The first frame of an MP3 is left out: it is for lengths that are not known."""
        if self.streams_mp3:
            second = self.sink.buffer.find(MP3_SYNC, len(MP3_SYNC))
            if second < 0:
                return b""
            self.sink.drop(second)
            self.streams_mp3 = False
        return self.sink.take()

    def finish(self) -> bytes:
        """Nothing may follow."""
        last = self._encode(self.resampler.finish()) if self.resampler else b""
        if self.sound_file is not None:
            self._checked(self.sound_file.close)
            last += self._take()
        return last

    def abandon(self) -> None:
        """The file is not wanted any more."""
        if self.sound_file is not None:
            try:
                self.sound_file.close()
            except Exception:  # of a full disk, which was told already
                pass

    def _checked(self, work: Callable):
        """What `work` returns. What the file has against it is told instead of what libsndfile makes of that."""
        result = None
        try:
            result = work()
        except Exception:
            if self.sink.error is None:
                raise
        if self.sink.error:
            raise self.sink.error
        return result


# -------- Files ------------------------------------------------------------------------------------------------------


def check_suffix(path: pathlib.Path, suffixes) -> str:
    """The suffix without its dot, lower case. Raises ValueError that lists those that there are."""
    suffix = path.suffix[1:].lower()
    if os.path.isdir(path):
        raise ValueError(f"cannot write {path}: it is a folder")
    if suffix not in suffixes:
        known = " ".join("." + name for name in suffixes)
        raise ValueError(f"cannot write {path}: its name must end in one of {known}")
    return suffix


@contextmanager
def written_aside(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file that gets its name only when all went well: `path` never holds half of anything.

    Raises OSError that names the path: for a folder, a full disk, a missing permission.
    """
    aside = None
    try:
        path = path.resolve()  # a link stays one
        if path.exists() and not path.is_file():
            raise OSError(None, "it is no ordinary file")
        hidden = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")
        with hidden.open("x+b") as file:
            aside = hidden
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, aside)
        os.replace(aside, path)
    except OSError as error:
        if error.strerror is None:
            raise
        raise type(error)(f"cannot write {path}: {error.strerror}") from error
    finally:
        if aside:
            aside.unlink(missing_ok=True)
