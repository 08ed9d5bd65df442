"""Generated feedback whose themes are known: texts, vectors and a warehouse that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from patient_feedback.orchestration import themes
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.themes.fit import SubthemeModel, ThemeModel
from patient_feedback.themes.space import ThemeSpace
from patient_feedback.warehouse.connection import connect

SUBJECTS = (
    "parking machine ticket",
    "nurse kindness smile",
    "phone queue hold",
    "cold food breakfast",
    "discharge letter tablets",
    "noise corridor night",
    "doctor explanation diagnosis",
    "appointment cancellation reminder",
)
DIMENSIONS = 32
SPREAD = 0.45
"""Length of a text's own direction beside its subject's of length 1."""


@dataclass
class Planned:
    """A theme that the next fit is to find: its label, its texts, and its subthemes if any."""

    label: str
    hashes: Sequence[str]
    subthemes: Sequence[Planned] = ()


@dataclass
class Registry:
    """A warehouse whose themes a test fits again and again as its texts grow."""

    settings: Settings
    plan: list[Planned] = field(default_factory=list)
    """What the next fits find; empty: what the project's own way of fitting finds."""
    encoder: str = "encoder"
    run_number: int = 0

    def add_texts(
        self, subject: str, count: int, direction: Sequence[float] | None = None, seed: int = 0
    ) -> list[str]:
        """Add texts about a subject around a direction of its own; return their hashes."""
        place = SUBJECTS.index(subject) if subject in SUBJECTS else len(SUBJECTS)
        centre = np.eye(DIMENSIONS)[place] if direction is None else np.asarray(direction)
        random = np.random.default_rng((place, seed))
        words = subject.split()
        hashes = []
        with connect(self.settings, "test") as connection:
            register_vector(connection)
            for number in range(count):
                own = random.normal(size=DIMENSIONS)
                vector = centre + SPREAD * own / np.linalg.norm(own)
                sha256 = f"{random.integers(2**60):015x}_{place}_{seed}_{number}"
                text = f"{words[number % 3]} {words[(number + 1) % 3]} on the ward {number}"
                _insert(connection, self.encoder, sha256, text, vector / np.linalg.norm(vector))
                hashes.append(sha256)
        return hashes

    def run(self, **options: object) -> TaskCounts:
        """Fit, assign and measure as the DAG does; return the counts of the fit."""
        self.run_number += 1
        run_id = f"run-{self.run_number}"
        counts = TaskCounts()
        themes.fit_themes(self.settings, TaskRun("discover_themes", run_id, "fit_themes"), counts, **options)
        themes.assign_themes(self.settings, TaskCounts())
        themes.measure_drift(self.settings, TaskRun("discover_themes", run_id, "measure_drift"), TaskCounts())
        return counts

    def refit(self, *plan: Planned) -> TaskCounts:
        """Run with a fit that finds `plan`; a text is added, since the same texts give the same set."""
        self.add_texts("one text more", 1, seed=100 + self.run_number)
        self.plan = list(plan)
        return self.run(must_refit=True)

    def decide(self, theme_slug: str, decision: str, **more: str) -> None:
        columns = {
            "theme_slug": theme_slug,
            "decision": decision,
            "decided_by": "Ada Analyst",
            "decision_reason": "because the test says so",
            **more,
        }
        with connect(self.settings, "test") as connection:
            connection.execute(
                f"insert into analysis.theme_decision ({', '.join(columns)}) "
                f"values ({', '.join(['%s'] * len(columns))})",
                list(columns.values()),
            )

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with connect(self.settings, "test") as connection:
            return connection.execute(query, parameters or None).fetchall()

    def slug_of(self, hashes: Sequence[str]) -> str | None:
        """Return the theme of the set in force that holds most of the texts."""
        [(slug, _)] = self.rows(
            "select theme_slug, count(*) from analysis.theme_assignment inner join analysis.theme_set "
            "using (theme_set_id) where is_current and text_sha256 = any(%s) group by 1 order by 2 desc limit 1",
            list(hashes),
        )
        return slug

    def current_slugs(self, level: str = "theme") -> set[str]:
        return {
            slug
            for (slug,) in self.rows(
                "select theme_slug from analysis.theme_set_member inner join analysis.theme_set "
                "using (theme_set_id) where is_current and theme_level = %s",
                level,
            )
        }

    def theme(self, slug: str) -> SimpleNamespace:
        [(label, status, merged_into)] = self.rows(
            "select theme_label, theme_status, merged_into_slug from analysis.theme where theme_slug = %s",
            slug,
        )
        return SimpleNamespace(label=label, status=status, merged_into=merged_into)


