"""Sentences that a recogniser cannot guess: writes `unpredictable.tsv`, the same each time.

    python benchmarks/unpredictable.py > benchmarks/unpredictable.tsv

Semantically unpredictable sentences (Benoît, Grice and Hazan 1996): frequent words, at random, in five grammatical
frames. The grammar is right and the meaning is none, so that what is heard comes from the sound alone. Words of one or
two syllables; no names, and neither homographs ("wind") nor homophones ("sail") where they can be avoided. Each word is
used about as often as the others of its kind.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator, Sequence

SEED = 1996
N_OF_EACH_FRAME = 22

# Each verb has the forms of FORMS.
FRAMES = {
    "intransitive": "The {noun} {intransitive:present} {preposition} the {adjective} {noun}.",
    "transitive": "The {adjective} {noun} {transitive:past} the {noun}.",
    "imperative": "{transitive:base} the {noun} {conjunction} the {noun}.",
    "interrogative": "{question} {auxiliary} the {noun} {transitive:base} the {adjective} {noun}?",
    "relative": "The {noun} {transitive:past} the {noun} that {intransitive:past}.",
}
FORMS = ("base", "present", "past")
WORDS = {
    "noun": """
        apple basket blanket boat book bottle box brick bridge button candle cap cat chair church clock cloud coat cup
        desk doctor dog door dream dress farm field fish floor friend frog garden gate glass hand hat hill house job
        judge kitchen lake lamp leg lip map market mouth neck nurse page paper path pipe plant plate pocket pond river
        rope school shelf ship shirt shop sister skin smoke snake soap spoon stick stone stove street string table tent
        thumb tooth town train tree truck truth wall wheel window yard youth
    """.split(),
    "adjective": """
        big black bright brown cheap cold cool dark deep dry dull empty fast flat fresh funny green happy hard heavy
        hungry large late long loud narrow old proud quick quiet rich rough round sharp short silver slow small smooth
        soft strange strong tall thick thin tiny warm wet wide wild wooden yellow young
    """.split(),
    "preposition": "above across around behind beside near over toward under".split(),
    "conjunction": "and or".split(),
    "question": "How When Where Why".split(),
    "auxiliary": "did does".split(),
    "transitive": [  # base, present, past
        tuple(forms.split())
        for forms in """
        ask asks asked, build builds built, burn burns burned, carry carries carried,
        catch catches caught, change changes changed, cook cooks cooked, count counts counted,
        cover covers covered, cross crosses crossed, drink drinks drank, drive drives drove, drop drops dropped,
        fetch fetches fetched, follow follows followed, forget forgets forgot, grab grabs grabbed, help helps helped,
        hide hides hid, hold holds held, kick kicks kicked, leave leaves left, lift lifts lifted, love loves loved,
        move moves moved, open opens opened, paint paints painted, pick picks picked, pull pulls pulled,
        push pushes pushed, save saves saved, shake shakes shook, touch touches touched, want wants wanted,
        wash washes washed, watch watches watched
        """.split(",")
    ],
    "intransitive": [
        tuple(forms.split())
        for forms in """
        blink blinks blinked, cough coughs coughed, crawl crawls crawled, cry cries cried, dance dances danced,
        drift drifts drifted, fall falls fell, float floats floated, grow grows grew, hurry hurries hurried,
        jump jumps jumped, laugh laughs laughed, listen listens listened, run runs ran, shout shouts shouted,
        sit sits sat, sleep sleeps slept, slip slips slipped, smile smiles smiled, sneeze sneezes sneezed,
        snore snores snored, speak speaks spoke, spin spins spun, stand stands stood, swim swims swam,
        walk walks walked, whisper whispers whispered, work works worked, yawn yawns yawned
        """.split(",")
    ],
}


def deal(words: Sequence, rng: random.Random) -> Iterator:
    """The words in random order, without end; none comes again before all others came."""
    while True:
        yield from rng.sample(words, len(words))


class Slot:
    """Fills `{kind}` and `{kind:form}` of a frame, when `str.format` asks for it."""

    def __init__(self, words: Iterator, said: set):
        self.words, self.said = words, said

    def __format__(self, form: str) -> str:
        word = next(word for word in self.words if word not in self.said)
        self.said.add(word)
        return word[FORMS.index(form)] if form else word


def fill(frame: str, decks: dict[str, Iterator]) -> str:
    """A sentence without a word of these lists twice."""
    said: set = set()
    sentence = frame.format_map({kind: Slot(words, said) for kind, words in decks.items()})
    return sentence[0].upper() + sentence[1:]


def write_sentences(n_of_each_frame: int = N_OF_EACH_FRAME, seed: int = SEED) -> list[tuple[str, str]]:
    """(name of the frame, sentence), one frame after the other in turn."""
    rng = random.Random(seed)
    decks = {kind: deal(words, rng) for kind, words in WORDS.items()}
    turns = itertools.chain.from_iterable(itertools.repeat(FRAMES.items(), n_of_each_frame))
    return [(name, fill(frame, decks)) for name, frame in turns]


def render() -> str:
    """The file."""
    comment = "# grammatical frame <tab> sentence. Semantically unpredictable; written by unpredictable.py."
    return "\n".join([comment, *["\t".join(line) for line in write_sentences()], ""])


if __name__ == "__main__":
    sys.stdout.write(render())
