"""The network and its parts against naive twins."""

import math

import pytest
import torch
from conftest import CONFIG, new_model, random_batch, single, with_features
from torch import nn

import lj_speech
import part2_solution as tts
from part2_solution import Batch, ModelConfig, length_mask, normalise
from prosody.extension import Prosody
from prosody.melody import PitchEncoding
from recipe.melody import pitch_loss, predict_log_pitch, read_log_pitch
from vocoder.spectrogram import mel_spectrogram

# -------- Gaussian upsampling ----------------------------------------------------------------------------------------


def naive_upsampling(encoded, durations, n_real, n_frames, sigma):
    """Equations 2-5 of arXiv 2010.04301 with one σ, one utterance, densities with their constants."""
    centres, end = [], 0.0
    for duration in durations[:n_real]:
        centres.append(end + float(duration) / 2)
        end += float(duration)
    frames, all_weights = [], []
    for t in range(n_frames):
        densities = []
        for n in range(len(durations)):
            if n >= n_real or durations[n] == 0:
                densities.append(0.0 * sigma)
                continue
            exponent = -((t + 0.5 - centres[n]) ** 2) / (2 * sigma**2)
            densities.append(torch.exp(exponent) / (sigma * math.sqrt(2 * math.pi)))
        total = sum(densities)
        weights = torch.stack([density / total for density in densities])
        all_weights.append(weights)
        frames.append((weights[:, None] * encoded).sum(0))
    return torch.stack(frames), torch.stack(all_weights)


def test_upsampling_equals_the_double_loop_and_so_does_its_gradient():
    torch.manual_seed(0)
    durations = torch.tensor([[3, 0, 5, 2], [4, 6, 0, 0]])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    upsampling = tts.GaussianUpsampling(sigma=1.3).double()
    encoded = torch.randn(2, 4, 6).requires_grad_()
    twin_encoded, twin_sigma = encoded.detach().clone().requires_grad_(), torch.tensor(1.3, requires_grad=True)
    frames, weights = upsampling(encoded, durations, mask, 10)
    for index, n_real in enumerate((4, 2)):
        twin_frames, twin_weights = naive_upsampling(
            twin_encoded[index], durations[index].tolist(), n_real, 10, twin_sigma
        )
        torch.testing.assert_close(frames[index].float(), twin_frames, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(weights[index].float(), twin_weights, atol=1e-5, rtol=1e-4)
        twin_frames.square().sum().backward()
    frames.square().sum().backward()
    torch.testing.assert_close(encoded.grad, twin_encoded.grad, atol=1e-4, rtol=1e-3)
    expected = float(twin_sigma.grad) * 1.3  # d/dlogσ = σ d/dσ
    assert float(upsampling.log_sigma.grad) == pytest.approx(expected, rel=1e-3)


def test_sigma_stays_below_its_bound():
    assert float(tts.GaussianUpsampling(sigma=3.0, max_sigma=1.2).sigma) == pytest.approx(1.2)
    assert float(tts.GaussianUpsampling(sigma=3.0).sigma) == pytest.approx(3.0)


def test_each_frame_is_told_its_place_in_its_phoneme():
    places = tts.PlaceEmbedding(width=4, reach=3)
    durations = torch.tensor([[2, 0, 5, 0], [4, 1, 0, 2]])
    found = places(durations, 7)
    for row, item in zip(found, durations.tolist()):
        expected = [
            places.since.weight[min(k, 2)] + places.until.weight[min(n - 1 - k, 2)] for n in item for k in range(n)
        ]
        torch.testing.assert_close(row, torch.stack(expected))


def test_upsampling_of_long_utterances_is_finite_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        frames, weights = tts.GaussianUpsampling(0.5)(
            torch.randn(1, 100, 8), torch.full((1, 100), 20), torch.ones(1, 100, dtype=torch.bool), 2000
        )
    assert frames.isfinite().all() and frames.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2000))


# -------- Masks ------------------------------------------------------------------------------------------------------


def test_batch_normalisation_is_the_library_s_on_the_real_positions():
    torch.manual_seed(0)
    mask = length_mask([7, 3])
    x = torch.randn(2, 7, 5) * 3 + 1
    x[~mask] = 1e4
    ours, theirs = tts.MaskedBatchNorm(5), nn.BatchNorm1d(5)
    for _ in range(2):
        out, expected = ours(x, tts.real_positions(mask)), theirs(x[mask])
        torch.testing.assert_close(out[mask], expected, atol=1e-4, rtol=1e-4)
        assert (out[~mask] == 0).all()
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        ours.eval()(x, tts.real_positions(mask))[mask], theirs.eval()(x[mask]), atol=1e-4, rtol=1e-4
    )


