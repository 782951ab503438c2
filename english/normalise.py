"""Written English to plain words: sentences, then normalisation; the first stages of reading.

    split_sentences   "Dr. Ray ate 2. Why?"  ->  ["Dr. Ray ate 2.", "Why?"]
    normalize         "Dr. Ray ate 2."       ->  "doctor Ray ate two ."

A normalised sentence holds words, single capitals (the letter's name: "A" is the letter, "a" the article) and the
marks , . ; : ? ! at which a reader pauses. Tables come first; then a function for each kind of number, date, address or
abbreviation; then `RULES`, which calls them in order.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from .lexicon import dictionary, table

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
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "≈": " approximately ", "≠": " is not equal to ",
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
ave avenue / blvd boulevard / rd road / hwy highway / etc etcetera / vs versus / vol volume / vols volumes
pp pages / approx approximately / al al / co company / corp corporation / inc incorporated / ltd limited
dept department / jr junior / sr senior / esq esquire / bros brothers / assn association / univ university
est established / misc miscellaneous / min minutes / max maximum / govt government / intl international
tel telephone / ext extension / apt apartment / cf compare / ed edition / eds editions / viz namely / ca circa
mass massachusetts / conn connecticut / calif california / tex texas / tenn tennessee / penn pennsylvania
p page / no number / nos numbers / fig figure / figs figures / ch chapter / pg page / sec section
""")
# Words of their own, or too short to be sure of: abbreviations only where a number follows.
ONLY_BEFORE_DIGITS = set("p no nos fig figs ch pg sec ed mass est max min ca ext".split())
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
SCALES = table("k thousand / m million / mn million / b billion / bn billion / tn trillion") | {
    word: word for word in ("hundred", "thousand", "million", "billion", "trillion")}
UNITS = table("""
km kilometer / m meter / cm centimeter / mm millimeter / nm nanometer / μm micrometer / kg kilogram / g gram
mg milligram / μg microgram / lb pound / lbs pound / oz ounce / ft feet / yd yard / yds yard / mi mile / l liter
L liter / ml milliliter / mL milliliter / hr hour / hrs hour / h hour / min minute / mins minute / sec second
secs second / s second / ms millisecond / μs microsecond / Hz hertz / kHz kilohertz / MHz megahertz / GHz gigahertz
KB kilobyte / kB kilobyte / MB megabyte / GB gigabyte / TB terabyte / Mbps megabits per second / W watt
kW kilowatt / MW megawatt / kWh kilowatt hour / V volt / mV millivolt / kV kilovolt / mA milliamp / J joule
kJ kilojoule / kcal kilocalorie / cal calorie / Pa pascal / kPa kilopascal / hPa hectopascal / psi P S I
dB decibel / mph mile per hour / kph kilometer per hour / rpm R P M / fps frame per second / ha hectare
°C degree celsius / °F degree fahrenheit / ° degree / yr year / yrs year
mol mole / ppm part per million / px pixel / hp horsepower / gal gallon / pt pint / tsp teaspoon / tbsp tablespoon
""")
INVARIABLE_UNITS = {"hertz", "kilohertz", "megahertz", "gigahertz", "feet", "horsepower", "megabits", "P", "R"}
UNIT_SHAPES = {
    **dict.fromkeys(["²", "2", "sq"], "square "), **dict.fromkeys(["³", "3", "cu"], "cubic "), "fl": "fluid "}
PER = UNITS | {word: word for word in "second minute hour day night week month year person mile gallon pound".split()}
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
RULERS = set("""
Elizabeth Henry Louis George Edward Charles James William Richard John Paul Pius Benedict Gregory Leo Philip Frederick
Napoleon Alexander Nicholas Peter Catherine Mary Innocent Urban Clement Ferdinand Francis Ivan Wilhelm Ramses
Ptolemy Darius Xerxes Constantine Leopold Otto Nebuchadnezzar Stephen Juan Felipe Christian Gustav Haakon Harald
""".split())
NUMBERED = set("""
Chapter Part Act Scene Volume Vol Book War Section Article Figure Table Type Class Phase Title Bowl Apollo Number Mark
Stage Grade Level Unit Day Plate Appendix Canto Psalm Corps Division Group Category Factor Schedule Gemini Rocky
""".split())


