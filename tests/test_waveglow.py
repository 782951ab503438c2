"""WaveGlow: the flow against loops and a Jacobian, and a loader that runs nothing a file brings."""

import importlib
import io
import os
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import waveglow

SMALL = waveglow.Config(
    n_mels=3, hop_length=16, upsample_kernel=64, flow_channels=(8, 8, 6, 6, 4), n_layers=2, n_channels=6
)

# The structure of the published module (no forward: the loader must not need one), as its file's pickle names it.
GLOW = '''
import torch
from torch.nn import Conv1d, ConvTranspose1d, ModuleList
from torch.nn.utils import weight_norm

class Backend:  # what every module of PyTorch 1.0 to 1.2 carries
    def __reduce__(self):
        from torch.nn.backends.thnn import _get_thnn_function_backend
        return _get_thnn_function_backend, ()

class Bare(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self._backend = Backend()

    def __setstate__(self, state):
        raise AssertionError("the file's code was run")

class Invertible1x1Conv(Bare):
    def __init__(self, c):
        super().__init__()
        self.conv = Conv1d(c, c, 1, bias=False)

class WN(Bare):
    def __init__(self, n_in, n_cond, n_layers, width, kernel, old):
        super().__init__()
        self.start = weight_norm(Conv1d(n_in, width, 1))
        self.end = Conv1d(width, 2 * n_in, 1)
        self.in_layers = ModuleList(
            weight_norm(Conv1d(width, 2 * width, kernel, dilation=2**i, padding=2**i * (kernel - 1) // 2))
            for i in range(n_layers))
        self.res_skip_layers = ModuleList(
            weight_norm(Conv1d(width, width * (2 if i < n_layers - 1 else 1), 1)) for i in range(n_layers))
        if old:
            self.cond_layers = ModuleList(weight_norm(Conv1d(n_cond, 2 * width, 1)) for i in range(n_layers))
        else:
            self.cond_layer = weight_norm(Conv1d(n_cond, 2 * width * n_layers, 1))

class WaveGlow(Bare):
    def __init__(self, c, old):
        super().__init__()
        self.upsample = ConvTranspose1d(c.n_mels, c.n_mels, c.upsample_kernel, stride=c.hop_length)
        self.convinv = ModuleList(Invertible1x1Conv(n) for n in c.flow_channels)
        self.WN = ModuleList(
            WN(n // 2, c.n_mels * 8, c.n_layers, c.n_channels, c.kernel, old) for n in c.flow_channels)
'''


