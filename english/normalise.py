"""Written English to plain words: sentences, then normalisation; the first stages of reading.

    split_sentences   "Dr. Ray ate 2. Why?"  ->  ["Dr. Ray ate 2.", "Why?"]
    normalize         "Dr. Ray ate 2."       ->  "doctor Ray ate two ."

A normalised sentence holds words, single capitals (the letter's name: "A" is the letter, "a" the article) and the
marks , . ; : ? ! at which a reader pauses. Tables come first; then a function for each kind of number, date, address or
abbreviation; then the rules, which call them in order.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from .lexicon import dictionary, table
from .other_lexicon import is_said, is_word

# ---------------------------------------------------------------------------------------------------------------------
# Tables: characters
# ---------------------------------------------------------------------------------------------------------------------

CHARACTERS = {
    **dict.fromkeys("‘’‛ʼ′`´", "'"), **dict.fromkeys("“”„‟«»″❝❞", '"'), **dict.fromkeys("‐‑﹣", "-"),
    **dict.fromkeys("—―‒⸺", " — "), "…": "...", "−": "-", "⁄": "/", "№": "No. ", "™": " trademark ", "℃": "°C",
    "℉": "°F", "µ": "μ", "μ": "μ", "•": ", ", "·": " ", "¿": " ", "¡": " ", "¼": " 1/4", "½": " 1/2", "¾": " 3/4",
    "⅓": " 1/3",
    "⅔": " 2/3", "⅛": " 1/8", "⅜": " 3/8", "⅝": " 5/8", "⅞": " 7/8", "⅕": " 1/5", "⅖": " 2/5", "⅗": " 3/5",
    "⅘": " 4/5", "⅙": " 1/6", "⅚": " 5/6", "⅐": " 1/7", "⅑": " 1/9", "⅒": " 1/10",
    **{mark: mark for mark in "²³–¢°£€¥₹₽₩₪"},
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "√": " square root of ", "≈": " approximately ", "≠": " is not equal to ",
    "≤": " at most ", "≥": " at least ", "→": " arrow ", "§": " section ", "¶": " paragraph ", "ß": "ss", "ẞ": "SS",
    "ı": "i", "İ": "I", "ſ": "s",  # patterns that ignore case take them for i and s, tables do not
}
SYMBOLS = table("""
& and / @ at / + plus / = equals / # hash / % percent / ^ caret / ~ tilde / < less than / > greater than
$ dollars / £ pounds / € euros / ¥ yen / ₹ rupees / ₽ rubles / ₩ won / ₪ shekels / ¢ cents / ° degrees / \\ backslash
² squared / ³ cubed / μ mu
""")
URL_SYMBOLS = table(". dot / : colon / - dash / _ underscore / ? question mark / ~ tilde / % percent") | {"/": "slash"}
SILENT_NAME_PARTS = {"sign", "symbol", "black", "white", "heavy", "suit", "emoji"}


# ---------------------------------------------------------------------------------------------------------------------
# Tables: abbreviations and acronyms
# ---------------------------------------------------------------------------------------------------------------------

TITLES = table("""
mr mister / mrs missus / ms miz / dr doctor / drs doctors / prof professor / gen general / sgt sergeant
capt captain / lt lieutenant / col colonel / rev reverend / sen senator / gov governor / hon honorable / maj major
cpl corporal / cmdr commander / adm admiral / pres president / rep representative / messrs messers / mt mount
ft fort / pvt private / supt superintendent / insp inspector / det detective / fr father
""")
ABBREVIATIONS = table("""
ave avenue / blvd boulevard / rd road / hwy highway / expy expressway / pkwy parkway / ln lane / etc etcetera
vs versus / vol volume / vols volumes
pp pages / approx approximately / al al / co company / corp corporation / inc incorporated / ltd limited
dept department / jr junior / sr senior / esq esquire / bros brothers / assn association / univ university
est established / misc miscellaneous / min minutes / max maximum / govt government / intl international
tel telephone / ext extension / apt apartment / cf compare / ed edition / eds editions / viz namely / ca circa
mass massachusetts / conn connecticut / calif california / tex texas / tenn tennessee / penn pennsylvania
p page / no number / nos numbers / fig figure / figs figures / ch chapter / pg page / sec section
""")
STREETS = table("""
ave avenue / blvd boulevard / rd road / hwy highway / expy expressway / pkwy parkway / ln lane / ct court / pl place
st street / dr drive / sq square / ter terrace / cir circle / fwy freeway / tpke turnpike / trl trail
""")
STATES = table("""
AL Alabama / AK Alaska / AZ Arizona / AR Arkansas / CA California / CO Colorado / CT Connecticut / DE Delaware
FL Florida / GA Georgia / HI Hawaii / ID Idaho / IL Illinois / IN Indiana / IA Iowa / KS Kansas / KY Kentucky
LA Louisiana / ME Maine / MD Maryland / MA Massachusetts / MI Michigan / MN Minnesota / MS Mississippi / MO Missouri
MT Montana / NE Nebraska / NV Nevada / NH New Hampshire / NJ New Jersey / NM New Mexico / NY New York
NC North Carolina / ND North Dakota / OH Ohio / OK Oklahoma / OR Oregon / PA Pennsylvania / RI Rhode Island
SC South Carolina / SD South Dakota / TN Tennessee / TX Texas / UT Utah / VT Vermont / VA Virginia / WA Washington
WV West Virginia / WI Wisconsin / WY Wyoming / DC D C
""")
# Words of their own, or too short to be sure of: abbreviations only where a number follows.
ONLY_BEFORE_DIGITS = set("p no nos fig figs ch pg sec ed mass est max min ca ext ln".split())
BEFORE_YEARS = table("c circa / b born / d died")
DOTTED = table("""
e.g for example / i.e that is / ph.d P H D / a.k.a also known as / n.b note
""")
MONTHS = "january february march april may june july august september october november december".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
CALENDAR = {name[:3]: name for name in MONTHS + DAYS} | table(
    "sept september / tues tuesday / thur thursday / thurs thursday")
SAID = set("NASA NATO AIDS UNESCO UNICEF COVID LASER RADAR SCUBA OPEC NAFTA FEMA SWAT SIM PIN GIF RAM ROM ZIP".split())
SPELLED = set("US IT UN AI RAF PC ASAP UCLA NAACP ACLU AARP IEEE IPA URL CEO AM ID IQ MIT ADHD".split())
WRITTEN_SO = {  # mixed cases and marks that no rule would read
    "iOS": "I O S", "macOS": "mac O S", "iPadOS": "I pad O S", "watchOS": "watch O S", "TL;DR": "T L D R",
    "PhD": "P H D", "PhDs": "P H D's", "LaTeX": "lay tech", "YouTube": "youtube", "GitHub": "git hub", "eBay": "E bay",
    "o/w": "otherwise", "and/or": "and or", "w/o": "without", "n/a": "N A", "N/A": "N A",
}
SHORT_WORDS = set("""
am an and any are as ask at bad be big but buy by can cat day did do dog eat end far few for fun get go god got guy
had has he her hey him his hot how if in is its job joy just key kid let lot mad man may me men mom my new no nor not
now odd of off oh old on one or our out own pay put ran red run sad saw say see set she sir six so son stop sun ten the
to too top try two up use war was way we wet who why win wow yes yet you zoo box bus car cup mr mrs dr st jr ok
""".split())
# Words that begin a sentence far more often than they follow an abbreviation inside one ("at 5 p.m. The ...").
SENTENCE_STARTERS = set("""
the a an he she it they we i you this that these those there his her its their our my your in on at for but and or so
when if what who why how where then as after before no yes not let do did does is are was were some all one
""".split())


# ---------------------------------------------------------------------------------------------------------------------
# Tables: numbers
# ---------------------------------------------------------------------------------------------------------------------

DIGITS = "zero one two three four five six seven eight nine".split()
CURRENCIES = {  # symbol: one, many, one hundredth, hundredths
    "$": ("dollar", "dollars", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"), "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"), "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "₩": ("won", "won", "jeon", "jeon"), "₪": ("shekel", "shekels", "agora", "agorot"),
}
CURRENCY_CODES = table("""
USD U S dollars / EUR euros / GBP British pounds / JPY Japanese yen / CHF Swiss francs / CAD Canadian dollars
AUD Australian dollars / NZD New Zealand dollars / INR Indian rupees / CNY Chinese yuan / RUB Russian rubles
SEK Swedish kronor / NOK Norwegian kroner / DKK Danish kroner / MXN Mexican pesos / BRL Brazilian reals
""")
SCALES = table("k thousand / m million / mn million / b billion / bn billion / tn trillion") | {
    word: word for word in ("hundred", "thousand", "million", "billion", "trillion")}
UNITS = table("""
km kilometer / dm decimeter / dl deciliter / dL deciliter / cl centiliter / m meter / cm centimeter / mm millimeter
nm nanometer / μm micrometer / kg kilogram / g gram
mg milligram / μg microgram / lb pound / lbs pound / oz ounce / ft feet / yd yard / yds yard / mi mile / l liter
L liter / ml milliliter / mL milliliter / hr hour / hrs hour / h hour / min minute / mins minute / sec second
secs second / s second / ms millisecond / μs microsecond / Hz hertz / kHz kilohertz / MHz megahertz / GHz gigahertz
KB kilobyte / kB kilobyte / MB megabyte / GB gigabyte / TB terabyte / Mbps megabits per second / W watt
kW kilowatt / MW megawatt / kWh kilowatt hour / V volt / mV millivolt / kV kilovolt / mA milliamp / J joule
kJ kilojoule / kcal kilocalorie / cal calorie / Pa pascal / kPa kilopascal / hPa hectopascal / psi P S I
dB decibel / mph mile per hour / kph kilometer per hour / rpm R P M / fps frame per second / ha hectare
°C degree celsius / °F degree fahrenheit / ° degree / yr year / yrs year
wk week / wks week / mo month / mos month / Ω ohm / kΩ kilohm / deg degree / d day / Gbps gigabits per second
kbps kilobits per second / mAh milliamp hour / Wh watt hour / GW gigawatt / GWh gigawatt hour / MWh megawatt hour
bar bar / mbar millibar / mmHg millimeter of mercury / MPa megapascal / GPa gigapascal / dpi dot per inch
atm atmosphere / PB petabyte / mol mole / ppm part per million / px pixel / hp horsepower / gal gallon
pt pint / tsp teaspoon / tbsp tablespoon
""")
INVARIABLE_UNITS = {"hertz", "kilohertz", "megahertz", "gigahertz", "feet", "horsepower", "megabits", "gigabits",
                    "kilobits", "P", "R"}
UNITS_ALONE = "km m mi mg g kg µg μg ng mL ml cm mm ft lb".split()  # before a slash: "km/h" without a number
UNIT_SHAPES = {
    **dict.fromkeys(["²", "2", "sq"], "square "), **dict.fromkeys(["³", "3", "cu"], "cubic "), "fl": "fluid "}
PER = UNITS | {word: word for word in "second minute hour day night week month year person mile gallon pound".split()}
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
NOT_RULERS = set("""
Vatican Saturn Soyuz Voyager Windows Quake Doom Tekken Ultima Photoshop Euro Pentium Warcraft Fantasy Python
""".split())
RULERS = set("""
Albert Alfonso Afonso Baldwin Boniface Carlos Casimir Charles Conrad David Edmund Eric Ernest Eugene Felix Fernando
Franz Friedrich Hugh Jaime John Joseph Karl Ladislaus Ludwig Magnus Manuel Maximilian Mehmed Michael Mohammed
Murad Olaf Olav Pedro Philippe Rama Rainier Robert Rudolf Rudolph Sixtus Suleiman Theodore Theodosius Thomas Umberto
Valdemar Victor Vittorio Wenceslaus Martin Julius Nicholas Adrian Celestine Honorius Sylvester Calixtus Emmanuel
Elizabeth Henry Louis George Edward Charles James William Richard John Paul Pius Benedict Gregory Leo Philip Frederick
Napoleon Alexander Nicholas Peter Catherine Mary Innocent Urban Clement Ferdinand Francis Ivan Wilhelm Ramses
Ptolemy Darius Xerxes Constantine Leopold Otto Nebuchadnezzar Stephen Juan Felipe Christian Gustav Haakon Harald
""".split())
NUMBERED = set("""
Chapter Part Act Scene Volume Vol Book War Section Article Figure Table Type Class Phase Title Bowl Apollo Number Mark
Stage Grade Level Unit Day Division Season Episode Tier Zone Region Area Army Model Version Round Game Week Psalm Test
Plate Appendix Canto Corps Group Category Factor Schedule Gemini Rocky
""".split())


# ---------------------------------------------------------------------------------------------------------------------
# Sentences
# ---------------------------------------------------------------------------------------------------------------------

LONGEST_RUN = 200  # characters without a space; bounds what any pattern below looks at, so time is linear in the text
_LINE_BREAK = re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_WRAPPED_LINE = re.compile(r"(?<=[^\n]{50})(?<![.!?:])\n(?=[a-z])")
_STOP = re.compile(r"""[.!?…]{1,9}["')\]”’]{0,3}(?=\s)|\n""")
_NOT_LAST = {*TITLES, *ABBREVIATIONS, *CALENDAR, *DOTTED, "st", "rs"} - {"sat", "sun", "mar", "may", "fri", "fr"}


