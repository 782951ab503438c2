"""The synthesizer, the shipped checkpoint and the command line."""

import dataclasses
import hashlib
import importlib
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT, new_model

import english
import lj_speech
import part2_solution as tts
from part2_solution import Batch, normalise
from prosody.extension import Prosody
from recipe.__main__ import COMMANDS
from recipe.melody import pitch_reader, read_log_pitch

HOP = lj_speech.STFT_HOP_LENGTH


class ToyVocoder:
    """The mean of each frame, as long as a frame: keeps the lengths."""

    def __call__(self, spectrogram, pitch=None):
        return spectrogram.mean(0, keepdim=True).repeat_interleave(HOP, 1)

    def stream(self, spectrogram, chunk, pitch=None):
        return self(spectrogram).split(HOP * chunk, dim=1)


@pytest.fixture(scope="module", params=["method", "prosody"])
def synthesizer(tmp_path_factory, request):
    """A voice of random weights and of few positions, so that limits are near."""
    model = new_model(request.param == "prosody")
    path = tmp_path_factory.mktemp("voice") / "TTS.pth"
    tts.save_checkpoint(model, path, {})
    return tts.TextToSpeechSynthesizer(path, vocoder=ToyVocoder())


def says(monkeypatch, *sentences):
    """Let any text be read as these phonemes."""
    words = [[english.Word("", [code], "") for code in codes] for codes in sentences]
    monkeypatch.setattr(english, "spoken_words", lambda text, custom: words)


def test_given_durations_set_the_length(synthesizer):
    audio = synthesizer.synthesize_from_phonemes(["pau", "AA1", "B"], [3, 0, 7])
    assert audio.shape == (1, 10 * HOP) and audio.dtype == torch.float32
    assert torch.equal(audio, synthesizer.synthesize_from_phonemes(("pau", "AA1", "B"), np.array([3, 0, 7])))


def test_streamed_text_is_the_whole(synthesizer, monkeypatch):
    says(monkeypatch, ["pau", "AA1", "B"], ["S", "pau"])
    pieces = list(synthesizer.stream_from_text("A b. C.", chunk=2))
    assert len(pieces) > 3 and all(piece.shape[1] <= 2 * HOP for piece in (pieces[0], pieces[-1]))
    assert torch.equal(torch.cat(pieces, dim=1), synthesizer.synthesize_from_text("A b. C."))


def test_what_is_streamed_first_does_not_wait_for_the_rest(synthesizer, monkeypatch):
    phonemes = ["AA1", "B", "S", "pau"] * 10
    says(monkeypatch, phonemes)
    decoded, decode = [], synthesizer.model.decode
    monkeypatch.setattr(synthesizer.model, "decode", lambda *inputs: decoded.append(1) or decode(*inputs))
    audio = synthesizer.stream_from_text("A long one.", chunk=2)
    next(audio)
    assert len(decoded) == 1
    assert len(list(audio)) > 0 and len(decoded) == len(synthesizer.predict(phonemes)) > 1


def test_predicted_durations_are_those_that_are_reported(synthesizer):
    (speech,) = synthesizer.predict(["pau", "AA1", "B", "S"])
    n_frames = sum(speech.durations)
    assert speech.spectrogram.shape == (80, n_frames) and speech.alignment.shape == (n_frames, 4)
    assert synthesizer.synthesize_from_phonemes(["pau", "AA1", "B", "S"]).shape == (1, n_frames * HOP)
    assert lj_speech.SPECTROGRAMS_MIN <= speech.spectrogram.min() <= speech.spectrogram.max()
    assert speech.spectrogram.max() <= lj_speech.SPECTROGRAMS_MAX


def test_long_input_is_cut_at_pauses_and_nothing_is_lost(synthesizer):
    phonemes = ["AA1", "B", "S", "pau"] * 10
    pieces = synthesizer.predict(phonemes)
    assert [code for piece in pieces for code in piece.phonemes] == phonemes
    assert len(pieces) > 1 and all(piece.phonemes[-1] == "pau" for piece in pieces)
    durations = [2, 3, 0, 9] * 10
    audio = synthesizer.synthesize_from_phonemes(phonemes, durations)
    assert audio.shape == (1, sum(durations) * HOP)


