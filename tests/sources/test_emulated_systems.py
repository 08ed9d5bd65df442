"""What `patient-feedback emulate` runs, read as examples/all_sources declares it: all that was told arrives, on its day."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from channel import Channel
from emulators.all_sources import all_sources, told

from patient_feedback.orchestration.source_connections import airflow_connection
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import load_sources
from patient_feedback.stack.emulation import PORT_COUNT
from patient_feedback.stack.processes import is_port_free

LONDON = ZoneInfo("Europe/London")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "all_sources" / "sources.yml"
ARRIVED = """
select record.source_record_ref, coalesce(string_agg(original_text, ' '), ''), min(response.submitted_on)
from feedback.record
left join feedback.response using (response_id)
left join feedback.comment on
    comment.source_slug = record.source_slug and comment.source_record_ref = record.source_record_ref
left join restricted.comment_original using (comment_id)
where record.source_slug = %s
group by record.source_record_ref
"""


def test_every_emulated_system_gives_what_it_was_told(
    warehouse: Settings, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_port = first_of_free_ports()
    truth = told()
    sources = {source.slug: source for source in load_sources(EXAMPLE)}
    with all_sources(new_home, first_port) as connections:
        assert {str(source.connection) for source in sources.values() if source.connection} == set(
            connections
        )
        for name, fields in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        for slug, told_of in truth.items():
            channel = Channel(warehouse, sources[slug], airflow_connection(sources[slug]))
            channel.run()
            arrived = {ref: (text, day) for ref, text, day in channel.rows(ARRIVED, slug)}
            assert set(arrived) == set(told_of), slug
            # A call's words stand between those of who answers it.
            assert [ref for ref, said in told_of.items() if said.text not in arrived[ref][0]] == [], slug
            days = {ref: said.moment.astimezone(LONDON).date() for ref, said in told_of.items()}
            assert {ref: day for ref, (_, day) in arrived.items()} == days, slug
        register = connections["emulated_register"]
        reader = {"host": register["host"], "port": register["port"], "dbname": register["schema"]}
        with (
            psycopg.connect(**reader, user=register["login"], password=register["password"]) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("delete from complaints")
    assert all(is_port_free(first_port + number) for number in range(PORT_COUNT)), "a system still runs"


def first_of_free_ports() -> int:
    for first in range(31_000, 60_000, PORT_COUNT):
        if all(is_port_free(first + number) for number in range(PORT_COUNT)):
            return first
    raise AssertionError("no free ports")
