"""A survey tool's own table, in a PostgreSQL or a SQLite file, and the source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from channel import declare
from psycopg import sql

from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import SourceConnection
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.cluster import create_database

DATABASE = "survey_tool"
READER = "survey_reader"
PASSWORD = "pass@word/of:the tool"
MAPPING: dict[str, Any] = {
    "record_ref": "id",
    "submitted_on": {
        "column": "submitted_at",
        "formats": ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"],
    },
    "service": {"column": "ward"},
    "channel": {"constant": "web"},
    "rating": {
        "column": "score",
        "instrument": "fft",
        "version": "2020",
        "item": "overall",
        "number": {"min": 1, "max": 5},
    },
    "comments": [{"column": "comment", "question": {"slug": "comment", "intent": "open"}}],
}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class SurveyTool:
    """The tool's side: its table as the tool changes it, and the way in for a reader."""

    engine: sa.Engine
    connection: SourceConnection
    updated_type: sa.types.TypeEngine[Any]
    stored: Callable[[datetime], Any] = lambda at: at
    """A moment as the updated column holds it."""
    table: sa.Table = field(init=False)

    def __post_init__(self) -> None:
        self.create(sa.Column("id", sa.Integer, primary_key=True))

    @property
    def is_postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def create(self, key: sa.Column[Any], name: str = "responses", **more: sa.types.TypeEngine[Any]) -> None:
        """Make the table anew."""
        metadata = sa.MetaData()
        self.table = sa.Table(
            name,
            metadata,
            key,
            sa.Column("submitted_at", sa.DateTime(timezone=True)),
            sa.Column("updated_at", self.updated_type),
            sa.Column("ward", sa.Text),
            sa.Column("score", sa.Integer),
            sa.Column("comment", sa.Text),
            *(sa.Column(column, kind) for column, kind in more.items()),
        )
        metadata.drop_all(self.engine)
        metadata.create_all(self.engine)

    def put(
        self,
        key: Any,
        comment: str,
        updated: str | None = "2025-03-01 09:00",
        submitted: str = "2025-03-01 08:00",
        **more: Any,
    ) -> None:
        """Add a row or change it; `updated` is in UTC, None leaves it empty."""
        row = {
            "id": key,
            "submitted_at": moment(submitted),
            "updated_at": None if updated is None else self.stored(moment(updated)),
            "ward": "Ward 3",
            "score": 4,
            "comment": comment,
            **more,
        }
        with self.engine.begin() as connection:
            connection.execute(self.table.delete().where(self.table.c.id == key))
            connection.execute(self.table.insert(), row)

    def remove(self, *keys: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(self.table.delete().where(self.table.c.id.in_(keys)))

    def execute(self, statement: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)

    @property
    def said(self) -> dict[str, str]:
        """Return the words of each row that is there."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(self.table.c.id, self.table.c.comment))
            return {str(key): comment for key, comment in found}

    def source(
        self,
        folder: Path,
        mapping: dict[str, Any] | None = None,
        request: dict[str, Any] | None = None,
        **more: Any,
    ) -> Source:
        """Return the declaration of a source that reads the table."""
        asked = {
            "table": str(self.table.name),
            "key_column": "id",
            "updated_column": "updated_at",
            "page_size": 2,
        }
        return declare(
            folder,
            "survey",
            "sql_table",
            request=asked | (request or {}),
            mapping=MAPPING | (mapping or {}),
            **more,
        )


def naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


@contextmanager
def postgres_tool(
    server: EmbeddedPostgres,
    settings: Settings,
    updated_type: sa.types.TypeEngine[Any] | None = None,
    stored: Callable[[datetime], Any] = lambda at: at,
) -> Iterator[SurveyTool]:
    """Yield a tool whose table lies in a database of its own, with a reader who may do no more."""
    with server.connect() as connection:
        create_database(connection, DATABASE, "pipeline")
        if not connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
            connection.execute(
                sql.SQL("create role {} login password {}").format(
                    sql.Identifier(READER), sql.Literal(PASSWORD)
                )
            )
        connection.execute(
            sql.SQL("grant connect on database {} to {}").format(
                sql.Identifier(DATABASE), sql.Identifier(READER)
            )
        )
    owner = replace(settings, db_name=DATABASE)
    engine = sa.create_engine(owner.sqlalchemy_url(), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for schema in ("public", "reporting"):
            connection.execute(sa.text(f"drop schema if exists {schema} cascade"))
        connection.execute(sa.text("create schema public"))
        connection.execute(sa.text(f"grant usage on schema public to {READER}"))
        connection.execute(sa.text(f"alter default privileges grant select on tables to {READER}"))
    url = f"postgresql+psycopg://{READER}@127.0.0.1:{server.port}/{DATABASE}"
    reader = SourceConnection("survey_system", url, READER, PASSWORD)
    yield SurveyTool(engine, reader, updated_type or sa.DateTime(timezone=True), stored)


@contextmanager
def sqlite_tool(
    folder: Path,
    updated_type: sa.types.TypeEngine[Any] | None = None,
    stored: Callable[[datetime], Any] = naive,
) -> Iterator[SurveyTool]:
    """Yield a tool that keeps its table in a file."""
    path = folder / "survey tool.db"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        # The tool writes while others read.
        connection.execute(sa.text("pragma journal_mode = wal"))
    reader = SourceConnection("survey_system", f"sqlite:///{path}")
    yield SurveyTool(engine, reader, updated_type or sa.DateTime(), stored)
