"""Numbers, money, measures, dates, times, telephones and addresses to words; each takes a match of `normalise`."""

import re
from functools import lru_cache

from english.tables import (
    CALENDAR,
    COUNTRIES,
    CURRENCIES,
    CURRENCY_CODES,
    DIGITS,
    INVARIABLE_UNITS,
    LONGEST_RUN,
    MONTHS,
    PER,
    SCALES,
    SYMBOLS,
    UNIT_SHAPES,
    UNITS,
    URL_SYMBOLS,
)

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)"
DECIMAL = rf"(?:{NUMBER}(?:\.\d+)?|\.\d+)"


def spell_digits(digits: str) -> str:
    return " ".join(DIGITS[int(digit)] for digit in digits)


@lru_cache(maxsize=10_000)
def number_words(digits: str, form: str = "cardinal") -> str:
    """A whole number as a "cardinal", an "ordinal" or a "year"; digit by digit if it is a code rather than a number."""
    from num2words import num2words

    if len(digits) > 15 or (digits[0] == "0" and len(digits) > 1 and form == "cardinal"):
        return spell_digits(digits)
    return re.sub(r" and |[-,]", " ", num2words(int(digits), to=form)).replace("  ", " ")


def decimal_words(text: str) -> str:
    """ "1,234.50" -> "one thousand two hundred thirty four point five zero"."""
    whole, point, fraction = text.replace(",", "").partition(".")
    words = number_words(whole or "0")
    return f"{words} point {spell_digits(fraction)}" if point else words


def plural_words(words: str) -> str:
    if words.endswith(("s", "x", "ch", "sh")):
        return words + "es"
    return words[:-1] + "ies" if words.endswith("y") and words[-2] not in "aeiou" else words + "s"


def say_fraction(match: re.Match) -> str:
    whole, top, bottom = match.groups()
    if match[0] in ("9/11", "24/7", "50/50", "20/20", "7/11", "60/40", "80/20"):
        return f"{number_words(top)} {number_words(bottom)}"
    if len(bottom) > 3 or not 0 < int(top) < int(bottom) <= 100:
        return f"{whole or ''} {number_words(top)} over {number_words(bottom)}"
    part = {"2": "half", "4": "quarter"}.get(bottom) or number_words(bottom, "ordinal")
    part = part if top == "1" else plural_words("hal" + "ve" if part == "half" else part)
    words = f"{'a' if whole and bottom == '2' else number_words(top)} {part}"
    return f"{number_words(whole)} and {words}" if whole else words


def say_year(match: re.Match) -> str:
    """1805 is a year unless it counts something: "in 1805 floods", "1805 was", but "1805 floods"."""
    before, after = match.string[max(0, match.start() - 8):match.start()], match.string[match.end():match.end() + 25]
    dated = re.search(r"(?i)\b(?:in|since|by|of|from|until|to|the|and|year|pre|post|mid|circa) $", before)
    counts = re.match(r" (?!(?:was|is|has|his|this|as|its|does|us)\b)[a-z]{1,20}[^\Wus]s\b", after)
    return number_words(match[0], "cardinal" if counts and not dated else "year")


def in_pairs(digits: str) -> str:
    """Three or four digits that name rather than count: "602" -> "six oh two", "1026" -> "ten twenty six"."""
    first, last = digits[:-2], digits[-2:]
    if last == "00" or first[0] == "0":
        return number_words(digits)
    return f"{number_words(first)} {'oh ' + DIGITS[int(last)] if last[0] == '0' else number_words(last)}"


def say_decade(match: re.Match) -> str:
    digits = match[1]
    return " " + plural_words(number_words(digits, "year" if len(digits) == 4 else "cardinal"))


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


def say_money(match: re.Match) -> str:
    country, symbol, amount, scale, divisor = match.groups()
    one, many, hundredth, hundredths = CURRENCIES[symbol]
    if _is_attributive(match):
        many, hundredths = one, hundredth
    prefix, per = COUNTRIES[country] + " " if country else "", _per(divisor)
    if scale:
        return f" {decimal_words(amount)} {SCALES[scale.lower()]} {prefix}{many}{per}"
    whole, _, cents = amount.replace(",", "").partition(".")
    if len(cents) not in (0, 2):
        return f" {decimal_words(amount)} {prefix}{many}{per}"
    words = []
    if whole.strip("0") or not cents.strip("0"):
        words.append(f"{number_words(whole)} {prefix}{one if whole == '1' else many}")
    if cents.strip("0"):
        words.append(f"{number_words(str(int(cents)))} {hundredth if cents == '01' else hundredths}")
    return f" {' and '.join(words)}{per}"


def say_money_range(match: re.Match) -> str:
    """ "$5-10" -> "5 to $10", "$1-2 million" -> "1 to $2 million"."""
    symbol, first, second = match.groups()
    return f"{decimal_words(first)} to {symbol}{second}"


def say_currency_code(match: re.Match) -> str:
    """ "10 USD" and "USD 10" -> "ten U S dollars"."""
    code, amount = match[1] or match[4], match[2] or match[3]
    return f"{decimal_words(amount)} {CURRENCY_CODES[code]}"


