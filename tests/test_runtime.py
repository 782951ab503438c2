"""The runtime without PyTorch: equal to the engine with it, and alone in its process."""

import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import torch
from conftest import CONFIG, ROOT, new_model, random_batch

import part2_solution as tts
import runtime
from recipe import export
from recipe.onnx_graph import Graph, Weights
from runtime import archive
from runtime import vocoder as numpy_vocoder
from speech.pieces import one_ahead
from vocoder import layout, network, weights

TEXTS = [
    "Hello there.", "Is this a question?", "The quick brown fox jumps over the lazy dog.", "No!",
    "Four hours of steady work faced us before the evening tea. Then, at last, it rained; nobody minded.",
]  # fmt: skip


def export_voice(checkpoint, path, exact=True):
    export.export(checkpoint, network.WEIGHTS_PATH, path, exact)
    return path


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return export_voice(tts.CHECKPOINT_PATH, tmp_path_factory.mktemp("voice") / "voice.zip", exact=False)


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return export_voice(tts.CHECKPOINT_PATH, tmp_path_factory.mktemp("voice") / "exact.zip")


@pytest.fixture(scope="module")
def voices(exact):
    """With PyTorch, and without."""
    return tts.TextToSpeechSynthesizer(), runtime.TextToSpeechSynthesizer(exact, precision="float32")


def assert_close(ours, theirs, loudest):
    """Numpy against PyTorch, both (1, t): what differs is `loudest` dB below the audio, at most."""
    theirs = theirs.numpy()
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    assert 20 * np.log10((ours - theirs).std() / theirs.std()) < loudest


SPEAK = "runtime.TextToSpeechSynthesizer({voice!r}).synthesize_from_text('Hello there.')"
SAY = "say.command_line.main(['Hello there.', '--engine', 'onnx', '--checkpoint', {voice!r}, '--out', {out!r}])"


@pytest.mark.parametrize("program", [SPEAK, SAY])
def test_no_pytorch_comes_into_the_process(program, shipped, tmp_path):
    out = tmp_path / "hello.mp3"
    code = f"import sys, runtime, say.command_line\n{program.format(voice=str(shipped), out=str(out))}\n"
    code += "print(sorted({'torch', 'scipy', 'onnx', 'lj_speech', 'part2_solution'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert printed.stdout.splitlines()[-1] == "[]"
    assert out.is_file() == (program is SAY)


@pytest.mark.parametrize("text", TEXTS)
def test_speaks_as_with_pytorch(voices, text):
    with_torch, without = voices
    for expected, got in zip(with_torch.predict_text(text), without.predict_text(text), strict=True):
        assert got.phonemes == expected.phonemes and got.sentence == expected.sentence
        assert np.abs(np.subtract(got.durations, expected.durations)).max() <= 1, "a remainder may be rounded otherwise"
        if got.durations != expected.durations:
            (got,) = without.predict(expected.phonemes, expected.durations)
            (expected,) = with_torch.predict(expected.phonemes, expected.durations)
        np.testing.assert_allclose(got.spectrogram, expected.spectrogram, atol=5e-3)
        np.testing.assert_allclose(got.alignment, expected.alignment, atol=1e-5)
        np.testing.assert_allclose(got.hints["pitch"], expected.hints["pitch"], rtol=1e-4)
        assert_close(without.vocode(got), with_torch.vocode(expected), loudest=-35)


def test_style_and_tempo_do_what_they_do_with_pytorch(voices):
    with_torch, without = voices
    changes = {"pitch_shift": 2.0, "intonation": 0.5, "question_rise": 9.0, "denoising": 1.0, "dereverberation": 0.5,
               "speaker": 0.5}
    style = replace(without.style, **changes)
    for voice in voices:
        voice.style, voice.tempo = style, 0.7
    try:
        (expected,), (got,) = (list(voice.predict_text("Did she laugh?")) for voice in voices)
    finally:
        for voice in voices:
            voice.style, voice.tempo = type(style)(), 1.0
    assert sum(got.durations) == sum(expected.durations)
    np.testing.assert_allclose(got.hints["pitch"], expected.hints["pitch"], rtol=1e-3)
    np.testing.assert_allclose(got.spectrogram, expected.spectrogram, atol=2e-2)


