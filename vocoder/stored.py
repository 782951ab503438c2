"""Spectrograms, pitch and JSON on disk, read with checks: whatever a file holds, an error is a sentence that names it.

A file is an ordinary one (a pipe would wait for ever), not larger than sense has it, and whole; what its header says is
checked before anything is made of it. Errors are FileNotFoundError where there is no file, else ValueError; they end
with the caller's advice. numpy only.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from vocoder.spectrogram import MEL_SCALE_BINS, SAMPLING_RATE, SPECTROGRAMS_MAX, SPECTROGRAMS_MIN, STFT_HOP_LENGTH

MOST_SECONDS = 600  # of an utterance
MOST_FRAMES = MOST_SECONDS * SAMPLING_RATE // STFT_HOP_LENGTH
MOST_JSON_BYTES = 4_000_000  # of an utterance; one of ten minutes has a sixth of it
SPARE = 3.0  # what log-mel values may be beyond those of LJ Speech: twenty times as loud
LOG_MEL_LIMITS = SPECTROGRAMS_MIN - SPARE, SPECTROGRAMS_MAX + SPARE
PITCH_LIMITS = 20.0, 2000.0  # Hz
PREPARE = "prepare it again"


@contextmanager
def opened(path: pathlib.Path, most_bytes: float, advice: str) -> Iterator[BinaryIO]:
    """An ordinary file of at most so many bytes, to be read."""
    try:
        if not path.is_file():
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing: {advice}")
            raise ValueError(f"{path} is no ordinary file: {advice}")
        with path.open("rb") as file:
            if (size := _size(file)) > most_bytes:
                raise ValueError(f"{path} has {size} bytes, more than {most_bytes:.0f}: {advice}")
            yield file
    except OSError as error:
        if error.errno is None:  # our own
            raise
        raise ValueError(f"{path} cannot be read ({error.strerror}): check the file and its permissions") from error


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def read_bytes(path: pathlib.Path, most_bytes: float, advice: str) -> bytes:
    with opened(path, most_bytes, advice) as file:
        return file.read()


# -------- JSON --------------------------------------------------------------------------------------------------------


def parse_json(text: str | bytes) -> Any:
    """Raises ValueError for what is no JSON, also where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def read_json(path: pathlib.Path, advice: str = PREPARE) -> Any:
    content = read_bytes(path, MOST_JSON_BYTES, advice)
    try:
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): {advice}") from error


# -------- Arrays of frames --------------------------------------------------------------------------------------------

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def _read_length(file: BinaryIO, path: pathlib.Path, n_rows: int, advice: str) -> int:
    """T of the (n_rows, T) floating-point numbers in an .npy file, which has all of them and no more."""
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # a damaged header raises nearly anything
        raise ValueError(f"{path} is not an intact .npy array ({error}): {advice}") from error
    if dtype.kind != "f":
        raise ValueError(f"{path} holds {dtype}, expected floating-point numbers: {advice}")
    if len(shape) != 2 or shape[0] != n_rows or not 0 < shape[1] <= MOST_FRAMES:
        raise ValueError(f"{path} has the shape {shape}, expected ({n_rows}, T), T from 1 to {MOST_FRAMES}: {advice}")
    n_bytes, expected = _size(file) - file.tell(), n_rows * shape[1] * dtype.itemsize
    if n_bytes != expected:
        raise ValueError(f"{path} is not an intact .npy array ({n_bytes} bytes, not {expected}): {advice}")
    return int(shape[1])


def count_frames(path: pathlib.Path, n_rows: int = MEL_SCALE_BINS, advice: str = PREPARE) -> int:
    """T of an (n_rows, T) array of floating-point numbers, from the header of its file."""
    with opened(path, np.inf, advice) as file:
        return _read_length(file, path, n_rows, advice)


def read_frames(path: pathlib.Path, n_rows: int, advice: str = PREPARE) -> np.ndarray:
    """(n_rows, T) float32 of an .npy file of floating-point numbers."""
    with opened(path, np.inf, advice) as file, np.errstate(over="ignore"):
        _read_length(file, path, n_rows, advice)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False).astype(np.float32)


def read_spectrogram(path: pathlib.Path, advice: str = PREPARE) -> np.ndarray:
    """Log-mel (80, T) float32."""
    spectrogram = read_frames(path, MEL_SCALE_BINS, advice)
    if not np.isfinite(spectrogram).all():
        raise ValueError(f"{path} holds NaN or infinity: {advice}")
    check_log_mel(spectrogram, path, advice)
    return spectrogram


def read_pitch(path: pathlib.Path, advice: str = PREPARE) -> np.ndarray:
    """(2, T) float32: log of Hz; log loudness, -inf where there is no voice. Somewhere there is one."""
    pitch, loudness = rows = read_frames(path, 2, advice)
    voiced = ~np.isneginf(loudness)
    if not np.isfinite(pitch).all() or not voiced.any() or np.isnan(loudness).any():
        raise ValueError(f"{path} holds NaN, or no voice at all: {advice}")
    check_log_mel(loudness[voiced], path, advice)
    lowest, highest = (float(np.exp(np.clip(value, -99, 99))) for value in (pitch[voiced].min(), pitch[voiced].max()))
    if not PITCH_LIMITS[0] <= lowest <= highest <= PITCH_LIMITS[1]:
        raise ValueError(f"{path} has a pitch from {lowest:.3g} to {highest:.3g} Hz, which is no voice's: {advice}")
    return rows


def check_log_mel(values: np.ndarray, path: pathlib.Path, advice: str) -> None:
    lowest, highest = values.min(), values.max()
    if not LOG_MEL_LIMITS[0] <= lowest <= highest <= LOG_MEL_LIMITS[1]:
        raise ValueError(f"{path} has values from {lowest:.3g} to {highest:.3g}, log-mel values are from "
                         f"{SPECTROGRAMS_MIN} to {SPECTROGRAMS_MAX}: {advice}")  # fmt: skip
