"""Words: how a text is split into them, and how many of them were heard wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence


def normalise_text(text: str) -> str:
    """Lower-case words of letters, one space between; apostrophes vanish, other marks separate, "etc" is spelt out."""
    words = " ".join(re.sub(r"[^\w\s]|[\d_]", " ", re.sub("['’]", "", text.lower())).split())
    return re.sub(r"\betc\b", "et cetera", words)


def words_of(text: str) -> list[str]:
    return normalise_text(text).split()


def edit_distance(reference: Sequence, hypothesis: Sequence) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein)."""
    distances = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, distances[0] = distances[0], i
        for j, heard in enumerate(hypothesis, 1):
            best = min(diagonal + (expected != heard), distances[j] + 1, distances[j - 1] + 1)
            diagonal, distances[j] = distances[j], best
    return distances[-1]


def count_word_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """`edit_distance` of words; two of one side that make one of the other are right: "wood cutters", "woodcutters"."""
    rows = [list(range(len(hypothesis) + 1))]
    for i, expected in enumerate(reference, 1):
        rows.append([i])
        for j, heard in enumerate(hypothesis, 1):
            ways = [rows[i - 1][j - 1] + (expected != heard), rows[i - 1][j] + 1, rows[i][j - 1] + 1]
            if i > 1 and reference[i - 2] + expected == heard:
                ways.append(rows[i - 2][j - 1])
            if j > 1 and hypothesis[j - 2] + heard == expected:
                ways.append(rows[i - 1][j - 2])
            rows[i].append(min(ways))
    return rows[-1][-1]
