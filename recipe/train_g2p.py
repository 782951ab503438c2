"""Train the network that pronounces unknown words: letters -> for each letter the phonemes that it stands for.

    python -m recipe.train_g2p --out english/network.npz        # 40 minutes on one core
    python -m recipe.train_g2p --init english/network.npz --learning-rate 8e-4 --minutes 25

Learns from the CMU dictionary and the part of misaki's lexica that it lacks. Letters and phonemes are aligned first
(expectation-maximisation, a letter stands for 0 to 2 phonemes), so the network labels letters: convolutions over the
word, no recurrence, no search. One word in 50 is held out; the weights of the whole run's end are saved in half
precision. Letters of a word N, width D, classes C: (B, N) -> (B, N, D) -> (B, N, C).
"""

import argparse
import collections
import itertools
import math
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from english.lexicon import dictionary
from english.network import decode
from english.other_lexicon import entries

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 24  # letters

# ---------------------------------------------------------------------------------------------------------------------
# Words and their alignment
# ---------------------------------------------------------------------------------------------------------------------


def read_words() -> dict[str, tuple[list[str], bool]]:
    """word -> (codes, whether it is a name); plain letters only, the first pronunciation of each."""
    words = {}
    for word, codes in dictionary().items():
        if re.fullmatch(f"[a-z]{{2,{LONGEST}}}", word):
            words[word] = codes.split(), False
    for number, (spelling, codes, rare) in enumerate(entries()):
        if rare and number % 3:  # mostly inflections and learned words: a third of them is enough
            continue
        if re.fullmatch(f"[A-Za-z][a-z]{{1,{LONGEST - 1}}}", spelling):
            words.setdefault(spelling.lower(), (codes, spelling[0].isupper()))
    return words


def bare(code: str) -> str:
    return code.rstrip("012")


def align(letters: str, codes: list[str], costs: dict[tuple[str, str], float], default: float) -> list[int] | None:
    """How many codes each letter stands for (0, 1 or 2) at the least cost; None if there are too many codes."""
    phones = [bare(code) for code in codes]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for place, letter in enumerate(letters):
        row: dict[int, tuple[float, int]] = {}
        left = 2 * (len(letters) - place - 1)
        for done, (cost, _) in best[-1].items():
            for n in (0, 1, 2):
                after = done + n
                if after > len(phones) or len(phones) - after > left:
                    continue
                total = cost + costs.get((letter, " ".join(phones[done:after])), default + 3 * (n == 2))
                if after not in row or total < row[after][0]:
                    row[after] = total, n
        best.append(row)
    end = len(phones)
    if end not in best[-1]:
        return None
    counts = []
    for row in reversed(best[1:]):
        counts.append(row[end][1])
        end -= row[end][1]
    return counts[::-1]


def chunks(codes: list[str], counts: list[int]) -> list[str]:
    ends = list(itertools.accumulate(counts))
    return [" ".join(codes[end - n:end]) for end, n in zip(ends, counts)]


def align_all(words: dict[str, list[str]], n_rounds: int = 8, seed: int = 0) -> dict[str, list[str]]:
    """word -> the codes of each of its letters. The first rounds see a sample, the last one all words."""
    costs: dict[tuple[str, str], float] = {}
    sample = random.Random(seed).sample(sorted(words), min(15_000, len(words)))
    for _ in range(n_rounds):
        counter: collections.Counter = collections.Counter()
        for word in sample:
            if counts := align(word, words[word], costs, 6.0):
                counter.update(zip(word, chunks([bare(code) for code in words[word]], counts)))
        of_letter = collections.Counter()
        for (letter, _), n in counter.items():
            of_letter[letter] += n
        costs = {pair: -math.log(n / of_letter[pair[0]]) for pair, n in counter.items()}
    aligned = {}
    for word, codes in words.items():
        if counts := align(word, codes, costs, 12.0):
            aligned[word] = chunks(codes, counts)
    return aligned


