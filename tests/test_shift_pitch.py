"""Copies of utterances with another pitch."""

import numpy as np
import pytest
import soundfile
from conftest import write_utterance

import lj_speech
import prepare_data
import shift_pitch
from lj_speech import SAMPLING_RATE, STFT_HOP_LENGTH

torch = prepare_data.torch


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
        shifted = shift_pitch.shift_pitch(audio, semitones)
        assert shifted.shape == audio.shape and shifted.dtype == np.float32
        assert fundamental(shifted) == pytest.approx(200 * 2 ** (semitones / 12), rel=0.02)


def test_shifts_go_up_and_down():
    shifts = shift_pitch.random_shifts(4, np.random.default_rng(0))
    assert sorted(np.sign(shifts)) == [-1, -1, 1, 1] and np.all(np.diff(np.sign(shifts)) != 0)
    assert np.all((np.abs(shifts) >= shift_pitch.LEAST) & (np.abs(shifts) <= shift_pitch.MOST))


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
    monkeypatch.setattr(shift_pitch, "shift_pitch", lambda audio, semitones: audio * 0.5)
    shift_pitch.main([str(clips[0]), str(clips[1]), "--out", str(clips[2]), "--copies", "2"])
    assert {path.name for path in clips[2].glob("*")} == {
        f"LJ00{i}-{copy}.{kind}" for i in (1, 2) for copy in (0, 1) for kind in ("json", "mel.npy")
    }, "LJ000 is held out"
    train, val = lj_speech.get_dataset(clips[2])
    real = lj_speech.get_dataset(clips[1])[0].alignments[0]
    assert all(item.codes == real.codes and item.durations == real.durations for item in [*train.alignments])
    expected = prepare_data.mel_spectrogram(torch.as_tensor(voice() * 0.5)).numpy()
    np.testing.assert_allclose(np.load(clips[2] / "LJ001-0.mel.npy"), expected, atol=0.01)


def test_recordings_that_do_not_belong_to_the_dataset_are_named(clips, monkeypatch, capsys):
    monkeypatch.setattr(shift_pitch, "shift_pitch", lambda audio, semitones: audio)
    soundfile.write(clips[0] / "LJ002.wav", voice(0.5), SAMPLING_RATE)
    with pytest.raises(ValueError, match="LJ002.*prepare the dataset again"):
        shift_pitch.shift_dataset(*clips)
    (clips[0] / "LJ001.wav").unlink()
    with pytest.raises(SystemExit):
        shift_pitch.main([str(clips[0]), str(clips[1]), "--out", str(clips[2])])
    assert "no recording of ['LJ001'] (1 of 2 are missing)" in capsys.readouterr().err
