import math

import pytest
import torch
import torch.nn.functional as F

import lj_speech
from recipe import train_vocoder
from vocoder import network
from vocoder.spectrogram import FFT_SIZE, N_FREQUENCIES, SAMPLING_RATE, STFT_HOP_LENGTH, mel_spectrogram

TINY = network.Config(width=16, n_blocks=2)


def tiny_vocoder(seed: int = 0) -> network.Vocoder:
    torch.manual_seed(seed)
    model = network.Vocoder(TINY)
    train_vocoder.set_prior(model)
    torch.nn.init.normal_(model.short_gains.output.weight, std=0.3)
    return model.eval()


def smooth_spectrograms(n_frames: int, batch: int = 1, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    return F.avg_pool1d(torch.randn(batch, 80, n_frames + 8) * 4, 9, 1) - 5


def write_weights(path, model: network.Vocoder):
    config = {"width": TINY.width, "n_blocks": TINY.n_blocks}
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    torch.save({"config": config, "weights": weights, "training": {}}, path)
    return path


# -------- Sources ----------------------------------------------------------------------------------------------------


def test_pulses_are_the_sum_of_cosines():
    phase = torch.linspace(0, 3, 500, dtype=torch.float64)[None]
    cycles = torch.full_like(phase, 900 / SAMPLING_RATE)  # eleven harmonics below 10 kHz
    naive = sum(torch.cos(2 * math.pi * k * phase) for k in range(1, 12))
    torch.testing.assert_close(network.pulses(phase, cycles).double(), naive, atol=1e-4, rtol=0)


@pytest.mark.parametrize("place", [0.0, 1.0, 7.0])
def test_the_top_of_a_pulse_is_finite(place):
    phase, cycles = torch.tensor([[place]], dtype=torch.float64), torch.tensor([[0.01]], dtype=torch.float64)
    assert network.pulses(phase, cycles).item() == pytest.approx(45)  # 45 harmonics of 220.5 Hz


def naive_phase(pitch: list[float], sample: int) -> float:
    """Cycles since the first frame, pitch linear between frames: a sum in steps of a hundredth of a sample."""
    total, step = 0.0, 0.01
    for i in range(round(sample / step)):
        place = (i + 0.5) * step / STFT_HOP_LENGTH
        left = int(place)
        total += step * (pitch[left] + (place - left) * (pitch[left + 1] - pitch[left])) / SAMPLING_RATE
    return total


def test_phases_are_the_integral_of_the_pitch():
    model, pitch = tiny_vocoder(), [100.0, 150.0, 120.0, 300.0, 200.0, 210.0]
    _, phases = model.pulse_frames(torch.tensor([pitch]), torch.tensor([0.25], dtype=torch.float64))
    for frame in (0, 1, 4):
        expected = 0.25 + naive_phase(pitch, frame * STFT_HOP_LENGTH)
        assert phases[0, frame].item() == pytest.approx(expected % 1, abs=1e-5)


def test_a_steady_pitch_has_its_harmonics():
    model = tiny_vocoder()
    pitch = torch.full((1, 40), 220.0)
    spectra, _ = model.pulse_frames(pitch, torch.zeros(1, dtype=torch.float64))
    audio = network.overlap_add(spectra * 256, model.window)[0, 1024:-1024]
    spectrum = torch.fft.rfft(audio * torch.hann_window(len(audio))).abs() / (len(audio) / 4)  # a cosine of 1 has 1
    resolution = SAMPLING_RATE / len(audio)
    peaks = [float(spectrum[round(f / resolution) - 2 : round(f / resolution) + 3].max()) for f in (220, 440, 2200)]
    assert 0.8 < min(peaks) and max(peaks) < 1.01  # a frequency between two lines has a little less
    assert spectrum[round(330 / resolution)] < 0.01


def test_noise_is_white_and_even():
    amplitudes = tiny_vocoder().noise_frames(0, 300).abs()
    average = amplitudes.mean(0)
    assert average[1:-1].mean() == pytest.approx(1, abs=0.05) and average[1:-1].std() < 0.1
    groups = amplitudes[:, :510].unflatten(1, (-1, 3)).mean(-1)
    uneven = torch.randn(300, 510, dtype=torch.complex64).abs().unflatten(1, (-1, 3)).mean(-1)
    assert groups.std() / groups.mean() < 0.6 * uneven.std() / uneven.mean()


# -------- Frames to samples ------------------------------------------------------------------------------------------


def test_overlap_add_inverts_the_spectra():
    torch.manual_seed(0)
    model, audio = tiny_vocoder(), torch.randn(2, 256 * 9 + 1024)
    rebuilt = network.overlap_add(network.spectra(audio, model.window), model.window)
    torch.testing.assert_close(rebuilt[:, 64:-64], audio[:, 64:-64], atol=1e-4, rtol=1e-4)


def test_fold_is_a_double_loop():
    torch.manual_seed(0)
    windows = torch.randn(2, 5, FFT_SIZE)
    naive = torch.zeros(2, 4 * STFT_HOP_LENGTH + FFT_SIZE)
    for row in range(2):
        for t in range(5):
            naive[row, t * STFT_HOP_LENGTH : t * STFT_HOP_LENGTH + FFT_SIZE] += windows[row, t]
    torch.testing.assert_close(network.fold(windows), naive)


def random_sources(n_frames: int) -> tuple[network.Filters, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    shape = 1, n_frames, N_FREQUENCIES
    details = torch.randn(1, n_frames, network.SHORT_PER_FRAME * TINY.short_width)
    filters = network.Filters(
        torch.zeros(1, n_frames, 1), torch.randn(shape, dtype=torch.complex64), torch.rand(shape), details
    )
    pulse_spectra, noise_spectra = (torch.randn(shape, dtype=torch.complex64) for _ in range(2))
    return filters, pulse_spectra, noise_spectra


def test_gains_of_one_change_nothing():
    model, (filters, pulse_spectra, noise_spectra) = tiny_vocoder(), random_sources(9)
    torch.nn.init.zeros_(model.short_gains.output.weight)
    plain = network.overlap_add(filters.voice * pulse_spectra + filters.noise * noise_spectra, model.window)
    rendered = model.render(filters, pulse_spectra, noise_spectra)
    assert rendered.shape == plain.shape
    begin = network.MARGIN * STFT_HOP_LENGTH
    inside = slice(begin, begin + 9 * STFT_HOP_LENGTH)  # what is heard
    torch.testing.assert_close(rendered[:, inside], plain[:, inside], atol=1e-4 * plain.abs().max().item(), rtol=1e-3)


@pytest.mark.parametrize("window", [0, 1, 7, 35])
def test_short_windows_lie_where_they_should(window):
    """Four a frame, the middle of the first half a hop of theirs after the frame's."""
    model, sources = tiny_vocoder(), random_sources(9)
    gains = torch.ones(1, 36, 1)
    model.short_gains.forward = lambda details, voice: (gains, gains)
    before = model.render(*sources)
    gains[:, window] = 0
    changed = (model.render(*sources) != before)[0].nonzero()[:, 0] - network.MARGIN * STFT_HOP_LENGTH
    middle = 64 * window + 32
    assert middle - 128 <= changed.min() < middle - 64 and middle + 64 < changed.max() < middle + 128


def test_short_windows_hear_as_far_as_they_say():
    model, sources = tiny_vocoder(), random_sources(40)
    before = model.render(*sources)
    sources[0].details[:, 20] += 1
    sources[0].voice[:, 20] *= 2
    changed = (model.render(*sources) - before)[0].abs()
    frames = (changed > 1e-6 * changed.max()).nonzero()[:, 0] / STFT_HOP_LENGTH - network.MARGIN - 20
    reach = TINY.short_context + network.MARGIN  # a frame sounds MARGIN frames further
    assert -reach <= frames.min() < -3 and 3 < frames.max() <= reach


def test_pitch_between_classes_is_found():
    model, wanted = tiny_vocoder(), torch.tensor([[80.0, 123.4, 233.3, 401.0]])
    cents = 1200 * (wanted[..., None] / model.pitches).log2()
    found = model.decode_pitch(-0.5 * (cents / 25).square())
    assert (1200 * (found / wanted).log2()).abs().max() < 2


def test_of_two_possible_pitches_one_is_chosen():
    model = tiny_vocoder()
    logits = torch.full((1, 1, TINY.n_pitches), -9.0)
    logits[..., 40], logits[..., 120] = 3.0, 2.9
    assert model.decode_pitch(logits).item() == pytest.approx(model.pitches[40].item(), rel=1e-3)


def test_of_two_possible_pitches_the_expected_one_is_chosen():
    model = tiny_vocoder()
    logits = torch.full((1, 2, TINY.n_pitches), -9.0)
    logits[..., 40], logits[..., 100] = 3.0, 2.0  # an octave higher, and less likely
    expected = model.pitches[torch.tensor([[40, 90]])]
    found = model.decode_pitch(logits, expected)[0]
    assert found.tolist() == pytest.approx(model.pitches[[40, 100]].tolist(), rel=2e-3)


def test_the_pitch_is_that_of_the_spectrogram_where_it_is_sure():
    model = tiny_vocoder()
    logits = torch.full((1, 1, TINY.n_pitches), -99.0)
    logits[..., 40] = 0.0
    found = model.decode_pitch(logits, expected=model.pitches[70:71][None])
    assert found.item() == pytest.approx(model.pitches[40].item(), rel=1e-3)


def error_of_bands(audio: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """(80,), by the spectrogram of the data's preparation."""
    margin = network.MARGIN * STFT_HOP_LENGTH
    heard = torch.from_numpy(mel_spectrogram(audio[0, margin:-margin].numpy()))[:, : asked.shape[2]]
    return (heard - asked[0]).abs().mean(1)


def test_corrected_audio_has_the_bands_that_were_asked_for():
    torch.manual_seed(0)
    model, asked = tiny_vocoder(), smooth_spectrograms(100).clamp(-8, 0)
    rough = torch.randn(1, 99 * STFT_HOP_LENGTH + FFT_SIZE) * 0.05
    none, half, all_ = (error_of_bands(model.correct(rough, asked, how_far), asked) for how_far in (0.0, 0.5, 1.0))
    assert all_.mean() < 0.5 * none.mean() and all_.mean() < half.mean() < none.mean()


def test_without_band_correction_nothing_is_corrected():
    torch.manual_seed(0)
    model, rough = tiny_vocoder(), torch.randn(2, 9 * STFT_HOP_LENGTH + FFT_SIZE)
    untouched = model.correct(rough, smooth_spectrograms(10, batch=2), band_correction=0.0)
    torch.testing.assert_close(untouched[:, 64:-64], rough[:, 64:-64], atol=1e-4, rtol=1e-4)


# -------- The whole --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("band_correction", [0.0, 1.0])
@pytest.mark.parametrize("chunk", [1, 2, 7, 32, 1000])
def test_streamed_is_whole(chunk, band_correction):
    model, spectrograms = tiny_vocoder(), smooth_spectrograms(90, batch=2)
    pieces = list(model.stream(spectrograms, chunk, band_correction))
    lengths = [piece.shape[1] // 256 for piece in pieces]
    assert lengths[:-1] == [chunk * 2**place for place in range(len(pieces) - 1)] and lengths[-1] > 0
    whole = model(spectrograms, band_correction)
    assert whole.shape == (2, 256 * 90)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=1e-3 * whole.abs().max().item(), rtol=0)


def test_streamed_is_whole_with_a_pitch_too():
    model, spectrograms = tiny_vocoder(), smooth_spectrograms(90, batch=2)
    pitch = torch.linspace(100, 300, 180).reshape(2, 90)
    whole = model(spectrograms, pitch=pitch)
    streamed = torch.cat(list(model.stream(spectrograms, 7, pitch=pitch)), 1)
    torch.testing.assert_close(streamed, whole, atol=1e-3 * whole.abs().max().item(), rtol=0)
    assert (whole - model(spectrograms)).abs().max() > 0.01 * whole.abs().max()


def test_a_batch_is_its_items():
    model, spectrograms = tiny_vocoder(), smooth_spectrograms(50, batch=3)
    whole, items = model(spectrograms), torch.cat([model(item[None]) for item in spectrograms])
    torch.testing.assert_close(whole, items, atol=1e-2 * whole.abs().max().item(), rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_is_cpu():
    model, spectrograms = tiny_vocoder(), smooth_spectrograms(50)
    on_cpu, on_gpu = model(spectrograms), model.cuda()(spectrograms.cuda()).cpu()
    torch.testing.assert_close(on_cpu, on_gpu, atol=1e-2 * on_cpu.abs().max().item(), rtol=0)


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_the_shortest_spectrograms(n_frames):
    audio = tiny_vocoder()(smooth_spectrograms(n_frames))
    assert audio.shape == (1, 256 * n_frames) and audio.isfinite().all()


def test_extreme_spectrograms_give_finite_audio():
    model = tiny_vocoder()
    for value in (-1000.0, -11.52, 2.08, 1000.0):
        assert model(torch.full((1, 80, 5), value)).isfinite().all()


@pytest.mark.parametrize("shape", [(80, 5), (1, 79, 5), (1, 80, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        tiny_vocoder()(torch.zeros(shape))


@pytest.mark.parametrize("pitch", [torch.full((1, 4), 200.0), torch.zeros(1, 5), torch.full((1, 5), math.nan)])
def test_other_pitches_are_refused(pitch):
    with pytest.raises(ValueError, match="pitch > 0 Hz for each frame"):
        tiny_vocoder()(torch.zeros(1, 80, 5), pitch=pitch)


def test_the_network_sees_as_far_as_it_says():
    model, spectrograms = tiny_vocoder(), smooth_spectrograms(60)
    changed = spectrograms.clone()
    changed[..., 30] += 1
    before, after = (model.predict_filters(item).pitch_logits[0] for item in (spectrograms, changed))
    moved = (before - after).abs().amax(1).nonzero()[:, 0]
    assert moved.min() == 30 - TINY.context and moved.max() == 30 + TINY.context


# -------- Weights and lj_speech.Vocoder ------------------------------------------------------------------------------


def test_weights_come_back(tmp_path):
    model = tiny_vocoder()
    loaded = network.load(write_weights(tmp_path / "vocoder.pth", model))
    spectrograms = smooth_spectrograms(20)
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    with torch.no_grad():
        for name, tensor in loaded.state_dict().items():
            torch.testing.assert_close(tensor, model.state_dict()[name], atol=1e-3, rtol=1e-3)
    assert loaded(spectrograms).shape == (1, 256 * 20)


def test_missing_and_broken_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no vocoder at"):
        network.load(tmp_path / "none.pth")
    (tmp_path / "broken.pth").write_bytes(b"no")
    with pytest.raises(ValueError, match="no intact file"):
        network.load(tmp_path / "broken.pth")
    torch.save({"config": {"width": 16, "n_blocks": 2}, "weights": {}}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="no vocoder"):
        network.load(tmp_path / "empty.pth")


def test_it_is_a_choice_of_lj_speech(tmp_path):
    path = write_weights(tmp_path / "vocoder.pth", tiny_vocoder())
    speak = lj_speech.Vocoder("harmonic", path, device="cpu")
    spectrograms = smooth_spectrograms(40, batch=2)
    one = speak(spectrograms[0].numpy())
    assert one.shape == (1, 256 * 40) and one.abs().max() <= 1
    assert speak(spectrograms).shape == (2, 256 * 40)
    torch.testing.assert_close(torch.cat(list(speak.stream(spectrograms[0], 16)), 1), one, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="NaN"):
        speak(torch.full((80, 5), math.nan))
    with pytest.raises(ValueError, match="NaN"):
        list(speak.stream(torch.full((80, 5), math.nan)))
    with pytest.raises(ValueError, match="band_correction is 2"):
        lj_speech.Vocoder("harmonic", path, device="cpu", band_correction=2)(spectrograms)
    with pytest.raises(ValueError, match="chunk"):
        list(speak.stream(spectrograms[0], 0))


# -------- Noise in voice ---------------------------------------------------------------------------------------------


def test_noise_is_quietened_where_there_is_voice_only():
    power = torch.tensor([0.0, 1.0])[None, :, None].expand(1, 2, N_FREQUENCIES)  # unvoiced, voiced
    noise = torch.full((1, 2, N_FREQUENCIES), 0.01)
    filters = network.Filters(torch.zeros(1, 2, 1), power.to(torch.complex64), noise, torch.zeros(1, 2, 1))
    quiet = network.quieten(filters).noise
    torch.testing.assert_close(quiet[0, 0], noise[0, 0])
    assert quiet[0, 1, 0].item() == pytest.approx(0.01 * network.NOISE_IN_VOICE, rel=1e-3)
