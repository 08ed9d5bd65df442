"""The published tables of a slot as an attacker reads them, and the counts behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import psycopg
from psycopg import sql

from patient_feedback.privacy.disclosure.published import (
    RESPONSES,
    CellKey,
    Family,
    Period,
    PublishedRow,
    Quantity,
)

CELL_COLUMNS = """
    'month' as period_kind, month_start_on as period_first_on,
    (month_start_on + interval '1 month' - interval '1 day')::date as period_last_on,
    organisation_slug, {service} as service_slug, 'all' as stratum_attribute, 'all' as stratum
"""
NUMBERS = "response_count, denominator_count, numerator_count, share, wilson_low, wilson_high, null::float as mean"


@dataclass(frozen=True, slots=True)
class Report:
    """How one published table is read.

    query: rows of (quantity, kind, family, the seven columns of a cell, is_suppressed, the seven numbers); `{slot}`
    is the schema. kind: share, net or mean. group: the numerators of one group add up to at most the
    denominator, or to all of it where it is complete.
    """

    name: str
    query: str
    group: str
    is_complete: bool = False
    truth: str | None = None
    truth_table: str | None = None


def _monthly(report: str, quantity: str, family: str, service: str = "service_slug") -> str:
    return (
        f"select {quantity}, 'share', {family}, {CELL_COLUMNS.format(service=service)}, "
        f"cell_state = 'suppressed', {NUMBERS} from {{slot}}.{report}"
    )


def _true_counts(table: str, family: str, counts: str) -> str:
    """Return a query of (family, cell, quantity, number) from a table of counted cells."""
    return (
        f"select {family}, {CELL_COLUMNS.format(service='service_slug')}, quantity, number from {{slot}}.{table} "
        f"cross join lateral (values {counts}) as counts (quantity, number)"
    )


_SENTIMENT = "measure_slug || '@' || coalesce(sentiment_model_version, '')"
_THEME = "'theme:' || coalesce(theme_slug, '') || '@' || coalesce(theme_set_id, '')"
_VERSIONS = "(select {column} from {{slot}}.int_model_versions_selected)"

REPORTS = (
    Report(
        "rpt_fft_monthly",
        _monthly("rpt_fft_monthly", "measure_slug", "'fft'"),
        group="fft",
        truth_table="int_fft_cells_counted",
        truth=_true_counts(
            "int_fft_cells_counted",
            "'fft'",
            "('responses', response_count), ('fft_positive_share', positive_count), "
            "('fft_negative_share', negative_count)",
        ),
    ),
    Report(
        "rpt_sentiment_by_service",
        _monthly("rpt_sentiment_by_service", _SENTIMENT, "'comments'"),
        group="sentiment",
        truth_table="int_comment_cells_counted",
        truth=_true_counts(
            "int_comment_cells_counted",
            "'comments'",
            "('responses', response_count), ('denominator', comment_count), "
            f"('positive_sentiment_share@' || coalesce({_VERSIONS.format(column='sentiment_model_version')}, ''), "
            "positive_count), "
            f"('negative_sentiment_share@' || coalesce({_VERSIONS.format(column='sentiment_model_version')}, ''), "
            "negative_count)",
        ),
    ),
    Report(
        "rpt_theme_trends_monthly",
        _monthly("rpt_theme_trends_monthly", _THEME, "'comments'", service="'all'"),
        group="themes",
        is_complete=True,
        truth_table="int_comments_scored",
        truth=f"""
            select
                'comments', 'month', month_start_on,
                (month_start_on + interval '1 month' - interval '1 day')::date,
                case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end,
                'all', 'all', 'all',
                'theme:' || coalesce(theme_slug, '') || '@'
                || coalesce({_VERSIONS.format(column="theme_set_id")}, ''),
                count(*)
            from (
                select month_start_on, theme_slug, coalesce(organisation_slug, 'not_stated') as organisation_slug
                from {{slot}}.int_comments_scored
                where analysis_state = 'analysed'
            ) as comments
            group by grouping sets (
                (month_start_on, organisation_slug, theme_slug), (month_start_on, theme_slug)
            )
        """,
    ),
    Report(
        "rpt_measures",
        """
            select
                rpt_measures.measure_slug,
                case dim_measures.statistic when 'mean' then 'mean' when 'net_share' then 'net' else 'share' end,
                coalesce(dim_measures.score_slug, rpt_measures.measure_slug),
                period_kind, period_first_on, period_last_on, organisation_slug, service_slug, stratum_attribute,
                stratum, cell_state = 'suppressed', response_count, denominator_count, numerator_count,
                case when dim_measures.statistic <> 'mean' then value end,
                case when dim_measures.statistic not in ('mean', 'net_share') then interval_low end,
                case when dim_measures.statistic not in ('mean', 'net_share') then interval_high end,
                case when dim_measures.statistic = 'mean' then value end
            from {slot}.rpt_measures
            inner join {slot}.dim_measures on rpt_measures.measure_slug = dim_measures.measure_slug
        """,
        group="score",
    ),
)


@dataclass
class PublishedTables:
    """What a slot publishes, as rows of one kind, and what each family of measures is."""

    rows: list[PublishedRow] = field(default_factory=list)
    families: dict[str, Family] = field(default_factory=dict)
    reports_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Which reports show a family."""


