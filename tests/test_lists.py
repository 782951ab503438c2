"""The sentences of the benchmark, and the words of its minimal pairs."""

import collections
import re

import pytest

import lj_speech
from benchmarks import evaluate, unpredictable


def test_the_committed_list_is_what_the_generator_writes():
    assert evaluate.list_path("unpredictable").read_text(encoding="utf-8") == unpredictable.render()


def test_another_seed_gives_other_sentences():
    assert unpredictable.write_sentences(3, seed=1) != unpredictable.write_sentences(3, seed=2)


@pytest.mark.parametrize("name, least", [("unpredictable", 100), ("plain", 60)])
def test_lists_are_many_different_and_speakable(name, least):
    sentences = evaluate.read_sentences(evaluate.list_path(name))
    assert len(set(sentences)) == len(sentences) >= least
    for sentence in sentences:
        assert 5 <= len(sentence.split()) <= 10
        assert lj_speech.text_to_phonemes(sentence)


def test_the_lists_share_no_sentence():
    lists = [evaluate.read_sentences(evaluate.list_path(name)) for name in evaluate.LISTS]
    assert len(set().union(*lists)) == sum(map(len, lists))


def test_every_word_comes_about_as_often_as_the_others_of_its_kind():
    text = " ".join(sentence.lower() for _, sentence in unpredictable.write_sentences())
    spoken = collections.Counter(re.findall("[a-z]+", text))
    counts = [spoken[noun] for noun in unpredictable.WORDS["noun"]]
    assert min(counts) >= 1 and max(counts) - min(counts) <= 2
    assert max(spoken[adjective] for adjective in unpredictable.WORDS["adjective"]) <= 3


def test_no_word_of_the_lists_comes_twice_in_a_sentence():
    for _, sentence in unpredictable.write_sentences(200, seed=3):
        words = [word for word in re.findall("[a-z]+", sentence.lower()) if word not in ("the", "that")]
        assert len(set(words)) == len(words)


def test_the_words_are_of_one_kind_each_and_of_three_forms():
    nouns, adjectives = unpredictable.WORDS["noun"], unpredictable.WORDS["adjective"]
    assert len(set(nouns)) == len(nouns) and len(set(adjectives)) == len(adjectives)
    verbs = [*unpredictable.WORDS["transitive"], *unpredictable.WORDS["intransitive"]]
    assert all(len(forms) == len(unpredictable.FORMS) for forms in verbs)
    bases = [forms[0] for forms in verbs]
    assert len(set(nouns + adjectives + bases)) == len(nouns + adjectives + bases)


def without_stress(text: str) -> list[str]:
    return [code.rstrip("012") for code in lj_speech.text_to_phonemes(text)]


def test_the_plain_sentences_have_every_phoneme_of_english_several_times():
    sentences = evaluate.read_sentences(evaluate.list_path("plain"))
    counts = collections.Counter(code for sentence in sentences for code in without_stress(sentence))
    del counts[lj_speech.PAUSE]
    assert len(counts) == 39
    assert min(counts.values()) >= 4, counts


def test_the_two_words_of_a_minimal_pair_sound_different_and_similar():
    pairs = evaluate.read_minimal_pairs()
    assert len(set(pairs)) == len(pairs) >= 60
    for pair in pairs:
        said, other = (without_stress(word) for word in (pair.said, pair.other))
        assert 1 <= evaluate.edit_distance(said, other) <= 2, pair
