"""The notebook in both modes, on a copy of the project, and what it needs."""

import hashlib
import pathlib
import shutil

import nbformat
import pytest
import torch
from conftest import ROOT, write_dataset
from nbclient import NotebookClient

import lj_speech
import part2_solution as tts
from recipe import course


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of what a clone holds, as the working folder."""
    for pattern in ("*.py", "*.ipynb", "*.pth", "requirements.txt"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, tmp_path)
    for room in ROOT.glob("*/__init__.py"):
        shutil.copytree(room.parent, tmp_path / room.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(project: pathlib.Path, do_train: bool) -> str:
    """Run all cells; returns what they printed."""
    notebook = nbformat.read(project / "notebook.ipynb", as_version=4)
    settings = notebook.cells[1]
    assert "DO_TRAIN = False" in settings.source and "NUM_EPOCHS = 32" in settings.source
    settings.source = f"DO_TRAIN = {do_train}\nNUM_EPOCHS = 2"
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(project)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    players = [output for output in outputs if "<audio" in output.get("data", {}).get("text/html", "")]
    assert len(players) == 4 and "image/png" in kinds
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_notebook_is_stripped_and_short():
    notebook = nbformat.read(ROOT / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(notebook.cells) <= 15 and not any(cell.outputs or cell.execution_count for cell in code)
    assert not any(line.startswith(("def ", "class ")) for cell in code for line in cell.source.splitlines())


def test_the_notebook_speaks_without_training(project):
    before = (project / "TTS.pth").read_bytes()
    assert "TTS.pth" in execute(project, do_train=False)
    assert (project / "TTS.pth").read_bytes() == before


def test_the_notebook_trains_on_a_stand_in_and_keeps_the_shipped_voice(project):
    notebook = nbformat.read(project / "notebook.ipynb", as_version=4)
    notebook.cells[3].source += "\ncourse.download_dataset = None  # as if Google Drive were out of reach"
    nbformat.write(notebook, project / "notebook.ipynb")
    shipped = (project / "TTS.pth").read_bytes()
    assert "sentences that the shipped voice speaks" in execute(project, do_train=True)
    assert (project / "TTS.pth").read_bytes() != shipped
    assert (project / "TTS-shipped.pth").read_bytes() == shipped
    assert course.find_checkpoint().name == "TTS-shipped.pth", "with DO_TRAIN = False the shipped voice is back"


def test_a_dataset_on_disk_is_used(project):
    root = write_dataset(project / "LJ-Speech-aligned")
    assert course.get_course_dataset(root) == root


def test_the_archive_is_unpacked_whole_or_not_at_all(project, monkeypatch, tmp_path):
    import gdown

    source = write_dataset(tmp_path / "source" / "LJ-Speech-aligned")
    archive = shutil.make_archive(str(tmp_path / "dataset"), "gztar", source.parent)

    def download(id, output, quiet):
        return shutil.copy(archive, output)

    monkeypatch.setattr(gdown, "download", download)
    root = course.download_dataset(pathlib.Path("LJ"), "id")
    assert len(lj_speech.get_dataset(root)[0]) == 5
    pathlib.Path(archive).write_bytes(pathlib.Path(archive).read_bytes()[:500])
    with pytest.raises(Exception):  # noqa: B017
        course.download_dataset(pathlib.Path("other"), "id")
    assert not pathlib.Path("other").exists()


def test_the_stand_in_is_spoken_once_and_reads_back(project):
    root = course.speak_dataset(pathlib.Path("stand-in"), course.find_checkpoint(), ["Good morning.", "Why?"])
    train_dataset, val_dataset = lj_speech.get_dataset(root)
    sample = val_dataset[0]
    codes = lj_speech.text_to_phonemes("Good morning.")
    (speech,) = tts.TextToSpeechSynthesizer("TTS.pth").predict_text("Good morning.")
    assert speech.phonemes == codes
    assert sample["phonemes_code"] == speech.phonemes and sample["phonemes_duration"] == speech.durations
    torch.testing.assert_close(torch.tensor(sample["spectrogram"]), speech.spectrogram.cpu())


def test_a_checkpoint_of_another_checksum_is_not_taken(project, monkeypatch):
    (project / "TTS.pth").write_bytes(b"trained by somebody")
    assert course.find_checkpoint() == ROOT / "TTS.pth", "that beside the program"
    monkeypatch.setattr(tts, "__file__", str(project / "part2_solution.py"))
    with pytest.raises(FileNotFoundError, match="git checkout TTS.pth"):
        course.find_checkpoint()
    import gdown

    published = b"the published one"
    monkeypatch.setattr(tts, "CHECKPOINT_MD5", hashlib.md5(published).hexdigest())
    monkeypatch.setattr(tts, "CHECKPOINT_LINK", "https://drive.google.com/file/d/x")
    monkeypatch.setattr(gdown, "download", lambda link, output, **_: pathlib.Path(output).write_bytes(published))
    assert course.find_checkpoint().read_bytes() == published
