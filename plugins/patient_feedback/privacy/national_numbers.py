"""National identity numbers, told from other numbers by their check digits.

NHS number: ten digits, weights 10 to 2, modulo 11 (NHS Data Dictionary, "NHS NUMBER").
Swedish personal and coordination numbers: ten or twelve digits, Luhn over the last ten, the day of a
coordination number raised by 60 (Skatteverket, SKV 704 and SKV 707).
"""

from __future__ import annotations

import regex

from patient_feedback.privacy.entities import Entity, NumberRule


def is_nhs_number(text: str) -> bool:
    """Say whether the digits of `text` are an NHS number with a true check digit."""
    digits = _digits(text)
    if len(digits) != 10 or digits[0] == 0 or len(set(digits)) == 1:
        return False
    check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return check != 10 and check % 11 == digits[9]


def is_swedish_personal_number(text: str) -> bool:
    """Say whether the digits of `text` are a Swedish number, of either kind, with a true check digit."""
    digits = _digits(text)[-10:]
    if len(digits) != 10:
        return False
    doubled = (digit * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character in "0123456789"]


_DAY = r"(?:0[1-9]|1[0-2])[-/]?(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"
_PERSONAL_NUMBER = rf"(?:(?:18|19|20)\d\d[-/]?|\d\d){_DAY}\s?[-+–]?\s?\d{{4}}"

RULES = (
    NumberRule(
        Entity.NHS_NUMBER, regex.compile(r"(?<![\w+])\d{3}[ -]?\d{3}[ -]?\d{4}(?!\w)"), 1.0, is_nhs_number
    ),
    NumberRule(
        Entity.NHS_NUMBER,
        regex.compile(
            r"(?i)\bnhs\s?(?:number|num|nr|no)?\b[\s.:#=-]{0,4}(?:is\s|was\s)?\s?(?P<identifier>\d"
            r"(?:[ -]?\d){8,10})(?!\d)"
        ),
        1.0,
    ),
    NumberRule(
        Entity.SWEDISH_PERSONAL_NUMBER,
        regex.compile(rf"(?<![\w+-]){_PERSONAL_NUMBER}(?!\w)"),
        1.0,
        is_swedish_personal_number,
    ),
    NumberRule(
        Entity.SWEDISH_PERSONAL_NUMBER,
        regex.compile(
            r"(?i)\b(?:personnummer|personnumret|personnr|person\snr|pnr|samordningsnummer"
            r"|personal\sidentity\snumber"
            r"|swedish\s(?:id|personal)\snumber)\b[\s.:#=-]{0,4}(?:är\s|var\s|is\s|was\s)?\s?"
            r"(?P<identifier>\d{6}(?:\d\d)?\s?[-+–]?\s?(?:\d{4})?)(?!\d)"
        ),
        1.0,
    ),
)
