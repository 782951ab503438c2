"""Any text is read, and now and then spoken, or there is nothing to say in it."""

from __future__ import annotations

import pathlib

from hypothesis import strategies as st

import english
from fuzz import voices
from fuzz.mutations import Dice

SENTENCES = [
    "Dr. Ray paid $3.50 on 12/05/1999, didn't he?", "See https://www.example.com/a-b?c=1#d or mail a.b@c.org.",
    "# Title\n\n* one\n* two\n\n```\ncode\n```\nThe end.", "“I read it,” she said — at 3:45 p.m. — ‘twice’…",
    "The U.S. has 1,234,567.89 km² in ½ of 20°C; see p. 12–15.", "KING HENRY VIII. Act IV, scene ii: he is-- was?!",
    "I'll live near the live wire; they've read (1st, 2nd, 3rd) & 4x4.", "x = 2*3 + 4/5 - 6^7 <= 8 != 9 ~ 10 % 11",
    "a@b.c #tag @user 😀 naïve café Zürich 東京 кот ﬁ \u200b\u202e 1e999 -0 +1 ²³ ½ Ⅷ",
    "Mr. and Mrs. J. R. R. Tolkien, Ph.D.",
]  # fmt: skip
PIECES = ["?", "!", ". ", "a? ", "a.", "'", "\"", "(", ")", "[", "](", "*", "_", "`", "```\n", "\n", "\n\n", "\t", "-",
          "--", "…", "1", "1,", "1.", "12:", "$", "%", "°", "²", "www.", "http://", "@", "a@b.", "/", "\\", "&", "#",
          "<b>", "é", "\u0301", "\u200d", "😀", "١", "Ⅷ", "½", "\0", "\ud800", "\ufeff", "\x1b[0m", "I'm", "St. ",
          "No. ", "x" * 40, "0" * 40, "IV ", "PhD ", "the ", "read ", "km ", "e.g. "]  # fmt: skip
WRITTEN = st.one_of(
    st.text(max_size=200),
    st.text(st.characters(max_codepoint=0x17F), max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from(" ".join(SENTENCES).split()), max_size=40).map(" ".join),
)
MOST_CHARACTERS = 20_000  # of a text


def mutate_text(dice: Dice, text: str) -> str:
    for _ in range(dice.choice([1, 2, 5])):
        place, n = dice.randrange(len(text) + 1), dice.choice([0, 1, 5])
        if dice.happens(0.7):
            text = text[:place] + dice.choice(PIECES) * dice.choice([1, 1, 2, 3]) + text[place + n :]
        else:
            other = dice.choice(SENTENCES)
            text = text[:place] + other[dice.randrange(len(other)) :]
    return text


def make(dice: Dice, folder: pathlib.Path) -> dict:
    text = dice.draw(WRITTEN) if dice.happens(0.4) else mutate_text(dice, dice.choice(SENTENCES))
    if dice.happens(0.1):
        text = (text or " ")[:200] * dice.choice([3, 30, 300])
    return {"text": text[:MOST_CHARACTERS], "spoken": len(text) < 400 and dice.happens(0.1)}


def check(case: dict, folder: pathlib.Path) -> None:
    text = case["text"]
    sentences = english.spoken_words(text)
    codes = english.text_to_phonemes(text)
    assert set(codes) <= english.PHONEMES | {english.PAUSE} and codes[0] == codes[-1] == english.PAUSE
    assert all(code in english.PHONEMES or code == english.PAUSE for words in sentences for word in words
               for code in word.codes)  # fmt: skip
    if case["spoken"]:
        record = voices.voice().speak(text)
        voices.check_audio(record.audio)
        times = [time for word in record.words for time in (word.start, word.end)]
        assert times == sorted(times), "words follow each other"
        assert all(0 <= first <= end <= len(text) for word in record.words for first, end in [word.characters])
