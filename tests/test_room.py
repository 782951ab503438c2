"""Noise and ends of spectrograms: against naive computations, and in what the voice says."""

import math
from dataclasses import replace

import numpy as np
import pytest

import lj_speech
import part2_solution as tts
from prosody import room
from prosody.room import ECHO_SECONDS, FADE_FRAMES, LATE_FRAMES, LEAST_POWER
from recipe import melody


def test_the_noise_floor_is_that_of_the_pauses():
    speech, pause = np.full((80, 90), -2.0, np.float32), np.full((80, 6), -9.0, np.float32)
    pause[3] = -7
    samples = [{"spectrogram": np.concatenate([speech, pause], axis=1)}] * 3
    floor = melody.read_noise_floor(samples)
    assert floor.shape == (80,) and floor[3].item() == -7 and floor[4].item() == -9


def test_of_many_recordings_some_are_read():
    class Counted(list):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return {"spectrogram": np.zeros((80, 20), np.float32)}

    dataset = Counted(range(1000))
    melody.read_noise_floor(dataset, n_utterances=10)
    assert dataset.read == 10


def random_spectrogram(n_frames):
    return np.random.default_rng(0).normal(-6, 2, (80, n_frames)).astype(np.float32)


def naive_echo(spectrogram):
    """Power (80, T): each frame's fades exponentially, and is echo from LATE_FRAMES later on; the loudest is heard."""
    echo = np.zeros(spectrogram.shape)
    for frame in range(spectrogram.shape[1]):
        for earlier in range(frame - LATE_FRAMES + 1):
            seconds = (frame - earlier) * 256 / 22050
            left = np.exp(2 * spectrogram[:, earlier]) * 10 ** (-6 * seconds / ECHO_SECONDS)
            echo[:, frame] = np.maximum(echo[:, frame], left)
    return echo


@pytest.mark.parametrize("n_frames", [1, LATE_FRAMES, LATE_FRAMES + 1, 30])
def test_the_echo_is_what_is_left_of_the_loudest_frame_before(n_frames):
    spectrogram = random_spectrogram(n_frames)
    echo = np.exp(room.late_echo(spectrogram))
    np.testing.assert_allclose(echo, naive_echo(spectrogram.astype(float)), rtol=1e-4)


def test_the_echo_of_a_long_utterance_does_not_overflow():
    spectrogram = np.full((80, 1000), 2.0, np.float32)
    assert abs(room.late_echo(spectrogram)[:, LATE_FRAMES:] - 4).max() < 8, "the latest is the loudest left"
    assert np.isfinite(room.dry(spectrogram, np.full(80, -8.0, np.float32), 20.0, 0.1)).all()


def test_noise_and_echo_are_taken_away_but_never_all_of_it():
    spectrogram, floor = random_spectrogram(30), np.random.default_rng(1).normal(-7, 1, 80).astype(np.float32)
    cleaned, echo = room.dry(spectrogram, floor, 4.0, 0.5), naive_echo(spectrogram.astype(float))
    for band, frame in ((0, 0), (7, 3), (40, 12), (79, 29)):
        power = math.exp(2 * spectrogram[band, frame])
        left = max(power - 4 * math.exp(2 * floor[band]) - 0.5 * echo[band, frame], LEAST_POWER * power)
        assert cleaned[band, frame].item() == pytest.approx(math.log(left) / 2, abs=1e-4)
    np.testing.assert_allclose(room.dry(spectrogram, floor, 0.0, 0.0), spectrogram, atol=1e-5)


def test_ends_are_faded_as_far_as_their_pauses_reach():
    spectrogram = np.zeros((80, 40), np.float32)
    faded = room.fade(spectrogram, 30, 2)[0]
    gains = [math.log(math.sin((i + 0.5) / FADE_FRAMES * math.pi / 2) ** 2) for i in range(FADE_FRAMES)]
    assert faded[:FADE_FRAMES].tolist() == pytest.approx(gains, abs=1e-5)
    assert (faded[FADE_FRAMES:-2] == 0).all() and faded[-1] < faded[-2] < 0
    assert (room.fade(spectrogram, 0, 0) == 0).all()
    assert np.isfinite(room.fade(spectrogram[:, :3], 3, 3)).all(), "short pauses that meet"


def test_the_voice_begins_and_ends_in_silence_and_speaks_no_softer():
    voice = tts.TextToSpeechSynthesizer()
    codes = lj_speech.text_to_phonemes("My brother left his umbrella on the kitchen table.")
    (cleaned,) = voice.predict(codes)
    voice.style = replace(voice.style, denoising=0.0, dereverberation=0.0)
    (noisy,) = voice.predict(codes)
    before, after = ((2 * speech.spectrogram).exp().sum(0).log() / 2 for speech in (noisy, cleaned))
    lost = (before - after)[before > before.median()]
    assert lost.mean() < 0.05 and lost.max() < 0.5, "0.4 dB, 4 dB"
    pause = slice(FADE_FRAMES, cleaned.durations[0] - 2)
    assert (noisy.spectrogram - cleaned.spectrogram)[:, pause].mean() > 0.5, "5 dB less of the room"
    audio = voice.synthesize_from_phonemes(codes)[0]
    assert audio[:200].abs().max() < 0.01 * audio.abs().max() > audio[-200:].abs().max()


def test_what_does_not_begin_with_a_pause_is_not_faded():
    voice = tts.TextToSpeechSynthesizer()
    voice.style = replace(voice.style, denoising=0.0, dereverberation=0.0)
    (bare,) = voice.predict(["AA1", "B"], [20, 10])
    assert bare.spectrogram[:, 0].max() > -8, "faded, it would be silent: -11.5"