# ---------------------------------------------------------------------------------------------------------------------
# Sentences
# ---------------------------------------------------------------------------------------------------------------------

LONGEST_RUN = 200  # characters without a space; bounds what any pattern below looks at, so time is linear in the text
_LINE_BREAK = re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_WRAPPED_LINE = re.compile(r"(?<=[^\n]{50})(?<![.!?:])\n(?=[a-z])")
_STOP = re.compile(r"""[.!?…]{1,9}["')\]”’]{0,3}(?=\s)|\n""")
_NOT_LAST = {*TITLES, *ABBREVIATIONS, *CALENDAR, *DOTTED, "st"} - {"sat", "sun", "mar", "may", "fri", "fr"}


def _ends_sentence(before: str, after: str) -> bool:
    """Whether the stop at the end of `before` (some characters) ends the sentence; `after` follows it."""
    word, stop = re.fullmatch(r"""(?s).*?([\w.]*?)([.!?…\n]+)["')\]”’]*""", before).groups()
    follows = re.match(r"""[\s"'(\[“‘]*([^\W\d_]*)""", after)[1]
    if stop == "\n":
        return True
    if follows[:1].islower() or re.match(r"\s+[.!?…]", after):
        return False
    if stop == "." and (word.lower() in _NOT_LAST or "." in word or re.fullmatch("[A-Zbcd]", word)):
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

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
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
    if match[0] in ("9/11", "24/7", "50/50", "20/20"):
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


def _is_attributive(match: re.Match) -> bool:
    """ "a $5 bill", "a 10 km run", "a $5-a-day plan": a measure that describes a noun is in the singular."""
    article = re.search(r"\ban? $", match.string[max(0, match.start() - 4):match.start()])
    return bool(article) or re.match("-[a-z]", match.string[match.end():match.end() + 2]) is not None


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
        return f" {prefix}{_decimal(amount)} {SCALES[scale.lower()]} {many}{per}"
    whole, _, cents = amount.replace(",", "").partition(".")
    if len(cents) not in (0, 2):
        return f" {prefix}{_decimal(amount)} {many}{per}"
    words = []
    if whole.strip("0") or not cents.strip("0"):
        words.append(f"{_number_words(whole)} {one if whole == '1' else many}")
    if cents.strip("0"):
        words.append(f"{_number_words(str(int(cents)))} {hundredth if cents == '01' else hundredths}")
    return f" {prefix}{' and '.join(words)}{per}"


def _unit(match: re.Match) -> str:
    amount, hyphen, shape, unit, power, divisor, divisor_power = match.groups()
    if (hyphen == "-" and unit in "WVJL") or (not hyphen and unit == "s"):  # "Exhibit 5-V", "two 747s"
        return match[0]
    one = hyphen == "-" or amount == "1" or _is_attributive(match)
    counted, rest = re.fullmatch("(.*?)((?: per | celsius| fahrenheit).*)?", UNITS[unit]).groups(default="")
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


def _day_of_month(match: re.Match) -> str:
    """ "4 July" -> "the fourth of July"; "4th July" is read as it is written."""
    the, day, suffix, of, month = match.groups(default="")
    if not suffix:
        the, of = "the ", "of "
    return f"{the}{_number_words(day, 'ordinal')} {of}{_month(month)}"


