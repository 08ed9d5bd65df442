"""Sources declared in the test itself, read through the same YAML as a user's."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.sources.delivered_file import DeliveredFile, DeliveredRecord
from patient_feedback.sources.reading import read_records

MINIMAL: dict[str, Any] = {
    "slug": "ward_survey",
    "label": "Ward survey",
    "kind": "csv_file",
    "owner": "owner@example.org",
    "where": {"path": "delivered"},
    "mapping": {
        "record_ref": "id",
        "comments": [{"column": "comment", "question": {"slug": "what_was_good", "intent": "what_was_good"}}],
    },
}

Declare = Callable[..., Source]
Read = Callable[[Source, bytes], tuple[list[DeliveredRecord], DeliveredFile]]


@pytest.fixture(scope="session")
def minimal_source() -> dict[str, Any]:
    """The least that a source must declare, to be changed by a test."""
    return copy.deepcopy(MINIMAL)


@pytest.fixture(scope="session")
def declare(tmp_path_factory: pytest.TempPathFactory) -> Declare:
    """Declare a source: keywords replace its fields, `mapping` is merged into the least one."""
    folder = tmp_path_factory.mktemp("declared")

    def declared(mapping: dict[str, Any] | None = None, **fields: Any) -> Source:
        source = copy.deepcopy(MINIMAL) | fields
        source["mapping"] |= mapping or {}
        path = folder / "sources.yml"
        path.write_text(yaml.safe_dump({"sources": [source]}), encoding="utf-8")
        return load_sources(path, {})[0]

    return declared


@pytest.fixture(scope="session")
def read() -> Read:
    """Read a file's bytes to its end."""

    def read_all(source: Source, content: bytes) -> tuple[list[DeliveredRecord], DeliveredFile]:
        file = read_records(io.BytesIO(content), source)
        return list(file.records), file

    return read_all
