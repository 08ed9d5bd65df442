"""Files that try to break the pipeline: each ends in a named check or a clear refusal, the rest goes on."""

from __future__ import annotations

import csv
import io
import os

import harbour
import pytest
from run_stages import run_stages

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

PLAIN = ["9", "R9", "05/03/2025", "Maternity", "1", "What was good?", "The staff were kind to my mother"]
INJECTION = "Robert'); DROP TABLE feedback.comment; --"
MARKUP = "<script>alert('hello')</script> the nurse was kind"
FORMULA = '=HYPERLINK("http://example.org","click") was good care'


def as_csv(rows: list[list[str]], encoding: str = "utf-8") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def row(ref: str, comment: str, *surplus: str) -> list[str]:
    return [f"{ref}-1", ref, *PLAIN[2:6], comment, *surplus]


HOSTILE = {
    "empty.csv": b"",
    "header_only.csv": as_csv([harbour.HEADER]),
    "missing_column.csv": as_csv([harbour.HEADER[:-1], row("M1", "x")[:-1]]),
    "cp1252.csv": as_csv([harbour.HEADER, row("C1", "The café was lovely – thank you")], "cp1252"),
    "too_wide.csv": as_csv(
        [harbour.HEADER, row("W1", "Kind staff", "surplus", "more"), row("W2", "Clean ward")]
    ),
    "five_megabytes.csv": as_csv([harbour.HEADER, row("L1", "long " * 1_000_000), row("L2", "Short stay")]),
    "nul_bytes.csv": as_csv([harbour.HEADER, row("N1", "The ward\x00 was calm")]),
    "hostile_text.csv": as_csv([harbour.HEADER, row("H1", INJECTION), row("H2", MARKUP), row("H3", FORMULA)]),
}
EXPECTED_CHECKS = {
    "empty.csv": "file can be read",
    "header_only.csv": "record",
    "missing_column.csv": "column",
    "cp1252.csv": "encoding",
    "too_wide.csv": "more fields",
    "five_megabytes.csv": "characters",
    "nul_bytes.csv": "NUL",
    "hostile_text.csv": "markup",
}


@pytest.fixture(scope="module")
def hostile_run(server, tmp_path_factory):
    """A connection to what one run made of all of them, which the tests of this module only read."""
    name, folder = f"hostile_{os.getpid()}", tmp_path_factory.mktemp("hostile")
    deliveries = harbour.declare(folder)
    for file_name, content in HOSTILE.items():
        (deliveries / file_name).write_bytes(content)
    harbour.write_month(deliveries, 3, respondents=12)
    server.create_warehouse(name, template="warehouse_template")
    settings = Settings.from_environment(harbour.variables_for(server, name, deliveries, folder))
    run_stages(settings, "hostile")
    with connect(settings, "test") as connection:
        yield connection
    server.drop_database(name)


@pytest.mark.slow
def test_hostile_files_end_in_named_checks_and_the_rest_goes_on(hostile_run):
    failed: dict[str, list[str]] = {}
    for file_name, title in hostile_run.execute(
        """
        select delivery.file_name, check_definition.title
        from audit.check_result
        inner join landing.delivery on check_result.checked_subject = delivery.delivery_id
        inner join audit.check_definition using (check_id)
        where check_result.outcome = 'failed'
        """
    ):
        failed.setdefault(file_name, []).append(title)
    for file_name, words in EXPECTED_CHECKS.items():
        titles = failed.get(file_name, [])
        assert any(words.lower() in title.lower() for title in titles), f"{file_name}: only {titles} failed"

    states = dict(hostile_run.execute("select file_name, delivery_state from landing.delivery").fetchall())
    assert states["empty.csv"] == states["missing_column.csv"] == "refused"
    assert states["too_wide.csv"] == states["five_megabytes.csv"] == states["fft_2025_03.csv"] == "accepted"

    balances = hostile_run.execute(
        """
        select file_name, received_count, accepted_count + set_aside_count + duplicate_count + withdrawn_count
        from audit_trail.fct_source_deliveries
        """
    ).fetchall()
    assert len(balances) == len(HOSTILE) + 1
    assert all(received == accounted for _, received, accounted in balances)

    comments = dict(
        hostile_run.execute(
            "select source_record_ref, comment_text from patient_experience.fct_comments"
        ).fetchall()
    )
    assert "W2-1" in comments and "W1-1" not in comments, "only the row that is too wide is set aside"
    assert "L2-1" in comments and "L1-1" not in comments, "only the comment of 5 MB is set aside"
    assert "DROP TABLE feedback.comment" in comments["H1-1"], "text is data: it is kept as it was said"
    assert "caf" in comments["C1-1"] and "�" not in comments["C1-1"]


@pytest.mark.slow
def test_planted_words_stand_in_no_check_result_and_no_reason(hostile_run):
    planted = [
        harbour.PLANTED_NAME.lower(),
        harbour.PLANTED_SENTENCE.lower(),
        "drop table",
        "hyperlink",
        "long long",
    ]
    for table in (
        "audit.check_result",
        "audit.ledger",
        "audit.pipeline_run",
        "landing.set_aside",
        "landing.delivery",
    ):
        text = hostile_run.execute(f"select lower(string_agg(t::text, ' ')) from {table} as t").fetchone()[0]
        found = [words for words in planted if words in (text or "")]
        assert not found, f"{table} holds feedback: {found}"
    redacted = hostile_run.execute(
        "select count(*) from patient_experience.fct_comments where comment_text ilike '%%quarrington%%'"
    ).fetchone()[0]
    assert redacted == 0
    kept = hostile_run.execute(
        "select count(*) from restricted.comment_original where original_text ilike '%%quarrington%%'"
    ).fetchone()[0]
    assert kept == 1, "the planted name must have come this far, or nothing was proved"
