"""The real file: every record accounted for, every known defect named, published shares as counted from the file."""

from __future__ import annotations

import csv
import os
from collections import Counter
from datetime import date
from pathlib import Path

import harbour
import pytest
from run_stages import run_stages
from scipy.stats import binomtest

from patient_feedback.settings import Role, Settings
from patient_feedback.warehouse.connection import connect

NHS_FFT_CSV = os.environ.get("NHS_FFT_CSV", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(NHS_FFT_CSV).is_file(), reason="NHS_FFT_CSV names no file of real comments"),
]


@pytest.fixture(scope="module")
def delivered() -> list[dict[str, str]]:
    with Path(NHS_FFT_CSV).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def published(server, project_dir: Path, tmp_path_factory):
    name = f"nhs_fft_{os.getpid()}"
    server.create_warehouse(name, template="warehouse_template")
    folder = tmp_path_factory.mktemp("nhs")
    settings = Settings.from_environment(
        {
            **harbour.variables_for(server, name, folder / "deliveries", folder),
            "FEEDBACK_SOURCES": str(project_dir / "examples" / "nhs_fft" / "sources.yml"),
        }
    )
    run_stages(settings, "nhs")
    yield settings
    server.drop_database(name)


def test_every_record_of_the_real_file_is_accounted_for(published):
    with connect(published, "test", Role.AUDITOR) as connection:
        account = connection.execute(
            "select received_count, accepted_count, set_aside_count, duplicate_count, withdrawn_count "
            "from audit_trail.fct_source_deliveries"
        ).fetchall()
        counts = dict(
            connection.execute(
                "select analysis_state, count(*) from patient_experience.fct_comments group by 1"
            ).fetchall()
        )
        responses = connection.execute("select count(*) from patient_experience.fct_responses").fetchone()
        without = connection.execute(
            "select count(*) from patient_experience.fct_comments "
            "where analysis_state = 'analysed' and sentiment_label is null"
        ).fetchone()
    assert account == [(7908, 7908, 0, 0, 0)]
    assert responses == (4466,)
    assert counts["blank"] >= 1691
    assert sum(counts.values()) == 7908
    assert set(counts) == {"blank", "analysed"}
    assert without == (0,)


@pytest.mark.parametrize(
    ("check_id", "count"),
    [
        ("FB-LND-044", 289),  # month before day, no other reading
        ("FB-LND-060", 503),  # two comments of one respondent, day and month swapped
        ("FB-LND-070", 416),  # rating 7
        ("FB-LND-080", 1697),  # blank
        ("FB-LND-033", 18),  # two spellings of one question
        ("FB-LND-047", 1941),  # no-break space in a service's name
    ],
)
def test_known_defect_is_found_by_its_check(published, check_id, count):
    with connect(published, "test", Role.AUDITOR) as connection:
        found = connection.execute(
            "select unexpected_count from audit_trail.fct_check_results where check_id = %s", (check_id,)
        ).fetchall()
    assert found == [(count,)]


def test_published_shares_agree_with_a_count_from_the_file(published, delivered):
    """Months of the services whose dates have one reading; the total for all of them."""
    responses = {row["Respondent ID"]: row for row in delivered}
    rated = [row for row in responses.values() if row["FFT categorical answer"] in set("123456")]
    positive = [row for row in rated if row["FFT categorical answer"] in set("12")]
    with connect(published, "test", Role.ANALYST) as connection:
        total = connection.execute(
            "select sum(numerator_count), sum(denominator_count) from patient_experience.rpt_fft_monthly "
            "where organisation_slug = 'all' and service_slug = 'all' and measure_slug = 'fft_positive_share'"
        ).fetchone()
        months = {
            month: (numerator, denominator)
            for month, numerator, denominator in connection.execute(
                "select month_start_on, numerator_count, denominator_count from patient_experience.rpt_fft_monthly "
                "where organisation_slug = 'nhft' and service_slug = 'all' "
                "and measure_slug = 'fft_positive_share' and cell_state = 'value'"
            )
        }
    assert total == (len(positive), len(rated))

    def month_of(row: dict[str, str]) -> date:
        _, month, year = (int(part) for part in row["Date"].split("/"))
        return date(year, month, 1)

    counted = Counter(month_of(row) for row in rated if row["Trust"] == "NHFT")
    counted_positive = Counter(month_of(row) for row in positive if row["Trust"] == "NHFT")
    assert len(months) >= 6
    assert months == {month: (counted_positive[month], counted[month]) for month in months}


@pytest.mark.parametrize(
    "query",
    [
        (
            "select period_first_on, measure_slug, numerator_count, denominator_count, measure_value, interval_low, "
            "interval_high from patient_experience.rpt_measures where organisation_slug = 'nhft' "
            "and service_slug = 'all' and stratum_attribute = 'all' and measure_version = '2020' "
            "and period_kind = 'month' and measure_slug like 'fft%%' and cell_state = 'value'"
        ),
        (
            "select month_start_on, measure_slug, numerator_count, denominator_count, share, wilson_low, wilson_high "
            "from patient_experience.rpt_fft_monthly where organisation_slug = 'nhft' and service_slug = 'all' "
            "and cell_state = 'value'"
        ),
    ],
    ids=["rpt_measures", "rpt_fft_monthly"],
)
def test_shares_and_intervals_are_those_that_another_library_makes_of_the_file(published, delivered, query):
    """Every shown period of the trust whose dates have one reading, positive and negative."""
    answers = {
        row["Respondent ID"]: (tuple(map(int, row["Date"].split("/")[:0:-1])), row["FFT categorical answer"])
        for row in delivered
        if row["Trust"] == "NHFT" and row["FFT categorical answer"] in set("123456")
    }
    codes = {"fft_positive_share": set("12"), "fft_negative_share": set("45")}
    with connect(published, "test", Role.ANALYST) as connection:
        cells = connection.execute(query).fetchall()
    assert {cell[1] for cell in cells} == set(codes)
    assert len(cells) >= 2
    for first_on, measure, *numbers in cells:
        given = [code for day, code in answers.values() if day[:2] == (first_on.year, first_on.month)]
        asked_for = sum(code in codes[measure] for code in given)
        interval = binomtest(asked_for, len(given)).proportion_ci(method="wilson")
        expected = [asked_for, len(given), asked_for / len(given), interval.low, interval.high]
        assert [float(number) for number in numbers] == pytest.approx(expected, abs=2e-6), (first_on, measure)