def _time(match: re.Match) -> str:
    hour, minute, second, half = match.groups()
    range_follows = re.match(r" to \d", match.string[match.end():match.end() + 5])
    words = [_number_words(str(int(hour)))]
    if minute != "00":
        words.append(f"oh {DIGITS[int(minute)]}" if minute[0] == "0" else _number_words(minute))
    elif not (half or second or range_follows):
        words.append("o'clock" if 0 < int(hour) < 13 else "hundred")
    if second:
        words.append(_number_words(str(int(second))))
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
        elif part.isdigit():
            words.append(_spell_digits(part) if len(part) > 4 else _number_words(part))
        elif len(part) == 1 or part.lower() in ("co", "uk", "https") or not re.search("[aeiouy]", part.lower()):
            words += part.upper()
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


def _roman(match: re.Match) -> str:
    name, numeral = match.groups()
    labelled = name.capitalize() in NUMBERED
    well_formed = re.fullmatch("(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", numeral.upper())
    if not well_formed or not (labelled or numeral.isupper() and name[0].isupper()):
        return match[0]
    number = str(_roman_value(numeral.upper()))
    if name in RULERS:
        return f"{name} the {_number_words(number, 'ordinal')}"
    if labelled or re.fullmatch("[IVX]{2,}", numeral):
        return f"{name} {_number_words(number)}"
    return match[0]


def _acronym(match: re.Match) -> str:
    """FBI is spelt, NASA said, STOP shouted; "s" and "'s" stay with the last letter."""
    letters, ending = match[1], match[2] or ""
    word = letters.lower()
    if len(letters) < 4:
        said = word in SHORT_WORDS
    else:
        said = re.fullmatch("(?:[^AEIOUY]{0,2}[AEIOUY]{1,2})+[^AEIOUY]{0,2}", letters) or (
            word in dictionary() and re.search("[AEIOUY]", letters))
    if letters in SAID or (said and letters not in SPELLED):
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


_MONTH = rf"(?:{_either(name.capitalize() for name in {*MONTHS, *(name[:3] for name in MONTHS), 'sept'})})"
_DAY = rf"(?:{_either(name.capitalize() for name in {*DAYS, *CALENDAR} if CALENDAR.get(name, name) in DAYS)})"
_SCALE = rf"(?: ?((?i:{_either(SCALES)}))\b)?"
_PER = rf"(?:/({_either(PER)})(?![a-z]))?"

