"""Training of the vocoder: recordings, and what the acoustic model makes of them.

    python train_vocoder.py predict TTS.pth LJ-Speech-aligned --out predicted    # spectrograms as the voice makes them
    python train_vocoder.py imitate TTS.pth LJ-durations --out imitated          # HiFi-GAN speaks those of other texts
    python train_vocoder.py train CLIPS --predicted predicted --out vocoder.pth --steps 20000

Each step takes crops of recordings with their spectrogram, real or predicted with the recording's durations, and
compares what the vocoder makes of it with the recording. The pulses have to fall where they fall in the recording, so
in training their phase is that of the recording's fundamental, not the sum over the predicted pitch. Then the waveforms
are alike pulse by pulse, and even spectra of short windows can be compared.

Losses: distance of mel and log spectra at four resolutions (arXiv 1910.11480), an energy distance where there is no
voice (arXiv 2008.01160); phase of the voice's filter; pitch class; on request those of discriminators of spectrograms
(arXiv 2106.07889), least squares with feature matching.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn
from tqdm.auto import tqdm

import adversarial
import lj_speech
import part2_solution as tts
import prepare_data
import vocoder
from batching import Vocabulary, collate, denormalise, length_mask
from lj_speech import FRAME_MILLISECONDS, MEL_SCALE_BINS, SAMPLING_RATE, STFT_HOP_LENGTH
from pitch import WithPitch
from training import Run, Stage, StepConfig, checksum, read_saved, save_model

CROP_FRAMES = 64
RESOLUTIONS = {256: 24, 512: 40, 1024: 80, 2048: 128}  # samples of the window: mel bands
JUDGED_RESOLUTIONS = (256, 1024)
MEL_WEIGHT, STFT_WEIGHT, PHASE_WEIGHT, PITCH_WEIGHT = 1.0, 0.5, 0.5, 0.1
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.1, 0.3
FLOOR = 1e-4  # of amplitudes, whose logarithms are compared
HIGHEST_PITCH = 500.0  # Hz
SAVE_EVERY = 200  # steps


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
    limits = {"f0_floor": vocoder.Config.lowest_pitch, "f0_ceil": HIGHEST_PITCH, "frame_period": FRAME_MILLISECONDS}
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
    window = torch.hann_window(vocoder.FFT_SIZE, dtype=torch.float64)
    real, imaginary = (torchaudio.functional.fftconvolve(part, window, "same") for part in (turned.real, turned.imag))
    with_voice = np.interp(places, frames, voiced) > 0.5
    if not with_voice.any():
        return running
    ahead = np.unwrap(np.arctan2(imaginary.numpy(), real.numpy())[with_voice]) / (2 * np.pi)
    return running + np.interp(places, places[with_voice], ahead)


def analyse(path: pathlib.Path, predicted: Sequence[pathlib.Path]) -> Recording | None:
    """One recording; None where it is shorter than a crop. ValueError where a predicted spectrogram is not its own."""
    audio = prepare_data.read_audio(path).numpy()
    real = prepare_data.mel_spectrogram(torch.as_tensor(audio)).numpy()
    n_frames = real.shape[1]
    if n_frames < CROP_FRAMES + 2 * vocoder.MARGIN + 1:
        return None
    pitch, voiced = (part[:n_frames] for part in track_pitch(audio))
    phase = fundamental_phase(audio, pitch, voiced)
    files = [folder / f"{path.stem}.mel.npy" for folder in predicted]
    spectrograms = [real, *(np.load(file) for file in files if file.exists())]
    for spectrogram in spectrograms:
        if spectrogram.shape != real.shape:
            raise ValueError(f"{path.stem}: {spectrogram.shape} is predicted, {real.shape} recorded: predict again")
    samples = (audio * 32767).round().astype(np.int16), (phase % 1 * 65536).astype(np.uint16)
    stored = [spectrogram.astype(np.float16) for spectrogram in spectrograms]
    return Recording(path.stem, *samples, pitch.astype(np.float32), voiced, stored)


def analyse_all(paths: Sequence[pathlib.Path], predicted: Sequence[pathlib.Path]) -> list[Recording | None]:
    work = functools.partial(analyse, predicted=predicted)
    with torch.multiprocessing.Pool(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(tqdm(pool.imap(work, paths), total=len(paths), desc="analysing", unit="recording"))


def read_recordings(
    root: pathlib.Path, predicted: Sequence[pathlib.Path], imitated: Sequence[pathlib.Path] = ()
) -> tuple[list[Recording], list[Recording]]:
    """(training, held out): by name, as `lj_speech.get_dataset` divides; what is imitated is for training.

    FileNotFoundError where there are too few.
    """
    files = sorted(prepare_data.find_audio(root).values(), key=lambda path: path.stem)
    found, n_val = analyse_all(files, predicted), max(1, min(100, len(files) // 20))
    more = []
    for folder in imitated:
        more += analyse_all(list(prepare_data.find_audio(folder).values()), [folder])
    training, held_out = ([item for item in part if item is not None] for part in (found[n_val:] + more, found[:n_val]))
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
    first = rng.integers(vocoder.MARGIN, n_frames - CROP_FRAMES - vocoder.MARGIN)
    frames = slice(first, first + CROP_FRAMES)
    begin = (first - vocoder.MARGIN) * STFT_HOP_LENGTH
    samples = slice(begin, begin + (CROP_FRAMES + 2 * vocoder.MARGIN - 1) * STFT_HOP_LENGTH)
    choice = int(rng.integers(len(recording.spectrograms)))
    spectrogram = recording.spectrograms[choice][:, frames]
    around = recording.pitch[first - vocoder.MARGIN : first + CROP_FRAMES + vocoder.MARGIN]
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


def pitch_loss(model: vocoder.Vocoder, logits: Tensor, crops: Crops) -> Tensor:
    """Cross-entropy of the voiced frames, the right class being blurred by 25 cents (arXiv 1802.06182 §2.1)."""
    cents = 1200 * (crops.pitch[..., None] / model.pitches).log2()
    target = (-0.5 * (cents / 25).square()).softmax(-1)
    return tts.masked_mean(-(target * logits.log_softmax(-1)).sum(-1), crops.voiced)


class Discriminators(nn.Module):
    """(B, S) audio -> a judgement of its log spectrum at each of JUDGED_RESOLUTIONS."""

    def __init__(self, channels: tuple[int, ...] = (16, 32, 32, 32)):
        super().__init__()
        self.judges = nn.ModuleList(adversarial.Discriminator(channels) for _ in JUDGED_RESOLUTIONS)

    def forward(self, audio: Tensor) -> list[adversarial.Judgement]:
        return [
            judge((amplitudes(audio, n_samples) + FLOOR).log() / 3 + 2)
            for judge, n_samples in zip(self.judges, JUDGED_RESOLUTIONS)
        ]


def discriminator_loss(discriminators: Discriminators, pair: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    real, predicted = (discriminators(side) for side in pair)
    losses = [(a.scores - 1).square().mean() + b.scores.square().mean() for a, b in zip(real, predicted)]
    return {"loss": torch.stack(losses).mean()}


def adversarial_losses(opponent: Stage, real: Tensor, predicted: Tensor) -> dict[str, Tensor]:
    """Lets the discriminators take their step, then judges by them."""
    judging = opponent.train((real, predicted.detach()), discriminator_loss)["loss"]
    discriminators = opponent.model.requires_grad_(False)
    with torch.no_grad():
        genuine = discriminators(real)
    fake = discriminators(predicted)
    discriminators.requires_grad_(True)
    passing = torch.stack([(judgement.scores - 1).square().mean() for judgement in fake]).mean()
    pairs = [pair for a, b in zip(fake, genuine) for pair in zip(a.features, b.features)]
    matching = torch.stack([F.l1_loss(a, b) for a, b in pairs]).mean()
    return {"adversarial": passing, "feature_matching": matching, "discriminator": judging}


def vocoder_loss(model: vocoder.Vocoder, crops: Crops, opponent: Stage | None) -> dict[str, Tensor]:
    """All losses of one batch; without an opponent none is adversarial."""
    filters = model.predict_filters(crops.spectrograms)
    with torch.autocast(crops.audio.device.type, enabled=False):
        pulse_spectra = vocoder.spectra(vocoder.pulses(crops.phase, crops.cycles), model.window) / (
            vocoder.FFT_SIZE / 4
        )
        edge, trust = vocoder.FFT_SIZE // 2, crops.measured[:, None, None].float()
        attempts = []
        for _ in range(2):
            noise_spectra = vocoder.even(vocoder.spectra(torch.randn_like(crops.audio), model.window))
            rough = model.render(filters, pulse_spectra, noise_spectra)
            attempts.append(model.correct(rough, crops.spectrograms, trust)[:, edge:-edge])
        real = crops.audio[:, edge:-edge]
        losses = energy_distances(attempts, real, ~crops.voiced)
        recorded = vocoder.spectra(crops.audio, model.window)
        losses["phase"] = phase_loss(filters.voice, pulse_spectra, recorded, crops.voiced)
        losses["pitch"] = pitch_loss(model, filters.pitch_logits, crops)
    loss = MEL_WEIGHT * losses["mel"] + STFT_WEIGHT * losses["stft"]
    loss = loss + PHASE_WEIGHT * losses["phase"] + PITCH_WEIGHT * losses["pitch"]
    if opponent is not None:
        losses |= adversarial_losses(opponent, real, attempts[0])
        loss = loss + ADVERSARIAL_WEIGHT * losses["adversarial"] + FEATURE_WEIGHT * losses["feature_matching"]
    return {"loss": loss, **losses}


# -------- Training ---------------------------------------------------------------------------------------------------


def set_prior(model: vocoder.Vocoder) -> None:
    """Mel bands, and log amplitudes from log-mel values: linear between the middles of the bands, then the last's."""
    bands = torchaudio.functional.melscale_fbanks(
        vocoder.N_FREQUENCIES, 0, prepare_data.MAX_FREQUENCY, MEL_SCALE_BINS, SAMPLING_RATE, "slaney", "slaney"
    ).numpy()  # (F, M)
    frequencies = np.arange(vocoder.N_FREQUENCIES)
    middles = (frequencies @ bands) / bands.sum(0)
    interpolation = np.stack([np.interp(frequencies, middles, unit) for unit in np.eye(MEL_SCALE_BINS)], axis=1)
    model.bands.copy_(torch.as_tensor(bands))
    model.prior.copy_(torch.as_tensor(interpolation))
    model.prior_offset.copy_(torch.as_tensor(-interpolation @ np.log(bands.sum(0))))


