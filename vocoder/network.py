"""Our vocoder: spectrogram -> audio by a filtered voice source and noise, 100 times faster than real time on a CPU.

    log-mel (B, 80, T) -> convolutional network, at the rate of the frames
                       -> pitch (B, T), filter of the voice (B, T, F) complex, filter of the noise (B, T, F)
    pitch -> pulse train -> its spectrum * filter of the voice -> inverse STFT, overlap-add ┐
    white noise          -> its spectrum * filter of the noise -> inverse STFT, overlap-add ┴ voice and noise (B, 256 T)
    their spectra in short windows * gains from a second, smaller network, 4 T times -> + -> inverse STFT -> audio
    audio -> its spectrum * what its mel bands lack of those asked for -> inverse STFT -> audio (B, 256 T)

As in Vocos (arXiv 2306.00814), all the network's work is done 86 times a second and an inverse short-time Fourier
transform turns its output into samples. The hard part, phase, is not learned: a pulse train of the right pitch has it
(source-filter model: Fant 1960; with a network as the filter, arXiv 1904.12088; with harmonics plus noise,
arXiv 2001.04643). The filters start from the amplitudes that the mel bands imply (as in arXiv 2406.08196), so the
network learns a correction. A frame's pitch is one of 180 classes (as in arXiv 1802.06182): where a blurred spectrogram
leaves several possible, one is chosen, where a regression would give their mean. The caller may pass the expected
pitch, a prior over the classes: the octave below is often nearly as likely.

A window of 46 ms smears what is shorter: bursts, the decay of each pulse, the noise that comes with it. The second
network sees the voice in windows of 12 ms, four a frame, and predicts how loud voice and noise should be in each.

Everything is a function of position: noise comes from a fixed table, and the phase of the pulses is a sum over frames.
So a spectrogram spoken in chunks (`stream`) gives the same audio as one spoken at once.

Letters: B batch, M = 80 bands, T frames, F = 513 frequencies (129 of short windows), S samples, K pitch classes,
D width.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vocoder import layout, weights
from vocoder.layout import (  # noqa: F401 (Config, and what the tests and the recipe look up here)
    HIGHEST_HARMONIC,
    LARGEST_AMPLITUDE,
    LARGEST_GAIN,
    LOUDNESS_FLOOR,
    LOUDNESS_SCALE,
    MARGIN,
    N_SHORT_FREQUENCIES,
    NOISE_FRAMES,
    NOISE_IN_VOICE,
    PITCH_REACH,
    PITCH_STD,
    REACH,
    SHORT_HOP,
    SHORT_PER_FRAME,
    SHORT_SIZE,
    SHORT_START,
    Config,
)
from vocoder.spectrogram import (
    FFT_SIZE,
    MEL_FLOOR,
    MEL_SCALE_BINS,
    N_FREQUENCIES,
    SAMPLING_RATE,
    SPECTROGRAMS_MEAN,
    SPECTROGRAMS_STD,
    STFT_HOP_LENGTH,
)

LARGEST_CORRECTION = 2.0  # of a mel band, natural logarithm

WEIGHTS_PATH = pathlib.Path(__file__).with_name("vocoder.pth")


class Filters(NamedTuple):
    """What the network predicts for each frame."""

    pitch_logits: Tensor  # (B, T, K)
    voice: Tensor  # (B, T, F) complex
    noise: Tensor  # (B, T, F) positive
    details: Tensor  # (B, T, 4 D'), for the short windows


# -------- Network ----------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """(B, T, D) -> (B, T, D): a ConvNeXt block (arXiv 2201.03545) in one dimension."""

    def __init__(self, width: int, inner: int, kernel: int, scale: float):
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.contract = nn.Linear(width, inner), nn.Linear(inner, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        depthwise, pixels = self.depthwise, x.unsqueeze(1).permute(0, 3, 1, 2)
        # As an image of one line whose channels are last in memory, as they are in x: nothing is transposed.
        sizes = {"padding": (0, depthwise.padding[0]), "groups": depthwise.groups}
        mixed = F.conv2d(pixels, depthwise.weight.unsqueeze(2), depthwise.bias, **sizes)
        mixed = self.norm(mixed.permute(0, 2, 3, 1).squeeze(1))
        return torch.addcmul(x, self.scale, self.contract(F.gelu(self.expand(mixed))))


class ShortGains(nn.Module):
    """What the network says of each frame, and the voice's spectra in short windows -> gains of these windows.

    It does not see the noise, which it could only even out.
    """

    def __init__(self, config: Config):
        super().__init__()
        width, n_blocks = config.short_width, config.n_short_blocks
        self.input = nn.Linear(N_SHORT_FREQUENCIES, width)
        sizes = width, config.expansion * width, config.kernel_size, 1 / max(1, n_blocks)
        self.blocks = nn.ModuleList(Block(*sizes) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, 3 * N_SHORT_FREQUENCIES)  # amplitude and phase of the voice, of the noise
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.zeros_(self.output.bias)

    def forward(self, details: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, 4 D') and (B, 4 T, F) complex -> gains (B, 4 T, F) of the voice, complex, and of the noise."""
        loudness = (power(voice) * LOUDNESS_SCALE + LOUDNESS_FLOOR).log() / 6 + 2
        x = self.input(loudness) + details.unflatten(2, (SHORT_PER_FRAME, -1)).flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        amplitude, phase, noise = self.output(self.norm(x)).float().unflatten(2, (3, N_SHORT_FREQUENCIES)).unbind(2)
        amplitude, noise = (LARGEST_GAIN * (part / LARGEST_GAIN).tanh() for part in (amplitude, noise))
        return polar(amplitude.exp(), phase), noise.exp()