def _ends_sentence(before: str, after: str) -> bool:
    """Whether the stop at the end of `before` (some characters) ends the sentence; `after` follows it."""
    word, stop = re.fullmatch(r"""(?s).*?([\w.]*?)([.!?…\n]+)["')\]”’]*""", before).groups()
    follows = re.match(r"""[\s"'(\[“‘]*([^\W\d_]*)""", after)[1]
    if stop == "\n":
        return True
    if follows[:1].islower() or re.match(r"\s+[.!?…]", after):
        return False
    if stop == "." and word in ("Mar", "May", "Sat", "Sun", "Fri", "Fr") and re.match(r"\s+(?:\d|[A-Z][a-z]{2}\.)", after):
        return False
    if stop == "." and (word.lower() in _NOT_LAST or "." in word or re.fullmatch("[A-Zbcdv]", word)):
        return follows.lower() in SENTENCE_STARTERS and not (len(follows) == 1 and len(word) == 1)
    return True


def split_sentences(text: str) -> list[str]:
    """Sentences of `text`, stripped, none empty; a line ends one too unless it is the wrapped line of a paragraph."""
    text = _WRAPPED_LINE.sub(" ", _LINE_BREAK.sub("\n", text))
    sentences, start = [], 0
    for stop in _STOP.finditer(text):
        if _ends_sentence(text[max(start, stop.end() - 40):stop.end()], text[stop.end():stop.end() + 40]):
            sentences.append(text[start:stop.end()].strip())
            start = stop.end()
    return [sentence for sentence in (*sentences, text[start:].strip()) if sentence]


