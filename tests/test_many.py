"""Many texts at once: as they are spoken one by one, in order, at flat memory."""

import numpy as np
import pytest
import torch

import part2_solution as tts
from speech import pieces
from vocoder.threads import each_with_threads, use_threads

TEXTS = [
    "Hello there.", "Is this a question? Yes. No, it is not!", "Go.",
    "Four hours of steady work faced us before the evening tea. Then it rained; nobody minded.",
]  # fmt: skip


def test_many_texts_sound_as_each_alone():
    voice = tts.TextToSpeechSynthesizer()
    for text, audio in zip(TEXTS, voice.synthesize_many(TEXTS, batch_size=3), strict=True):
        alone = voice.synthesize_from_text(text)
        assert audio.shape == alone.shape
        assert (audio - alone).std() < 0.01 * alone.std(), "40 dB below"


def test_predictions_in_a_batch_equal_single_ones():
    voice = tts.TextToSpeechSynthesizer()
    requests = [request for text in TEXTS for request in voice.read(text)]
    for request, speech in zip(requests, voice.predict_batch(requests), strict=True):
        (alone,) = voice.predict_batch([request])
        assert speech.durations == alone.durations and speech.phonemes == alone.phonemes
        torch.testing.assert_close(speech.alignment, alone.alignment, atol=1e-5, rtol=0)
        torch.testing.assert_close(speech.spectrogram, alone.spectrogram, atol=5e-3, rtol=0)
        torch.testing.assert_close(speech.hints["pitch"], alone.hints["pitch"], atol=0, rtol=1e-4)


class Spoken:
    def __init__(self, codes, sentence=0):
        self.codes, self.sentence = codes, sentence

    def _replace(self, sentence, words):
        return Spoken(self.codes, sentence)


def speak(requests):
    """10 frames a phoneme, of which 60 are the most; "0" lasts no time."""
    lengths = [10 * (len(request.phonemes) - request.phonemes.count("0")) for request in requests]
    return [Spoken(each.phonemes) if 0 < n <= 60 else n for each, n in zip(requests, lengths)]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_texts_come_in_order_and_long_sentences_in_pieces(batch_size):
    rng, texts = np.random.default_rng(0), []
    for _ in range(30):
        lengths = rng.integers(1, 20, rng.integers(1, 5))
        texts.append([pieces.Request([str(rng.integers(1, 9)) for _ in range(n)]) for n in lengths])
    texts.insert(7, [pieces.Request(["0"])])  # is nothing
    given = [[(i, code) for i, each in enumerate(text) for code in each.phonemes if code != "0"] for text in texts]
    found = list(pieces.predict_many(speak, iter(texts), 8, batch_size))
    assert [[(piece.sentence, code) for piece in text for code in piece.codes] for text in found] == given
    assert max(len(piece.codes) for text in found for piece in text) == 6


def test_no_more_texts_are_read_than_are_needed():
    read = []
    texts = (read.append(i) or [pieces.Request(["1"] * 3)] for i in range(1000))
    spoken = pieces.predict_many(speak, texts, 8, batch_size=2)
    next(spoken)
    assert len(read) == 8


def test_threads_are_limited_for_a_while():
    before = torch.get_num_threads()
    with use_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    counts = (torch.get_num_threads() for _ in range(3))
    for count in each_with_threads(counts, before + 2):
        assert count == before + 2 and torch.get_num_threads() == before
    with pytest.raises(ValueError, match="threads"):
        tts.TextToSpeechSynthesizer(threads=0)
    assert tts.TextToSpeechSynthesizer(device="cpu", threads=None).device.type == "cpu"