# ---------------------------------------------------------------------------------------------------------------------
# The network
# ---------------------------------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    """(B, N) letters, 0 for padding -> (B, N, C) scores. Its numpy twin is `english.network`."""

    def __init__(self, n_classes: int, width: int, n_blocks: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, width, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=kernel // 2, bias=False) for _ in range(n_blocks))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(n_blocks))
        self.output = nn.Linear(width, n_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        mask = (letters > 0).unsqueeze(1)
        hidden = self.embedding(letters).transpose(1, 2)
        for convolution, norm in zip(self.convolutions, self.norms):
            hidden = (hidden + self.dropout(torch.relu(norm(convolution(hidden))))) * mask
        return self.output(hidden.transpose(1, 2))

    def read(self, path: Path, letters: torch.Tensor) -> None:
        """Take up the weights of `weights`; what batch normalisation had been is measured on `letters`, (B, N)."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: array.astype(np.float32) for name, array in file.items() if name != "classes"}
        saved = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.embedding.weight.data = saved["embedding"]
        self.output.weight.data, self.output.bias.data = saved["output"].T.contiguous(), saved["output_bias"]
        mask = (letters > 0).unsqueeze(1)
        hidden = self.embedding(letters).transpose(1, 2)
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            width, kernel = convolution.weight.shape[0], convolution.weight.shape[2]
            weight = saved[f"kernel{number}"].reshape(kernel, width, width)
            convolution.weight.data = weight.permute(2, 1, 0).contiguous()
            before = convolution(hidden)
            norm.running_mean, norm.running_var = before.mean((0, 2)), before.var((0, 2))
            norm.weight.data = torch.sqrt(norm.running_var + norm.eps)
            norm.bias.data = saved[f"bias{number}"] + norm.running_mean
            hidden = (hidden + torch.relu(before + saved[f"bias{number}"][:, None])) * mask

    def weights(self, classes: list[str]) -> dict[str, np.ndarray]:
        """What `english.network` reads, batch normalisation folded into the convolutions."""
        arrays = {"classes": np.array(classes), "embedding": self.embedding.weight.detach().numpy().astype(np.float16),
                  "output": self.output.weight.detach().numpy().T.astype(np.float16),
                  "output_bias": self.output.bias.detach().numpy().astype(np.float16)}
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
            kernel = convolution.weight.detach() * scale[:, None, None]  # (out, in, K)
            arrays[f"kernel{number}"] = kernel.permute(2, 1, 0).reshape(-1, kernel.shape[0]).numpy().astype(np.float16)
            arrays[f"bias{number}"] = (norm.bias - norm.running_mean * scale).detach().numpy().astype(np.float16)
        return arrays


def to_tensors(batch: list[str], aligned: dict[str, list[str]], index: dict[str, int]) -> tuple[torch.Tensor, ...]:
    letters = torch.zeros(len(batch), max(map(len, batch)), dtype=torch.long)
    labels = torch.full_like(letters, -100)
    for row, word in enumerate(batch):
        letters[row, :len(word)] = torch.tensor([LETTERS.index(letter) + 1 for letter in word])
        labels[row, :len(word)] = torch.tensor([index[chunk] for chunk in aligned[word]])
    return letters, labels


def distance(first: list[str], second: list[str]) -> int:
    row = list(range(len(second) + 1))
    for above, left in enumerate(first):
        previous, row[0] = row[0], above + 1
        for place, right in enumerate(second):
            best = min(row[place + 1] + 1, row[place] + 1, previous + (left != right))
            previous, row[place + 1] = row[place + 1], best
    return row[-1]


def evaluate(model: Tagger, words: list[str], truth: dict[str, list[str]], classes: list[str]) -> str:
    """Phonemes wrong, without and with stress, and words wrong, as a line."""
    wrong = wrong_stress = total = words_wrong = 0
    model.eval()
    with torch.no_grad():
        for word in words:
            letters = torch.tensor([[LETTERS.index(letter) + 1 for letter in word]])
            said = decode(model(letters)[0].numpy(), classes)
            errors = distance([bare(code) for code in said], [bare(code) for code in truth[word]])
            wrong, total, words_wrong = wrong + errors, total + len(truth[word]), words_wrong + (errors > 0)
            wrong_stress += distance(said, truth[word])
    model.train()
    return (f"{100 * wrong / total:.1f} % of phonemes wrong ({100 * wrong_stress / total:.1f} % with stress), "
            f"{100 * words_wrong / len(words):.1f} % of words")


class Data(NamedTuple):
    """Aligned words, and what is held out of them."""

    classes: list[str]  # what a letter may stand for
    aligned: dict[str, list[str]]  # of each letter of a word
    truth: dict[str, list[str]]  # the phonemes of each word
    learned: list[str]
    tests: dict[str, list[str]]  # held-out words by kind

    @property
    def index(self) -> dict[str, int]:
        return {chunk: number for number, chunk in enumerate(self.classes)}


def read_data() -> Data:
    words = read_words()
    aligned = align_all({word: codes for word, (codes, _) in words.items()})
    counts = collections.Counter(chunk for pieces in aligned.values() for chunk in pieces)
    classes = sorted(chunk for chunk, n in counts.items() if n >= 10)
    aligned = {word: pieces for word, pieces in aligned.items() if set(pieces) <= set(classes)}
    names = {word for word, (_, is_name) in words.items() if is_name}
    shuffled = sorted(aligned)
    random.shuffle(shuffled)
    held_out = set(shuffled[::50])
    learned = [word for word in shuffled if word not in held_out]
    tests = {"held-out words": sorted(held_out - names)[:2000], "held-out names": sorted(held_out & names)}
    print(f"{len(words)} words, {len(aligned)} aligned, {len(classes)} classes, "
          f"{ {name: len(test) for name, test in tests.items()} } held out", flush=True)
    return Data(classes, aligned, {word: codes for word, (codes, _) in words.items()}, learned, tests)


def make_batches(words: list[str], batch_size: int) -> Iterator[list[str]]:
    """An epoch: words of similar length, in random order."""
    random.shuffle(words)
    n_pool = 40 * batch_size
    for start in range(0, len(words), n_pool):
        pool = sorted(words[start:start + n_pool], key=len)
        batches = [pool[at:at + batch_size] for at in range(0, len(pool), batch_size)]
        random.shuffle(batches)
        yield from batches


def train(model: Tagger, data: Data, options: argparse.Namespace) -> int:
    """Train for `options.minutes`; the learning rate falls as a cosine. Returns the number of steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01)
    start, step, shown, index = time.monotonic(), 0, 0.0, data.index
    while True:
        for batch in make_batches(data.learned, options.batch_size):
            progress = (time.monotonic() - start) / (60 * options.minutes)
            if progress >= 1:
                return step
            rate = options.learning_rate * min(1, (step + 1) / 200) * (1 + math.cos(math.pi * progress)) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            letters, labels = to_tensors(batch, data.aligned, index)
            loss = nn.functional.cross_entropy(model(letters).flatten(0, 1), labels.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if progress - shown > 0.1:
                shown = progress
                tests = data.tests.items()
                line = {name: evaluate(model, words[:500], data.truth, data.classes) for name, words in tests}
                print(f"{progress:.0%}, step {step}, loss {loss.item():.3f}, {line}", flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("english/network.npz"))
    parser.add_argument("--minutes", type=float, default=40, help="time of training")
    parser.add_argument("--init", type=Path, help="go on from these weights")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--kernel", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    return parser.parse_args()


def main() -> None:
    options = read_options()
    torch.manual_seed(0)
    random.seed(0)
    data = read_data()
    model = Tagger(len(data.classes), options.width, options.blocks, options.kernel, options.dropout)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    if options.init:
        with torch.no_grad():
            model.read(options.init, to_tensors(data.learned[:2000], data.aligned, data.index)[0])
    n_steps = train(model, data, options)
    for name, test in data.tests.items():
        print(f"{name}, {len(test)}: {evaluate(model, test, data.truth, data.classes)}")
    model.eval()
    np.savez_compressed(options.out, **model.weights(data.classes))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB after {n_steps} steps")


if __name__ == "__main__":
    main()
