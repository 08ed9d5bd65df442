"""The HCAHPS hospital file: numbers that are texts, hospitals that lost a zero, editions with other columns."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from channel import declare
from drops import FolderDrop
from published import PublishedFigures

from patient_feedback.errors import UnreadableFileError
from patient_feedback.settings import Role, Settings
from patient_feedback.sources.hcahps_file import facility_number, read_records

CURRENT = (
    "Facility ID", "Facility Name", "Address", "City/Town", "State", "ZIP Code", "County/Parish", "Telephone Number",
    "HCAHPS Measure ID", "HCAHPS Question", "HCAHPS Answer Description", "Patient Survey Star Rating",
    "Patient Survey Star Rating Footnote", "HCAHPS Answer Percent", "HCAHPS Answer Percent Footnote",
    "HCAHPS Linear Mean Value", "Number of Completed Surveys", "Number of Completed Surveys Footnote",
    "Survey Response Rate Percent", "Survey Response Rate Percent Footnote", "Start Date", "End Date",
)  # fmt: skip
REPUBLISHED = (
    "facility_id", "facility_name", "hcahps_measure_id", "hcahps_answer_percent", "num_completed_surveys",
    "survey_response_rate_percent", "start_date", "end_date", "provider_ccn",
)  # fmt: skip
NURSES, NURSE_STARS, NURSE_MEAN = "H_COMP_1_A_P", "H_COMP_1_STAR_RATING", "H_COMP_1_LINEAR_SCORE"


def row(facility: str = "010001", measure: str = NURSES, percent: str = "74", **named: str) -> dict[str, str]:
    return {
        "Facility ID": facility,
        "Facility Name": f"HOSPITAL {facility.lstrip('0')}",
        "Address": "1 MAIN STREET",
        "State": "AL",
        "HCAHPS Measure ID": measure,
        "HCAHPS Answer Percent": percent,
        "Patient Survey Star Rating": "Not Applicable",
        "HCAHPS Linear Mean Value": "Not Applicable",
        "Number of Completed Surveys": "536",
        "Survey Response Rate Percent": "15",
        "Start Date": "01/01/2022",
        "End Date": "12/31/2022",
        **named,
    }


def table(*rows: dict[str, str], columns: tuple[str, ...] = CURRENT) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({name: one.get(name, "") for name in columns} for one in rows)
    return text.getvalue().encode()


def zipped(*tables: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for number, one in enumerate(tables):
            file.writestr(f"hcahps_{number}.csv", one)
    return archive.getvalue()


@pytest.fixture
def drop(tmp_path: Path) -> FolderDrop:
    return FolderDrop(tmp_path / "hcahps")


@pytest.fixture
def hospitals(fresh_warehouse: Settings, tmp_path: Path, drop: FolderDrop) -> PublishedFigures:
    source = declare(tmp_path, "hcahps", "hcahps_file", where={"path": drop.path}, connection=None)
    return PublishedFigures(fresh_warehouse, source, None)


def test_row_becomes_a_figure_of_its_hospital_and_period(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("hcahps.csv", table(row()))
    assert hospitals.publish() == set()
    assert hospitals.figures(
        "source_record_ref, measure_slug, organisation_slug, organisation_name, value_number, unit, figure_state, "
        "respondent_count, period_first_on::text, period_last_on::text, is_total, source_metadata"
    ) == [
        (
            "010001|H_COMP_1_A_P|2022-12-31", "h_comp_1_a_p", "n_010001", "HOSPITAL 10001", 74.0, "percent",
            "published", 536, "2022-01-01", "2022-12-31", False, {"state": "AL", "response_rate_percent": "15"},
        )
    ]  # fmt: skip
    assert hospitals.rows("select count(*) from feedback.response") == [(0,)]
    assert hospitals.states == ["accepted"]


def test_each_measure_is_read_from_its_own_column(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    no_percent = {"percent": "Not Applicable"}
    drop.put(
        "hcahps.csv",
        table(
            row(),
            row(measure=NURSE_STARS, **no_percent, **{"Patient Survey Star Rating": "4"}),
            row(measure=NURSE_MEAN, **no_percent, **{"HCAHPS Linear Mean Value": "91"}),
        ),
    )
    assert hospitals.publish() == set()
    assert hospitals.figures("measure_slug, value_number, unit") == [
        ("h_comp_1_a_p", 74.0, "percent"),
        ("h_comp_1_linear_score", 91.0, "score"),
        ("h_comp_1_star_rating", 4.0, "stars"),
    ]


def test_texts_in_place_of_numbers_are_states_and_never_zero(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    texts = ("Not Available", "Not Applicable", "", "FEWER THAN 50", "740", "0")
    drop.put("hcahps.csv", table(*(row(f"01000{n}", percent=text) for n, text in enumerate(texts))))
    assert hospitals.publish() == {"FB-LND-102", "FB-LND-103"}
    assert list(hospitals.values.values()) == [
        "not_available", "not_applicable", "not_available", "not_available", "not_available", 0.0,
    ]  # fmt: skip
    assert hospitals.figures("is_value_set_aside, value_number") == [
        (False, None), (False, None), (False, None), (True, None), (True, None), (False, 0.0),
    ]  # fmt: skip


def test_band_of_completed_surveys_is_kept_as_a_band(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    bands = ("FEWER THAN 50", "300 or more", "Not Available", "", "1,204")
    completed = "Number of Completed Surveys"
    drop.put("hcahps.csv", table(*(row(f"01000{n}", **{completed: band}) for n, band in enumerate(bands))))
    assert hospitals.publish() == set()
    assert hospitals.figures("respondent_count, respondent_band") == [
        (None, "FEWER THAN 50"), (None, "300 or more"), (None, None), (None, None), (1204, None),
    ]  # fmt: skip


def test_hospital_that_lost_its_zero_keeps_one_history_and_is_reported(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("2022.csv", table(row("010001")))
    drop.put(
        "2023.csv", table(row("10001", percent="75", **{"Start Date": "1/1/2023", "End Date": "12/31/2023"}))
    )
    assert hospitals.publish() == {"FB-LND-034"}
    assert hospitals.figures("organisation_slug, value_number") == [("n_010001", 74.0), ("n_010001", 75.0)]


@pytest.mark.parametrize("damaged", ["1.00E+05", "101", "ABCDEF", "0100011", "", "01001", "000001"])
def test_hospital_that_nobody_can_identify_is_set_aside(
    hospitals: PublishedFigures, drop: FolderDrop, damaged: str
) -> None:
    drop.put("hcahps.csv", table(row(damaged), row("010005")))
    assert "FB-LND-035" in hospitals.publish()
    assert hospitals.states == ["set_aside", "accepted"]
    assert hospitals.figures("organisation_slug") == [("n_010005",)]


@pytest.mark.parametrize(
    ("delivered", "mended"),
    [("010001", "010001"), ("10001", "010001"), ("01001f", "01001F"), ("04S017", "04S017")],
)
def test_certification_numbers_with_letters_are_known(delivered: str, mended: str) -> None:
    assert facility_number(delivered)[0] == mended


def test_republished_edition_with_other_names_gives_the_same_figures(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    other = {
        "facility_id": "10001",
        "facility_name": "HOSPITAL 10001",
        "hcahps_measure_id": NURSES,
        "hcahps_answer_percent": "74",
        "num_completed_surveys": "536",
        "survey_response_rate_percent": "15",
        "start_date": "1/1/2022",
        "end_date": "12/31/2022",
        "provider_ccn": "010001",
    }
    drop.put("hcahps.csv", table(row()))
    hospitals.publish()
    before = hospitals.figures("figure_id, value_number, respondent_count, period_first_on")
    drop.put("again.csv", table(other, {**other, "hcahps_measure_id": NURSE_STARS, "hcahps_answer_percent": "3"},
                                columns=REPUBLISHED))  # fmt: skip
    hospitals.publish()
    assert hospitals.figures("figure_id, value_number, respondent_count, period_first_on")[:1] == before
    assert hospitals.values["n_010001", "h_comp_1_star_rating"] == 3.0


def test_corrected_release_replaces_the_figure_and_a_repeated_one_changes_nothing(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("july.csv", table(row(), row(measure=NURSE_STARS, **{"Patient Survey Star Rating": "4"})))
    hospitals.publish()
    drop.put(
        "october.csv",
        table(row(percent="71"), row(measure=NURSE_STARS, **{"Patient Survey Star Rating": "4"})),
    )
    hospitals.publish()
    assert hospitals.states == ["accepted", "accepted", "accepted", "duplicate"]
    assert hospitals.values == {
        ("n_010001", "h_comp_1_a_p"): 71.0,
        ("n_010001", "h_comp_1_star_rating"): 4.0,
    }
    stamped = hospitals.figures("figure_id, xmin::text")
    drop.put("october copy.csv", table(row(percent="71")))
    hospitals.publish()
    assert hospitals.figures("figure_id, xmin::text") == stamped


def test_release_that_is_put_back_under_its_name_speaks_again(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    for percent in ("74", "71", "74", "71", "74"):
        drop.put("hcahps.csv", table(row(percent=percent)))
        hospitals.publish()
        assert hospitals.values == {("n_010001", "h_comp_1_a_p"): float(percent)}
    stamped = hospitals.figures("figure_id, xmin::text")
    hospitals.publish()
    assert hospitals.figures("figure_id, xmin::text") == stamped


def test_release_that_comes_twice_and_a_run_with_nothing_new_bring_nothing(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    content = zipped(table(row(), row("010005", percent="60")))
    drop.put("july.zip", content)
    hospitals.publish()
    stamped = hospitals.figures("figure_id, xmin::text")
    hospitals.publish()
    drop.put("july copy.zip", content)
    hospitals.publish()
    assert hospitals.rows("select file_name from landing.delivery") == [("july.zip",)]
    assert hospitals.figures("figure_id, xmin::text") == stamped


def test_period_that_comes_late_stands_beside_the_later_one(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    drop.put("2023.csv", table(row(percent="75", **{"Start Date": "01/01/2023", "End Date": "12/31/2023"})))
    hospitals.publish()
    drop.put("2022.csv", table(row()))
    assert hospitals.publish() == set()
    assert hospitals.figures("period_last_on::text, value_number") == [
        ("2022-12-31", 74.0),
        ("2023-12-31", 75.0),
    ]


def test_number_that_a_correction_takes_back_is_gone(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("july.csv", table(row(), row("010005", percent="60")))
    hospitals.publish()
    footnote = {"HCAHPS Answer Percent Footnote": "5"}
    drop.put("october.csv", table(row(percent="Not Available", **footnote), row("010005", percent="60")))
    hospitals.publish()
    assert hospitals.values == {
        ("n_010001", "h_comp_1_a_p"): "not_available",
        ("n_010005", "h_comp_1_a_p"): 60.0,
    }
    assert hospitals.figures("value_number", "figure_state <> 'published'") == [(None,)]


def test_older_release_that_comes_late_changes_nothing(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("july.csv", table(row()))
    late = drop.folder / "july.csv"
    content, moment = late.read_bytes(), late.stat().st_mtime
    late.unlink()
    drop.put("october.csv", table(row(percent="71")))
    hospitals.publish()
    late.write_bytes(content)
    os.utime(late, (moment, moment))
    assert hospitals.publish() == {"FB-LND-032"}
    assert hospitals.values == {("n_010001", "h_comp_1_a_p"): 71.0}


def test_zipped_file_is_read_like_the_file(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("hcahps.zip", zipped(table(row())))
    assert hospitals.publish() == set()
    assert hospitals.values == {("n_010001", "h_comp_1_a_p"): 74.0}


def test_archive_that_unpacks_to_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    where = {"path": str(tmp_path), "largest_unpacked_mb": 1}
    source = declare(tmp_path, "hospitals", "hcahps_file", where=where, connection=None)
    archive = io.BytesIO(zipped(table(row()) + b"\n" * 2 * 1024 * 1024))
    with pytest.raises(UnreadableFileError, match=r"where\.largest_unpacked_mb"):
        read_records(archive, source)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped(table(*(row(f"{n:06}") for n in range(2000))))[:-4000], "cannot be read"),
        (zipped(table(row()), table(row())), "2 tables"),
        (zipped(), "0 tables"),
        (b"", "empty"),
    ],
    ids=["cut", "two tables", "no table", "empty"],
)
def test_damaged_archive_is_refused_with_its_reason(
    hospitals: PublishedFigures, drop: FolderDrop, content: bytes, reason: str
) -> None:
    drop.put("hcahps.zip", content)
    drop.put("next.csv", table(row()))
    assert "FB-LND-001" in hospitals.publish()
    [(state, said)] = hospitals.rows(
        "select delivery_state, refusal_reason from landing.delivery where file_name = 'hcahps.zip'"
    )
    assert (state, reason in said) == ("refused", True)
    assert hospitals.values == {("n_010001", "h_comp_1_a_p"): 74.0}


@pytest.mark.parametrize("rows", [2, 3000])
def test_archive_that_is_damaged_within_keeps_nothing_of_itself(
    hospitals: PublishedFigures, drop: FolderDrop, rows: int
) -> None:
    whole = bytearray(zipped(table(*(row(f"{n:06}", percent=str(n % 100)) for n in range(rows)))))
    whole[len(whole) // 2] ^= 0xFF
    drop.put("hcahps.zip", bytes(whole))
    assert "FB-LND-001" in hospitals.publish()
    assert hospitals.rows("select count(*) from landing.record") == [(0,)]


@pytest.mark.parametrize("missing", ["End Date", "HCAHPS Answer Percent", "Facility ID"])
def test_file_without_a_needed_column_is_refused(
    hospitals: PublishedFigures, drop: FolderDrop, missing: str
) -> None:
    drop.put("hcahps.csv", table(row(), columns=tuple(name for name in CURRENT if name != missing)))
    assert "FB-LND-002" in hospitals.publish()
    assert hospitals.figures("1") == []


def test_mean_is_not_taken_from_the_column_of_percentages(
    hospitals: PublishedFigures, drop: FolderDrop
) -> None:
    columns = tuple(name for name in CURRENT if name != "HCAHPS Linear Mean Value")
    drop.put(
        "hcahps.csv",
        table(row(measure=NURSE_MEAN, percent="Not Applicable"), row(), row("010005"), columns=columns),
    )
    assert hospitals.publish() == set()
    assert hospitals.values["n_010001", "h_comp_1_linear_score"] == "not_available"


def test_text_that_a_person_waives_is_still_no_number(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    drop.put("hcahps.csv", table(row(percent="see note 3"), row("010005", **{"Start Date": "soon"})))
    assert hospitals.publish() == {"FB-LND-101", "FB-LND-102"}
    hospitals.rows(
        "update landing.set_aside set set_aside_state = 'waived', decided_by = 'a person', decision_reason = 'seen', "
        "decided_at = now() returning 1"
    )
    hospitals.publish()
    assert hospitals.values == {("n_010001", "h_comp_1_a_p"): "not_available"}
    assert hospitals.states == ["accepted", "set_aside"]


def test_row_of_an_unknown_period_is_set_aside(hospitals: PublishedFigures, drop: FolderDrop) -> None:
    drop.put(
        "hcahps.csv",
        table(
            row(**{"Start Date": "last year"}),
            row("010005", **{"End Date": "12/31/2021"}),
            row("010006", **{"Start Date": "01/01/2099", "End Date": "12/31/2099"}),
            row("010007"),
        ),
    )
    assert hospitals.publish() == {"FB-LND-101"}
    assert hospitals.states == ["set_aside", "set_aside", "set_aside", "accepted"]


def test_whole_real_file_reconciles(hospitals: PublishedFigures, tmp_path: Path) -> None:
    given = os.environ.get("HCAHPS_ZIP")
    if not given:
        pytest.skip("HCAHPS_ZIP is not set")
    hospitals.source = declare(tmp_path, "hcahps", "hcahps_file", where={"path": given}, connection=None)
    assert hospitals.publish() == {"FB-LND-006", "FB-LND-034"}
    assert hospitals.rows("select received_count from landing.delivery") == [(299_925,)]
    assert hospitals.rows("select record_state, count(*) from landing.record group by 1") == [
        ("accepted", 299_925)
    ]
    [(organisations, figures, repaired)] = hospitals.rows(
        "select count(distinct organisation_slug), count(*), (select count(*) from landing.record "
        "where 'lost_leading_zero' = any(defects)) from feedback.published_figure"
    )
    assert (organisations, figures, repaired) == (3_225, 299_925, 49_197)
    boxes: list[tuple[Any, ...]] = hospitals.rows(
        "select sum(value_number), count(*) from feedback.published_figure "
        "where measure_slug in ('h_comp_1_a_p', 'h_comp_1_u_p', 'h_comp_1_sn_p') "
        "group by organisation_slug having sum(value_number) <> 100 or count(*) <> 3"
    )
    assert boxes == []
    _build_published_measures(hospitals.settings)
    _compare_with_the_file(hospitals, Path(given))


COMPOSITES = {
    "h_comp_1": ("h_nurse_respect", "h_nurse_listen", "h_nurse_explain"),
    "h_comp_2": ("h_doctor_respect", "h_doctor_listen", "h_doctor_explain"),
    "h_comp_3": ("h_call_button", "h_bath_help"),
    "h_comp_5": ("h_med_for", "h_side_effects"),
    "h_comp_6": ("h_disch_help", "h_symptoms"),
    "h_comp_7": ("h_ct_prefer", "h_ct_under", "h_ct_med"),
}
BOXES = {
    "h_comp_6": {"top": "y_p", "bottom": "n_p"},
    "h_comp_7": {"top": "sa", "middle": "a", "bottom": "d_sd"},
}
FOUR_POINT_BOXES = {"top": "a_p", "middle": "u_p", "bottom": "sn_p"}


def _build_published_measures(settings: Settings) -> None:
    """Build the mart and what it reads in this warehouse, with their checks."""
    project = settings.project_dir / "dbt_project"
    environment = {
        **os.environ,
        "FEEDBACK_DB_HOST": settings.db_host,
        "FEEDBACK_DB_PORT": str(settings.db_port),
        "FEEDBACK_DB_NAME": settings.db_name,
        "FEEDBACK_SECRET_PIPELINE_PASSWORD": settings.password(Role.PIPELINE),
        "FEEDBACK_MARTS_SLOT": "marts_blue",
    }
    target = settings.home / "dbt_published"
    command = (
        *(
            str(Path(sys.executable).with_name("dbt")),
            "--warn-error",
            "build",
            "--indirect-selection",
            "cautious",
        ),
        *("--select", "+rpt_published_measures", "measures"),
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(target), "--log-path", str(target)),
    )
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def _compare_with_the_file(hospitals: PublishedFigures, path: Path) -> None:
    """Composites, boxes and values of the mart against the file, read by csv alone."""
    delivered: dict[str, dict[str, int]] = defaultdict(dict)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        for record in csv.DictReader(io.TextIOWrapper(file, "utf-8-sig")):
            if record["hcahps_answer_percent"]:
                hospital = f"n_{record['facility_id'].zfill(6).lower()}"
                delivered[hospital][record["hcahps_measure_id"].lower()] = int(
                    record["hcahps_answer_percent"]
                )
    assert len(delivered) == 3_225
    # On the repaired number of each hospital hangs every one of its shares.
    shown: dict[str, dict[str, int]] = defaultdict(dict)
    for hospital, measure, share in hospitals.rows(
        "select organisation_slug, published_measure_slug, measure_value from marts_blue.rpt_published_measures "
        "where unit = 'share 0-1' and measure_value is not null"
    ):
        shown[hospital][measure] = round(100 * share)
    assert shown == delivered
    assert hospitals.rows(
        "select count(*) from marts_blue.rpt_published_measures where interval_low is not null or measure_version <> '2006'"
    ) == [(0,)]

    composites = {
        (hospital, measure): (float(difference), count)
        for hospital, measure, difference, count in hospitals.rows(
            "select organisation_slug, published_measure_slug, 100 * recomputed_difference, recomputed_item_count "
            "from marts_blue.rpt_published_measures where recomputed_value is not null"
        )
    }
    assert len(composites) == 3_225 * (5 * 3 + 2)
    for (hospital, measure), (difference, count) in composites.items():
        composite = measure[: len("h_comp_1")]
        box = measure[len("h_comp_1_") :]
        items = [delivered[hospital][f"{item}_{box}"] for item in COMPOSITES[composite]]
        own = delivered[hospital][measure] - sum(items) / len(items)
        assert (difference, count) == (pytest.approx(own, abs=2e-4), len(items)), (hospital, measure)
        assert abs(own) <= (0.67 if measure == "h_comp_1_a_p" else 2.0) + 1e-9, (hospital, measure)
    for shares in delivered.values():
        for composite in COMPOSITES:
            boxes = BOXES.get(composite, FOUR_POINT_BOXES).values()
            assert sum(shares[f"{composite}_{box}"] for box in boxes) == 100


@pytest.mark.parametrize(("name", "length"), [("state_results.csv", 4_580), ("national_results.csv", 90)])
def test_boxes_of_every_state_and_of_the_country_add_up(name: str, length: int) -> None:
    """In the files of 2015 to 2023 that lie beside the hospitals'."""
    path = Path(os.environ.get("HCAHPS_ZIP", "")).with_name(name) if os.environ.get("HCAHPS_ZIP") else None
    if path is None or not path.is_file():
        pytest.skip(f"HCAHPS_ZIP names no file with {name} beside it")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    boxes = ("Bottom-box Percentage", "Middle-box Percentage", "Top-box Percentage")
    assert len(rows) == length
    assert {sum(int(one[box] or 0) for box in boxes) for one in rows} == {100}
