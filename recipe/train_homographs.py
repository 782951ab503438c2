"""Learn which reading of a homograph a sentence asks for: english/homographs.bin, from labelled sentences.

    python -m recipe.train_homographs FOLDER          # FOLDER/WORD.tsv of WikipediaHomographData; a minute

Each file has the columns homograph, wordid, sentence, start, end. First a fifth of each word's sentences is held out
and its accuracy printed, then all sentences are learned from and the weights saved. Sentences written for the project,
of everyday contexts that an encyclopedia lacks, are in recipe/homographs.tsv: they are learned, never measured.
The model is `english.homographs`; it is fitted by AdaGrad on the cross-entropy of the readings.
"""

import argparse
import collections
import csv
import math
import random
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from english import normalize
from english.homographs import WEIGHT_STEP, Reading, far_features, key, near_features, readings, save_weights

OWN = Path(__file__).with_name("homographs.tsv")
VALUES = {"own": 0.5, "far": 0.2, "shared": 1.0}  # how fast each group of weights learns
LEARNING_RATE, DECAY, N_PASSES, MIN_COUNT = 0.1, 1e-3, 6, 3
RARE, RAREST = 0.6, 2.0  # times the logarithm of how rare a reading is: added to its score, for readings count alike


class Example(NamedTuple):
    """A homograph in its sentence, with the reading that it has."""

    word: str
    reading: int
    tokens: list[str]
    place: int


def to_example(word: str, name: str, sentence: str, start: int) -> Example | None:
    """The word that begins at character `start`, found again among the tokens of the normalised sentence."""
    pattern = rf"(?i)(?<![^\W_]){re.escape(word)}(?![^\W_])"
    starts = [match.start() for match in re.finditer(pattern, sentence)]
    tokens = normalize(sentence).split()
    places = [place for place, token in enumerate(tokens) if token.lower().removesuffix("'s") == word]
    if not starts or len(places) != len(starts):
        return None
    nearest = min(range(len(starts)), key=lambda number: abs(starts[number] - start))
    names = [option.name for option in readings()[word]]
    return Example(word, names.index(name), tokens, places[nearest])


def read_folder(folder: Path) -> list[Example]:
    examples = []
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                word, name, sentence, start = row["homograph"], row["wordid"], row["sentence"], int(row["start"])
                if sentence[start:start + len(word)].lower() != word:  # some offsets count bytes
                    start = len(sentence.encode()[:start].decode(errors="ignore"))
                examples.append(to_example(word, name if "_" in name else f"{word}_usual", sentence, start))
    return [example for example in examples if example]


def read_own() -> list[Example]:
    """Lines "word <tab> reading <tab> sentence", the word marked by asterisks."""
    examples = []
    for line in OWN.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, sentence = line.split("\t")
            start = sentence.index("*")
            word = name.split("_")[0]
            example = to_example(word, name, sentence.replace("*", ""), start)
            if example is None:
                raise ValueError(f"{OWN}: {line!r}: the word is not found")
            examples.append(example)
    return examples


# ---------------------------------------------------------------------------------------------------------------------
# The model
# ---------------------------------------------------------------------------------------------------------------------


