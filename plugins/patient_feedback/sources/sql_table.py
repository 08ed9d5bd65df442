"""A table or view of a survey tool's database, read in one snapshot in the order of its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.extraction import Extract, ExtractionRequest, Landed, RawRecord, vanished
from patient_feedback.sources.sql_values import (
    keep_moments_beyond_python,
    keep_undecodable_bytes,
    key_of,
    plain_value,
)

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, Table
    from sqlalchemy.exc import DBAPIError

    from patient_feedback.sources.sql_updates import Updates

IDENTIFIERS: tuple[str, ...] = ()
"""Which columns identify a person only the declaration can say: `ignore_columns`. They are not even asked for."""
SHAPE = None
LANDED = Landed.AS_DECLARED
EXTRACT_SIZE = 50_000
"""Records that land together; what was landed stays when a later part fails."""
KEYS_AT_ONCE = 500
CONNECT_SECONDS = 30
FOR_A_PERSON = (
    "authentication failed",
    "no password supplied",
    "permission denied",
    "not permitted",
    "does not exist",
    "no such",
)
"""What a driver says where another try is no use, though it calls it an error of operation."""


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield the rows updated since the cursor less the overlap, in the order of their update.

    A database tells of no deletion, and not every new row bears a new date: all ids are compared with those
    that are held. What is gone is withdrawn, what is new is read whatever its date. All is read in one
    snapshot, so that count and rows agree.
    """
    with _plain_errors(request):
        engine = _engine(request)
        try:
            isolation = (
                {}
                if engine.dialect.name == "sqlite"
                else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            )
            with engine.connect().execution_options(**isolation) as connection, connection.begin():
                if engine.dialect.name == "sqlite":
                    # Its driver begins no transaction for what only reads.
                    connection.exec_driver_sql("BEGIN")
                yield from _extracts(connection, request)
        finally:
            engine.dispose()


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as it is."""
    return dict(content)


def _engine(request: ExtractionRequest) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import make_url

    url = make_url(request.connection.url)
    backend = url.get_backend_name()
    if not url.database:
        raise FeedbackError(
            f"The Airflow connection '{request.connection.name}' names no database: put its name into the schema, "
            "and the path of a SQLite file into the host."
        )
    if backend == "sqlite":
        # Read-only: a mistaken path must not make a file.
        path = quote(str(Path(url.database).absolute()))
        url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
        engine = create_engine(url, connect_args={"isolation_level": None}, hide_parameters=True)
        event.listen(engine, "connect", keep_undecodable_bytes)
        return engine
    if request.connection.password:
        url = url.set(password=request.connection.password)
    options: dict[str, Any] = {}
    if backend == "postgresql":
        options = {name: value for name, value in request.connection.extra.items() if name.startswith("ssl")}
        options["connect_timeout"] = CONNECT_SECONDS
    engine = create_engine(url, connect_args=options, hide_parameters=True)
    if backend == "postgresql":
        event.listen(engine, "connect", keep_moments_beyond_python)
    return engine


def _extracts(connection: Connection, request: ExtractionRequest) -> Iterator[Extract]:
    from sqlalchemy import func, select

    from patient_feedback.sources.sql_updates import updates_of

    asked = request.source.request
    table = _table(connection, request)
    key, updated = _column(table, asked.key_column, request), _column(table, asked.updated_column, request)
    _refuse_repeated_keys(connection, key, request)
    updates = updates_of(connection, updated, request)
    # Columns that are ignored may be closed to the user, too.
    kept = [column.name for column in table.columns if not request.source.ignores(column.name)]
    query = select(*(table.columns[name] for name in dict.fromkeys([*kept, key.name, updated.name])))
    hidden: list[Any] = []
    gone: Iterator[RawRecord] = iter(())
    if request.window:
        asked_for = [query.where(updates.within(request.window)).order_by(updated, key)]
    else:
        since = updates.since(request.cursor, timedelta(minutes=asked.overlap_minutes))
        dated = query.where(updated.is_not(None) if since is None else updated >= since)
        # A row without a date may have changed at any time.
        asked_for = [dated.order_by(updated, key), query.where(updated.is_(None)).order_by(key)]
        held = request.held_keys()
        older = None if since is None else updated < since
        hidden, shown = _compared_keys(connection, key, older, held, asked.page_size)
        gone = vanished(request, held, shown)
    left = len(hidden) + sum(
        connection.execute(select(func.count()).select_from(one.order_by(None).subquery())).scalar_one()
        for one in asked_for
    )
    rows = chain(
        _streamed(connection, asked_for, asked.page_size),
        _streamed(connection, _by_keys(query, key, hidden), asked.page_size),
    )
    while True:
        piece = Extract(iter(()), source_count=min(left, EXTRACT_SIZE))
        piece.records = _records(piece, islice(rows, EXTRACT_SIZE), kept, key.name, updates, request)
        yield piece
        left -= EXTRACT_SIZE
        if left <= 0:
            break
    if withdrawn := list(gone):
        yield Extract(iter(withdrawn))


def _table(connection: Connection, request: ExtractionRequest) -> Table:
    from sqlalchemy import MetaData, Table
    from sqlalchemy.types import NullType

    listeners: list[Any] = []
    if connection.dialect.name == "sqlite":
        # Values are read as they are stored: a declared type binds SQLite to nothing.
        listeners = [("column_reflect", lambda _inspector, _table, column: column.update(type=NullType()))]
    schema, _, name = (request.source.request.table or "").rpartition(".")
    return Table(
        name,
        MetaData(),
        schema=schema or None,
        autoload_with=connection,
        resolve_fks=False,
        listeners=listeners,
    )


def _column(table: Table, name: str | None, request: ExtractionRequest) -> Column[Any]:
    if name is None or name not in table.columns:
        columns = ", ".join(table.columns.keys())
        raise FeedbackError(
            f"The table {request.source.request.table} of the source '{request.source.slug}' has no column "
            f"'{name}'; it has: {columns}."
        )
    return table.columns[name]


def _refuse_repeated_keys(connection: Connection, key: Column[Any], request: ExtractionRequest) -> None:
    from sqlalchemy import Integer, distinct, func, select

    rows, keys = connection.execute(
        select(func.count(), func.count(distinct(key))).select_from(key.table)
    ).one()
    if rows == keys and not isinstance(key.type, Integer):
        # Two that differ for the database may be one reference: text with a blank at its end and without.
        pages = _streamed(connection, [select(key)], request.source.request.page_size)
        keys = len({key_of(row[key.name]) for row in pages})
    if rows != keys:
        raise FeedbackError(
            f"The column {key.name}, which request.key_column of the source '{request.source.slug}' names, does not "
            f"tell its rows apart: {rows} rows have {keys} different keys, blanks around them left out. "
            "Name a column that is never empty and never the same in two rows, or a view that has one."
        )


def _compared_keys(
    connection: Connection,
    key: Column[Any],
    older: ColumnElement[bool] | None,
    held: frozenset[str],
    page_size: int,
) -> tuple[list[Any], frozenset[str]]:
    """Return the keys that are not held though their rows are older than what is read, and the held ones that are there."""
    from sqlalchemy import select

    missing = set(held)
    for row in _streamed(connection, [select(key)], page_size):
        missing.discard(key_of(row[key.name]))
    hidden: list[Any] = []
    if older is not None:
        for row in _streamed(connection, [select(key).where(older)], page_size):
            if key_of(row[key.name]) not in held:
                hidden.append(row[key.name])
    return hidden, held - missing


def _by_keys(query: Select[Any], key: Column[Any], keys: list[Any]) -> Iterator[Select[Any]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield query.where(key.in_([_given_back(one) for one in keys[start : start + KEYS_AT_ONCE]])).order_by(
            key
        )


def _given_back(key: Any) -> Any:
    """Return a key as SQLite takes it, whose driver reads bytes that are no text and writes none."""
    from sqlalchemy import LargeBinary, Text, cast, literal

    if not isinstance(key, str) or not any("\ud800" <= sign <= "\udfff" for sign in key):
        return key
    return cast(literal(key.encode("utf-8", "surrogateescape"), LargeBinary), Text)


def _streamed(
    connection: Connection, queries: list[Select[Any]] | Iterator[Select[Any]], page_size: int
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of one query after the other, a page in memory at a time."""
    for query in queries:
        with connection.execute(query, execution_options={"yield_per": page_size}) as result:
            yield from result.mappings()  # type: ignore[misc]


