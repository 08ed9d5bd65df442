"""Going back to an earlier encoder puts its theme set back in force."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

from patient_feedback.orchestration import themes
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.themes.fit import ThemeSettings
from patient_feedback.warehouse.connection import connect


def test_same_texts_and_encoder_as_an_earlier_set_put_it_back_in_force(warehouse, monkeypatch):
    versions = SimpleNamespace(encoder="first", topics="", languages=("en",))
    monkeypatch.setattr(themes, "versions_in_force", lambda settings: versions)
    monkeypatch.setattr(themes, "has_deliveries_under_way", lambda settings: False)
    sample_sha256 = hashlib.sha256(b"").hexdigest()
    earlier = themes.theme_set_id_of(sample_sha256, versions, ThemeSettings(languages=("en",)))
    with connect(warehouse, "test") as connection:
        for theme_set_id, encoder, previous, is_current in (
            (earlier, "first", None, False),
            ("later", "second", earlier, True),
        ):
            connection.execute(
                "insert into analysis.theme_set values (%s, 'm', %s, 's', 0, 1, 0.5, %s, %s, %s)",
                (theme_set_id, encoder, '{"population_count": 0}', previous, is_current),
            )
            connection.execute(
                "insert into analysis.theme values (%s, %s, %s)",
                (f"of_{encoder}", encoder, "proposed" if is_current else "retired"),
            )
            connection.execute(
                "insert into analysis.theme_set_member values (%s, %s, '[1]', '{}', '{}', 1)",
                (theme_set_id, f"of_{encoder}"),
            )
    counts = TaskCounts()
    themes.fit_themes(warehouse, TaskRun("discover_themes", "run", "fit_themes"), counts)
    with connect(warehouse, "test") as connection:
        assert connection.execute(
            "select theme_set_id from analysis.theme_set where is_current"
        ).fetchall() == [(earlier,)]
        assert connection.execute(
            "select theme_slug, theme_status from analysis.theme order by 1"
        ).fetchall() == [
            ("of_first", "proposed"),
            ("of_second", "retired"),
        ]
        assert connection.execute("select action from audit.ledger").fetchall() == [("theme_set_fitted",)]
    assert counts.row_count == 1
