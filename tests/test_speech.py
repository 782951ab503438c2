"""What both engines share: settings for one text, the record of what was said, captions."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT, new_model
from test_synthesis import HOP, ToyVocoder

import english
import part2_solution as tts
from speech import captions, record
from speech.record import Phoneme, Word
from speech.written import Places

RATE = 22050


@pytest.fixture(scope="module")
def speaker(tmp_path_factory):
    """A voice of random weights and of few positions, which knows all phonemes."""
    config = replace(new_model().config, vocabulary=("pau", *sorted(english.PHONEMES)), max_frames=150)
    model = tts.AcousticModel(config, tts.ShippedExtension(config))
    path = tmp_path_factory.mktemp("voice") / "TTS.pth"
    tts.save_checkpoint(model, path, {})
    return tts.TextToSpeechSynthesizer(path, vocoder=ToyVocoder())


@pytest.fixture(scope="module")
def voice():
    return tts.TextToSpeechSynthesizer(ROOT / "TTS.pth")


# -------- Records ----------------------------------------------------------------------------------------------------

TEXT = "Dr. Ray ate 2 pies.\n\nWhy?  He was hungry, wasn't he?"


def test_a_record_is_what_synthesis_gives_with_its_times(speaker):
    said = speaker.speak(TEXT)
    assert np.array_equal(said.audio, speaker.synthesize_from_text(TEXT))
    assert said.sampling_rate == RATE and said.end == said.seconds == said.audio.shape[1] / RATE
    spoken = "doctor Ray ate two pies Why He was hungry wasn't he".split()
    assert [word.text for word in said.words] == spoken
    assert [word.text for word in said.written] == TEXT.split()
    sentences = ["Dr. Ray ate 2 pies.", "Why?", "He was hungry, wasn't he?"]
    assert [sentence.text for sentence in said.sentences] == sentences
    assert [phoneme.code for phoneme in said.phonemes] == english.codes_of(sum(english.spoken_words(TEXT), []))
    within = [phoneme for word in said.words for phoneme in word.phonemes]
    assert within == [phoneme for phoneme in said.phonemes if phoneme.code != "pau"]
    for word in said.words:
        assert (word.start, word.end) == (word.phonemes[0].start, word.phonemes[-1].end)
        assert [phoneme.code for phoneme in word.phonemes] == english.pronounce(word.text) or word.text in ("was", "he")
    assert all(a.end <= b.start + 1e-9 for a, b in zip(said.phonemes, said.phonemes[1:]))
    assert said.spectrogram.shape == (80, pytest.approx(said.audio.shape[1] / HOP, abs=0.5))


def test_times_are_those_of_the_audio(speaker):
    """`ToyVocoder` makes a frame's mean of its samples, so each phoneme can be looked up in the audio."""
    said = speaker.speak(TEXT)
    for phoneme in said.phonemes:
        first, last = (round(time * RATE) for time in (phoneme.start, phoneme.end))
        assert last - first == phoneme.frames * HOP == pytest.approx(phoneme.duration * RATE)
        frame = round(first / HOP)
        expected = said.spectrogram[:, frame : frame + phoneme.frames].mean(0).repeat(HOP)
        np.testing.assert_allclose(said.audio[0, first:last], expected, atol=1e-5)
    gaps = [b.start - a.end for a, b in zip(said.phonemes, said.phonemes[1:]) if b.start - a.end > 1e-6]
    assert gaps == pytest.approx([speaker.paragraph_pause, speaker.sentence_pause], abs=1 / RATE)


@pytest.mark.parametrize("chunk", [0, -1, "x", None, 1.5, True, float("nan")])
def test_a_chunk_is_a_whole_number_of_frames(speaker, chunk):
    with pytest.raises((TypeError, ValueError), match=r"chunk is .*: give .*at least 1"):
        speaker.stream(TEXT, chunk=chunk)


