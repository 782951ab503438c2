"""The teacher: hibari's symbols in time to a dataset; texts to read."""

from __future__ import annotations

import importlib.util
import json
import pathlib

import numpy as np
import pytest

import english
import lj_speech
from recipe import teacher, texts
from recipe.teacher import PAUSE, Segment, Spoken
from vocoder import stored

needs_hibari = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("hibari", "onnx")), reason="needs requirements-eval.txt"
)


# -------- Texts ------------------------------------------------------------------------------------------------------


def test_everyday_lines_are_asked_too(tmp_path):
    lines = ["- - Hello there my friend", "  - I like tea.", "- - Is it late?", "- - Hm", "- - 3 cups of tea"]
    (tmp_path / "talk.yml").write_text("\n".join(lines))
    found = texts.everyday(tmp_path)
    assert list(found.values()) == [
        "Hello there my friend", "I like tea.", "Is it late?",
        "Did you know that hello there my friend?", "Did you say that I like tea?",
    ]  # fmt: skip


def test_random_sentences_are_the_same_each_time_and_use_the_words_given():
    words = ["cat", "dog", "sun", "table", "window"]
    found = texts.at_random(40, words)
    assert found == texts.at_random(40, words) and len(found) == 40
    content = {word.strip(".,?").lower() for sentence in found.values() for word in sentence.split()}
    assert set(words) <= content
    short = sum(sentence.lower().count(word) for sentence in found.values() for word in words[:3])
    long = sum(sentence.lower().count(word) for sentence in found.values() for word in words[3:])
    assert short > long > 0
    for sentence in found.values():
        assert english.text_to_phonemes(sentence)


# -------- Symbols ----------------------------------------------------------------------------------------------------


def test_symbols_become_phonemes_that_follow_each_other():
    symbols = ["", "h", "ə", "l", "ˈ", "O", " ", "ð", "ˌ", "ɛ", "ɹ", ".", ""]
    units = [10, 2, 3, 2, 1, 5, 1, 2, 1, 4, 3, 5, 6]
    segments = teacher.read_symbols(symbols, units)
    assert segments == [
        Segment("pau", 0, 10), Segment("HH", 10, 12), Segment("AH0", 12, 15), Segment("L", 15, 17),
        Segment("OW1", 17, 24), Segment("DH", 24, 26), Segment("EH2", 26, 31), Segment("R", 31, 34),
        Segment("pau", 34, 45),
    ]  # fmt: skip


@pytest.mark.parametrize("vowel", ["ə", "ɜ"])
def test_a_vowel_with_r_is_one_phoneme(vowel):
    assert teacher.read_symbols(["b", "ˈ", vowel, "ɹ", "d"], [2, 1, 3, 2, 4]) == [
        Segment("B", 0, 2), Segment("ER1", 2, 8), Segment("D", 8, 12),
    ]  # fmt: skip


def test_every_symbol_that_hibari_says_has_a_code_of_english():
    codes = {*teacher.CONSONANTS.values(), *(vowel + "1" for vowel in teacher.VOWELS.values())}
    assert codes <= english.PHONEMES and set(teacher.KIND_OF) == set(teacher.CONSONANTS.values())


def test_an_unknown_symbol_is_named():
    with pytest.raises(ValueError, match="'ß' has no ARPAbet code"):
        teacher.read_symbols(["b", "ß"], [1, 1])


def test_stress_is_that_of_english_where_the_phonemes_agree():
    codes = ["pau", "IH0", "T", "W", "AH0", "Z", "B", "IH1", "G", "pau"]  # "it was big", read with a weak "was"
    ours = [code for words in english.spoken_words("It was big.") for code in english.codes_of(words)]
    result = teacher.restress(codes, "It was big.")
    assert [code.rstrip("012") for code in result] == [code.rstrip("012") for code in codes]
    assert result[1] == ours[1] == "IH1" and result[0] == result[-1] == "pau"


# -------- When it is heard -------------------------------------------------------------------------------------------