def _records(
    piece: Extract,
    rows: Iterator[Mapping[str, Any]],
    kept: list[str],
    key: str,
    updates: Updates,
    request: ExtractionRequest,
) -> Iterator[RawRecord]:
    newest: Any = None
    # Read where they are landed, beyond the reach of what `extract` catches.
    with _plain_errors(request):
        for row in rows:
            position = updates.position(row[updates.column.name])
            if position is not None:
                newest = position if newest is None else max(newest, position)
            yield RawRecord(key_of(row[key]), {name: plain_value(row[name]) for name in kept})
    if request.window is None and newest is not None:
        piece.cursor = updates.cursor(newest, request.cursor)


@contextmanager
def _plain_errors(request: ExtractionRequest) -> Iterator[None]:
    """Turn a database's errors into what a person can act on; their own messages may quote rows and passwords."""
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchTableError, SQLAlchemyError

    source, name = request.source, request.connection.name
    try:
        yield
    except NoSuchTableError:
        raise FeedbackError(
            f"The source '{source.slug}' declares the table {source.request.table}, which its database does not show to "
            f"the user of the Airflow connection '{name}': mend request.table, or the connection's database."
        ) from None
    except (ArgumentError, ModuleNotFoundError) as error:
        raise FeedbackError(
            f"The Airflow connection '{name}' of the source '{source.slug}' cannot be used for SQL "
            f"({type(error).__name__}): check its type and host, and that the driver of that type is installed."
        ) from None
    except DBAPIError as error:
        raise _said_plainly(error, request) from None
    except SQLAlchemyError as error:
        raise FeedbackError(
            f"The table {source.request.table} of the source '{source.slug}' cannot be read ({type(error).__name__}): "
            "check the declaration's request."
        ) from None