def test_long_input_without_pauses_and_with_slow_phonemes(synthesizer):
    assert sum(len(piece.phonemes) for piece in synthesizer.predict(["AA1", "B"] * 40)) == 80
    audio = synthesizer.synthesize_from_phonemes(["AA1", "B", "S"], [50, 50, 60])
    assert audio.shape == (1, 160 * HOP)
    audio = synthesizer.synthesize_from_phonemes(["pau"] + ["AA1"] * 20, [5] + [0] * 20)
    assert audio.shape == (1, 5 * HOP), "a piece of no frames is left out"


@pytest.mark.parametrize(
    "phonemes, durations, error, message",
    [
        ([], None, ValueError, "no phonemes"),
        (["AA1", "QQ"], None, ValueError, "'QQ'"),
        ("AA1", None, TypeError, "synthesize_from_text"),
        ([1, 2], None, TypeError, "list of str"),
        (None, None, TypeError, "list of str"),
        (["AA1"], [1, 2], ValueError, "2 durations for 1 phonemes"),
        (["AA1"], [-1], ValueError, "-1"),
        (["AA1"], [0], ValueError, "nothing would be said"),
        (["AA1"], [10**9], ValueError, "0 to 60"),
        (["AA1"], [float("nan")], TypeError, "nan"),
        (["AA1"], [1.5], TypeError, "1.5"),
        (["AA1"], ["5"], TypeError, "'5'"),
        (["AA1"], [True], TypeError, "True"),
        (["AA1"], 5, TypeError, "list"),
    ],
)  # fmt: skip
def test_bad_phonemes_and_durations(synthesizer, phonemes, durations, error, message):
    with pytest.raises(error, match=message):
        synthesizer.synthesize_from_phonemes(phonemes, durations)


@pytest.mark.parametrize("text, error", [("", ValueError), (" \n", ValueError), ("...", ValueError), (None, TypeError)])
def test_bad_text(synthesizer, text, error):
    with pytest.raises(error):
        synthesizer.synthesize_from_text(text)


# -------- The shipped voice ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def voice():
    return tts.TextToSpeechSynthesizer(ROOT / "TTS.pth")


def test_checksum_and_size_of_the_shipped_checkpoint():
    content = (ROOT / "TTS.pth").read_bytes()
    md5, link = tts.get_checkpoint_metadata()
    assert hashlib.md5(content).hexdigest() == md5 and isinstance(link, str)
    assert len(content) <= 20 * 2**20


def test_the_shipped_voice_speaks(voice):
    audio = voice.synthesize_from_text("Four hours of steady work faced us before the evening tea.")
    seconds = audio.shape[1] / lj_speech.SAMPLING_RATE
    assert audio.shape[0] == 1 and audio.isfinite().all() and audio.abs().max() <= 1
    assert 2.5 < seconds < 5.5, f"{seconds:.1f} s for 11 words"
    assert 0.02 < audio.std() < 0.3


def test_the_tempo_is_the_one_that_was_set(voice):
    codes = lj_speech.text_to_phonemes("My brother left his umbrella on the kitchen table.")
    voices = [voice.with_settings(tempo=tempo) for tempo in (2.0, 1.0, 0.5)]
    lengths = [sum(spoken.predict(codes)[0].durations) for spoken in voices]
    assert lengths[0] == pytest.approx(lengths[1] / 2, rel=0.05), "but no phoneme is shorter than a frame"
    assert lengths[2] == pytest.approx(lengths[1] * 2, abs=1)


def spoken_pitch(voice, text: str, **style) -> torch.Tensor:
    """Semitones of each phoneme that is said, as our vocoder's network reads it in the spectrogram."""
    normal = voice.style
    voice.style = replace(normal, **style)
    (speech,) = voice.predict_text(text)
    voice.style = normal
    tokens = torch.tensor([voice.vocabulary.encode(speech.phonemes)])
    mels = normalise(speech.spectrogram).T[None].cpu()
    durations = torch.tensor([speech.durations])
    batch = Batch(tokens, durations, durations > -1, mels, torch.ones(mels.shape[:2], dtype=torch.bool))
    return 12 / np.log(2) * read_log_pitch(batch)[0]