def test_words_have_as_many_phonemes_as_they_are_read_with():
    assert teacher.word_lengths(["", "h", "ə", " ", "b", "ɜ", "ɹ", "d", ",", " ", "A", ""]) == [2, 3, 1]


def test_median_lags_of_rare_pairs_are_those_of_the_right_kind(monkeypatch):
    monkeypatch.setattr(teacher, "LEAST_BORDERS", 3)
    lags = teacher.median_lags([("vowel", "nasal", lag) for lag in (-50, -40, -60)] + [("nasal", "nasal", -10)])
    assert lags == {"vowel|nasal": -50, "|nasal": -45}


def test_borders_move_by_their_lag_and_never_cross():
    segments = [Segment(PAUSE, 0, 10), Segment("M", 10, 20), Segment("AA1", 20, 30), Segment("T", 30, 32),
                Segment(PAUSE, 32, 40)]  # fmt: skip
    lags = {"|vowel": -4 * teacher.FRAME_MILLISECONDS, "vowel|voiceless stop": -20 * teacher.FRAME_MILLISECONDS}
    moved = teacher.move_borders(segments, lags)
    assert [segment.start for segment in moved] == [0, 10, 16, 18, 32]
    assert [segment.end for segment in moved] == [10, 16, 18, 32, 40]
    late = teacher.move_borders(segments, {"|voiceless stop": 1e4})
    assert [segment.start for segment in late] == [0, 10, 20, 31, 32]


def test_a_pause_begins_where_the_phoneme_before_it_is_heard_to_end():
    loudness = np.array([-5.0] * 6 + [-9.0] * 4 + [-8.0] * 6 + [-9.0] * 6 + [-5.0] * 8)  # a breath in the middle
    segments = [Segment("AA1", 0, 16), Segment(PAUSE, 16, 26), Segment("M", 26, 30)]
    placed = teacher.place_pauses(segments, loudness)
    assert placed == [Segment("AA1", 0, 6), Segment(PAUSE, 6, 22), Segment("M", 22, 30)]
    stop = teacher.place_pauses([Segment("T", 0, 16), *segments[1:]], loudness)
    assert stop[0] == Segment("T", 0, 14)  # its burst comes after the closure


def test_a_pause_that_nobody_hears_goes_to_the_phoneme_before_it():
    segments = [Segment(PAUSE, 0, 2), Segment("AA1", 2, 10), Segment(PAUSE, 10, 14), Segment("M", 14, 20)]
    loudness = np.array([-11.0] * 2 + [-5.0] * 18)
    assert teacher.place_pauses(segments, loudness) == [
        Segment(PAUSE, 0, 2), Segment("AA1", 2, 14), Segment("M", 14, 20),
    ]  # fmt: skip


def test_pauses_become_quieter_and_nothing_else_changes():
    spectrogram = np.full((80, 30), -8.0)
    spectrogram[:, 15] = -11.5
    segments = [Segment(PAUSE, 0, 10), Segment("M", 10, 20), Segment(PAUSE, 20, 30)]
    soft = teacher.soften_pauses(spectrogram, segments)
    assert (soft[:, 10:20] == spectrogram[:, 10:20]).all()
    assert soft[0, 0] == soft[0, 5] == -11.5 and soft[0, 29] == -11.5
    assert soft[0, 9] == soft[0, 20] == -8.0 and -11.5 < soft[0, 8] < -8.0


def test_pitch_is_that_of_the_nearest_time():
    pitch = np.repeat([0.05, 200.0], 50)  # 0.6 s without voice, where the network says nearly 0, then 0.6 s with
    rows = teacher.pitch_of_frames(pitch, np.zeros((80, 104)))
    voiced = np.isfinite(rows[1])
    assert rows.shape == (2, 104) and not voiced[:53].any() and voiced[55:].all()
    np.testing.assert_allclose(np.exp(rows[0][voiced]), 200, rtol=1e-6)


# -------- A dataset --------------------------------------------------------------------------------------------------


