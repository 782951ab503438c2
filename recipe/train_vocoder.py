"""Training of the vocoder: recordings, and what the acoustic model makes of them.

    python -m recipe predict TTS.pth LJ-Speech-aligned --out predicted    # spectrograms as the voice makes them
    python -m recipe train-vocoder CLIPS --predicted predicted --out vocoder.pth --steps 20000

Each step takes crops of recordings with their spectrogram, real or predicted with the recording's durations, and
compares what the vocoder makes of it with the recording. The pulses have to fall where they fall in the recording, so
in training their phase is that of the recording's fundamental, not the sum over the predicted pitch. Then the waveforms
are alike pulse by pulse, and even spectra of short windows can be compared.

Losses: distance of mel and log spectra at four resolutions (arXiv 1910.11480), an energy distance where there is no
voice (arXiv 2008.01160); phase of the voice's filter; pitch class; on request those of discriminators of spectrograms
(arXiv 2106.07889), least squares with feature matching.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn
from tqdm.auto import tqdm

from compute.unfinished import fingerprints
from part2_solution import Run, StepConfig, TrainingState, masked_mean
from recipe import command_line, prepare
from recipe.discriminator import Discriminator, Judgement, discriminator_loss, generator_losses, mean
from vocoder import network, stored, weights
from vocoder.network import MARGIN
from vocoder.settings import check_number
from vocoder.spectrogram import (
    FFT_SIZE,
    FRAME_MILLISECONDS,
    N_FREQUENCIES,
    SAMPLING_RATE,
    STFT_HOP_LENGTH,
    mel_bands,
    mel_spectrogram,
)

CONFIG = StepConfig(batch_size=16, warmup_steps=500)  # the defaults here
CROP_FRAMES = 64
RESOLUTIONS = {256: 24, 512: 40, 1024: 80, 2048: 128}  # samples of the window: mel bands
JUDGED_RESOLUTIONS = (256, 1024)
LOSS_WEIGHTS = {"mel": 1.0, "stft": 0.5, "phase": 0.5, "pitch": 0.1}
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.1, 0.3
FLOOR = 1e-4  # of amplitudes, whose logarithms are compared
HIGHEST_PITCH = 500.0  # Hz
SAVE_EVERY = 200  # steps
LOG_EVERY = 25


# -------- Recordings -------------------------------------------------------------------------------------------------


class Recording(NamedTuple):
    """An utterance and where its voice is in its period. T frames, S samples."""

    name: str
    audio: np.ndarray  # (S,) int16
    phase: np.ndarray  # (S,) uint16, of the fundamental, 65 536 a period
    pitch: np.ndarray  # (T,) Hz, interpolated where there is no voice
    voiced: np.ndarray  # (T,) bool
    spectrograms: list[np.ndarray]  # (80, T) each: the real one and predicted ones


def track_pitch(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S,) -> F0 in Hz of each frame, interpolated where there is no voice, and where there is one.

    DIO and StoneMask (Morise 2009): twenty times as fast as Harvest and stricter about what is voice.
    """
    try:
        import pyworld
    except ImportError as error:
        raise ModuleNotFoundError(f"training needs pyworld ({error}): pip install -r requirements-eval.txt") from error
    limits = {"f0_floor": network.Config.lowest_pitch, "f0_ceil": HIGHEST_PITCH, "frame_period": FRAME_MILLISECONDS}
    samples = audio.astype(np.float64)
    rough, times = pyworld.dio(samples, SAMPLING_RATE, **limits)
    pitch = pyworld.stonemask(samples, rough, times, SAMPLING_RATE)
    voiced = pitch > 0
    return (np.interp(times, times[voiced], pitch[voiced]) if voiced.any() else pitch + 200.0), voiced


