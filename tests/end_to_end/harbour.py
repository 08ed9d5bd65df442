"""A small declared source, and what was published as comparable values."""

from __future__ import annotations

import csv
import itertools
import socket
from pathlib import Path

import psycopg
import yaml

PLANTED_NAME = "Zebulon Quarrington"
PLANTED_SENTENCE = "the purple lighthouse keeper sang to me at half past nine"
PSEUDONYM_KEY = "one key for all warehouses, so that their rows can be compared"

DECLARATION = {
    "sources": [
        {
            "slug": "harbour_fft",
            "label": "Harbour Hospital, Friends and Family Test",
            "kind": "csv_file",
            "owner": "patient-experience@example.org",
            "where": {"path": "deliveries", "pattern": "*.csv"},
            "schedule": "0 5 * * *",
            "language": "en",
            "mapping": {
                "record_ref": {"column": "Comment ID"},
                "response_ref": {"column": "Respondent ID"},
                "respondent_ref": {"column": "Respondent ID"},
                "submitted_on": {"column": "Date", "formats": ["%d/%m/%Y", "%m/%d/%Y"]},
                "organisation": {"constant": {"slug": "harbour", "name": "Harbour Hospital"}},
                "service": {"column": "Service"},
                "rating": {
                    "column": "FFT",
                    "instrument": "fft",
                    "version": "2020",
                    "item": "overall_experience",
                    "codes": {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": None},
                },
                "comments": [
                    {
                        "column": "Comment",
                        "question": {
                            "column": "Question",
                            "values": {
                                "What was good?": {"slug": "what_was_good", "intent": "what_was_good"},
                                "What could we do better?": {
                                    "slug": "do_better",
                                    "intent": "what_to_improve",
                                },
                            },
                        },
                        "blank": ["Did not answer"],
                    }
                ],
            },
        }
    ]
}
HEADER = ["Comment ID", "Respondent ID", "Date", "Service", "FFT", "Question", "Comment"]
GOOD = (
    "The midwife listened and explained every choice",
    "Nurses were kind and never rushed me",
    "The doctor went through the side effects with me",
    "Clean ward and friendly porters",
    "I was seen within ten minutes",
    "The app reminded me of my appointment",
    "Everyone introduced themselves by name",
    "My daughter could stay with me overnight",
)
BAD = (
    "Waited four hours without being told why",
    "Nobody answered the telephone all week",
    "The parking machine took my money twice",
    "I was sent home without my tablets",
    "Nothing",
    "The letter came after the appointment",
    "The room was cold and the food was worse",
    "They talked over my head as if I was not there",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def declare(folder: Path) -> Path:
    """Make the folder that the source `harbour_fft` reads, with `sources.yml` beside it."""
    deliveries = folder / "deliveries"
    deliveries.mkdir()
    (folder / "sources.yml").write_text(yaml.safe_dump(DECLARATION), encoding="utf-8")
    return deliveries


def write_month(folder: Path, month: int, respondents: int = 24) -> Path:
    """Write a month of feedback: two comments a respondent, with a blank, a 7, and identifiers among them."""
    rows = []
    for number, good, bad in zip(
        range(respondents), itertools.cycle(GOOD), itertools.cycle(BAD), strict=False
    ):
        respondent = f"R{month:02d}{number:03d}"
        day = f"{number % 27 + 1:02d}/{month:02d}/2025"
        service = ("Maternity", "Urgent care", "Outpatients")[number % 3]
        code = ("1", "1", "2", "5", "4", "3", "6", "7")[number % 8]
        extra = f" My name is {PLANTED_NAME} and {PLANTED_SENTENCE}." if number == 5 else ""
        rows.append([f"{respondent}-1", respondent, day, service, code, "What was good?", good + extra])
        worse = "Did not answer" if number % 6 == 0 else f"{bad} in week {number % 5}"
        rows.append([f"{respondent}-2", respondent, day, service, code, "What could we do better?", worse])
    path = folder / f"fft_2025_{month:02d}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def published_rows(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Return the rows of every published table as text, sorted; of the audit trail the account alone.

    Moments of processing and the list of publications are left out: they are what a repeated run may change.
    """
    tables = connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where (table_schema = 'patient_experience' and table_name <> 'dim_publications') "
        "or (table_schema = 'audit_trail' and table_name in ('fct_source_deliveries', 'fct_set_aside_records')) "
        "order by 1, 2"
    ).fetchall()
    rows = {}
    for schema, table in tables:
        columns = connection.execute(
            "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
            "and column_name not like '%%\\_at' and column_name not like '%%run_id' and column_name <> 'landing_url' "
            "order by ordinal_position",
            (schema, table),
        ).fetchall()
        names = ", ".join(f'"{name}"' for (name,) in columns)
        query = (
            f'select md5(t::text), t::text from (select {names} from "{schema}"."{table}") as t order by 1'
        )
        rows[f"{schema}.{table}"] = [text for _, text in connection.execute(query).fetchall()]
    return rows


def variables_for(server, database: str, deliveries: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a process that works on `database` with the source `harbour_fft`."""
    return {
        "FEEDBACK_HOME": str(server.home),
        "FEEDBACK_DB_PORT": str(server.port),
        "FEEDBACK_DB_NAME": database,
        "FEEDBACK_SOURCES": str(deliveries.parent / "sources.yml"),
        "FEEDBACK_LANDING_URL": (tmp_path / "landing").as_uri(),
        "FEEDBACK_SECRET_PSEUDONYM_KEY": PSEUDONYM_KEY,
    }
