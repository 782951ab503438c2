"""Where each spoken word is in the text as it was written: "two" is at "2.", "doctor" at "Dr."."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

import english

AT_ONCE = 60  # spoken words that are compared at a time, so that the work grows with the text, not with its square
SETTLED = 40  # those of them that count; the rest is compared again
SPARE = 25  # written words more than spoken ones that are looked at
SKIPPED = 0.5  # cost of a written word that is not spoken
UNPAUSED = 0.05  # cost of a mark without a pause, or the other way round
SHARED = 0.02  # cost of another spoken word at the same written one
MARKS = tuple(",.;:?!")
PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n")


class Places:
    """Follows the sentences of `english.spoken_words` through their text, one after the other.

    A token is what is between spaces. Each spoken word belongs to one, and the order is the same in both: the cheapest
    way to have it so is found by dynamic programming.
    """

    def __init__(self, text: str):
        self.text = text
        self.tokens = [match.span() for match in re.finditer(r"\S+", text)]
        self.next = 0  # the first token that no sentence has

    def find(self, words: Sequence[english.Word]) -> list[tuple[int, int]]:
        """First character and end of each word of the next sentence; those of a pause are of the word before."""
        pauses = [word.codes == [english.PAUSE] for word in words] + [True]
        spoken = [place for place in range(len(words)) if not pauses[place]]
        first, tokens = self.next, []
        while len(tokens) < len(spoken) and self.next < len(self.tokens):
            part = spoken[len(tokens) : len(tokens) + AT_ONCE]
            found = self._compare([_key(words[place].text) for place in part], [pauses[place + 1] for place in part])
            if len(part) == AT_ONCE:
                found = found[:SETTLED]
            tokens += found
            self.next = found[-1] + (len(tokens) == len(spoken))
        places = [(len(self.text), len(self.text))] * len(words)
        for place, (begin, end) in zip(spoken, self._spread(tokens, [words[k].source == "custom" for k in spoken])):
            places[place] = self.tokens[begin][0], self.tokens[end][1]
        for place in range(len(words)):
            if pauses[place]:
                start = self.tokens[first][0] if first < len(self.tokens) else len(self.text)
                places[place] = places[place - 1] if place else (start, start)
        return places

    def _spread(self, tokens: Sequence[int], is_custom: Sequence[bool]) -> list[tuple[int, int]]:
        """First and last token of each word: with those that are skipped between it and the next one, or the one
        before if that is a custom word: "York" where "New York" is one."""
        firsts, lasts = list(tokens), list(tokens)
        for word, (token, following) in enumerate(zip(tokens, tokens[1:])):
            between = [k for k in range(token + 1, following) if _key(self._token(k)).isascii()]
            if between and is_custom[word + 1] and not is_custom[word]:
                firsts[word + 1] = between[0]
            elif between:
                lasts[word] = between[-1]
        return list(zip(firsts, lasts))

    def _token(self, index: int) -> str:
        return self.text[slice(*self.tokens[index])]

    def _compare(self, words: Sequence[str], pauses: Sequence[bool]) -> list[int]:
        """The token of each word, from `self.next` on. Words come as keys, and with whether a pause follows."""
        tokens = [self._token(k) for k in range(self.next, min(self.next + len(words) + SPARE, len(self.tokens)))]
        marks = [token.endswith(MARKS) for token in tokens]
        n = len(words)
        if [_key(token) for token in tokens[:n]] == list(words) and marks[:n] == list(pauses):
            return [self.next + word for word in range(n)]  # as in most sentences, each word is written as it is read
        skipping = np.array([SKIPPED if _key(token) else 0.0 for token in tokens])
        before = np.concatenate([[0.0], skipping.cumsum()])  # cost of skipping all tokens before the i-th
        costs = np.array([_costs(token, words) for token in tokens]).T  # (words, tokens)
        costs += UNPAUSED * (np.array(pauses)[:, None] != np.array(marks))
        total, came_from = costs[0] + before[:-1], []
        for row in costs[1:]:
            # the token before is any earlier one, what is between them is skipped; or the same one
            reduced = total - before[1:]
            lowest = np.minimum.accumulate(reduced)
            is_new = reduced < np.concatenate([[np.inf], lowest[:-1]]) - 1e-9  # of equals the first
            place = np.maximum.accumulate(np.where(is_new, np.arange(len(reduced)), 0))
            moved = np.concatenate([[np.inf], lowest[:-1]]) + before[:-1]
            total = total + SHARED
            stays = total <= moved
            came_from.append(np.where(stays, np.arange(len(row)), np.concatenate([[0], place[:-1]])))
            total = row + np.where(stays, total, moved)
        path = [int(total.argmin())]
        for row in came_from[::-1]:
            path.append(int(row[path[-1]]))
        return [self.next + token for token in path[::-1]]


def _costs(token: str, words: Sequence[str]) -> list[float]:
    """How badly each word, given as its key, fits a token."""
    key = _key(token)
    normalized = () if key in words else _normalize(token)

    def cost(word: str) -> float:
        if word == key:
            return 0.0
        if not word:
            return 0.9 if key in words else 0.2  # a custom word: the front end may put a character in its place
        if word in normalized:
            return 0.05
        if len(word) > 1 and word in key:
            return 0.2
        if len(key) > 1 and key in word:  # a custom word may be several tokens
            return 0.3
        return 1.0 if key.isalpha() else 0.6

    return [cost(word) for word in words]


@functools.lru_cache(maxsize=10_000)
def _key(word: str) -> str:
    """Letters and digits alone, in lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(character for character in decomposed if character.isalnum())


@functools.lru_cache(maxsize=10_000)
def _normalize(token: str) -> frozenset[str]:
    """The keys of what a token is read as without its neighbours."""
    try:
        return frozenset(_key(word) for word in english.normalize(token).split()) - {""}
    except ValueError:
        return frozenset()
