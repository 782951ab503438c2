"""The report's PDF and pictures, of small ones."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pictures
import pytest
import report_pdf
from conftest import write_utterance
from PIL import Image
from test_training import train

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
        ("日本", "could not be displayed with font"),
    ],
)
def test_what_cannot_be_printed_is_named_and_the_old_pdf_stays(report, addition, message):
    before = convert(report)
    report.write_text(f"{REPORT}\n{addition}\n", encoding="utf-8")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        convert(report)
    assert report.with_suffix(".pdf").read_bytes() == before


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


# -------- Spectrograms -----------------------------------------------------------------------------------------------


@pytest.fixture
def voice(dataset_root, tmp_path):
    write_utterance(dataset_root, "LJ000", ["pau", "AA1", "S", "B", "pau"], [10, 60, 60, 0, 60])  # 2.2 s, held out
    return train(dataset_root, tmp_path, 1)


def test_spectrograms_are_drawn(voice, dataset_root, tmp_path, capsys):
    options = ["--checkpoint", str(voice), "--dataset", str(dataset_root), "--out"]
    pictures.main([*options, str(tmp_path / "one.png")])
    more = ["--compare", str(voice), "--titles", "one", "the other", "--alignment"]
    pictures.main([*options, str(tmp_path / "new" / "two.png"), *more])
    one, two = Image.open(tmp_path / "one.png"), Image.open(tmp_path / "new" / "two.png")
    assert one.width == two.width and one.height < two.height and one.format == "PNG"
    assert "LJ000" in capsys.readouterr().out


def test_predictions_have_the_durations_of_the_recording(voice, dataset_root):
    sample = pictures.lj_speech.get_dataset(dataset_root)[1][0]
    mels, alignment = pictures.predict(voice, sample)
    assert mels.shape == sample["spectrogram"].shape == (80, 190) and alignment.shape == (190, 5)
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
