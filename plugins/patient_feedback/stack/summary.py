"""What a run leaves behind, in the few figures that a person asks for first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from patient_feedback.contract import SentimentLabel

THEME_LIMIT = 5
EXAMPLE_LIMIT = 2
EXAMPLE_LENGTHS = (40, 220)


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """Every record of a source in exactly one column."""

    source_slug: str
    file_count: int
    refused_file_count: int
    received_count: int
    accepted_count: int
    set_aside_count: int
    duplicate_count: int
    withdrawn_count: int

    @property
    def is_balanced(self) -> bool:
        ended = self.accepted_count + self.set_aside_count + self.duplicate_count + self.withdrawn_count
        return self.received_count == ended


@dataclass(frozen=True, slots=True)
class GateAccount:
    gate: str
    passed_count: int
    failed_count: int
    error_count: int


@dataclass(frozen=True, slots=True)
class FailedCheck:
    check_id: str
    title: str
    severity: str
    effect: str
    outcome: str
    unexpected_count: int | None


@dataclass(frozen=True, slots=True)
class ThemeAccount:
    theme_slug: str
    theme_label: str
    comment_count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    sources: tuple[SourceAccount, ...]
    gates: tuple[GateAccount, ...]
    failed_checks: tuple[FailedCheck, ...]
    sentiments: dict[SentimentLabel, int]
    themes: tuple[ThemeAccount, ...]
    comment_count: int
    is_published: bool


# The newest result of each check on each subject; only the landing gate has several subjects in force.
NEWEST_RESULTS = """
    select distinct on (
        check_result.gate,
        case when check_result.gate = 'landing' then check_result.checked_subject else '' end,
        check_result.check_id
    )
        check_result.*
    from audit.check_result
    left join landing.delivery on check_result.checked_subject = delivery.delivery_id
    where check_result.gate <> 'landing' or delivery.source_slug = any(%(sources)s)
    order by
        check_result.gate,
        case when check_result.gate = 'landing' then check_result.checked_subject else '' end,
        check_result.check_id,
        check_result.check_result_id desc
"""


def read_summary(connection: psycopg.Connection, source_slugs: Sequence[str]) -> Summary:
    """Return the account of the given sources, and the published sentiment and themes of all."""
    is_published = connection.execute(
        "select exists (select from audit.publication where is_current)"
    ).fetchone()
    published = bool(is_published and is_published[0])
    sentiments = _sentiments(connection) if published else {}
    return Summary(
        sources=_sources(connection, source_slugs),
        gates=_gates(connection, source_slugs),
        failed_checks=_failed_checks(connection, source_slugs),
        sentiments=sentiments,
        themes=_themes(connection) if published else (),
        comment_count=sum(sentiments.values()),
        is_published=published,
    )


def _sources(connection: psycopg.Connection, source_slugs: Sequence[str]) -> tuple[SourceAccount, ...]:
    rows = connection.execute(
        """
        with ended as (
            select
                delivery_id,
                count(*) filter (where record_state = 'accepted') as accepted_count,
                count(*) filter (where record_state = 'set_aside') as set_aside_count,
                count(*) filter (where record_state = 'duplicate') as duplicate_count,
                count(*) filter (where record_state = 'withdrawn') as withdrawn_count
            from landing.record
            group by delivery_id
        )
        select
            declared.source_slug,
            count(delivery.delivery_id),
            count(*) filter (where delivery.delivery_state = 'refused'),
            coalesce(sum(delivery.received_count), 0)::bigint,
            coalesce(sum(accepted_count), 0)::bigint,
            coalesce(sum(set_aside_count), 0)::bigint,
            coalesce(sum(duplicate_count), 0)::bigint,
            coalesce(sum(withdrawn_count), 0)::bigint
        from unnest(%(sources)s::text[]) with ordinality as declared (source_slug, place)
        left join landing.delivery on delivery.source_slug = declared.source_slug
        left join ended using (delivery_id)
        group by declared.source_slug, declared.place
        order by declared.place
        """,
        {"sources": list(source_slugs)},
    ).fetchall()
    return tuple(SourceAccount(*row) for row in rows)


def _gates(connection: psycopg.Connection, source_slugs: Sequence[str]) -> tuple[GateAccount, ...]:
    rows = connection.execute(
        f"""
        with newest as ({NEWEST_RESULTS})
        select
            gate,
            count(*) filter (where outcome = 'passed'),
            count(*) filter (where outcome = 'failed'),
            count(*) filter (where outcome = 'error')
        from newest
        group by gate
        order by min(check_result_id)
        """,
        {"sources": list(source_slugs)},
    ).fetchall()
    return tuple(GateAccount(*row) for row in rows)


def _failed_checks(connection: psycopg.Connection, source_slugs: Sequence[str]) -> tuple[FailedCheck, ...]:
    rows = connection.execute(
        f"""
        with newest as ({NEWEST_RESULTS})
        select
            newest.check_id,
            coalesce(min(check_definition.title), newest.check_id),
            newest.severity,
            newest.effect,
            case when bool_or(newest.outcome = 'error') then 'error' else 'failed' end,
            sum(newest.unexpected_count)::bigint
        from newest
        left join audit.check_definition using (check_id)
        where newest.outcome <> 'passed'
        group by newest.check_id, newest.severity, newest.effect
        order by array_position(array['critical', 'warning', 'info'], newest.severity), newest.check_id
        """,
        {"sources": list(source_slugs)},
    ).fetchall()
    return tuple(FailedCheck(*row) for row in rows)


def _sentiments(connection: psycopg.Connection) -> dict[SentimentLabel, int]:
    rows = connection.execute(
        """
        select sentiment_label, count(*)
        from patient_experience.fct_comments
        where sentiment_label is not null
        group by sentiment_label
        """
    ).fetchall()
    counts = {SentimentLabel(label): int(count) for label, count in rows}
    return {label: counts.get(label, 0) for label in SentimentLabel}


def _themes(connection: psycopg.Connection) -> tuple[ThemeAccount, ...]:
    themes = connection.execute(
        """
        select theme_slug, theme_label, comment_count
        from patient_experience.dim_themes
        where theme_level = 'theme' and theme_status in ('proposed', 'approved') and comment_count > 0
        order by comment_count desc, theme_slug
        limit %s
        """,
        (THEME_LIMIT,),
    ).fetchall()
    return tuple(
        ThemeAccount(slug, label, count, _examples(connection, slug)) for slug, label, count in themes
    )


def _examples(connection: psycopg.Connection, theme_slug: str) -> tuple[str, ...]:
    """Return the comments nearest to the middle of the theme that are long enough to say something."""
    rows = connection.execute(
        """
        with candidates as (
            select
                fct_comments.comment_text,
                max(fct_theme_mentions.theme_confidence) as theme_confidence,
                min(fct_comments.comment_id) as comment_id
            from patient_experience.fct_comments
            inner join patient_experience.fct_theme_mentions using (comment_id)
            where
                fct_comments.primary_theme_slug = %(theme)s
                and fct_theme_mentions.theme_slug = %(theme)s
            group by fct_comments.comment_text
        )
        select comment_text
        from candidates
        order by
            length(comment_text) not between %(shortest)s and %(longest)s, theme_confidence desc, comment_id
        limit %(limit)s
        """,
        {
            "theme": theme_slug,
            "shortest": EXAMPLE_LENGTHS[0],
            "longest": EXAMPLE_LENGTHS[1],
            "limit": EXAMPLE_LIMIT,
        },
    ).fetchall()
    return tuple(text for (text,) in rows)
