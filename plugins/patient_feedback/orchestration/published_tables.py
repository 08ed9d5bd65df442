"""The published tables of a slot as an attacker reads them, and the counts behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

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

SCORE_GROUP = "score"
THEME_GROUP = "themes"
COMPLETE_GROUPS = (THEME_GROUP,)
"""Every comment has one theme or none, and "none" is a row of the report too."""
OPEN_GROUPS = (THEME_GROUP,)
"""That a hidden group raised a theme not at all is recorded and reported; it stops no publication."""

CELL_COLUMNS = """
    'month' as period_kind, month_start_on as period_first_on,
    (month_start_on + interval '1 month' - interval '1 day')::date as period_last_on,
    organisation_slug, {service} as service_slug, 'all' as stratum_attribute, 'all' as stratum
"""
NUMBERS = (
    "response_count, denominator_count, numerator_count, share, wilson_low, wilson_high, null::float as mean"
)


@dataclass(frozen=True, slots=True)
class Report:
    """How one published table is read.

    query: rows of (quantity, role, family, the seven columns of a cell, is_suppressed, the seven numbers); `{slot}`
    is the schema. role: favourable, unfavourable, share, net or mean. group: the numerators of one group add up to
    at most the denominator, or to all of it where it is complete; of a score, one favourable and one
    unfavourable do. truth: a query of the true counts, where `truth_table` stands in the slot.
    """

    name: str
    query: str
    group: str
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
        group=THEME_GROUP,
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
                case dim_measures.statistic
                    when 'mean' then 'mean' when 'net_share' then 'net' when 'favourable_share' then 'favourable'
                    when 'unfavourable_share' then 'unfavourable' else 'share'
                end,
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
        group=SCORE_GROUP,
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
    roles: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    minimum_of: dict[str, int] = defaultdict(int)
    for report in REPORTS:
        if not _has_table(connection, slot, report.name):
            continue
        with connection.cursor() as cursor:
            read = [
                (role, _published_row(quantity, role, family, rest))
                for quantity, role, family, *rest in cursor.execute(_in_slot(report.query, slot))
            ]
        apart = _families_of_several_denominators(row for _, row in read)
        for role, row in read:
            family = row.cell.family
            if family in apart:
                family = f"{family}/{row.measure}"
                row = row._replace(cell=row.cell._replace(family=family))
            tables.rows.append(row)
            roles[family][report.group][row.measure] = role
            minimum_of[family] = max(minimum_of[family], minimums.get(report.name, 0))
            tables.reports_of[family].add(report.name)
    own_denominator = {
        row.cell.family for row in tables.rows if None not in row[3:5] and row.responses != row.denominator
    }
    for family, groups in roles.items():
        tables.families[family] = _family(family, minimum_of[family], groups, family in own_denominator)
    return tables


def read_truth(connection: psycopg.Connection, slot: str) -> dict[Quantity, float]:
    """Return the counts behind the reports of the slot, as far as tables of counted cells hold them."""
    numbers: dict[Quantity, float] = {}
    for report in REPORTS:
        if (
            report.truth is None
            or report.truth_table is None
            or not _has_table(connection, slot, report.truth_table)
        ):
            continue
        with connection.cursor() as cursor:
            for row in cursor.execute(_in_slot(report.truth, slot)):
                numbers[Quantity(_cell(row[0], row[1:8]), row[8])] = float(row[9])
    return numbers


def filled_up(
    numbers: dict[Quantity, float], rows: Iterable[PublishedRow], families: dict[str, Family]
) -> None:
    """Add a 0 for each numerator of a counted cell that nobody is in: such rows are not counted at all."""
    for row in rows:
        if row.measure in families[row.cell.family].numerators and Quantity(row.cell, RESPONSES) in numbers:
            numbers.setdefault(Quantity(row.cell, row.measure), 0.0)


def _published_row(quantity: str, role: str, family: str, columns: Sequence[Any]) -> PublishedRow:
    responses, denominator, numerator, *ratios = columns[8:]
    return PublishedRow(
        _cell(family, columns[:7]),
        quantity,
        bool(columns[7]),
        responses,
        denominator,
        None if role in ("net", "mean") else numerator,
        *(None if ratio is None else float(ratio) for ratio in ratios),
    )


def _families_of_several_denominators(rows: Iterable[PublishedRow]) -> set[str]:
    """Return the families whose measures have other denominators in one cell: each measure is one of its own."""
    denominator_of: dict[CellKey, int] = {}
    apart = set()
    for row in rows:
        shown = row.denominator
        if shown is not None and denominator_of.setdefault(row.cell, shown) != shown:
            apart.add(row.cell.family)
    return apart


def _family(slug: str, minimum: int, groups: dict[str, dict[str, str]], has_own_denominator: bool) -> Family:
    exclusive, complete = [], []
    role_of = {name: role for measures in groups.values() for name, role in measures.items()}
    for group, measures in groups.items():
        numerators = tuple(sorted(name for name, role in measures.items() if role not in ("net", "mean")))
        roles = sorted(measures[name] for name in numerators)
        if group in COMPLETE_GROUPS:
            complete.append(numerators)
        elif group != SCORE_GROUP or roles == ["favourable", "unfavourable"]:
            exclusive.append(numerators)
    favourable = [name for name, role in role_of.items() if role == "favourable"]
    unfavourable = [name for name, role in role_of.items() if role == "unfavourable"]
    nets = sorted(name for name, role in role_of.items() if role == "net")
    has_terms = len(favourable) == len(unfavourable) == 1
    return Family(
        slug,
        minimum,
        tuple(sorted(name for name, role in role_of.items() if role not in ("net", "mean"))),
        exclusive=tuple(exclusive),
        complete=tuple(complete),
        open_absences=tuple(name for group in OPEN_GROUPS for name in sorted(groups.get(group, ()))),
        nets=tuple((name, favourable[0], unfavourable[0]) for name in nets) if has_terms else (),
        scores=tuple(sorted(name for name, role in role_of.items() if role == "mean")),
        has_own_denominator=has_own_denominator,
    )


def _cell(family: str, columns: Sequence[Any]) -> CellKey:
    kind, first_on, last_on, organisation, service, attribute, stratum = columns
    return CellKey(
        family,
        Period(str(kind), first_on, last_on),
        str(organisation),
        str(service),
        str(attribute),
        str(stratum),
    )


def _has_table(connection: psycopg.Connection, slot: str, table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (f'"{slot}"."{table}"',)).fetchone()
    return bool(row and row[0])


def _in_slot(query: str, slot: str) -> sql.Composed:
    return sql.SQL(query).format(slot=sql.Identifier(slot))