@torch.inference_mode()
def evaluate(stage: Stage, recordings: Sequence[Recording], writer) -> dict[str, Tensor]:
    """The averaged vocoder, with its own pitch, on the held-out recordings' real spectrograms, and one of its audio."""
    model, measures = stage.average, []
    for index, recording in enumerate(recordings):
        spectrogram = torch.as_tensor(recording.spectrograms[0][None], device=stage.device).float()
        predicted, length = model(spectrogram), len(recording.audio)
        real = torch.as_tensor(recording.audio[None] / 32767, device=stage.device).float()
        pitch = model.decode_pitch(model.predict_filters(spectrogram).pitch_logits)[0].cpu().numpy()
        cents = 1200 * np.abs(np.log2(pitch / recording.pitch))[recording.voiced]
        measures.append({**spectral_losses(predicted[:, :length], real), "pitch_cents": torch.tensor(np.median(cents)),
                         "pitch_wrong": torch.tensor((cents > 50).mean())})  # fmt: skip
        if index == 0:
            writer.add_audio("predicted", predicted[0, :length], stage.step, sample_rate=SAMPLING_RATE)
    return {name: torch.stack([one[name].float() for one in measures]).mean() for name in measures[0]}


def train(
    audio_root: pathlib.Path, out: pathlib.Path, n_steps: int, *, adversarial_from: int | None = None,
    predicted: Sequence[pathlib.Path] = (), imitated: Sequence[pathlib.Path] = (), init: pathlib.Path | None = None,
    model_config: vocoder.Config = vocoder.Config(),
    config: StepConfig = StepConfig(batch_size=16, learning_rate=1e-3, warmup_steps=500),
    logdir: str | pathlib.Path = "runs/vocoder",
) -> None:  # fmt: skip
    """Train on the recordings in `audio_root` and write the averaged weights to `out`.

    imitated            folders that `imitate` wrote: more recordings to train on
    adversarial_from    step from which the discriminators take part; None: they never do
    predicted           folders of ID.mel.npy: the acoustic model's spectrograms of these recordings
    init                weights to start from instead of random ones

    An interrupted run resumes from `logdir`. Raises FileNotFoundError or ValueError for unusable files.
    """
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    adversarial_from = n_steps if adversarial_from is None else adversarial_from
    source = {"init": init and checksum(init), "predicted": [folder.name for folder in predicted],
              "imitated": [folder.name for folder in imitated]}  # fmt: skip
    settings = {"n_steps": n_steps, "adversarial_from": adversarial_from, **source, **asdict(config)}
    run = Run(pathlib.Path(logdir), settings, resume=True)
    training, held_out = read_recordings(audio_root, predicted, imitated)
    model = vocoder.load(init).requires_grad_() if init else vocoder.Vocoder(model_config)
    set_prior(model)
    model, discriminators = model.to(device), Discriminators().to(device)
    stage = Stage(model, [model], config.learning_rate, n_steps, config)
    n_judged = max(1, n_steps - adversarial_from)
    opponent = Stage(discriminators, [discriminators], config.learning_rate, n_judged, config)
    if run.state is not None:
        opponent.load_state_dict(run.state["opponent"])
        stage.load_state_dict(run.state)
    model.train()
    batches = random_batches(training, config.batch_size, config.seed + stage.step)
    bar = tqdm(range(stage.step, n_steps), initial=stage.step, total=n_steps, unit="step")
    for step in bar:
        against = opponent if step >= adversarial_from else None
        losses = stage.train(next(batches).to(device), functools.partial(vocoder_loss, opponent=against))
        if stage.step % 25 == 0:
            run.log("vocoder", stage, losses)
        if stage.step % SAVE_EVERY == 0 or stage.step == n_steps:
            measures = evaluate(stage, held_out, run.writer)
            run.log("validation", stage, measures)
            bar.write(f"{stage.step}: " + ", ".join(f"{name} {float(value):.3f}" for name, value in measures.items()))
            run.save("vocoder", stage, opponent=opponent.state_dict())
            save_model(stage.average, out, {"runs": [*previous_runs(init), {**settings, "reached": stage.step}]})
    run.state_path.unlink(missing_ok=True)


