"""Is one voice better than another? Compares the sentences that two results of `evaluate.py --json` share, in pairs.

    python benchmarks/compare.py report/eval-run1.json report/eval-run1b.json

The difference of the word error rate has the 95 % interval of a bootstrap over the sentences (Bisani and Ney 2004),
that of means the 95 % confidence of the mean difference.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import statistics

import numpy as np
from tables import markdown_table
from words import count_word_errors, words_of

N_RESAMPLED = 10000  # draws of the bootstrap


def shared_utterances(first: list[dict], second: list[dict]) -> list[tuple[dict, dict]]:
    by_text = {utterance["text"]: utterance for utterance in second}
    return [(one, by_text[one["text"]]) for one in first if one["text"] in by_text and "mos" in one]


def compare(pairs: list[tuple[dict, dict]]) -> dict:
    """One row of both, words wrong, and log p and MOS with the mean difference and its 95 % confidence."""
    wrong = [[words_wrong(pair[side]) for pair in pairs] for side in (0, 1)]
    n_words = [len(words_of(before["text"])) for before, _ in pairs]
    return {
        "n": len(pairs),
        "words": sum(n_words),
        "words wrong": f"{sum(wrong[0])} -> {sum(wrong[1])}",
        "WER % difference": word_error_difference(np.subtract(wrong[1], wrong[0]), np.array(n_words)),
        **difference("log p", "log_probability", pairs),
        **difference("MOS", "mos", pairs),
        **difference("MOS filled", "mos_filled", pairs),
    }


def words_wrong(utterance: dict) -> int:
    """Counted anew: older results have a word that is written as two as wrong."""
    return count_word_errors(*(words_of(utterance[side]) for side in ("text", "heard")))


def word_error_difference(more_wrong: np.ndarray, n_words: np.ndarray) -> str:
    """Of n sentences, how many words more are wrong in the second voice -> the difference and its interval."""
    if not n_words.all():
        raise ValueError("a text without words")
    drawn = np.random.default_rng(0).integers(len(n_words), size=(N_RESAMPLED, len(n_words)))
    low, high = np.percentile(100 * more_wrong[drawn].sum(axis=1) / n_words[drawn].sum(axis=1), [2.5, 97.5])
    return f"{100 * more_wrong.sum() / n_words.sum():+.1f} ({low:+.1f} to {high:+.1f})"


def difference(title: str, measure: str, pairs: list[tuple[dict, dict]]) -> dict:
    """Two columns; none where one side was not measured so."""
    if any(measure not in utterance for pair in pairs for utterance in pair):
        return {}
    before, after = ([pair[side][measure] for pair in pairs] for side in (0, 1))
    differences = [new - old for old, new in zip(before, after)]
    margin = 1.96 * statistics.stdev(differences) / math.sqrt(len(pairs)) if len(pairs) > 1 else math.nan
    return {
        title: f"{statistics.mean(before):.2f} -> {statistics.mean(after):.2f}",
        f"{title} difference": f"{statistics.mean(differences):+.2f} ± {margin:.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    options = parser.parse_args()
    before, after = (json.loads(path.read_text())["utterances"] for path in (options.before, options.after))
    shared = {kind: shared_utterances(before[kind], after[kind]) for kind in before if kind in after}
    rows = [{"speech": kind, **compare(pairs)} for kind, pairs in shared.items() if pairs]
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
