"""The comparison of vocoders on cases whose answer is known; no judge, and no weights but HiFi-GAN's, are loaded."""

import json
import math
import types

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
import vocoders
from conftest import CONFIG, write_utterance
from vocoders import GriffinLim, Timing, Utterance, evaluate

import english
import lj_speech
import part2_solution as tts
from vocoder import hifigan
from vocoder.spectrogram import MAX_FREQUENCY, SAMPLING_RATE, STFT_HOP_LENGTH, mel_spectrogram

N_FRAMES = 40
LENGTH = N_FRAMES * STFT_HOP_LENGTH


def hum(n_samples=LENGTH - 1):
    """A voice-like sound: 30 harmonics of a rising pitch."""
    pitch = np.linspace(120, 180, n_samples)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLING_RATE
    return (0.1 * sum(np.cos(k * phase) / k for k in range(1, 31))).astype(np.float32)


def log_mel(audio):
    return mel_spectrogram(audio)


class FakeVocoder:
    """Says the given sound; streams it in two."""

    def __init__(self, audio=None):
        self.audio = audio

    def __call__(self, spectrogram, pitch=None):
        length = spectrogram.shape[1] * STFT_HOP_LENGTH
        audio = np.resize(hum(LENGTH), length) if self.audio is None else self.audio
        return torch.as_tensor(np.pad(audio, (0, length))[:length])[None]

    def stream(self, spectrogram, chunk):
        yield from self(spectrogram).tensor_split(2, dim=1)


# -------- Alignment ---------------------------------------------------------------------------------------------------


def test_all_vocoders_are_compared_at_the_same_moments():
    recording = hum()
    source = Utterance("a", "", vocoders.align(recording, N_FRAMES), ["AA1"], [N_FRAMES], log_mel(recording))
    spoken = vocoders.vocode(FakeVocoder(recording), source)
    assert len(spoken.audio) == len(source.audio) == LENGTH - hifigan.DELAY
    np.testing.assert_array_equal(spoken.audio, source.audio)


def test_audio_is_no_longer_than_the_recording():
    recording = hum(LENGTH - 200)
    source = Utterance("a", "", recording, ["AA1"], [N_FRAMES], log_mel(recording))
    assert source.spectrogram.shape == (80, N_FRAMES)
    assert len(vocoders.vocode(FakeVocoder(hum(LENGTH)), source).audio) == LENGTH - 200


def test_hifigan_is_not_late():
    recording = 1e-3 * np.random.default_rng(0).normal(size=LENGTH - 1).astype(np.float32)
    burst = slice(5000, 5400)
    recording[burst] += hum()[burst]
    source = Utterance("a", "", recording, ["AA1"], [N_FRAMES], log_mel(recording))
    audio = vocoders.vocode(lj_speech.Vocoder("hifigan", device="cpu"), source).audio
    center = np.average(np.arange(len(audio)), weights=np.square(audio))
    assert abs(center - 5200) < hifigan.DELAY / 2  # and not nearer to no or to twice the delay


# -------- Griffin-Lim -------------------------------------------------------------------------------------------------


def test_griffin_lim_sounds_like_the_spectrogram():
    wanted, vocoder = log_mel(hum()), GriffinLim()
    audio = vocoder(wanted)
    assert audio.shape == (1, LENGTH) and audio.dtype == torch.float32 and audio.abs().max() <= 1
    heard = log_mel(audio[0, :-1])
    another = log_mel(hum()[::-1].copy())
    assert np.abs(heard - wanted).mean() < 0.2 < 0.5 < np.abs(another - wanted).mean()
    assert torch.equal(audio, vocoder(wanted))  # its noise is always the same
    assert torch.equal(audio, next(vocoder.stream(wanted)))


def test_amplitudes_fit_better_than_those_of_torchaudio():
    mels = torch.as_tensor(log_mel(hum())).exp()
    naive = torchaudio.transforms.InverseMelScale(
        513, 80, SAMPLING_RATE, f_max=MAX_FREQUENCY, norm="slaney", mel_scale="slaney"
    )
    vocoder = GriffinLim()
    fitted, clipped = vocoder.amplitudes(mels), naive(mels)
    errors = [torch.linalg.norm(vocoder.bands.T @ amplitudes - mels) for amplitudes in (fitted, clipped)]
    assert fitted.min() >= 0 and fitted.shape == (513, N_FRAMES)
    assert errors[0] < errors[1] / 2


# -------- Measures and tables -----------------------------------------------------------------------------------------


def make_score(mos, errors=0, n_words=10, name="a"):
    text, heard = " ".join(["tea"] * n_words), " ".join(["see"] * errors + ["tea"] * (n_words - errors))
    return evaluate.Score(name, text, heard, errors, n_words, errors, 50, -1.5, mos, mos, None, 200.0, 2.0, 10)


def make_utterance():
    return Utterance("a", "text", hum(), ["pau", "AA1"], [10, 30], log_mel(hum()))


