"""Tables of characters, abbreviations and numbers, and what they are read as."""

from english.lexicon import table

LONGEST_RUN = 200  # characters without a space; bounds what any pattern looks at, so time is linear in the text

# ---------------------------------------------------------------------------------------------------------------------
# Characters
# ---------------------------------------------------------------------------------------------------------------------

CHARACTERS = {
    **dict.fromkeys("‘’‛ʼ′`´", "'"), **dict.fromkeys("“”„‟«»″❝❞", '"'), **dict.fromkeys("‐‑﹣", "-"),
    **dict.fromkeys("—―‒⸺", " — "), "…": "...", "−": "-", "⁄": "/", "№": "No. ", "™": " trademark ", "℃": "°C",
    "℉": "°F", "µ": "μ", "μ": "μ", "•": ", ", "·": " ", "¿": " ", "¡": " ", "¼": " 1/4", "½": " 1/2", "¾": " 3/4",
    "⅓": " 1/3",
    "⅔": " 2/3", "⅛": " 1/8", "⅜": " 3/8", "⅝": " 5/8", "⅞": " 7/8", "⅕": " 1/5", "⅖": " 2/5", "⅗": " 3/5",
    "⅘": " 4/5", "⅙": " 1/6", "⅚": " 5/6", "⅐": " 1/7", "⅑": " 1/9", "⅒": " 1/10",
    **{mark: mark for mark in "²³–¢°£€¥₹₽₩₪"},
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "√": " square root of ",
    "≈": " approximately ", "≠": " is not equal to ",
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
# Abbreviations and acronyms
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
    "PhD": "P H D", "pH": "P H",
    "PhDs": "P H D's", "LaTeX": "lay tech", "YouTube": "youtube", "GitHub": "git hub", "eBay": "E bay",
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
# Numbers
# ---------------------------------------------------------------------------------------------------------------------

DIGITS = "zero one two three four five six seven eight nine".split()
CURRENCIES = {  # symbol: one, many, one hundredth, hundredths
    "$": ("dollar", "dollars", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"), "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"), "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "₩": ("won", "won", "jeon", "jeon"), "₪": ("shekel", "shekels", "agora", "agorot"),
}
COUNTRIES = {  # before a dollar sign
    "US": "U S", "CA": "Canadian", "C": "Canadian", "AU": "Australian", "A": "Australian", "NZ": "New Zealand",
    "HK": "Hong Kong",
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
