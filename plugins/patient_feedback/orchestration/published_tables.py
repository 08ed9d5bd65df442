"""The published tables of a slot as an attacker reads them, and the counts behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql

from patient_feedback.privacy.disclosure.published import (
    DENOMINATOR,
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


@dataclass(frozen=True, slots=True)
class Report:
    """How one published table is read.

    query: rows of (quantity, role, family, minimum, the seven columns of a cell, is_suppressed, the seven numbers);
    `{slot}` is the schema. role: favourable, neutral, unfavourable, share, net or mean. group: the numerators of one
    group add up to at most the denominator, or to all of it where it is complete; of a score, one favourable and
    one unfavourable do, and to all of it with the neutral one. truth: rows of (family, the cell, quantity, number).
    whole: the family that holds all that the others of this report count.
    """

    name: str
    query: str
    group: str
    truth: str | None = None
    whole: str | None = None


# A reading by another model is another number: its version is part of its name.
_MEASURE = """
    measures.measure_slug || case
        when measures.score_slug = 'comment_sentiment'
            then '@' || coalesce((select sentiment_model_version from {slot}.int_model_versions_selected), '')
        when starts_with(measures.score_slug, 'side_')
            then '@' || coalesce(
                (
                    select concat_ws('@', sentiment_model_version, topic_model_version)
                    from {slot}.int_model_versions_selected
                ),
                ''
            )
        else ''
    end
"""
_THEME = """
    'theme:' || coalesce(theme_slug, '') || '@'
    || coalesce((select theme_set_id from {slot}.int_model_versions_selected), '')
"""
# Responses of a composite are people who answered any of its items; all else is added over the items.
_COUNTED = """
    select
        score_slug, score_version, period_kind, period_first_on, period_last_on, organisation_slug, service_slug,
        stratum_attribute, stratum, response_count, observation_count, favourable_sum, unfavourable_sum
    from {slot}.int_cells_suppressed
    where score_slug not in (select composite_slug from {slot}.composites)
    union all
    select
        cells.score_slug, cells.score_version, cells.period_kind, cells.period_first_on, cells.period_last_on,
        cells.organisation_slug, cells.service_slug, cells.stratum_attribute, cells.stratum, cells.response_count,
        coalesce(sum(items.observation_count), 0), coalesce(sum(items.favourable_sum), 0),
        coalesce(sum(items.unfavourable_sum), 0)
    from {slot}.int_cells_suppressed as cells
    inner join {slot}.composites
        on cells.score_slug = composites.composite_slug and cells.score_version = composites.instrument_version
    left join {slot}.int_cells_suppressed as items
        on
            composites.member_score_slug = items.score_slug
            and cells.score_version = items.score_version
            and cells.period_kind = items.period_kind
            and coalesce(cells.period_first_on, '-infinity') = coalesce(items.period_first_on, '-infinity')
            and cells.organisation_slug = items.organisation_slug
            and cells.part_kind = items.part_kind
            and cells.part_slug = items.part_slug
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
_LAST_OF_MONTH = "(month_start_on + interval '1 month' - interval '1 day')::date"

