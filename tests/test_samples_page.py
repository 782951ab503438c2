"""The page of samples, by stand-ins for voices and judges."""

import base64
import html.parser
import io

import evaluate
import numpy as np
import pytest
import samples_page
import soundfile
from conftest import ROOT

from lj_speech import SAMPLING_RATE

TEXTS = ["Is <b> bold?", "It rains & pours."]


class Reader(html.parser.HTMLParser):
    """The addresses of the audio, all text, and whatever else is loaded."""

    def __init__(self, page: str):
        super().__init__()
        self.audio, self.text, self.others = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href"):
                (self.audio if tag == "audio" else self.others).append(value)

    def handle_data(self, data):
        self.text += data


def hum(loudness: float, seconds: float):
    times = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    audio = (loudness * np.sin(2 * np.pi * 200 * times)).astype(np.float32)
    return lambda name, text: evaluate.Utterance(name, text, audio, [], [])


@pytest.fixture
def stand_ins(monkeypatch):
    """A loud voice and a quiet one; the recogniser understands the sentences about rain only."""
    judges = evaluate.Judges(lambda audio: "It rains and pours", lambda audio, text: -1.0,
                             lambda audio: 4.0 if len(audio) > 16000 else 3.0, None, None)  # fmt: skip
    voices = {"ours": hum(0.9, 1.5), "hibari": hum(0.01, 0.5)}
    monkeypatch.setattr(evaluate, "track_f0", lambda audio: (np.zeros(3), None))
    monkeypatch.setattr(evaluate, "load_judges", lambda references: judges)
    monkeypatch.setattr(evaluate, "load_voices", lambda synthesizer, peers: voices)
    return voices, judges


def test_the_page_has_each_voice_with_its_scores(stand_ins):
    page = Reader(samples_page.make_page(*stand_ins[:1], TEXTS, stand_ins[1], "TTS.pth"))
    assert page.others == [], "one file that loads nothing"
    sounds = [soundfile.read(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in page.audio]
    assert [len(audio) / rate for audio, rate in sounds] == pytest.approx([1.5, 0.5] * 2, abs=1e-3)
    assert [np.sqrt(np.mean(audio**2)) for audio, _ in sounds] == pytest.approx([samples_page.LOUDNESS] * 4, rel=0.01)
    assert all(text in page.text for text in TEXTS), "escaped"
    words = " ".join(page.text.split())
    assert words.count("MOS 4.00") == 3 and words.count("MOS 3.00") == 3, "two sentences and their mean"
    assert words.count("heard: It rains and pours") == 4


def test_silence_stays_silent():
    assert not samples_page.equally_loud(np.zeros(5)).any()
    peaks = np.array([1.0] + [0.0] * 9999)
    assert samples_page.equally_loud(peaks).max() == 1, "nothing is clipped"


def test_the_command_writes_the_page_and_names_who_is_missing(stand_ins, tmp_path, capsys):
    out = tmp_path / "new" / "index.html"
    samples_page.main(["--checkpoint", str(ROOT / "TTS.pth"), "--n", "3", "--out", str(out)])
    assert out.read_text(encoding="utf-8").count("<audio") == 6
    printed = capsys.readouterr().out
    assert "3 sentences by ours, hibari" in printed and "Left out: piper" in printed
    with pytest.raises(SystemExit, match="1"):
        samples_page.main(["--checkpoint", str(tmp_path / "no.pth"), "--out", str(out)])
    assert "no.pth" in capsys.readouterr().err
