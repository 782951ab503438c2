"""What the notebook needs around training: the dataset, wherever it runs, and the published checkpoint.

    dataset_root = get_course_dataset("LJ-Speech-aligned")  # on disk, downloaded, or spoken by the shipped voice
    checkpoint_path = find_checkpoint()                     # the file that has the committed checksum
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile
import warnings
from collections.abc import Sequence

import numpy as np

import part2_solution
from lj_speech import FRAME_MILLISECONDS
from vocoder.weights import checksum, places

DATASET_DRIVE_ID = "12jELyw8AZTyahMFibXd3yiPAnqnFf9eS"  # LJ-Speech-aligned, as published for the course

STAND_IN_SENTENCES = (
    "The kettle is boiling, and the cups are on the table.",
    "Nobody had seen the letter before Thursday.",
    "She closed the gate behind her and walked down to the river.",
    "Do you know when the next train leaves?",
    "Rain is expected in the north by the end of the week.",
    "He put both hands on the rail and looked over the side.",
    "The children built a house of branches under the old oak.",
    "What a strange thing to say!",
    "A good map is worth more than a fast horse.",
    "They bought bread, cheese, apples, and a jar of honey.",
    "The engine coughed twice and went silent.",
    "Please leave the key with the neighbours upstairs.",
    "Snow covered the roofs of the sleeping village.",
    "We measured the length of the room with a piece of string.",
    "Her brother plays the violin in a small orchestra.",
    "If you hurry, you can still catch the ferry.",
    "The judge listened, nodded, and wrote nothing down.",
    "Yellow leaves turned slowly in the water.",
    "Could you hold this for a moment?",
    "Without a word he gave her the photograph.",
)  # fmt: skip


def get_course_dataset(
    root: str | pathlib.Path = "LJ-Speech-aligned", drive_id: str = DATASET_DRIVE_ID
) -> pathlib.Path:
    """The folder to train on: `root` if it exists, else the course's archive, else a stand-in (with a warning)."""
    root = pathlib.Path(root)
    if root.is_dir():
        return root
    try:
        return download_dataset(root, drive_id)
    except Exception as error:  # no network, no quota, no such file: gdown has many ways to fail
        warnings.warn(f"the course's dataset cannot be had here ({type(error).__name__})")
    stand_in = root.with_name(root.name + "-stand-in")
    warnings.warn(f"the dataset is {len(STAND_IN_SENTENCES)} sentences that the shipped voice speaks: {stand_in}")
    return stand_in if stand_in.is_dir() else speak_dataset(stand_in, find_checkpoint())


def download_dataset(root: pathlib.Path, drive_id: str) -> pathlib.Path:
    """Fetch and unpack the course's archive from Google Drive; `root` appears only when it is whole."""
    import gdown

    with tempfile.TemporaryDirectory(dir=root.absolute().parent) as folder:
        archive = gdown.download(id=drive_id, output=folder + os.sep, quiet=False)
        unpacked = pathlib.Path(folder, "unpacked")
        shutil.unpack_archive(archive, unpacked, filter="data")
        samples = next(unpacked.rglob("*.mel.npy"), None)
        if samples is None:
            raise ValueError(f"{pathlib.Path(archive).name} holds no spectrograms")
        os.replace(samples.parent, root)
    return root


def speak_dataset(
    root: pathlib.Path, checkpoint_path: pathlib.Path, sentences: Sequence[str] = STAND_IN_SENTENCES
) -> pathlib.Path:
    """Write a dataset in the published format, spectrograms and durations being those of a trained voice."""
    synthesizer = part2_solution.TextToSpeechSynthesizer(checkpoint_path)
    with tempfile.TemporaryDirectory(dir=root.absolute().parent) as folder:
        unfinished = pathlib.Path(folder, root.name)
        unfinished.mkdir()
        for index, text in enumerate(sentences):
            for part, speech in enumerate(synthesizer.predict_text(text)):
                write_utterance(unfinished, f"S{index:03d}-{part}", text, speech)
        os.replace(unfinished, root)
    return root


def write_utterance(folder: pathlib.Path, name: str, text: str, speech: part2_solution.Speech) -> None:
    starts = np.cumsum([0, *speech.durations[:-1]]).tolist()
    phones = [
        {"phone": code, "onset": start * FRAME_MILLISECONDS, "duration": duration * FRAME_MILLISECONDS}
        for code, start, duration in zip(speech.phonemes, starts, speech.durations)
    ]
    record = {"ID": name, "text": text, "utterance": {"words": [{"phones": phones}]}}
    np.save(folder / f"{name}.mel.npy", speech.spectrogram.cpu().numpy())
    (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")


def find_checkpoint(folder: str | pathlib.Path = ".") -> pathlib.Path:
    """The checkpoint that has the committed checksum: TTS.pth, its copy from before a training, that beside
    `part2_solution`, or a download.

    Raises FileNotFoundError where there is none.
    """
    md5, link = part2_solution.get_checkpoint_metadata()
    path = pathlib.Path(folder, part2_solution.CHECKPOINT_PATH)
    shipped = path.with_name(f"{path.stem}-shipped{path.suffix}")
    for candidate in (path, shipped, *places(path.name, beside=part2_solution.__file__)):
        if candidate.is_file() and checksum(candidate) == md5:
            return candidate
    if link:
        import gdown

        gdown.download(link, str(shipped), quiet=False, fuzzy=True)
        if checksum(shipped) == md5:
            return shipped
    raise FileNotFoundError(f"{path.absolute()} has not the checksum {md5}: run `git checkout {path.name}`")