# Applied in this order; each pattern sees what the ones before it left.
RULES = [(re.compile(pattern), replacement) for pattern, replacement in [
    # addresses
    (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", _address),
    (r"\b(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)'\"\]]", _address),
    (r"(?<![\w.@])(?:[\w-]{1,63}\.){1,8}(?:com|org|net|edu|gov|info|io|uk|de|fr|eu|ca|tv)\b(?:/[^\s.,;:!?)'\"\]]+)*/?",
     _address),
    (r"(?<![\w.@])[A-Za-z]\w{1,63}\.[a-z][a-z0-9]{1,3}(?![\w.])", _address),
    (r"(?<!\w)([A-Z]{1,2})&([A-Z]{1,2})(?!\w)", lambda match: f"{' '.join(match[1])} and {' '.join(match[2])}"),
    # ranges of times, days and months
    (r"(?i)(:\d\d|\d ?[ap]\.?\s?m\b\.?)\s?[-–]\s?(?=\d{1,2}(?!\d))", r"\1 to "),
    (rf"\b({_DAY}|{_MONTH})\b\.?\s?[-–]\s?({_DAY}|{_MONTH})\b\.?",
     lambda match: f"{_month(match[1])} to {_month(match[2])}"),
    (rf"\b({_MONTH}\b\.? \d{{1,2}})\s?[-–]\s?(?={_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH})\b\.? (\d{{1,2}})\s?[-–]\s?(\d{{1,2}})\b(?![:.,/-]?\d)",
     lambda match: f"{_month(match[1])} {_number_words(match[2], 'ordinal')} to {_number_words(match[3], 'ordinal')}"),
    (rf"\b(\d{{1,2}})\s?[-–]\s?(?=\d{{1,2}} {_MONTH}\b)",
     lambda match: f"the {_number_words(match[1], 'ordinal')} to "),
    # dashes
    (r"(?<=\d) - (?=\d)", " minus "), (r"-{2,}|(?<=\s)[-–](?=\s)|^[-–*](?=\s)", " — "),
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
    # telephones, dates, times
    (r"\b1-([89]\d\d)-(?=[A-Z])", r"1 \1 "),
    (r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)", _digit_groups),
    (r"\+\d{1,3}(?:[ -]\d{2,4}){2,5}(?!\w)|(?<![\w.-])\d{3}-\d{4}(?![\w-])", _digit_groups),
    (r"\b(\d{4})-(\d{2})-(\d{2})\b", lambda match: _date(*match.groups())),
    (r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])", lambda match: _date(match[3], match[1], match[2])),
    (r"(?<![\w.-])\d+(?:-\d+){2,}(?![\w-])", _digit_groups),
    (r"(?<=[a-z], )([A-Z]{2} )(\d{5})(?![\w-])|(?i:\b(code |zip |pin |passcode ))(\d{3,})(?![\w-]|[,.]\d)",
     lambda match: f"{match[1] or match[3]}{_spell_digits(match[2] or match[4])}"),
    (r"\b([Cc]all|[Dd]ial|[Tt]ext|[Pp]hone) (\d{3})\b(?! \w+s\b)",
     lambda match: f"{match[1]} {_spell_digits(match[2])}"),
    (rf"\b({_DAY})\.(?=,| \d| [A-Z])", lambda match: _month(match[1])),
    (rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.,/]?\d)",
     lambda match: f"{_month(match[1])} {_number_words(match[2], 'ordinal')}"),
    (rf"\b(the )?(\d{{1,2}})(st|nd|rd|th)? (of )?({_MONTH})\b\.?", _day_of_month),
    (rf"\b({_MONTH})\.(?= ?[\d,])|\b(Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\.", lambda match: _month(match[1] or match[2])),
    (r"(?<![\w:.])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\w:])( [AP] M)?", _time),
    (r"(?<=\d):(?=\d)", " to "),
    # ranges and signs
    (r"(?<=[\d%°])\s?–\s?(?=[$£€]?\d)|(?<=[\d%°])-(?=[$£€]?\d)", " to "),
    (r"(?<![\w.])(\d+(?:\.\d+)?)e(?:\+|(-))?(?=\d{1,3}(?!\w))",
     lambda match: f"{match[1]} times 10 to the power of {match[2] or ''}"),
    (r"([$£€])-(?=\d)", r"-\1"), (r"(?<![\w)])-(?=[$£€]?\.?\d)", " minus "),
    (r"(?<=[A-Za-z)])\^2\b", " squared "), (r"(?<=[A-Za-z)])\^3\b", " cubed "),
    (r"(?<=[\w)])\^ *(?=[\w(])", " to the power of "),
    (r"~ ?(?=[$£€]?\d)", " about "), (r"(?<=\d) ?\* ?(?=\d)", " times "),
    (r"(?<=\d)( ?(?:mm|cm|m|km|in|ft))? ?x ?(?=\d)", r"\1 by "),
    # money, measures
    (rf"(?:\b(US|CA|AU|NZ|HK|C|A))?([{''.join(CURRENCIES)}]) ?({DECIMAL}){_SCALE}{_PER}", _money),
    (rf"(?<![\w.])({DECIMAL}) ?(k|M|bn|tn)\b(?!\w)", lambda match: f"{_decimal(match[1])} {SCALES[match[2].lower()]}"),
    (r"(\d+)'(\d{1,2})\"?(?!\w)", lambda match: f"{_number_words(match[1])} feet {_number_words(match[2])} "),
    (rf"(?<![\w.])(\d+) ?ft\.? ({DECIMAL}) ?in\b(?:\.(?= [a-z]))?",
     lambda match: f"{_number_words(match[1])} feet {_decimal(match[2])} inches"),
    (r"(?<![\w.\"])((?:\d{1,3} )?\d{1,3}/\d{1,3}|\d{1,4}(?:\.\d{1,4})?)\"(?!\w)", _inches),
    (rf"(?<![\w.])({DECIMAL}) ?in\b(?=\.$|[,;)]|$| (?:by|tall|wide|long|high|deep|thick)\b)",
     lambda match: f"{_decimal(match[1])} {'inch' if match[1] == '1' else 'inches'}"),
    (r"(?<![\w.])'?(\d?\d?\d0)'?s\b", _decade),
    (rf"(?<=\d/)(\d{{1,3}})[ -]?({_either(UNITS)})(?![\w/'])(?:\.(?= [a-z]))?",
     lambda match: f"{match[1]} {UNITS[match[2]]}"),
    (rf"(?<![\w./])({DECIMAL})( ?|-)(?:(sq|cu|fl)\.? ?)?({_either(UNITS)})([²³23])?{_PER}([²³23])?"
     r"(?![\w/'])(?:\.(?=,| [a-z]))?", _unit),
    # other numbers
    (rf"\b(?<!\d/)({NUMBER})(?i:st|nd|rd|th)\b", lambda match: _number_words(match[1].replace(",", ""), "ordinal")),
    (r"(?:(?<![\w.])(\d{1,3}) )?(?<![\w/.])(\d{1,9})/(\d{1,9})(?:(?:nd|rd|th)s?)?(?![\w/])", _fraction),
    (r"\b([A-G])#(?!\w)", r"\1 sharp "), (r"#(?=\d)", " number "), (r"#(?=[A-Za-z])", " hashtag "),
    (r"(?i)\b(flight|boeing|airbus|route|highway|interstate|exit|room|suite) (\d{3,4})\b(?!,\d)",
     lambda match: f"{match[1]} {_in_pairs(match[2])}"),
    (r"\b\d{3,4}(?= (?:[A-Z][a-z]+\.? ){1,4}(?:street|Street|Avenue|Road|Lane|Drive|Boulevard)\b)",
     lambda match: _in_pairs(match[0])),
    (r"\b([A-Z]{1,4})-?(\d{3,})(?!\w)", lambda match: f"{match[1]} {_spell_digits(match[2])}"),
    (r"(?<=[A-Za-z])-?(?=\d)|(?<=\d)-?(?=[A-Za-z])(?!s\b)", " "),
    (r"(?<![\w.])(\d+)'?s\b", lambda match: _plural(_number_words(match[1]))),
    (r"\d+(?:\.\d+){2,}", lambda match: " dot ".join(_number_words(part) for part in match[0].split("."))),
    (r"\b(?i:in|since|by|from|until|till|before|after|year) 10\d\d\b(?![,.]?\d)",
     lambda match: f"{match[0][:-4]}{_number_words(match[0][-4:], 'year')}"),
    (r"(?<![\w.,])(?:1[1-9]\d\d|20\d\d)(?!\w|[.,]\d)", _year),
    (rf"{NUMBER}(?:\.\d+)?|(?<![\w.])\.\d+", lambda match: f" {_decimal(match[0])} "),
    # words with capitals and stops
    (r"\b([A-Za-z][a-z]+),? ([IVXLC]+|[ivx]{2,})\b(?!'(?!s\b))(?:\.(?=,))?", _roman),
    (r"\b(?i:(mrs?|ms|prof|messrs))\b\.?\s?", _title), (rf"\b(?i:({_either(TITLES)}))\.\s?(?=[A-Z])", _title),
    (rf"\b(?i:({_either(set(ABBREVIATIONS) - ONLY_BEFORE_DIGITS)}))\.", _abbreviation), (r"\bvs\b", "versus"),
    (r"\b[a-zA-Z]*[a-z][A-Z][a-zA-Z]*\b", _camel),
    (r"(?<![^\W\d_])([A-Z]{2,40})('?s)?(?![^\W\d_])", _acronym),
]]
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
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return _tidy(text)
