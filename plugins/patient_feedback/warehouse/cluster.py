"""Roles, their passwords and the two databases of a PostgreSQL server, embedded or the organisation's own.

`python -m patient_feedback.warehouse.cluster` reads every password from the settings and may be run
again at any time: it then sets the passwords anew, which is how they are rotated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import psycopg
from psycopg import sql

from patient_feedback.errors import FeedbackError, WarehouseError
from patient_feedback.settings import Role, Settings

SUPERUSER = "postgres"
AIRFLOW_ROLE = "airflow"
READERS = (Role.ANALYST, Role.AUDITOR, Role.ENGINEER)
ROLES = (*map(str, Role), AIRFLOW_ROLE)


def prepare_cluster(settings: Settings, passwords: Mapping[str, str]) -> None:
    """Leave roles with these passwords, the warehouse with its extension, and Airflow's own database.

    `passwords` has one entry per name of ROLES. Raises WarehouseError where the server refuses.
    """
    try:
        with _connect(settings, "postgres") as connection:
            set_roles(connection, passwords)
            create_database(connection, settings.db_name, Role.PIPELINE, READERS)
            create_database(connection, AIRFLOW_ROLE, AIRFLOW_ROLE)
        with _connect(settings, settings.db_name) as connection:
            connection.execute("create extension if not exists vector")
    except psycopg.Error as error:
        # The server's message may quote the statement, and that holds a password.
        raise WarehouseError(
            f"PostgreSQL at {settings.db_host}:{settings.db_port} cannot be prepared by '{SUPERUSER}': "
            f"{type(error).__name__} ({error.sqlstate or 'no answer'}). It must be reachable, its "
            "password must be FEEDBACK_SECRET_POSTGRES_PASSWORD, and pgvector must be installed."
        ) from None


def set_roles(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Leave every role of ROLES with its password, and the server's own databases closed to them."""
    for role in ROLES:
        _set_role(connection, role, passwords[role])
    connection.execute("revoke connect on database postgres, template1 from public")


def create_database(
    connection: psycopg.Connection,
    name: str,
    owner: str,
    readers: Iterable[str] = (),
    template: str | None = None,
) -> None:
    """Create a database that only its owner and `readers` may enter; a second call changes nothing."""
    database = sql.Identifier(name)
    if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        connection.execute(
            sql.SQL("create database {} owner {} template {}").format(
                database, sql.Identifier(owner), sql.Identifier(template or "template0")
            )
        )
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    for reader in readers:
        connection.execute(
            sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(reader))
        )


def _connect(settings: Settings, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=settings.db_host,
        port=settings.db_port,
        user=SUPERUSER,
        password=settings.secret("postgres_password"),
        dbname=database,
        autocommit=True,
        connect_timeout=10,
        application_name="patient_feedback:prepare_cluster",
    )


def _set_role(connection: psycopg.Connection, role: str, password: str) -> None:
    known = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    connection.execute(
        sql.SQL("{} role {} login password {}").format(
            sql.SQL("alter" if known else "create"), sql.Identifier(role), sql.Literal(password)
        )
    )


def main() -> int:
    try:
        settings = Settings.from_environment()
        prepare_cluster(settings, {role: settings.secret(f"{role}_password") for role in ROLES})
    except FeedbackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
