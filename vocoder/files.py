"""Files, written whole and checked before they are read. No PyTorch."""

from __future__ import annotations

import os
import pathlib
import secrets
import zipfile
from collections.abc import Callable
from typing import BinaryIO

MOST_BYTES = 8 * 2**30  # of a file of weights


def write_atomically(path: pathlib.Path, write: Callable[[BinaryIO], object]) -> None:
    """`write` to a temporary file in the same folder, then rename: `path` always holds a complete file.

    Its name is its own, so that two who write at once do not mix; where writing fails, it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # a full disk is noticed here
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(path: pathlib.Path) -> None:
    """Remove what `write_atomically` left in a process that was killed."""
    for temporary in path.parent.glob(f"{path.name}.????????.tmp"):
        temporary.unlink(missing_ok=True)


def check_destination(path: pathlib.Path) -> pathlib.Path:
    """The path. Raises ValueError where no file can be written, before anything is computed that would be lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}): give a file in another folder") from error
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no ordinary file: give the name of a file to write")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written: its folder has no permission for it")
    return path


def check_file(path: pathlib.Path, noun: str, advice: str) -> bytes:
    """The first bytes of an ordinary file.

    Raises FileNotFoundError where there is none, ValueError for a folder, for a pipe, which might never end, for what
    is far too large, and for what may not be read.
    """
    try:
        if not path.exists():
            raise FileNotFoundError(f"there is no {noun} at {path.resolve()}: {advice}")
        if not path.is_file():
            raise ValueError(f"{path} is no file but a {'folder' if path.is_dir() else 'pipe or device'}: {advice}")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(f"{path} has {size / 1e9:.0f} GB, which is no {noun}: {advice}")
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        if error.errno is None:  # our own
            raise
        raise ValueError(f"{path} cannot be read ({error.strerror}): {advice}") from error


def check_archive(archive: zipfile.ZipFile, with_checksums: bool) -> None:
    """Raises ValueError where a checksum is wrong, or where it would not be as small in memory as on disk."""
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed")
    if sum(entry.file_size for entry in entries) > os.fstat(archive.fp.fileno()).st_size:
        raise ValueError("it says that it holds more than it has")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("two of its parts have the same name")
    if with_checksums and (damaged := archive.testzip()) is not None:
        raise ValueError(f"it is damaged: the checksum of {damaged} is wrong")
