"""Connections to the warehouse, named so that an operator sees which stage holds one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from patient_feedback.errors import WarehouseUnavailableError
from patient_feedback.settings import Role, Settings


@contextmanager
def connect(settings: Settings, stage: str, role: Role = Role.PIPELINE) -> Iterator[psycopg.Connection]:
    """Open a connection whose transaction commits when the block ends and rolls back on an error.

    `stage` shows in pg_stat_activity.application_name.
    """
    try:
        # Whatever PGCLIENTENCODING says: files are copied in as UTF-8.
        connection = psycopg.connect(
            settings.dsn(role), application_name=f"patient_feedback:{stage}", client_encoding="UTF8"
        )
    except psycopg.OperationalError as error:
        raise WarehouseUnavailableError(
            f"PostgreSQL at {settings.db_host}:{settings.db_port} refuses role '{role}' on database "
            f"'{settings.db_name}': {str(error).strip().splitlines()[-1]}. Is the stack up (`make status`)?"
        ) from error
    with connection:
        yield connection