def _said_plainly(error: DBAPIError, request: ExtractionRequest) -> FeedbackError:
    from sqlalchemy.exc import DataError, InterfaceError, OperationalError

    source, name = request.source, request.connection.name
    kind, words = type(error.orig).__name__, str(error.orig).lower()
    is_of_operation = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    if is_of_operation and not any(word in words for word in FOR_A_PERSON):
        return PlaceUnavailableError(
            f"The database of the source '{source.slug}' is away or busy ({kind}): what came before is kept, and the "
            f"next run goes on from there. If it stays away, check the Airflow connection '{name}'."
        )
    if is_of_operation:
        return FeedbackError(
            f"The database of the source '{source.slug}' refuses the Airflow connection '{name}' ({kind}): check its "
            "host, database, user and password."
        )
    if isinstance(error, DataError):
        column = getattr(getattr(error.orig, "diag", None), "column_name", None)
        return FeedbackError(
            f"The table {source.request.table} of the source '{source.slug}' holds a value that its database cannot give"
            f"{f' in the column {column}' if column else ''} ({kind}): where it is a view, mend what it converts or "
            "computes; else put a column that cannot be read under ignore_columns."
        )
    return FeedbackError(
        f"The database of the source '{source.slug}' refuses to read the table {source.request.table} ({kind}): let the "
        f"user of the Airflow connection '{name}' read its columns, those in ignore_columns excepted."
    )