class Model:
    """Weights of the features that occur often enough, numbered densely."""

    def __init__(self, examples: list[Example]) -> None:
        self.counts = collections.Counter((example.word, example.reading) for example in examples)
        keyed = [self.keys(example) for example in examples]
        seen = collections.Counter(number for options in keyed for keys in options for number in keys)
        frequent = (number for number, n in seen.items() if n >= MIN_COUNT)
        self.index = {number: place for place, number in enumerate(frequent)}
        self.encoded = [(self.encode(options), example) for options, example in zip(keyed, examples)]
        self.weights = np.zeros(len(self.index))

    @staticmethod
    def keys(example: Example) -> list[dict[int, float]]:
        """For each reading, the keys of its features and their values."""
        near = list(near_features(example.tokens, example.place))
        far = list(far_features(example.tokens, example.place))
        options = []
        for option in readings()[example.word]:
            keys = {key(option.name, feature): VALUES["far"] for feature in far}
            keys |= {key(option.name, feature): VALUES["own"] for feature in near}
            if option.kind == "verb":
                keys |= {key("verb", feature): VALUES["shared"] for feature in near}
            options.append(keys)
        return options

    def encode(self, options: list[dict[int, float]]) -> list[tuple[np.ndarray, np.ndarray]]:
        kept = [[(self.index[number], value) for number, value in keys.items() if number in self.index]
                for keys in options]
        return [tuple(map(np.array, zip(*pairs))) for pairs in kept]

    def fit(self, seed: int = 0) -> None:
        squares = np.full(len(self.weights), 1e-8)
        order = list(range(len(self.encoded)))
        generator = random.Random(seed)
        for _ in range(N_PASSES):
            generator.shuffle(order)
            for number in order:
                options, example = self.encoded[number]
                scores = np.array([(self.weights[numbers] * values).sum() for numbers, values in options])
                errors = np.exp(scores - scores.max())
                errors /= errors.sum()
                errors[example.reading] -= 1
                for error, (numbers, values) in zip(errors, options):
                    if abs(error) > 1e-3:
                        gradient = error * values + DECAY * self.weights[numbers]
                        np.add.at(squares, numbers, gradient**2)
                        self.weights[numbers] -= LEARNING_RATE * gradient / np.sqrt(squares[numbers])

    def rareness(self, word: str, reading: int) -> float:
        total = sum(self.counts[word, other] for other in range(len(readings()[word])))
        return RARE * min(RAREST, math.log((total + 1) / (self.counts[word, reading] + 1)))

    def to_whole_numbers(self) -> dict[int, int]:
        """What `english.homographs` reads: values and rareness in the weights, small weights left out."""
        scaled = np.zeros(len(self.weights))
        for options, _ in self.encoded:
            for numbers, values in options:
                scaled[numbers] = self.weights[numbers] * values
        by_key = dict(zip(self.index, scaled.tolist()))
        for word, options in readings().items():
            for place, option in enumerate(options):
                number = key(option.name, "bias")
                by_key[number] = by_key.get(number, 0.0) + self.rareness(word, place)
        whole = {number: max(-128, min(127, round(weight / WEIGHT_STEP))) for number, weight in by_key.items()}
        return {number: weight for number, weight in whole.items() if weight}


def predict(weights: dict[int, int], example: Example) -> int:
    near = list(near_features(example.tokens, example.place))
    features = near + list(far_features(example.tokens, example.place))

    def score(option: Reading) -> int:
        own = sum(weights.get(key(option.name, feature), 0) for feature in features)
        return own + (option.kind == "verb") * sum(weights.get(key("verb", feature), 0) for feature in near)

    options = readings()[example.word]
    return max(range(len(options)), key=lambda place: score(options[place]))


def report(name: str, weights: dict[int, int], counts: collections.Counter, examples: list[Example]) -> None:
    """Accuracy over all sentences, over those with a rarer reading than the commonest, and of always that one."""
    right = rare_right = n_rare = 0
    for example in examples:
        commonest = max(range(len(readings()[example.word])), key=lambda place: counts[example.word, place])
        said = predict(weights, example)
        right += said == example.reading
        if example.reading != commonest:
            n_rare, rare_right = n_rare + 1, rare_right + (said == example.reading)
    n = len(examples)
    print(f"{name}: {n} sentences, {100 * right / n:.1f} % right, of {n_rare} with a rarer reading "
          f"{100 * rare_right / n_rare:.1f} %; the commonest reading always: {100 - 100 * n_rare / n:.1f} %")


def split(examples: list[Example], one_in: int, seed: int) -> tuple[list[Example], list[Example]]:
    """To learn from, and held out, in the same proportion for every word."""
    by_word = collections.defaultdict(list)
    for example in examples:
        by_word[example.word].append(example)
    learned, held_out = [], []
    generator = random.Random(seed)
    for word in sorted(by_word):
        generator.shuffle(by_word[word])
        n = len(by_word[word]) // one_in
        held_out += by_word[word][:n]
        learned += by_word[word][n:]
    return learned, held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the labelled sentences, a file a word")
    arguments = parser.parse_args()
    examples, own = read_folder(arguments.folder), read_own()
    print(f"{len(examples)} labelled sentences, {len(own)} of the project's own")
    for seed in range(2):
        learned, held_out = split(examples, 5, seed)
        model = Model(learned + own * 2)
        model.fit()
        report(f"held out, seed {seed}", model.to_whole_numbers(), model.counts, held_out)
    model = Model(examples + own * 2)
    model.fit()
    weights = model.to_whole_numbers()
    save_weights(weights)
    report("learned", weights, model.counts, examples)
    print(f"{len(weights)} weights saved")


if __name__ == "__main__":
    main()
