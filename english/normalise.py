"""A sentence to plain words: "Dr. Ray ate 2." -> "doctor Ray ate two .".

A normalised sentence holds words, single capitals (the letter's name: "A" is the letter, "a" the article) and the
marks , . ; : ? ! at which a reader pauses. First every character becomes one that the rules know; then the rules apply
in order, each with a function of `numbers` or `letters`.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from english.letters import (
    lower_shouted,
    roman_value,
    say_abbreviation,
    say_acronym,
    say_camel,
    say_letters,
    say_roman,
    say_saint_or_street,
    say_title,
)
from english.numbers import (
    DECIMAL,
    NUMBER,
    decimal_words,
    in_pairs,
    is_year_pair,
    month_name,
    number_words,
    plural_words,
    say_address,
    say_currency_code,
    say_date,
    say_day_of_month,
    say_decade,
    say_digit_groups,
    say_fraction,
    say_inches,
    say_money,
    say_money_range,
    say_scaled_unit,
    say_time,
    say_unit,
    say_unit_alone,
    say_year,
    say_year_pair,
    spell_digits,
)
from english.tables import (
    ABBREVIATIONS,
    BEFORE_YEARS,
    CALENDAR,
    CHARACTERS,
    CURRENCIES,
    CURRENCY_CODES,
    DAYS,
    DOTTED,
    INVARIABLE_UNITS,
    LONGEST_RUN,
    MONTHS,
    ONLY_BEFORE_DIGITS,
    PER,
    SCALES,
    SILENT_NAME_PARTS,
    STATES,
    STREETS,
    SYMBOLS,
    TITLES,
    UNITS,
    UNITS_ALONE,
    WRITTEN_SO,
)


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


_WRITTEN_SO = re.compile(rf"(?<![\w/])(?:{_either(name for name in WRITTEN_SO if not name.isalpha())})(?![\w/])")

# Applied in this order; each pattern sees what the ones before it left. NUMBER_RULES match only where a digit stands.
OPENING_RULES = _rules(
    (rf"\b({_either(_LOWER_MONTHS)})(?=\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,|\.?$| \d{{4}}\b))",
     lambda match: match[1].capitalize()),
    # addresses
    (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", say_address),
    (r"\b(?:(?:https?|ftp)://|www\.)[^\s<>]*[^\s<>.,;:!?)'\"\]]", say_address),
    (r"(?<![\w.@])(?:[\w-]{1,63}\.){1,8}(?:com|org|net|edu|gov|info|io|uk|de|fr|eu|ca|tv)\b(?:/[^\s.,;:!?)'\"\]]+)*/?",
     say_address),
    (r"(?<![\w.@])[A-Za-z]\w{1,63}\.[a-z][a-z0-9]{1,3}(?![\w.])", say_address),
    (r"(?<!\w)([A-Z]{1,2})&([A-Z]{1,2})(?!\w)", lambda match: f"{' '.join(match[1])} and {' '.join(match[2])}"),
    (r"\b([A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th)) (?i:(ave|blvd|rd|hwy|expy|pkwy|ln|fwy|tpke))\b(?:\.(?= ?[a-z\d,;])|"
     r"(?!\.))|\b([A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th)) (Ct|Pl|Sq|Ter|Cir|Trl)\b(?!\.? ?[a-z])\.?",
     lambda match: f"{match[1] or match[3]} {STREETS[(match[2] or match[4]).lower()]}"),
    (rf"(?<=[a-z], )({_either(STATES)})(?:(,?) (\d{{5}})(?:-(\d{{4}}))?\b|(?=[,;)]|\.?$|\. [A-Z]))", lambda match:
     f"{STATES[match[1]]}{match[2] or ''} {' '.join(spell_digits(digits) for digits in match.group(3, 4) if digits)}"),
    (r"\b([A-Z]\w*\.?) vs?\. (?=[A-Z])", r"\1 versus "),
    # ranges of times, days and months
    (r"(?i)(:\d\d|\d ?[ap]\.?\s?m\b\.?)\s?[-–]\s?(?=\d{1,2}(?!\d))", r"\1 to "),
    (rf"\b({_DAY}|{_MONTH})\b\.?\s?[-–]\s?({_DAY}|{_MONTH})\b\.?",
     lambda match: f"{month_name(match[1])} to {month_name(match[2])}"),
    (rf"\b({_MONTH})\s?[-–]\s?(?=\d{{1,2}} {_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH},? \d{{4}})\s?[-–]\s?(?={_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH}\b\.? \d{{1,2}})\s?[-–]\s?(?={_MONTH}\b)", r"\1 to "),
    (rf"\b({_MONTH})\b\.? (\d{{1,2}})\s?[-–]\s?(\d{{1,2}})\b(?![:.,/-]?\d)",
     lambda match: f"{month_name(match[1])} {number_words(match[2], 'ordinal')} to "
     f"{number_words(match[3], 'ordinal')}"),
    (rf"\b(\d{{1,2}})\s?[-–]\s?(?=\d{{1,2}} {_MONTH}\b)",
     lambda match: f"the {number_words(match[1], 'ordinal')} to "),
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
    (r"(?<![\w.])(?:[A-Za-z]\.){2,9}(?:[A-Za-z](?!\w))?", say_letters),
    (r"\b([A-Z])\.(?= ?[A-Z])", r"\1 "),
    (r"\b(St|Dr)\b\.?(?= ?([A-Z])?)", say_saint_or_street),
    (rf"\b(?i:({_either(ABBREVIATIONS)}))\. ?(?=\d|[A-Z]\d)", lambda match: f"{say_abbreviation(match)} "),
    (r"(?<![\w.])([bcd])\. ?(?=\d{3,4}\b)", lambda match: f"{BEFORE_YEARS[match[1]]} "),
    (r"\bw/o\b", "without"), (r"\bw/(?=[ \w])", "with "),
    (rf"\b({_DAY})\.(?=,| \d| [A-Z])", lambda match: month_name(match[1])),
    (rf"\b({_MONTH})\.(?= ?[\d,])|\b(Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\.",
     lambda match: month_name(match[1] or match[2])),
)
NUMBER_RULES = _rules(
    # telephones, dates, times
    (r"(?<![\w-])(\+?)1[- ](800|900)[- ](?=[A-Za-z])", r"\1 1 \2 "),
    (r"(?<![\w-])(\+?)1[- ](800|900)[- ](\d{3})[- ](\d{4})(?!\w)", lambda match: f"{'plus ' if match[1] else ''}one , "
     f"{number_words(match[2])} , {spell_digits(match[3])} , {spell_digits(match[4])}"),
    (r"(?i)\b((?:tel|telephone|phone|fax|mobile|cell|dial|account|ssn|pin)(?:\.?:| number:?| is)? )(\d{4,})"
     r"(?![\w-]|[,.]\d)",
     lambda match: f"{match[1]}{spell_digits(match[2])}"),
    (r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)", say_digit_groups),
    (r"\+\d{1,3}(?:[ -]\d{2,4}){2,5}(?!\w)|(?<![\w.-])\d{3}-\d{4}(?![\w-])", say_digit_groups),
    (r"\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\w)", r"\1 \2"),
    (r"\b(\d{4})([-/.])(\d{1,2})\2(\d{1,2})\b", lambda match: say_date(match[1], match[3], match[4])),
    (r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\w.]*\d)",
     lambda match: say_date(match[3], match[2], match[1])),
    (r"(?<![\w/-])((?:1[5-9]|20)\d\d)[-–/](\d\d)(?![\w/-])",
     lambda match: say_year_pair(match) if is_year_pair(match[1], match[2]) else match[0]),
    (r"(?<=\d )est\.", "estimate"), (r"\b(50|60|80)-(50|40|20)\b", r"\1 \2"),
    (r"(?<![\w.,])(\d{1,3}(?: \d{3}){2,}|\d{1,3}(?:\.000){2,})(?![\w.,]*\d)",
     lambda match: re.sub("[ .]", "", match[1])),
    (r"(?<![\w.,$£€])(\d+)(?:[.,](\d{2}))? ?([€£])(?!\d)",
     lambda match: f"{match[3]}{match[1]}{'.' + match[2] if match[2] else ''}"),
    (r"([AP] M) +([ECPM][SD]?T)\b", lambda match: f"{match[1]} {' '.join(match[2])}"),
    (r"(?<![\w/-])((?:1[5-9]|20)\d\d)/((?:1[5-9]|20)\d\d)(?![\w/-])", r"\1 to \2"),
    (r"(?<![\w/.])(\d{2,3}(?:\.\d)?)/100(?![\w/])", r"\1 out of 100"),
    (r"(?i)\b((?:score[sd]?|rat(?:ed|ing)|gave)\b[^.;]{0,40}) (\d{1,2}(?:\.\d)?)/10(?![\w/])",
     r"\1 \2 out of 10"),
    (r"(?<![\d.])((?:\d{1,3}\.){3}\d{1,3})(?![\d.]*\d)(?=/\d|[\s,.;:!?)]|$)",
     lambda match: f" {' dot '.join(spell_digits(part) for part in match[1].split('.'))} "),
    (r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])", lambda match: say_date(match[3], match[1], match[2])),
    (r"(?<![\w.-])\d+(?:-\d+){2,}(?![\w-])", say_digit_groups),
    (r"(?<=[a-z], )([A-Z]{2} )(\d{5})(?![\w-])|(?i:\b(code |zip |pin |passcode ))(\d{3,})(?![\w-]|[,.]\d)",
     lambda match: f"{match[1] or match[3]}{spell_digits(match[2] or match[4])}"),
    (r"\b([Cc]all(?:s|ed|ing)?|[Dd]ial(?:s|ed|ing)?|[Tt]ext|[Pp]hone) (\d{3})\b(?! \w+s\b)",
     lambda match: f"{match[1]} {spell_digits(match[2])}"),
    (rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.,/]?\d)",
     lambda match: f"{month_name(match[1])} {number_words(match[2], 'ordinal')}"),
    (rf"\b(the )?(\d{{1,2}})(st|nd|rd|th)? (of )?({_MONTH})\b\.?", say_day_of_month),
    (r"(?<![\w:.])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![a-z\d:])( [AP] M)?", say_time),
    (r"(?<=\d):(?=\d)", " to "),
    (r"(?<![\w.])(\d{1,2}) ?h(?:rs?)? ?(\d{1,2}) ?m(?:ins?)?\b", lambda match: " ".join(
        f"{number_words(str(int(n)))} {unit if int(n) == 1 else unit + 's'}"
        for n, unit in zip(match.groups(), ("hour", "minute")))),
    # ranges and signs
    (rf"([{''.join(CURRENCIES)}]) ?({DECIMAL}) ?[-–] ?(?=\d)(?!\d+-)({DECIMAL})", say_money_range),
    (r"\b(\d{3})-(\d{3})(?=[A-Z])|\b(7\d7)-(\d00)\b",
     lambda match: f"{in_pairs(match[1] or match[3])} {in_pairs(match[2] or match[4])}"),
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
     f"{match[1]} {MONTHS[int(match[2]) - 1].capitalize()} {number_words(str(int(match[3])), 'ordinal')}"
     if 0 < int(match[2]) < 13 and 0 < int(match[3]) < 32 else match[0]),
    (r"(?<=\d)( ?(?:mm|cm|m|km|in|ft))? ?x ?(?=\d)", r"\1 by "),
    (r"\b(\d{1,3}(?:\.\d+)?)[xX]\b(?= (?:more|less|as|the|faster|slower|bigger|larger|smaller|better|higher|longer)\b)",
     lambda match: f"{decimal_words(match[1])} times"),
    (r"\b(\d{3})\(([a-z])\)(?:\((\d{1,2})\))?", lambda match:
     f"{in_pairs(match[1])} {match[2].upper()} {number_words(match[3]) if match[3] else ''}".rstrip()),
    (r"\b(\d{3,4})p\b", lambda match: f"{in_pairs(match[1])} P"), (r"(?<=\d)° ?([CF])\b", r"°\1"),
    (r"(?<=\d)° ?([NSEW])\b", lambda match: f"° {dict(N='north', S='south', E='east', W='west')[match[1]]}"),
    # money, measures
    (rf"\b({_either(CURRENCY_CODES)}) ?({DECIMAL})(?![\w,.]*\d)|(?<![\w.])({DECIMAL}) ?({_either(CURRENCY_CODES)})\b",
     say_currency_code),
    (rf"\bRs\.? ?({DECIMAL})", lambda match: f"{decimal_words(match[1])} rupees"),
    (rf"(?:\b(US|CA|AU|NZ|HK|C|A))?([{''.join(CURRENCIES)}]) ?({DECIMAL}){_SCALE}{_PER}", say_money),
    (rf"(?<![\w.])({DECIMAL}) ?(k|M|bn|tn)\b(?!\w)",
     lambda match: f"{decimal_words(match[1])} {SCALES[match[2].lower()]}"),
    (rf"(?<![\w.])({DECIMAL}) (hundred|thousand|million|billion|trillion) ({_either(set(UNITS) - set('mshgVWJNL'))})"
     r"(?![\w/'])", say_scaled_unit),
    (rf"(?<![\w.])({DECIMAL}) ?[lL]/100 ?km\b",
     lambda match: f"{decimal_words(match[1])} liters per one hundred kilometers"),
    (r"(?<![\w.])(\d+)-in\b(?!-)\.?", lambda match: f"{decimal_words(match[1])} inch"),
    (r"(\d+)'(?: (?=\d{1,2}\"))?(\d{1,2})\"?(?!\w)",
     lambda match: f"{number_words(match[1])} feet {number_words(match[2])} "),
    (rf"(?<![\w.])(\d+) ?ft\.? ({DECIMAL}) ?in\b(?:\.(?= [a-z]))?",
     lambda match: f"{number_words(match[1])} feet {decimal_words(match[2])} inches"),
    (r"(?<![\w.\"])((?:\d{1,3} )?\d{1,3}/\d{1,3}|\d{1,4}(?:\.\d{1,4})?)\"(?!\w)", say_inches),
    (r"(?<![\w./])(\d{1,3}/\d{1,3}) ?in\b(?=\.|[,;)]|$)\.?", r"\1 inch"),
    (rf"(?<![\w./])({DECIMAL}) ?in\b(?=\.$|[,;)]|$| \(| (?:by|tall|wide|long|high|deep|thick)\b)",
     lambda match: f"{decimal_words(match[1])} {'inch' if match[1] == '1' else 'inches'}"),
    (r"(?<![\w.])'?(\d?\d?\d0)'?s\b", say_decade),
    (rf"(?<=\d/)(\d{{1,3}})[ -]?({_either(UNITS)})(?![\w/'])(?:\.(?= [a-z]))?",
     lambda match: f"{match[1]} {UNITS[match[2]]}" if not re.search(r"\d \d+/$", match.string[:match.start()][-12:])
     else f"{match[1]} {plural_words(UNITS[match[2]])}"),
    (rf"(?<![\w./])({DECIMAL})( ?|-)(?:(sq|cu|fl)\.? ?)?({_either(UNITS)})([²³23])?{_PER}([²³23])?"
     r"(?![\w/'])(?:\.(?=,| [a-z]))?", say_unit),
    # other numbers
    (rf"\b(?<!\d/)({NUMBER})(?i:st|nd|rd|th)\b", lambda match: number_words(match[1].replace(",", ""), "ordinal")),
    (r"(?:(?<![\w.])(\d{1,3}) )?(?<![\w/.])(\d{1,9})/(\d{1,9})(?:(?:nd|rd|th)s?)?(?![\w/])", say_fraction),
    (r"#(?=\d)", " number "),
    (r"(?i)\b(flight|boeing|airbus|route|highway|interstate|exit|room|suite) (\d{3,4})\b(?!,\d)",
     lambda match: f"{match[1]} {in_pairs(match[2])}"),
    (r"\b\d{3,4}(?= (?:[A-Z][a-z]+\.? |\w+th ){1,4}(?i:street|avenue|road|lane|drive|boulevard|expressway|highway|"
     r"parkway|court|place)\b)",
     lambda match: in_pairs(match[0])),
    (r"\bFY ?((?:19|20)\d\d)\b", lambda match: f"F Y {number_words(match[1], 'year')}"),
    (r"\b([A-Za-z])(\d{2,})(?=-?[A-Za-z]\d)", lambda match: f"{match[1]} {spell_digits(match[2])} "),
    (r"\b([A-Z]{1,4})-?(\d{3,})(?!\w)", lambda match: f"{match[1]} {spell_digits(match[2])}"),
    (r"(?<=[A-Za-z])-?(?=\d)|(?<=\d)-?(?=[A-Za-z])(?!s\b)", " "),
    (r"(?<![\w.])(\d+)'?s\b", lambda match: plural_words(number_words(match[1]))),
    (r"\d+(?:\.\d+){2,}", lambda match: " dot ".join(number_words(part) for part in match[0].split("."))),
    (r"\b(?i:in|since|by|from|until|till|before|after|year|a d) 10\d\d\b(?![,.]?\d)",
     lambda match: f"{match[0][:-4]}{number_words(match[0][-4:], 'year')}"),
    (r"(?<![\w.,])(?:1[1-9]\d\d|20\d\d)(?!\w|[.,]\d)", say_year),
    (rf"{NUMBER}(?:\.\d+)?|(?<![\w.])\.\d+", lambda match: f" {decimal_words(match[0])} "),
)
CLOSING_RULES = _rules(
    # signs
    (r"(?<=[\w)])\^ *(?=[\w(])", " to the power of "),
    (r"(?<![\w/.'])(km|cm|mm|kg|mph|MHz|GHz|kHz|kW|GB|MB)(?![\w/'])", lambda match: UNITS[match[1]] if UNITS[match[1]]
     in INVARIABLE_UNITS else re.sub(r"^\w+", lambda name: plural_words(name[0]), UNITS[match[1]])),
    (rf"(?<![\w/.])({_either(UNITS_ALONE)})/({_either(PER)})(?![\w/])", say_unit_alone),
    (r"\b([A-G])#(?!\w)", r"\1 sharp "), (r"#(?=[A-Za-z])", " hashtag "),
    # words with capitals and stops
    (r"\b([IVX]{2,6}|[IVX]) (?=[Cc]entur)", lambda match: f"{number_words(str(roman_value(match[1])), 'ordinal')} "),
    (r"^([IVX]{1,5})(?=\. [A-Z]|\.$|, [A-Z]|: )|\((i{1,3}|iv|vi{0,3}|ix|xi{0,3})\)", lambda match:
     f"{number_words(str(roman_value((match[1] or match[2]).upper())))}{'' if match[1] else ' ,'}"
     if match[1] != "I" else match[0]),
    (r"\bWW(II?)\b", lambda match: f"World War {'one' if match[1] == 'I' else 'two'}"),
    (r"\b([A-Za-z][a-z]+),? ([IVXLC]{2,}|[IVX]|[ivx]{2,})\b(?!-?\d|'(?!s\b))(?:\.(?=,))?", say_roman),
    (r"\b(?i:(mrs?|ms|prof|messrs))\b\.?\s?", say_title),
    (rf"\b(?i:({_either(TITLES)}))\.\s?(?=[A-Z]|doctor |saint )", say_title),
    (rf"\b(?i:({_either(set(ABBREVIATIONS) - ONLY_BEFORE_DIGITS)}))\.", say_abbreviation), (r"\bvs\b", "versus"),
    (r"(?<![\w.'-])(III?|IV(?! (?:drip|fluid|line|therapy|bag|pole))|VI{1,3}|IX|XI{1,3}|XI?V|XVI{0,3}|XIX|XXI{1,3})"
     r"(?![\w'-])",
     lambda match: number_words(str(roman_value(match[1])))),
    (r"\b[a-zA-Z]*[a-z][A-Z][a-zA-Z]*\b|\bPhDs?\b", say_camel),
    (r"(?<![^\W\d_])([A-Z]{2,40})('?s|'S)?(?![^\W\d_])", say_acronym),
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
    text = _WRITTEN_SO.sub(lambda match: WRITTEN_SO[match[0]], _plain_characters(sentence))
    text = _ARTICLE.sub("a", lower_shouted(text))
    for rules in (OPENING_RULES, NUMBER_RULES if re.search(r"\d", text) else [], CLOSING_RULES):
        for pattern, replacement in rules:
            text = pattern.sub(replacement, text)
    return _tidy(text)
