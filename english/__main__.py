"""python -m english "some text": its phonemes, or with --explain every stage of the reading."""

import argparse

from english import explain, text_to_phonemes
from english.reading import warn_of_unreadable


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m english", description="Read a text: phonemes, or every stage as a table.")
    parser.add_argument("text")
    parser.add_argument("--explain", action="store_true", help="print every stage")
    arguments = parser.parse_args()
    if not arguments.explain:
        print(*text_to_phonemes(arguments.text))
        return
    warn_of_unreadable(arguments.text)
    for sentence in explain(arguments.text):
        print(f"sentence    {sentence.text}\nnormalised  {sentence.normalized}")
        for word in sentence.words:
            print(f"    {word.text:20} {word.source:12} {' '.join(word.codes)}")


if __name__ == "__main__":
    main()
