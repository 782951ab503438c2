"""Nothing breaks it: random input for a while, kills while files are written, threads, an hour of speech."""

import itertools
import json
import os
import pathlib
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import new_model
from fuzz import run, voices

import part2_solution as tts
from say.audio import Encoder, written_aside
from vocoder import weights
from vocoder.spectrogram import SAMPLING_RATE, STFT_HOP_LENGTH

# -------- Random input: `make fuzz` goes on for longer ----------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its limits on memory are those of Linux")
def test_twenty_seconds_of_random_input(tmp_path):
    report = run.fuzz(20, 0, tmp_path, run.KINDS)
    assert not report.failures, "\n".join([str(report), *report.failures, f"they are in {tmp_path}"])
    assert all(row["tried"] for row in report.counts.values()), str(report)


class Kind(SimpleNamespace):
    """One whose cases fail, so that it is seen that failures are seen."""

    def __init__(self, check):
        super().__init__(check=lambda case, folder: check())


@pytest.mark.parametrize(
    "check, why",
    [
        (lambda: 1 / 0, "ZeroDivisionError"), (lambda: int("x"), "the error is another's"),
        (lambda: voices.voice().speak("..."), "does not name 'file.npy'"), (lambda: sys.exit(3), "SystemExit: 3"),
        (lambda: np.ones(10**8, np.uint8), "of memory"),
        (lambda: voices.check_audio(np.full((1, 9), 2, np.float32)), "up to 2"),
    ],
    ids=["another error", "an error of Python", "no name", "an exit", "memory", "loud audio"],
)  # fmt: skip
def test_what_is_a_failure(check, why, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "MOST_MEMORY", 50_000)
    assert run.try_case(Kind(lambda: None), {}, tmp_path) == ("passed", "")
    result, said = run.try_case(Kind(check), {"named": "file.npy"}, tmp_path)
    assert result == "failed" and why in said


def test_a_case_that_waits_for_ever_is_ended_and_its_worker_replaced(tmp_path, monkeypatch):
    """No one writes into the pipe. A case that was kept is run again."""
    kept = tmp_path / "kept"
    kept.mkdir()
    case = {"command": "say", "arguments": ["Yes.", "--dictionary", "pipe.wav"], "input": ""}
    (kept / "case.json").write_text(json.dumps({"kind": "commands", "case": case}))
    monkeypatch.setattr(run, "MOST_WAITING", 2)
    assert run.replay(kept) == ("failed", "it waited more than 2 s")
    assert os.listdir(tmp_path) == ["kept"]


# -------- Kills -------------------------------------------------------------------------------------------------------


def save_voice(path: pathlib.Path, number: int) -> None:
    model = new_model()
    model.encoder.embedding.weight.data.fill_(number)
    tts.save_checkpoint(model, path, {"number": number})


def save_sound(path: pathlib.Path, number: int) -> None:
    with written_aside(path) as file:
        encoder = Encoder("wav", SAMPLING_RATE, file)
        for _ in range(3):
            encoder.encode(np.full((1, 5000), number / 10, np.float32))
        encoder.finish()


def save_array(path: pathlib.Path, number: int) -> None:
    weights.write_atomically(path, lambda file: np.save(file, np.full(50_000, number)))


def run_and_kill(work, moment: float) -> int:
    """Run in a process of its own, which dies at the call of a function of this number; how many calls there were."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def at_call(*_) -> None:
            if (n := next(calls)) >= moment:
                os.kill(os.getpid(), signal.SIGKILL)
            last[0] = n

        last = [0]
        sys.setprofile(at_call)
        work()
        sys.setprofile(None)
        os.write(writer, str(last[0]).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        told = file.read()
    os.waitpid(child, 0)
    return int(told or 0)


@pytest.mark.parametrize("save, name", [(save_voice, "x.pth"), (save_sound, "x.wav"), (save_array, "x.npy")])
def test_who_is_killed_while_saving_leaves_the_old_or_the_new(tmp_path, save, name):
    path = tmp_path / name
    contents = []
    for number in (2, 1):
        save(path, number)
        contents.append(path.read_bytes())
    new, old = contents
    n_calls, found = run_and_kill(lambda: save(path, 2), np.inf), []
    assert old != new and n_calls > 20
    late = range(n_calls - 20, n_calls, 3)  # where the file gets its name
    for moment in sorted({*np.linspace(1, n_calls, 8).astype(int).tolist(), *late}):
        path.write_bytes(old)
        run_and_kill(lambda: save(path, 2), moment)
        found.append(path.read_bytes())
    assert set(found) == {old, new} and found[0] == old, "neither the old file nor the new one"
    save(path, 2)
    assert path.read_bytes() == new


# -------- Threads and memory ------------------------------------------------------------------------------------------


def test_eight_threads_on_one_voice():
    """Each with settings of its own: what one says does not depend on the others."""
    voice, texts = voices.voice(), ["Is it late?", "Dr. Ray paid $3.50.", "No, he read it on the 1st; nobody minded."]
    jobs = [(text, 1 + number / 10) for number in range(8) for text in texts]
    speak = lambda job: voice.speak(job[0], tempo=job[1])  # noqa: E731
    alone = list(map(speak, jobs))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(speak, jobs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.audio, other.audio)
        assert one.words == other.words
    assert voice.tempo == 1


def resident() -> float:
    """MB of this process."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_long_text_takes_no_more_memory_than_a_short_one(tmp_path):
    """Five minutes of an hour's reading: the audio alone would be 26 MB."""
    (tmp_path / "voice.pth").write_bytes(voices.checkpoint())
    voice = tts.TextToSpeechSynthesizer(tmp_path / "voice.pth", device="cpu")
    audio = lambda spectrogram, *_, **hints: torch.rand(1, spectrogram.shape[1] * STFT_HOP_LENGTH)  # noqa: E731
    voice.vocoder = SimpleNamespace(stream=lambda *arguments, **hints: iter([audio(*arguments)]))
    text, heard, before = "Four hours of steady work faced us before the evening tea. " * 210, 0, None
    for piece in voice.stream(text):
        heard += piece.audio.shape[1] / SAMPLING_RATE
        if before is None and heard > 30:
            before = resident()
    assert heard > 300 and resident() - before < 10, "MB"
