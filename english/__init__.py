"""Written English to phonemes. In: a str, any text. Out: sentences of words with ARPAbet codes, stress 0, 1 or 2.

    split_sentences   "Dr. Ray ate 2. Why?"  ->  ["Dr. Ray ate 2.", "Why?"]
    normalize         "Dr. Ray ate 2."       ->  "doctor Ray ate two ."
    pronounce         "ate"                  ->  ["EY1", "T"]
    spoken_words      all of it              ->  sentences: lists of Word(text, codes, source), pauses included
    text_to_phonemes  all of it              ->  ["pau", "D", "AA1", "K", ...]

Every stage is a plain function; `explain` (or `python -m english --explain "some text"`) shows them side by side.
The rooms, in the order in which a text passes them: `markup` takes off Markdown and HTML, `sentences` splits,
`normalise` makes plain words (with `numbers`, `letters` and their `tables`), `pronounce` knows one word (from
`lexicon`, `other_lexicon`, rules or `network`), `context` the words that depend on their neighbours (`homographs`), and
`reading` goes through all of it. `ipa` translates IPA. Nothing is downloaded, nothing large is read before the first
use, and of the packages that voices need only numpy is imported, for unknown words.
"""

from english.context import Word
from english.lexicon import CONSONANTS, PAUSE, PHONEMES, VOWELS, CustomWords
from english.normalise import normalize
from english.pronounce import pronounce
from english.reading import (
    Sentence,
    SpokenSentence,
    codes_of,
    explain,
    sentences_to_phonemes,
    spoken_words,
    text_to_phonemes,
)
from english.sentences import split_sentences

__all__ = [
    "CONSONANTS", "PAUSE", "PHONEMES", "VOWELS", "CustomWords", "Sentence", "SpokenSentence", "Word", "codes_of",
    "explain", "normalize", "pronounce", "sentences_to_phonemes", "split_sentences", "spoken_words", "text_to_phonemes",
]