@pytest.mark.parametrize("chunk", [1, 2, 32])
def test_pieces_of_a_stream_add_up_to_the_record(speaker, chunk):
    said, pieces = speaker.speak(TEXT), list(speaker.stream(TEXT, chunk=chunk))
    assert len(pieces) > 5
    for piece, following in zip(pieces, pieces[1:]):
        assert piece.end == pytest.approx(following.start)
        starts = [thing.start for thing in (*piece.words, *piece.phonemes)]
        assert all(piece.start - 1e-9 <= start < piece.end for start in starts)
    joined = record.join(pieces)
    assert (joined.words, joined.phonemes) == (said.words, said.phonemes)
    assert np.array_equal(joined.audio, said.audio) and np.array_equal(joined.spectrogram, said.spectrogram)


def test_a_word_that_is_cut_in_two_is_whole_in_the_record(speaker):
    text = "One " + "counterrevolutionaries " * 5  # no pause, and more phonemes than there are positions
    said, pieces = speaker.speak(text), list(speaker.stream(text, chunk=4))
    assert [word.text for word in said.words] == text.split()
    codes = english.pronounce("counterrevolutionaries")
    assert all([phoneme.code for phoneme in word.phonemes] == codes for word in said.words[1:])
    assert record.join(pieces).words == said.words


def test_phonemes_without_a_text(speaker):
    said = speaker.speak_phonemes(["pau", "AA1", "B", "pau"], [3, 0, 7, 0])
    assert [phoneme[0::3] for phoneme in said.phonemes] == [("pau", 3), ("AA1", 0), ("B", 7), ("pau", 0)]
    assert said.words == [] and said.sentences == [] and said.audio.shape == (1, 10 * HOP)
    assert np.array_equal(said.audio, speaker.synthesize_from_phonemes(["pau", "AA1", "B", "pau"], [3, 0, 7, 0]))
    pieces = list(speaker.stream_phonemes(["pau", "AA1", "B", "pau"], chunk=1))
    joined = record.join(pieces)
    assert joined.phonemes == speaker.speak_phonemes(["pau", "AA1", "B", "pau"]).phonemes and len(pieces) > 1


def test_all_is_plain_numpy(speaker):
    said = speaker.speak("Yes.")
    assert type(said.audio) is type(said.spectrogram) is np.ndarray and said.audio.dtype == np.float32
    assert isinstance(speaker.synthesize_from_text("Yes."), torch.Tensor)
    code = "import speech.speaker, speech.captions, prosody.settings, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


# -------- Settings ---------------------------------------------------------------------------------------------------


def test_settings_of_one_text_are_those_of_the_voice(speaker):
    normal = speaker.speak("Yes. No.")
    changed = speaker.speak("Yes. No.", tempo=0.5, sentence_pause=1, intonation=0, pitch_shift=4)
    assert (speaker.tempo, speaker.sentence_pause, speaker.style) == (1, 0.25, type(speaker.style)())
    other = speaker.with_settings(tempo=0.5, sentence_pause=1)
    other.style = replace(other.style, intonation=0, pitch_shift=4)
    assert np.array_equal(changed.audio, other.speak("Yes. No.").audio)
    assert changed.seconds > normal.seconds + 0.7
    assert np.array_equal(speaker.speak("Yes. No.", tempo=None).audio, normal.audio)
    long = speaker.stream("Yes. No.", tempo=0.5, sentence_pause=1, intonation=0, pitch_shift=4)
    first = next(long)
    assert np.array_equal(speaker.speak("Yes. No.").audio, normal.audio), "while another text is spoken otherwise"
    assert record.join([first, *long]).words == changed.words


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"tempo": 0}, ValueError, "tempo is 0: give a number from 0.1 to 10"),
        ({"tempo": 1e-30}, ValueError, "tempo is 1e-30"),
        ({"tempo": float("nan")}, ValueError, "tempo is nan"),
        ({"tempo": "fast"}, TypeError, "tempo is 'fast'"),
        ({"tempo": True}, TypeError, "tempo is True"),
        ({"sentence_pause": -1}, ValueError, "sentence_pause is -1: give a number from 0 to 60"),
        ({"paragraph_pause": float("inf")}, ValueError, "paragraph_pause is inf"),
        ({"intonation": float("inf")}, ValueError, "intonation is inf"),
        ({"pitch_shift": 99}, ValueError, "pitch_shift is 99: give a number from -24 to 24"),
        ({"denoising": -1}, ValueError, "denoising is -1"),
        ({"pitch": 3}, TypeError, "no setting pitch: this voice has tempo, .*, pitch_shift"),
        ({"custom_words": {"a": 3}}, TypeError, "custom_words has 'a': 3: give words and their phonemes"),
        ({"custom_words": ["a"]}, TypeError, "custom_words is a list"),
        ({"custom_words": {3: "B"}}, TypeError, "custom_words has 3"),
        ({"custom_words": {"a": "QQ"}}, ValueError, "QQ"),
    ],
)
def test_bad_settings_are_named_before_anything_is_said(speaker, settings, error, message):
    for say in (speaker.speak, lambda *text, **options: next(speaker.stream(*text, **options))):
        with pytest.raises(error, match=message):
            say("Hello.", **settings)


