"""Runs of a source of published figures, the landing gate included."""

from __future__ import annotations

from typing import Any

from channel import Channel

from patient_feedback.orchestration.acceptance import accept_delivery
from patient_feedback.orchestration.candidates import map_delivery
from patient_feedback.orchestration.ingestion import check_delivery
from patient_feedback.orchestration.landing import land_source


class PublishedFigures(Channel):
    def publish(self) -> set[str]:
        """Land what is new, have the gate judge it, decide; return the checks that failed."""
        failed: set[str] = set()
        landed = land_source(self.settings, self.source, "run", None, lambda _: self.connection)
        for delivery_id in landed.delivery_ids:
            map_delivery(self.settings, self.source, delivery_id)
            outcomes = check_delivery(self.settings, self.source, delivery_id, "run")
            accept_delivery(self.settings, self.source, delivery_id, "run", _no_words, "1")
            failed |= {one.check_id for one in outcomes if one.outcome != "passed"}
        return failed

    def figures(self, columns: str, where: str = "true") -> list[tuple]:
        return self.rows(
            f"select {columns} from feedback.published_figure where {where} order by source_record_ref, measure_slug"
        )

    @property
    def values(self) -> dict[tuple[str, str], Any]:
        """Return each number, or the state that stands in its place, by organisation and measure."""
        return {
            (organisation, measure): value if state == "published" else state
            for organisation, measure, state, value in self.figures(
                "organisation_slug, measure_slug, figure_state, value_number"
            )
        }

    @property
    def states(self) -> list[str]:
        return [
            state
            for (state,) in self.rows(
                "select record_state from landing.record inner join landing.delivery using (delivery_id) "
                "order by file_modified_at, record_number"
            )
        ]


def _no_words(texts: Any) -> list[tuple[str, int]]:
    assert not texts, "published figures hold no words"
    return []
