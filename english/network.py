"""The network for unknown words: letters -> codes, by convolutions over the word. Trained by `recipe.train_g2p`."""

import re
from functools import cache
from pathlib import Path

WEIGHTS = Path(__file__).with_name("network.npz")


@cache
def _weights() -> dict:
    import numpy as np

    with np.load(WEIGHTS, allow_pickle=False) as file:
        return {name: array if array.dtype.kind == "U" else array.astype(np.float32) for name, array in file.items()}


def _scores(letters: str):
    """(N, C): how well each class of codes fits each letter."""
    import numpy as np

    weights = _weights()
    hidden = weights["embedding"][[ord(letter) - ord("a") + 1 for letter in letters]]  # (N, D)
    number = 0
    while f"kernel{number}" in weights:
        kernel = weights[f"kernel{number}"]  # (K * D, D)
        size = kernel.shape[0] // hidden.shape[1]
        padded = np.pad(hidden, ((size // 2, size // 2), (0, 0)))
        windows = np.concatenate([padded[shift:shift + len(letters)] for shift in range(size)], axis=1)  # (N, K * D)
        hidden = hidden + np.maximum(windows @ kernel + weights[f"bias{number}"], 0)
        number += 1
    return hidden @ weights["output"] + weights["output_bias"]


def decode(scores, classes: list[str]) -> list[str]:
    """(N, C) -> the best codes, with exactly one primary stress if there is a vowel."""
    import numpy as np

    best = scores.argmax(1)
    primary = np.array(["1" in name for name in classes])
    with_vowel = [place for place, label in enumerate(best) if re.search(r"\d", classes[label])]
    if with_vowel:
        # The letter whose best stressed class costs least against its best unstressed one bears the primary stress.
        gains = scores[:, primary].max(1) - scores[:, ~primary].max(1)
        bearer = max(with_vowel, key=lambda place: gains[place])
        allowed = np.where(primary, -np.inf, scores)
        best = allowed.argmax(1)
        vowel_again = [place for place in with_vowel if place != bearer]
        for place in vowel_again:  # a vowel that loses the primary stress stays a vowel
            if not re.search(r"\d", classes[best[place]]):
                vowels = np.array([bool(re.search("[02]", name)) for name in classes])
                best[place] = np.where(vowels, scores[place], -np.inf).argmax()
        best[bearer] = np.where(primary, scores[bearer], -np.inf).argmax()
    return [code for label in best for code in classes[label].split()]


def guess(letters: str) -> list[str]:
    """Codes of a word of letters a-z."""
    return decode(_scores(letters), _weights()["classes"].tolist())
