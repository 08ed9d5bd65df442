"""Where somebody lives: postcodes and street addresses, British and Swedish. Names of towns stay."""

from __future__ import annotations

import regex

from patient_feedback.privacy.entities import Entity, NumberRule, Rule
from patient_feedback.privacy.lexicon import listed

# The 124 postcode areas (Royal Mail); they keep "B12 3rd" and the like apart from postcodes.
_AREAS = listed("postcode_areas")
_ORDINAL = regex.compile(r"\d(?:st|nd|rd|th)")


def _is_british_postcode(text: str) -> bool:
    area = regex.match(r"[A-Za-z]+", text)
    return area is not None and area.group().upper() in _AREAS and _ORDINAL.fullmatch(text[-3:]) is None


_WORD = r"[A-ZÅÄÖÉ][\w'’.-]{1,20}"
_SUFFIX = (
    r"(?:[Ss]treet|STREET|[Rr]oad|ROAD|[Aa]venue|AVENUE|[Ll]ane|LANE|[Cc]rescent|CRESCENT|[Tt]errace"
    r"|TERRACE|[Mm]ews|Close|CLOSE"
    r"|Drive|DRIVE|Court|COURT|Place|Gardens|GARDENS|Grove|GROVE|Way|Square|SQUARE|Hill|Park|View|Row"
    r"|Walk|Green|Rise|Vale"
    r"|Cottages?|Fold|Croft|Meadows?|Bank|Villas|Parade|Wharf|Quay|Yard|Chase|Garth|Dene|Orchard"
    r"|Heights|Path|Broadway"
    r"|Wynd|St|Rd|RD|Ave|Ln|Cres|Terr|Gdns|Cl|Dr)"
)
_FLAT = r"(?:(?i:flat|apartment|apt)\s?\d{1,4}[A-Za-z]?,?\s)?"
_NOT_A_STREET_NAME = (
    r"(?!(?:the|a|an|my|our|your|this|that|down|up|along|across|of|in|on|by|from|off|over|to|with|and"
    r"|or|for|at|per|x|way"
    r"|minutes?|mins?|hours?|hrs?|miles?|yards?|metres?|meters?|km|weeks?|days?|months?|years?|times"
    r"|people|cars?|patients?"
    r"|busy|main|wrong|right|long|dual|different|separate|single|other|more|lanes?|am|pm|oclock)\b)"
)
_SWEDISH_STREET = (
    r"(?:[A-ZÅÄÖ][a-zåäöé]{1,20}\s){0,2}[A-ZÅÄÖ]?[\wåäöé]{2,25}(?:gatan|vägen|gränden?"
    r"|torget|stigen|backen|allén|esplanaden|leden|kajen)"
)

RULES = (
    NumberRule(
        Entity.POSTCODE,
        regex.compile(r"(?i)(?<![\w£-])(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[ABD-HJLNP-UW-Z]{2}|GIR\s?0AA)(?!\w)"),
        0.95,
        _is_british_postcode,
    ),
    NumberRule(
        Entity.POSTCODE,
        regex.compile(
            r"(?i)\bpost\s?code\b[\s:,]{0,3}(?:(?:is|was|area)\s){0,2}"
            r"(?P<identifier>[A-Z]{1,2}\d[A-Z\d]?(?:\s?\d[A-Z]{2})?)(?!\w)"
        ),
        0.9,
    ),
    # A place, the country's letters or the word tells a Swedish postcode from a blood pressure.
    NumberRule(
        Entity.POSTCODE,
        regex.compile(r"(?<!\w)(?:SE?[- ])?[1-9]\d\d\s\d\d(?=\s[A-ZÅÄÖ][a-zåäö]{2,}|\s[A-ZÅÄÖ]{3,})"),
        0.85,
    ),
    NumberRule(Entity.POSTCODE, regex.compile(r"(?<!\w)SE?-[1-9]\d\d\s?\d\d(?!\w)"), 0.85),
    NumberRule(
        Entity.POSTCODE,
        regex.compile(
            r"(?i)\b(?:postnummer|postnumret|postnr)\b[\s:]{0,3}(?:är\s|var\s)?"
            r"(?P<identifier>[1-9]\d\d\s?\d\d)(?!\w)"
        ),
        0.9,
    ),
    NumberRule(
        Entity.ADDRESS,
        regex.compile(rf"(?<!\w){_FLAT}\d{{1,4}}[A-Za-z]?,?\s(?:{_WORD}\s){{1,3}}{_SUFFIX}\b"),
        0.85,
    ),
    NumberRule(
        Entity.ADDRESS,
        regex.compile(
            rf"(?i)(?<!\w){_FLAT}\d{{1,4}}[a-z]?,?\s(?:{_NOT_A_STREET_NAME}[a-z'’]{{3,20}}\s){{1,2}}"
            r"(?:street|road|avenue|lane|crescent|terrace)\b"
        ),
        0.8,
    ),
    Rule(
        Entity.ADDRESS,
        regex.compile(
            rf"\b(?i:live|lives|lived|living|resides?|address\sis|address:|home\sis|home\sin|house\s"
            rf"(?:in|on))\s(?i:(?:at|on|in|the)\s){{0,2}}"
            rf"(?P<identifier>(?:{_WORD}\s){{1,3}}{_SUFFIX})\b"
        ),
        0.8,
    ),
    NumberRule(
        Entity.ADDRESS,
        regex.compile(
            r"(?i)\b(?:flat|apartment|apt)\s?\d{1,4}[a-z]?,\s(?:[A-Z][\w'’-]{1,20}\s){1,3}(?:house"
            r"|court|tower|lodge|mansions|buildings)\b"
        ),
        0.8,
    ),
    NumberRule(
        Entity.ADDRESS,
        regex.compile(
            rf"(?<!\w){_SWEDISH_STREET}\s\d{{1,3}}(?:\s?[A-Ha-h])?(?!\w)(?:,?\s(?:lgh"
            rf"|lägenhet)\s?\d{{1,4}})?"
        ),
        0.85,
    ),
    Rule(
        Entity.ADDRESS,
        regex.compile(
            rf"(?i:\b(?:bor|bodde|boende|hemma|adress|adressen)\s(?:är\s|på\s|i\s|vid\s){{1,2}})"
            rf"(?P<identifier>{_SWEDISH_STREET})\b"
        ),
        0.8,
    ),
)
