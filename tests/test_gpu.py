"""No tensor is left on the CPU where the others are on a GPU: by a pretended one, for CI has none."""

from dataclasses import replace

import pytest
import torch
from conftest import QUICK_VOICE, train_voice
from pretended_gpu import OnGPU, pretended_gpu
from test_train_vocoder import QUICK as QUICK_VOCODER
from test_train_vocoder import TINY, recordings, small_discriminators  # noqa: F401

import part2_solution as tts
from recipe import adversarial, train_vocoder
from vocoder import network

TEXT = "Is it far? Nobody knows."


def test_the_pretended_gpu_finds_what_is_on_the_cpu():
    with pretended_gpu():
        some = torch.ones(3, device="cuda")
        assert isinstance(some * 2 + 1, OnGPU) and some.device.type == "cuda" and (some * 2).tolist() == [2, 2, 2]
        with pytest.raises(RuntimeError, match="same device"):
            some + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            some.numpy()
        assert (some.cpu() + torch.ones(3)).tolist() == [2, 2, 2]


def test_a_voice_speaks_alike_on_a_gpu():
    expected = tts.TextToSpeechSynthesizer().synthesize_from_text(TEXT)
    with pretended_gpu():
        synthesizer = tts.TextToSpeechSynthesizer()
        audio = synthesizer.synthesize_from_text(TEXT)
        streamed = torch.cat(list(synthesizer.stream_from_text(TEXT)), dim=1)
        assert synthesizer.device.type == "cuda" and isinstance(next(synthesizer.model.parameters()), OnGPU)
    assert audio.shape == expected.shape and (audio - expected).abs().mean() < 1e-3 < expected.abs().mean()
    assert not isinstance(audio, OnGPU)
    assert streamed.shape == expected.shape and not isinstance(streamed, OnGPU)


def changed(first, second) -> set[str]:
    """The parts of which some weight differs."""
    one, two = (torch.load(path, weights_only=True) for path in (first, second))
    names = set()
    for part in (lambda content: content["weights"], lambda content: content["extension"]["weights"]):
        names |= {name.split(".")[0] for name, tensor in part(one).items() if not torch.equal(tensor, part(two)[name])}
    return names


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_training_runs_on_a_gpu(dataset_root, tmp_path, amp):
    config = replace(QUICK_VOICE, amp=amp, pitch_epochs=1)
    start = train_voice(dataset_root, tmp_path, 1, name="start", config=replace(config, learning_rate=1e-9))
    with pretended_gpu():
        first = train_voice(dataset_root, tmp_path, 1, config=config, init=start, model_settings={})
        adversarial.finetune(dataset_root, first, tmp_path / "b.pth", 2, config, logdir=tmp_path / "log")
    everything = {"encoder", "duration_model", "upsampling", "decoder", "pitch_model", "pitch_encoding"}
    assert everything <= changed(start, first)
    assert changed(first, tmp_path / "b.pth") == {"decoder", "pitch_encoding"}


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_training_of_the_vocoder_runs_on_a_gpu(recordings, tmp_path, monkeypatch, amp):  # noqa: F811
    monkeypatch.setattr(train_vocoder, "Discriminators", small_discriminators)
    read = train_vocoder.read_recordings(recordings, [])  # by other processes
    monkeypatch.setattr(train_vocoder, "read_recordings", lambda *_: read)
    config = replace(QUICK_VOCODER, amp=amp)
    torch.manual_seed(config.seed)
    fresh = network.Vocoder(TINY)
    with pretended_gpu():
        train_vocoder.train(
            recordings, tmp_path / "v.pth", 2, adversarial_from=1, config=config, logdir=tmp_path, model_config=TINY
        )
    trained = network.load(tmp_path / "v.pth")
    assert not torch.allclose(trained.correction.weight, fresh.correction.weight, atol=1e-4), "it learned"
