"""What an Airflow connection of type sftp or aws says, as a source of files reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from channel import declare
from drops import MAPPING

from patient_feedback.errors import DeclarationError, FeedbackError
from patient_feedback.orchestration.source_connections import airflow_connection
from patient_feedback.sources.declaration import Source


@pytest.fixture
def source_at(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))

    def source(path: str, connection: str | None = "drop_system") -> Source:
        return declare(
            tmp_path, "drop", "csv_file", where={"path": path}, connection=connection, mapping=MAPPING
        )

    return source


@pytest.mark.parametrize(
    ("path", "given", "url"),
    [
        ("sftp:///in", {"conn_type": "sftp", "host": "sftp.example.org", "port": 2222}, "sftp://sftp.example.org:2222"),
        ("sftp://sftp.example.org/in", {"conn_type": "sftp"}, "sftp://"),
        ("s3://drop/in", {"conn_type": "aws", "extra": {"endpoint_url": "https://store.example.org"}},
         "https://store.example.org"),
        ("s3://drop/in", {"conn_type": "aws"}, ""),
    ],
)  # fmt: skip
def test_address_and_keys_come_from_the_connection(
    source_at: Any, monkeypatch: pytest.MonkeyPatch, path: str, given: dict[str, Any], url: str
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_DROP_SYSTEM", json.dumps({**given, "login": "reader", "password": "not-shown"})
    )
    connection = airflow_connection(source_at(path))
    assert (connection.url, connection.login, connection.password) == (url, "reader", "not-shown")
    assert "not-shown" not in repr(connection)


@pytest.mark.parametrize(("path", "kind"), [("sftp://sftp.example.org/in", "sftp"), ("s3://drop/in", "aws")])
def test_missing_connection_is_named_with_the_command_that_adds_it(
    source_at: Any, path: str, kind: str
) -> None:
    with pytest.raises(FeedbackError, match=rf"connections add drop_system --conn-type {kind} "):
        airflow_connection(source_at(path))


@pytest.mark.parametrize(
    ("path", "connection", "said"),
    [
        ("sftp://sftp.example.org/in", None, "connection is missing: an SFTP server is reached over one"),
        ("/deliveries", "drop_system", "connection has no meaning for files on a disk"),
    ],
)
def test_declaration_says_where_a_connection_belongs(
    source_at: Any, path: str, connection: str | None, said: str
) -> None:
    with pytest.raises(DeclarationError, match=said):
        source_at(path, connection)