def test_a_padded_batch_equals_single_items(model):
    batch = random_batch()
    with torch.no_grad():
        together = model(batch)
        for index in range(3):
            alone = model(single(batch, index))
            t = alone.mels.shape[1]
            torch.testing.assert_close(together.mels[index, :t], alone.mels[0], atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(together.coarse_mels[index, :t], alone.coarse_mels[0], atol=1e-4, rtol=1e-3)


def test_durations_of_a_padded_batch_equal_single_items(model):
    batch = random_batch()
    with torch.no_grad():
        together = model.predict_durations(model.encoder(batch.tokens, batch.token_mask), batch.token_mask)
        for index in range(3):
            item = single(batch, index)
            alone = model.predict_durations(model.encoder(item.tokens, item.token_mask), item.token_mask)
            assert together[index, : alone.shape[1]].tolist() == alone[0].tolist()
            assert (together[index, alone.shape[1] :] == 0).all() and (alone >= 1).all()


def test_what_is_in_the_padding_changes_nothing_in_training_either():
    model = new_model()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    batch = random_batch()
    garbage = batch._replace(
        tokens=batch.tokens.masked_fill(~batch.token_mask, 3),
        durations=batch.durations.masked_fill(~batch.token_mask, 9),
        mels=batch.mels.masked_fill(~batch.frame_mask[..., None], 1e3),
    )
    results = []
    for data in (batch, garbage):
        model.zero_grad()
        loss = tts.spectrogram_loss(model(data), data)["loss"] + tts.duration_loss(model, data)["loss"]
        loss.backward()
        gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        results.append((loss.item(), gradients))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-4, rtol=1e-3)