def test_what_is_streamed_is_the_whole(voices):
    _, voice = voices
    whole, pieces = voice.synthesize_from_text(TEXTS[-1]), list(voice.stream_from_text(TEXTS[-1], chunk=16))
    assert pieces[0].shape == (1, 16 * 256) and len(pieces) > 3
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=2e-3)


def test_several_threads_say_the_same(voices, exact):
    """And work on a sentence while the one before it becomes audio."""
    _, voice = voices
    several, text = runtime.TextToSpeechSynthesizer(exact, threads=2, precision="float32"), "One. Two! Three? Four."
    np.testing.assert_allclose(several.synthesize_from_text(text), voice.synthesize_from_text(text), atol=2e-3)
    assert sum(piece.shape[1] for piece in several.stream_from_text(text)) == voice.synthesize_from_text(text).shape[1]
    with pytest.raises(ValueError, match="nothing to say"):
        several.synthesize_from_text("...")


def test_the_next_value_is_computed_while_one_is_used():
    asked = []

    def values():
        for number in range(4):
            asked.append(number)
            yield number
        raise ValueError("no more")

    ahead = one_ahead(values())
    assert next(ahead) == 0 and next(ahead) == 1
    deadline = time.monotonic() + 10
    while len(asked) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked == [0, 1, 2], "the next one, and no more than that"
    assert next(ahead) == 2 and next(ahead) == 3
    with pytest.raises(ValueError, match="no more"):
        next(ahead)


def test_phonemes_and_durations_that_are_given(voices):
    with_torch, without = voices
    phonemes, durations = "pau HH AH0 L OW1 pau".split(), [9, 8, 0, 7, 20, 9]
    expected, got = (voice.synthesize_from_phonemes(phonemes, durations) for voice in voices)
    assert got.shape == (1, 53 * 256)
    assert_close(got, expected, loudest=-35)


def test_many_texts_are_spoken_in_order(voices):
    _, voice = voices
    for text, audio in zip(TEXTS, voice.synthesize_many(TEXTS), strict=True):
        np.testing.assert_array_equal(audio, voice.synthesize_from_text(text))


def test_long_input_is_cut(voices):
    _, voice = voices
    codes = ["pau", *["AA1", "B", "pau"] * 150]
    speeches = voice.predict(codes)
    assert len(speeches) > 1 and [code for speech in speeches for code in speech.phonemes] == codes
    with pytest.raises(ValueError, match="tempo"):
        voice.tempo = 1e-4


@pytest.mark.parametrize("settings", [{}, {"place_reach": 4, "sigma": 1.0, "max_sigma": 1.2}])
def test_a_voice_of_the_method_alone(tmp_path, settings):
    model = tts.AcousticModel(replace(new_model(with_prosody=False).config, **settings))
    model(random_batch())
    tts.save_checkpoint(model.eval(), tmp_path / "plain.pth", {})
    path = export_voice(tmp_path / "plain.pth", tmp_path / "plain.zip")
    phonemes, durations = ["pau", "AA1", "B", "pau"], [5, 9, 0, 7]
    expected = tts.TextToSpeechSynthesizer(tmp_path / "plain.pth").predict(phonemes, durations)[0]
    got = runtime.TextToSpeechSynthesizer(path, precision="float32").predict(phonemes, durations)[0]
    np.testing.assert_allclose(got.spectrogram, expected.spectrogram, atol=1e-4)
    assert got.hints == {} and CONFIG.vocabulary == tuple(runtime.TextToSpeechSynthesizer(path).vocabulary.token_of)


