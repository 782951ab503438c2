"""What a teacher reads aloud: the corpus' transcripts, everyday lines, questions, sentences of words at random.

An hour of recordings holds hardly a question, and the words of a story can be guessed. Sentences of random words bring
consonants and vowels together that a story never does, so that a voice learns to say each of them clearly.
"""

from __future__ import annotations

import itertools
import pathlib
import random
import re
from collections.abc import Sequence

import english

LEAST_WORDS, MOST_WORDS = 3, 30  # of an everyday line
ASKING = "Did you know that", "Did you say that", "Do you believe that", "Would you mind if"  # before a statement
SHORT = 0.7  # part of the random words that has one syllable; the others have two
FRAMES = (
    "The {} {} the {} {}.", "A {} {} is {} than the {}.", "{} the {} and the {}.", "The {} {} with a {} {}.",
    "When does the {} {} the {} {}?", "The {} that {} the {} was {}.", "Why did the {} {} {} {}?",
    "{} {} in the {}, {} on the {}.", "Is the {} a {} {}?", "The {} {} through the {} {}.",
    "He {} her {} {} by the {}.", "Say {} {} again.", "Do {} and {} {} the {}?",
    "{}, {}, {} and {}.", "They {} my {} for a {} {}.",
)  # fmt: skip


def everyday(folder: pathlib.Path) -> dict[str, str]:
    """The lines of chatterbot-corpus that are plain English, by ID, and yes/no questions about the statements."""
    found = [
        line.strip("'\" \n")
        for path in sorted(folder.glob("*.yml"))
        for line in re.findall(r"^\s*(?:- )+(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    plain = [line for line in dict.fromkeys(found) if re.fullmatch(r"[A-Za-z' ,.?!;:-]+", line)]
    lines = [line for line in plain if LEAST_WORDS <= len(line.split()) <= MOST_WORDS]
    said = {f"everyday-{number:04d}": line for number, line in enumerate(lines)}
    statements = {name: line for name, line in said.items() if "?" not in line}
    asked = {f"{name}-asked": ask(line, how) for (name, line), how in zip(statements.items(), itertools.cycle(ASKING))}
    return said | asked


def ask(statement: str, how: str) -> str:
    """A question whether the statement is so."""
    first, *rest = statement.rstrip(" .!").split(" ")
    first = first if re.match("I\\b", first) else first[0].lower() + first[1:]
    return " ".join([how, first, *rest]) + "?"


def count_syllables(word: str) -> int:
    return sum(code[-1].isdigit() for code in english.pronounce(word))


def at_random(n: int, words: Sequence[str]) -> dict[str, str]:
    """`n` sentences of these words, by ID; the same ones each time."""
    rng, by_syllables = random.Random(7), {1: [], 2: []}
    for word in words:
        by_syllables.setdefault(count_syllables(word), []).append(word)
    sentences = {}
    for number in range(n):
        frame = rng.choice(FRAMES)
        chosen = [rng.choice(by_syllables[1 if rng.random() < SHORT else 2]) for _ in range(frame.count("{}"))]
        sentence = frame.format(*chosen)
        sentences[f"random-{number:04d}"] = sentence[0].upper() + sentence[1:]
    return sentences