# ---------------------------------------------------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------------------------------------------------

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)"
DECIMAL = rf"(?:{NUMBER}(?:\.\d+)?|\.\d+)"


def _spell_digits(digits: str) -> str:
    return " ".join(DIGITS[int(digit)] for digit in digits)


@lru_cache(maxsize=10_000)
def _number_words(digits: str, form: str = "cardinal") -> str:
    """A whole number as a "cardinal", an "ordinal" or a "year"; digit by digit if it is a code rather than a number."""
    from num2words import num2words

    if len(digits) > 15 or (digits[0] == "0" and len(digits) > 1 and form == "cardinal"):
        return _spell_digits(digits)
    return re.sub(r" and |[-,]", " ", num2words(int(digits), to=form)).replace("  ", " ")


def _decimal(text: str) -> str:
    """ "1,234.50" -> "one thousand two hundred thirty four point five zero"."""
    whole, point, fraction = text.replace(",", "").partition(".")
    words = _number_words(whole or "0")
    return f"{words} point {_spell_digits(fraction)}" if point else words


def _plural(words: str) -> str:
    if words.endswith(("s", "x", "ch", "sh")):
        return words + "es"
    return words[:-1] + "ies" if words.endswith("y") and words[-2] not in "aeiou" else words + "s"


def _fraction(match: re.Match) -> str:
    whole, top, bottom = match.groups()
    if match[0] in ("9/11", "24/7", "50/50", "20/20", "7/11", "60/40", "80/20"):
        return f"{_number_words(top)} {_number_words(bottom)}"
    if len(bottom) > 3 or not 0 < int(top) < int(bottom) <= 100:
        return f"{whole or ''} {_number_words(top)} over {_number_words(bottom)}"
    part = {"2": "half", "4": "quarter"}.get(bottom) or _number_words(bottom, "ordinal")
    part = part if top == "1" else _plural("hal" + "ve" if part == "half" else part)
    words = f"{'a' if whole and bottom == '2' else _number_words(top)} {part}"
    return f"{_number_words(whole)} and {words}" if whole else words


def _year(match: re.Match) -> str:
    """1805 is a year unless it counts something: "in 1805 floods", "1805 was", but "1805 floods"."""
    before, after = match.string[max(0, match.start() - 8):match.start()], match.string[match.end():match.end() + 25]
    dated = re.search(r"(?i)\b(?:in|since|by|of|from|until|to|the|and|year|pre|post|mid|circa) $", before)
    counts = re.match(r" (?!(?:was|is|has|his|this|as|its|does|us)\b)[a-z]{1,20}[^\Wus]s\b", after)
    return _number_words(match[0], "cardinal" if counts and not dated else "year")


def _in_pairs(digits: str) -> str:
    """Three or four digits that name rather than count: "602" -> "six oh two", "1026" -> "ten twenty six"."""
    first, last = digits[:-2], digits[-2:]
    if last == "00" or first[0] == "0":
        return _number_words(digits)
    return f"{_number_words(first)} {'oh ' + DIGITS[int(last)] if last[0] == '0' else _number_words(last)}"


def _decade(match: re.Match) -> str:
    digits = match[1]
    return " " + _plural(_number_words(digits, "year" if len(digits) == 4 else "cardinal"))


# Words after a measure that it does not describe: "4 km of road", "5 kg heavier", but "4 km roads".
_NOT_DESCRIBED = set("""
of in on at for from to with by and or but is are was were be been has have had per above below over under across along
away ago apart before after into than that which who long wide high tall deep thick heavy old more less later earlier
each every a an the this these long-term as if so when while because until between through within without up down off
out back north south east west too did does do will would can could may might must should not also only about around
square cubic larger smaller longer shorter wider higher taller deeper heavier lighter older younger faster slower
""".split())
_COUNTING = "|".join("""
one two three four five six seven eight nine ten twelve twenty several many few new first second its their our
""".split())


def _is_attributive(match: re.Match) -> bool:
    """ "a $5 bill", "two 10 km runs", "a $5-a-day plan": a measure that describes a noun is in the singular."""
    before, after = match.string[max(0, match.start() - 12):match.start()], match.string[match.end():match.end() + 25]
    if re.search(r"\b(?i:an?) $", before) or re.match("-[a-z]", after):
        return True
    following = re.match(r"'? ([a-z]+)", after)
    described = following and following[1] not in _NOT_DESCRIBED and not following[1].endswith("ly")
    counted = re.search(rf"(?i)(?:\b(?:{_COUNTING}|the|this|that|each|every|some)|\b\d{{1,3}}) $", before)
    return bool(described and counted)


def _per(unit: str | None, power: str | None = None) -> str:
    """The words for what a measure is divided by: "/s²" -> " per second squared", "/m²" -> " per square meter"."""
    if not unit:
        return ""
    name = PER[unit].replace("feet", "foot")
    if name == "second" and power:
        return f" per second {'cubed' if power in '³3' else 'squared'}"
    return f" per {UNIT_SHAPES.get(power, '')}{name}"


def _money(match: re.Match) -> str:
    country, symbol, amount, scale, divisor = match.groups()
    one, many, hundredth, hundredths = CURRENCIES[symbol]
    if _is_attributive(match):
        many, hundredths = one, hundredth
    prefix, per = " ".join(country) + " " if country else "", _per(divisor)
    if scale:
        return f" {_decimal(amount)} {SCALES[scale.lower()]} {prefix}{many}{per}"
    whole, _, cents = amount.replace(",", "").partition(".")
    if len(cents) not in (0, 2):
        return f" {_decimal(amount)} {prefix}{many}{per}"
    words = []
    if whole.strip("0") or not cents.strip("0"):
        words.append(f"{_number_words(whole)} {prefix}{one if whole == '1' else many}")
    if cents.strip("0"):
        words.append(f"{_number_words(str(int(cents)))} {hundredth if cents == '01' else hundredths}")
    return f" {' and '.join(words)}{per}"