class Vocoder(nn.Module):
    """Log-mel spectrograms (B, 80, T) -> audio (B, 256 T); see `predict_filters`, `pulse_frames`, `render`, `correct`.

    `bands` (F, M) make mel bands of amplitudes, `prior` (F, M) and `prior_offset` (F,) log amplitudes of log-mel
    values; they belong to the weights.
    """

    def __init__(self, config: Config = Config()):
        super().__init__()
        self.config = config
        self.register_buffer("bands", torch.zeros(N_FREQUENCIES, MEL_SCALE_BINS))
        self.register_buffer("prior", torch.zeros(N_FREQUENCIES, MEL_SCALE_BINS))
        self.register_buffer("prior_offset", torch.zeros(N_FREQUENCIES))
        self.register_buffer("window", torch.hann_window(FFT_SIZE), persistent=False)
        self.register_buffer("short_window", torch.hann_window(SHORT_SIZE), persistent=False)
        noise = torch.from_numpy(layout.white_noise())
        noise = torch.cat([noise, noise[: FFT_SIZE - STFT_HOP_LENGTH]])  # its end goes over into its beginning
        self.register_buffer("noise_spectra", even(spectra(noise, self.window)), persistent=False)
        classes = torch.arange(config.n_pitches) * config.pitch_step / 1200
        self.register_buffer("pitches", config.lowest_pitch * 2**classes, persistent=False)
        self.input = nn.Conv1d(MEL_SCALE_BINS, config.width, config.kernel_size, padding=config.kernel_size // 2)
        self.input_norm = nn.LayerNorm(config.width)
        sizes = config.width, config.expansion * config.width, config.kernel_size, 1 / config.n_blocks
        self.blocks = nn.ModuleList(Block(*sizes) for _ in range(config.n_blocks))
        self.output_norm = nn.LayerNorm(config.width)
        self.pitch = nn.Linear(config.width, config.n_pitches)
        self.correction = nn.Linear(config.width, 3 * N_FREQUENCIES)  # amplitude and phase of the voice, of the noise
        nn.init.normal_(self.correction.weight, std=0.01)
        nn.init.zeros_(self.correction.bias)
        self.details = nn.Linear(config.width, SHORT_PER_FRAME * config.short_width)
        self.short_gains = ShortGains(config)

    def predict_filters(self, spectrograms: Tensor) -> Filters:
        """Log-mel (B, M, T) -> Filters."""
        x = self.input((spectrograms - SPECTROGRAMS_MEAN) / SPECTROGRAMS_STD).mT  # (B, T, D)
        x = self.input_norm(x)
        for block in self.blocks:
            x = block(x)
        x = self.output_norm(x)
        corrections = self.correction(x).float().unflatten(-1, (3, N_FREQUENCIES))
        amplitude, phase, noise = corrections.unbind(-2)
        prior = spectrograms.mT.float() @ self.prior.T + self.prior_offset
        amplitude, noise = ((prior + part).clamp_max(LARGEST_AMPLITUDE).exp() for part in (amplitude, noise))
        return Filters(self.pitch(x).float(), polar(amplitude, phase), noise, self.details(x).float())

    def decode_pitch(self, logits: Tensor, expected: Tensor | None = None) -> Tensor:
        """(B, T, K) -> (B, T) Hz: the mean around the likeliest class, which is finer than the classes.

        Likely is what the network reads, and what is near the pitch `expected` (B, T) in Hz.
        """
        if expected is not None:
            semitones = 12 * (self.pitches / expected[..., None]).log2()
            logits = logits - 0.5 * (semitones / PITCH_STD).square()
        best = logits.argmax(-1, keepdim=True)
        near = (torch.arange(logits.shape[-1], device=logits.device) - best).abs() <= PITCH_REACH
        weights = logits.masked_fill(~near, -math.inf).softmax(-1)
        return (weights @ self.pitches.log()[:, None]).squeeze(-1).exp()

    @staticmethod
    def _is_pitch(pitch: Tensor) -> bool:
        return bool(((pitch >= layout.PITCH_LIMITS[0]) & (pitch <= layout.PITCH_LIMITS[1])).all())

    # -------- Sources ------------------------------------------------------------------------------------------------

    def pulse_frames(self, pitch: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra of the pulse train: pitch (B, T + 2 MARGIN) in Hz -> (B, T, F) complex, and the phase at each frame.

        `phase` (B,), float64, in cycles, is that at the centre of the first of these frames.
        """
        cycles = pitch.double() / SAMPLING_RATE  # a sample
        advance = (cycles[:, 1:] + cycles[:, :-1]) * (STFT_HOP_LENGTH / 2)  # to the next frame, linearly
        phases = (phase[:, None] + F.pad(advance.cumsum(1), (1, 0))) % 1
        k = torch.arange(STFT_HOP_LENGTH, device=pitch.device)
        slope = torch.diff(cycles, dim=1)[..., None] / STFT_HOP_LENGTH
        within = cycles[:, :-1, None] * k + slope * (k * k / 2)
        samples = (phases[:, :-1, None] + within).flatten(1)
        rates = (cycles[:, :-1, None] + slope * k).flatten(1)
        return spectra(pulses(samples, rates), self.window) / (FFT_SIZE / 4), phases

    def noise_frames(self, first: int, n_frames: int) -> Tensor:
        """Spectra (T, F) of the noise around the frames first, first + 1, ...; see `even`."""
        frames = torch.arange(first, first + n_frames, device=self.noise_spectra.device)
        return self.noise_spectra[frames % NOISE_FRAMES]

    # -------- Synthesis ----------------------------------------------------------------------------------------------

    def render(self, filters: Filters, pulse_spectra: Tensor, noise_spectra: Tensor) -> Tensor:
        """Filters of T frames and the spectra of both sources -> audio as `overlap_add`."""
        voice = overlap_add(filters.voice * pulse_spectra, self.window)
        noise = overlap_add(filters.noise * noise_spectra, self.window)
        n_samples = filters.voice.shape[1] * STFT_HOP_LENGTH + SHORT_SIZE - SHORT_HOP
        inside = slice(SHORT_START, SHORT_START + n_samples)
        short_voice, short_noise = (spectra(part[:, inside], self.short_window) for part in (voice, noise))
        gain_of_voice, gain_of_noise = self.short_gains(filters.details, short_voice)
        audio = overlap_add(gain_of_voice * short_voice + gain_of_noise * short_noise, self.short_window)
        rough = voice + noise
        return torch.cat([rough[:, :SHORT_START], audio, rough[:, inside.stop :]], dim=1)

    def correct(self, audio: Tensor, spectrograms: Tensor, band_correction: float | Tensor) -> Tensor:
        """What `render` made of log-mel (B, M, T) -> the same with each band as loud as asked for.

        The noise is loud and soft by chance, and neighbouring frames add up to more or less than either asked for.
        `band_correction`, from 0 to 1, is how far to go: a measured spectrogram should be matched; a predicted one is a
        guess, and matching it exactly sounds worse. One number, or (B, 1, 1).
        """
        frames = spectra(audio, self.window)
        heard = (frames.abs() @ self.bands).clamp_min(MEL_FLOOR).log()  # (B, T, M)
        lacking = (spectrograms.mT - heard).clamp(-LARGEST_CORRECTION, LARGEST_CORRECTION)
        return overlap_add(frames * ((band_correction * lacking) @ self.prior.T).exp(), self.window)

    def forward(self, spectrograms: Tensor, band_correction: float = 1.0, pitch: Tensor | None = None) -> Tensor:
        """Log-mel spectrograms (B, 80, T), natural log, not normalised -> audio (B, 256 T).

        `band_correction` as in `correct`; `pitch` (B, T) in Hz, if it is known, as in `decode_pitch`.
        """
        return torch.cat(list(self.stream(spectrograms, spectrograms.shape[-1], band_correction, pitch)), dim=1)

    def stream(
        self, spectrograms: Tensor, chunk: int = 32, band_correction: float = 1.0, pitch: Tensor | None = None
    ) -> Iterator[Tensor]:
        """As `forward`, yielded in pieces (B, 256 n), each as soon as it is ready; see `layout.chunks`."""
        if spectrograms.dim() != 3 or spectrograms.shape[1] != MEL_SCALE_BINS or spectrograms.shape[2] == 0:
            raise ValueError(f"expected (B, {MEL_SCALE_BINS}, T) with T > 0, got {tuple(spectrograms.shape)}")
        if not 0 <= band_correction <= 1:
            raise ValueError(f"band_correction is {band_correction}: give 0 (predicted spectrograms) to 1 (measured)")
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}: give at least 1 frame")
        if pitch is not None and (pitch.shape != spectrograms[:, 0].shape or not self._is_pitch(pitch)):
            shape, (lowest, highest) = tuple(spectrograms[:, 0].shape), layout.PITCH_LIMITS
            raise ValueError(f"expected a pitch > 0 Hz for each frame, {shape}, from {lowest:g} to {highest:g}")
        n_frames, correcting = spectrograms.shape[2], band_correction > 0
        phase = torch.zeros(len(spectrograms), dtype=torch.float64, device=spectrograms.device)
        for part in layout.chunks(n_frames, chunk, self.config, correcting):
            first, last = part.rough.start, part.rough.stop
            filters = self.predict_filters(spectrograms[..., part.seen])
            wanted = torch.arange(part.pitch.start, part.pitch.stop, device=spectrograms.device).clamp(0, n_frames - 1)
            expected = None if pitch is None else pitch[:, part.seen]
            read = self.decode_pitch(filters.pitch_logits, expected)[:, wanted - part.seen.start]
            pulse_spectra, phases = self.pulse_frames(read, phase)
            inside = slice(first - part.seen.start, last - part.seen.start)
            filters = quieten(Filters(*(values[:, inside] for values in filters)))
            rough = self.render(filters, pulse_spectra, self.noise_frames(first, last - first))
            audio = self.correct(rough, spectrograms[..., part.rough], band_correction) if correcting else rough
            start = (part.begin - first + MARGIN) * STFT_HOP_LENGTH
            yield audio[:, start : start + (part.end - part.begin) * STFT_HOP_LENGTH]
            phase = phases[:, part.following - part.pitch.start]


def quieten(filters: Filters) -> Filters:
    """The same with less noise where there is voice: NOISE_IN_VOICE of it in a frame that is all voice."""
    voice, noise = (part.mean(-1, keepdim=True) for part in (power(filters.voice), filters.noise.square()))
    return filters._replace(noise=filters.noise * (1 - (1 - NOISE_IN_VOICE) * voice / (voice + noise).clamp_min(1e-20)))


def even(spectra: Tensor) -> Tensor:
    """(..., T, F) of noise -> the same over its mean amplitude around each frequency.

    The mel bands say how loud the noise of the recording was in each frame; that of the source would add to it.
    """
    amplitudes = F.pad(spectra.abs().reshape(-1, 1, spectra.shape[-1]), (1, 1), mode="reflect")
    return spectra / F.avg_pool1d(amplitudes, kernel_size=3, stride=1).reshape(spectra.shape).clamp_min(1e-6)


def spectra(samples: Tensor, window: Tensor) -> Tensor:
    """(..., S) -> (..., T, F): of windows (W,) that begin every W / 4 samples, T = 4 (S - W) / W + 1."""
    return torch.fft.rfft(samples.unfold(-1, len(window), len(window) // 4) * window)


def overlap_add(spectra: Tensor, window: Tensor) -> Tensor:
    """(B, T, F) -> (B, (T - 1) W / 4 + W): least-squares inverse of `spectra` (Griffin and Lim 1984)."""
    quarters = window.square().unflatten(0, (4, -1))  # how much of each window there is in a quarter of it
    windows, n = torch.fft.irfft(spectra) * (window / quarters.sum(0).repeat(4)), spectra.shape[1]
    summed = fold(windows).unflatten(1, (n + 3, -1))
    for row in {0, 1, 2, n, n + 1, n + 2}:  # at either end fewer windows overlap
        there = quarters[max(0, row + 1 - n) : row + 1].sum(0)
        summed[:, row] *= quarters.sum(0) / there.clamp_min(1e-3)
    return summed.flatten(1)


def fold(windows: Tensor) -> Tensor:
    """(B, T, W) windows, one every W / 4 samples -> their sum (B, (T - 1) W / 4 + W)."""
    n_frames, quarters = windows.shape[1], windows.unflatten(2, (4, -1))
    summed = windows.new_zeros(len(windows), n_frames + 3, quarters.shape[3])
    for place in range(4):
        summed[:, place : place + n_frames] += quarters[:, :, place]
    return summed.flatten(1)


def power(spectra: Tensor) -> Tensor:
    """Complex -> squared magnitude."""
    return torch.addcmul(spectra.real.square(), spectra.imag, spectra.imag)  # a tenth of the time of spectra.abs()


def polar(amplitude: Tensor, phase: Tensor) -> Tensor:
    """`torch.polar` in half of its time on a CPU."""
    return torch.complex(amplitude * phase.cos(), amplitude * phase.sin())


def pulses(phase: Tensor, cycles: Tensor) -> Tensor:
    """Cosines of all harmonics up to HIGHEST_HARMONIC, each of amplitude 1: phase (B, S) and cycles a sample -> (B, S).

    The sum of cos(2 pi k x) for k = 1..n is (sin((2 n + 1) pi x) / sin(pi x) - 1) / 2 (Dirichlet's kernel).
    """
    n_harmonics = (HIGHEST_HARMONIC / SAMPLING_RATE / cycles).floor().float()
    x = (((phase + 0.5) % 1 - 0.5) * math.pi).float()
    top, below = 2 * n_harmonics + 1, x.sin()
    kernel = torch.where(below.abs() < 1e-7, top, (top * x).sin() / below)
    return (kernel - 1) / 2


# -------- Weights ----------------------------------------------------------------------------------------------------


def load(path: str | pathlib.Path | None = None, device: str | torch.device = "cpu") -> Vocoder:
    """The vocoder in evaluation mode, with the weights in `path` (`vocoder.pth` beside this file by default).

    Raises FileNotFoundError where there is no file, ValueError where it holds no vocoder.
    """
    advice = "`git checkout vocoder/vocoder.pth`, or train one with `python -m recipe train-vocoder`"
    model = weights.load(pathlib.Path(path or WEIGHTS_PATH), build, "vocoder", advice)
    return model.requires_grad_(False).to(device)


def build(content: dict) -> Vocoder:
    """What `save` wrote -> a vocoder."""
    config = Config(**content["config"])
    return weights.fill(lambda: Vocoder(config), content["weights"])


def save(model: Vocoder, path: pathlib.Path, runs: list[dict]) -> None:
    """Write weights, settings and `runs`, the settings of all the trainings that led to them."""
    content = {"config": asdict(model.config), "weights": weights.pack(model), "training": {"runs": runs}}
    weights.save(content, path)
