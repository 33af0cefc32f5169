"""What the source stage asks for: the source corpus' types in many words, and word lists."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Concept:
    """Something to ask for.

    Attributes:
        names: Ways to say it in a question.
        description: A clause that defines it.
        types: Types of the source corpus it covers, exact or by their part before the hyphen.
        words: For concepts outside the corpus: lower-case words that are its mentions.
    """

    names: tuple[str, ...]
    description: str
    types: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def covers(self, label: str) -> bool:
        """Whether a type of the source corpus belongs to this concept."""
        return label in self.types or label.partition("-")[0] in self.types


def _types(names: str, description: str, types: str) -> Concept:
    return Concept(tuple(names.split("|")), description, types=frozenset(types.split()))


def _words(names: str, description: str, words: str) -> Concept:
    return Concept(tuple(names.split("|")), description, words=frozenset(words.split()))


COARSE = (
    _types(
        "person|person|person|people|person name|name of a person|individual|human|human being"
        "|named person|PER|PERSON",
        "names of people, real or fictional",
        "person",
    ),
    _types(
        "location|location|place|place|place name|geographical location|named place|LOC|LOCATION"
        "|region or place",
        "names of places: countries, cities, regions, mountains, roads",
        "location",
    ),
    _types(
        "organization|organization|organisation|organisation|ORG|institution|group or organization"
        "|company or institution|named organization|ORGANIZATION",
        "names of companies, institutions, teams and other groups",
        "organization",
    ),
    _types(
        "building|facility|building or facility|structure|FAC",
        "names of buildings and other facilities",
        "building",
    ),
    _types(
        "event|named event|EVENT|historical event|happening",
        "names of wars, disasters, protests and other events",
        "event",
    ),
    _types(
        "creative work|work of art|title of a work|creative-work|artwork or title|WORK_OF_ART",
        "titles of films, programmes, books, songs and other works",
        "art",
    ),
    _types(
        "product|PRODUCT|product name|commercial product|thing that is made or sold",
        "names of things that people make: vehicles, software, food",
        "product",
    ),
)
"""Broad concepts; asked only where every name in the text is annotated."""

FINE = (
    _types("film|movie|film title|motion picture", "titles of films", "art-film"),
    _types(
        "TV or radio program|television show|broadcast|TV series",
        "titles of television and radio programmes",
        "art-broadcastprogram",
    ),
    _types("airport|airfield", "names of airports", "building-airport"),
    _types("hotel|hotel or inn", "names of hotels", "building-hotel"),
    _types("restaurant|place to eat", "names of restaurants and bars", "building-restaurant"),
    _types(
        "sports facility|stadium|arena|sports venue",
        "names of stadiums and other sports grounds",
        "building-sportsfacility",
    ),
    _types(
        "battle or war|war|military conflict|armed conflict|attack",
        "names of wars, battles and attacks",
        "event-attack/battle/war/militaryconflict",
    ),
    _types("disaster|natural disaster|catastrophe", "names of disasters", "event-disaster"),
    _types("protest|uprising|revolution", "names of protests and revolts", "event-protest"),
    _types(
        "country, city or state|geopolitical entity|GPE|country or city|political region"
        "|country, town or nationality",
        "countries, states, cities and towns, and words for their people",
        "location-GPE",
    ),
    _types("island|island or islands", "names of islands", "location-island"),
    _types("mountain|mountain or range|hill or mountain|peak", "mountains", "location-mountain"),
    _types(
        "road|road or railway|street|transit line|route|highway",
        "names of streets, roads, railways and lines",
        "location-road/railway/highway/transit",
    ),
    _types(
        "company|corporation|business|firm|company name", "names of firms", "organization-company"
    ),
    _types(
        "school or university|university|school|educational institution|college",
        "names of schools, colleges and universities",
        "organization-education",
    ),
    _types(
        "newspaper or media outlet|media outlet|newspaper|publisher or broadcaster",
        "newspapers, magazines, stations and other media",
        "organization-media/newspaper",
    ),
    _types(
        "sports league|league|sports competition", "names of leagues", "organization-sportsleague"
    ),
    _types(
        "sports team|team|sports club|football club or team",
        "names of sports teams",
        "organization-sportsteam",
    ),
    _types(
        "astronomical object|star or planet|celestial body",
        "stars, planets, galaxies and other bodies in space",
        "other-astronomything",
    ),
    _types("award|prize|award or honour|medal", "names of prizes and honours", "other-award"),
    _types(
        "biological term|gene or protein|protein|biochemical term|molecule of life",
        "genes, proteins, cells and other terms of biology",
        "other-biologything",
    ),
    _types(
        "disease|illness|medical condition|disorder|sickness",
        "names of diseases and disorders of people, and of what is wrong with them",
        "other-disease",
    ),
    _types("god|deity|god or goddess|mythical being", "names of gods", "other-god"),
    _types("language|human language|spoken language", "names of languages", "other-language"),
    _types("law|law or treaty|legislation|legal act", "names of laws and treaties", "other-law"),
    _types(
        "artist or author|artist|writer|musician or author|musician",
        "people who write, sing, play or paint",
        "person-artist/author",
    ),
    _types("film director|director|film-maker", "people who direct films", "person-director"),
    _types(
        "politician|political figure|statesman|head of state or politician",
        "people in politics and government",
        "person-politician",
    ),
    _types(
        "soldier|military officer|military person", "people who serve in arms", "person-soldier"
    ),
    _types("aircraft|airplane|plane", "names of aircraft and their types", "product-airplane"),
    _types("food|food or drink|dish|edible thing", "things to eat and drink", "product-food"),
    _types("ship|vessel|boat or ship", "names of ships", "product-ship"),
    _types(
        "software|computer program|app or software|operating system",
        "programs, systems and file formats",
        "product-software",
    ),
)
"""Narrow concepts; the corpus annotates them completely."""

WORDS = (
    _words(
        "profession|occupation|job|job title|role",
        "words for what people do for a living",
        "actor actress singer writer author poet composer director producer teacher professor "
        "lawyer judge doctor nurse engineer architect painter sculptor musician guitarist drummer "
        "journalist editor politician president minister governor mayor senator king queen priest "
        "bishop coach goalkeeper midfielder defender striker pitcher manager captain soldier "
        "general officer scientist historian philosopher economist farmer merchant chef dancer "
        "photographer programmer designer footballer cricketer wrestler boxer pilot sailor "
        "secretary chairman ambassador novelist screenwriter pianist violinist conductor "
        "actors singers writers authors poets teachers doctors engineers soldiers artists artist",
    ),
    _words(
        "family member|relative|kinship term",
        "words for relations in a family",
        "father mother son daughter brother sister wife husband uncle aunt cousin grandfather "
        "grandmother nephew niece sons daughters brothers sisters parents children grandson "
        "granddaughter siblings mother-in-law stepfather widow twins",
    ),
    _words(
        "colour|color",
        "words for colours",
        "red blue green yellow white black brown grey gray purple orange pink golden violet "
        "scarlet crimson turquoise",
    ),
    _words(
        "sport|kind of sport|game or sport",
        "names of sports",
        "football soccer basketball baseball cricket rugby tennis golf hockey swimming athletics "
        "boxing wrestling volleyball handball cycling rowing skiing skating badminton chess "
        "fencing gymnastics lacrosse softball",
    ),
    _words(
        "musical instrument|instrument",
        "things that people make music with",
        "guitar piano drums violin bass keyboards saxophone trumpet flute cello organ harmonica "
        "banjo mandolin synthesizer percussion keyboard clarinet trombone accordion harp",
    ),
    _words(
        "vehicle|means of transport",
        "things that people travel in",
        "car cars bus buses train trains ship ships boat boats aircraft airplane plane helicopter "
        "truck trucks tram trams bicycle motorcycle van ferry locomotive submarine tank tanks",
    ),
    _words(
        "material|substance",
        "what things are made of",
        "wood stone brick glass steel iron gold silver copper bronze concrete plastic leather "
        "marble cotton silk wool paper sand clay granite limestone aluminium timber",
    ),
    _words(
        "building type|kind of building",
        "words for buildings and rooms",
        "church house school hospital castle tower bridge station museum library theatre theater "
        "palace temple factory prison hotel cathedral chapel monastery courthouse barn mill "
        "houses churches schools buildings building apartment",
    ),
    _words(
        "body part|part of the body",
        "parts of the bodies of people and animals",
        "head hand hands arm arms leg legs foot feet eye eyes heart brain knee shoulder skin blood "
        "neck back hair face nose mouth tail wing wings stomach liver lung lungs bone bones",
    ),
    _words(
        "time expression|date|point in time|period of time",
        "days, months and periods",
        "january february march april june july august september october november december "
        "monday tuesday wednesday thursday friday saturday sunday today yesterday tomorrow year "
        "years month months week weeks day days century decade decades summer winter spring autumn",
    ),
    _words(
        "animal|kind of animal",
        "words for mammals, birds and fish",
        "dog dogs cat cats horse horses cow cows cattle sheep pig pigs wolf wolves bear bears lion "
        "lions tiger elephant elephants fish whale whales bird birds eagle duck ducks chicken deer "
        "fox monkey goat goats shark sharks dolphin camel",
    ),
    _words(
        "school subject|academic field|field of study",
        "fields that people study",
        "mathematics physics chemistry biology history philosophy law medicine engineering "
        "economics psychology literature music art geography theology sociology linguistics "
        "politics journalism architecture astronomy business education",
    ),
)
"""Concepts of common nouns, from word lists written for nerloop; they teach that not only
capitalised names are asked for."""
