"""Preparing a bare PostgreSQL server, as an image or a hosting service leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from patient_feedback.errors import WarehouseError
from patient_feedback.settings import Role, Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.cluster import ROLES, prepare_cluster
from patient_feedback.warehouse.migrate import migrate

PASSWORDS = {role: f"first-'\"-{role}" for role in ROLES}


@pytest.fixture(scope="module")
def own_server(module_home: Path, module_port: int) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(module_home, module_port, environ={})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bare(own_server: EmbeddedPostgres) -> Settings:
    """Settings of a server that has a superuser and nothing else."""
    with own_server.connect() as connection:
        for name in ("feedback", "airflow"):
            connection.execute(f"drop database if exists {name} with (force)")
        for role in ROLES:
            connection.execute(f"drop role if exists {role}")
        connection.execute("grant connect on database postgres to public")
    return _settings(own_server.home, own_server.port, PASSWORDS)


def _settings(home: Path, port: int, passwords: dict[str, str]) -> Settings:
    secrets = {f"FEEDBACK_SECRET_{role.upper()}_PASSWORD": password for role, password in passwords.items()}
    return Settings.from_environment({"FEEDBACK_HOME": str(home), "FEEDBACK_DB_PORT": str(port), **secrets})


def test_bare_server_is_prepared_migrated_and_prepared_again(bare: Settings) -> None:
    prepare_cluster(bare, PASSWORDS)
    migrate(bare)
    prepare_cluster(bare, PASSWORDS)
    with psycopg.connect(bare.dsn(Role.ANALYST)) as connection:
        assert connection.execute("select extname from pg_extension where extname = 'vector'").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from landing.record")


def test_new_passwords_replace_the_old_ones(bare: Settings) -> None:
    prepare_cluster(bare, PASSWORDS)
    rotated = {role: f"second-{role}" for role in ROLES}
    prepare_cluster(bare, rotated)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(bare.dsn(Role.ENGINEER))
    with psycopg.connect(_settings(bare.home, bare.db_port, rotated).dsn(Role.ENGINEER)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_readers_cannot_enter_airflows_database(bare: Settings) -> None:
    prepare_cluster(bare, PASSWORDS)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(bare.dsn(Role.ANALYST).replace("/feedback", "/airflow"))


def test_a_refusal_names_no_password(new_home: Path, free_port: int) -> None:
    settings = Settings.from_environment(
        {
            "FEEDBACK_HOME": str(new_home),
            "FEEDBACK_DB_PORT": str(free_port),
            "FEEDBACK_SECRET_POSTGRES_PASSWORD": "hush-hush",
        }
    )
    with pytest.raises(WarehouseError, match="FEEDBACK_SECRET_POSTGRES_PASSWORD") as caught:
        prepare_cluster(settings, PASSWORDS)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__
