"""The measures of the benchmark against cases whose answer is known; its judges are not loaded here."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lj_speech
from benchmarks import evaluate
from benchmarks.evaluate import (
    FRAME_MILLISECONDS,
    Utterance,
    detail,
    duration_error,
    edit_distance,
    f0_error,
    markdown_table,
    mean_durations,
    mel_cepstral_distortion,
    mel_cepstrum,
    normalise_text,
    read_sentences,
    spread_out,
    tempo,
)

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
    return evaluate.Score("a", "", "", errors, n_words, 2 * errors, 5 * n_words, mos, 0.8, f0_hz, 2.0, n_voiced)


def test_summary_pools_errors_over_words_and_f0_over_frames():
    utterance = Utterance("a", "", np.zeros(22050, np.float32), ["AA1", "B"], [10, 5], None, 0.1, 0.4)
    scores = [make_score(1, 2, 4.0, 100.0, 30), make_score(0, 8, 3.0, 200.0, 10), make_score(0, 0, 2.0, None, 0)]
    row = evaluate.summarise("sentences", [utterance] * 3, scores)
    assert (row["WER %"], row["CER %"]) == pytest.approx((10, 4))
    assert (row["MOS"], row["MOS ±"]) == pytest.approx((3, 1.96 / math.sqrt(3)))
    assert row["F0 Hz"] == pytest.approx(100 * 2**0.25)
    assert (row["RTF model"], row["RTF vocoder"]) == pytest.approx((0.1, 0.4))


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
    import compare

    def scored(text, mos, word_errors):
        return {"text": text, "mos": mos, "word_errors": word_errors, "n_words": 5}

    before = [scored("a", 3.0, 1), scored("b", 2.0, 0), scored("only here", 1.0, 5)]
    after = [scored("b", 2.6, 2), scored("a", 3.2, 0)]
    row = compare.compare(compare.shared_utterances(before, after))
    assert (row["n"], row["words"], row["words wrong"]) == (2, 10, "1 -> 2")
    assert (row["MOS"], row["difference"]) == ("2.50 -> 2.90", "+0.40 ± 0.39")
