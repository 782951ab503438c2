"""Copies of utterances with another pitch."""

import numpy as np
import pytest
import soundfile
from conftest import write_utterance

import lj_speech
from lj_speech import SAMPLING_RATE, STFT_HOP_LENGTH
from recipe import prepare, shift_pitch
from vocoder.spectrogram import mel_spectrogram


def voice(seconds: float = 1.0, pitch: float = 200.0) -> np.ndarray:
    """A buzz with a formant at 800 Hz."""
    times = np.arange(int(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    gains = {k: np.exp(-(((k * pitch - 800) / 400) ** 2)) + 0.05 for k in range(1, 20)}
    return 0.1 * sum(gain * np.cos(2 * np.pi * k * pitch * times) for k, gain in gains.items()).astype(np.float32)


def fundamental(audio: np.ndarray) -> float:
    """Hz, by the highest peak of the autocorrelation between 140 and 400 Hz."""
    middle = audio[len(audio) // 4 : -len(audio) // 4]
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    first, last = SAMPLING_RATE // 400, SAMPLING_RATE // 140
    return SAMPLING_RATE / (first + int(np.argmax(correlation[first:last])))


def test_the_pitch_moves_and_the_length_stays():
    pytest.importorskip("parselmouth")
    audio = voice()
    for semitones in (-3.0, 4.0):
        shifted = shift_pitch.shift_pitch(audio, lambda times, semitones=semitones: np.full(len(times), semitones))
        assert shifted.shape == audio.shape and shifted.dtype == np.float32
        assert fundamental(shifted) == pytest.approx(200 * 2 ** (semitones / 12), rel=0.02)


def test_only_what_the_curve_says_moves():
    pytest.importorskip("parselmouth")
    audio = voice(2.0)
    shifted = shift_pitch.shift_pitch(audio, lambda times: 5.0 * (times > 1.2))
    assert fundamental(shifted[:SAMPLING_RATE]) == pytest.approx(200, rel=0.02)
    assert fundamental(shifted[-SAMPLING_RATE // 2 :]) == pytest.approx(200 * 2 ** (5 / 12), rel=0.02)
    assert not shift_pitch.shift_pitch(0 * audio, lambda times: 0 * times).any()


def test_curves():
    times, rng = np.linspace(0.2, 3.0, 300), np.random.default_rng(0)
    shifts = np.array([shift_pitch.higher_or_lower(rng)(times) for _ in range(40)])
    assert np.all(shifts == shifts[:, :1]) and {-1, 1} == {*np.sign(shifts[:, 0])}
    assert np.all((np.abs(shifts) >= shift_pitch.LEAST) & (np.abs(shifts) <= shift_pitch.MOST))
    melodies = np.array([shift_pitch.another_melody(rng)(times) for _ in range(40)])
    assert 0.8 < melodies.std() / shift_pitch.MELODY_STD < 1.1 and np.abs(np.diff(melodies)).max() < 0.5
    for _ in range(40):
        rise = shift_pitch.rising_end(rng)(times)
        assert np.all(rise[times < 3.0 - shift_pitch.RISE_SECONDS[1]] == 0) and np.all(np.diff(rise) >= 0)
        assert shift_pitch.RISES[0] <= rise[-1] <= shift_pitch.RISES[1]


@pytest.fixture
def clips(tmp_path):
    folder, root = tmp_path / "clips", tmp_path / "data"
    folder.mkdir(), root.mkdir()
    audio = voice()
    n_frames = len(audio) // STFT_HOP_LENGTH + 1
    for index in range(3):
        soundfile.write(folder / f"LJ{index:03d}.wav", audio, SAMPLING_RATE, subtype="FLOAT")
        write_utterance(root, f"LJ{index:03d}", ["pau", "AA1"], [10, n_frames - 10])
    return folder, root, tmp_path / "shifted"


def test_the_training_part_is_copied_with_its_alignment(clips, monkeypatch):
    monkeypatch.setattr(shift_pitch, "shift_pitch", lambda audio, curve: audio * 0.5)
    shift_pitch.main([str(clips[0]), str(clips[1]), "--out", str(clips[2]), "--copies", "2"])
    assert {path.name for path in clips[2].glob("*")} == {
        f"LJ00{i}-{copy}.{kind}" for i in (1, 2) for copy in (0, 1) for kind in ("json", "mel.npy")
    }, "LJ000 is held out"
    train, val = lj_speech.get_dataset(clips[2])
    real = lj_speech.get_dataset(clips[1])[0].alignments[0]
    assert all(item.codes == real.codes and item.durations == real.durations for item in [*train.alignments])
    expected = mel_spectrogram(voice() * 0.5)
    np.testing.assert_allclose(np.load(clips[2] / "LJ001-0.mel.npy"), expected, atol=0.01)


def test_the_pitch_of_copies_is_tracked_where_that_of_the_recordings_is(clips):
    pytest.importorskip("parselmouth")
    spectrogram = np.load(clips[1] / "LJ001.mel.npy")
    np.save(clips[1] / "LJ001.pitch.npy", prepare.track_pitch(voice(), spectrogram))
    shift_pitch.shift_dataset(*clips)
    assert {path.name for path in clips[2].glob("*.pitch.npy")} == {f"LJ001-{copy}.pitch.npy" for copy in (0, 1, 2)}
    rows = [np.load(folder / name) for folder, name in ((clips[1], "LJ001.pitch.npy"), (clips[2], "LJ001-2.pitch.npy"))]
    assert rows[0].shape == rows[1].shape == (2, spectrogram.shape[1])
    rise = (rows[1] - rows[0])[0]
    assert np.abs(rise[10:40]).max() < 0.02 and rise[-6] > 0.1, "the end rises"


def test_what_is_whole_is_kept_until_the_pitch_is_tracked(clips, monkeypatch):
    made = []
    monkeypatch.setattr(shift_pitch, "shift_pitch", lambda audio, curve: made.append(1) or audio)
    monkeypatch.setattr(prepare, "track_pitch", lambda audio, mel: np.zeros((2, mel.shape[1])))
    counts = []
    for pitch in (False, False, True, True):
        if pitch:
            np.save(clips[1] / "LJ001.pitch.npy", np.zeros(2))
        shift_pitch.shift_dataset(*clips)
        counts.append(len(made))
    assert counts == [6, 6, 9, 9], "two utterances, then only the one whose pitch is new"


def test_recordings_that_do_not_belong_to_the_dataset_are_named(clips, monkeypatch, capsys):
    monkeypatch.setattr(shift_pitch, "shift_pitch", lambda audio, curve: audio)
    soundfile.write(clips[0] / "LJ002.wav", voice(0.5), SAMPLING_RATE)
    with pytest.raises(ValueError, match="LJ002.*prepare the dataset again"):
        shift_pitch.shift_dataset(*clips)
    (clips[0] / "LJ001.wav").unlink()
    with pytest.raises(SystemExit):
        shift_pitch.main([str(clips[0]), str(clips[1]), "--out", str(clips[2])])
    assert "no recording of ['LJ001'] (1 of 2 are missing)" in capsys.readouterr().err