def read_published(connection: psycopg.Connection, slot: str, minimums: dict[str, int]) -> PublishedTables:
    """Return every report that stands in the slot; `minimums` gives the fewest responses per report."""
    tables = PublishedTables()
    kinds: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    complete: set[tuple[str, str]] = set()
    has_own_denominator: set[str] = set()
    minimum_of: dict[str, int] = {}
    for report in REPORTS:
        if not _has_table(connection, slot, report.name):
            continue
        with connection.cursor() as cursor:
            for quantity, kind, family, *rest in cursor.execute(_in_slot(report.query, slot)):
                cell = _cell(family, rest[:7])
                is_suppressed = rest[7]
                responses, denominator, numerator, share, low, high, mean = rest[8:]
                if denominator is not None and responses is not None and denominator != responses:
                    has_own_denominator.add(family)
                tables.rows.append(
                    PublishedRow(
                        cell,
                        quantity,
                        is_suppressed,
                        responses,
                        denominator,
                        numerator if kind == "share" else None,
                        *(None if number is None else float(number) for number in (share, low, high, mean)),
                    )
                )
                kinds[family][report.group if kind == "share" else kind][quantity] = kind
                if report.is_complete:
                    complete.add((family, report.group))
                minimum_of[family] = max(minimum_of.get(family, 0), minimums.get(report.name, 0))
                tables.reports_of[family].add(report.name)
    for family, groups in kinds.items():
        tables.families[family] = _family(
            family, minimum_of[family], groups, complete, family in has_own_denominator
        )
    return tables


def read_truth(connection: psycopg.Connection, slot: str) -> dict[Quantity, float]:
    """Return the counts behind the reports of the slot, as far as tables of counted cells hold them."""
    numbers: dict[Quantity, float] = {}
    for report in REPORTS:
        if report.truth is None or report.truth_table is None or not _has_table(connection, slot, report.truth_table):
            continue
        with connection.cursor() as cursor:
            for row in cursor.execute(_in_slot(report.truth, slot)):
                numbers[Quantity(_cell(row[0], row[1:8]), row[8])] = float(row[9])
    return numbers


def filled_up(numbers: dict[Quantity, float], rows: Iterable[PublishedRow], families: dict[str, Family]) -> None:
    """Add a 0 for each numerator of a counted cell that nobody is in: such rows are not counted at all."""
    for row in rows:
        if row.measure in families[row.cell.family].numerators and Quantity(row.cell, RESPONSES) in numbers:
            numbers.setdefault(Quantity(row.cell, row.measure), 0.0)


def _family(
    slug: str,
    minimum: int,
    groups: dict[str, dict[str, str]],
    complete: set[tuple[str, str]],
    has_own_denominator: bool,
) -> Family:
    shares = {name: tuple(sorted(measures)) for name, measures in groups.items() if name not in ("mean", "net")}
    nets = tuple((name, *_terms_of_net(shares)) for name in sorted(groups.get("net", ())))
    numerators = tuple(chain.from_iterable(shares[name] for name in sorted(shares)))
    return Family(
        slug,
        minimum,
        numerators,
        exclusive=tuple(measures for name, measures in shares.items() if (slug, name) not in complete),
        complete=tuple(measures for name, measures in shares.items() if (slug, name) in complete),
        nets=tuple(net for net in nets if len(net) == 3),
        scores=tuple(sorted(groups.get("mean", ()))),
        has_own_denominator=has_own_denominator,
    )


def _terms_of_net(shares: dict[str, tuple[str, ...]]) -> Sequence[str]:
    """Return the favourable and the unfavourable numerator of a score, if it has these two."""
    names = sorted(chain.from_iterable(shares.values()))
    unfavourable = [name for name in names if any(word in name for word in ("negative", "unfavourable", "detractor"))]
    favourable = [name for name in names if name not in unfavourable]
    return (favourable[0], unfavourable[0]) if len(favourable) == len(unfavourable) == 1 else ()


def _cell(family: str, columns: Sequence[object]) -> CellKey:
    kind, first_on, last_on, organisation, service, attribute, stratum = columns
    return CellKey(
        family,
        Period(str(kind), first_on, last_on),  # type: ignore[arg-type]
        str(organisation),
        str(service),
        str(attribute),
        str(stratum),
    )


def _has_table(connection: psycopg.Connection, slot: str, table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (f'"{slot}"."{table}"',)).fetchone()
    return bool(row and row[0])


def _in_slot(query: str, slot: str) -> sql.Composed:
    return sql.SQL(query).format(slot=sql.Identifier(slot))  # type: ignore[arg-type]