@pytest.fixture
def fake_f0(monkeypatch):
    """A pitch of 200 Hz in all frames, and an octave higher where the sound is twice as loud as `hum`."""

    def track(audio):
        pitch = 400.0 if np.abs(audio).max() > 1.5 * np.abs(hum()).max() else 200.0
        times = np.arange(len(audio) // STFT_HOP_LENGTH + 1) * STFT_HOP_LENGTH / SAMPLING_RATE
        return np.full(len(times), pitch), times

    monkeypatch.setattr(evaluate, "track_f0", track)


def test_distance_of_a_copy_is_that_of_its_sound(fake_f0):
    source = make_utterance()
    same = vocoders.distance(source, source)
    louder = vocoders.distance(source, source._replace(audio=2 * source.audio))
    assert same.mel_l1 < 1e-6 and same.f0 == (0, 30, 0) and same.n_spoken == 30  # the ten frames of the pause are out
    assert 0.5 < louder.mel_l1 < math.log(2) + 1e-3  # bands at the floor stay there
    row = vocoders.copy_row("harmonic", [source] * 2, [make_score(4.0), make_score(3.0, 1)], [3.0, 3.5], [same, louder])
    assert (row["n"], row["WER %"], row["MOS"], row["PESQ"]) == pytest.approx((2, 5, 3.5, 3.25))
    assert row["PESQ ±"] == pytest.approx(1.96 * 0.25)
    assert row["F0 error st"] == pytest.approx(12 / math.sqrt(2)) and row["voicing error %"] == 0


def test_recordings_are_not_compared_with_themselves():
    rows = [vocoders.copy_row("recordings", [make_utterance()], [make_score(4.0)], [], [])]
    line = evaluate.markdown_table(rows).splitlines()[-1]
    assert line.split("|")[1].strip() == "recordings"
    assert [cell.strip() for cell in line.split("|")[9:-1]] == ["–"] * 5


def test_pairs_are_the_same_spectrograms():
    hifigan = [make_score(4.0, 1), make_score(3.0)]
    row = vocoders.pair_row("sentences", hifigan, [make_score(4.1), make_score(3.3, 2)])
    assert (row["n"], row["words wrong"], row["MOS"]) == (2, "1 -> 2", "3.50 -> 3.70")
    assert row["MOS filled difference"] == "+0.20 ± 0.20"
    with pytest.raises(ValueError):
        vocoders.pair_row("sentences", hifigan, [make_score(4.1)])


def test_factors_are_computing_by_audio():
    timings = [
        Timing("a", 2.0, 0.2, {"harmonic": 0.02, "hifigan": 0.8}, {"harmonic": 0.04}, (0.1, 1.0)),
        Timing("b", 1.0, 0.1, {"harmonic": 0.02, "hifigan": 0.5}, {"harmonic": 0.03}, (0.3, 1.0)),
    ]
    first = {
        "spectrogram": {"harmonic": [0.01], "hifigan": [4.0]},
        "text": {"harmonic": [0.1], "hifigan": [5.0], "Piper": [0.5]},
    }
    harmonic, hifigan = vocoders.speed_rows(timings, first)
    assert harmonic["RTF"] == "0.015 (0.01 – 0.02)" and harmonic["RTF in chunks"] == "0.025 (0.02 – 0.03)"
    assert hifigan["RTF"] == "0.45 (0.4 – 0.5)" and hifigan["RTF in chunks"] is None
    rows = vocoders.text_rows(timings, first, {"harmonic": 10.0, "hifigan": 10.0, "Piper": 9.0})
    assert [row["from text"] for row in rows] == ["our model, harmonic", "our model, hifigan", "Piper"]
    assert rows[0]["RTF"] == "0.12 (0.11 – 0.12)" and rows[2]["RTF"] == "0.2 (0.1 – 0.3)"
    rows = vocoders.text_rows([timing._replace(piper=None) for timing in timings], first, {"harmonic": 1, "hifigan": 1})
    assert len(rows) == 2


def test_long_spectrogram_has_its_length():
    short = np.arange(80 * 30, dtype=np.float32).reshape(80, 30)
    spectrogram = vocoders.long_spectrogram([short, short[:, :7]])
    assert spectrogram.shape == (80, 861)
    np.testing.assert_array_equal(spectrogram[:, 37:67], short)


# -------- The command -------------------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path, monkeypatch, fake_f0):
    """A tiny dataset with recordings and a voice of random weights, fake judges and vocoders; -> arguments."""
    root, clips = tmp_path / "LJ-Speech-aligned", tmp_path / "clips"
    root.mkdir()
    clips.mkdir()
    for index in range(40):
        write_utterance(root, f"LJ{index:03d}", ["pau", "AA1", "B"], [5, 20, 15])
    for index in range(2):
        soundfile.write(clips / f"LJ{index:03d}.wav", hum(), SAMPLING_RATE)
    tts.save_checkpoint(tts.AcousticModel(CONFIG), tmp_path / "TTS.pth", {})
    judges = evaluate.Judges(
        lambda audio: "text of", lambda audio, text: -1.5, lambda audio: 3.0 + len(audio) % 7 / 10, None, None
    )
    monkeypatch.setattr(evaluate, "load_judges", lambda references: judges)
    monkeypatch.setattr(evaluate, "read_sentences", lambda: ["Abba saw it.", "It is a bee."])
    monkeypatch.setattr(vocoders, "LONG_SENTENCE", "A bee.")
    monkeypatch.setattr(vocoders, "REST", 0)
    monkeypatch.setattr(lj_speech, "text_to_phonemes", lambda text: ["pau", "AA1", "B", "pau"])
    words = [english.Word("", [code], "") for code in ("pau", "AA1", "B", "pau")]
    monkeypatch.setattr(english, "spoken_words", lambda text, custom=None: [words])
    fakes = {name: FakeVocoder() for name in ("harmonic", "hifigan")}
    monkeypatch.setattr(vocoders, "load_vocoders", lambda weights, band_correction: fakes)
    monkeypatch.setattr(vocoders, "load_pesq", lambda: None)
    monkeypatch.setattr(vocoders, "load_piper", lambda n_threads: None)
    n_threads = torch.get_num_threads()
    yield [
        "--checkpoint", str(tmp_path / "TTS.pth"), "--dataset", str(root), "--clips", str(clips), "--threads", "1",
        "--runs", "2",
    ]  # fmt: skip
    torch.set_num_threads(n_threads)


def test_all_parts_end_in_one_report(inputs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(vocoders, "load_piper", lambda n_threads: lambda text: iter([hum(), hum()]))
    monkeypatch.setattr(vocoders, "load_pesq", lambda: lambda recording, audio: 3.0)
    vocoders.main([*inputs, "--json", str(tmp_path / "out.json"), "--keep", str(tmp_path / "audio")])
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["held_out"] == ["LJ000", "LJ001"] and report["left_out"] == []
    assert [row["copy-synthesis"] for row in report["copy"]] == ["recordings", "harmonic", "hifigan"]
    assert [row["n"] for part in ("copy", "model", "pairs", "speed", "text") for row in report[part]] == [2] * 16
    assert report["model"][-1]["vocoder"] == "Piper" and len(report["utterances"]["sentences/Piper"]) == 2
    assert report["pairs"][0]["MOS filled difference"] == "+0.00 ± 0.00"
    assert report["utterances"]["copy-synthesis/harmonic"][0]["pesq"] == 3.0
    assert len(report["timings"]["first audio"]["text"]["Piper"]) == 2
    kinds = ("copy-synthesis/recordings", "held-out durations/hifigan")
    lengths = {len(soundfile.read(tmp_path / "audio" / kind / "LJ000.wav")[0]) for kind in kinds}
    assert lengths == {LENGTH - hifigan.DELAY}
    printed = capsys.readouterr().out
    assert "1 threads" in printed and "Left out" not in printed and not list(tmp_path.glob("*.tmp"))


def test_what_is_not_installed_is_left_out(inputs, capsys):
    vocoders.main([*inputs, "--parts", "copy, speed", "--n", "1"])
    printed = capsys.readouterr().out
    assert "Left out: PESQ" in printed and "Left out: Piper" in printed
    assert "| our model, harmonic" in printed and "| spectrograms" not in printed


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--parts", "copy,sing"], "no part 'sing', choose from copy, model, speed"),
        (["--parts", "model"], "need --dataset"),
        (["--parts", "copy", "--dataset", "."], "needs --clips"),
        (["--parts", "speed", "--runs", "0"], "at least 1"),
        (["--parts", "speed", "--n", "0"], "at least 1"),
        (["--parts", "speed", "--json", "no/such/folder.json"], "no folder no/such"),
        (["--parts", "speed", "--vocoder-weights", "missing.pth"], "there is no vocoder at"),
    ],
)
def test_errors_say_what_to_do(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit:
        vocoders.main([*arguments, "--threads", "1"])
    assert exit.value.code != 0 and message in capsys.readouterr().err


def test_recordings_of_other_utterances_are_an_error(inputs, tmp_path, capsys):
    for path in (tmp_path / "clips").iterdir():
        path.rename(path.with_name("LJ9" + path.name))
    with pytest.raises(SystemExit):
        vocoders.main([*inputs, "--parts", "copy"])
    assert "no recording of the 2 held-out utterances (LJ000, ...)" in capsys.readouterr().err


def test_missing_packages_are_none(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(vocoders, "tool", missing)
    monkeypatch.setattr(vocoders.peers.importlib, "import_module", missing)
    assert vocoders.load_pesq() is None and vocoders.load_piper(1) is None


def test_pesq_of_silence_is_an_error(monkeypatch):
    def pesq(rate, reference, degraded, mode):
        assert (rate, mode) == (16000, "wb")
        raise RuntimeError("No utterances detected")

    monkeypatch.setattr(vocoders, "tool", lambda name: types.SimpleNamespace(pesq=pesq))
    with pytest.raises(ValueError, match="PESQ hears no speech"):
        vocoders.load_pesq()(hum(), hum())