def _found(plan: Sequence[Planned], sample: themes.Sample) -> ThemeModel:
    """Return a model whose themes are the planned ones."""
    place = {sha256: number for number, sha256 in enumerate(sample.hashes)}

    def parts(planned: Sequence[Planned]) -> dict[str, object]:
        members = [[place[sha256] for sha256 in one.hashes] for one in planned]
        means = [sample.vectors[found].mean(axis=0) for found in members]
        return {
            "centroids": np.array([mean / np.linalg.norm(mean) for mean in means], np.float32).reshape(
                -1, sample.vectors.shape[1]
            ),
            "labels": tuple(one.label for one in planned),
            "keywords": tuple(tuple(one.label.lower().split()) for one in planned),
            "exemplars": tuple(tuple(found[:2]) for found in members),
            "member_counts": tuple(len(found) for found in members),
        }

    return ThemeModel(
        **parts(plan),
        topics=(None,) * len(plan),
        subthemes=tuple(SubthemeModel(**parts(one.subthemes)) for one in plan),
        space=ThemeSpace(np.zeros((sample.vectors.shape[1], 0), np.float32), np.zeros(0, np.float32)),
        threshold=0.3,
        criterion={"rule": "as planned"},
        mean_similarity=0.9,
        unassigned_share=0.01,
    )


def _insert(connection: psycopg.Connection, encoder: str, sha256: str, text: str, vector: np.ndarray) -> None:
    connection.execute(
        "insert into feedback.response (response_id, source_slug, source_record_ref, record_version, "
        "submitted_on_basis, received_at, delivery_id) values (%s, 's', 'r', 1, 'declared', now(), 'd')",
        (sha256,),
    )
    connection.execute(
        "insert into feedback.comment (comment_id, response_id, source_slug, source_record_ref, question_slug, "
        "question_intent, comment_state, text_sha256, comment_text, redaction_version, delivery_id, "
        "record_number) values (%s, %s, 's', 'r', 'q', 'open', 'text', %s, %s, '1', 'd', 1)",
        (sha256, sha256, sha256, text),
    )
    connection.execute(
        "insert into analysis.embedding (text_sha256, encoder_version, embedding) values (%s, %s, %s)",
        (sha256, encoder, HalfVector(vector)),
    )


@pytest.fixture
def registry(warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(warehouse)
    own_fit = themes._fit
    monkeypatch.setattr(
        themes,
        "versions_in_force",
        lambda settings: SimpleNamespace(encoder=made.encoder, topics="", languages=("en",)),
    )
    monkeypatch.setattr(themes, "has_deliveries_under_way", lambda settings: False)
    monkeypatch.setattr(
        themes,
        "_fit",
        lambda settings, topics, sample, *more: (
            _found(made.plan, sample) if made.plan else own_fit(settings, topics, sample, *more)
        ),
    )
    with connect(warehouse, "test") as connection:
        connection.execute(
            "insert into landing.delivery (delivery_id, source_slug, file_name, file_sha256, file_size_bytes, "
            "file_modified_at, landing_url, declaration_sha256, delivery_state) "
            "values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted')"
        )
    return made


@pytest.fixture
def planned() -> type[Planned]:
    return Planned