def hum(seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * teacher.RATE)) / teacher.RATE
    return (0.3 * sum(np.sin(2 * np.pi * 200 * k * times) / k for k in range(1, 12))).astype(np.float32)


def one_sentence(text: str, tempo: float, rng: np.random.Generator) -> list[Spoken]:
    """"Ma" for half a second, between two pauses."""
    symbols, units = ["", "m", "ˈ", "ɑ", ".", ""], [12, 6, 1, 13, 4, 4]
    audio = np.concatenate([np.zeros(7200, np.float32), hum(0.5), np.zeros(4800, np.float32)])
    pitch = np.concatenate([np.full(24, 0.05), np.full(40, 200.0), np.zeros(16)])
    return [Spoken(audio, symbols, units, pitch)]


def test_what_it_reads_becomes_a_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "load_teacher", lambda: None)
    monkeypatch.setattr(teacher, "read_sentences", one_sentence)
    monkeypatch.setattr(teacher, "measure_lags", lambda job: [("nasal", "vowel", -teacher.FRAME_MILLISECONDS)])
    teacher.teach({"a": "Ma.", "b": "Ma.", "c": "Ma."}, tmp_path, n_workers=1)
    train, val = lj_speech.get_dataset(tmp_path)
    sample = train[0]
    assert len(train) + len(val) == 3
    assert sample["phonemes_code"] == ["pau", "M", "AA1", "pau"]
    assert sum(sample["phonemes_duration"]) == sample["spectrogram"].shape[1]
    plain = round(450 / teacher.FRAME_MILLISECONDS)  # where "AA1" begins without the lag
    assert sample["phonemes_start"][2] == plain - 1
    pitch = stored.read_pitch(tmp_path / "a.pitch.npy")  # refuses what is no voice's
    assert pitch.shape == (2, sample["spectrogram"].shape[1])
    before = (tmp_path / "a.json").stat().st_mtime_ns
    teacher.teach({"a": "Ma.", "b": "Ma.", "c": "Ma."}, tmp_path, n_workers=1)
    assert (tmp_path / "a.json").stat().st_mtime_ns == before


def test_what_is_too_long_is_left_out_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "read_sentences", one_sentence)
    monkeypatch.setattr(teacher, "MAX_FRAMES", 10)
    assert teacher.make_utterance(tmp_path, {}, ("long", "Ma.")) == "long: too long"
    assert not list(tmp_path.iterdir())


def test_texts_come_in_the_same_order_each_time(tmp_path):
    transcripts = tmp_path / "metadata.csv"
    transcripts.write_text("".join(f"LJ{number}|A plain text.|A plain text.\n" for number in range(9)))
    chosen = teacher.choose_texts(transcripts, 5, everyday=False, n_random=0)
    assert len(chosen) == 5 and list(chosen) == list(teacher.choose_texts(transcripts, 5, False, 0))


@needs_hibari
def test_hibari_says_when_it_says_what(tmp_path):
    reason = teacher.make_utterance(tmp_path, {}, ("one", "Hello there, my friend."))
    assert reason is None
    record = json.loads(pathlib.Path(tmp_path, "one.json").read_text())
    phones = [phone for word in record["utterance"]["words"] for phone in word["phones"]]
    codes = [phone["phone"] for phone in phones if phone["phone"] != PAUSE]
    assert " ".join(code.rstrip("012") for code in codes) == "HH AH L OW DH EH R M AY F R EH N D"
    mel = np.load(tmp_path / "one.mel.npy").astype(float)
    frames = [round(phone["onset"] / teacher.FRAME_MILLISECONDS) for phone in phones] + [mel.shape[1]]
    loudness = {phone["phone"]: mel[:, start:end].mean() for phone, start, end in zip(phones, frames, frames[1:])}
    assert loudness["OW1"] > loudness["pau"] + 3
    pitch = stored.read_pitch(tmp_path / "one.pitch.npy")
    assert pitch.shape == (2, mel.shape[1]) and 100 < np.exp(np.median(pitch[0][np.isfinite(pitch[1])])) < 300