REPORTS = (
    # rpt_fft_monthly and rpt_sentiment_by_service are rows of it. The value of a composite is no share of its counts; one
    # that lacks an item is shown with none, though what was answered counts in its totals.
    Report(
        "rpt_measures",
        f"""
            select
                {_MEASURE},
                case measures.statistic
                    when 'mean' then 'mean' when 'net_share' then 'net'
                    else replace(measures.statistic, '_share', '')
                end,
                measures.score_slug || ' ' || measures.measure_version,
                measures.min_responses,
                period_kind, period_first_on, period_last_on, organisation_slug, service_slug, stratum_attribute,
                stratum, cell_state = 'suppressed', response_count,
                case when not is_in_part then denominator_count end, case when not is_in_part then numerator_count end,
                case when not is_composite and measures.statistic <> 'mean' then measure_value end,
                case when is_proportion then interval_low end,
                case when is_proportion then interval_high end,
                case when not is_composite and measures.statistic = 'mean' then measure_value end
            from {{slot}}.rpt_measures as published
            inner join {{slot}}.dim_measures as measures using (measure_slug, measure_version)
            cross join lateral (
                select exists(select 1 from {{slot}}.composites where composite_slug = measures.score_slug) as is_composite
            ) as composites
            cross join lateral (
                select
                    not is_composite and measures.statistic not in ('mean', 'net_share') as is_proportion,
                    is_composite and response_count > 0 and denominator_count = 0 as is_in_part
            ) as proportions
        """,
        group=SCORE_GROUP,
        truth=f"""
            select
                score_slug || ' ' || score_version, period_kind, period_first_on, period_last_on, organisation_slug,
                service_slug, stratum_attribute, stratum, quantity, number
            from ({_COUNTED}) as cells
            cross join lateral (
                select '{RESPONSES}' as quantity, cells.response_count as number
                union all
                select '{DENOMINATOR}', cells.observation_count
                union all
                select
                    {_MEASURE},
                    case measures.statistic
                        when 'favourable_share' then cells.favourable_sum
                        when 'unfavourable_share' then cells.unfavourable_sum
                        else cells.observation_count - cells.favourable_sum - cells.unfavourable_sum
                    end
                from {{slot}}.dim_measures as measures
                where
                    measures.score_slug = cells.score_slug
                    and measures.measure_version = cells.score_version
                    and measures.statistic in ('favourable_share', 'neutral_share', 'unfavourable_share')
            ) as counts
        """,
    ),
    # Its other rows are rows of rpt_measures. How many comments speak of a side is what that side's sentiment is taken of.
    Report(
        "rpt_partnership",
        f"""
            select
                {_MEASURE}, 'mean', measures.score_slug || ' ' || measures.measure_version, measures.min_responses,
                period_kind, period_first_on, period_last_on, organisation_slug, service_slug, stratum_attribute,
                stratum, false,
                case when is_side then null else published.response_count end,
                case when is_side then published.numerator_count else published.denominator_count end,
                null::bigint, null::float, null::float, null::float, null::float
            from {{slot}}.rpt_partnership as published
            inner join {{slot}}.dim_measures as measures
                on
                    measures.statistic = 'mean'
                    and measures.score_slug in ('comment_sentiment', 'side_' || published.partnership_side)
            cross join lateral (select measures.score_slug <> 'comment_sentiment' as is_side) as sides
            where
                published.measure_slug = published.partnership_side || '_mention_share'
                and num_nonnulls(published.response_count, published.denominator_count, published.numerator_count) > 0
        """,
        group=SCORE_GROUP,
        whole="comment_sentiment 1",
    ),
    Report(
        "rpt_theme_trends_monthly",
        f"""
            select
                {_THEME}, 'share', 'comment_sentiment 1', measures.min_responses, 'month', month_start_on,
                {_LAST_OF_MONTH}, organisation_slug, 'all', 'all', 'all', cell_state = 'suppressed', response_count,
                denominator_count, numerator_count, share, wilson_low, wilson_high, null::float
            from {{slot}}.rpt_theme_trends_monthly
            inner join {{slot}}.dim_measures as measures using (measure_slug)
        """,
        group=THEME_GROUP,
        truth=f"""
            select
                'comment_sentiment 1', 'month', month_start_on, {_LAST_OF_MONTH},
                case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end,
                'all', 'all', 'all', {_THEME}, count(*)
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
)


@dataclass
class PublishedTables:
    """What a slot publishes, as rows of one kind, and what each family of measures is."""

    rows: list[PublishedRow] = field(default_factory=list)
    families: dict[str, Family] = field(default_factory=dict)
    reports_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Which reports show a family."""
    items_of: dict[str, list[str]] = field(default_factory=dict)
    """Of the family of a composite, the scores that it is made of; most have no measure of their own."""


def read_published(connection: psycopg.Connection, slot: str) -> PublishedTables:
    """Return every report that stands in the slot."""
    tables = PublishedTables()
    roles: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    minimum_of: dict[str, int] = defaultdict(int)
    whole_of: dict[str, str] = {}
    for report in REPORTS:
        if not _has_table(connection, slot, report.name):
            continue
        with connection.cursor() as cursor:
            read = [
                (role, minimum, _published_row(quantity, role, family, rest))
                for quantity, role, family, minimum, *rest in cursor.execute(_in_slot(report.query, slot))
            ]
        apart = _families_of_several_denominators(row for _, _, row in read)
        for role, minimum, row in read:
            family = row.cell.family
            if family in apart:
                family = f"{family}/{row.measure}"
                row = row._replace(cell=row.cell._replace(family=family))
            tables.rows.append(row)
            roles[family][report.group][row.measure] = role
            minimum_of[family] = max(minimum_of[family], minimum)
            tables.reports_of[family].add(report.name)
            if report.whole and report.whole != family:
                whole_of[family] = report.whole
    own_denominator = {
        row.cell.family for row in tables.rows if None not in row[3:5] and row.responses != row.denominator
    }
    for family, groups in roles.items():
        whole = whole_of.get(family)
        has_own_denominator = not own_denominator.isdisjoint({family, whole})
        tables.families[family] = replace(
            _family(family, minimum_of[family], groups, has_own_denominator), part_of=whole
        )
    tables.items_of = _items_of(connection, slot)
    return tables


def _items_of(connection: psycopg.Connection, slot: str) -> dict[str, list[str]]:
    query = """
        select composite_slug || ' ' || instrument_version, array_agg(member_score_slug || ' ' || instrument_version)
        from {slot}.composites
        group by 1
    """
    return dict(connection.execute(_in_slot(query, slot)).fetchall())


def read_truth(connection: psycopg.Connection, slot: str) -> dict[Quantity, float]:
    """Return the counts behind the reports of the slot, as far as tables of counted cells hold them."""
    numbers: dict[Quantity, float] = {}
    for truth in filter(None, (report.truth for report in REPORTS)):
        with connection.cursor() as cursor:
            for row in cursor.execute(_in_slot(truth, slot)):
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
        if group in COMPLETE_GROUPS or roles == ["favourable", "neutral", "unfavourable"]:
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
