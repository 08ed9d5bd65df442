"""What the sources' places do to a task is tried again; what they say is not repeated."""

from __future__ import annotations

import hashlib

import pytest

from patient_feedback.errors import PlaceUnavailableError, WarehouseError, WarehouseUnavailableError
from patient_feedback.orchestration.pending import has_deliveries_under_way
from patient_feedback.orchestration.task_run import TaskRun, recorded
from patient_feedback.warehouse.connection import connect


def test_place_that_is_away_leaves_as_an_error_that_is_tried_again(warehouse):
    with (
        pytest.raises(PlaceUnavailableError) as caught,
        recorded(warehouse, TaskRun("ingest", "run", "land_deliveries")),
    ):
        raise ConnectionResetError(104, "the purple lighthouse keeper")
    assert "lighthouse" not in str(caught.value)


def test_value_that_no_index_holds_is_told_apart_from_a_broken_connection(warehouse):
    words = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))
    with (
        pytest.raises(WarehouseError, match="refuses a statement: ProgramLimitExceeded") as caught,
        recorded(warehouse, TaskRun("ingest", "run", "map_records")),
        connect(warehouse, "test") as connection,
    ):
        connection.execute(
            "insert into landing.extracted_record (source_slug, record_key, content_sha256, is_withdrawn) "
            "values ('survey', %s, 'x', false)",
            (words,),
        )
    assert not isinstance(caught.value, WarehouseUnavailableError)
    assert words[:20] not in str(caught.value)


@pytest.mark.parametrize(
    ("source_slug", "run_state", "is_awaited"),
    [
        ("riverside_fft", "running", True),
        ("riverside_fft", "failed", False),
        ("no_longer_declared", "running", False),
    ],
)
def test_delivery_is_awaited_only_where_a_run_will_end_it(warehouse, source_slug, run_state, is_awaited):
    with connect(warehouse, "test") as connection:
        connection.execute(
            "insert into landing.delivery (delivery_id, source_slug, file_name, file_sha256, file_size_bytes, "
            "file_modified_at, landing_url, declaration_sha256, delivery_state) "
            "values ('d', %s, 'f', 'x', 1, now(), 'u', 'd', 'landed')",
            (source_slug,),
        )
        connection.execute(
            "insert into audit.pipeline_run (pipeline_run_id, dag_id, run_id, task_id, try_number, run_state) "
            "values ('p', %s, 'run', 'map_records', 1, %s)",
            (f"ingest_feedback__{source_slug}", run_state),
        )
    assert has_deliveries_under_way(warehouse) is is_awaited
