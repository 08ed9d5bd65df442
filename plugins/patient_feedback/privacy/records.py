"""Numbers of records, cases and bookings, and dates of birth."""

from __future__ import annotations

import regex

from patient_feedback.privacy.contact_details import is_no_date_or_time
from patient_feedback.privacy.entities import Entity, NumberRule

_COMPACT_DATE = regex.compile(r"20[0-3]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_YEARS = regex.compile(r"(?:19|20)\d\d(?:[-/](?:19|20)?\d\d)?")


def _is_reference(text: str) -> bool:
    return is_no_date_or_time(text) and _YEARS.fullmatch(text) is None


def _is_long_number(text: str) -> bool:
    return _COMPACT_DATE.fullmatch(text) is None


_LABEL = (
    r"(?:hospital|hosp|patient|medical\srecord|record|records|case|booking|appointment|incident"
    r"|complaint|referral|reference"
    r"|job|crew|badge|ticket|staff|employee|id|file|episode|claim|account|policy|registration|vehicle"
    r"|call\s?sign|mrn|nhs\slogin|unit)"
)
_SWEDISH_LABEL = (
    r"(?:(?:journal|ärende|patient|boknings?|referens|remiss|diarie|anmälnings|kund|kallelse|löp"
    r"|reserv|id|lma|besöks|skade)[- ]?"
    r"(?:nummer|numret|nr|id)|dnr|diarienr|bokningskod|referens)"
)
_IDENTIFIER = (
    r"(?P<identifier>(?:(?!(?i:id|no|nr|num|ref|is|was"
    r"|är)\b)[A-Za-z]{1,4}[-/ ]?)?\d[\dA-Z/-]{2,19}(?:\s\d{2,6}){0,4})(?![\w])"
)
_SHORT_IDENTIFIER = (
    r"(?P<identifier>(?:(?!(?:ID|NO|NR|NUM|REF)\b)[A-Z]{1,4}[-/ ]?)?\d[\dA-Z/-]{4,19})(?![\w])"
)

_MONTH = (
    r"(?:jan(?:uary|uari)?|feb(?:ruary|ruari)?|mar(?:ch|s)?|apr(?:il)?|may|maj|june?|juni|july?|juli"
    r"|aug(?:ust|usti)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|:e)?(?:\sof)?[\s-]{_MONTH}(?:,?[\s-]\d{{4}}|,?[\s-]'?\d\d(?!\w))?"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?!\d)(?:,?\s\d{{4}})?"
    r"|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}\s?[./ -]\s?\d{1,2}\s?[./ -]\s?(?:\d{4}|\d\d)|\d{8}"
    r"|\d{6})(?!\d)"
)

_FULL_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|:e)?(?:\sof)?[\s-]{_MONTH},?[\s-]\d{{4}}|{_MONTH}\s\d{{1,2}}(?:st|nd"
    rf"|rd|th)?,?\s\d{{4}}"
    r"|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d))(?!\d)"
)

RULES = (
    # "hospital number RVX 123456", "Incident no 25153582", "crew no2570"
    NumberRule(
        Entity.RECORD_NUMBER,
        regex.compile(
            rf"\b(?i:{_LABEL})[\s:]{{0,2}}(?:(?i:number|num|no|nr|id|ref|reference|code)\b|(?i:no)(?=\d)|#)"
            rf"[\s.:#=-]{{0,4}}(?i:is\s|was\s|of\s)?{_IDENTIFIER}"
        ),
        0.75,
        _is_reference,
    ),
    NumberRule(
        Entity.RECORD_NUMBER,
        regex.compile(
            rf"\b(?i:ref|reference|mrn|{_SWEDISH_LABEL})\b[\s.:#=-]{{0,4}}(?i:is\s|was\s|är\s"
            rf"|var\s)?{_IDENTIFIER}"
        ),
        0.75,
        _is_reference,
    ),
    NumberRule(
        Entity.RECORD_NUMBER,
        regex.compile(rf"\b(?i:{_LABEL})[\s:#-]{{1,3}}(?i:is\s|was\s)?{_SHORT_IDENTIFIER}"),
        0.7,
        _is_reference,
    ),
    # A long number means nothing in feedback but whom or what it names, labelled or not.
    NumberRule(
        Entity.RECORD_NUMBER,
        regex.compile(r"(?<![\w.,£$€+])\d{8,20}(?![\w])(?!\s?(?:kr|sek|kronor|pounds))"),
        0.4,
        _is_long_number,
    ),
    NumberRule(Entity.RECORD_NUMBER, regex.compile(r"(?<![\w-])\d{6}[-+]\d{4}(?![\w-])"), 0.4),
    NumberRule(Entity.RECORD_NUMBER, regex.compile(r"(?<!\w)[A-Z]{1,4}[-/]?\d{6,10}(?!\w)"), 0.4),
    NumberRule(
        Entity.DATE_OF_BIRTH,
        regex.compile(
            r"(?i)(?:\b(?:born|dob|d\.\s?o\.\s?b|date\sof\sbirth|birth\s?date|birthday|född|födda"
            r"|föddes|födelsedatum|födelsedag)\b|(?<!\w)f\.)"
            r"[\s.:=,(-]{0,4}(?:(?:is|was|on|in|the|my|her|his|den|är|var|hon|han|jag|(?:mon|tues"
            r"|wednes|thurs|fri|satur|sun)day)\b[\s:,]{0,3}){0,4}"
            rf"(?P<identifier>{_DATE})"
        ),
        0.95,
    ),
    # "born on Ward 2 on 09/12/2025"
    NumberRule(
        Entity.DATE_OF_BIRTH,
        regex.compile(
            rf"(?i)\b(?:born|birth|birthday|född|föddes|födelsedatum)\b[^.!?\n\d]{{0,40}}"
            rf"(?:ward\s\d{{1,3}}[^.!?\n\d]{{0,15}})?(?P<identifier>{_FULL_DATE})"
        ),
        0.9,
    ),
    NumberRule(
        Entity.DATE_OF_BIRTH,
        regex.compile(
            rf"(?i)(?<!\w)(?P<identifier>{_DATE})[\s,(-]{{1,3}}(?:(?:is|was|as|my|är|mitt|min|her"
            rf"|his)\s){{0,3}}(?:dob|d\.o\.b|date\sof\sbirth|birth\s?date|födelsedatum)\b"
        ),
        0.95,
    ),
)