def test_masked_mean_counts_real_positions_only():
    values = torch.tensor([[1.0, 2.0, 100.0], [3.0, math.nan, math.nan]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert float(tts.masked_mean(values, mask)) == 2.0
    assert float(tts.masked_mean(values[..., None].expand(2, 3, 4), mask)) == 2.0


# -------- The whole --------------------------------------------------------------------------------------------------


def test_every_parameter_gets_a_gradient():
    model, batch = new_model(), random_batch()
    tts.spectrogram_loss(model(batch), batch)["loss"].backward()
    without = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    names = [name for name, _ in model.named_parameters()]
    assert without == {name for name in names if name.startswith(("duration_model", "extension.pitch_model"))}
    batch = with_features(batch, speaker=torch.tensor([[1], [0], [1]]).expand_as(batch.tokens))
    for part, loss in {"duration_model": tts.duration_loss, "extension.pitch_model": pitch_loss}.items():
        model.zero_grad(set_to_none=True)
        loss(model, batch)["loss"].backward()
        with_gradient = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert with_gradient == {name for name in names if name.startswith(part)}, f"the {part} learns alone"


def test_there_is_no_layer_normalisation(model):
    assert not any(isinstance(part, nn.LayerNorm) for part in model.modules())
    assert any(isinstance(part, nn.MultiheadAttention) for part in model.modules())


def test_default_size_fits_the_checkpoint():
    config = ModelConfig(
        vocabulary=("pau",) * 70, max_phonemes=200, max_frames=870, log_duration_mean=1.5, log_duration_std=0.5
    )
    n_parameters = sum(p.numel() for p in tts.AcousticModel(config, Prosody(config)).parameters())
    assert n_parameters * 2 < 20 * 2**20, f"{n_parameters} parameters in fp16 are over 20 MiB"


def test_bf16_autocast_on_the_cpu_is_close(model):
    batch = random_batch()
    with torch.no_grad():
        expected = model(batch).mels
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(batch).mels
    error = (rounded.float() - expected)[batch.frame_mask].abs().mean() / expected[batch.frame_mask].abs().mean()
    assert error < 0.05


def test_durations_are_normalised_and_rounded_along_the_utterance():
    model = new_model()
    exact = torch.tensor([[1.4, 2.4, 3.4, 0.2, 7.4, 5.0]])
    model.duration_model.forward = lambda encoded, mask: model.normalise_durations(exact)
    rounded = model.predict_durations(torch.zeros(1, 6, 16), torch.ones(1, 6, dtype=torch.bool))
    assert rounded.tolist() == [[1, 3, 3, 1, 8, 5]], "ends at 1.4, 3.8, 7.2, 8.2, 15.6, 20.6"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu(model):
    batch = random_batch()
    with torch.no_grad():
        expected = model(batch).mels
        on_gpu = model.cuda()(batch.to(torch.device("cuda"))).mels.cpu()
    torch.testing.assert_close(on_gpu[batch.frame_mask], expected[batch.frame_mask], atol=1e-2, rtol=1e-2)


# -------- Pitch ------------------------------------------------------------------------------------------------------


def glide(n_frames: int, lowest: float, highest: float) -> torch.Tensor:
    """(80, T) log-mel spectrogram of a voice whose pitch rises linearly."""
    frequency = torch.linspace(lowest, highest, (n_frames - 1) * lj_speech.STFT_HOP_LENGTH)
    phase = 2 * math.pi * (frequency.double() / lj_speech.SAMPLING_RATE).cumsum(0)
    harmonics = sum(torch.cos(k * phase) / k for k in range(1, 20))
    return torch.from_numpy(mel_spectrogram(harmonics * 0.05))


def voiced_batch(n_frames: int = 200) -> Batch:
    """A glide from 150 to 250 Hz between two pauses."""
    silence = torch.full((80, 20), -11.5)
    mels = normalise(torch.cat([silence, glide(n_frames, 150, 250), silence], dim=1)).mT[None]
    durations = torch.tensor([[20, n_frames // 2, n_frames // 2, 20]])
    return Batch(torch.zeros_like(durations), durations, durations > 0, mels, torch.ones(mels.shape[:2]) > 0)


def test_pitch_is_read_around_each_phoneme():
    batch = voiced_batch()
    expected = torch.tensor([150, 175, 225, 250]).log()  # at the pauses that of the nearest voice
    cents = 1200 / math.log(2) * (read_log_pitch(batch)[0] - expected)
    assert cents.abs().max() < 60, cents


def test_padding_does_not_change_the_pitch():
    batch, more = voiced_batch(), 30
    padded = Batch(
        *(torch.nn.functional.pad(part, (0, 1)) for part in batch[:3]),
        torch.nn.functional.pad(batch.mels, (0, 0, 0, more)), torch.nn.functional.pad(batch.frame_mask, (0, more)),
    )  # fmt: skip
    torch.testing.assert_close(read_log_pitch(padded)[:, :4], read_log_pitch(batch), atol=1e-3, rtol=0)


def test_the_encoding_of_a_pitch_is_local_and_ends_at_the_limits():
    encoding = PitchEncoding(CONFIG.width, Prosody.Settings())
    nn.init.eye_(encoding.projection.weight)
    nn.init.zeros_(encoding.projection.bias)
    step = float(encoding.centres[1] - encoding.centres[0])
    with torch.no_grad():
        low, near, far, lowest, below = encoding(encoding.centres[3] + step * torch.tensor([0, 1, 6, -3, -9]))
    assert low[3] == pytest.approx(1, abs=1e-3) and low[4] == pytest.approx(math.exp(-0.5), abs=1e-3)
    assert near[3] == pytest.approx(math.exp(-0.5), abs=1e-3) and far[:4].abs().max() < 0.02
    torch.testing.assert_close(lowest, below)


def test_pitch_changes_the_spectrogram_and_padding_does_not_change_pitch():
    model, batch = new_model().eval(), random_batch()
    higher = with_features(batch, log_pitch=batch.features["log_pitch"] + 0.2)
    assert (model(batch).mels - model(higher).mels)[batch.frame_mask].abs().max() > 1e-3
    together = predict_log_pitch(model, batch)
    for index, length in enumerate(batch.token_mask.sum(1)):
        expected = predict_log_pitch(model, single(batch, index))
        torch.testing.assert_close(together[index : index + 1, :length], expected)


def test_the_method_has_no_use_for_features():
    model, batch = new_model(with_prosody=False).eval(), random_batch()
    assert torch.equal(model(batch).mels, model(batch._replace(features={})).mels)
    with pytest.raises(ValueError, match="log_pitch"):
        new_model()(batch._replace(features={}))