@pytest.fixture
def glow(tmp_path, monkeypatch):
    """A module `glow` that can be imported, as for those who trained or saved the published model."""
    (tmp_path / "glow.py").write_text(GLOW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "glow", raising=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")  # saved on a GPU
        yield importlib.import_module("glow")
    sys.modules.pop("glow", None)


@pytest.fixture
def published(glow):
    """A small model with the published structure, `old` or not; no `weight_g` is the |weight_v| it starts as."""
    def build(old=False):
        torch.manual_seed(0)
        with pytest.warns(FutureWarning, match="weight_norm"):
            model = glow.WaveGlow(SMALL, old)
        for name, parameter in model.named_parameters():
            if name.endswith("weight_g"):
                parameter.data.uniform_(0.5, 1.5)
        for mix in model.convinv:
            torch.nn.init.orthogonal_(mix.conv.weight)
        return model
    return build


@pytest.fixture
def small():
    torch.manual_seed(0)
    return waveglow.WaveGlow(SMALL).requires_grad_(False)


def save(model, path, legacy):
    content = {"model": model, "iteration": 580000, "learning_rate": 1e-4, "optimizer": {"state": {0: {
        "step": 3, "exp_avg": torch.zeros(2), "empty": torch.zeros(0, dtype=torch.half)}}}}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


# -------- The flow ----------------------------------------------------------------------------------------------------

def naive_conv(x, conv):
    """(C, W) -> (C', W) by definition: every output is a sum over taps, zeros outside."""
    weight, dilation = conv.weight.detach().double().numpy(), conv.dilation[0]
    out = np.zeros((len(weight), x.shape[1]))
    if conv.bias is not None:
        out += conv.bias.detach().double().numpy()[:, None]
    for step in range(x.shape[1]):
        for tap in range(weight.shape[2]):
            source = step + (tap - weight.shape[2] // 2) * dilation
            if 0 <= source < x.shape[1]:
                out[:, step] += weight[:, :, tap] @ x[:, source]
    return out


def naive_coupling(x, conditions, net, width):
    """What one coupling layer says about half of the channels: its shift and its log scale."""
    x, total = naive_conv(x, net.start), 0
    bias = naive_conv(conditions, net.cond_layer)
    for i, (layer, res_skip) in enumerate(zip(net.in_layers, net.res_skip_layers)):
        both = naive_conv(x, layer) + bias[2 * width * i : 2 * width * (i + 1)]
        gated = np.tanh(both[:width]) / (1 + np.exp(-both[width:]))
        both = naive_conv(gated, res_skip)
        if i < len(net.in_layers) - 1:
            x = x + both[:width]
        total = total + both[-width:]
    shift_then_log_scale = naive_conv(total, net.end)
    return np.split(shift_then_log_scale, 2)


def naive_synthesis(model, config, mel, noise):
    """Spectrogram (M, T) and noise (8, W) -> audio, sample by sample, flow by flow, in double precision."""
    kernel = model.upsample.weight.detach().double().numpy()  # (M, M, K)
    samples = np.zeros((config.n_mels, config.hop_length * (mel.shape[1] - 1) + config.upsample_kernel))
    samples += model.upsample.bias.detach().double().numpy()[:, None]
    for frame in range(mel.shape[1]):
        start = frame * config.hop_length
        samples[:, start : start + config.upsample_kernel] += np.einsum("i,iok->ok", mel[:, frame], kernel)
    n_steps = noise.shape[1]
    conditions = np.array([[samples[band, 8 * step + i] for step in range(n_steps)]
                           for band in range(config.n_mels) for i in range(8)])
    x = noise[8 - config.flow_channels[-1] :]
    waiting = noise[: 8 - config.flow_channels[-1]]
    for flow in reversed(range(len(config.flow_channels))):
        half = len(x) // 2
        shift, log_scale = naive_coupling(x[:half], conditions, model.WN[flow], config.n_channels)
        x = np.concatenate([x[:half], (x[half:] - shift) / np.exp(log_scale)])
        x = np.linalg.solve(model.convinv[flow].conv.weight[..., 0].detach().double().numpy(), x)
        if flow and config.flow_channels[flow - 1] > len(x):
            x, waiting = np.concatenate([waiting[-2:], x]), waiting[:-2]
    return np.array([x[i, step] for step in range(n_steps) for i in range(8)])


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_says_what_the_naive_reference_says_with_the_files_own_modules(published, tmp_path, legacy):
    theirs = published()
    for net in theirs.WN:  # what weight normalisation would do before each call
        for layer in (net.start, net.cond_layer, *net.in_layers, *net.res_skip_layers):
            next(iter(layer._forward_pre_hooks.values()))(layer, None)
    ours = waveglow.load(save(theirs, tmp_path / "glow.pt", legacy))
    mel = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    audio = ours.infer(mel, sigma=0.75, generator=torch.Generator().manual_seed(2))
    noise = 0.75 * torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(2))
    expected = naive_synthesis(theirs, SMALL, mel[0].double().numpy(), noise[0].double().numpy())
    assert audio.shape == (1, 4 * 16)
    np.testing.assert_allclose(audio[0].numpy(), expected, atol=1e-5)


def test_forward_then_inverse_gives_the_audio_back(small):
    small = small.double()
    mel, audio = torch.randn(2, 3, 5).double(), torch.randn(2, 72).double()  # 72 < 5 * 16: the last frame is not full
    noise, _ = small(mel, audio)
    assert noise.shape == (2, 8, 9)
    assert (noise.transpose(1, 2).flatten(1) - audio).abs().max() > 0.1  # something was done
    torch.testing.assert_close(small.inverse(mel, noise), audio, atol=1e-10, rtol=0)


def test_log_determinant_is_the_jacobians(small):
    small = small.double()
    mel, audio = torch.randn(2, 3, 1).double(), torch.randn(2, 16).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: small(mel, x).noise.flatten(1), audio)  # (2, 16, 2, 16)
    expected = torch.stack([torch.linalg.slogdet(jacobian[item, :, item]).logabsdet for item in range(2)])
    torch.testing.assert_close(small(mel, audio).log_determinant, expected, atol=1e-9, rtol=0)


def test_synthesis_is_repeatable_and_scaled_by_sigma(small):
    mel = torch.randn(1, 3, 3)

    def say(sigma, seed):
        return small.infer(mel, sigma, torch.Generator().manual_seed(seed))

    assert torch.equal(say(0.75, 1), say(0.75, 1))
    assert not torch.equal(say(0.75, 1), say(0.75, 2))
    assert torch.equal(say(0.0, 1), say(0.0, 2))


@pytest.mark.parametrize("shape", [(3, 4), (1, 4, 3), (1, 3, 0)])
def test_wrong_spectrograms_are_refused(small, shape):
    with pytest.raises(ValueError, match=r"\(B, 3, T\)"):
        small.infer(torch.zeros(shape))


@pytest.mark.parametrize("n_samples", [12, 72])
def test_audio_that_does_not_fit_is_refused(small, n_samples):
    with pytest.raises(ValueError, match=f"{n_samples} samples do not fit 4 frames of 16"):
        small(torch.zeros(1, 3, 4), torch.zeros(1, n_samples))