def say_scaled_unit(match: re.Match) -> str:
    """ "100 million kg" -> "one hundred million kilograms"."""
    amount, scale, unit = match.groups()
    counted, rest = re.fullmatch("(.*?)((?: per | of | celsius| fahrenheit).*)?", UNITS[unit]).groups(default="")
    many = counted.split()[0] in INVARIABLE_UNITS or _is_attributive(match)
    return f"{decimal_words(amount)} {scale} {counted if many else plural_words(counted)}{rest} "


def say_unit_alone(match: re.Match) -> str:
    """ "km/h" without a number -> "kilometers per hour"."""
    name = UNITS[match[1]]
    return f"{name if name in INVARIABLE_UNITS else plural_words(name)}{_per(match[2])}"


def say_unit(match: re.Match) -> str:
    amount, hyphen, shape, unit, power, divisor, divisor_power = match.groups()
    if (hyphen == "-" and unit in "WVJLd") or (not hyphen and unit == "s"):  # "Exhibit 5-V", "two 747s"
        return match[0]
    one = hyphen == "-" or amount == "1" or _is_attributive(match)
    counted, rest = re.fullmatch("(.*?)((?: per | of | celsius| fahrenheit).*)?", UNITS[unit]).groups(default="")
    if counted == "feet":
        counted = "foot" if one else "feet"
    elif not (one or counted.split()[0] in INVARIABLE_UNITS):
        counted = plural_words(counted)
    shaped = UNIT_SHAPES.get(shape or power, "") + counted
    return f"{decimal_words(amount)} {shaped}{rest}{_per(divisor, divisor_power)} "


def say_inches(match: re.Match) -> str:
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

def month_name(name: str) -> str:
    """The full name of an abbreviated month or day."""
    return CALENDAR.get(name.lower(), name).capitalize()


def say_date(year: str, month: str, day: str) -> str:
    """Month day year from digits; 25/12 can only be day first."""
    if int(month) > 12:
        month, day = day, month
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return " ".join(number_words(part) for part in (month, day, year))
    year = number_words(year, "year" if len(year) == 4 else "cardinal")
    return f"{MONTHS[int(month) - 1].capitalize()} {number_words(str(int(day)), 'ordinal')} {year}"


def say_year_pair(match: re.Match) -> str:
    """A season, "2008-09" -> "two thousand eight oh nine"; a span, "1914-18" -> "nineteen fourteen to eighteen"."""
    first, last = match[1], match[2]
    spoken = f"oh {DIGITS[int(last)]}" if last[0] == "0" else number_words(last)
    if (int(first) + 1) % 100 != int(last):
        return f"{number_words(first, 'year')} to {spoken}"
    return f"{number_words(first, 'year')} {spoken if last != '00' else number_words(str(int(first) + 1), 'year')}"


def is_year_pair(first: str, last: str) -> bool:
    return int(last) > int(first[2:]) or last == "00" and first[2:] == "99"


def say_day_of_month(match: re.Match) -> str:
    """ "4 July" -> "the fourth of July"; "4th July" is read as it is written."""
    the, day, suffix, of, month = match.groups(default="")
    if not suffix:
        the, of = "the ", "of "
    return f"{the}{number_words(day, 'ordinal')} {of}{month_name(month)}"


def _duration(hours: str, minutes: str, seconds: str) -> str:
    """ "1:02:03" -> "one hour two minutes and three seconds"."""
    parts = [f"{number_words(str(int(n)))} {unit if int(n) == 1 else unit + 's'}"
             for n, unit in ((hours, "hour"), (minutes, "minute"), (seconds, "second")) if unit != "hour" or int(n)]
    return f"{' '.join(parts[:-1])} and {parts[-1]}"


def say_time(match: re.Match) -> str:
    hour, minute, second, half = match.groups()
    if second and not half and int(hour) < 10 and not hour.startswith("0"):
        return _duration(hour, minute, second)
    if second == "00" and minute == "00":
        second = None
    range_follows = re.match(r" to \d", match.string[match.end():match.end() + 5])
    words = [number_words(str(int(hour)))]
    if minute != "00":
        words.append(f"oh {DIGITS[int(minute)]}" if minute[0] == "0" else number_words(minute))
    elif not (half or second or range_follows):
        words.append("o'clock" if 0 < int(hour) < 13 else "hundred")
    if second and second != "00":
        words.append(f"and {number_words(str(int(second)))} second{'s' if int(second) != 1 else ''}")
    return " ".join(words) + (f" {half.strip()[0].upper()} M" if half else "")


def say_digit_groups(match: re.Match) -> str:
    """Telephone numbers and the like, digit by digit, with a pause between groups."""
    plus = "plus " if match[0].startswith("+") else ""
    return f" {plus}{', '.join(spell_digits(group) for group in re.findall(r'[0-9]+', match[0]))} "


def say_address(match: re.Match) -> str:
    """Web and e-mail addresses and file names: every mark is named."""
    words = []
    for part in re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", match[0]):
        if part in URL_SYMBOLS or part in SYMBOLS:
            words.append(URL_SYMBOLS.get(part) or SYMBOLS[part])
        elif re.fullmatch("[0-9]+", part):
            spelled = len(part) > 4 or len(part) > 2 and "@" in match[0]
            words.append(spell_digits(part) if spelled else number_words(part))
        elif len(part) == 1 or part.lower() in ("co", "uk", "https", "ftp") or not re.search("[aeiouy]", part.lower()):
            words += part.upper() if part.isascii() else [part]
        else:
            words.append(part.lower())
    return f" {' '.join(words)} "
