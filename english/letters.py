"""Abbreviations, acronyms and Roman numerals to words; each takes a match of `normalise`."""

import re

from english.lexicon import dictionary
from english.numbers import number_words
from english.other_lexicon import is_said, is_word
from english.tables import (
    ABBREVIATIONS,
    NOT_RULERS,
    NUMBERED,
    ROMAN_VALUES,
    RULERS,
    SAID,
    SHORT_WORDS,
    SPELLED,
    TITLES,
    WRITTEN_SO,
)


def say_abbreviation(match: re.Match) -> str:
    return ABBREVIATIONS[match[1].lower()]


def say_title(match: re.Match) -> str:
    return TITLES[match[1].lower()] + " "


def say_saint_or_street(match: re.Match) -> str:
    """ "St. Paul", but "Oak St.", "12 Oak St." and "3rd St."; the same for "Dr."."""
    short, name_follows = match.groups()
    before = match.string[max(0, match.start() - 40):match.start()]
    numbered = re.search(r"\d(?:(?:st|nd|rd|th)? (?:[A-Z][a-z]+ )+|(?:st|nd|rd|th) )$", before)
    if numbered or (re.search(r"\b[A-Z][a-z]+ $", before) and not name_follows):
        return {"St": "street", "Dr": "drive"}[short] + " "
    return {"St": "saint", "Dr": "doctor"}[short] + " "


def say_letters(match: re.Match) -> str:
    """ "U.S." -> "U S "."""
    return " ".join(match[0].replace(".", "").upper()) + " "


def roman_value(numeral: str) -> int:
    values = [ROMAN_VALUES[letter] for letter in numeral]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0]))


_TITLED = re.compile(
    r"(?:King|Queen|Pope|Emperor|Empress|Prince|Princess|Duke|Duchess|Sultan|Tsar|Czar|Patriarch|Archbishop|Bishop|Count|"
    r"Saint|Pharaoh|Shah|Kaiser|Antipope|Elector|Margrave|Landgrave|Khan|Lord|Sir) (?:[A-Z]\S* ){0,2}$")


def say_roman(match: re.Match) -> str:
    """ "Henry VIII" is the eighth, "World War II" two: rulers and other names have ordinals, things are counted."""
    name, numeral = match.groups()
    labelled = name.capitalize() in NUMBERED
    well_formed = re.fullmatch("(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", numeral.upper())
    if not well_formed or not (labelled or numeral.isupper() and name[0].isupper()):
        return match[0]
    if len(numeral) == 1 and not labelled and re.match(" +[A-Z][a-z]", match.string[match.end():match.end() + 4]):
        return match[0]  # "Robert I. Brown", whose stop is gone by now
    number = str(roman_value(numeral.upper()))
    before = match.string[max(0, match.start() - 40):match.start()]
    several = re.fullmatch("[IVX]{2,}", numeral)
    titled = _TITLED.search(before) and numeral != "I"
    unknown = name.lower() not in dictionary() or not is_word(name.lower())
    if not labelled and name not in NOT_RULERS and (name in RULERS or titled or several and unknown):
        return f"{name} the {number_words(number, 'ordinal')}"
    given = re.search(r"\b([A-Z][a-z]+) (?:[A-Z]\.? )?$", before)
    if several and int(number) <= 6 and given and given[1] in RULERS and not labelled:
        return f"{name} the {number_words(number, 'ordinal')}"  # "Henry Ford II"
    if labelled or several:
        return f"{name} {number_words(number)}"
    return match[0]


def say_acronym(match: re.Match) -> str:
    """FBI is spelt, NASA said, STOP shouted; "s" and "'s" stay with the last letter."""
    letters, ending = match[1], match[2] or ""
    word = letters.lower()
    if letters in SPELLED:
        said = False
    elif letters in SAID or len(letters) > 3 and is_said(letters):
        said = True
    elif len(letters) < 4:
        said = word in SHORT_WORDS
    elif word in dictionary():
        said = re.search("[AEIOUY]", letters) and (len(letters) > 4 or is_word(word) or "0" in dictionary()[word])
    elif len(letters) < 7:  # unknown: only what can be pronounced without effort, "KOMO", not "IUCN"
        said = re.fullmatch("[^AEIOUYQX]?(?:[AEIOU][^AEIOUYQX])+[AEIOU]?", letters) and letters[0] not in "KW"
    else:
        said = re.search("[AEIOUY]", letters)
    if said:
        return word + ending.lower()
    return " ".join(letters) + (ending and "'s")


def lower_shouted(sentence: str) -> str:
    """A sentence all in capitals is lowered, so that capitals stand for acronyms afterwards."""
    words = re.findall(r"[^\W\d_]{2,}", sentence)
    if len(words) < 2 or any(word != word.upper() for word in words):
        return sentence
    return re.sub(
        r"[^\W\d_]+", lambda match: match[0].lower() if match[0].lower() in dictionary() else match[0], sentence)


def say_camel(match: re.Match) -> str:
    word = match[0]
    if word in WRITTEN_SO:
        return WRITTEN_SO[word]
    stem = word.lower().removesuffix("s")
    if stem in dictionary() or word.lower() in dictionary() or re.match("Ma?c[A-Z]|[DO]'", word):
        return word.lower()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word)
