"""The measures of the benchmark against cases whose answer is known; its judges are not loaded here."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from conftest import write_utterance
from hypothesis import given
from hypothesis import strategies as st

import lj_speech
from benchmarks import compare, evaluate, peers
from benchmarks.evaluate import (
    FRAME_MILLISECONDS,
    SAMPLING_RATE,
    STFT_HOP_LENGTH,
    Melody,
    PhraseScore,
    Utterance,
    count_word_errors,
    detail,
    duration_error,
    edit_distance,
    f0_error,
    find_phrases,
    markdown_table,
    mean_durations,
    mel_cepstral_distortion,
    mel_cepstrum,
    melody,
    normalise_text,
    read_sentences,
    spread_out,
    tempo,
)
from part2_solution import Speech
from prosody.settings import Style

# ---------------------------------------------------------------------------------------------------------------------
# Words
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("  Don’t -- stop!\n", "dont stop"),
        ("It's a well-known fact.", "its a well known fact"),
        ("Café, 2nd_floor", "café nd floor"),
        ("...", ""),
        ("Etc., etched", "et cetera etched"),
    ],
)
def test_text_is_compared_without_case_and_marks(text, words):
    assert normalise_text(text) == words


@pytest.mark.parametrize(
    "reference, hypothesis, errors",
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("same", "same", 0)],
)
def test_edit_distance_of_textbook_pairs(reference, hypothesis, errors):
    assert edit_distance(reference, hypothesis) == errors


@pytest.mark.parametrize(
    "reference, hypothesis, errors",
    [
        ("wood cutters cut", "woodcutters cut", 0),
        ("the woodcutters", "the wood cutters", 0),
        ("i e the letter", "ie the letter", 0),
        ("wood cutters", "wood cutter", 1),
        ("four hours", "fours", 2),
        ("tea", "", 1),
        ("", "tea time", 2),
    ],
)
def test_words_that_differ_in_spaces_are_right(reference, hypothesis, errors):
    assert count_word_errors(reference.split(), hypothesis.split()) == errors


@given(*[st.lists(st.sampled_from(["four", "hours", "tea"]), max_size=5)] * 2)
def test_word_errors_are_the_edit_distance_where_nothing_joins(reference, hypothesis):
    assert count_word_errors(reference, hypothesis) == edit_distance(reference, hypothesis)


def naive_distance(a, b):
    """The recursive definition."""
    if not a or not b:
        return len(a) + len(b)
    substituted = naive_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(substituted, naive_distance(a[1:], b) + 1, naive_distance(a, b[1:]) + 1)


@given(*[st.lists(st.sampled_from(["four", "hours", "tea"]), max_size=5)] * 2)
def test_edit_distance_follows_its_definition(reference, hypothesis):
    assert edit_distance(reference, hypothesis) == naive_distance(reference, hypothesis)


# ---------------------------------------------------------------------------------------------------------------------
# Spectrograms
# ---------------------------------------------------------------------------------------------------------------------


def test_detail_tells_time_from_bands():
    ramp = 0.5 * np.arange(10) + np.full((80, 1), -3.0)
    assert detail(ramp) == pytest.approx((0.5, 0.0))
    assert detail(ramp.T) == pytest.approx((0.0, 0.5))


def ripple(order, depth, n_frequencies=513):
    """A power spectrum whose log amplitude is depth * cos(order w) on the mel axis."""
    mels = 2595 * np.log10(1 + np.linspace(0, lj_speech.SAMPLING_RATE / 2, n_frequencies) / 700)
    return np.exp(2 * depth * np.cos(np.pi * order * mels / mels[-1]))[None]


@pytest.mark.parametrize("order", [1, 5, 24])
def test_mel_cepstrum_finds_a_ripple(order):
    expected = np.zeros(24)
    expected[order - 1] = 0.3
    np.testing.assert_allclose(mel_cepstrum(ripple(order, 0.3))[0], expected, atol=0.01)


def test_mcd_is_the_rms_difference_of_the_spectra_in_db():
    flat, rippled = np.ones((1, 513)), ripple(4, 0.5)
    distortion = mel_cepstral_distortion(mel_cepstrum(flat), mel_cepstrum(rippled))
    rms = 20 / math.log(10) * 0.5 / math.sqrt(2)  # of a cosine of amplitude 0.5 neper
    assert distortion == pytest.approx([rms], rel=0.02)


def test_mcd_does_not_hear_loudness():
    envelope = np.random.default_rng(0).uniform(0.1, 1, (7, 513))
    distortion = mel_cepstral_distortion(mel_cepstrum(envelope), mel_cepstrum(4 * envelope))
    np.testing.assert_allclose(distortion, np.zeros(7), atol=1e-9)


# ---------------------------------------------------------------------------------------------------------------------
# Melody and tempo
# ---------------------------------------------------------------------------------------------------------------------


def test_f0_error_counts_semitones_where_both_are_voiced():
    real = np.array([0.0, 200, 200, 200, 0, 0])
    predicted = np.array([0.0, 400, 200, 0, 150, 0])
    assert f0_error(real, predicted) == pytest.approx((144, 2, 2))  # one octave off in one of two frames


def test_f0_error_without_a_common_voiced_frame():
    assert f0_error(np.array([100.0, 0]), np.array([0, 100.0])) == (0, 0, 2)


def test_melody_is_geometric_and_of_voiced_frames():
    assert melody(np.array([0.0, 100, 0, 400])) == pytest.approx((200, 12, 2))
    assert melody(np.zeros(3)) == (None, None, 0)


def test_tempo_leaves_out_the_pauses():
    codes = ["pau", "AA1", "B", "pau", "S", "T", "pau", "B", "pau"]
    durations = [50, 10, 5, 20, 5, 10, 0, 10, 50]
    rate, pauses_per_100, pause_ms = tempo([(codes, durations)] * 3)
    assert rate == pytest.approx(5 / (40 * FRAME_MILLISECONDS / 1000))
    assert pauses_per_100 == pytest.approx(20)  # neither those at the ends nor the one of no length
    assert pause_ms == pytest.approx(20 * FRAME_MILLISECONDS)


def test_duration_error_is_in_milliseconds_and_tells_pauses_apart():
    error = duration_error(["AA1", "pau", "B"], [10, 4, 2], [8, 9, 3])
    assert error == pytest.approx((1.5 * FRAME_MILLISECONDS, 5 * FRAME_MILLISECONDS, 2, 1))


def test_mean_durations_is_the_mean_per_phoneme_and_of_all():
    first = lj_speech.Alignment("one", ["AA1", "B"], [0, 4], [4, 6])
    second = lj_speech.Alignment("two", ["AA1"], [0], [8])
    assert mean_durations([first, second]) == {"AA1": 6, "B": 6, "": 6}


# ---------------------------------------------------------------------------------------------------------------------
# Phrases
# ---------------------------------------------------------------------------------------------------------------------

CODES = ["AA1", "pau", "B", "AA1", "pau", "S", "T", "pau", "pau", "IY1"]  # 100 frames are 1.16 s
DURATIONS = [100, 20, 60, 40, 10, 30, 20, 5, 5, 120]


def by_frame(n_frames, first=0):
    """Audio whose samples are the number of their frame, from `first`."""
    return np.repeat(np.arange(first, first + n_frames, dtype=np.float32), STFT_HOP_LENGTH)


def test_phrases_lie_between_pauses():
    spans = {(phrase.samples.start // 256, phrase.samples.stop // 256) for phrase in find_phrases(CODES, DURATIONS)}
    assert [phrase.codes for phrase in find_phrases(CODES, DURATIONS)] == [["AA1"], ["B", "AA1"], ["IY1"]]
    assert spans == {(0, 106), (114, 226), (284, 410)}  # S T lasts 50 frames
    assert find_phrases(["pau"], [200]) == []


@pytest.mark.parametrize("n_frames, found", [(86, 0), (87, 1), (344, 1), (345, 0)])  # 1 s is 86.1 frames, 4 s 344.5
def test_phrases_of_one_to_four_seconds_count_without_their_pauses(n_frames, found):
    assert len(find_phrases(["pau", "AA1", "B", "pau"], [200, 40, n_frames - 40, 200])) == found


@pytest.mark.parametrize(
    "before, after, first, end", [(20, 20, 14, 126), (3, 20, 0, 109), (20, 0, 14, 120), (6, 1, 0, 107)]
)
def test_a_phrase_has_a_margin_as_far_as_the_pauses_last(before, after, first, end):
    (phrase,) = find_phrases(["B", "pau", "AA1", "pau", "B"], [5, before, 100, after, 5])
    assert (phrase.samples.start // 256 - 5, phrase.samples.stop // 256 - 5) == (first, end)


class FakeSynthesizer:
    """Ten frames for each phoneme unless told; its audio is a ramp that starts from the number of its frames."""

    model = SimpleNamespace(extension=None)

    def __init__(self, checkpoint=None, vocoder=None):
        self.said, self.cleanings, self.style = [], [], Style(denoising=10.0, dereverberation=0.5)

    def predict(self, codes, durations=None, features={}):
        self.said.append(list(codes))
        self.cleanings.append((self.style.denoising, self.style.dereverberation))
        durations = durations or [10] * len(codes)
        spectrogram = torch.linspace(-9, 0, 80 * sum(durations)).reshape(80, -1)
        return [Speech(spectrogram, codes, durations, None, hints={"pitch": torch.full((sum(durations),), 200.0)})]

    def synthesize_from_text(self, text):
        pass

    def vocode(self, speech):
        return self.vocoder(speech.spectrogram)

    def vocoder(self, spectrogram):
        n_frames = spectrogram.shape[1]
        return torch.arange(n_frames * STFT_HOP_LENGTH)[None] + float(n_frames)


def test_distances_are_taken_of_speech_with_the_room_of_the_recordings():
    synthesizer = FakeSynthesizer()
    sample = {"text": "a", "phonemes_code": ["AA1"], "phonemes_duration": [20], "spectrogram": np.zeros((80, 20))}
    spoken = evaluate.speak_held_out(synthesizer, synthesizer.vocoder, {"a": sample}, {})
    assert list(spoken) == ["held-out texts", "held-out durations", "copy-synthesis"]
    assert synthesizer.cleanings == [(10.0, 0.5), (0.0, 0.0)]
    assert (synthesizer.style.denoising, synthesizer.style.dereverberation) == (10.0, 0.5)


def test_short_audio_is_repeated_to_fill_the_judges_window():
    filled = evaluate.fill(np.arange(50000))
    assert len(filled) == 122880 and (filled == np.arange(122880) % 50000).all()
    long = np.arange(130000)
    assert (evaluate.fill(long) == long).all()


def test_a_phrase_is_judged_in_the_recording_in_its_copy_and_said_by_the_voice(monkeypatch):
    recording = Utterance("a", "a text", by_frame(410)[:-10], CODES, DURATIONS)
    copy = recording._replace(audio=by_frame(411, 1000))
    others = [utterance._replace(name="b") for utterance in (copy, recording)]
    synthesizer = FakeSynthesizer()
    monkeypatch.setattr(evaluate, "resample", lambda audio: audio)
    spoken = {"copy-synthesis": [others[0], copy], "recordings": [recording]}
    scores = evaluate.judge_phrases(synthesizer, spoken, lambda audio: float(audio[0]))
    assert synthesizer.said == [["pau", "AA1", "pau"], ["pau", "B", "AA1", "pau"], ["pau", "IY1", "pau"]]
    assert {kind: [score.mos for score in scores[kind]] for kind in scores} == {
        "recordings": [0, 114, 284], "copy-synthesis": [1000, 1114, 1284], "voice": [30, 40, 30],
    }  # fmt: skip
    lengths = {kind: [round(score.seconds * SAMPLING_RATE) for score in scores[kind]] for kind in scores}
    cut = [256 * 106, 256 * 112, 256 * 126 - 10]  # from the copy, which is longer, no more than from the recording
    assert lengths == {"recordings": cut, "copy-synthesis": cut, "voice": [256 * 30, 256 * 40, 256 * 30]}
    assert [(score.name, score.codes) for score in scores["voice"]] == [("a", "AA1"), ("a", "B AA1"), ("a", "IY1")]


def test_phrases_are_compared_in_pairs():
    moses = {"recordings": [3.0, 4.0], "voice": [2.0, 3.5]}
    scores = {
        kind: [PhraseScore("a", "AA1", 2.0 + i, mos + 1, mos) for i, mos in enumerate(moses[kind])] for kind in moses
    }
    recordings, voice = evaluate.phrase_rows(scores)
    margin = pytest.approx(0.98)
    assert list(recordings.values()) == ["recordings", 2, 2.5, 4.5, margin, 3.5, margin, None, None]
    margin = pytest.approx(1.47)
    assert list(voice.values()) == ["voice", 2, 2.5, 3.75, margin, 2.75, margin, -0.75, pytest.approx(0.49)]


# ---------------------------------------------------------------------------------------------------------------------
# Distances, rows and tables
# ---------------------------------------------------------------------------------------------------------------------


def test_blurring_shows_as_a_detail_ratio_above_one():
    real = np.random.default_rng(0).normal(size=(80, 50)).astype(np.float32)
    blurred = (real + np.roll(real, 1, axis=1)) / 2
    utterance = Utterance("a", "a", np.zeros(50 * 256, np.float32), ["AA1"], [50], blurred)
    measured = evaluate.distance(utterance, real, None)
    row = evaluate.summarise_distances("held-out durations", [measured, measured])
    assert row["n"] == 2
    assert row["mel L1"] == pytest.approx(np.abs(real - blurred).mean())
    assert row["detail time"] == pytest.approx(detail(real).time / detail(blurred).time) and row["detail time"] > 1.3
    assert row["MCD dB"] is None and row["F0 error st"] is None


def make_score(errors, n_words, mos, f0_hz=200.0, n_voiced=10):
    moses = mos, mos + 1
    return evaluate.Score(
        "a", "", "", errors, n_words, 2 * errors, 5 * n_words, -1.5, *moses, 0.8, f0_hz, 2.0, n_voiced
    )


def test_the_text_that_is_said_is_the_likelier_one():
    pytest.importorskip("faster_whisper")
    audio, rate = soundfile.read(evaluate.ROOT / "samples" / "question.flac", dtype="float32")
    assert rate == SAMPLING_RATE
    recogniser, heard = evaluate.Recogniser(), evaluate.resample(audio)
    text = recogniser.recognise(heard)
    right, wrong = (recogniser.log_probability(heard, words) for words in (text, "The cat sat on a mat of straw."))
    assert -0.3 < right < 0 and wrong < -2
    assert len(recogniser.tokenizer.encode(" the time to think")) == 4


def test_summary_pools_errors_over_words_and_f0_over_frames():
    utterance = Utterance("a", "", np.zeros(22050, np.float32), ["AA1", "B"], [10, 5], None, 0.1, 0.4)
    scores = [make_score(1, 2, 4.0, 100.0, 30), make_score(0, 8, 3.0, 200.0, 10), make_score(0, 0, 2.0, None, 0)]
    row = evaluate.summarise("sentences", [utterance] * 3, scores)
    assert (row["WER %"], row["CER %"]) == pytest.approx((10, 4))
    assert (row["MOS"], row["MOS ±"]) == pytest.approx((3, 1.96 / math.sqrt(3)))
    assert (row["MOS filled"], row["MOS filled ±"]) == pytest.approx((4, 1.96 / math.sqrt(3)))
    assert row["F0 Hz"] == pytest.approx(100 * 2**0.25)
    assert (row["RTF model"], row["RTF vocoder"]) == pytest.approx((0.1, 0.4))


def test_the_reference_recordings_have_a_row_of_their_melody():
    utterance = Utterance("a", "", np.zeros(22050, np.float32), ["AA1"], [10])
    spoken, scores = {"sentences": [utterance]}, {"sentences": [make_score(0, 3, 4.0)]}
    references = [Melody(100.0, 2.0, 30), Melody(200.0, 4.0, 10), Melody(None, None, 0)]
    first, row = evaluate.speech_rows(spoken, scores, [], references)
    assert list(row) == list(first)
    assert {key: value for key, value in row.items() if value is not None} == {
        "speech": "reference recordings", "n": 3, "F0 Hz": pytest.approx(100 * 2**0.25), "spread st": 3,
    }  # fmt: skip
    assert evaluate.speech_rows(spoken, scores, [], []) == [first]


def test_what_was_not_measured_is_a_dash_in_the_table_and_null_in_json():
    utterance = Utterance("a", "", np.zeros(22050, np.float32), ["AA1"], [10])
    row = evaluate.summarise("recordings", [utterance], [make_score(0, 3, 4.0)])
    assert json.loads(json.dumps(row))["RTF model"] is None
    header, rule, line = markdown_table([row]).splitlines()
    assert len(header) == len(rule) == len(line)
    assert line.split("|")[-2].strip() == "–"


def test_duration_table_compares_the_model_with_the_mean_of_the_phoneme():
    utterances = [Utterance("a", "", np.zeros(0), ["AA1", "pau", "ZH"], [10, 20, 6])]
    samples = {"a": {"phonemes_duration": [12, 20, 6]}}
    model, baseline = evaluate.measure_durations(utterances, samples, {"AA1": 11.0, "pau": 16.0, "": 8.0})
    assert (model["phonemes, ms"], model["pauses, ms"]) == pytest.approx((FRAME_MILLISECONDS, 0))
    assert (baseline["phonemes, ms"], baseline["pauses, ms"]) == pytest.approx(
        (1.5 * FRAME_MILLISECONDS, 4 * FRAME_MILLISECONDS)
    )
    assert baseline["length ratio"] == pytest.approx(35 / 38)


# ---------------------------------------------------------------------------------------------------------------------
# Input
# ---------------------------------------------------------------------------------------------------------------------


def test_sentences_are_many_different_and_speakable():
    sentences = read_sentences()
    assert len(set(sentences)) == len(sentences) >= 60
    assert "Four hours of steady work faced us before the evening tea." in sentences
    for sentence in sentences:
        assert lj_speech.text_to_phonemes(sentence)


@pytest.mark.parametrize("line", ["no tab here.", "short\tThere are 2 of them.", "short\tOne sentence. And another."])
def test_other_lines_among_the_sentences_are_refused(tmp_path, line):
    path = tmp_path / "sentences.tsv"
    path.write_text(f"# a comment\nshort\tThis is right.\n{line}\n")
    with pytest.raises(ValueError, match="sentence 2"):
        read_sentences(path)


@given(st.integers(0, 40), st.one_of(st.none(), st.integers(1, 50)))
def test_a_selection_is_spread_and_repeats_nothing(n_items, n):
    chosen = spread_out(range(n_items), n)
    assert len(chosen) == (n_items if n is None else min(n, n_items))
    assert chosen == sorted(set(chosen))


def test_held_out_samples_are_the_validation_part(dataset_root):
    samples, alignments = evaluate.read_held_out(dataset_root, None)
    train_dataset, val_dataset = lj_speech.get_dataset(dataset_root)
    assert list(samples) == [path.stem.removesuffix(".mel") for path in val_dataset.mel_paths]
    assert len(alignments) == len(train_dataset)


def test_missing_tool_says_how_to_get_it():
    with pytest.raises(ModuleNotFoundError, match="pip install -r requirements-eval.txt"):
        evaluate.tool("a_package_that_nobody_has")


def test_two_results_are_compared_on_the_sentences_they_share():
    def scored(text, mos, heard, **more):
        return {"text": text, "mos": mos, "heard": heard, **more}

    before = [scored("a wood cutter", 3.0, "the woodcutter"), scored("tea", 2.0, "Tea!"), scored("only here", 1.0, "")]
    after = [scored("tea", 2.6, "tree top"), scored("a wood cutter", 3.2, "A woodcutter.")]
    row = compare.compare(compare.shared_utterances(before, after))
    assert (row["n"], row["words"], row["words wrong"]) == (2, 4, "1 -> 2")
    assert (row["MOS"], row["MOS difference"]) == ("2.50 -> 2.90", "+0.40 ± 0.39")
    assert row["WER % difference"] == "+25.0 (-33.3 to +200.0)"
    assert "MOS filled" not in row
    pair = scored("a", 3.0, "a", mos_filled=4.0), scored("a", 3.0, "a", mos_filled=4.5)
    assert compare.compare([pair, pair])["MOS filled difference"] == "+0.50 ± 0.00"


def test_the_interval_of_word_errors_is_the_one_of_independent_sentences():
    rng = np.random.default_rng(1)
    more_wrong, n_words = rng.integers(-1, 3, 400), np.full(400, 8)
    found = compare.word_error_difference(more_wrong, n_words)
    average, low, high = (float(number) for number in re.findall(r"[+-][\d.]+", found))
    expected, margin = 100 * more_wrong.mean() / 8, 100 * 1.96 * more_wrong.std() / 8 / 400**0.5
    assert (average, low, high) == pytest.approx((expected, expected - margin, expected + margin), abs=0.15)


def test_longer_sentences_weigh_more_in_the_word_error_rate():
    assert compare.word_error_difference(np.array([1, 0]), np.array([2, 8])) == "+10.0 (+0.0 to +50.0)"


# ---------------------------------------------------------------------------------------------------------------------
# Voices compared
# ---------------------------------------------------------------------------------------------------------------------


def test_the_same_audio_is_not_encoded_again():
    asked = []
    remembering = evaluate.remember_last(lambda array: asked.append(1) or float(array.sum()))
    array = np.ones(3)
    assert [remembering(array), remembering(np.ones(3)), remembering(np.zeros(3)), remembering(array)] == [3, 3, 0, 3]
    assert len(asked) == 3
    array[:] = 2  # the caller goes on to use it
    assert remembering(array) == 6


def test_a_voice_that_does_not_tell_its_phonemes_has_no_tempo():
    utterance = evaluate.let_speak(lambda text: np.zeros(22050, np.float32), "a", "a text")
    row = evaluate.summarise("plain by hibari", [utterance], [make_score(0, 3, 4.0)])
    assert (row["phonemes/s"], row["pauses/100"], row["RTF vocoder"]) == (None, None, None)
    assert row["RTF model"] > 0


def test_a_list_is_compared_with_each_peer_that_says_it():
    def said(*moses):
        return [make_score(0, 2, mos)._replace(text=f"text {mos}", heard="text") for mos in moses]

    scores = {"plain": said(3.0, 4.0), "plain by hibari": said(3.5, 4.5), "sentences": said(2.0)}
    (row,) = evaluate.pair_rows(scores, ["hibari", "piper"])
    assert (row["compared"], row["n"], row["MOS"]) == ("plain: ours -> hibari", 2, "3.50 -> 4.00")


def test_both_words_of_a_minimal_pair_are_said_and_the_likelier_one_counts():
    said = {}

    def say(name, text):
        said[len(said) + 1] = text
        return Utterance(name, text, np.full(441, len(said), np.float32), [], [])

    odds = {1: 2.0, 2: -1.0, 3: 0.5, 4: 0.1}  # by the order in which they are said

    def log_odds(audio, text, other):
        number = round(float(audio[len(audio) // 2]))
        assert text == said[number] and other != text
        return odds[number]

    judges = evaluate.Judges(None, None, None, None, None, log_odds)
    pairs = [evaluate.MinimalPair("TH", "thin", "fin"), evaluate.MinimalPair("CH", "chin", "tin")]
    choices = evaluate.choose(say, pairs, judges)
    assert list(said.values()) == [f"Say the word {word} again." for word in ("thin", "fin", "chin", "tin")]
    assert choices[1] == ("TH", "fin", "thin", -1.0)
    row = evaluate.choice_row("ours", choices)
    assert (row["n"], row["told apart %"], row["TH %"], row["CH %"]) == (4, 75, 50, 100)
    assert row["log odds"] == pytest.approx(0.4)


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(peers.importlib, "import_module", missing)
    assert peers.load_peer("hibari") is None


def test_a_peer_speaks_at_our_sampling_rate():
    pytest.importorskip("hibari")
    say = peers.load_peer("hibari")
    audio = say("Hello there.")
    assert audio.dtype == np.float32 and 0.5 * SAMPLING_RATE < len(audio) < 2 * SAMPLING_RATE
    assert (audio == say("Hello there.")).all()


# ---------------------------------------------------------------------------------------------------------------------
# All of it
# ---------------------------------------------------------------------------------------------------------------------


def says_nothing(text):
    return np.zeros(SAMPLING_RATE, np.float32)


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Checkpoint, dataset and recordings: one of a held-out utterance, one of another. Judges and voice are fakes."""
    root, clips = tmp_path / "LJ-Speech-aligned", tmp_path / "clips"
    root.mkdir()
    clips.mkdir()
    for index in range(40):
        write_utterance(root, f"LJ{index:03d}", ["pau", "AA1", "pau", "B"], [5, 100, 5, 20])
    for name in ("LJ001", "LJ030"):
        soundfile.write(clips / f"{name}.wav", np.zeros(130 * STFT_HOP_LENGTH), SAMPLING_RATE)
    (tmp_path / "TTS.pth").touch()
    judges = evaluate.Judges(lambda audio: "text of", lambda audio, text: -1.5, lambda audio: 3.0, None, None,
                             lambda audio, text, other: 1.0)  # fmt: skip
    monkeypatch.setattr(evaluate, "load_judges", lambda references: judges)
    monkeypatch.setattr(evaluate, "load_peer", lambda name, n_threads: says_nothing if name == "hibari" else None)
    monkeypatch.setattr(evaluate, "TextToSpeechSynthesizer", FakeSynthesizer)
    monkeypatch.setattr(evaluate, "track_f0", lambda audio: (np.full(len(audio) // STFT_HOP_LENGTH, 190.0), None))
    monkeypatch.setattr(evaluate, "analyse", lambda audio: evaluate.World(np.zeros(130), np.zeros((130, 24))))
    return tmp_path / "TTS.pth", root, clips


def test_recordings_give_the_table_of_phrases_and_the_speakers_melody(inputs):
    report = json.loads(json.dumps(evaluate.evaluate(*inputs)))
    assert [(row["phrases"], row["n"]) for row in report["phrases"]] == [
        ("recordings", 1), ("copy-synthesis", 1), ("voice", 1),
    ]  # fmt: skip
    seconds = 110 * STFT_HOP_LENGTH / SAMPLING_RATE
    score = {"name": "LJ001", "codes": "AA1", "seconds": seconds, "mos": 3.0, "mos_filled": 3.0}
    assert report["phrase_scores"]["recordings"] == [score]
    row = report["speech"][-1]
    assert (row["speech"], row["n"], row["F0 Hz"]) == ("reference recordings", 1, pytest.approx(190))
    assert evaluate.markdown_table(report["phrases"]) in evaluate.render(report)


def test_without_recordings_there_are_no_phrases(inputs):
    report = evaluate.evaluate(*inputs[:2])
    assert report["phrases"] == [] and report["phrase_scores"] == {}
    assert [row["speech"] for row in report["speech"]][-2:] == ["copy-synthesis", "alignments"]
    assert "phrases" not in evaluate.render(report).replace(report["left_out"][0], "")
    assert report["left_out"][0].startswith("recording, phrases")
    older = {key: value for key, value in report.items() if not key.startswith("phrase")}
    assert evaluate.render(older) == evaluate.render(report)


def test_lists_are_said_by_all_voices_and_compared(inputs):
    lists = ["unpredictable", "minimal_pairs"]
    report = json.loads(json.dumps(evaluate.evaluate(inputs[0], n=3, lists=lists, peers=["hibari", "piper"])))
    assert [(row["speech"], row["n"]) for row in report["speech"]] == [
        ("unpredictable", 3), ("unpredictable by hibari", 3),
    ]  # fmt: skip
    assert [row["compared"] for row in report["compared"]] == ["unpredictable: ours -> hibari"]
    assert [(row["minimal pairs"], row["n"]) for row in report["minimal_pairs"]] == [("ours", 6), ("hibari", 6)]
    assert len(report["choices"]["hibari"]) == 6
    assert report["left_out"][0].startswith("piper: pip install")
    assert evaluate.markdown_table(report["compared"]) in evaluate.render(report)


def test_minimal_pairs_alone_are_a_report(inputs):
    report = evaluate.evaluate(inputs[0], n=2, lists=["minimal_pairs"])
    assert report["speech"] == [] and report["minimal_pairs"][0]["told apart %"] == 100
    assert evaluate.markdown_table(report["minimal_pairs"]) in evaluate.render(report)
