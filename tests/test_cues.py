"""What a text says about the melody."""

import time

import pytest

import english
from prosody.cues import MARKS, N_CUES, UNKNOWN, match_cues, read_cues, rising_ends


def cue(mark: str, first: bool) -> int:
    return 1 + 2 * MARKS.index(mark) + first


def naive_cues(words):
    """Looks for the next pause from each word anew."""
    cues = []
    for place, word in enumerate(words):
        ahead = [other.text for other in words[place:] if other.codes == [english.PAUSE]]
        mark = "" if place == 0 else ahead[0] or "."
        cues += [cue(mark, first=index == 0) for index in range(len(word.codes))]
    return cues


def test_cues_are_those_of_a_naive_reading():
    for text in ("Did you see it, Mr. Ray?", "Stop!", "No dot at the end", "One; two: three - four... five."):
        for words in english.spoken_words(text):
            cues = read_cues(words)
            assert cues == naive_cues(words) and len(cues) == len(english.codes_of(words))
            assert all(0 < number < N_CUES for number in cues) and UNKNOWN not in cues


def test_a_question_has_other_cues_than_a_statement():
    (question,), (statement,) = (english.spoken_words(text) for text in ("He knows it?", "He knows it."))
    assert english.codes_of(question) == english.codes_of(statement)
    assert read_cues(question)[1:3] == [cue("?", True), cue("?", False)] and read_cues(question)[0] == cue("", True)
    assert all(a != b for a, b in zip(read_cues(question)[1:], read_cues(statement)[1:]))


@pytest.mark.parametrize("text", [
    "What do you want?", "And who's there?", "So why didn't you come?", "What do you think, Mary?", "In what way?",
    "Well, where is it?", "Would you like tea or coffee?", "Is it, or isn't it?", "Now or later?",
])  # fmt: skip
def test_a_question_that_asks_who_or_which_has_the_cues_of_a_statement(text):
    (question,), (statement,) = (english.spoken_words(line) for line in (text, text.replace("?", ".")))
    assert read_cues(question) == read_cues(statement)


@pytest.mark.parametrize("text", [
    "Do you know what she wants?", "Isn't it nice?", "You know when she comes?", "Mary?", "He said what?",
    "When I was young, did you know me?", "Can't we, for once, stay?", "Is what he says true?",
    "Will it take an hour or two?", "Rain or shine, will you come?",
])  # fmt: skip
def test_other_questions_have_cues_of_their_own(text):
    (question,) = english.spoken_words(text)
    assert read_cues(question)[-2] == cue("?", False)


def rises(text: str) -> list[tuple[str, float]]:
    (words,) = english.spoken_words(text)
    codes = english.codes_of(words)
    return list(zip(codes, rising_ends(codes, read_cues(words)), strict=True))


def test_a_question_rises_from_its_last_stressed_vowel():
    rising = [(code, rise) for code, rise in rises("Did you see the river?") if rise > 0]
    assert [code for code, _ in rising] == ["IH1", "V", "ER0", "pau"]
    assert [rise for _, rise in rising] == pytest.approx([0.5, 2 / 3, 5 / 6, 1.0])
    for text in ("You saw the river.", "What do you want?", "Stop!"):
        assert not any(rise for _, rise in rises(text)), text


def test_only_the_clause_that_asks_rises():
    quoted = rises('"Is it cold?" he asked.')
    asking = [code for code, _ in quoted].index("pau", 1) + 1
    assert [rise for _, rise in quoted[asking:]] == [0.0] * (len(quoted) - asking)
    assert [rise for _, rise in quoted[asking - 4 : asking]] == pytest.approx([0.5, 2 / 3, 5 / 6, 1.0])
    assert rising_ends(["pau", "AA1"], [UNKNOWN] * 2) == [0.0, 0.0]
    assert rising_ends(["M", "AH0"], [cue("?", True), cue("?", False)]) == [0.0, 0.0], "nothing is stressed"
    assert rising_ends(["AA1"], [cue("?", True)]) == [1.0]


def test_what_is_spoken_as_it_is_read_has_the_cues_that_are_read():
    text = "Did you see it, Mr. Ray? I did."
    first, second = english.spoken_words(text)
    codes = english.text_to_phonemes(text)
    assert match_cues(text, codes) == read_cues(first) + read_cues(second)[1:]


def test_what_is_spoken_otherwise_keeps_the_cues_of_its_words():
    text = "The cat sat, then it ran."
    read = dict(zip(english.text_to_phonemes(text), match_cues(text, english.text_to_phonemes(text))))
    spoken = ["DH", "IY0", "K", "AE2", "T", "pau", "S", "AE1", "T", "T", "DH", "EH1", "N", "R", "AE1", "N", "pau"]
    cues = match_cues(text, spoken)
    assert cues[:5] == [cue(",", True), cue(",", False), cue(",", True), cue(",", False), cue(",", False)]
    assert cues[5] == cue(",", True), "a pause that is not in the text has the mark of the clause before it"
    assert cues[-2] == cue(".", False) and cues[-1] == read["pau"] == cue(".", True)
    assert len(cues) == len(spoken) and UNKNOWN not in cues


def test_a_text_without_words_says_nothing():
    assert match_cues("...", ["AA1", "pau"]) == [UNKNOWN] * 2


def test_many_questions_in_one_sentence_take_time_that_grows_with_them():
    (words,) = english.spoken_words("a? " * 4000)
    start = time.process_time()
    found = read_cues(words)
    assert len(found) == len(english.codes_of(words)) and time.process_time() - start < 2


def test_each_question_of_a_sentence_is_judged_alone():
    (words,) = english.spoken_words("who is it? is it you? and so on")
    marks = [MARKS[(number - 1) // 2] for number in read_cues(words)]
    assert "?" in marks and marks.count("?") < len(marks) / 2