def previous_runs(path: pathlib.Path | None) -> list:
    return read_saved(path, "")["training"]["runs"] if path else []


@torch.inference_mode()
def predict(checkpoint_path: pathlib.Path, dataset_root: pathlib.Path, out: pathlib.Path) -> None:
    """Write to `out` the spectrogram of each utterance as the voice makes it with the recording's durations."""
    model = tts.load_checkpoint(checkpoint_path)
    vocabulary = Vocabulary(model.config.vocabulary)
    out.mkdir(parents=True, exist_ok=True)
    for dataset in lj_speech.get_dataset(dataset_root):
        for path, sample in zip(tqdm(dataset.mel_paths), WithPitch(dataset, model.config.vocabulary)):
            prediction = model(collate(vocabulary, [sample]))
            write_spectrogram(out / path.name, denormalise(prediction.mels[0]).T)


@torch.inference_mode()
def imitate(checkpoint_path: pathlib.Path, texts_root: pathlib.Path, out: pathlib.Path, n: int, seed: int = 0) -> None:
    """Write to `out` n sentences of `texts_root` as HiFi-GAN speaks the voice's spectrograms: ID.wav and ID.mel.npy.

    The durations are those of the speaker, the melody varies as in `adversarial`. It is written again where it was.
    """
    torch.manual_seed(seed)
    model, teacher = tts.load_checkpoint(checkpoint_path), lj_speech.Vocoder("hifigan")
    vocabulary, alignments = Vocabulary(model.config.vocabulary), adversarial.read_texts(texts_root, model.config)
    chosen = np.random.default_rng(seed).permutation(len(alignments))[:n]
    out.mkdir(parents=True, exist_ok=True)
    for number, index in enumerate(tqdm(chosen, unit="sentence")):
        batch = collate(vocabulary, adversarial.with_melody([alignments[index]], model))
        batch = adversarial.vary_pitch(batch)._replace(frame_mask=length_mask(batch.durations.sum(1)))
        mel = denormalise(model(batch).mels[0]).T
        audio = F.pad(teacher(mel)[0, teacher.delay :], (0, teacher.delay))[: (mel.shape[1] - 1) * STFT_HOP_LENGTH + 1]
        soundfile.write(out / f"text{number:05d}.wav", audio.numpy(), SAMPLING_RATE)
        write_spectrogram(out / f"text{number:05d}.mel.npy", mel)


