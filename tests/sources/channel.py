"""A declared source that is asked, against an emulator: runs as Airflow would start them, and what the warehouse holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from patient_feedback.orchestration.acceptance import accept_delivery
from patient_feedback.orchestration.candidates import compare_with_accepted, map_delivery
from patient_feedback.orchestration.ingestion import check_delivery
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.sources.extraction import SourceConnection, Window
from patient_feedback.warehouse.connection import connect

BALANCE = """
select received_count, count(*) filter (where record_state <> 'pending')
from landing.delivery left join landing.record using (delivery_id)
group by delivery_id, received_count
"""


def declare(folder: Path, slug: str, kind: str, **declared: Any) -> Source:
    """Return a source as read from a sources.yml."""
    declaration = {
        "slug": slug,
        "label": slug,
        "kind": kind,
        "owner": "desk@example.org",
        "connection": f"{slug}_system",
        **declared,
    }
    path = folder / f"{slug}.yml"
    path.write_text(yaml.safe_dump({"sources": [declaration]}), encoding="utf-8")
    return load_sources(path)[0]


@dataclass
class Channel:
    """Runs of one source, with a redaction that does nothing and, since it takes a second, mostly without the gate."""

    settings: Settings
    source: Source
    connection: SourceConnection
    run_number: int = field(default=0, init=False)

    def run(self, window: Window | None = None) -> int:
        """Land what is new and decide it without the landing gate; return how many records were landed."""
        return self._run(window, self._compare)

    def run_gated(self) -> list[set[str]]:
        """Land what is new and decide it; return which checks of the landing gate each delivery failed."""
        failed: list[set[str]] = []

        def check(delivery_id: str) -> None:
            outcomes = check_delivery(self.settings, self.source, delivery_id, f"run-{self.run_number}")
            failed.append({one.check_id for one in outcomes if one.outcome != "passed"})

        self._run(None, check)
        return failed

    def land(self) -> None:
        """Land what is new, and be killed before anything is decided."""
        land_source(self.settings, self.source, "killed", None, lambda _: self.connection)

    def _compare(self, delivery_id: str) -> None:
        with connect(self.settings, "test") as connection:
            compare_with_accepted(connection, delivery_id)

    def _run(self, window: Window | None, check: Callable[[str], None]) -> int:
        self.run_number += 1
        landed = land_source(
            self.settings, self.source, f"run-{self.run_number}", window, lambda _: self.connection
        )
        for delivery_id in landed.delivery_ids:
            map_delivery(self.settings, self.source, delivery_id)
            check(delivery_id)
            accept_delivery(
                self.settings,
                self.source,
                delivery_id,
                "run",
                lambda texts: [(text, 0) for text in texts],
                "1",
            )
        assert all(received == decided for received, decided in self.rows(BALANCE)), "the account is off"
        return landed.record_count

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with connect(self.settings, "test") as connection:
            return connection.execute(query, parameters or None).fetchall()

    def said(self, question_slug: str) -> dict[str, str]:
        """Return the kept words of each record that stands."""
        return dict(
            self.rows(
                "select source_record_ref, comment_text from feedback.comment "
                "where source_slug = %s and question_slug = %s",
                self.source.slug,
                question_slug,
            )
        )

    def assert_shows(self, question_slug: str, truth: Mapping[str, str]) -> None:
        """Assert that the warehouse holds what the source holds, record by record, and no words of what is gone."""
        assert self.said(question_slug) == truth
        records = dict(self.rows("select source_record_ref, is_withdrawn from feedback.record"))
        assert {ref for ref, is_withdrawn in records.items() if not is_withdrawn} == set(truth)
        assert dict(self.rows("select source_record_ref, is_withdrawn from feedback.response")) == records
        originals = self.rows(
            "select source_record_ref, original_text from restricted.comment_original "
            "inner join feedback.comment using (comment_id) where question_slug = %s",
            question_slug,
        )
        assert dict(originals) == {ref: words for ref, words in truth.items() if words.strip()}

    @property
    def withdrawn(self) -> set[str]:
        return {
            ref for (ref,) in self.rows("select source_record_ref from feedback.record where is_withdrawn")
        }

    @property
    def days(self) -> dict[str, str]:
        """Return the day on which each record's feedback was given."""
        return {
            ref: str(day)
            for ref, day in self.rows("select source_record_ref, submitted_on from feedback.response")
        }

    @property
    def cursor(self) -> Mapping[str, str] | None:
        """Return where the next run begins, in the system's own terms."""
        rows = self.rows("select position from landing.source_cursor")
        position = rows[0][0] if rows else {}
        return {name: value for name, value in position.items() if not name.startswith("asked")} or None


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