def test_frames_are_told_their_place_in_the_phoneme():
    width, reach, durations = 4, 3, [2, 0, 5, 1]
    places = torch.nn.Module()
    places.since, places.until = torch.nn.Embedding(reach, width), torch.nn.Embedding(reach, width)
    graph = Graph("places", stored := Weights(), int8=False)
    given = graph.input("durations", ["N"])
    times = graph.op("Range", np.array(0), given.sum(0).as_int(), np.array(1)).as_float() + 0.5
    graph.output("frames", export.embed_places(places, given, times), ["T", width])
    run = archive.Network(graph.serialise(), {name: stored[name] for name in graph.stored}, 1)
    expected = [
        places.since.weight[min(frame, reach - 1)] + places.until.weight[min(duration - 1 - frame, reach - 1)]
        for duration in durations for frame in range(duration)
    ]  # fmt: skip
    got = run(durations=np.array(durations, np.float32))["frames"]
    np.testing.assert_allclose(got, torch.stack(expected).detach(), atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_8_bits_are_near(precision, shipped, voices):
    """As they are stored, and as they are computed with."""
    _, exact = voices
    rough = runtime.TextToSpeechSynthesizer(shipped, precision=precision)
    for speech in exact.predict_text(TEXTS[-1]):
        (again,) = exact.predict(speech.phonemes, speech.durations)
        (near,) = rough.predict(speech.phonemes, speech.durations)
        assert 1e-4 < np.abs(near.spectrogram - again.spectrogram).mean() < 0.05
        assert abs(sum(rough.predict(speech.phonemes)[0].durations) / sum(speech.durations) - 1) < 0.03


def test_8_bits_are_the_same_when_they_are_stored_and_when_they_are_made_at_load(shipped, exact):
    audio = [runtime.TextToSpeechSynthesizer(path, precision="int8").synthesize_from_text(TEXTS[0])
             for path in (shipped, exact)]  # fmt: skip
    np.testing.assert_array_equal(*audio)
    assert shipped.stat().st_size < 0.6 * exact.stat().st_size and shipped.stat().st_size < 12 * 2**20


def test_the_quantised_weight_is_near():
    weight = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float16) * np.arange(7, dtype=np.float16)
    rounded, steps = archive.quantise(weight)
    assert rounded.dtype == np.int8 and np.abs(rounded[:, 1:]).max(0).tolist() == [127] * 6
    assert (np.abs(rounded * steps - weight) <= steps / 2 + 1e-6).all()


def test_the_same_weights_give_the_same_file(shipped, tmp_path):
    again = export_voice(tts.CHECKPOINT_PATH, tmp_path / "again.zip", exact=False)
    assert weights.checksum(again) == weights.checksum(shipped)


def test_the_exported_voice_is_not_older_than_its_checkpoint():
    if not archive.VOICE_PATH.is_file():
        pytest.skip("there is no exported voice in this tree")
    expected = export.checksums(tts.CHECKPOINT_PATH, network.WEIGHTS_PATH)
    assert archive.Archive().made_from == expected, "run `python -m recipe export`"


@pytest.mark.parametrize("broken", ["missing", "text", "cut", "other"])
def test_files_that_are_no_voice(broken, shipped, tmp_path):
    path = tmp_path / "voice.zip"
    if broken == "text":
        path.write_text("no archive")
    elif broken == "cut":
        path.write_bytes(shipped.read_bytes()[:100_000])
    elif broken == "other":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "hello")
    with pytest.raises(FileNotFoundError if broken == "missing" else ValueError, match="recipe export"):
        runtime.TextToSpeechSynthesizer(path)


@pytest.mark.parametrize("settings", [{"threads": 0}, {"precision": "int4"}])
def test_settings_that_there_are_not(settings, shipped):
    with pytest.raises(ValueError, match="threads|precision"):
        runtime.TextToSpeechSynthesizer(shipped, **settings)


# -------- Parts of the vocoder ---------------------------------------------------------------------------------------


def test_the_noise_is_that_of_pytorch():
    expected = torch.randn(512 * 256, generator=torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(layout.white_noise(), expected, atol=1e-6)


def test_pulses_are_those_of_pytorch():
    rng = np.random.default_rng(0)
    phase, cycles = rng.uniform(-0.5, 0.5, (3, 256)), rng.uniform(0.003, 0.02, (3, 256))
    phase[0, :5] = 0
    expected = network.pulses(torch.from_numpy(phase), torch.from_numpy(cycles)).numpy()
    np.testing.assert_allclose(numpy_vocoder.pulses(phase.astype(np.float32), cycles) * 256, expected, atol=1e-4)


@pytest.mark.parametrize("n_windows", [1, 2, 5, 300])
def test_overlap_add_inverts_the_spectra(n_windows):
    samples = np.random.default_rng(0).normal(size=(n_windows + 3) * 64).astype(np.float32)
    window = torch.hann_window(256)
    expected = network.overlap_add(network.spectra(torch.from_numpy(samples)[None], window), window)[0]
    spectra = numpy_vocoder.short_spectra(samples, n_windows)
    rebuilt = numpy_vocoder.overlap_add(lambda part: spectra[part], n_windows, 256)
    np.testing.assert_allclose(rebuilt, expected, atol=1e-4)
