"""The monthly workbook of the Friends and Family Test: merged headings, totals, withheld cells, columns that change."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from channel import declare
from drops import FolderDrop
from published import PublishedFigures

from patient_feedback.settings import Settings

ANSWERS = ("Very Good", "Good", "Neither Good nor Poor", "Poor", "Very Poor", "Don't Know")
FORMER_ANSWERS = (
    "Extremely Likely", "Likely", "Neither Likely nor Unlikely", "Unlikely", "Extremely Unlikely", "Don't Know",
)  # fmt: skip
TITLES = (
    ("Inpatient Friends and Family Test (FFT) Data",),
    (),
    ("Published:", "12 March 2026"),
    ("Month:", "January 2026"),
)
IDENTIFIERS = ("Region Name", "Trust Code", "Trust Name")
SHARES = ("Total Responses", "Total Eligible", "Percentage Positive", "Percentage Negative")
NORTH = ("North", "RX1", "North Trust", 100, 400, 0.9, 0.05, 70, 20, 3, 2, 3, 2)
SOUTH = ("South", "RX2", "South Trust", 50, 100, 0.8, 0.1, 30, 10, 4, 3, 2, 1)
ENGLAND = (None, None, "England (including Independent Sector Providers)", 150, 500, 130 / 150, 10 / 150,
           100, 30, 7, 5, 5, 3)  # fmt: skip


def workbook(
    *rows: Sequence[Any],
    titles: Sequence[Sequence[Any]] = TITLES,
    headings: Sequence[Sequence[Any]] | None = None,
    sheet: str = "Trusts",
    before: dict[str, Sequence[Sequence[Any]]] | None = None,
) -> bytes:
    from openpyxl import Workbook
    from openpyxl.chart import BarChart

    book = Workbook()
    book.remove(book.active)
    for name, lines in (before or {}).items():
        other = book.create_sheet(name)
        for line in lines:
            other.append(list(line))
    book.create_chartsheet("Trend").add_chart(BarChart())
    page = book.create_sheet(sheet)
    for line in titles:
        page.append(list(line))
    if headings is None:
        page.append([*IDENTIFIERS, *SHARES, "Breakdown of Responses"])
        page.append([None] * 7 + list(ANSWERS))
        top = len(titles) + 1
        for column in range(1, 8):
            page.merge_cells(start_row=top, end_row=top + 1, start_column=column, end_column=column)
        page.merge_cells(start_row=top, end_row=top, start_column=8, end_column=13)
    for line in headings or ():
        page.append(list(line))
    for line in rows:
        page.append(list(line))
        for cell in page[page.max_row]:
            if isinstance(cell.value, float):
                cell.number_format = "0%"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.fixture
def drop(tmp_path: Path) -> FolderDrop:
    return FolderDrop(tmp_path / "fft")


@pytest.fixture
def months(fresh_warehouse: Settings, tmp_path: Path, drop: FolderDrop) -> PublishedFigures:
    return PublishedFigures(fresh_warehouse, declared(tmp_path, drop), None)


def declared(tmp_path: Path, drop: FolderDrop, **fields: Any) -> Any:
    fields = {"ignore_columns": ["Region Name"], **fields}
    return declare(tmp_path, "fft", "nhs_fft_file", where={"path": drop.path}, connection=None, **fields)


def test_row_under_merged_headings_becomes_the_figures_of_its_trust(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("january.xlsx", workbook(NORTH))
    assert months.publish() == set()
    assert months.figures("measure_slug, value_number, unit, respondent_count") == [
        ("fft_dont_know_count", 2.0, "count", None),
        ("fft_eligible_count", 400.0, "count", None),
        ("fft_good_count", 20.0, "count", None),
        ("fft_negative_percent", 5.0, "percent", 100),
        ("fft_neither_good_nor_poor_count", 3.0, "count", None),
        ("fft_poor_count", 2.0, "count", None),
        ("fft_positive_percent", 90.0, "percent", 100),
        ("fft_response_count", 100.0, "count", None),
        ("fft_very_good_count", 70.0, "count", None),
        ("fft_very_poor_count", 3.0, "count", None),
    ]
    assert months.figures(
        "distinct source_record_ref, organisation_slug, organisation_name, service_slug, period_first_on::text, "
        "period_last_on::text, is_total, measure_slug",
        "measure_slug = 'fft_response_count'",
    ) == [("Inpatient|RX1|||2026-01-01", "rx1", "North Trust", "inpatient", "2026-01-01", "2026-01-31", False,
           "fft_response_count")]  # fmt: skip


def test_country_is_a_total_that_nobody_adds_up_with_its_trusts(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    selection = (None, None, "Selection (excluding suppressed data)", 100, 400, 0.9, 0.05, 70, 20, 3, 2, 3, 2)
    drop.put("january.xlsx", workbook(ENGLAND, selection, NORTH, SOUTH))
    assert months.publish() == set()
    counts = months.figures(
        "is_total, sum(value_number)", "measure_slug = 'fft_response_count' and organisation_slug not like 'sel%%' "
        "group by is_total, source_record_ref, measure_slug",
    )  # fmt: skip
    assert sorted(counts) == [(False, 50.0), (False, 100.0), (True, 150.0)]
    assert months.figures(
        "count(distinct organisation_slug)", "is_total group by source_record_ref, measure_slug"
    )


def test_total_that_is_not_the_sum_of_its_rows_is_reported(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("january.xlsx", workbook(ENGLAND, NORTH))
    assert months.publish() == {"FB-LND-107"}


def test_withheld_cell_is_suppressed_and_its_table_is_not_judged_by_its_sum(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    small = ("South", "RX3", "Small Trust", 3, 20, "*", "*", "*", "*", "*", "*", "*", "*")
    hidden = ("South", "RX4", "Hidden Trust", "*", 20, "*", "*", "*", "*", "*", "*", "*", "*")
    drop.put("january.xlsx", workbook(ENGLAND, NORTH, SOUTH, small, hidden))
    assert months.publish() == set()
    assert months.values["rx3", "fft_response_count"] == 3.0
    assert months.values["rx3", "fft_positive_percent"] == "suppressed"
    assert months.values["rx4", "fft_response_count"] == "suppressed"
    assert months.figures("value_number", "figure_state = 'suppressed' and value_number is not null") == []


def test_parts_that_do_not_make_the_whole_are_reported(months: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("january.xlsx", workbook((*NORTH[:7], 70, 20, 3, 2, 3, 20)))
    assert months.publish() == {"FB-LND-105"}


@pytest.mark.parametrize("shown", [0.9, "90%", "90", 90])
def test_share_is_of_a_hundred_however_the_sheet_shows_it(
    months: PublishedFigures, drop: FolderDrop, shown: Any
) -> None:
    drop.put("january.xlsx", workbook((*NORTH[:5], shown, *NORTH[6:])))
    assert months.publish() == set()
    assert months.values["rx1", "fft_positive_percent"] == 90.0


def test_share_that_its_answers_contradict_is_set_aside(months: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("january.xlsx", workbook((*NORTH[:5], "0.9", *NORTH[6:])))
    assert months.publish() == {"FB-LND-106"}
    assert months.values["rx1", "fft_positive_percent"] == "not_available"
    assert months.values["rx1", "fft_response_count"] == 100.0


def test_question_of_before_april_2020_has_measures_of_its_own(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    headings = [
        ("Region Name", "Trust code", "Trust name", "Total Responses", "Total Eligible", "Response Rate",
         "Percentage Recommended", "Percentage Not Recommended", "Breakdown of Responses"),
        (None,) * 8 + FORMER_ANSWERS,
    ]  # fmt: skip
    drop.put(
        "january 2020.xlsx",
        workbook(
            ("North", "RX1", "North Trust", 100, 400, 0.25, 0.9, 0.05, 70, 20, 3, 2, 3, 2),
            headings=headings,
            titles=[("A&E Friends and Family Test Data", None, "January 2020")],
        ),
    )
    assert months.publish() == set()
    assert {measure for _, measure in months.values} == {
        "fft_response_count", "fft_eligible_count", "fft_response_rate_percent", "fft_recommended_percent",
        "fft_not_recommended_percent", "fft_extremely_likely_count", "fft_likely_count",
        "fft_neither_likely_nor_unlikely_count", "fft_unlikely_count", "fft_extremely_unlikely_count",
        "fft_dont_know_count",
    }  # fmt: skip
    assert (
        months.figures("distinct service_slug, 0 as a, 0 as source_record_ref, 0 as measure_slug")[0][0]
        == "a_and_e"
    )


def test_headings_in_one_row_and_in_another_order_are_the_same(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put(
        "january.xlsx",
        workbook(
            (20, 70, "RX1", "North  Trust", 100),
            headings=[("Good", "VERY GOOD", "Organisation code", "Organisation\nname", "Total responses")],
        ),
    )
    assert months.publish() == set()
    assert {name for (name,) in months.figures("organisation_name")} == {"North Trust"}
    assert months.values == {
        ("rx1", "fft_good_count"): 20.0, ("rx1", "fft_very_good_count"): 70.0, ("rx1", "fft_response_count"): 100.0,
    }  # fmt: skip


def test_new_column_is_named_and_one_that_went_leaves_no_figure(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    headings = [("Trust Code", "Trust Name", "Total Responses", "Reviewed Online")]
    drop.put("january.xlsx", workbook(("RX1", "North Trust", 100, 7), headings=headings))
    assert months.publish() == {"FB-LND-006"}
    assert months.rows("select unknown_columns, missing_columns from landing.delivery") == [
        (["Reviewed Online"], [])
    ]
    assert months.values == {("rx1", "fft_response_count"): 100.0}


def test_workbook_without_its_total_column_is_refused(months: PublishedFigures, drop: FolderDrop) -> None:
    drop.put(
        "january.xlsx", workbook(("RX1", "North Trust", 7), headings=[("Trust Code", "Trust Name", "Poor")])
    )
    assert months.publish() == {"FB-LND-002"}


def test_wards_and_sites_are_told_apart_within_their_trust(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    headings = [("Trust Code", "Trust Name", "Site Code", "Site Name", "Ward Name", "Total Responses")]
    drop.put(
        "january.xlsx",
        workbook(
            ("RX1", "North Trust", "RX101", "General", "Ward 1", 10),
            ("RX1", "North Trust", "RX101", "General", "Ward 2", 20),
            ("RX1", "North Trust", "RX102", "Infirmary", "Ward 1", 30),
            headings=headings,
        ),
    )
    assert months.publish() == set()
    assert months.figures("site_slug, source_metadata ->> 'ward_name', value_number") == [
        ("rx101", "Ward 1", 10.0), ("rx101", "Ward 2", 20.0), ("rx102", "Ward 1", 30.0),
    ]  # fmt: skip


def test_sheet_is_the_declared_one_else_the_first_with_figures(
    months: PublishedFigures, drop: FolderDrop, tmp_path: Path
) -> None:
    notes = {
        "Notes": [("Inpatient Friends and Family Test",), ("Cells with * hold fewer than five answers.",)]
    }
    wards = {
        "Wards": [("Trust Code", "Trust Name", "Ward Name", "Total Responses"), ("RX1", "North", "Ward 1", 5)]
    }
    drop.put("january.xlsx", workbook(NORTH, before={**notes, **wards}))
    assert months.publish() == set()
    assert months.values == {("rx1", "fft_response_count"): 5.0}
    months.source = declared(tmp_path, drop, format={"sheet": "Trusts"})
    months.publish()
    assert months.values["rx1", "fft_response_count"] == 100.0
    months.source = declared(tmp_path, drop, format={"sheet": "Practices"})
    months.publish()
    [(reason,)] = months.rows("select refusal_reason from landing.delivery")
    assert "no sheet 'Practices'" in reason and "Notes, Wards, Trend, Trusts" in reason


def test_notes_below_the_table_are_no_records(months: PublishedFigures, drop: FolderDrop) -> None:
    notes = ((None, None, "* fewer than five responses"), ("Source: NHS England",), ())
    drop.put("january.xlsx", workbook(NORTH, SOUTH, *notes))
    assert months.publish() == set()
    assert months.states == ["accepted", "accepted"]


@pytest.mark.parametrize(
    "titles",
    [
        [("Inpatient FFT", "Jan-26")],
        [
            ("Inpatient Friends and Family Test", None, "Published 12th March 2026"),
            (None, "Period", "2026-01-01"),
        ],
        [("Revised: May 2026",), ("Inpatient FFT data for January 2026",)],
        [
            ("The question changed in April 2020; see notes.",),
            ("Inpatient FFT, January 2026 (updated March 2026)",),
        ],
        [("Inpatient FFT",), ("Wards marked 10 or fewer are withheld",), ("Month: Jan 2026",)],
    ],
)
def test_month_is_that_of_the_feedback_and_not_that_of_publication(
    months: PublishedFigures, drop: FolderDrop, titles: Sequence[Sequence[Any]]
) -> None:
    drop.put("january.xlsx", workbook(NORTH, titles=titles))
    months.publish()
    assert {str(day) for (day,) in months.figures("period_first_on")} == {"2026-01-01"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (workbook(NORTH, titles=[("Inpatient FFT",)]), "month"),
        (workbook(NORTH, titles=[("Data", "January 2026")]), "format.setting"),
        (
            workbook(
                NORTH, titles=[("Inpatient FFT",), ("In April 2020 the question changed",), ("May 2021",)]
            ),
            "several",
        ),
        (workbook(("a", 1), headings=[("Something", "Else")]), "Trust Code"),
        (workbook(NORTH)[:2000], "no Excel workbook"),
        (b"<html>Service unavailable</html>", "no Excel workbook"),
    ],
    ids=["no month", "no setting", "two months", "no table", "cut", "a page"],
)
def test_workbook_that_cannot_be_read_is_refused_with_its_reason(
    months: PublishedFigures, drop: FolderDrop, content: bytes, reason: str
) -> None:
    drop.put("broken.xlsx", content)
    drop.put("january.xlsx", workbook(NORTH))
    assert months.publish() == {"FB-LND-001"}
    [(said,)] = months.rows("select refusal_reason from landing.delivery where file_name = 'broken.xlsx'")
    assert reason in said
    assert months.values["rx1", "fft_response_count"] == 100.0


def test_settings_of_one_folder_keep_their_figures_apart(months: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("inpatient.xlsx", workbook(NORTH))
    drop.put("ae.xlsx", workbook(NORTH, titles=[("A&E FFT", "January 2026")]))
    assert months.publish() == set()
    assert months.states == ["accepted", "accepted"]
    assert months.figures("service_slug", "measure_slug = 'fft_response_count'") == [
        ("a_and_e",),
        ("inpatient",),
    ]


def test_titles_may_stand_on_a_sheet_of_notes(
    months: PublishedFigures, drop: FolderDrop, tmp_path: Path
) -> None:
    notes = [
        ("Notes",),
        ("Inpatient Friends and Family Test (FFT) Data - January 2026 (revised 12 March 2026)",),
    ]
    series = [("Total responses since Apr-2013",), ("Apr-2013", 7), ("May-2013", 9)]
    before = {"Notes": notes, "Time series": series}
    drop.put("january.xlsx", workbook(NORTH, titles=[], before=before))
    assert months.publish() == set()
    assert months.figures("service_slug, period_first_on::text", "measure_slug = 'fft_response_count'") == [
        ("inpatient", "2026-01-01")
    ]
    months.source = declared(tmp_path, drop, format={"setting": "Maternity"})
    months.publish()
    assert ("maternity",) in months.figures("service_slug", "measure_slug = 'fft_response_count'")


@pytest.mark.parametrize(
    "label_column", ["Trust Name", "Site Name", "Ward Name"], ids=["trusts", "sites", "wards"]
)
def test_country_is_a_total_wherever_its_label_stands(
    months: PublishedFigures, drop: FolderDrop, label_column: str
) -> None:
    heading = ("Trust Code", "Trust Name", "Site Code", "Site Name", "Ward Name", "Total Responses")
    country = tuple(
        "England (including Independent Sector Providers)" if name == label_column else None
        for name in heading
    )
    hospital = ("NNX", "Total Wellbeing Luton", "NNX01", "Luton", "Ward 1", 10)
    dashes = ("-",) * 6
    drop.put("january.xlsx", workbook((*country[:5], 10), hospital, dashes, headings=[heading]))
    assert months.publish() == set()
    assert months.figures("is_total, organisation_name") == [
        (True, "England (including Independent Sector Providers)"), (False, "Total Wellbeing Luton"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "share"),
    [("fft_negative_percent", 0.05), ("fft_positive_percent", 0.9)],
)
def test_fraction_in_a_plain_cell_is_no_percentage(
    months: PublishedFigures, drop: FolderDrop, measure: str, share: float
) -> None:
    row = list(NORTH)
    row[6 if "negative" in measure else 5] = str(share)
    drop.put("january.xlsx", workbook(row))
    assert months.publish() == {"FB-LND-106"}
    assert months.values["rx1", measure] == "not_available"


def test_revised_month_replaces_its_figures_and_other_months_stay(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("january.xlsx", workbook(NORTH, SOUTH))
    drop.put("february.xlsx", workbook(NORTH, titles=[("Inpatient FFT", "February 2026")]))
    months.publish()
    drop.put("january revised.xlsx", workbook((*NORTH[:4], 500, *NORTH[5:]), SOUTH))
    months.publish()
    assert months.figures(
        "period_first_on::text, value_number",
        "organisation_slug = 'rx1' and measure_slug = 'fft_eligible_count'",
    ) == [("2026-01-01", 500.0), ("2026-02-01", 400.0)]
    stamped = months.figures("figure_id, xmin::text")
    assert months.publish() == set()
    assert months.figures("figure_id, xmin::text") == stamped


def test_workbook_that_is_put_back_under_its_name_speaks_again(
    months: PublishedFigures, drop: FolderDrop
) -> None:
    headings = [("Trust Code", "Trust Name", "Total Responses")]
    books = [workbook(("RX1", "North Trust", count), headings=headings) for count in (100, 120)]
    for number, reported in ((0, set()), (1, {"FB-LND-009"}), (0, {"FB-LND-009"})):
        drop.put("january.xlsx", books[number])
        assert months.publish() == reported
        assert months.values == {("rx1", "fft_response_count"): (100.0, 120.0)[number]}


def test_month_that_comes_late_stands_in_its_own_period(months: PublishedFigures, drop: FolderDrop) -> None:
    february = (*NORTH[:3], *SOUTH[3:])
    drop.put("february.xlsx", workbook(february, titles=[("Inpatient FFT", "February 2026")]))
    months.publish()
    drop.put("january.xlsx", workbook(NORTH))
    assert months.publish() == set()
    assert months.figures(
        "organisation_slug, period_first_on::text, value_number", "measure_slug = 'fft_response_count'"
    ) == [("rx1", "2026-01-01", 100.0), ("rx1", "2026-02-01", 50.0)]


def test_number_that_a_revision_withholds_is_gone(months: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("january.xlsx", workbook(NORTH))
    months.publish()
    drop.put("january revised.xlsx", workbook((*NORTH[:7], "*", *NORTH[8:])))
    months.publish()
    assert months.values["rx1", "fft_very_good_count"] == "suppressed"
    assert months.values["rx1", "fft_good_count"] == 20.0
    assert months.figures("1", "figure_state = 'suppressed' and value_number is not null") == []


def test_month_that_comes_twice_is_told_once(months: PublishedFigures, drop: FolderDrop) -> None:
    content = workbook(NORTH, SOUTH)
    drop.put("january.xlsx", content)
    months.publish()
    stamped = months.figures("figure_id, xmin::text")
    drop.put("january copy.xlsx", content)
    months.publish()
    assert months.rows("select file_name from landing.delivery") == [("january.xlsx",)]
    # The same figures in a workbook that was saved again.
    drop.put("january saved again.xlsx", workbook(NORTH, SOUTH, titles=[*TITLES, ()]))
    months.publish()
    assert months.states == ["accepted", "accepted", "duplicate", "duplicate"]
    assert months.figures("figure_id, xmin::text") == stamped
