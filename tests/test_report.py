"""The report's PDF, curves and pictures, of small ones; the links of the documents."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import curves
import numpy as np
import pictures
import pytest
import report_pdf
from conftest import train, train_voice, write_utterance
from PIL import Image

from speech import picture
from speech.record import Phoneme, Record, Word

ROOT = pathlib.Path(report_pdf.__file__).resolve().parent.parent

needs_report_packages = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("typst", "markdown_it")),
    reason="needs requirements-report.txt",
)

REPORT = """# A *tiny* report

σ ± – × → ≤ ŋ /həˈloʊ/, `a#[b]\\`, #no $markup$ @here "quoted", [a link](https://example.org/?a=b),
[a file](samples/demo.flac), [the table](#a-table).

## A table

| run   | MOS         | note       |
|:------|------------:|------------|
| **1** | 2.91 ± 0.17 | 1 \\| 2    |
| 2     |             | `x` *new*  |

1. first
2. second
   - inner

```
print("[]")
```

![a picture](a%20picture.png)
"""


@pytest.fixture
def report(tmp_path):
    Image.fromarray(np.zeros((20, 3000), np.uint8)).save(tmp_path / "a picture.png")
    path = tmp_path / "report.md"
    path.write_text(REPORT, encoding="utf-8")
    return path


def convert(report):
    report_pdf.convert(report, report.with_suffix(".pdf"))
    return report.with_suffix(".pdf").read_bytes()


# -------- PDF --------------------------------------------------------------------------------------------------------


@needs_report_packages
def test_a_report_becomes_a_pdf_with_links(report):
    content = convert(report)
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert re.findall(rb"/URI\(([^)]*)\)", content) == [b"https://example.org/?a=b", b"samples/demo.flac"]
    assert b"/Subtype/Image" in content and b"/StructTreeRoot" in content
    assert b"LibertinusSerif" in content and b"DejaVuSansMono" in content
    assert sorted(path.name for path in report.parent.iterdir()) == ["a picture.png", "report.md", "report.pdf"]
    assert convert(report) == content, "the same report gives the same file"


@needs_report_packages
@pytest.mark.parametrize(
    "addition, message",
    [
        ("![gone](missing.png)", r"line 23: there is no picture .*missing\.png"),
        ("![from afar](https://example.org/a.png)", "line 23: there is no picture"),
        ("![](a%20picture.png)", "alt text"),
        ("![no picture](report.md)", "image format"),
        ("[nowhere](#no-such-heading)", "line 23: no heading has the name #no-such-heading"),
        ("text <audio src='x.wav'>", "line 23: html_inline .* cannot be printed"),
        ("<!-- a comment --> <b>text</b>", "line 23: html_block .* cannot be printed"),
        ("<!-- a comment --> text <!-- another -->", "line 23: html_block .* cannot be printed"),
        ("日本", "could not be displayed with font"),
    ],
)
def test_what_cannot_be_printed_is_named_and_the_old_pdf_stays(report, addition, message):
    before = convert(report)
    report.write_text(f"{REPORT}\n{addition}\n", encoding="utf-8")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        convert(report)
    assert report.with_suffix(".pdf").read_bytes() == before


@needs_report_packages
def test_comments_are_not_printed(report):
    before = convert(report)
    text = report.read_text(encoding="utf-8").replace("2. second", "2. second<!-- inline -->")
    report.write_text(text + "\n<!-- a block\nof two lines -->\n", encoding="utf-8")
    assert convert(report) == before


def run_script(report):
    command = [sys.executable, report_pdf.__file__, str(report), str(report.with_suffix(".pdf"))]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_missing_report_is_named(tmp_path):
    result = run_script(tmp_path / "report.md")
    assert result.returncode == 1 and "there is no" in result.stderr and "Traceback" not in result.stderr


def test_missing_packages_are_named(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(ModuleNotFoundError, match="make report"):
        convert(report)


def test_typst_strings_hold_no_markup():
    assert report_pdf.quote('a "b" \\ #c') == '"a \\"b\\" \\\\ #c"'


def test_anchors_are_those_of_github():
    assert report_pdf.anchor("How it sounds: MOS, F0 (Hz)") == "how-it-sounds-mos-f0-hz"


# -------- Documents --------------------------------------------------------------------------------------------------


@needs_report_packages
@pytest.mark.parametrize("name", ["README.md", "report.md", "report/log.md", "report/features.md", "recipe/README.md"])
def test_links_lead_somewhere(name):
    def read(path):
        return report_pdf.parse(path.read_text(encoding="utf-8"))

    document = ROOT / name
    links = [node.attrs["href"] for node in read(document).walk() if node.type == "link"]
    local = [link for link in links if "://" not in link]
    assert local
    for link in local:
        path, _, heading = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), f"{name}: {link} is no file"
        if heading:
            assert heading in report_pdf.name_headings(read(target)), f"{name}: {link} is no heading"


def test_the_pictures_of_the_readme_are_there_and_small():
    pictured = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {path: (ROOT / path).stat().st_size < 150_000 for path in pictured} == dict.fromkeys(
        ("samples/page.png", "samples/spectrogram.png"), True
    )


def test_the_report_is_short():
    assert len((ROOT / "report.md").read_text(encoding="utf-8").split()) <= 3000


@needs_report_packages
@pytest.mark.parametrize("name", ["report.md", "report/log.md"])
def test_our_documents_become_pdfs(name, tmp_path):
    report_pdf.convert(ROOT / name, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


# -------- Curves -----------------------------------------------------------------------------------------------------


def test_curves_can_be_drawn_again_from_their_numbers(tmp_path):
    losses = {"loss": [(step, 1 / (step + 1)) for step in range(0, 400, 10)], "validation": [(200, 0.5), (400, 0.25)]}
    curves.write_numbers(losses, tmp_path / "first.csv")
    curves.write_numbers({"loss": losses["loss"][:7]}, tmp_path / "second.csv")
    again = curves.read_scalars(tmp_path / "first.csv")
    assert {tag: [step for step, _ in points] for tag, points in again.items()} == {
        tag: [step for step, _ in points] for tag, points in losses.items()
    }
    assert [value for _, value in again["loss"]] == pytest.approx([value for _, value in losses["loss"]], rel=1e-4)

    paths = [str(tmp_path / name) for name in ("first.csv", "both", "second.csv")]
    curves.main([*paths[:2], "--compare", paths[2], "--titles", "one", "other", "--tags", "loss", "--from-step", "20"])
    assert Image.open(tmp_path / "both.png").format == "PNG" and not (tmp_path / "both.csv").exists()


@pytest.mark.parametrize(
    "more, message",
    [
        (["--tags", "loss"], "second.csv has no curve loss"),
        (["--titles", "one"], "1 titles for 2 runs"),
    ],
)
def test_bad_arguments_of_curves_are_named(tmp_path, capsys, more, message):
    curves.write_numbers({"loss": [(0, 1.0)]}, tmp_path / "first.csv")
    curves.write_numbers({"other": [(0, 1.0)]}, tmp_path / "second.csv")
    paths = [str(tmp_path / name) for name in ("first.csv", "both", "second.csv")]
    with pytest.raises(SystemExit):
        curves.main([*paths[:2], "--compare", paths[2], *more])
    assert message in capsys.readouterr().err and not (tmp_path / "both.png").exists()


# -------- Spectrograms -----------------------------------------------------------------------------------------------


@pytest.fixture(params=[train, train_voice])
def voice(dataset_root, tmp_path, request):
    write_utterance(dataset_root, "LJ000", ["pau", "AA1", "S", "B", "pau"], [10, 60, 60, 0, 60])  # 2.2 s, held out
    return request.param(dataset_root, tmp_path, 1)


def test_spectrograms_are_drawn(voice, dataset_root, tmp_path, capsys):
    options = ["--checkpoint", str(voice), "--dataset", str(dataset_root), "--out"]
    pictures.main([*options, str(tmp_path / "one.png")])
    more = ["--compare", str(voice), "--titles", "one", "the other", "--alignment"]
    pictures.main([*options, str(tmp_path / "new" / "two.png"), *more])
    one, two = Image.open(tmp_path / "one.png"), Image.open(tmp_path / "new" / "two.png")
    assert one.width == two.width and one.height < two.height and one.format == "PNG"
    assert "LJ000" in capsys.readouterr().out


def test_predictions_have_the_durations_of_the_recording(voice, dataset_root):
    dataset = pictures.lj_speech.get_dataset(dataset_root)[1]
    mels, alignment = pictures.predict(voice, dataset, 0)
    assert mels.shape == dataset[0]["spectrogram"].shape == (80, 190) and alignment.shape == (190, 5)
    assert alignment.sum(1) == pytest.approx(np.ones(190), abs=1e-5)


@pytest.mark.parametrize(
    "more, message",
    [
        (["--utterance", "LJ003"], "LJ003 is none of the 1 held-out utterances"),
        (["--titles", "one", "two"], "2 titles for 1 checkpoints"),
        (["--checkpoint", "nowhere.pth"], "there is no checkpoint"),
        ([], "no held-out utterance lasts 2 to 5 seconds"),
    ],
)
def test_bad_arguments_are_named(dataset_root, tmp_path, capsys, more, message):
    if "--checkpoint" in more:
        more = [*more, "--utterance", "LJ000"]
    with pytest.raises(SystemExit, match="1"):
        pictures.main(["--dataset", str(dataset_root), "--out", str(tmp_path / "x.png"), *more])
    assert message in capsys.readouterr().err and not (tmp_path / "x.png").exists()


# -------- A text that was spoken --------------------------------------------------------------------------------------


def test_a_text_is_drawn_with_its_phonemes_and_words(voice, tmp_path, capsys):
    text = "Sob, bee. See?"
    pictures.main(["--checkpoint", str(voice), "--text", text, "--out", str(tmp_path / "text.png")])
    assert Image.open(tmp_path / "text.png").format == "PNG" and text in capsys.readouterr().out


def test_words_and_phonemes_are_where_they_are_heard():
    phonemes = [Phoneme("pau", 0.0, 0.5, 43), Phoneme("AY1", 0.5, 1.0, 43), Phoneme("Z", 1.0, 1.0, 0)]
    words = [Word("eyes", 0.5, 1.0, phonemes[1:], (0, 5))]
    frames = np.full((80, 86), -5.0, np.float32)
    spoken = Record("Eyes.", np.zeros((1, 22050), np.float32), words, phonemes, frames)
    figure, panel = pictures.plt.subplots()
    picture.draw(spoken, panel)
    marks = {axis.get_xticklabels()[-1].get_text().strip(): axis.get_xticks()[-1] for axis in panel.child_axes}
    assert marks == {"AY1": 0.75, "Eyes.": 0.75}, "the phoneme of no duration is not there"
    assert {line.get_xdata()[0] for line in panel.lines} == {0.5, 1.0}
    assert panel.get_xlim() == pytest.approx((0, 1), abs=0.01)
    pictures.plt.close(figure)
