"""The WaveGlow flow: audio and spectrogram -> Gaussian noise, exactly invertible, so noise and spectrogram -> audio.

Letters: B batch, M bands, T frames, S samples, c channels of a flow (8, later 6, then 4), W = S / 8 time steps.
Section and equation numbers are those of the paper. Parameters are named as in the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vocoder.settings import Checked, setting

# -------- Configuration -----------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Config(Checked):
    """Dimensions; the defaults are those of the published LJ Speech model."""

    n_mels: int = setting(80, "bands", 1, 512)
    hop_length: int = setting(256, "samples per frame", 1, 4096)
    upsample_kernel: int = setting(1024, "the STFT's window", 1, 16384)
    flow_channels: tuple[int, ...] = setting((8,) * 4 + (6,) * 4 + (4,) * 4, "of each flow; 2 leave early", 2, 64)
    n_layers: int = setting(8, "of a WaveNet", 1, 16)
    n_channels: int = setting(256, "of a WaveNet", 1, 2048)
    kernel: int = setting(3, "of a WaveNet", 1, 15, odd=True)

    @property
    def n_group(self) -> int:
        """Samples that form one time step (the paper's squeeze): the channels of the first flow."""
        return self.flow_channels[0]

    def __post_init__(self):
        super().__post_init__()
        if any(c % 2 for c in self.flow_channels) or list(self.flow_channels) != sorted(self.flow_channels)[::-1]:
            raise ValueError(f"flow_channels is {self.flow_channels}: give even numbers, none larger than that before")
        if self.upsample_kernel < self.hop_length:
            raise ValueError(f"upsample_kernel is {self.upsample_kernel}: give at least hop_length, {self.hop_length}")
        if self.hop_length % self.n_group:
            raise ValueError(f"hop length {self.hop_length} is not a multiple of the group of {self.n_group} samples")


MOST_INVERSE = 1e6  # the largest number in the inverse of a 1x1 convolution; trained ones have about 1

# -------- One flow: invertible 1x1 convolution, then affine coupling --------------------------------------------------

class InvertibleConv(nn.Module):
    """Mixes the channels by a square matrix (section 2.2), (B, c, W) -> (B, c, W)."""

    def __init__(self, n_channels: int):
        super().__init__()
        self.conv = nn.Conv1d(n_channels, n_channels, 1, bias=False)
        nn.init.orthogonal_(self.conv.weight)  # invertible from the start

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)

    def inverse(self, x: Tensor) -> Tensor:
        matrix = torch.linalg.inv(self.conv.weight[..., 0].double())  # half precision has no inverse
        return F.conv1d(x, matrix[..., None].to(x.dtype))

    def check(self) -> None:
        """Raises ValueError where the matrix has no inverse, or one that would make any audio infinitely loud."""
        inverse, failed = torch.linalg.inv_ex(self.conv.weight[..., 0].double())
        if failed or not inverse.abs().max() < MOST_INVERSE:
            raise ValueError("a 1x1 convolution has no inverse")

    def log_determinant(self) -> Tensor:
        """log |det| of the matrix, once per time step (equation 10)."""
        return torch.linalg.slogdet(self.conv.weight[..., 0].double()).logabsdet.to(self.conv.weight)