def test_a_voice_cannot_be_set_to_nonsense(speaker):
    for name, value in (("tempo", "fast"), ("tempo", 0), ("sentence_pause", -1), ("paragraph_pause", None)):
        with pytest.raises((TypeError, ValueError), match=name):
            setattr(speaker, name, value)
    assert speaker.tempo == 1 and tts.TextToSpeechSynthesizer.tempo == 1


@pytest.mark.parametrize("settings", [
    {"tempo": 0.1}, {"tempo": 10}, {"pitch_shift": 24, "intonation": 5}, {"pitch_shift": -24, "intonation": -5},
    {"question_rise": 24}, {"denoising": 1000, "dereverberation": 10}, {"denoising": 0, "dereverberation": 0},
])  # fmt: skip
def test_the_ends_of_all_ranges_give_audio(voice, settings):
    audio = voice.speak("Is it?", **settings).audio
    assert np.isfinite(audio).all() and np.abs(audio).max() <= 1 and audio.std() > 1e-3


# -------- Where words are written ------------------------------------------------------------------------------------


def places(text: str, custom_words=None) -> str:
    """`spoken=written` of each word."""
    follower, found = Places(text), []
    for words in english.spoken_words(text, custom_words):
        for word, place in zip(words, follower.find(words)):
            if word.codes != ["pau"]:
                found.append(f"{word.text}={text[slice(*place)]}")
    return " ".join(found)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The U.S. has $3.50.", "The=The U=U.S. S=U.S. has=has three=$3.50. dollars=$3.50. and=$3.50. fifty=$3.50. "
                                "cents=$3.50."),
        ("A well-known man.", "a=A well=well-known known=well-known man=man."),
        ("She left -- so he said.", "She=She left=left -- so=so he=he said=said."),
        ("*** Привет. Hello!", "Hello=Hello!"),
        ("1 2. 3", "one=1 two=2. three=3"),
        ("the the the end", "the=the the=the the=the end=end"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:skipped")
def test_where_words_are_written(text, expected):
    assert places(text) == expected


def test_custom_words_are_found_where_they_are_written(speaker):
    custom = {"hibari": "HH IH0 B AA1 R IY0", "new york": "N UW1 Y AO1 R K"}
    said = speaker.speak("In New York, hibari and hibari.", custom_words=custom)
    assert [word.text for word in said.written] == ["In", "New York,", "hibari", "and", "hibari."]
    assert said.words[1].text == "New York,"


def test_a_long_text_is_followed_to_its_end():
    text = "Four hours of steady work, for $5, faced us before 1999 in the evening " * 200
    words = places(text).split(" ")
    assert words[-1].endswith("=evening") and english.spoken_words(text)[0][-2].text == "evening"
    (sentence,) = english.spoken_words(text)
    spans = Places(text).find(sentence)
    assert spans[-1][1] == len(text) - 1 and spans == sorted(spans)


# -------- Captions ---------------------------------------------------------------------------------------------------


def spoken(text: str, first: float = 0.0) -> list[Word]:
    """A word a second, half of which is silence; sentences end in full stops."""
    words, sentence, place = [], 0, 0
    for number, token in enumerate(text.split()):
        start, place = first + number, text.index(token, place)
        phonemes = [Phoneme("AA1", start, start + 0.5, 43)]
        read, characters = token.strip(".,").lower(), (place, place + len(token))
        words.append(Word(read, start, start + 0.5, phonemes, characters, sentence))
        place, sentence = place + len(token), sentence + token.endswith(".")
    return words


def test_subtitles_of_sentences_and_of_words():
    text = "Hello there. A <b>, yes."
    assert captions.srt(spoken(text, 3599.5), text) == (
        "1\n00:59:59,500 --> 01:00:01,000\nHello there.\n\n2\n01:00:01,500 --> 01:00:04,000\nA <b>, yes.\n"
    )
    assert captions.srt(spoken(text), text, "word").startswith("1\n00:00:00,000 --> 00:00:00,500\nHello\n\n2\n")
    assert captions.vtt(spoken(text), text) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello <00:00:01.000>there.\n\n"
        "00:00:02.000 --> 00:00:04.500\nA <00:00:03.000>&lt;b&gt;, <00:00:04.000>yes.\n"
    )
    assert (captions.srt([], ""), captions.vtt([], "")) == ("", "WEBVTT\n")
    assert "-->" not in captions.srt(spoken("a --> b"), "a --> b").splitlines()[2]
    with pytest.raises(ValueError, match="choose sentence or word"):
        captions.srt([], "", "line")


