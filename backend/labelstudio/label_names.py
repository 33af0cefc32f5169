"""From a label's name, often an abbreviation, to the words a question uses."""

from __future__ import annotations

import re

WELL_KNOWN = {
    "per": "person",
    "pers": "person",
    "loc": "location",
    "org": "organization",
    "misc": "miscellaneous name",
    "gpe": "country, city or state",
    "fac": "building or facility",
    "norp": "nationality, religious or political group",
    "lang": "language",
    "evt": "event",
    "prod": "product",
    "tech": "technology",
    "med": "medicine",
    "chem": "chemical",
    "dis": "disease",
    "num": "number",
    "qty": "quantity",
    "pct": "percentage",
    "addr": "address",
    "woa": "work of art",
}
"""Abbreviations of the field's corpora, in lower case, and what they stand for."""

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s_\-./:]+")


def natural_name(name: str) -> str:
    """The words for a label: split at ``_ - /`` and camel case, lower-cased, spelled out.

    >>> natural_name("GardenPest"), natural_name("WORK_OF_ART"), natural_name("PER")
    ('garden pest', 'work of art', 'person')
    """
    words = [word.lower() for word in _BOUNDARY.split(name.strip()) if word]
    return " ".join(WELL_KNOWN.get(word, word) for word in words) or name
