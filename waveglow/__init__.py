"""WaveGlow (Prenger et al., arXiv 1811.00002) and its denoiser, for whoever has NVIDIA's published weights.

    model = waveglow.load("waveglow_256channels_ljs_v2.pt")
    audio = waveglow.Denoiser(model)(model.infer(spectrogram))  # (B, 80, T) -> (B, 256 * T) at 22 050 Hz

`model` holds the flow and the denoiser, `checkpoint` reads the published file without running code from it.
88 M parameters: meant for a GPU, and far slower than real time on a CPU.
"""

from waveglow.checkpoint import load
from waveglow.model import Config, Denoiser, Latent, WaveGlow

__all__ = ["Config", "Denoiser", "Latent", "WaveGlow", "load"]