def _money_range(match: re.Match) -> str:
    """ "$5-10" -> "5 to $10", "$1-2 million" -> "1 to $2 million"."""
    symbol, first, second = match.groups()
    return f"{_decimal(first)} to {symbol}{second}"


def _currency_code(match: re.Match) -> str:
    """ "10 USD" and "USD 10" -> "ten U S dollars"."""
    code, amount = match[1] or match[4], match[2] or match[3]
    return f"{_decimal(amount)} {CURRENCY_CODES[code]}"


def _scaled_unit(match: re.Match) -> str:
    """ "100 million kg" -> "one hundred million kilograms"."""
    amount, scale, unit = match.groups()
    counted, rest = re.fullmatch("(.*?)((?: per | of | celsius| fahrenheit).*)?", UNITS[unit]).groups(default="")
    many = counted.split()[0] in INVARIABLE_UNITS or _is_attributive(match)
    return f"{_decimal(amount)} {scale} {counted if many else _plural(counted)}{rest} "


def _unit_alone(match: re.Match) -> str:
    """ "km/h" without a number -> "kilometers per hour"."""
    name = UNITS[match[1]]
    return f"{name if name in INVARIABLE_UNITS else _plural(name)}{_per(match[2])}"


def _unit(match: re.Match) -> str:
    amount, hyphen, shape, unit, power, divisor, divisor_power = match.groups()
    if (hyphen == "-" and unit in "WVJLd") or (not hyphen and unit == "s"):  # "Exhibit 5-V", "two 747s"
        return match[0]
    one = hyphen == "-" or amount == "1" or _is_attributive(match)
    counted, rest = re.fullmatch("(.*?)((?: per | of | celsius| fahrenheit).*)?", UNITS[unit]).groups(default="")
    if counted == "feet":
        counted = "foot" if one else "feet"
    elif not (one or counted.split()[0] in INVARIABLE_UNITS):
        counted = _plural(counted)
    return f"{_decimal(amount)} {UNIT_SHAPES.get(shape or power, '')}{counted}{rest}{_per(divisor, divisor_power)} "


def _inches(match: re.Match) -> str:
    """ `5" wide`, unless a quotation is open, for the mark may close it."""
    before = match.string[max(0, match.start() - LONGEST_RUN):match.start()]
    if re.search(r'''(?:^|[\s(\[])"(?:[^"]|(?<=\d)")*$''', before):
        return match[0]
    one = match[1] == "1" or re.fullmatch(r"\d+/\d+", match[1]) or _is_attributive(match)
    after = re.match(r"[ ]([a-z]+)", match.string[match.end():match.end() + 20])
    one = one or bool(after and after[1] not in _NOT_DESCRIBED)
    return f"{match[1]} {'inch' if one else 'inches'} "


# ---------------------------------------------------------------------------------------------------------------------
# Dates, times, telephones, addresses
# ---------------------------------------------------------------------------------------------------------------------


def _month(name: str) -> str:
    """The full name of an abbreviated month or day."""
    return CALENDAR.get(name.lower(), name).capitalize()


def _date(year: str, month: str, day: str) -> str:
    """Month day year from digits; 25/12 can only be day first."""
    if int(month) > 12:
        month, day = day, month
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return " ".join(_number_words(part) for part in (month, day, year))
    year = _number_words(year, "year" if len(year) == 4 else "cardinal")
    return f"{MONTHS[int(month) - 1].capitalize()} {_number_words(str(int(day)), 'ordinal')} {year}"


def _year_pair(match: re.Match) -> str:
    """A season, "2008-09" -> "two thousand eight oh nine"; a span, "1914-18" -> "nineteen fourteen to eighteen"."""
    first, last = match[1], match[2]
    spoken = f"oh {DIGITS[int(last)]}" if last[0] == "0" else _number_words(last)
    if (int(first) + 1) % 100 != int(last):
        return f"{_number_words(first, 'year')} to {spoken}"
    return f"{_number_words(first, 'year')} {spoken if last != '00' else _number_words(str(int(first) + 1), 'year')}"


def _is_year_pair(first: str, last: str) -> bool:
    return int(last) > int(first[2:]) or last == "00" and first[2:] == "99"


def _day_of_month(match: re.Match) -> str:
    """ "4 July" -> "the fourth of July"; "4th July" is read as it is written."""
    the, day, suffix, of, month = match.groups(default="")
    if not suffix:
        the, of = "the ", "of "
    return f"{the}{_number_words(day, 'ordinal')} {of}{_month(month)}"


def _duration(hours: str, minutes: str, seconds: str) -> str:
    """ "1:02:03" -> "one hour two minutes and three seconds"."""
    parts = [f"{_number_words(str(int(n)))} {unit if int(n) == 1 else unit + 's'}"
             for n, unit in ((hours, "hour"), (minutes, "minute"), (seconds, "second")) if unit != "hour" or int(n)]
    return f"{' '.join(parts[:-1])} and {parts[-1]}"


def _time(match: re.Match) -> str:
    hour, minute, second, half = match.groups()
    if second and not half and int(hour) < 10 and not hour.startswith("0"):
        return _duration(hour, minute, second)
    if second == "00" and minute == "00":
        second = None
    range_follows = re.match(r" to \d", match.string[match.end():match.end() + 5])
    words = [_number_words(str(int(hour)))]
    if minute != "00":
        words.append(f"oh {DIGITS[int(minute)]}" if minute[0] == "0" else _number_words(minute))
    elif not (half or second or range_follows):
        words.append("o'clock" if 0 < int(hour) < 13 else "hundred")
    if second and second != "00":
        words.append(f"and {_number_words(str(int(second)))} second{'s' if int(second) != 1 else ''}")
    return " ".join(words) + (f" {half.strip()[0].upper()} M" if half else "")


def _digit_groups(match: re.Match) -> str:
    """Telephone numbers and the like, digit by digit, with a pause between groups."""
    plus = "plus " if match[0].startswith("+") else ""
    return f" {plus}{', '.join(_spell_digits(group) for group in re.findall(r'[0-9]+', match[0]))} "


def _address(match: re.Match) -> str:
    """Web and e-mail addresses and file names: every mark is named."""
    words = []
    for part in re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", match[0]):
        if part in URL_SYMBOLS or part in SYMBOLS:
            words.append(URL_SYMBOLS.get(part) or SYMBOLS[part])
        elif re.fullmatch("[0-9]+", part):
            words.append(_spell_digits(part) if len(part) > 2 and "@" in match[0] or len(part) > 4 else _number_words(part))
        elif len(part) == 1 or part.lower() in ("co", "uk", "https", "ftp") or not re.search("[aeiouy]", part.lower()):
            words += part.upper() if part.isascii() else [part]
        else:
            words.append(part.lower())
    return f" {' '.join(words)} "


# ---------------------------------------------------------------------------------------------------------------------
# Letters: abbreviations, acronyms, Roman numerals
# ---------------------------------------------------------------------------------------------------------------------


def _abbreviation(match: re.Match) -> str:
    return ABBREVIATIONS[match[1].lower()]


