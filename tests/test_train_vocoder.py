from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

from part2_solution import StepConfig, TrainingState
from recipe import train_vocoder
from vocoder import network
from vocoder.spectrogram import FFT_SIZE, N_FREQUENCIES, SAMPLING_RATE, STFT_HOP_LENGTH, mel_spectrogram

QUICK = StepConfig(batch_size=2, learning_rate=1e-3, warmup_steps=2, ema_decay=0.5, amp="fp32")
TINY = network.Config(width=16, n_blocks=1)


Discriminators = train_vocoder.Discriminators


def small_discriminators():
    return Discriminators((2, 2, 2, 2))


def glide(seconds: float = 1.3, low: float = 180.0, high: float = 240.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten harmonics with a rising pitch: samples, phase in cycles, pitch of each frame."""
    n_samples = int(seconds * SAMPLING_RATE)
    pitch = np.linspace(low, high, n_samples)
    phase = np.cumsum(pitch / SAMPLING_RATE)
    audio = 0.05 * sum(np.cos(2 * np.pi * k * phase) for k in range(1, 11))
    return audio.astype(np.float32), phase, pitch[::STFT_HOP_LENGTH]


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A folder of three recordings; their pitch is known, no tracker is needed."""
    root = tmp_path / "wavs"
    root.mkdir()
    for index in range(3):
        soundfile.write(root / f"LJ{index}.wav", glide()[0], SAMPLING_RATE)
    n_frames = len(glide()[0]) // STFT_HOP_LENGTH + 1
    pitch = np.interp(np.arange(n_frames), np.arange(len(glide()[2])), glide()[2])
    monkeypatch.setattr(train_vocoder, "track_pitch", lambda audio: (pitch, np.ones(n_frames, dtype=bool)))
    return root


def crops_of(root) -> train_vocoder.Crops:
    training, _ = train_vocoder.read_recordings(root, [])
    return next(train_vocoder.random_batches(training, 2, 0))


def tiny_vocoder() -> network.Vocoder:
    torch.manual_seed(0)
    model = network.Vocoder(TINY)
    train_vocoder.set_prior(model)
    return model


def test_the_prior_is_the_amplitude_of_a_flat_spectrum():
    model = tiny_vocoder()
    spectrum = torch.full((N_FREQUENCIES,), 0.03)
    bands = torchaudio.functional.melscale_fbanks(513, 0, 8000, 80, SAMPLING_RATE, "slaney", "slaney")
    prior = model.prior @ (spectrum @ bands).log() + model.prior_offset
    torch.testing.assert_close(prior.exp(), spectrum, rtol=1e-3, atol=0)


def test_the_prior_is_the_naive_interpolation():
    model = tiny_vocoder()
    bands = torchaudio.functional.melscale_fbanks(513, 0, 8000, 80, SAMPLING_RATE, "slaney", "slaney").double()
    torch.manual_seed(0)
    log_mel = torch.randn(80)
    middles = [sum(f * float(bands[f, m]) for f in range(513)) / float(bands[:, m].sum()) for m in range(80)]
    levels = [float(log_mel[m]) - np.log(float(bands[:, m].sum())) for m in range(80)]
    prior = model.prior @ log_mel + model.prior_offset
    for f in (0, 3, 17, 100, 371, 400, 512):
        right = next((m for m in range(80) if middles[m] >= f), None)
        if right in (0, None):
            expected = levels[0 if right == 0 else -1]
        else:
            part = (f - middles[right - 1]) / (middles[right] - middles[right - 1])
            expected = (1 - part) * levels[right - 1] + part * levels[right]
        assert float(prior[f]) == pytest.approx(expected, abs=1e-3)


def test_the_phase_of_a_glide_is_found():
    audio, phase, pitch = glide()
    rough = pitch * 1.01  # a tracker errs
    found = train_vocoder.fundamental_phase(audio, rough, np.ones(len(pitch), dtype=bool))
    error = found - phase
    inside = error[2000:-2000]
    assert np.abs(inside - np.round(inside.mean())).max() < 0.02


def test_crops_belong_together(recordings):
    crops = crops_of(recordings)
    assert crops.spectrograms.shape == (2, 80, train_vocoder.CROP_FRAMES)
    assert crops.audio.shape == crops.phase.shape == crops.cycles.shape
    assert crops.audio.shape[1] == (train_vocoder.CROP_FRAMES - 1) * STFT_HOP_LENGTH + FFT_SIZE
    rebuilt = 0.05 * sum(torch.cos(2 * np.pi * k * crops.phase) for k in range(1, 11))
    torch.testing.assert_close(crops.audio[:, 4096:-4096], rebuilt[:, 4096:-4096], atol=0.03, rtol=0)
    # Windows inside the crop: frames from MARGIN on.
    again = torch.from_numpy(mel_spectrogram(crops.audio[0].numpy()))[:, 4:-4]
    torch.testing.assert_close(again[:, :50], crops.spectrograms[0, :, 2:52], atol=0.2, rtol=0)


def test_every_parameter_gets_a_gradient(recordings):
    model = tiny_vocoder()
    discriminators = train_vocoder.Discriminators((2, 2, 2, 2))
    judge = TrainingState(discriminators, [discriminators], 10, QUICK)
    state = TrainingState(model, [model], 10, QUICK)
    losses = train_vocoder.take_step(state, crops_of(recordings), judge)
    assert {"adversarial", "feature_matching", "discriminator", "mel", "stft", "phase", "pitch"} <= losses.keys()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    assert all(parameter.requires_grad for parameter in discriminators.parameters())


def test_losses_are_zero_for_the_recording_itself_and_fall_in_training(recordings):
    crops = crops_of(recordings)
    assert all(float(loss) == 0 for loss in train_vocoder.spectral_losses(crops.audio, crops.audio).values())
    model = tiny_vocoder()
    state = TrainingState(model, [model], 60, replace(QUICK, learning_rate=3e-3))
    values = [float(train_vocoder.take_step(state, crops, None)["loss"]) for _ in range(40)]
    assert np.mean(values[-5:]) < 0.8 * values[0]


def test_without_voice_chance_is_wanted():
    generator = torch.Generator().manual_seed(0)
    one, other, real = torch.randn(3, 2, 63 * STFT_HOP_LENGTH, generator=generator) * 0.1
    nowhere = torch.zeros(2, 64, dtype=torch.bool)
    always_the_same = train_vocoder.energy_distances([one, one], real, ~nowhere)
    by_chance = train_vocoder.energy_distances([one, other], real, ~nowhere)
    with_voice = train_vocoder.energy_distances([one, other], real, nowhere)
    first_half = train_vocoder.energy_distances([one, other], real, (torch.arange(64) < 32).expand(2, -1))
    for name, of_first in train_vocoder.spectral_losses(one, real).items():
        of_other, between = (train_vocoder.spectral_losses(other, side)[name] for side in (real, one))
        torch.testing.assert_close(always_the_same[name], of_first)
        torch.testing.assert_close(with_voice[name], (of_first + of_other) / 2)
        torch.testing.assert_close(by_chance[name], (of_first + of_other - between) / 2)
        torch.testing.assert_close(first_half[name], (with_voice[name] + by_chance[name]) / 2, rtol=0.02, atol=0)
        assert by_chance[name] < 0.6 * always_the_same[name]


def test_training_writes_weights_that_speak_and_resumes(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(train_vocoder, "SAVE_EVERY", 2)
    monkeypatch.setattr(train_vocoder, "Discriminators", small_discriminators)
    out, logdir = tmp_path / "vocoder.pth", tmp_path / "log"
    options = dict(adversarial_from=3, config=QUICK, logdir=logdir, model_config=TINY)

    stopped = RuntimeError("power cut")
    original = network.save

    def save_and_stop(model, path, runs):
        original(model, path, runs)
        if runs[-1]["reached"] == 4:
            raise stopped

    monkeypatch.setattr(network, "save", save_and_stop)
    with pytest.raises(RuntimeError, match="power cut"):
        train_vocoder.train(recordings, out, 6, **options)
    monkeypatch.setattr(network, "save", original)
    train_vocoder.train(recordings, out, 6, **options)
    assert torch.load(out, weights_only=True)["training"]["runs"][0]["reached"] == 6
    assert network.load(out)(torch.full((1, 80, 10), -5.0)).shape == (1, 2560)
    again = tmp_path / "again.pth"
    train_vocoder.train(recordings, again, 2, init=out, **options)
    assert [run["n_steps"] for run in torch.load(again, weights_only=True)["training"]["runs"]] == [6, 2]




def test_predicted_spectrograms_must_be_of_the_recording(recordings, tmp_path):
    folder = tmp_path / "predicted"
    folder.mkdir()
    np.save(folder / "LJ1.mel.npy", np.zeros((80, 7), dtype=np.float16))
    with pytest.raises(ValueError, match="LJ1"):
        train_vocoder.read_recordings(recordings, [folder])


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises((FileNotFoundError, ValueError), match=str(tmp_path)):
        train_vocoder.read_recordings(tmp_path, [])
