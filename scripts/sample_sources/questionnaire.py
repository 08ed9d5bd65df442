"""A Swedish region's questionnaire: two JSON Lines files, a return per line, closed items and comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sample_sources.bank import FIRST_DAY, LAST_DAY, Bank, Entry
from sample_sources.files import json_line, write_lines
from sample_sources.people import draw_person, pick
from sample_sources.planting import PlantedDefect, Planting

SOURCE_SLUG = "norrsjo_questionnaire"
SEED = 20241002
RETURNS = 300
STOCKHOLM = ZoneInfo("Europe/Stockholm")
SERVICES = {
    "vardcentral": ("Vårdcentral", 80),
    "barnmorska": ("Barnmorskemottagning", 110),
    "ortopedi": ("Ortopedmottagning", 45),
    "psykiatri": ("Psykiatrimottagning", 35),
    "diabetes": ("Diabetesmottagning", 40),
    "digital": ("Digital vård", 30),
}
SITES = {"Norrsjö": 55, "Älvbacka": 30, "Kvarnviken": 15}
LANGUAGES = {
    "Svenska": 78,
    "Engelska": 5,
    "Arabiska": 5,
    "Somaliska": 3,
    "Dari": 3,
    "Tigrinja": 2,
    "Finska": 2,
    "Ukrainska": 2,
}
SEXES = {"Female": "Kvinna", "Male": "Man", "Other": "Annat", "": None}
YES_NO = {"Yes": "Ja", "No": "Nej", "": None}
QUALITY = {
    "very_positive": 0.97,
    "positive": 0.85,
    "neutral": 0.68,
    "mixed": 0.55,
    "negative": 0.42,
    "very_negative": 0.15,
}
DECISION_SUPPORT = date(2025, 10, 1)
"""The midwives begin to use decision support: the planted change for the better in shared decisions."""


@dataclass
class Return:
    day: date
    service: str
    quality: float
    good: str | None = None
    improve: str | None = None
    entries: list[Entry] = field(default_factory=list)
    is_english: bool = False


def make_questionnaire(bank: Bank, into: Path, planting: Planting) -> None:
    """Write the two yearly files below `into`/norrsjo_questionnaire and note what was planted in them."""
    random = Random(SEED)  # noqa: S311 - seeded, so that the files come out the same
    returns = sorted(_returns(random, bank), key=lambda each: (each.day, each.service))
    files: dict[str, list[dict[str, Any] | str]] = {"enkat_2025.jsonl": [], "enkat_2026.jsonl": []}
    for number, each in enumerate(returns, start=1):
        name = "enkat_2025.jsonl" if each.day < date(2025, 10, 1) else "enkat_2026.jsonl"
        record = _record(random, number, each)
        if name == "enkat_2026.jsonl":
            record["kampanj"] = "höst" if each.day.month >= 10 else "vår"
        files[name].append(record)
        for entry in each.entries:
            planting.add_identifiers(SOURCE_SLUG, record["svarsId"], entry.identifiers)
    planting.defects.append(PlantedDefect(SOURCE_SLUG, "enkat_2026.jsonl", 0, "", "unknown_column"))
    _plant_defects(random, files, planting)
    for name, records in files.items():
        write_lines(
            into / "norrsjo_questionnaire" / name,
            [r if isinstance(r, str) else json_line(r) for r in records],
        )


def _returns(random: Random, bank: Bank) -> list[Return]:
    told: list[Return] = []
    for entries, is_english in ((bank.survey_sv, False), (bank.survey_en, True)):
        good = [_placed(random, entry, is_english) for entry in entries if entry.question == "good"]
        for entry in entries:
            if entry.question == "good":
                continue
            each = _placed(random, entry, is_english)
            suited = [
                one
                for one in good
                if one.improve is None and one.quality < 0.9 and not one.entries[0].has_own_voice
            ]
            if (
                entry.sentiment in {"neutral", "mixed", "negative"}
                and not entry.has_own_voice
                and suited
                and random.random() < 0.35
            ):
                partner = random.choice(suited)
                partner.improve, partner.quality = entry.text, (partner.quality + each.quality) / 2
                partner.entries.append(entry)
            else:
                told.append(each)
        told += good
    silent = [
        Return(_day(random, FIRST_DAY, LAST_DAY), _service(random), random.triangular(0.3, 1.0, 0.9))
        for _ in range(max(0, RETURNS - len(told)))
    ]
    for each in told + silent:
        if each.good is None and not each.is_english and random.random() < 0.3 and each.quality > 0.5:
            each.good = random.choice(bank.repeated["sv_good"])
        if each.improve is None and not each.is_english and random.random() < 0.35:
            each.improve = random.choice(bank.repeated["sv_improve"])
    return told + silent


def _placed(random: Random, entry: Entry, is_english: bool) -> Return:
    service = random.choice(entry.services) if entry.services else _service(random)
    each = Return(
        _day(random, entry.since, entry.until),
        service,
        QUALITY[entry.sentiment],
        entries=[entry],
        is_english=is_english,
    )
    setattr(each, "good" if entry.question == "good" else "improve", entry.text)
    return each


def _service(random: Random) -> str:
    return pick(random, {code: weight for code, (_, weight) in SERVICES.items()})


def _day(random: Random, since: date, until: date) -> date:
    return since + timedelta(days=random.randrange((until - since).days + 1))


def _record(random: Random, number: int, each: Return) -> dict[str, Any]:
    person = draw_person(random, each.service, each.entries[0] if each.entries else None, LANGUAGES)
    moment = datetime(
        each.day.year,
        each.day.month,
        each.day.day,
        random.randrange(7, 23),
        random.randrange(60),
        random.randrange(60),
        tzinfo=STOCKHOLM,
    )
    shared = each.quality
    if each.service == "barnmorska":
        shared = min(1.0, each.quality * (0.8 if each.day < DECISION_SUPPORT else 1.15))

    def item(low: int, high: int, quality: float, missing: float = 0.05) -> int | None:
        if random.random() < missing:
            return None
        return max(low, min(high, round(low + (high - low) * (quality + random.gauss(0, 0.08)))))

    return {
        "svarsId": f"NS-{number:06d}",
        "version": 1,
        "patient": f"P{random.randrange(10**7):07d}",
        "inkommet": moment.isoformat(),
        "enhet": SERVICES[each.service][0],
        "ort": pick(random, SITES),
        "kanal": pick(random, {"1177": 60, "SMS": 25, "Papper": 15}),
        "status": "besvarad",
        "collaborate_1": item(0, 9, shared),
        "collaborate_2": item(0, 9, shared + 0.03),
        "collaborate_3": item(0, 9, shared - 0.05),
        "begriplig_information": item(1, 5, each.quality),
        "biverkningar_forklarade": random.choice(["ej aktuellt", item(1, 5, each.quality - 0.1)]),
        "latt_att_na_oss": item(1, 5, each.quality - 0.1),
        "hjalp_med_vardtexter": item(1, 5, 0.25 if person.language != "Svenska" else 0.75),
        "klarar_egenvard": item(0, 10, each.quality),
        "skulle_rekommendera": item(0, 10, each.quality),
        "helhet": item(1, 5, each.quality, missing=0.02),
        "bra": each.good,
        "battre": each.improve,
        "aldersgrupp": person.age_band or None,
        "kon": SEXES[person.sex],
        "sprak": ("Engelska" if each.is_english and person.language == "Svenska" else person.language)
        or None,
        "omradesindex": int(person.quintile) if person.quintile else None,
        "funktionsnedsattning": YES_NO[person.disability],
    }


def _plant_defects(random: Random, files: dict[str, list[dict[str, Any] | str]], planting: Planting) -> None:
    taken: set[str] = set()
    noted: list[tuple[str, dict[str, Any] | str, str]] = []

    def change(name: str, defect: str, **fields: Any) -> dict[str, Any]:
        record = random.choice([r for r in files[name] if isinstance(r, dict) and r["svarsId"] not in taken])
        assert isinstance(record, dict)
        taken.add(record["svarsId"])
        record.update(fields)
        noted.append((name, record, defect))
        return record

    first, second = files
    change(first, "answer_out_of_range", collaborate_2=11)
    change(second, "answer_out_of_range", klarar_egenvard=-1)
    for name in (first, first, second):
        change(name, "withdrawn", status="återtagen")
    for name in (first, second):
        record = change(name, "duplicate_row")
        noted.pop()
        repeated = dict(record)
        files[name].append(repeated)
        noted.append((name, repeated, "duplicate_row"))
    edited = dict(change(first, "edited_later")) | {"version": 2, "helhet": 1}
    files[second].append(edited)
    noted.append((second, edited, "edited_later"))
    change(second, "unreadable_date", inkommet="2026-02-30T10:15:00+01:00")
    broken = '{"svarsId": "NS-000999", "version": 1, "patient": "P0000'
    files[second].append(broken)
    noted.append((second, broken, "unreadable_line"))
    for name, planted, defect in noted:
        number = next(number for number, record in enumerate(files[name], start=1) if record is planted)
        ref = planted["svarsId"] if isinstance(planted, dict) else ""
        planting.defects.append(PlantedDefect(SOURCE_SLUG, name, number, ref, defect))
