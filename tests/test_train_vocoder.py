import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from conftest import write_utterance
from test_model import CONFIG

import part2_solution as tts
import prepare_data
import train_vocoder
import vocoder
from lj_speech import SAMPLING_RATE, STFT_HOP_LENGTH
from training import Stage, StepConfig

QUICK = StepConfig(batch_size=2, learning_rate=1e-3, warmup_steps=2, ema_decay=0.5)
TINY = vocoder.Config(width=16, n_blocks=1)


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


def tiny_vocoder() -> vocoder.Vocoder:
    torch.manual_seed(0)
    model = vocoder.Vocoder(TINY)
    train_vocoder.set_prior(model)
    return model


def test_the_prior_is_the_amplitude_of_a_flat_spectrum():
    model = tiny_vocoder()
    spectrum = torch.full((vocoder.N_FREQUENCIES,), 0.03)
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
    assert crops.audio.shape[1] == (train_vocoder.CROP_FRAMES - 1) * STFT_HOP_LENGTH + vocoder.FFT_SIZE
    rebuilt = 0.05 * sum(torch.cos(2 * np.pi * k * crops.phase) for k in range(1, 11))
    torch.testing.assert_close(crops.audio[:, 4096:-4096], rebuilt[:, 4096:-4096], atol=0.03, rtol=0)
    again = prepare_data.mel_spectrogram(crops.audio[0])[:, 4:-4]  # windows inside the crop: frames from MARGIN on
    torch.testing.assert_close(again[:, :50], crops.spectrograms[0, :, 2:52], atol=0.2, rtol=0)


def test_every_parameter_gets_a_gradient(recordings):
    model = tiny_vocoder()
    discriminators = train_vocoder.Discriminators((2, 2, 2, 2))
    opponent = Stage(discriminators, [discriminators], 1e-3, 10, QUICK)
    losses = train_vocoder.vocoder_loss(model, crops_of(recordings), opponent)
    losses["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    assert all(parameter.requires_grad for parameter in discriminators.parameters())


def test_losses_are_zero_for_the_recording_itself_and_fall_in_training(recordings):
    crops = crops_of(recordings)
    assert all(float(loss) == 0 for loss in train_vocoder.spectral_losses(crops.audio, crops.audio).values())
    model = tiny_vocoder()
    stage = Stage(model, [model], 3e-3, 60, QUICK)
    values = [
        float(stage.train(crops, lambda model, crops: train_vocoder.vocoder_loss(model, crops, None))["loss"])
        for _ in range(40)
    ]
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
    monkeypatch.setattr(train_vocoder, "Discriminators", lambda: torch_small_discriminators())
    out, logdir = tmp_path / "vocoder.pth", tmp_path / "log"
    options = dict(adversarial_from=3, config=QUICK, logdir=logdir, model_config=TINY)

    stopped = RuntimeError("power cut")
    original = train_vocoder.save_model

    def save_and_stop(model, path, training):
        original(model, path, training)
        if training["runs"][-1]["reached"] == 4:
            raise stopped

    monkeypatch.setattr(train_vocoder, "save_model", save_and_stop)
    with pytest.raises(RuntimeError, match="power cut"):
        train_vocoder.train(recordings, out, 6, **options)
    monkeypatch.setattr(train_vocoder, "save_model", original)
    train_vocoder.train(recordings, out, 6, **options)
    assert torch.load(out, weights_only=True)["training"]["runs"][0]["reached"] == 6
    assert vocoder.load(out)(torch.full((1, 80, 10), -5.0)).shape == (1, 2560)
    again = tmp_path / "again.pth"
    train_vocoder.train(recordings, again, 2, init=out, **options)
    assert [run["n_steps"] for run in torch.load(again, weights_only=True)["training"]["runs"]] == [6, 2]


def torch_small_discriminators():
    return SMALL((2, 2, 2, 2))


SMALL = train_vocoder.Discriminators


def test_predicted_spectrograms_must_be_of_the_recording(recordings, tmp_path):
    folder = tmp_path / "predicted"
    folder.mkdir()
    np.save(folder / "LJ1.mel.npy", np.zeros((80, 7), dtype=np.float16))
    with pytest.raises(ValueError, match="LJ1"):
        train_vocoder.read_recordings(recordings, [folder])


class FakeTeacher:
    """Says of each frame its mean, three samples late."""

    delay = 3

    def __init__(self, name):
        pass

    def __call__(self, spectrogram):
        frames = spectrogram.mean(0).repeat_interleave(STFT_HOP_LENGTH) / 20
        return torch.nn.functional.pad(frames, (3, 0))[None, : len(frames)]


def test_imitations_are_for_training_only(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(train_vocoder.lj_speech, "Vocoder", FakeTeacher)
    monkeypatch.setattr(train_vocoder, "CROP_FRAMES", 16)
    torch.manual_seed(0)
    checkpoint, texts, out = tmp_path / "TTS.pth", tmp_path / "texts", tmp_path / "imitated"
    tts.save_checkpoint(tts.AcousticModel(CONFIG), checkpoint, {})
    texts.mkdir()
    for index in range(3):
        write_utterance(texts, f"LJ{index}", ["pau", "AA1", "B"], [20, 20, 15])
    write_utterance(texts, "LJ9", ["AA1", "B"], [50, 50])  # longer than the model reaches
    train_vocoder.imitate(checkpoint, texts, out, n=5)
    expected = {f"text0000{i}.{kind}" for i in range(3) for kind in ("wav", "mel.npy")}
    assert {path.name for path in out.glob("*")} == expected
    mel, (audio, _) = np.load(out / "text00000.mel.npy").astype(float), soundfile.read(out / "text00000.wav")
    assert mel.shape == (80, 55) and len(audio) // STFT_HOP_LENGTH + 1 == 55
    np.testing.assert_allclose(audio[::STFT_HOP_LENGTH][:-1], mel.mean(0)[:-1] / 20, atol=2e-3)

    monkeypatch.setattr(train_vocoder, "track_pitch", lambda audio: (np.full(99, 200.0), np.ones(99, dtype=bool)))
    monkeypatch.setattr(train_vocoder, "fundamental_phase", lambda audio, pitch, voiced: np.zeros(len(audio)))
    training, held_out = train_vocoder.read_recordings(recordings, [], [out])
    assert [item.name[:2] for item in training] == ["LJ", "LJ", "te", "te", "te"] and held_out[0].name == "LJ0"
    assert [len(item.spectrograms) for item in training] == [1, 1, 2, 2, 2]


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises((FileNotFoundError, ValueError), match=str(tmp_path)):
        train_vocoder.read_recordings(tmp_path, [])
