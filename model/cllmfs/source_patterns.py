"""Dates, amounts and measures, found in tokenised text by regular expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "Jan\\.|Feb\\.|Aug\\.|Sept\\.|Oct\\.|Nov\\.|Dec\\."
)
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_DIGITS = r"\d[\d,]*(?:\.\d+)?"
_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_NUMBER = rf"(?:(?:{_DIGITS}|{_WORDS})(?: (?:hundred|thousand|million|billion))?)"
_YEAR = r"(?:1[4-9]\d\d|20[0-4]\d)"
_DAY = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)?"
_BEFORE_YEAR = r"(?:(?<=\bin )|(?<=\bIn )|(?<=\bof )|(?<=\bsince )|(?<=\bby )|(?<=\buntil )|"
_BEFORE_YEAR += r"(?<=\bfrom )|(?<=\bto )|(?<=\bbetween )|(?<=\bafter )|(?<=\bbefore )|(?<=\( ))"
_BEFORE_MONTH = r"(?:(?<=\bin )|(?<=\bIn )|(?<=\bof )|(?<=\bsince )|(?<=\blast )|(?<=\bnext )|"
_BEFORE_MONTH += r"(?<=\blate )|(?<=\bearly )|(?<=\bby )|(?<=\buntil )|(?<=\bfrom )|(?<=\bto ))"
_UNITS = (
    "kilometres?|kilometers?|metres?|meters?|centimetres?|centimeters?|millimetres?|millimeters?|"
    "km2?|m|cm|mm|mi|miles?|feet|foot|ft|inches|inch|yards?|acres?|hectares?|square miles|"
    "square kilometres|square kilometers|sq mi|tonnes?|tons?|kilograms?|kg|grams?|pounds|lb|"
    "litres?|liters?|gallons?|degrees|km / h|mph|knots|watts?|kW|MW|hp|horsepower|volts?|MHz|GHz"
)


@dataclass(frozen=True, slots=True)
class PatternConcept:
    """Expressions of a fixed form, to be asked for.

    Attributes:
        key: Identifies it.
        names: Ways to say it in a question.
        description: A clause that defines it.
        found: Matches the expressions, as long as possible.
        doubt: Matches what may be one; a text that holds more of it is not asked.
    """

    key: str
    names: tuple[str, ...]
    description: str
    found: re.Pattern[str]
    doubt: re.Pattern[str]

    def ranges(self, text: str) -> list[tuple[int, int]] | None:
        """The expressions in a text as ranges of characters; None where that is unsure."""
        found = [match.span() for match in self.found.finditer(text)]
        for match in self.doubt.finditer(text):
            if not any(first <= match.start() < last for first, last in found):
                return None
        return found


_MONTH = f"(?:{_MONTHS})"
_DATE = "|".join(
    (
        rf"(?:{_DAY} (?:of )?{_MONTH}(?: ,)?(?: {_YEAR})?)",
        rf"(?:{_MONTH} {_DAY}(?: , {_YEAR})?)(?! {_YEAR})",
        rf"(?:{_MONTH}(?: ,)? {_YEAR})",
        rf"(?:{_BEFORE_YEAR}{_YEAR})",
        rf"(?:{_BEFORE_MONTH}{_MONTH})",
        r"(?:(?:the )?1[5-9]\d0s)|(?:(?:the )?20\d0s)",
        rf"(?:{_DAYS})",
    )
)
_PERIOD = "(?:year|month|week|day|hour|minute|second|decade)"
_CURRENCY = r"(?:[$£€¥]|US \$|US\$|A\$|USD|EUR|GBP)"
_COINS = "(?:dollars?|euros?|pounds sterling|cents|yen|rupees|francs|pesos)"
_CONCEPTS = (
    (
        "date",
        "date|calendar date|date or year|day, month or year|DATE|date of something",
        "years, months, days and other points in the calendar",
        _DATE,
        rf"(?:{_MONTHS}|{_DAYS}|\d{{4}}s?|century|centuries|season)",
    ),
    (
        "duration",
        "duration|length of time|period|how long something takes|time span|number of years",
        "how long something lasts, with its unit",
        rf"{_NUMBER}(?: (?:to|and|or) {_NUMBER})? {_PERIOD}s?",
        rf"(?:{_PERIOD}s|century|centuries|{_PERIOD})",
    ),
    (
        "clock",
        "clock time|time of day|hour of the day|TIME",
        "times on the clock",
        r"\d{1,2} ?: ?\d\d(?: ?[ap]\.?m\.?)?|\d{1,2} [ap]\.?m\.?",
        r"\d{1,2}:\d\d|[ap]\.m\.|o'clock|noon|midnight",
    ),
    (
        "money",
        "amount of money|money|sum of money|price|monetary value|MONEY|price or cost",
        "amounts of money with their currency",
        rf"{_CURRENCY} ?{_NUMBER}|{_NUMBER} {_COINS}",
        rf"\S*[$£€¥]\S*|{_COINS}|{_CURRENCY}",
    ),
    (
        "percentage",
        "percentage|percent|share in percent|PERCENT|proportion",
        "shares in percent",
        rf"{_NUMBER} ?(?:%|percent|per cent)",
        r"percent|per cent|percentage|\S*%\S*",
    ),
    (
        "measure",
        "measurement|measure|length, weight or size|quantity with a unit|physical quantity",
        "lengths, areas, weights, speeds and other measures with their unit",
        rf"{_NUMBER} ?(?:{_UNITS})",
        rf"\d+ ?(?:{_UNITS})|kilometres|kilometers|miles|metres|meters|feet|inches|acres",
    ),
    (
        "number",
        "number in digits|numeral|digits|number",
        "all numbers written in digits",
        _DIGITS,
        r"\S*\d\S*",
    ),
)
"""Key, names, description, what is found and what may be more of it."""


@cache
def patterns() -> Mapping[str, PatternConcept]:
    """The concepts by key."""
    return {
        key: PatternConcept(
            key,
            tuple(names.split("|")),
            description,
            re.compile(rf"(?:(?<=^)|(?<= ))(?:{found})(?= |$)"),
            re.compile(rf"(?<!\w)(?:{doubt})(?!\w)"),
        )
        for key, names, description, found, doubt in _CONCEPTS
    }
