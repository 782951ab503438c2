"""How sharp borders and how quiet stops are, in spectrograms whose answer is known."""

import contextlib
import math

import numpy as np
import pytest
from conftest import write_utterance

from benchmarks import borders
from benchmarks.evaluate import Utterance

CODES = ["pau", "AA1", "T", "AA1", "S", "pau"]
DURATIONS = [20, 12, 6, 12, 10, 5]
STARTS = [0, 20, 32, 38, 50, 60]


def steps(levels, durations=DURATIONS):
    """(80, T): each phoneme at one level, the same in all bands."""
    return np.repeat(np.array(levels, np.float32), durations)[None].repeat(80, axis=0)


def test_the_bands_have_the_middles_of_the_mel_filters():
    frequencies = borders.band_frequencies()
    assert frequencies.shape == (80,) and (np.diff(frequencies) >= 0).all()
    assert 0 < frequencies[0] < 100 and 7500 < frequencies[-1] < 8000


def test_borders_are_those_of_two_phonemes():
    assert borders.border_frames(CODES, DURATIONS) == [32, 38, 50]
    assert borders.border_frames(["AA1", "T", "S"], [5, 0, 5]) == [5]  # what lasts no frame is none


def test_a_step_is_found_where_the_alignment_is_a_little_off():
    spectrogram = steps([-9, 0, -2, 0, -1, -9])
    for shift in range(-2, 3):
        durations = [20 + shift, *DURATIONS[1:-1], 5 - shift]
        measured = borders.measure(spectrogram, CODES, durations)
        np.testing.assert_allclose(measured.borders, [[2] * 80, [2] * 80, [1] * 80], atol=1e-6)


def test_a_smeared_border_is_less_steep():
    spectrogram = steps([-9, 0, -2, 0, -1, -9])
    smeared = sum(np.roll(spectrogram, shift, axis=1) for shift in range(-2, 3)) / 5
    sharp, flat = (borders.measure(mels, CODES, DURATIONS).borders.mean() for mels in (spectrogram, smeared))
    assert flat == pytest.approx(sharp / 5, rel=0.01)


def test_what_is_too_quiet_to_hear_makes_no_border_steeper():
    rise = [borders.measure(steps([-9, 0, low, 0, -1, -9]), CODES, DURATIONS).borders[0, 0] for low in (-6, -11)]
    power = (24 + 10 * math.exp(-2)) / 40  # the mean of the band, but for the T
    assert rise == pytest.approx([1.5 * math.log(10) - math.log(power) / 2] * 2, abs=1e-3)


def test_inside_is_far_from_every_border():
    changes = np.zeros((80, 64))
    changes[:, [start - 1 for start in STARTS[1:]]] = 9
    changes[:, 20 + 6 - 1] = 1  # between the sixth and the seventh frame of the first vowel
    inside = borders.measure_inside(changes, CODES, DURATIONS)
    lengths = [max(0, duration - 2 * borders.INSIDE + 1) for duration in (12, 6, 12, 10)]
    assert len(inside) == sum(lengths) and inside.max() == 1 and inside[:, 0].sum() == 1


def test_closures_are_stops_between_phonemes_at_their_quietest_two_frames():
    power = np.exp(2 * steps([-9, 0, 0, 0, 0, -9])[0])
    power[[34, 35]] = 0.01
    assert borders.measure_closures(power, CODES, DURATIONS, 0.0) == [("T", pytest.approx(-20))]
    assert borders.measure_closures(power, ["pau", "P", "AA1"], [32, 6, 27], 0.0) == []  # in a pause it is silent


def test_a_pause_is_measured_over_the_mean_power_of_what_is_spoken():
    spectrogram = steps([-3, 0, 0, 0, 0, -9])
    spectrogram[borders.band_frequencies() > borders.HIGH, :20] = -4
    measured = borders.measure(spectrogram, CODES, DURATIONS)
    high = (borders.band_frequencies() > borders.HIGH).mean()
    expected = math.exp(-6) * (1 - high) + math.exp(-8) * high, math.exp(-8) * high
    assert measured.pause == pytest.approx([10 * math.log10(power) for power in expected], abs=1e-4)
    assert borders.measure(spectrogram[:, 15:], CODES, [5, *DURATIONS[1:]]).pause is None


def test_shifted_borders_keep_the_length():
    assert borders.shift_borders([6, 3, 8], -4) == [2, 3, 12]
    assert borders.shift_borders([6, 3, 8], 0) == [6, 3, 8]
    assert borders.shift_borders([2, 3, 8], -4) == [0, 1, 12]


def test_borders_are_steepest_where_the_alignment_is_right():
    late = Utterance("a", "a", None, CODES, [25, 12, 6, 12, 10, 0], steps([-9, 0, -2, 0, -1, -9]))
    (row,) = borders.measure_shifts({"late": [late]})
    assert row["-5"] == pytest.approx(5 / 3) == max(value for key, value in row.items() if key != "speech")
    assert row["+0"] < 1


def test_hibari_tells_how_long_it_speaks():
    for package in ("hibari", "onnx"):
        pytest.importorskip(package)
    spoken = borders.load_timed_hibari()("a", "Take it, please.")
    assert abs(sum(spoken.durations) - len(spoken.audio) / 256) < 3
    assert spoken.codes.count("pau") == 3 and [spoken.codes.count(stop) for stop in "PTK"] == [1, 2, 1]


@pytest.fixture
def fakes(monkeypatch):
    """A voice that says CODES, and no hibari."""
    spoken = Utterance(
        "a",
        "a",
        np.random.default_rng(0).normal(0, 0.1, 65 * 256).astype(np.float32),
        CODES,
        DURATIONS,
        steps([-9, 0, -2, 0, -1, -9]),
    )

    def missing(late):
        raise ModuleNotFoundError("none here")

    monkeypatch.setattr(borders, "TextToSpeechSynthesizer", lambda checkpoint: None)
    monkeypatch.setattr(borders, "load_timed_hibari", missing)
    monkeypatch.setattr(borders.evaluate, "speak_text", lambda *arguments: spoken)


def test_without_a_dataset_the_voice_says_the_plain_list(fakes, capsys):
    rows = borders.measure_speech(borders.speak_all(None, None, n=3))
    assert [(row["speech"], row["n"], row["borders"]) for row in rows] == [("ours", 3, 9), ("ours, spectrogram", 3, 9)]
    assert rows[1]["border"] == pytest.approx(5 / 3) and rows[1]["closures"] == 3 and rows[1]["pauses"] == 3
    assert "hibari (none here)" in capsys.readouterr().out


def test_held_out_recordings_have_rows_of_their_own(fakes, monkeypatch, tmp_path):
    for index in range(40):
        write_utterance(tmp_path, f"LJ{index:03d}", CODES, DURATIONS)
    spoken = borders.evaluate.speak_text()
    monkeypatch.setattr(borders.evaluate, "speak", lambda *arguments: spoken)
    monkeypatch.setattr(borders.evaluate, "copy_synthesis", lambda *arguments: spoken)
    monkeypatch.setattr(borders.evaluate, "room_left_in", lambda synthesizer: contextlib.nullcontext())
    rows = borders.measure_speech(borders.speak_all(None, tmp_path, n=2))
    assert [row["speech"] for row in rows] == [
        "ours", "ours, spectrogram", "ours, real durations", "recordings", "recordings, copied",
    ]  # fmt: skip
    assert len({tuple(row) for row in rows}) == 1