def _title(match: re.Match) -> str:
    return TITLES[match[1].lower()] + " "


def _saint_or_street(match: re.Match) -> str:
    """ "St. Paul", but "Oak St.", "12 Oak St." and "3rd St."; the same for "Dr."."""
    short, name_follows = match.groups()
    before = match.string[max(0, match.start() - 40):match.start()]
    numbered = re.search(r"\d(?:(?:st|nd|rd|th)? (?:[A-Z][a-z]+ )+|(?:st|nd|rd|th) )$", before)
    if numbered or (re.search(r"\b[A-Z][a-z]+ $", before) and not name_follows):
        return {"St": "street", "Dr": "drive"}[short] + " "
    return {"St": "saint", "Dr": "doctor"}[short] + " "


def _letters(match: re.Match) -> str:
    """ "U.S." -> "U S "."""
    return " ".join(match[0].replace(".", "").upper()) + " "


def _roman_value(numeral: str) -> int:
    values = [ROMAN_VALUES[letter] for letter in numeral]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0]))


_TITLED = re.compile(
    r"(?:King|Queen|Pope|Emperor|Empress|Prince|Princess|Duke|Duchess|Sultan|Tsar|Czar|Patriarch|Archbishop|Bishop|Count|"
    r"Saint|Pharaoh|Shah|Kaiser|Antipope|Elector|Margrave|Landgrave|Khan|Lord|Sir) (?:[A-Z]\S* ){0,2}$")


def _roman(match: re.Match) -> str:
    """ "Henry VIII" is the eighth, "World War II" two: rulers and other names have ordinals, things are counted."""
    name, numeral = match.groups()
    labelled = name.capitalize() in NUMBERED
    well_formed = re.fullmatch("(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", numeral.upper())
    if not well_formed or not (labelled or numeral.isupper() and name[0].isupper()):
        return match[0]
    number = str(_roman_value(numeral.upper()))
    before = match.string[max(0, match.start() - 40):match.start()]
    several = re.fullmatch("[IVX]{2,}", numeral)
    titled = _TITLED.search(before) and numeral != "I"
    unknown = name.lower() not in dictionary() or not is_word(name.lower())
    if not labelled and name not in NOT_RULERS and (name in RULERS or titled or several and unknown):
        return f"{name} the {_number_words(number, 'ordinal')}"
    given = re.search(r"\b([A-Z][a-z]+) (?:[A-Z]\.? )?$", before)
    if several and int(number) <= 6 and given and given[1] in RULERS and not labelled:
        return f"{name} the {_number_words(number, 'ordinal')}"  # "Henry Ford II"
    if labelled or several:
        return f"{name} {_number_words(number)}"
    return match[0]


def _acronym(match: re.Match) -> str:
    """FBI is spelt, NASA said, STOP shouted; "s" and "'s" stay with the last letter."""
    letters, ending = match[1], match[2] or ""
    word = letters.lower()
    if letters in SPELLED:
        said = False
    elif letters in SAID or len(letters) > 3 and is_said(letters):
        said = True
    elif len(letters) < 4:
        said = word in SHORT_WORDS
    elif word in dictionary():
        said = re.search("[AEIOUY]", letters) and (len(letters) > 4 or is_word(word) or "0" in dictionary()[word])
    elif len(letters) < 7:  # unknown: only what can be pronounced without effort, "KOMO", not "IUCN"
        said = re.fullmatch("[^AEIOUYQX]?(?:[AEIOU][^AEIOUYQX])+[AEIOU]?", letters) and letters[0] not in "KW"
    else:
        said = re.search("[AEIOUY]", letters)
    if said:
        return word + ending
    return " ".join(letters) + (ending and "'s")


def _shouted(sentence: str) -> str:
    """A sentence all in capitals is lowered, so that capitals stand for acronyms afterwards."""
    words = re.findall(r"[^\W\d_]{2,}", sentence)
    if len(words) < 2 or any(word != word.upper() for word in words):
        return sentence
    return re.sub(
        r"[^\W\d_]+", lambda match: match[0].lower() if match[0].lower() in dictionary() else match[0], sentence)


def _camel(match: re.Match) -> str:
    word = match[0]
    if word in WRITTEN_SO:
        return WRITTEN_SO[word]
    stem = word.lower().removesuffix("s")
    if stem in dictionary() or word.lower() in dictionary() or re.match("Ma?c[A-Z]|[DO]'", word):
        return word.lower()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word)


# ---------------------------------------------------------------------------------------------------------------------
# Normalisation
# ---------------------------------------------------------------------------------------------------------------------


@cache
def spoken_character(character: str) -> str | None:
    """What a character beyond ASCII stands for: plain ones, an English name in spaces, "", or None if unreadable."""
    if character in CHARACTERS:
        return CHARACTERS[character]
    name, kind = unicodedata.name(character, ""), unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind in ("Mn", "Me", "Cf", "Cc", "Zs", "Zl", "Zp") or "FITZPATRICK" in name:
        return " " if kind in ("Cc", "Zs", "Zl", "Zp") else ""
    plain = unicodedata.normalize("NFKC", character)
    if re.match("LATIN (?:SMALL|CAPITAL) (?:LETTER|LIGATURE) [A-Z]", name) and len(plain) == 1:
        return plain
    if greek := re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)(?: WITH .*)?", name):
        return f" {greek[1].lower()} "
    if flag := re.fullmatch("REGIONAL INDICATOR SYMBOL LETTER ([A-Z])", name):
        return f" {flag[1]} "
    if plain != character and plain.isascii():
        return plain
    if kind in ("So", "Sm", "Sk", "Sc") and re.fullmatch("[A-Z -]+", name):
        words = [word for word in re.split("[ -]+", name.lower()) if word not in SILENT_NAME_PARTS]
        return f" {' '.join(words)} "
    return " , " if kind[0] == "P" else None


def _plain_characters(text: str) -> str:
    """ASCII, accented Latin letters, the letters kept for custom words and the few marks that the rules name."""
    runs = re.sub(rf"(\S{{{LONGEST_RUN}}})", r"\1 ", text).split()
    plain = []
    for character in " ".join(unicodedata.normalize("NFC", run) for run in runs):
        kept = character.isascii() or is_mark(character)
        spoken = character if kept else spoken_character(character)
        plain.append(" " if spoken is None else spoken)
    return " ".join("".join(plain).split())


def is_mark(character: str) -> bool:
    """Private-use characters stand for custom words while a text is normalised."""
    return "\ue000" <= character <= "\uf8ff"


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_MONTH_NAMES = [name.capitalize() for name in {*MONTHS, *(name[:3] for name in MONTHS), "sept"}]
_LOWER_MONTHS = [name for name in {*MONTHS, *(name[:3] for name in MONTHS), "sept"} - {"may", "march", "mar", "august"}]
_MONTH = rf"(?:{_either([*_MONTH_NAMES, *(name.upper() for name in _MONTH_NAMES)])})"
_DAY = rf"(?:{_either(name.capitalize() for name in {*DAYS, *CALENDAR} if CALENDAR.get(name, name) in DAYS)})"
_SCALE = rf"(?: ?((?i:{_either(SCALES)}))\b)?"
_PER = rf"(?:/({_either(PER)})(?![a-z]))?"