class WaveNet(nn.Module):
    """Dilated gated convolutions that give the coupling's shift and log scale (section 2.1)."""

    def __init__(self, n_inputs: int, n_conditions: int, config: Config):
        super().__init__()
        width, n_layers = config.n_channels, config.n_layers
        self.start = nn.Conv1d(n_inputs, width, 1)
        self.cond_layer = nn.Conv1d(n_conditions, 2 * width * n_layers, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(width, 2 * width, config.kernel, dilation=2**i, padding="same") for i in range(n_layers)
        )
        self.res_skip_layers = nn.ModuleList(  # nothing follows the last layer: it has no residual half
            nn.Conv1d(width, width if i == n_layers - 1 else 2 * width, 1) for i in range(n_layers)
        )
        self.end = nn.Conv1d(width, 2 * n_inputs, 1)

    def forward(self, x: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, c/2, W), conditions (B, M * n_group, W) -> log_s, b, both (B, c/2, W)."""
        x = self.start(x)
        skips = torch.zeros_like(x)
        biases = self.cond_layer(conditions).chunk(len(self.in_layers), dim=1)  # n_layers x (B, 2 * width, W)
        for layer, res_skip, bias in zip(self.in_layers, self.res_skip_layers, biases):
            signal, gate = (layer(x) + bias).chunk(2, dim=1)
            residual, skip = res_skip(signal.tanh() * gate.sigmoid()).tensor_split([-x.shape[1]], dim=1)
            if residual.shape[1]:
                x = x + residual
            skips = skips + skip
        b, log_s = self.end(skips).chunk(2, dim=1)
        return log_s, b


# -------- The model ---------------------------------------------------------------------------------------------------

class Latent(NamedTuple):
    """What audio becomes: with `noise` ~ N(0, 1), log p(audio) = log p(noise) + `log_determinant`."""

    noise: Tensor  # (B, n_group, W)
    log_determinant: Tensor  # (B,): sum of log s and of W log |det| of the 1x1 convolutions (equation 3)


class WaveGlow(nn.Module):
    """The flow between audio (B, S) and noise (B, n_group, W), given a log-mel spectrogram (B, M, T)."""

    def __init__(self, config: Config = Config()):
        super().__init__()
        self.config = config
        self.upsample = nn.ConvTranspose1d(
            config.n_mels, config.n_mels, config.upsample_kernel, stride=config.hop_length
        )
        n_conditions = config.n_mels * config.n_group
        self.convinv = nn.ModuleList(InvertibleConv(c) for c in config.flow_channels)
        self.WN = nn.ModuleList(WaveNet(c // 2, n_conditions, config) for c in config.flow_channels)

    def _group(self, samples: Tensor) -> Tensor:
        """(B, C, S) -> (B, C * n_group, W), channel-major."""
        batch, channels, n_samples = samples.shape
        steps = samples.reshape(batch, channels, n_samples // self.config.n_group, self.config.n_group)
        return steps.transpose(2, 3).reshape(batch, channels * self.config.n_group, -1)

    def _conditions(self, spectrogram: Tensor) -> Tensor:
        """(B, M, T) -> (B, M * n_group, hop * T / n_group)."""
        if spectrogram.ndim != 3 or spectrogram.shape[1] != self.config.n_mels or not spectrogram.shape[2]:
            raise ValueError(f"expected a spectrogram (B, {self.config.n_mels}, T), got {tuple(spectrogram.shape)}")
        n_samples = spectrogram.shape[2] * self.config.hop_length
        return self._group(self.upsample(spectrogram)[..., :n_samples])  # the window reaches past the last frame

    def forward(self, spectrogram: Tensor, audio: Tensor) -> Latent:
        """Spectrogram (B, M, T) and audio (B, S) with S <= hop * T, a multiple of n_group -> the audio's noise."""
        conditions = self._conditions(spectrogram)
        n_steps, rest = divmod(audio.shape[1], self.config.n_group)
        if rest or n_steps > conditions.shape[2]:
            raise ValueError(f"{audio.shape[1]} samples do not fit {spectrogram.shape[2]} frames of "
                             f"{self.config.hop_length} in groups of {self.config.n_group}")
        x, conditions = self._group(audio[:, None]), conditions[..., :n_steps]  # (B, n_group, W)
        early, log_determinant = [], x.new_zeros(len(x))
        for mix, net, n_channels in zip(self.convinv, self.WN, self.config.flow_channels):
            if n_channels < x.shape[1]:
                left, x = x.tensor_split([x.shape[1] - n_channels], dim=1)
                early.append(left)
            kept, moved = mix(x).chunk(2, dim=1)
            log_s, b = net(kept, conditions)
            x = torch.cat([kept, moved * log_s.exp() + b], dim=1)
            log_determinant = log_determinant + log_s.sum((1, 2)) + n_steps * mix.log_determinant()
        return Latent(torch.cat([*early, x], dim=1), log_determinant)

    def inverse(self, spectrogram: Tensor, noise: Tensor) -> Tensor:
        """The exact inverse of `forward`: (B, M, T) and noise (B, n_group, W) -> audio (B, n_group * W)."""
        conditions = self._conditions(spectrogram)[..., : noise.shape[2]]
        x = noise[:, :0]
        for mix, net, n_channels in zip(*map(reversed, (self.convinv, self.WN, self.config.flow_channels))):
            n_joining = n_channels - x.shape[1]
            noise, joining = noise.split([noise.shape[1] - n_joining, n_joining], dim=1)
            x = torch.cat([joining, x], dim=1)  # what left early joins in front
            kept, moved = x.chunk(2, dim=1)
            log_s, b = net(kept, conditions)
            x = mix.inverse(torch.cat([kept, (moved - b) * (-log_s).exp()], dim=1))
        return x.transpose(1, 2).flatten(1)

    @torch.no_grad()
    def infer(self, spectrogram: Tensor, sigma: float = 0.75, generator: torch.Generator | None = None) -> Tensor:
        """Log-mel spectrogram (B, 80, T), natural log, not normalised -> audio (B, 256 * T).

        `sigma` is the noise's standard deviation; `generator` (on the model's device) makes the noise repeatable.
        """
        n_steps = spectrogram.shape[-1] * self.config.hop_length // self.config.n_group
        weight = self.upsample.weight
        shape = (len(spectrogram), self.config.n_group, n_steps)
        noise = sigma * torch.randn(shape, generator=generator, device=weight.device, dtype=weight.dtype)
        return self.inverse(spectrogram.to(weight), noise)


# -------- Denoiser ----------------------------------------------------------------------------------------------------

class Denoiser(nn.Module):
    """Subtracts the model's own hum: the magnitudes of what it says to an all-zero spectrogram without noise."""

    N_FFT, HOP_LENGTH, N_FRAMES = 1024, 256, 88

    def __init__(self, model: WaveGlow):
        super().__init__()
        weight = model.upsample.weight
        self.register_buffer("window", torch.hann_window(self.N_FFT, device=weight.device))
        silence = weight.new_zeros(1, model.config.n_mels, self.N_FRAMES)
        hum = self._transform(model.infer(silence, sigma=0.0)).abs()
        self.register_buffer("hum", hum[..., :1])  # (1, N_FFT / 2 + 1, 1)

    def _transform(self, audio: Tensor) -> Tensor:
        return torch.stft(audio.float(), self.N_FFT, self.HOP_LENGTH, window=self.window, return_complex=True)

    @torch.no_grad()
    def forward(self, audio: Tensor, strength: float = 0.04) -> Tensor:
        """Audio (B, S) of at least 513 samples -> (B, S): `strength` times the hum is gone, phases are kept."""
        if audio.ndim != 2 or audio.shape[1] <= self.N_FFT // 2:
            raise ValueError(f"expected audio (B, S) of more than {self.N_FFT // 2} samples, got {tuple(audio.shape)}")
        spectrum = self._transform(audio)
        magnitude = (spectrum.abs() - strength * self.hum).clamp_min(0)
        spectrum = torch.polar(magnitude, spectrum.angle())
        return torch.istft(spectrum, self.N_FFT, self.HOP_LENGTH, window=self.window, length=audio.shape[1])