def test_hop_must_hold_whole_groups():
    with pytest.raises(ValueError, match="hop length 12"):
        waveglow.Config(hop_length=12)


def test_published_configuration_has_the_published_parameters():
    with torch.device("meta"):
        model = waveglow.WaveGlow()
    expected = {"upsample.weight": (80, 80, 1024), "upsample.bias": (80,)}
    for k in range(12):
        c = (8, 6, 4)[k // 4]
        layers = {"start": (256, c // 2, 1), "cond_layer": (4096, 640, 1), "end": (c, 256, 1)}
        for i in range(8):
            layers |= {f"in_layers.{i}": (512, 256, 3), f"res_skip_layers.{i}": (512 if i < 7 else 256, 256, 1)}
        expected[f"convinv.{k}.conv.weight"] = (c, c, 1)
        for name, shape in layers.items():
            expected |= {f"WN.{k}.{name}.weight": shape, f"WN.{k}.{name}.bias": shape[:1]}
    assert {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} == expected
    assert [layer.dilation for layer in model.WN[0].in_layers] == [(2**i,) for i in range(8)]
    assert (model.upsample.stride, model.config.n_group) == ((256,), 8)


# -------- The file ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_sizes_are_read_off_the_file_and_its_code_is_not_imported(published, tmp_path, legacy, half):
    theirs = published()
    path = save(theirs.half() if half else theirs, tmp_path / "glow.pt", legacy)
    del sys.modules["glow"]
    model = waveglow.load(str(path))
    assert "glow" not in sys.modules
    assert model.config == SMALL and not model.training
    assert {(p.dtype, p.device.type, p.requires_grad) for p in model.parameters()} == {(torch.float32, "cpu", False)}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_one_conditioning_layer_per_layer_loads_too(published, tmp_path, legacy):
    theirs = published(old=True)
    model = waveglow.load(save(theirs, tmp_path / "glow.pt", legacy))
    for ours, net in zip(model.WN, theirs.WN):
        for i, layer in enumerate(net.cond_layers):
            part = slice(12 * i, 12 * (i + 1))
            direction = layer.weight_v / layer.weight_v.flatten(1).norm(dim=1)[:, None, None]
            torch.testing.assert_close(ours.cond_layer.weight[part], layer.weight_g * direction)
            torch.testing.assert_close(ours.cond_layer.bias[part], layer.bias)


def test_a_model_without_weight_normalisation_loads_too(published, tmp_path):
    theirs = published()
    before = waveglow.load(save(theirs, tmp_path / "normalised.pt", legacy=True)).state_dict()
    for net in theirs.WN:
        for layer in (net.start, net.cond_layer, *net.in_layers, *net.res_skip_layers):
            torch.nn.utils.remove_weight_norm(layer)
    after = waveglow.load(save(theirs, tmp_path / "plain.pt", legacy=True)).state_dict()
    assert before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name])


class Call:
    """Pickled, it is a call that unpickling runs."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", ["beside", "inside"])
@pytest.mark.parametrize("function, argument, name", [
    (os.mkdir, "{}", r"(posix|nt)\.mkdir"),
    (eval, "__import__('os').mkdir({!r})", r"(builtins|__builtin__)\.eval"),
])
def test_hostile_files_are_refused_and_not_run(published, tmp_path, legacy, place, function, argument, name):
    path, marker = tmp_path / "hostile.pt", tmp_path / "was_run"
    model, payload = published(), Call(function, argument.format(str(marker)))
    if place == "inside":
        model.WN[0].start.payload = payload
    torch.save({"payload": payload, "model": model}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=f"refused .*hostile.pt, not a WaveGlow file: .*asks for {name}"):
        waveglow.load(path)
    assert not marker.exists()
    with pytest.raises(AssertionError, match="the file's code was run"):  # both kinds of code in it are live
        torch.load(path, map_location="cpu", weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("value, name", [
    (np.zeros(2), r"numpy.*_reconstruct"), (Call(getattr, "a", "upper"), "getattr"),
    (torch.nn.Linear(1, 1), r"torch\.nn\.modules\.linear\.Linear"), (io.BytesIO, r"_io\.BytesIO"),
    (torch.load, r"torch\.serialization\.load"), (Call(bytearray, 10**12), "bytearray"),
])
def test_whatever_a_waveglow_does_not_need_is_refused(published, tmp_path, value, name):
    torch.save({"model": published(), "more": value}, tmp_path / "more.pt")
    with pytest.raises(ValueError, match=f"refused .*asks for .*{name}"):
        waveglow.load(tmp_path / "more.pt")


@pytest.mark.parametrize("target", [
    b"glow\nWaveGlow", b"collections\nOrderedDict", b"torch\nFloatStorage", b"torch._utils\n_rebuild_tensor_v2",
])
def test_a_file_leaves_nothing_behind(published, tmp_path, target):
    """BUILD on what the allow-list hands out sets attributes on it: nothing of it may outlive the file."""
    prologue = b"".join(pickle.dumps(value, 2) for value in (waveglow.checkpoint.LEGACY_MAGIC, 1001, {}))
    attributes = pickle.dumps((None, {"__setstate__": print, "__defaults__": (1,)}), 0)[:-1]
    attributes = attributes.replace(b"c__builtin__\nprint\n", b"ccollections\nOrderedDict\n")
    path = tmp_path / "hostile.pt"
    path.write_bytes(prologue + b"\x80\x02c" + target + b"\n" + attributes + b"b." + pickle.dumps([], 2))
    with pytest.raises(ValueError, match="not a WaveGlow file"):
        waveglow.load(path)
    for kind in (SimpleNamespace, type(torch.float32), importlib.import_module("collections").OrderedDict):
        assert not hasattr(kind, "__setstate__")
    assert waveglow.load(save(published(), tmp_path / "good.pt", legacy=True)).config == SMALL


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kept", [0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_truncated_files_are_refused(published, tmp_path, legacy, kept):
    whole = save(published(), tmp_path / "whole.pt", legacy).read_bytes()
    path = tmp_path / "part.pt"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match="refused .*part.pt, not a WaveGlow file"):
        waveglow.load(path)


@pytest.mark.parametrize("content", [
    [1], {}, {"model": 3}, {"model": {"upsample.weight": torch.zeros(2)}}, {"generator": torch.zeros(2)},
])
def test_other_files_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="refused .*other.pt, not a WaveGlow file"):
        waveglow.load(tmp_path / "other.pt")


def test_a_tensor_out_of_its_storage_is_refused(published, tmp_path):
    model, four = published(), torch.zeros(4)._typed_storage()
    model.upsample._parameters["bias"] = Call(torch._utils._rebuild_tensor_v2, four, 0, (9,), (1,), False, {})
    with pytest.raises(ValueError, match="refused .*out of bounds"):
        waveglow.load(save(model, tmp_path / "glow.pt", legacy=True))


def test_a_missing_file_says_which_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.pt.*waveglow_256channels_ljs_v2.pt"):
        waveglow.load(tmp_path / "absent.pt")


# -------- The denoiser ------------------------------------------------------------------------------------------------

def naive_spectra(audio):
    """Frames of 1024 every 256, Hann, centred with reflection."""
    padded, window = np.pad(audio, 512, mode="reflect"), np.hanning(1025)[:-1]
    starts = range(0, len(padded) - 1023, 256)
    return np.array([np.fft.rfft(window * padded[start : start + 1024]) for start in starts]), starts, window


def naive_denoise(audio, hum, strength):
    spectra, starts, window = naive_spectra(audio)
    out, weight = np.zeros(starts[-1] + 1024), np.zeros(starts[-1] + 1024)
    for start, spectrum in zip(starts, spectra):
        magnitude = np.maximum(np.abs(spectrum) - strength * hum, 0)
        out[start : start + 1024] += window * np.fft.irfft(magnitude * np.exp(1j * np.angle(spectrum)))
        weight[start : start + 1024] += window**2
    return (out[512:-512] / weight[512:-512])[: len(audio)]


@pytest.mark.parametrize("strength", [0.04, 1.0])
def test_denoiser_says_what_the_naive_one_says(small, strength):
    hum = np.abs(naive_spectra(small.infer(torch.zeros(1, 3, 88), sigma=0.0)[0].double().numpy())[0][0])
    assert hum.max() > 1  # this model does hum
    audio = torch.randn(2, 2048) * 0.1
    denoised = waveglow.Denoiser(small)(audio, strength)
    for item in range(2):
        expected = naive_denoise(audio[item].double().numpy(), hum, strength)
        np.testing.assert_allclose(denoised[item].numpy(), expected, atol=1e-4)


def test_denoiser_leaves_silence_silent_and_takes_the_hum(small):
    denoiser = waveglow.Denoiser(small)
    assert torch.equal(denoiser(torch.zeros(1, 2048)), torch.zeros(1, 2048))
    hum = small.infer(torch.zeros(1, 3, 128), sigma=0.0)
    torch.testing.assert_close(denoiser(hum, strength=0), hum, atol=1e-4, rtol=0)
    assert denoiser(hum, strength=1).square().mean() < 0.2 * hum.square().mean()


@pytest.mark.parametrize("shape", [(2048,), (1, 512)])
def test_denoiser_refuses_what_it_cannot_transform(small, shape):
    with pytest.raises(ValueError, match="more than 512 samples"):
        waveglow.Denoiser(small)(torch.zeros(shape))