def write_spectrogram(path: pathlib.Path, spectrogram: Tensor) -> None:
    """(80, T) in fp16, to a temporary name and renamed."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.save(file, spectrogram.numpy().astype(np.float16))
    temporary.rename(path)


# -------- Command line -----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the vocoder.")
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train", help="train on a folder of recordings")
    training.add_argument("audio", type=pathlib.Path, help="folder of ID.wav or ID.flac")
    training.add_argument("--predicted", type=pathlib.Path, action="append", default=[], help="what `predict` wrote")
    training.add_argument("--imitated", type=pathlib.Path, action="append", default=[], help="what `imitate` wrote")
    training.add_argument("--out", type=pathlib.Path, required=True)
    training.add_argument("--init", type=pathlib.Path, help="weights to go on from")
    training.add_argument("--expansion", type=int, default=vocoder.Config.expansion, help="of blocks without --init")
    training.add_argument("--steps", type=int, required=True)
    training.add_argument("--adversarial-from", type=int, help="step from which discriminators take part")
    training.add_argument("--batch-size", type=int, default=16)
    training.add_argument("--learning-rate", type=float, default=1e-3)
    training.add_argument("--amp", default="auto", choices=["auto", "bf16", "fp16", "fp32"])
    training.add_argument("--logdir", type=pathlib.Path, default="runs/vocoder")
    predicting = commands.add_parser("predict", help="spectrograms of a voice with the recordings' durations")
    predicting.add_argument("checkpoint", type=pathlib.Path)
    predicting.add_argument("dataset", type=pathlib.Path)
    predicting.add_argument("--out", type=pathlib.Path, required=True)
    imitating = commands.add_parser("imitate", help="HiFi-GAN speaks spectrograms of a voice")
    imitating.add_argument("checkpoint", type=pathlib.Path)
    imitating.add_argument("texts", type=pathlib.Path, help="alignments without recordings")
    imitating.add_argument("--out", type=pathlib.Path, required=True)
    imitating.add_argument("--n", type=int, default=300, help="sentences, of 6 seconds each")
    options = parser.parse_args(arguments)
    try:
        if "texts" in options:
            imitate(options.checkpoint, options.texts, options.out, options.n)
            return
        if "checkpoint" in options:
            predict(options.checkpoint, options.dataset, options.out)
            return
        config = StepConfig(
            batch_size=options.batch_size, learning_rate=options.learning_rate, amp=options.amp, warmup_steps=500
        )
        train(
            options.audio, options.out, options.steps, adversarial_from=options.adversarial_from,
            predicted=options.predicted, imitated=options.imitated, init=options.init, config=config,
            model_config=vocoder.Config(expansion=options.expansion), logdir=options.logdir,
        )  # fmt: skip
    except (ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
