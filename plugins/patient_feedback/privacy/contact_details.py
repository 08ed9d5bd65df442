"""Telephone numbers, e-mail addresses, web addresses and network addresses."""

from __future__ import annotations

import regex

from patient_feedback.privacy.entities import Entity, NumberRule, Rule

_DATE_OR_TIME = regex.compile(
    r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{2} \d{2} (?:19|20)\d\d"
    r"|\d{1,2}[.:]\d{2}(?:\s?[-–]\s?|\s)\d{1,2}[.:]\d{2}.*"
)


def is_no_date_or_time(text: str) -> bool:
    return _DATE_OR_TIME.match(text) is None


def _is_ip_address(text: str) -> bool:
    return all(int(part) < 256 for part in text.split("."))


_SEPARATOR = r"[ .()/-]{0,2}"
_PHONE_WORD = (
    r"(?:phone|telephone|tel|mobile|mob|cell|landline|ring|rang|call|called|text|texted|reach|contact"
    r"|whatsapp|fax"
    r"|telefon|telefonnummer|telefonnr|mobil|mobilnummer|tfn|nås|ringa|ringde|sms)"
)

PHONE_RULES = (
    NumberRule(
        Entity.PHONE,
        regex.compile(
            rf"(?<![\w+])(?:\+|00)[1-9]\d{{0,2}}(?:{_SEPARATOR}\(0\))?(?:{_SEPARATOR}\d){{6,12}}(?!\d)"
        ),
        0.9,
        is_no_date_or_time,
    ),
    # Ten or eleven digits from a 0 on: a British number, or a Swedish one.
    NumberRule(
        Entity.PHONE,
        regex.compile(rf"(?<![\w+./])\(?0(?:{_SEPARATOR}\d){{9,10}}(?!\d)"),
        0.9,
        is_no_date_or_time,
    ),
    # Shorter Swedish numbers are told by the hyphen after the area code.
    NumberRule(
        Entity.PHONE,
        regex.compile(r"(?<![\w+./-])0\d{1,3}\s?[-/–]\s?\d{2,3}(?:[ -]?\d{2,3}){1,3}(?![\d-])"),
        0.8,
        is_no_date_or_time,
    ),
    NumberRule(
        Entity.PHONE,
        regex.compile(
            rf"(?i)\b{_PHONE_WORD}\b[\s.:]{{0,3}}(?:(?:number|no|nr|is|was|me|us|her|him|on|at|är|på"
            rf"|mig|oss)\b[\s.:]{{0,3}}){{0,4}}"
            rf"(?P<identifier>\(?\d(?:{_SEPARATOR}\d){{5,11}})(?!\d)"
        ),
        0.8,
        is_no_date_or_time,
    ),
)

EMAIL_RULES = (
    Rule(Entity.EMAIL, regex.compile(r"(?<![\w.+%'-])[\w.+%'-]++@[\w-]++(?:\.[\w-]++)++"), 1.0),
    Rule(
        Entity.EMAIL,
        regex.compile(
            r"(?i)(?<![\w.+%'-])(?:[\w+-]{1,40}\s(?:dot|punkt)\s){0,3}[\w.+%'-]++\s?(?:\(at\)|\[at\]"
            r"|\sat\s|@|\ssnabel-a\s)\s?"
            r"(?:gmail|hotmail|outlook|yahoo|icloud|live|btinternet|telia|nhs)(?:\s?(?:\.|\bdot\b"
            r"|\bpunkt\b)\s?[a-z]{2,4}\b){1,2}"
        ),
        1.0,
    ),
)

URL_RULES = (
    Rule(Entity.URL, regex.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"\[\]]+(?<![.,;:!?)'’])"), 0.95),
    Rule(
        Entity.URL,
        regex.compile(
            r"(?<![\w@.-])(?:[A-Za-z0-9][A-Za-z0-9-]{1,62}\.){1,4}(?:com|org|co\.uk|org\.uk|nhs\.uk"
            r"|gov\.uk|ac\.uk|nhs\.net)"
            r"\b(?:/[^\s<>\"\[\]]*(?<![.,;:!?)'’]))?"
        ),
        0.9,
    ),
    # "se" and "nu" are Swedish words: "bra.se" is mostly a forgotten blank, unless a word points to a site.
    Rule(
        Entity.URL,
        regex.compile(
            r"(?i)(?:\b(?:på|via|at|on|to|see|visit|from|besök|sidan|webbplatsen|hemsidan)\s"
            r"(?P<identifier>(?:[a-z0-9][a-z0-9-]{1,62}\.){1,4}"
            r"(?:se|nu|net|eu|info)\b(?:/[^\s<>\"\[\]]*(?<![.,;:!?)'’]))?))"
        ),
        0.9,
    ),
    Rule(
        Entity.URL,
        regex.compile(
            r"(?i)(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{1,62}\.){1,4}(?:se|nu|net|eu"
            r"|info)/[^\s<>\"\[\]]*(?<![.,;:!?)'’])"
        ),
        0.9,
    ),
)

IP_RULES = (
    NumberRule(
        Entity.IP_ADDRESS,
        regex.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)"),
        0.9,
        _is_ip_address,
    ),
)

RULES = (*PHONE_RULES, *EMAIL_RULES, *URL_RULES, *IP_RULES)
