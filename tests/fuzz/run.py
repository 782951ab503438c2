"""Runs cases in a process of their own, with limits on time and memory; keeps what fails."""

from __future__ import annotations

import contextlib
import importlib
import json
import linecache
import math
import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time
import traceback
import warnings
from dataclasses import dataclass, field

from fuzz.mutations import Dice

ROOT = pathlib.Path(__file__).parents[2]
KINDS = ("texts", "datasets", "recordings", "checkpoints", "vocoders", "settings", "commands")
MOST_SECONDS = 30  # of the processor, for a case
MOST_WAITING = 120.0  # s of a case that waits for something, or for the processor
MOST_MEMORY = 600_000  # kB that a case may add to what the process had
MOST_ADDRESSES = 8 * 2**30  # bytes that it may ask for beyond, so that a failure does not take the machine down
REFUSALS = ValueError, TypeError, FileNotFoundError


# -------- One case ---------------------------------------------------------------------------------------------------


def what_is_unclear(error: Exception, named: str) -> str | None:
    """A refusal is raised by this project and says in a sentence what is wrong, with the file's name."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    path, message = pathlib.Path(frame.filename), str(error)
    if ROOT not in path.parents or ROOT / "tests" in path.parents:
        return "the error is another's"
    if not linecache.getline(frame.filename, frame.lineno).strip().startswith("raise "):
        return "the error is Python's"
    if len(message.split()) < 3 or len(message) > 2000:
        return f"the message has {len(message)} characters"
    if named not in message:
        return f"the message does not name {named!r}"
    return None


def try_case(kind, case: dict, folder: pathlib.Path) -> tuple[str, str]:
    """("passed" or "refused" or "failed", why)."""
    before = peak_memory(start_anew=True)
    try:
        result = kind.check(case, folder) or "passed", ""
    except REFUSALS as error:
        unclear = what_is_unclear(error, case.get("named", ""))
        result = ("failed", f"{unclear}\n{traceback.format_exc()}") if unclear else ("refused", str(error))
    except (Exception, SystemExit):
        result = "failed", traceback.format_exc()
    taken = peak_memory() - before
    return result if taken < MOST_MEMORY else ("failed", f"it took {taken} kB of memory; {result[0]}: {result[1]}")


def peak_memory(start_anew: bool = False) -> int:
    """kB that this process had in memory at most; Linux can start anew."""
    with contextlib.suppress(OSError):
        if start_anew:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def work(connection, folder: pathlib.Path) -> None:
    """Answers (kind, seed, number) and (kind, case) with the case, then with its result."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    addresses = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + MOST_ADDRESSES, -1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        name, *which = connection.recv()
        if name == "end":
            return
        case = {}
        try:
            kind = importlib.import_module(f"fuzz.{name}")
            if len(which) == 2:
                empty(folder)
                case = kind.make(Dice(which[0], name, which[1]), folder)
            else:
                case = which[0]
            os.chdir(folder)
        except Exception:
            result = "failed", f"the case could not be made\n{traceback.format_exc()}"
            connection.send(case)
        else:
            connection.send(case)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + MOST_SECONDS, -1))
            result = try_case(kind, case, folder)
        connection.send(result)


def empty(folder: pathlib.Path) -> None:
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


class Worker:
    """A process that tries cases in a folder. One that hangs or dies is replaced."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.process = folder, None

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.folder), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()

    def stop(self, gently: bool = False) -> None:
        if self.process:
            if gently:
                self.connection.send(("end",))
                self.process.join(10)
            self.process.kill()
            self.process.join()
            self.process = None

    def ask(self, *question) -> tuple[dict | None, str, str]:
        """The case, its result, and why."""
        if not self.process:
            self.start()
        case = None
        self.connection.send(question)
        try:
            for _ in range(2):
                if not self.connection.poll(MOST_WAITING):
                    self.stop()
                    return case, "failed", f"it waited more than {MOST_WAITING:.0f} s"
                answer = self.connection.recv()
                case = answer if case is None else case
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self.stop()
            why = f"it took more than {MOST_SECONDS} s" if code == -signal.SIGXCPU else f"the process ended with {code}"
            return case, "failed", why
        if answer[0] == "failed" and "of memory" in answer[1]:
            self.stop()  # it may still have it
        return case, *answer


# -------- Many cases -------------------------------------------------------------------------------------------------


@dataclass
class Report:
    """How many of each kind passed, were refused, failed; and where the failures are."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def count(self, kind: str, result: str) -> None:
        row = self.counts.setdefault(kind, {"tried": 0, "refused": 0, "passed": 0, "failed": 0})
        row["tried"] += 1
        row[result] += 1

    def __str__(self) -> str:
        columns = ("tried", "refused", "passed", "failed")
        rows = [("", *columns), *((kind, *(row[name] for name in columns)) for kind, row in self.counts.items())]
        return "\n".join(f"{row[0]:12}" + "".join(f"{cell!s:>9}" for cell in row[1:]) for row in rows)


def fuzz(seconds: float, seed: int, out: pathlib.Path, kinds=KINDS, progress=lambda report: None) -> Report:
    """Cases of all kinds, each kind for the same part of the time; failures are kept in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    report, worker = Report(), Worker(out.resolve() / "current")
    worker.start()
    end = time.monotonic() + seconds
    spent, numbers = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0)
    try:
        while (start := time.monotonic()) < end:
            kind = min(kinds, key=spent.get)
            case, result, why = worker.ask(kind, seed, numbers[kind])
            report.count(kind, result)
            if result == "failed":
                name = f"{kind}-{seed}-{numbers[kind]}"
                keep(worker.folder, out / name, kind, case, why)
                report.failures.append(f"{name}: {last_line(why):.300}")
            numbers[kind] += 1
            spent[kind] += time.monotonic() - start
            progress(report)
    finally:
        worker.stop(gently=True)
        shutil.rmtree(worker.folder, ignore_errors=True)
    return report


def last_line(why: str) -> str:
    return why.strip().splitlines()[-1]


def keep(folder: pathlib.Path, place: pathlib.Path, kind: str, case: dict | None, why: str) -> None:
    shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    folder.rename(place)
    (place / "case.json").write_text(json.dumps({"kind": kind, "case": case}, indent=1))
    (place / "why.txt").write_text(why, errors="backslashreplace")


def replay(place: pathlib.Path) -> tuple[str, str]:
    """The result of a case that was kept, and why; in a copy of its folder."""
    kept = json.loads((place / "case.json").read_text())
    copy = place.resolve().with_name(place.name + ".replayed")
    subprocess.run(["cp", "-a", str(place), str(copy)], check=True)  # pipes and links too
    worker = Worker(copy)
    try:
        return worker.ask(kept["kind"], kept["case"])[1:]
    finally:
        worker.stop()
        shutil.rmtree(copy, ignore_errors=True)