def test_captions_as_json():
    text = "Hello there."
    data = json.loads(captions.as_json(spoken(text), text))
    assert data["text"] == text
    (sentence,) = data["sentences"]
    assert (sentence["text"], sentence["start"], sentence["end"]) == (text, 0, 1.5)
    assert [(word["text"], word["spoken"], word["start"]) for word in sentence["words"]] == [
        ("Hello", "hello", 0), ("there.", "there", 1)
    ]  # fmt: skip
    assert sentence["words"][0]["phonemes"] == [{"code": "AA1", "start": 0, "end": 0.5}]


def test_long_sentences_become_captions_that_can_be_read():
    rng = np.random.default_rng(0)
    text = " ".join("a" * n + "," * (n == 7) for n in rng.integers(1, 14, 300).tolist()) + "."
    words = [word._replace(start=word.start / 3, end=word.end / 3) for word in spoken(text)]
    found = captions.captions(words, text)
    assert " ".join(word.text for caption in found for line in caption.lines for word in line) == text
    for caption in found:
        assert len(caption.lines) <= 2 and 0 < caption.end - caption.start <= 7
        assert all(len(" ".join(word.text for word in line)) <= 42 for line in caption.lines)
    assert len(found) < 60, "and are not cut more than needed"
    assert len(captions.captions(spoken("a" * 99), "a" * 99)[0].lines) == 1, "a word is not cut"


def test_an_aligner_finds_the_same_whatever_it_heard_before(voice):
    pytest.importorskip("pocketsphinx")
    import word_times

    first, *others = (voice.speak(text) for text in word_times.TEXTS[1:])
    alone = word_times.align(first)
    for other in others:
        word_times.align(other)
        assert word_times.align(first) == alone


def test_an_aligner_finds_the_words_of_the_demo_where_they_are_told(voice):
    """pocketsphinx, which knows nothing of the durations, in the audio; `benchmarks/word_times.py` has more texts."""
    pytest.importorskip("pocketsphinx")
    import word_times

    said = voice.speak(word_times.DEMO)
    heard = word_times.align(said)
    agreement = word_times.measure(said, heard)
    assert len(agreement.starts) == 11 and agreement.error < 40, "milliseconds; 60 are asked for"
    written = word_times.measure_captions(said, heard)
    np.testing.assert_allclose(written.starts, agreement.starts, atol=0.5, err_msg="the captions tell the same, in ms")
    dear = voice.speak("It costs $3.50 today.")
    measured = word_times.measure_captions(dear, word_times.align(dear))
    assert len(measured.starts) == 4 and measured.error < 60, "the price is one caption, and several spoken words"
    late = replace(said, audio=np.pad(said.audio, ((0, 0), (2205, 0))))
    assert word_times.measure(late, word_times.align(late)).error > 60, "a tenth of a second would be noticed"