def test_the_shipped_voice_follows_the_pitch(voice):
    text = "My brother left his umbrella on the kitchen table."
    low, high = (spoken_pitch(voice, text, pitch_shift=semitones).mean() for semitones in (-3.0, 4.0))
    assert high - low == pytest.approx(7, abs=2)


@pytest.mark.parametrize(
    "text, rises", [("Have you seen my brother?", True), ("Where have you seen my brother?", False)]
)
def test_the_shipped_voice_rises_where_it_asks_whether(voice, text, rises):
    level, risen = (spoken_pitch(voice, text, question_rise=semitones) for semitones in (0.0, 5.0))
    last = slice(-4, -1)  # "ther", before the pause
    assert (risen - level)[last].mean() > 1 if rises else torch.equal(risen, level)
    torch.testing.assert_close(risen[:6], level[:6], atol=1.5, rtol=0)


def test_the_end_of_a_question_is_no_octave_lower_than_asked_for(voice):
    (speech,) = voice.predict_text("Do you sing?")
    assert speech.hints["pitch"].shape == speech.spectrogram.shape[1:]
    reader = pitch_reader(torch.device("cpu"))
    logits = reader.predict_filters(speech.spectrogram[None].cpu()).pitch_logits
    last = slice(sum(speech.durations[:-2]), sum(speech.durations[:-1]))  # "ng"
    asked, read = speech.hints["pitch"].cpu(), reader.decode_pitch(logits)[0]
    spoken = reader.decode_pitch(logits, asked[None])[0]
    semitones = [12 * (asked / found).log2()[last] for found in (read, spoken)]
    assert semitones[0].max() > 9 and semitones[1].abs().max() < 5, "the network alone is misled"
    audio = voice.vocode(speech)
    assert not torch.equal(audio, voice.vocoder(speech.spectrogram))
    assert torch.equal(audio, voice.vocoder(speech.spectrogram, **speech.hints))


def test_the_shipped_voice_knows_all_that_text_can_become(voice):
    import english

    assert voice.vocabulary.encode(sorted(english.PHONEMES | {"pau"}))


def test_sentences_are_joined_with_silence(voice):
    both, *parts = (voice.synthesize_from_text(text) for text in ("Yes. No.", "Yes.", "No."))
    silence = round(voice.sentence_pause * lj_speech.SAMPLING_RATE)
    assert both.shape[1] == parts[0].shape[1] + silence + parts[1].shape[1]


# -------- Command line and import ------------------------------------------------------------------------------------


def run(*arguments: str, folder=ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_a_file_in_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(tts.load_checkpoint("TTS.pth").extension, Prosody)
    tts.save_checkpoint(new_model(with_prosody=False), tmp_path / "TTS.pth", {})
    assert type(tts.load_checkpoint("TTS.pth").extension) is tts.Extension


def test_command_line_trains(dataset_root, tmp_path):
    log, checkpoint = str(tmp_path / "log"), str(tmp_path / "voice.pth")
    options = ("--epochs", "1", "--batch-size", "4", "--logdir", log, "--checkpoint", checkpoint)
    result = run("-m", "recipe", "train", str(dataset_root), *options)
    assert result.returncode == 0, result.stderr
    assert tts.load_checkpoint(checkpoint).config.width == 256
    assert "step" in result.stderr and "loss=" in result.stderr, "progress is shown"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option_with_its_default(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module("recipe." + command.replace("-", "_")).main(["--help"])
    shown = capsys.readouterr().out
    if "--batch-size" in shown:
        for field in dataclasses.fields(tts.StepConfig):
            assert f"--{field.name.replace('_', '-')}" in shown and field.metadata["help"].split()[0] in shown
        assert re.search(r"--learning-rate .*?\(default:\s+0\.\d+\)", shown, re.DOTALL)


def test_what_is_not_installed_is_named():
    without = "import sys; sys.modules['torch'] = None; sys.argv = ['recipe', 'train', 'data']"
    code = f"{without}; from recipe.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "python -m recipe: train needs torch: pip install -r requirements-data.txt\n"


def test_import_needs_no_torchaudio():
    code = "import part2_solution, sys; sys.exit('torchaudio' in sys.modules or 'tensorboard' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
