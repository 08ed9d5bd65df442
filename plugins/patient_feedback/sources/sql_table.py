"""A table or view of a survey tool's database, read by keyset in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.extraction import Cursor, Extract, ExtractionRequest, RawRecord, vanished

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Table

IDENTIFIERS: tuple[str, ...] = ()
"""Which columns identify a person only the declaration can say: `ignore_columns`."""
EXTRACT_SIZE = 50_000
"""Records that land together; what was landed stays when a later part fails."""


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield the rows updated since the cursor less the overlap, in the order of their update.

    A row that is no longer in the table is withdrawn: all ids are compared, since a database tells of no
    deletion. All is read in one snapshot, so that count and rows agree.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchTableError, OperationalError, SQLAlchemyError

    engine = create_engine(_url(request), hide_parameters=True)
    try:
        isolated = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        with engine.connect().execution_options(**isolated) as connection, connection.begin():
            yield from _extracts(connection, request)
    except NoSuchTableError:
        raise FeedbackError(
            f"The source '{request.source.slug}' declares the table {request.source.request.table}, which its "
            "database does not show to this user: mend request.table, or grant the right to read it."
        ) from None
    except OperationalError as error:
        raise PlaceUnavailableError(
            f"The database of the source '{request.source.slug}' is away or refuses the Airflow connection "
            f"'{request.connection.name}' ({type(error.orig).__name__})."
        ) from None
    except SQLAlchemyError as error:
        # Its message may quote rows.
        raise FeedbackError(
            f"The database of the source '{request.source.slug}' refuses the query ({type(error).__name__}): check "
            "request.table and the rights of its user."
        ) from None
    finally:
        engine.dispose()


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as it is."""
    return dict(content)


def _url(request: ExtractionRequest) -> Any:
    from sqlalchemy.engine import make_url

    url = make_url(request.connection.url)
    return url.set(password=request.connection.password) if request.connection.password else url


def _extracts(connection: Connection, request: ExtractionRequest) -> Iterator[Extract]:
    from sqlalchemy import MetaData, Table, func, select

    asked = request.source.request
    schema, _, name = (asked.table or "").rpartition(".")
    table = Table(name, MetaData(), schema=schema or None, autoload_with=connection)
    key, updated = _column(table, asked.key_column, request), _column(table, asked.updated_column, request)
    query = select(table).where(*_bounds(updated, request)).order_by(updated, key)
    rows: Iterator[Mapping[str, Any]] = (
        dict(row) for row in connection.execution_options(yield_per=asked.page_size).execute(query).mappings()
    )
    kept = [column.name for column in table.columns if not request.source.ignores(column.name)]
    withdrawn: Iterator[RawRecord] = iter(())
    if request.window is None:
        present = {str(found) for found in connection.execute(select(key)).scalars()}
        withdrawn = vanished(request, request.held_keys(None), present)
    left = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    while True:
        piece = Extract(iter(()), source_count=min(left, EXTRACT_SIZE))
        piece.records = _records(piece, islice(rows, EXTRACT_SIZE), kept, key.name, updated.name, request)
        yield piece
        left -= EXTRACT_SIZE
        if left <= 0:
            break
    gone = list(withdrawn)
    if gone:
        yield Extract(iter(gone))


def _records(
    piece: Extract,
    rows: Iterator[Mapping[str, Any]],
    kept: list[str],
    key: str,
    updated: str,
    request: ExtractionRequest,
) -> Iterator[RawRecord]:
    newest = None
    for row in rows:
        newest = row[updated]
        yield RawRecord(str(row[key]), {name: _plain(row[name]) for name in kept})
    if request.window is None and newest is not None:
        piece.cursor = {"updated": str(_plain(newest))}


def _column(table: Table, name: str | None, request: ExtractionRequest) -> Column[Any]:
    if name is None or name not in table.columns:
        columns = ", ".join(table.columns.keys())
        raise FeedbackError(
            f"The table {request.source.request.table} of the source '{request.source.slug}' has no column "
            f"'{name}'; it has: {columns}."
        )
    return table.columns[name]


def _bounds(updated: Column[Any], request: ExtractionRequest) -> list[ColumnElement[bool]]:
    if request.window:
        begin, end = (_in_zone_of(updated, moment) for moment in request.window)
        return [updated >= begin, updated < end]
    since = _since(updated, request.cursor, request.source.request.overlap_minutes)
    return [] if since is None else [updated >= since]


def _since(updated: Column[Any], cursor: Cursor | None, overlap_minutes: int) -> Any:
    if cursor is None:
        return None
    kind = updated.type.python_type
    if kind is datetime:
        return datetime.fromisoformat(cursor["updated"]) - timedelta(minutes=overlap_minutes)
    if kind is date:
        return date.fromisoformat(cursor["updated"]) - timedelta(days=1 + overlap_minutes // 1440)
    return kind(cursor["updated"])


def _in_zone_of(updated: Column[Any], moment: datetime) -> Any:
    """Return the moment as the column holds it; one without a zone is taken to be in UTC."""
    if updated.type.python_type is date:
        return moment.date()
    return moment if getattr(updated.type, "timezone", False) else moment.replace(tzinfo=None)


def _plain(value: Any) -> Any:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return str(value)
        case list() | tuple():
            return [_plain(part) for part in value]
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case _:
            return str(value)