def fundamental_phase(audio: np.ndarray, pitch: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """(S,) samples and (T,) frames -> (S,) phase of the fundamental in cycles; without voice, on between the voiced.

    The recording, turned back by the pitch and smoothed, shows how far its fundamental runs ahead of the pitch's sum.
    """
    places, frames = np.arange(len(audio)), np.arange(len(pitch)) * STFT_HOP_LENGTH
    running = np.cumsum(np.interp(places, frames, pitch) / SAMPLING_RATE)
    turned = torch.as_tensor(audio * np.exp(-2j * np.pi * running))
    window = torch.hann_window(FFT_SIZE, dtype=torch.float64)
    real, imaginary = (torchaudio.functional.fftconvolve(part, window, "same") for part in (turned.real, turned.imag))
    with_voice = np.interp(places, frames, voiced) > 0.5
    if not with_voice.any():
        return running
    ahead = np.unwrap(np.arctan2(imaginary.numpy(), real.numpy())[with_voice]) / (2 * np.pi)
    return running + np.interp(places, places[with_voice], ahead)


def analyse(path: pathlib.Path, predicted: Sequence[pathlib.Path]) -> Recording | None:
    """One recording; None where it is shorter than a crop. ValueError where a predicted spectrogram is not its own."""
    audio = prepare.read_audio(path)
    real = mel_spectrogram(audio)
    n_frames = real.shape[1]
    if n_frames < CROP_FRAMES + 2 * MARGIN + 1:
        return None
    pitch, voiced = (part[:n_frames] for part in track_pitch(audio))
    phase = fundamental_phase(audio, pitch, voiced)
    files = [folder / f"{path.stem}.mel.npy" for folder in predicted]
    spectrograms = [real, *(stored.read_spectrogram(file) for file in files if file.exists())]
    for spectrogram in spectrograms:
        if spectrogram.shape != real.shape:
            raise ValueError(f"{path.stem}: {spectrogram.shape} is predicted, {real.shape} recorded: predict again")
    samples = (audio * 32767).round().astype(np.int16), (phase % 1 * 65536).astype(np.uint16)
    halves = [spectrogram.astype(np.float16) for spectrogram in spectrograms]
    return Recording(path.stem, *samples, pitch.astype(np.float32), voiced, halves)


def analyse_all(paths: Sequence[pathlib.Path], predicted: Sequence[pathlib.Path]) -> list[Recording | None]:
    work = functools.partial(analyse, predicted=predicted)
    with torch.multiprocessing.Pool(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(tqdm(pool.imap(work, paths), total=len(paths), desc="analysing", unit="recording"))


def read_recordings(
    root: pathlib.Path, predicted: Sequence[pathlib.Path]
) -> tuple[list[Recording], list[Recording]]:
    """(training, held out): by name, as `lj_speech.get_dataset` divides. FileNotFoundError where there are too few."""
    files = sorted(prepare.find_audio(root).values(), key=lambda path: path.stem)
    found, n_val = analyse_all(files, predicted), max(1, min(100, len(files) // 20))
    training, held_out = ([item for item in part if item is not None] for part in (found[n_val:], found[:n_val]))
    if not training or not held_out:
        raise FileNotFoundError(f"{root} holds {len(files)} recordings, of which too few are over a second long")
    return training, held_out


class Crops(NamedTuple):
    """CROP_FRAMES = T of several recordings; S samples reach half a window over the first and last frame's middle."""

    spectrograms: Tensor  # (B, M, T)
    audio: Tensor  # (B, S) in [-1, 1]
    phase: Tensor  # (B, S) in cycles
    cycles: Tensor  # (B, S), pitch in cycles a sample
    pitch: Tensor  # (B, T) Hz
    voiced: Tensor  # (B, T) bool
    measured: Tensor  # (B,) bool, whether the spectrogram is the recording's own

    def to(self, device: torch.device) -> Crops:
        return Crops(*(tensor.to(device, non_blocking=True) for tensor in self))


def random_crop(recording: Recording, rng: np.random.Generator) -> tuple:
    n_frames = recording.pitch.shape[0]
    first = rng.integers(MARGIN, n_frames - CROP_FRAMES - MARGIN)
    frames = slice(first, first + CROP_FRAMES)
    begin = (first - MARGIN) * STFT_HOP_LENGTH
    samples = slice(begin, begin + (CROP_FRAMES + 2 * MARGIN - 1) * STFT_HOP_LENGTH)
    choice = int(rng.integers(len(recording.spectrograms)))
    spectrogram = recording.spectrograms[choice][:, frames]
    around = recording.pitch[first - MARGIN : first + CROP_FRAMES + MARGIN]
    places = np.arange(samples.stop - samples.start) / STFT_HOP_LENGTH
    cycles = np.interp(places, np.arange(len(around)), around) / SAMPLING_RATE
    audio, phase = recording.audio[samples] / 32767, recording.phase[samples] / 65536
    return spectrogram, audio, phase, cycles, recording.pitch[frames], recording.voiced[frames], choice == 0


def random_batches(recordings: Sequence[Recording], batch_size: int, seed: int) -> Iterator[Crops]:
    """Endless; longer recordings come more often."""
    rng = np.random.default_rng(seed)
    lengths = np.array([len(recording.pitch) for recording in recordings], dtype=float)
    while True:
        chosen = rng.choice(len(recordings), batch_size, p=lengths / lengths.sum())
        columns = zip(*(random_crop(recordings[index], rng) for index in chosen))
        tensors = [torch.as_tensor(np.stack(column)) for column in columns]
        yield Crops(*(tensor if tensor.dtype == torch.bool else tensor.float() for tensor in tensors))


# -------- Losses -----------------------------------------------------------------------------------------------------


@functools.cache
def analysis(n_samples: int, n_bands: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Hann window (W,) and mel filters (F, M), each of sum 1."""
    bands = torchaudio.functional.melscale_fbanks(n_samples // 2 + 1, 0, SAMPLING_RATE / 2, n_bands, SAMPLING_RATE)
    return torch.hann_window(n_samples, device=device), (bands / bands.sum(0).clamp_min(1e-3)).to(device)


def amplitudes(audio: Tensor, n_samples: int) -> Tensor:
    """(B, S) -> (B, T, F): magnitudes of windows of n_samples, a sinus of amplitude 1 having about 1."""
    window, _ = analysis(n_samples, RESOLUTIONS[n_samples], audio.device)
    spectra = torch.stft(audio, n_samples, n_samples // 4, window=window, center=False, return_complex=True).mT
    return torch.view_as_real(spectra * (4 / n_samples)).square().sum(-1).add(1e-12).sqrt()


def log_spectra(audio: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(B, S) -> log amplitudes (B, T, M) in bands and (B, T, F) in single frequencies, at each of RESOLUTIONS."""
    found = []
    for n_samples, n_bands in RESOLUTIONS.items():
        single, (_, bands) = amplitudes(audio, n_samples), analysis(n_samples, n_bands, audio.device)
        found.append(((single @ bands + FLOOR / 10).log(), (single + FLOOR).log()))
    return found


def distances(some: list, others: list, frames: Tensor | None = None) -> dict[str, Tensor]:
    """Two of `log_spectra` -> `mel` and `stft`: mean |difference|; what is not in `frames` (B, T) counts as none."""
    losses = {"mel": [], "stft": []}
    for pairs in zip(some, others):
        for name, a, b in zip(losses, *pairs):
            apart = (a - b).abs().mean(2)
            if frames is not None:
                apart = apart * F.interpolate(frames[:, None].float(), size=apart.shape[1])[:, 0]
            losses[name].append(apart.mean())
    return {name: torch.stack(parts).mean() for name, parts in losses.items()}


def spectral_losses(predicted: Tensor, real: Tensor) -> dict[str, Tensor]:
    """(B, S) each -> `mel` and `stft`: mean |difference| of log amplitudes, in bands and in single frequencies."""
    return distances(log_spectra(predicted), log_spectra(real))


def energy_distances(attempts: Sequence[Tensor], real: Tensor, unvoiced: Tensor) -> dict[str, Tensor]:
    """As `spectral_losses`, of two `attempts` (B, S) that differ in their noise, less half of what is between them.

    The loss alone is least for the middle of what may be heard, which has no chance in it: it prefers pulses to noise.
    With the second term it is least for noise that varies as that of the recording does (arXiv 2008.01160). It counts
    in frames without voice, `unvoiced` (B, T).
    """
    first, second, recorded = (log_spectra(audio) for audio in (*attempts, real))
    to_first, to_second = (distances(attempt, recorded) for attempt in (first, second))
    between = distances(first, second, unvoiced)
    return {name: (to_first[name] + to_second[name] - between[name]) / 2 for name in between}


def phase_loss(voice: Tensor, pulse_spectra: Tensor, spectra: Tensor, voiced: Tensor) -> Tensor:
    """1 - cosine of the angle between the filtered pulses and the recording, where the pulses have their energy."""
    angle = torch.angle(voice) + torch.angle(pulse_spectra * spectra.conj())
    weight = pulse_spectra.abs() * spectra.abs() * voiced[..., None]
    return (weight * (1 - angle.cos())).sum() / weight.sum().clamp_min(1e-6)


def pitch_loss(model: network.Vocoder, logits: Tensor, crops: Crops) -> Tensor:
    """Cross-entropy of the voiced frames, the right class being blurred by 25 cents (arXiv 1802.06182 §2.1)."""
    cents = 1200 * (crops.pitch[..., None] / model.pitches).log2()
    target = (-0.5 * (cents / 25).square()).softmax(-1)
    return masked_mean(-(target * logits.log_softmax(-1)).sum(-1), crops.voiced)


class Discriminators(nn.Module):
    """(B, S) audio -> a judgement of its log spectrum at each of JUDGED_RESOLUTIONS."""

    def __init__(self, channels: tuple[int, ...] = (16, 32, 32, 32)):
        super().__init__()
        self.judges = nn.ModuleList(Discriminator(channels) for _ in JUDGED_RESOLUTIONS)

    def forward(self, audio: Tensor) -> list[Judgement]:
        spectra = [(amplitudes(audio, n_samples) + FLOOR).log() / 3 + 2 for n_samples in JUDGED_RESOLUTIONS]
        return [judgement for judge, spectrum in zip(self.judges, spectra) for judgement in judge(spectrum)]


def predict(model: network.Vocoder, crops: Crops) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The losses without discriminators, and the audio for them: the real one, then the predicted one."""
    filters = model.predict_filters(crops.spectrograms)
    with torch.autocast(crops.audio.device.type, enabled=False):
        pulses = network.spectra(network.pulses(crops.phase, crops.cycles), model.window) / (FFT_SIZE / 4)
        edge, band_correction = FFT_SIZE // 2, crops.measured[:, None, None].float()
        attempts = []
        for _ in range(2):
            noise = network.even(network.spectra(torch.randn_like(crops.audio), model.window))
            rough = model.render(filters, pulses, noise)
            attempts.append(model.correct(rough, crops.spectrograms, band_correction)[:, edge:-edge])
        real = crops.audio[:, edge:-edge]
        losses = energy_distances(attempts, real, ~crops.voiced)
        recorded = network.spectra(crops.audio, model.window)
        losses["phase"] = phase_loss(filters.voice, pulses, recorded, crops.voiced)
        losses["pitch"] = pitch_loss(model, filters.pitch_logits, crops)
    losses["loss"] = sum(weight * losses[name] for name, weight in LOSS_WEIGHTS.items())
    return losses, [real, attempts[0]]


def take_step(state: TrainingState, crops: Crops, judge: TrainingState | None) -> dict[str, Tensor]:
    """Predict, let the discriminators step if they take part, then the vocoder; returns the losses."""
    with state.autocast():
        losses, sides = predict(state.model, crops)
    if judge is None:
        return state.descend(losses)
    judged = judge.train([side.detach() for side in sides], discriminator_loss)
    with state.autocast():
        parts = generator_losses(judge.model, sides)
    adversarial = ADVERSARIAL_WEIGHT * parts["adversarial"] + FEATURE_WEIGHT * parts["feature_matching"]
    return state.descend({**losses, **parts, "loss": losses["loss"] + adversarial}) | {"discriminator": judged["loss"]}


# -------- Training ---------------------------------------------------------------------------------------------------


def set_prior(model: network.Vocoder) -> None:
    """Mel bands, and log amplitudes from log-mel values: linear between the middles of the bands, then the last's."""
    bands = mel_bands()  # (F, M)
    frequencies = np.arange(N_FREQUENCIES)
    middles = (frequencies @ bands) / bands.sum(0)
    interpolation = np.stack([np.interp(frequencies, middles, unit) for unit in np.eye(bands.shape[1])], axis=1)
    model.bands.copy_(torch.as_tensor(bands))
    model.prior.copy_(torch.as_tensor(interpolation))
    model.prior_offset.copy_(torch.as_tensor(-interpolation @ np.log(bands.sum(0))))


@torch.inference_mode()
def evaluate(state: TrainingState, recordings: Sequence[Recording], writer) -> dict[str, Tensor]:
    """The averaged vocoder, with its own pitch, on the held-out recordings' real spectrograms, and one of its audio."""
    model, measures = state.average.module, []
    for index, recording in enumerate(recordings):
        spectrogram = torch.as_tensor(recording.spectrograms[0][None], device=state.device).float()
        predicted, length = model(spectrogram), len(recording.audio)
        real = torch.as_tensor(recording.audio[None] / 32767, device=state.device).float()
        pitch = model.decode_pitch(model.predict_filters(spectrogram).pitch_logits)[0].cpu().numpy()
        cents = 1200 * np.abs(np.log2(pitch / recording.pitch))[recording.voiced]
        measures.append({**spectral_losses(predicted[:, :length], real), "pitch_cents": torch.tensor(np.median(cents)),
                         "pitch_wrong": torch.tensor((cents > 50).mean())})  # fmt: skip
        if index == 0:
            writer.add_audio("predicted", predicted[0, :length], state.step, sample_rate=SAMPLING_RATE)
    return {name: mean(one[name].float() for one in measures) for name in measures[0]}


def train(
    audio_root: pathlib.Path, out: pathlib.Path, n_steps: int, *, adversarial_from: int | None = None,
    predicted: Sequence[pathlib.Path] = (), init: pathlib.Path | None = None,
    model_config: network.Config = network.Config(), config: StepConfig = CONFIG,
    logdir: str | pathlib.Path = "runs/vocoder",
) -> None:  # fmt: skip
    """Train on the recordings in `audio_root` and write the averaged weights to `out`.

    adversarial_from    step from which the discriminators take part; None: they never do
    predicted           folders of ID.mel.npy: the acoustic model's spectrograms of these recordings
    init                weights to start from instead of random ones

    An interrupted run resumes from `logdir`. Raises FileNotFoundError or ValueError for unusable files.
    """
    check_number("n_steps", n_steps, 1, 10**9, whole=True)
    adversarial_from = n_steps if adversarial_from is None else adversarial_from
    check_number("adversarial_from", adversarial_from, 0, 10**9, whole=True)
    weights.check_destination(out)
    torch.manual_seed(config.seed)
    model, before = network.load(init) if init else network.Vocoder(model_config), previous_runs(init)
    hashes = [fingerprints(folder=folder)["folder"] for folder in (audio_root, *predicted)]
    training, held_out = read_recordings(audio_root, predicted)
    settings = {
        "n_steps": n_steps, "adversarial_from": adversarial_from, "init": weights.checksum(init) if init else None,
        "predicted": [folder.name for folder in predicted], "n_recordings": len(training), **asdict(config),
        "hashes": hashes,
    }  # fmt: skip
    set_prior(model.requires_grad_())
    with Run(pathlib.Path(logdir), settings, resume=True) as run:
        for state, judge in take_steps(model, training, adversarial_from, n_steps, config, run):
            run.log("validation", state, evaluate(state, held_out, run.writer))
            run.save("vocoder", state, judge=judge.state_dict())
            network.save(state.average.module, out, [*before, {**settings, "reached": state.step}])


def take_steps(
    model: network.Vocoder, training: Sequence[Recording], adversarial_from: int, n_steps: int, config: StepConfig,
    run: Run,
) -> Iterator[tuple[TrainingState, TrainingState]]:  # fmt: skip
    """From where an unfinished run was; now and then, and at the end, yields the state and the discriminators'."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, discriminators = model.to(device), Discriminators().to(device)
    state = TrainingState(model, [model], n_steps, config)
    judge = TrainingState(discriminators, [discriminators], max(1, n_steps - adversarial_from), config)
    run.restore(state, judge=judge)
    model.train()
    batches = random_batches(training, config.batch_size, config.seed + state.step)
    with tqdm(desc="vocoder", initial=state.step, total=n_steps, unit="step") as bar:
        while state.step < n_steps:
            against = judge if state.step >= adversarial_from else None
            losses = take_step(state, next(batches).to(device), against)
            bar.update()
            if state.step == 1 or state.step % LOG_EVERY == 0:
                run.log("vocoder", state, losses)
                bar.set_postfix(loss=f"{float(losses['loss']):.3f}")
            if state.step % SAVE_EVERY == 0 or state.step == n_steps:
                yield state, judge


def previous_runs(path: pathlib.Path | None) -> list[dict]:
    """The record of the trainings that led to these weights."""
    runs = weights.read_training(path).get("runs", []) if path else []
    if not isinstance(runs, list):
        raise ValueError(f"{path} holds no list of its trainings but {runs!r:.40}: take another file")
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("train-vocoder", "Train the vocoder on a folder of recordings.")
    parser.add_argument("audio", type=pathlib.Path, help="folder of ID.wav or ID.flac")
    parser.add_argument("--predicted", type=pathlib.Path, action="append", default=[], help="what `predict` wrote")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--init", type=pathlib.Path, help="weights to go on from")
    parser.add_argument("--expansion", type=int, default=network.Config.expansion,
                        help="hidden units of a block over its width (default: %(default)s)")  # fmt: skip
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--adversarial-from", type=int, help="step from which discriminators take part")
    parser.add_argument("--logdir", type=pathlib.Path, default="runs/vocoder", help="default: %(default)s")
    command_line.add_settings(parser, CONFIG)
    command_line.run(parser, arguments, lambda options: train(
        options.audio, options.out, options.steps, adversarial_from=options.adversarial_from,
        predicted=options.predicted, init=options.init, config=command_line.read_settings(options, CONFIG),
        model_config=network.Config(expansion=options.expansion), logdir=options.logdir,
    ))  # fmt: skip
