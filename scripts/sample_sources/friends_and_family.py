"""The Friends and Family Test: eight quarterly CSV files, one row per question and respondent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from sample_sources.bank import FIRST_DAY, LAST_DAY, Bank, Entry
from sample_sources.files import write_csv
from sample_sources.friends_and_family_defects import plant_defects
from sample_sources.people import draw_person, pick
from sample_sources.planting import PlantedDefect, Planting

SOURCE_SLUG = "riverside_fft"
SEED = 20241090
"""Chosen so that only rows with planted dates look doubtful beside their neighbours: a test says if not."""
RESPONDENTS = 690
COLUMNS = (
    "Comment ID", "Respondent ID", "Trust", "Date", "Service", "Team", "Collected by", "FFT answer",
    "Question", "Comment", "Age band", "Sex", "Ethnic group", "First language", "IMD quintile", "Disability",
)  # fmt: skip
TYPOGRAPHIC_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
GOOD = "What was good about your care?"
IMPROVE = "What could we have done better?"
PHONE_CHANGE = date(2025, 11, 1)
"""The urgent treatment centre changes its phone system: the planted change for the worse."""


@dataclass(frozen=True)
class Service:
    trust: str
    name: str
    weight: int
    teams: tuple[str, ...]


RIVERSIDE = "Riverside Community Health Trust"
FENWICK = "Fenwick Valley Hospitals Trust"
SERVICES = {
    "utc": Service(RIVERSIDE, "Urgent Treatment Centre", 24, ("Quayside UTC", "Millgate UTC")),
    "nursing": Service(RIVERSIDE, "Community Nursing", 13, ("Nursing North", "Nursing South")),
    "mh": Service(RIVERSIDE, "Community Mental Health", 10, ("CMHT East", "Talking Therapies")),
    "rehab": Service(RIVERSIDE, "Physiotherapy and Rehabilitation", 9, ("MSK Hub", "Falls Team")),
    "longterm": Service(RIVERSIDE, "Long-term Conditions Clinic", 9, ("Diabetes", "Heart and Lung")),
    "children": Service(RIVERSIDE, "Children's Services", 7, ("Health Visiting", "Speech and Language")),
    "maternity": Service(FENWICK, "Maternity", 13, ("Birth Centre", "Community Midwives", "Postnatal Ward")),
    "outpatients": Service(FENWICK, "Outpatients", 13, ("Eye Clinic", "Cardiology", "Dermatology")),
    "inpatients": Service(FENWICK, "Inpatient Wards", 11, ("Ward 4", "Ward 7", "Stroke Unit")),
    "daysurgery": Service(FENWICK, "Day Surgery", 7, ("Day Surgery Unit",)),
}
RATINGS = {
    "very_positive": {"1": 94, "2": 6},
    "positive": {"1": 62, "2": 36, "3": 2},
    "neutral": {"1": 20, "2": 45, "3": 28, "6": 7},
    "mixed": {"2": 38, "3": 40, "4": 22},
    "negative": {"2": 14, "3": 30, "4": 36, "5": 20},
    "very_negative": {"4": 12, "5": 88},
}
WITHOUT_COMMENT = {"1": 70, "2": 18, "3": 5, "4": 2, "5": 2, "6": 3}
WITHOUT_COMMENT_AFTER_PHONE_CHANGE = {"1": 16, "2": 14, "3": 18, "4": 28, "5": 22, "6": 2}


@dataclass
class Return:
    """One respondent's return, before it becomes two rows."""

    service: str
    day: date
    rating: str
    good: str = ""
    improve: str = ""
    entries: tuple[tuple[str, Entry], ...] = ()


def make_friends_and_family(bank: Bank, into: Path, planting: Planting) -> None:
    """Write the quarterly files below `into`/riverside_fft and note what was planted in them."""
    random = Random(SEED)  # noqa: S311 - seeded, so that the files come out the same
    returns = sorted(_returns(random, bank), key=lambda each: (each.day, each.service))
    files: dict[str, list[dict[str, str]]] = defaultdict(list)
    for number, each in enumerate(returns, start=10_001):
        rows = _rows(random, number, each)
        files[_file_name(each.day)] += rows
        for question, entry in each.entries:
            ref = f"RV{number}-Q1" if question == "good" else f"RV{number}-Q2"
            planting.add_identifiers(SOURCE_SLUG, ref, entry.identifiers)
    plant_defects(random, files, planting, SOURCE_SLUG)
    for name, rows in files.items():
        encoding = {"fft_2025_q1.csv": "cp1252", "fft_2025_q3.csv": "utf-8-sig"}.get(name, "utf-8")
        if encoding == "cp1252":
            planting.defects.append(PlantedDefect(SOURCE_SLUG, name, 0, "", "other_encoding"))
            rows = [row | {"Comment": row["Comment"].replace("'", TYPOGRAPHIC_APOSTROPHE)} for row in rows]
        write_csv(into / "riverside_fft" / name, COLUMNS, [_cells(row) for row in rows], encoding)


