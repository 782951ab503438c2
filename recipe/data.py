"""Which utterances a model can learn from."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import lj_speech
from part2_solution import ModelConfig, Vocabulary


def read_datasets(root: pathlib.Path, more_root: pathlib.Path | None = None) -> tuple:
    """(training, validation); all utterances of `more_root` are for training."""
    train, val = lj_speech.get_dataset(root)
    if more_root is not None:
        more_train, more_val = lj_speech.get_dataset(more_root)
        train = more_train + more_val + train
    return train, val


def can_say(config: ModelConfig) -> Callable[[lj_speech.Alignment], bool]:
    """Whether a model of this configuration has the phonemes of an utterance and positions for its length."""
    vocabulary = Vocabulary(config.vocabulary)

    def knows(codes: Sequence[str]) -> bool:
        try:
            vocabulary.encode(codes)
        except ValueError:
            return False
        return True

    return lambda item: (
        len(item.codes) <= config.max_phonemes
        and 0 < sum(item.durations) <= config.max_frames
        and knows(item.codes)
    )  # fmt: skip


def read_second_speaker(
    root: pathlib.Path, held_out: lj_speech.AlignedDataset, config: ModelConfig
) -> lj_speech.AlignedDataset:
    """What a model of this configuration can say of a second speaker's dataset, without the texts of `held_out`.

    Raises FileNotFoundError or ValueError for a missing or unusable dataset.
    """
    sayable, texts = can_say(config), {alignment.text for alignment in held_out.alignments}
    train, val = lj_speech.get_dataset(root)
    usable = (val + train).where(lambda item: sayable(item) and item.text not in texts)
    if not usable:
        raise ValueError(f"{root} has nothing that the model can say: its utterances are too long, or all held out")
    return usable


def describe(**roots: pathlib.Path | None) -> dict[str, dict | None]:
    """For the record: the folders' names, and how many utterances each has."""

    def of(root: pathlib.Path) -> dict:
        return {"folder": pathlib.Path(root).name, "n": len(list(pathlib.Path(root).glob("*.json")))}

    return {name: None if root is None else of(root) for name, root in roots.items()}
