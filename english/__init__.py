"""Written English to phonemes. In: a str, any text. Out: sentences of words with ARPAbet codes, stress 0, 1 or 2.

    split_sentences   "Dr. Ray ate 2. Why?"  ->  ["Dr. Ray ate 2.", "Why?"]
    normalize         "Dr. Ray ate 2."       ->  "doctor Ray ate two ."
    pronounce         "ate"                  ->  ["EY1", "T"]
    spoken_words      all of it              ->  sentences: lists of Word(text, codes, source), pauses included
    text_to_phonemes  all of it              ->  ["pau", "D", "AA1", "K", ...]

Every stage is a plain function; `explain` (or `python -m english --explain "some text"`) shows them side by side.
`normalise` turns numbers, dates and abbreviations into words; `lexicon` holds the dictionaries, `pronounce` one word,
`context` words among others, `reading` the whole text. Nothing is downloaded, and nothing large is read before the
first use.
"""

from .context import Word
from .lexicon import CONSONANTS, PAUSE, PHONEMES, VOWELS, CustomWords
from .normalise import normalize, split_sentences
from .pronounce import pronounce
from .reading import Sentence, codes_of, explain, sentences_to_phonemes, spoken_words, text_to_phonemes

__all__ = [
    "CONSONANTS", "PAUSE", "PHONEMES", "VOWELS", "CustomWords", "Sentence", "Word", "codes_of", "explain", "normalize",
    "pronounce", "sentences_to_phonemes", "split_sentences", "spoken_words", "text_to_phonemes",
]
