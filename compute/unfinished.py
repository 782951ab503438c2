"""An unfinished training on disk: one process at a time, and what may change before it goes on."""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from compute import processes
from vocoder import weights

DATA = (".json", ".npy", ".wav", ".flac")  # files that are learned from
SAMPLED = 20  # files of each other kind than .json whose content is looked at


class Lock:
    """Whoever has a log folder. The system releases it, too, when a process is killed."""

    def __init__(self, folder: pathlib.Path):
        """Raises ValueError that names the other process, where one trains in this folder."""
        import filelock  # a part of PyTorch's installation; not needed by synthesis

        folder.mkdir(parents=True, exist_ok=True)
        self.owner = folder / "training.owner"
        self.lock = filelock.FileLock(folder / "training.lock", timeout=0, thread_local=False)
        try:
            self.lock.acquire()
        except filelock.Timeout:
            other = self.owner.read_text(encoding="utf-8") if self.owner.is_file() else "another process"
            raise ValueError(f"{other} trains in {folder}: wait for it, or give another log folder") from None
        self.owner.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")

    def release(self) -> None:
        if self.lock.is_locked:
            self.owner.unlink(missing_ok=True)
            self.lock.release()


class Unfinished:
    """The state of a training on disk, from which it goes on: while this is open, no other process has the folder.

        with Unfinished(logdir, settings, resume=True, stages=("spectrogram", "duration")) as run:
            ...  # `run.state` is what was saved, or None
            run.write(state)

    When all went well, the state is removed. `settings` are compared with those of the state; of a stage that is not
    finished, its own may be others: those whose names begin with its name.
    """

    def __init__(self, logdir: pathlib.Path, settings: Mapping, resume: bool, stages: Sequence[str] = ()):
        self.state_path, self.settings, self.state = logdir / "training_state.pth", dict(settings), None
        self.starts_stage_anew = False  # its own settings are others than those that it was begun with
        self.advice = f"pass resume=False to start anew, or another logdir than {logdir}"
        if processes.is_first():
            self._open(logdir, resume, stages)
        self.state, self.starts_stage_anew = processes.from_first((self.state, self.starts_stage_anew))

    def _open(self, logdir: pathlib.Path, resume: bool, stages: Sequence[str]) -> None:
        weights.check_destination(self.state_path)
        self.lock = Lock(logdir)
        try:
            weights.remove_unfinished(self.state_path)
            if resume and self.state_path.exists():
                self._read(stages)
        except BaseException:
            self.lock.release()
            raise

    def _read(self, stages: Sequence[str]) -> None:
        state = weights.read(self.state_path, self.advice, "training state")
        before, stage = state.get("settings"), state.get("stage")
        if not isinstance(before, Mapping) or (stages and stage not in stages):
            raise ValueError(f"{self.state_path} is no state of this training: {self.advice}")
        changed = list(differences(before, self.settings))
        unfinished = stages[stages.index(stage) + (stage == stages[0]) :] if stages else ()
        kept = [name for name in changed if not belongs(name, unfinished)]
        if kept:
            raise ValueError(f"the unfinished run had other settings or data ({', '.join(kept[:3])}): {self.advice}")
        self.state, self.starts_stage_anew = state, any(belongs(name, [stage]) for name in changed)

    def restore(self, state, stage: str | None = None, parts: Sequence[str] = (), **others) -> None:
        """Put what was saved of this stage into a `part2_solution.TrainingState`, and into `others` by name.

        Where the stage starts anew, its `parts` stay as they are, and the rest is what earlier stages have learned.
        """
        if self.state is None or (stage is not None and self.state["stage"] != stage):
            return
        try:
            if self.starts_stage_anew:
                learned = self._earlier_weights(parts)
                for module in (state.model, state.average.module):
                    module.load_state_dict(learned, strict=False)
                return
            for name, other in others.items():
                other.load_state_dict(self.state[name])
            state.load_state_dict(self.state)
        except Exception as error:  # of another program's file
            raise ValueError(f"{self.state_path} is no state of this training ({type(error).__name__}): {self.advice}"
                             ) from error  # fmt: skip

    def _earlier_weights(self, parts: Sequence[str]) -> dict[str, Tensor]:
        """The averaged weights without those of `parts`."""
        averaged = {name.removeprefix("module."): tensor for name, tensor in self.state["average"].items()
                    if name.startswith("module.")}  # fmt: skip
        own = tuple(f"{part}." for part in parts)
        return {name: tensor for name, tensor in averaged.items() if not name.startswith(own)}

    def write(self, state: Mapping) -> None:
        """The first of several processes does."""
        if processes.is_first():
            weights.save({"settings": self.settings, **state}, self.state_path)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_) -> None:
        if not processes.is_first():
            return
        if kind is None:
            self.state_path.unlink(missing_ok=True)
        self.lock.release()


def belongs(name: str, stages: Sequence[str]) -> bool:
    """Whether only these stages use a setting: "training.duration_epochs", "data.duration" and its parts."""
    return any(part.startswith(tuple(stages)) for part in name.split(".")[1:]) and not name.startswith("model.")


def differences(before: Mapping, now: Mapping, prefix: str = "") -> Iterator[str]:
    """Names, with dots, of what nested settings have another value for. What was not known before is not compared."""
    for name, value in before.items():
        if isinstance(value, Mapping) and isinstance(now.get(name), Mapping):
            yield from differences(value, now[name], f"{prefix}{name}.")
        elif name not in now or now[name] != value:
            yield f"{prefix}{name}"


def fingerprint(folder: pathlib.Path) -> str:
    """Of the data in a folder: names and sizes of all files, the content of alignments and of some of the others."""
    digest = hashlib.blake2b(digest_size=16)
    paths = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix in DATA and path.is_file())
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    alignments = [path for path in paths if path.suffix == ".json"]
    others = [path for path in paths if path.suffix != ".json"]
    for path in alignments + others[:: max(1, len(others) // SAMPLED)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprints(**folders: pathlib.Path | None) -> dict[str, str | None]:
    """Raises FileNotFoundError for a folder that there is not."""
    missing = [folder for folder in folders.values() if folder is not None and not pathlib.Path(folder).is_dir()]
    if missing:
        raise FileNotFoundError(f"there is no folder {missing[0]}: check its name, or make it with `python -m recipe`")
    return {name: None if folder is None else fingerprint(folder) for name, folder in folders.items()}
