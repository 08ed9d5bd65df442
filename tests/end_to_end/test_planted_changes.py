"""The changes planted in the samples, looked for in the charts that the whole pipeline makes of them."""

from __future__ import annotations

import datetime
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from run_stages import run_stages

from patient_feedback.settings import Role, Settings
from patient_feedback.stack.postgres import EmbeddedPostgres

INTERNAL_SERIES = """
create table {slot}.staff_point as
with values_of_people as (
    select organisation_slug, service_slug, submitted_on, response_id, 'positive' as measure_slug,
        (value_code in ('1', '2'))::int::numeric as value
    from {slot}.fct_answers join {slot}.fct_responses using (response_id)
    where instrument_slug = 'fft' and value_code is not null
    union all
    select organisation_slug, service_slug, submitted_on, response_id, 'collaborate', avg(value_number)
    from {slot}.fct_answers join {slot}.fct_responses using (response_id)
    where instrument_slug = 'collaborate' and value_number is not null
    group by organisation_slug, service_slug, submitted_on, response_id
    having count(*) = 3
)
select measure_slug || ' ' || service_slug || ' ' || period as series_key,
    date_trunc(period, submitted_on)::date as point_on, avg(value) as value, '1' as version
from values_of_people cross join (values ('month'), ('quarter')) as periods (period)
where service_slug is not null and submitted_on is not null
group by measure_slug, service_slug, period, date_trunc(period, submitted_on)
"""
"""What staff could draw over facts, hidden months included: it is not published."""


@pytest.fixture(scope="module")
def samples(server: EmbeddedPostgres, project_dir: Path, tmp_path_factory: Any) -> Iterator[Settings]:
    name = f"samples_{os.getpid()}"
    server.create_warehouse(name, template="warehouse_template")
    settings = Settings.from_environment(
        {
            "FEEDBACK_PROJECT_DIR": str(project_dir),
            "FEEDBACK_HOME": str(server.home),
            "FEEDBACK_DB_PORT": str(server.port),
            "FEEDBACK_DB_NAME": name,
            "FEEDBACK_LANDING_URL": tmp_path_factory.mktemp("landing").as_uri(),
        }
    )
    assert run_stages(settings, "samples")
    yield settings
    server.drop_database(name)


@pytest.fixture(scope="module")
def rows(samples: Settings) -> Callable[..., list[tuple[Any, ...]]]:
    def query(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(samples.dsn()) as connection:
            connection.execute("set search_path = patient_experience")
            return connection.execute(statement).fetchall()

    return query


@pytest.fixture(scope="module")
def staff_signals(samples: Settings, tmp_path_factory: Any) -> Callable[..., list[tuple[Any, ...]]]:
    """Signals of the service's own chart: by month or quarter, with all points or a baseline."""
    target = tmp_path_factory.mktemp("dbt_staff")
    with psycopg.connect(samples.dsn()) as connection:
        [(slot,)] = connection.execute(
            "select schemaname from pg_tables where tablename = 'fct_responses' and schemaname like 'marts%'"
        ).fetchall()
        connection.execute(INTERNAL_SERIES.format(slot=slot))

    @functools.cache
    def compiled(call: str) -> str:
        project = str(samples.project_dir / "dbt_project")
        dbt = [str(Path(sys.executable).with_name("dbt")), "--quiet", "compile", "--output", "json"]
        paths = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(target)]
        output = subprocess.run(
            [*dbt, *paths, "--log-path", str(target), "--inline", f"{{{{ {call} }}}}"],
            env=os.environ
            | {
                "FEEDBACK_DB_HOST": samples.db_host,
                "FEEDBACK_DB_PORT": str(samples.db_port),
                "FEEDBACK_DB_NAME": samples.db_name,
                "FEEDBACK_SECRET_PIPELINE_PASSWORD": samples.password(Role.PIPELINE),
                "FEEDBACK_MARTS_SLOT": slot,
            },
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return str(json.loads(output)["compiled"])

    rule = compiled("xmr_signals('staff_charted', 'nhs')")

    def signals(series_key: str, baseline_points: int | None) -> list[tuple[Any, ...]]:
        chart = compiled(
            f"xmr_chart('{slot}.staff_point', ['version'], 3, 12, true, {baseline_points or 'none'})"
        )
        with psycopg.connect(samples.dsn()) as connection:
            connection.execute(f"create temporary table staff_charted as {chart}")
            found = connection.execute(
                f"select distinct signal_kind, signal_direction, run_first_on from ({rule}) as ruled "
                "where series_key = %s order by 3, 1",
                (series_key,),
            ).fetchall()
            connection.rollback()
        return found

    return signals


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_new_phone_system_is_found_in_published_charts_in_its_month(rows: Callable[..., Any]) -> None:
    found = rows(
        "select month_start_on, signal_direction, signal_kind, theme_keywords, exemplar_comment_ids "
        "from rpt_measure_signals join dim_themes using (theme_slug) "
        "where organisation_slug = 'riverside' and is_emerging and theme_keywords like '%phone%'"
    )
    [(month, direction, kind, _, exemplars)] = found
    assert (month, direction, kind) == (datetime.date(2025, 11, 1), "up", "outside_limits")
    services = rows(
        f"select distinct service_slug from fct_comments where comment_id = any(string_to_array('{exemplars}', ', '))"
    )
    assert ("urgent_treatment_centre",) in services


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("series", "planted_on", "signal"),
    [
        ("positive urgent_treatment_centre month", "2025-11-01", ("shift", "down", "2025-10-01")),
        ("positive maternity month", "2025-09-01", ("shift", "up", "2025-08-01")),
        ("collaborate barnmorskemottagning month", "2025-10-01", ("shift", "up", "2025-08-01")),
        ("collaborate barnmorskemottagning month", "2025-10-01", ("two_of_three", "up", "2025-10-01")),
    ],
)
def test_changes_in_single_services_are_found_by_staffs_own_charts(
    staff_signals: Callable[..., Any], series: str, planted_on: str, signal: tuple[str, str, str]
) -> None:
    """Measured by the first twelve months, a run begins with the change, or with a month that chance adds before it."""
    kind, direction, first_on = signal
    assert (kind, direction, datetime.date.fromisoformat(first_on)) in staff_signals(series, 12)
    assert first_on <= planted_on


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_months_of_five_answers_hide_a_fall_from_limits_that_count_it_in(
    staff_signals: Callable[..., Any], rows: Callable[..., Any]
) -> None:
    """What the published chart cannot show is no fault of its rules: the same months, none hidden, show nothing either."""
    assert staff_signals("positive urgent_treatment_centre month", None) == []
    assert (
        rows(
            "select * from rpt_measure_signals where service_slug in ('urgent_treatment_centre', 'maternity', "
            "'barnmorskemottagning') and signal_kind is not null"
        )
        == []
    )
