"""All emulators at once, on fixed ports and with sample feedback: `patient-feedback emulate`."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from emulators import care_opinion, fhir, google_reviews, qualtrics, s3, sftp, survey_monkey
from emulators.published_figures import fft_workbook, hcahps_table
from emulators.sample_feedback import Said, sample_feedback
from emulators.server import Emulator
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.cluster import create_database

PROJECT_DIR = Path(__file__).resolve().parents[1]
FIRST_PORT = 18701
CRITICALITY = ("strongly critical", "moderately critical", "mildly critical", "minimally critical", None)
STARS = ("ONE", "TWO", "THREE", "FOUR", "FIVE")
KIOSK_CLOCK = ZoneInfo("Europe/London")
TABLE = """
create table answers (
    id integer primary key, submitted_at timestamp not null, updated_at timestamp not null, ward text, score integer,
    comment text, email text
)
"""
REGISTER = "complaints_register"
READER = "register_reader"
REGISTER_TABLE = """
create table complaints (
    reference text primary key, received_at timestamptz not null, changed_at timestamptz not null, unit text,
    description text, complainant text
)
"""

Connections = dict[str, dict[str, Any]]
"""Airflow connections by id, as `airflow connections import` reads them."""


@contextmanager
def all_sources(folder: Path, first_port: int = FIRST_PORT) -> Iterator[Connections]:
    """Run every emulator; yield the connections that lead to them. `folder` holds what lies on disks."""
    with ExitStack() as running:
        connections: Connections = {}

        def serve(name: str, emulator: Emulator, path: str, password: str = "", **more: Any) -> None:
            started = running.enter_context(emulator)
            connections[name] = {
                "conn_type": "http",
                "host": f"{started.url}{path}",
                "password": password,
                **more,
            }

        serve(
            "emulated_care_opinion",
            _opinions().emulator(first_port),
            "/api/v2",
            care_opinion.KEY,
        )
        serve("emulated_fhir", _discharge().emulator(first_port + 1), fhir.BASE, fhir.KEY)
        serve("emulated_fhir_bulk", _clinic().emulator(first_port + 2), fhir.BASE, fhir.KEY)
        serve("emulated_qualtrics", _panel().emulator(first_port + 3), "/API/v3", qualtrics.KEY)
        serve("emulated_survey_monkey", _monkey().emulator(first_port + 4), "/v3", survey_monkey.KEY)
        reviews = _reviews()
        serve(
            "emulated_google",
            reviews.emulator(first_port + 5),
            "/v4",
            google_reviews.CLIENT_SECRET,
            login=google_reviews.CLIENT_ID,
            extra=json.dumps(reviews.extra(url=f"http://127.0.0.1:{first_port + 5}")),
        )
        connections["emulated_survey_tool"] = _survey_tool(folder)
        connections["emulated_register"] = _register(running, folder, first_port + 8)
        connections["emulated_sftp"] = _sftp(running, first_port + 6)
        connections["emulated_s3"] = _s3(running, first_port + 7)
        yield connections


def _opinions() -> care_opinion.CareOpinion:
    site = care_opinion.CareOpinion()
    for said in sample_feedback("fft_access"):
        opinion = {"nacs": "RX1", "name": said.ward, "type": "ward", "organisation": "North Trust"}
        site.put(
            said.number,
            said.text,
            said.moment.isoformat(),
            title="",
            criticality=CRITICALITY[said.grade - 1],
            healthServices=[{**opinion, "siteNacs": "RX101"}],
        )
    return site


def _discharge() -> fhir.FhirServer:
    return _questionnaire(sample_feedback("fft_decisions"))


def _clinic() -> fhir.FhirServer:
    return _questionnaire(sample_feedback("survey_en"))


def _questionnaire(feedback: Iterator[Said]) -> fhir.FhirServer:
    server = fhir.FhirServer()
    for said in feedback:
        items = [
            fhir.answered("overall", {"valueInteger": said.grade}),
            fhir.answered("why", {"valueString": said.text}),
            fhir.answered("ward", {"valueString": said.ward}),
        ]
        server.put(f"r{said.number}", items, authored=said.moment.isoformat())
    return server


def _panel() -> qualtrics.Qualtrics:
    panel = qualtrics.Qualtrics()
    for said in sample_feedback("fft_people"):
        panel.put(
            f"R_{said.number:05}",
            said.text,
            f"{said.moment:%Y-%m-%d %H:%M:%S}",
            Q1=str(said.grade),
            ward=said.ward,
        )
    return panel


def _monkey() -> survey_monkey.SurveyMonkey:
    survey = survey_monkey.SurveyMonkey()
    for said in sample_feedback("fft_place"):
        survey.put(said.number, said.text, said.moment.isoformat())
    return survey


def _reviews() -> google_reviews.GoogleReviews:
    reviews = google_reviews.GoogleReviews()
    for said in sample_feedback("complaints_1", "survey_en"):
        reviews.put(
            f"v{said.number}",
            said.text,
            f"{said.moment:%Y-%m-%dT%H:%M:%SZ}",
            stars=STARS[said.grade - 1],
        )
    return reviews


def _survey_tool(folder: Path) -> dict[str, Any]:
    path = folder / "survey_tool.sqlite"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany(
            "insert into answers values (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    said.number,
                    f"{said.moment.astimezone(KIOSK_CLOCK):%Y-%m-%d %H:%M:%S.%f}",
                    f"{said.moment + timedelta(hours=1):%Y-%m-%d %H:%M:%S.%f}",
                    said.ward,
                    said.grade,
                    said.text,
                    "must.not.land@example.org",
                )
                for said in sample_feedback("complaints_2", "complaints_3")
            ],
        )
    return {"conn_type": "sqlite", "schema": str(path)}


def stop_register(folder: Path) -> None:
    """Stop the PostgreSQL below `folder`, if it runs."""
    EmbeddedPostgres(folder / "register", 0, environ={}).stop()


def _register(running: ExitStack, folder: Path, port: int) -> dict[str, Any]:
    """Run a PostgreSQL of its own with a register of complaints, and a reader who may do no more than read it."""
    server = EmbeddedPostgres(folder / "register", port, environ={})
    running.callback(stop_register, folder)
    server.start()
    password = secrets.token_urlsafe()
    server.drop_database(REGISTER)
    with server.connect() as connection:
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(READER)))
        connection.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(READER), sql.Literal(password))
        )
        create_database(connection, REGISTER, "postgres", [READER])
    with server.connect(REGISTER) as connection:
        connection.execute(REGISTER_TABLE)
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into complaints values (%s, %s, %s, %s, %s, %s)",
                [
                    (
                        f"C-{said.number:04}",
                        said.moment,
                        said.moment + timedelta(days=2),
                        said.ward,
                        said.text,
                        "Must Notland",
                    )
                    for said in sample_feedback("complaints_1")
                ],
            )
        connection.execute(sql.SQL("grant select on complaints to {}").format(sql.Identifier(READER)))
    return {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": port,
        "schema": REGISTER,
        "login": READER,
        "password": password,
    }


def _sftp(running: ExitStack, port: int) -> dict[str, Any]:
    server = running.enter_context(sftp.Sftp(PROJECT_DIR / "samples" / "riverside_fft", port))
    return {
        "conn_type": "sftp",
        "host": "127.0.0.1",
        "port": port,
        "login": sftp.LOGIN,
        "password": sftp.PASSWORD,
        "extra": json.dumps({"host_key": server.host_keys[0]}),
    }


def _s3(running: ExitStack, port: int) -> dict[str, Any]:
    store = running.enter_context(s3.S3(port=port))
    calls = []
    for said in sample_feedback("complaints_3"):
        turns = [
            {"speaker": "Agent 7", "role": "agent", "text": "How can I help you today?"},
            {"speaker": "Caller", "role": "patient", "text": said.text},
        ]
        moment = said.moment.isoformat()
        calls.append(
            {
                "call_id": f"call-{said.number}",
                "started_at": moment,
                "ended_at": moment,
                "channel": "phone",
                "service": said.ward,
                "turns": turns,
            }
        )
    store.put("fft_2026_01.xlsx", fft_workbook())
    store.put("hcahps_2025.csv", hcahps_table())
    store.put("calls_2026.jsonl", "".join(json.dumps(call) + "\n" for call in calls).encode())
    return {
        "conn_type": "aws",
        "login": store.key,
        "password": store.secret,
        "extra": json.dumps({"endpoint_url": store.url, "region_name": s3.REGION}),
    }


def told() -> dict[str, dict[str, Said]]:
    """Return what every record of the emulated systems says, by the source of examples/all_sources and its reference."""
    return {
        "north_opinions": _said("{}", "fft_access"),
        "north_discharge": _said("r{}", "fft_decisions"),
        "south_discharge": _said("r{}", "survey_en"),
        "north_panel": _said("R_{:05}", "fft_people"),
        "north_web_survey": _said("{}", "fft_place"),
        "north_reviews": _said("v{}", "complaints_1", "survey_en"),
        "survey_tool": _said("{}", "complaints_2", "complaints_3"),
        "north_complaints": _said("C-{:04}", "complaints_1"),
        "north_calls": _said("call-{}", "complaints_3"),
    }


def _said(reference: str, *files: str) -> dict[str, Said]:
    return {reference.format(said.number): said for said in sample_feedback(*files)}


def write_connections(connections: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write what `airflow connections import` reads; only the owner may read it."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(connections), encoding="utf-8")