def _returns(random: Random, bank: Bank) -> list[Return]:
    good = [_placed(random, entry, "good") for entry in bank.fft if entry.question == "good"]
    improve = [_placed(random, entry, "improve") for entry in bank.fft if entry.question != "good"]
    random.shuffle(improve)
    alone = []
    for each in improve:
        partner = _partner(random, each, good)
        if partner:
            partner.improve, partner.entries = each.improve, partner.entries + each.entries
            is_critical = each.entries[0][1].sentiment == "negative"
            if is_critical and partner.rating == "1" and random.random() < 0.35:
                partner.rating = "2"
        else:
            alone.append(each)
    told = good + alone
    for each in told:
        _fill(random, each, bank)
    return told + [_without_comment(random, bank) for _ in range(max(0, RESPONDENTS - len(told)))]


def _placed(random: Random, entry: Entry, question: str) -> Return:
    service = random.choice(entry.services) if entry.services else _service(random)
    day = entry.since + timedelta(days=random.randrange((entry.until - entry.since).days + 1))
    each = Return(service, day, pick(random, RATINGS[entry.sentiment]), entries=((question, entry),))
    setattr(each, question, entry.text)
    return each


def _service(random: Random) -> str:
    return pick(random, {code: service.weight for code, service in SERVICES.items()})


def _partner(random: Random, each: Return, good: list[Return]) -> Return | None:
    """Return a contented respondent of the same service, whose praise and this wish then stand together."""
    entry = each.entries[0][1]
    chance = {"neutral": 0.9, "negative": 0.75}.get(entry.sentiment, 0.0)
    if entry.has_period or entry.has_own_voice or random.random() >= chance:
        return None
    suited = [
        one
        for one in good
        if one.service == each.service and not one.improve
        and not one.entries[0][1].has_period and not one.entries[0][1].has_own_voice
    ]  # fmt: skip
    return random.choice(suited) if suited else None


def _fill(random: Random, each: Return, bank: Bank) -> None:
    """Give the other question a blank or one of the answers that people give over and over."""
    mood = "positive" if each.rating in {"1", "2", "6"} else "negative"
    for question in ("good", "improve"):
        if getattr(each, question) == "":
            kind = "blank" if random.random() < 0.45 else f"fft_{question}_{mood}"
            setattr(each, question, random.choice(bank.repeated[kind]))


def _without_comment(random: Random, bank: Bank) -> Return:
    service = _service(random)
    day = FIRST_DAY + timedelta(days=random.randrange((LAST_DAY - FIRST_DAY).days + 1))
    is_worse = service == "utc" and day >= PHONE_CHANGE
    ratings = WITHOUT_COMMENT_AFTER_PHONE_CHANGE if is_worse else WITHOUT_COMMENT
    each = Return(service, day, pick(random, ratings))
    _fill(random, each, bank)
    return each


def _rows(random: Random, number: int, each: Return) -> list[dict[str, str]]:
    service = SERVICES[each.service]
    person = draw_person(random, each.service, each.entries[0][1] if each.entries else None)
    shared = {
        "Respondent ID": f"RV{number}",
        "Trust": service.trust,
        "Date": each.day.strftime("%d/%m/%Y"),
        "Service": service.name,
        "Team": random.choice(service.teams),
        "Collected by": pick(random, {"SMS": 55, "Web": 20, "Paper card": 20, "Kiosk": 5}),
        "FFT answer": each.rating,
        "Age band": person.age_band,
        "Sex": person.sex,
        "Ethnic group": person.ethnic_group,
        "First language": person.language,
        "IMD quintile": person.quintile,
        "Disability": person.disability,
    }
    return [
        {**shared, "Comment ID": f"RV{number}-Q1", "Question": GOOD, "Comment": each.good},
        {**shared, "Comment ID": f"RV{number}-Q2", "Question": IMPROVE, "Comment": each.improve},
    ]


def _file_name(day: date) -> str:
    return f"fft_{day.year}_q{(day.month + 2) // 3}.csv"


def _cells(row: dict[str, str]) -> list[str]:
    """Return the row's cells; a surplus cell splits the comment, a short row lacks its last cells."""
    cells = [row[column] for column in COLUMNS if column in row]
    if "surplus" in row:
        at = COLUMNS.index("Comment") + 1
        cells.insert(at, row["surplus"])
    return cells