def _rules(*pairs: tuple) -> list[tuple[re.Pattern, object]]:
    return [(re.compile(pattern), replacement) for pattern, replacement in pairs]


# Applied in this order; each pattern sees what the ones before it left. NUMBER_RULES match only where a digit stands.
OPENING_RULES = _rules(
    (rf"(?<![\w/])(?:{_either(name for name in WRITTEN_SO if not name.isalpha())})(?![\w/])",
     lambda match: WRITTEN_SO[match[0]]),
    (rf"\b({_either(_LOWER_MONTHS)})(?=\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,|\.?$| \d{{4}}\b))",
     lambda match: match[1].capitalize()),
    # addresses
    (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", _address),
    (r"\b(?:(?:https?|ftp)://|www\.)[^\s<>]*[^\s<>.,;:!?)'\"\]]", _address),
    (r"(?<![\w.@])(?:[\w-]{1,63}\.){1,8}(?:com|org|net|edu|gov|info|io|uk|de|fr|eu|ca|tv)\b(?:/[^\s.,;:!?)'\"\]]+)*/?",
     _address),
    (r"(?<![\w.@])[A-Za-z]\w{1,63}\.[a-z][a-z0-9]{1,3}(?![\w.])", _address),
    (r"(?<!\w)([A-Z]{1,2})&([A-Z]{1,2})(?!\w)", lambda match: f"{' '.join(match[1])} and {' '.join(match[2])}"),
    (rf"\b([A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th)) (?i:(ave|blvd|rd|hwy|expy|pkwy|ln|fwy|tpke))\b(?:\.(?= ?[a-z\d,;])|"
     rf"(?!\.))|\b([A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th)) (Ct|Pl|Sq|Ter|Cir|Trl)\b(?!\.? ?[a-z])\.?",
     lambda match: f"{match[1] or match[3]} {STREETS[(match[2] or match[4]).lower()]}"),
    (rf"(?<=[a-z], )({_either(STATES)})(?:(,?) (\d{{5}})(?:-(\d{{4}}))?\b|(?=[,;)]|\.?$|\. [A-Z]))", lambda match:
     f"{STATES[match[1]]}{match[2] or ''} {' '.join(_spell_digits(digits) for digits in match.group(3, 4) if digits)}"),
    (r"\b([A-Z]\w*\.?) vs?\. (?=[A-Z])", r"\1 versus "),
    # ranges of times, days and months
    (r"(?i)(:\d\d|\d ?[ap]\.?\s?m\b\.?)\s?[-–]\s?(?=\d{1,2}(?!\d))", r"\1 to "),
    (rf"\b({_DAY}|{_MONTH})\b\.?\s?[-–]\s?({_DAY}|{_MONTH})\b\.?",
     lambda match: f"{_month(match[1])} to {_month(match[2])}"),
    (rf"\b({_MONTH})\s?[-–]\s?(?=\d{{1,2}} {_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH},? \d{{4}})\s?[-–]\s?(?={_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH}\b\.? \d{{1,2}})\s?[-–]\s?(?={_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH})\b\.? (\d{{1,2}})\s?[-–]\s?(\d{{1,2}})\b(?![:.,/-]?\d)",
     lambda match: f"{_month(match[1])} {_number_words(match[2], 'ordinal')} to {_number_words(match[3], 'ordinal')}"),
    (rf"\b(\d{{1,2}})\s?[-–]\s?(?=\d{{1,2}} {_MONTH}\b)",
     lambda match: f"the {_number_words(match[1], 'ordinal')} to "),
    # dashes
    (r"^[\w\s.,+*/×÷()=^²³-]*=[\w\s.,+*/×÷()=^²³-]*$|^[\d\s.,+*/×÷()-]+$",
     lambda match: re.sub(r"(?<=[\w)]) ?[-–] ?(?=[\w(])", " minus ", match[0])
     if "=" in match[0] or re.fullmatch(r"[\d.,]+ - [\d.,]+", match[0].strip()) else match[0]),
    (r"(?<=\w)(s|st|nd|rd|th)-(?=\d+(?:s|st|nd|rd|th)\b)", r"\1 to "), (r"(?<=\d) [-–] (?=\d)", " to "),
    (r"-{2,}|(?<=\s)[-–](?=\s)|^[-–*](?=\s)", " — "),
    (r"(?<=[A-Za-z])–(?=[A-Za-z])", " to "),
    # abbreviations with inner stops
    (rf"(?i)\b({_either(DOTTED)})\.?(?!\w)", lambda match: DOTTED[match[1].lower()]),
    (r"(?i)(?<=\d)\s?([ap])\.?\s?m\b\.?", lambda match: f" {match[1].upper()} M "),
    (r"(?<![\w.])(?:[A-Za-z]\.){2,9}(?:[A-Za-z](?!\w))?", _letters),
    (r"\b([A-Z])\.(?= ?[A-Z])", r"\1 "),
    (r"\b(St|Dr)\b\.?(?= ?([A-Z])?)", _saint_or_street),
    (rf"\b(?i:({_either(ABBREVIATIONS)}))\. ?(?=\d|[A-Z]\d)", lambda match: f"{_abbreviation(match)} "),
    (r"(?<![\w.])([bcd])\. ?(?=\d{3,4}\b)", lambda match: f"{BEFORE_YEARS[match[1]]} "),
    (r"\bw/o\b", "without"), (r"\bw/(?=[ \w])", "with "),
    (rf"\b({_DAY})\.(?=,| \d| [A-Z])", lambda match: _month(match[1])),
    (rf"\b({_MONTH})\.(?= ?[\d,])|\b(Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\.", lambda match: _month(match[1] or match[2])),
)
NUMBER_RULES = _rules(
    # telephones, dates, times
    (r"(?<![\w-])(\+?)1[- ](800|900)[- ](?=[A-Za-z])", r"\1 1 \2 "),
    (r"(?<![\w-])(\+?)1[- ](800|900)[- ](\d{3})[- ](\d{4})(?!\w)", lambda match: f"{'plus ' if match[1] else ''}one , "
     f"{_number_words(match[2])} , {_spell_digits(match[3])} , {_spell_digits(match[4])}"),
    (r"(?i)\b((?:tel|telephone|phone|fax|mobile|cell|dial|account|ssn|pin)(?:\.?:| number:?| is)? )(\d{4,})(?![\w-]|[,.]\d)",
     lambda match: f"{match[1]}{_spell_digits(match[2])}"),
    (r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)", _digit_groups),
    (r"\+\d{1,3}(?:[ -]\d{2,4}){2,5}(?!\w)|(?<![\w.-])\d{3}-\d{4}(?![\w-])", _digit_groups),
    (r"\b(\d{4})([-/.])(\d{1,2})\2(\d{1,2})\b", lambda match: _date(match[1], match[3], match[4])),
    (r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\w.]*\d)",
     lambda match: _date(match[3], match[2], match[1])),
    (r"(?<![\w/-])((?:1[5-9]|20)\d\d)[-–/](\d\d)(?![\w/-])",
     lambda match: _year_pair(match) if _is_year_pair(match[1], match[2]) else match[0]),
    (r"(?<![\d.])((?:\d{1,3}\.){3}\d{1,3})(?![\d.]*\d)(?=/\d|[\s,.;:!?)]|$)",
     lambda match: f" {' dot '.join(_spell_digits(part) for part in match[1].split('.'))} "),
    (r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])", lambda match: _date(match[3], match[1], match[2])),
    (r"(?<![\w.-])\d+(?:-\d+){2,}(?![\w-])", _digit_groups),
    (r"(?<=[a-z], )([A-Z]{2} )(\d{5})(?![\w-])|(?i:\b(code |zip |pin |passcode ))(\d{3,})(?![\w-]|[,.]\d)",
     lambda match: f"{match[1] or match[3]}{_spell_digits(match[2] or match[4])}"),
    (r"\b([Cc]all(?:s|ed|ing)?|[Dd]ial(?:s|ed|ing)?|[Tt]ext|[Pp]hone) (\d{3})\b(?! \w+s\b)",
     lambda match: f"{match[1]} {_spell_digits(match[2])}"),
    (rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.,/]?\d)",
     lambda match: f"{_month(match[1])} {_number_words(match[2], 'ordinal')}"),
    (rf"\b(the )?(\d{{1,2}})(st|nd|rd|th)? (of )?({_MONTH})\b\.?", _day_of_month),
    (r"(?<![\w:.])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![a-z\d:])( [AP] M)?", _time),
    (r"(?<=\d):(?=\d)", " to "),
    (r"(?<![\w.])(\d{1,2}) ?h(?:rs?)? ?(\d{1,2}) ?m(?:ins?)?\b", lambda match: " ".join(
        f"{_number_words(str(int(n)))} {unit if int(n) == 1 else unit + 's'}"
        for n, unit in zip(match.groups(), ("hour", "minute")))),
    # ranges and signs
    (rf"([{''.join(CURRENCIES)}]) ?({DECIMAL}) ?[-–] ?(?=\d)(?!\d+-)({DECIMAL})", _money_range),
    (r"\b(\d{3})-(\d{3})(?=[A-Z])|\b(7\d7)-(\d00)\b", lambda match: f"{_in_pairs(match[1] or match[3])} {_in_pairs(match[2] or match[4])}"),
    (r"(?<=[\d%°])\s?–\s?(?=[$£€]?\d)|(?<=[\d%°])(?<![A-Za-z]\d)(?<![A-Za-z]\d\d)-(?=[$£€]?\d)", " to "),
    (r"(?<![\w.])(\d+(?:\.\d+)?)e(?:\+|(-))?(?=\d{1,3}(?!\w))",
     lambda match: f"{match[1]} times 10 to the power of {match[2] or ''}"),
    (r"([$£€])-(?=\d)", r"-\1"), (r"(?<![\w)])-(?=[$£€]?\.?\d)", " minus "),
    (r"(?<=[A-Za-z)])\^2\b", " squared "), (r"(?<=[A-Za-z)])\^3\b", " cubed "),
    (r"(?<=[\w)])\^ *(?=[\w(])", " to the power of "),
    (r"(?<=\d) ?> ?(?=[\w-])|(?<=\b\w) > (?=-?\d)", " is greater than "),
    (r"(?<=\d) ?< ?(?=[\w-])|(?<=\b\w) < (?=-?\d)", " is less than "),
    (r"~ ?(?=[$£€]?\d)", " about "), (r"(?<=\d) ?\* ?(?=\d)", " times "),
    (r"\b24[xX]7\b", "twenty four seven"),
    (r"(?i)\b(on|by|before|after|until|since) (\d{1,2})/(\d{1,2})(?![\w/])", lambda match:
     f"{match[1]} {MONTHS[int(match[2]) - 1].capitalize()} {_number_words(str(int(match[3])), 'ordinal')}"
     if 0 < int(match[2]) < 13 and 0 < int(match[3]) < 32 else match[0]),
    (r"(?<=\d)( ?(?:mm|cm|m|km|in|ft))? ?x ?(?=\d)", r"\1 by "),
    (r"\b(\d{1,3}(?:\.\d+)?)[xX]\b(?= (?:more|less|as|the|faster|slower|bigger|larger|smaller|better|higher|longer)\b)",
     lambda match: f"{_decimal(match[1])} times"),
    (r"\b(\d{3})\(([a-z])\)(?:\((\d{1,2})\))?", lambda match:
     f"{_in_pairs(match[1])} {match[2].upper()} {_number_words(match[3]) if match[3] else ''}".rstrip()),
    (r"\b(\d{3,4})p\b", lambda match: f"{_in_pairs(match[1])} P"), (r"(?<=\d)° ?([CF])\b", r"°\1"),
    # money, measures
    (rf"\b({_either(CURRENCY_CODES)}) ?({DECIMAL})(?![\w,.]*\d)|(?<![\w.])({DECIMAL}) ?({_either(CURRENCY_CODES)})\b",
     _currency_code),
    (rf"\bRs\.? ?({DECIMAL})", lambda match: f"{_decimal(match[1])} rupees"),
    (rf"(?:\b(US|CA|AU|NZ|HK|C|A))?([{''.join(CURRENCIES)}]) ?({DECIMAL}){_SCALE}{_PER}", _money),
    (rf"(?<![\w.])({DECIMAL}) ?(k|M|bn|tn)\b(?!\w)", lambda match: f"{_decimal(match[1])} {SCALES[match[2].lower()]}"),
    (rf"(?<![\w.])({DECIMAL}) (hundred|thousand|million|billion|trillion) ({_either(set(UNITS) - set('mshgVWJNL'))})"
     r"(?![\w/'])", _scaled_unit),
    (rf"(?<![\w.])({DECIMAL}) ?[lL]/100 ?km\b",
     lambda match: f"{_decimal(match[1])} liters per one hundred kilometers"),
    (r"(?<![\w.])(\d+)-in\b(?!-)\.?", lambda match: f"{_decimal(match[1])} inch"),
    (r"(\d+)'(?: (?=\d{1,2}\"))?(\d{1,2})\"?(?!\w)", lambda match: f"{_number_words(match[1])} feet {_number_words(match[2])} "),
    (rf"(?<![\w.])(\d+) ?ft\.? ({DECIMAL}) ?in\b(?:\.(?= [a-z]))?",
     lambda match: f"{_number_words(match[1])} feet {_decimal(match[2])} inches"),
    (r"(?<![\w.\"])((?:\d{1,3} )?\d{1,3}/\d{1,3}|\d{1,4}(?:\.\d{1,4})?)\"(?!\w)", _inches),
    (rf"(?<![\w.])({DECIMAL}) ?in\b(?=\.$|[,;)]|$| (?:by|tall|wide|long|high|deep|thick)\b)",
     lambda match: f"{_decimal(match[1])} {'inch' if match[1] == '1' else 'inches'}"),
    (r"(?<![\w.])'?(\d?\d?\d0)'?s\b", _decade),
    (rf"(?<=\d/)(\d{{1,3}})[ -]?({_either(UNITS)})(?![\w/'])(?:\.(?= [a-z]))?",
     lambda match: f"{match[1]} {UNITS[match[2]]}" if not re.search(r"\d \d+/$", match.string[:match.start()][-12:])
     else f"{match[1]} {_plural(UNITS[match[2]])}"),
    (rf"(?<![\w./])({DECIMAL})( ?|-)(?:(sq|cu|fl)\.? ?)?({_either(UNITS)})([²³23])?{_PER}([²³23])?"
     r"(?![\w/'])(?:\.(?=,| [a-z]))?", _unit),
    # other numbers
    (rf"\b(?<!\d/)({NUMBER})(?i:st|nd|rd|th)\b", lambda match: _number_words(match[1].replace(",", ""), "ordinal")),
    (r"(?:(?<![\w.])(\d{1,3}) )?(?<![\w/.])(\d{1,9})/(\d{1,9})(?:(?:nd|rd|th)s?)?(?![\w/])", _fraction),
    (r"#(?=\d)", " number "),
    (r"(?i)\b(flight|boeing|airbus|route|highway|interstate|exit|room|suite) (\d{3,4})\b(?!,\d)",
     lambda match: f"{match[1]} {_in_pairs(match[2])}"),
    (r"\b\d{3,4}(?= (?:[A-Z][a-z]+\.? |\w+th ){1,4}(?i:street|avenue|road|lane|drive|boulevard|expressway|highway|"
     r"parkway|court|place)\b)",
     lambda match: _in_pairs(match[0])),
    (r"\bFY ?((?:19|20)\d\d)\b", lambda match: f"F Y {_number_words(match[1], 'year')}"),
    (r"\b([A-Za-z])(\d{2,})(?=-?[A-Za-z]\d)", lambda match: f"{match[1]} {_spell_digits(match[2])} "),
    (r"\b([A-Z]{1,4})-?(\d{3,})(?!\w)", lambda match: f"{match[1]} {_spell_digits(match[2])}"),
    (r"(?<=[A-Za-z])-?(?=\d)|(?<=\d)-?(?=[A-Za-z])(?!s\b)", " "),
    (r"(?<![\w.])(\d+)'?s\b", lambda match: _plural(_number_words(match[1]))),
    (r"\d+(?:\.\d+){2,}", lambda match: " dot ".join(_number_words(part) for part in match[0].split("."))),
    (r"\b(?i:in|since|by|from|until|till|before|after|year|a d) 10\d\d\b(?![,.]?\d)",
     lambda match: f"{match[0][:-4]}{_number_words(match[0][-4:], 'year')}"),
    (r"(?<![\w.,])(?:1[1-9]\d\d|20\d\d)(?!\w|[.,]\d)", _year),
    (rf"{NUMBER}(?:\.\d+)?|(?<![\w.])\.\d+", lambda match: f" {_decimal(match[0])} "),
)
CLOSING_RULES = _rules(
    # signs
    (r"(?<=[\w)])\^ *(?=[\w(])", " to the power of "),
    (rf"(?<![\w/.])({_either(UNITS_ALONE)})/({_either(PER)})(?![\w/])", _unit_alone),
    (r"\b([A-G])#(?!\w)", r"\1 sharp "), (r"#(?=[A-Za-z])", " hashtag "),
    # words with capitals and stops
    (r"\b([IVX]{2,6}|[IVX]) (?=[Cc]entur)", lambda match: f"{_number_words(str(_roman_value(match[1])), 'ordinal')} "),
    (r"^([IVX]{1,5})(?=\. [A-Z]|\.$|, [A-Z]|: )|\((i{1,3}|iv|vi{0,3}|ix|xi{0,3})\)", lambda match:
     f"{_number_words(str(_roman_value((match[1] or match[2]).upper())))}{'' if match[1] else ' ,'}"
     if match[1] != "I" else match[0]),
    (r"\bWW(II?)\b", lambda match: f"World War {'one' if match[1] == 'I' else 'two'}"),
    (r"\b([A-Za-z][a-z]+),? ([IVXLC]+|[ivx]{2,})\b(?!'(?!s\b))(?:\.(?=,))?", _roman),
    (r"\b(?i:(mrs?|ms|prof|messrs))\b\.?\s?", _title), (rf"\b(?i:({_either(TITLES)}))\.\s?(?=[A-Z]|doctor |saint )", _title),
    (rf"\b(?i:({_either(set(ABBREVIATIONS) - ONLY_BEFORE_DIGITS)}))\.", _abbreviation), (r"\bvs\b", "versus"),
    (r"(?<![\w.'-])(III?|IV(?! (?:drip|fluid|line|therapy|bag|pole))|VI{1,3}|IX|XI{1,3}|XI?V|XVI{0,3}|XIX|XXI{0,3})(?![\w'-])",
     lambda match: _number_words(str(_roman_value(match[1])))),
    (r"\b[a-zA-Z]*[a-z][A-Z][a-zA-Z]*\b|\bPhDs?\b", _camel),
    (r"(?<![^\W\d_])([A-Z]{2,40})('?s)?(?![^\W\d_])", _acronym),
)
_WORD = r"(?:[^\W\d_]|[\ue000-\uf8ff'])+"
_ARTICLE = re.compile(
    r"(?:^|(?<=[,.;:?!] )|(?<=[\"'(]))A(?= (?!(?:is|and|or|to|was|through)\b)(?:[^\W_]{2}|[$£€¥]?\d|[\ue000-\uf8ff]))")


def _tidy(text: str) -> str:
    """Only words and pause marks, one space between them."""
    text = re.sub(r"[()\[\]{}—|]", " , ", text)
    text = re.sub(r"(?<=[^\W\d_])/(?=[^\W\d_])", " slash ", text)
    text = re.sub(r"(?<!\w)\.(?=[A-Za-z])", " dot ", text)
    text = re.sub(rf"[{re.escape(''.join(SYMBOLS))}]", lambda match: f" {SYMBOLS[match[0]]} ", text)
    text = re.sub(r"(?<![^\W_])(?<![\ue000-\uf8ff])'(?!(?:twas|tis|em|n|cause|til)\b)|(?<!in)'(?!\w)", " ", text)
    return " ".join(re.findall(rf"{_WORD}|[,.;:?!]", text))


def normalize(sentence: str) -> str:
    """Plain words, lone capitals for letters, and pause marks; characters without an English reading are left out."""
    text = _ARTICLE.sub("a", _shouted(_plain_characters(sentence)))
    for rules in (OPENING_RULES, NUMBER_RULES if re.search(r"\d", text) else [], CLOSING_RULES):
        for pattern, replacement in rules:
            text = pattern.sub(replacement, text)
    return _tidy(text)
