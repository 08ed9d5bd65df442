"""A source changes the keys of its records: what is harmless goes on and is named, what would take words away does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from channel import declare
from emulators.server import Emulator
from systems import SYSTEMS, Opinions, Reviews, Survey, System

from patient_feedback import sources
from patient_feedback.errors import FeedbackError
from patient_feedback.settings import Settings

PRESETS = Path(sources.__file__).parent / "presets"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
WORDS = {"care_opinion": "title", "google_reviews": "comment"}
COLUMNS = (
    "select missing_columns, unknown_columns from landing.delivery order by file_modified_at desc limit 1"
)


@pytest.fixture
def system(request: pytest.FixtureRequest) -> System:
    """Four records, an hour apart."""
    system = SYSTEMS[request.param]()
    for number in range(1, 5):
        system.say(number, f"The nurse was kind {number}", NOON + timedelta(hours=number))
    return system


@pytest.fixture
def emulator(system: System, warehouse: Settings, tmp_path: Path) -> Iterator[Emulator]:
    with system.emulator() as emulator:
        system.open(warehouse, tmp_path, emulator)
        yield emulator


asked_in_fixed_columns = pytest.mark.parametrize("system", WORDS, indirect=True)


def records(system: System) -> list[dict[str, Any]]:
    assert isinstance(system, Opinions | Reviews | Survey)
    held = {"care_opinion": "opinions", "google_reviews": "reviews"}.get(system.kind, "responses")
    return list(getattr(system.site, held).values())


def drift(system: System) -> tuple[list[str], list[str]]:
    [(missing, unknown)] = system.channel.rows(COLUMNS)
    return missing, unknown


def stand(system: System) -> list[tuple]:
    return system.channel.rows(
        "select source_record_ref, question_slug, comment_text from feedback.comment order by 1, 2"
    )


@asked_in_fixed_columns
def test_all_that_the_kind_knows_is_mapped_by_its_preset(system: System, emulator: Emulator) -> None:
    assert set().union(*system.channel.run_gated()) & {"FB-LND-002", "FB-LND-006"} == set()
    assert drift(system) == ([], [])


@asked_in_fixed_columns
def test_new_key_goes_on_and_is_named(system: System, emulator: Emulator) -> None:
    system.channel.run()
    for record in records(system):
        record["severityOfHarm"] = "none"
    failed = set().union(*system.channel.run_gated())
    assert "FB-LND-006" in failed
    assert "FB-LND-002" not in failed
    assert drift(system) == ([], ["severityOfHarm"])
    system.channel.assert_shows(system.question, system.truth)


@asked_in_fixed_columns
def test_new_key_that_the_declaration_maps_is_read_from_what_has_landed(
    system: System, emulator: Emulator, tmp_path: Path
) -> None:
    for record in records(system):
        record["severityOfHarm"] = "none"
    system.channel.run()
    mapping = yaml.safe_load((PRESETS / f"{system.kind}.yml").read_text(encoding="utf-8"))
    mapping["metadata"]["harm"] = "severityOfHarm"
    slug = system.channel.source.slug
    request = system.channel.source.request.model_dump(exclude_defaults=True)
    system.channel.source = declare(tmp_path, slug, system.kind, request=request, mapping=mapping)
    system.channel.run_gated()
    assert drift(system) == ([], [])
    harms = system.channel.rows("select source_metadata ->> 'harm' from feedback.response")
    assert harms == [("none",)] * 4


def renamed(record: dict[str, Any], key: str) -> None:
    record["patientWords"] = record.pop(key)


def retyped(record: dict[str, Any], key: str) -> None:
    record[key] = {"plain": record[key]}


@asked_in_fixed_columns
@pytest.mark.parametrize(
    ("change", "unknown"),
    [(renamed, "patientWords"), (retyped, "{} (object)")],
    ids=["renamed", "another type"],
)
@pytest.mark.parametrize("changed_count", [4, 2])
def test_words_under_another_key_or_type_stop_the_delivery_and_stay(
    system: System,
    emulator: Emulator,
    change: Callable[[dict[str, Any], str], None],
    unknown: str,
    changed_count: int,
) -> None:
    system.channel.run_gated()
    before, key = stand(system), WORDS[system.kind]
    for record in records(system)[:changed_count]:
        change(record, key)
    assert {"FB-LND-002", "FB-LND-006"} <= set().union(*system.channel.run_gated())
    assert drift(system) == ([key], [unknown.format(key)])
    assert stand(system) == before
    assert any(words for _, _, words in before)


@pytest.mark.parametrize("system", ["care_opinion"], indirect=True)
@pytest.mark.parametrize("key", ["title", "criticality"])
def test_key_of_every_opinion_that_is_gone_stops_the_delivery(
    system: System, emulator: Emulator, key: str
) -> None:
    system.channel.run_gated()
    before = stand(system)
    for record in records(system):
        del record[key]
    assert "FB-LND-002" in set().union(*system.channel.run_gated())
    assert drift(system) == ([key], [])
    assert stand(system) == before


@pytest.mark.parametrize("system", ["care_opinion"], indirect=True)
def test_key_of_a_service_that_is_renamed_stops_the_delivery(system: System, emulator: Emulator) -> None:
    system.channel.run_gated()
    for record in records(system):
        for service in record["healthServices"]:
            service["trust"] = service.pop("organisation")
    assert "FB-LND-002" in set().union(*system.channel.run_gated())
    assert drift(system) == (["organisation"], ["healthServices.trust"])


@pytest.mark.parametrize("system", ["google_reviews"], indirect=True)
@pytest.mark.parametrize(("count", "missing"), [(10, []), (50, ["comment"])])
def test_reviews_of_stars_alone_are_suspect_where_there_are_many(
    system: System, emulator: Emulator, count: int, missing: list[str]
) -> None:
    request = system.channel.source.request.model_copy(update={"page_size": 50})
    system.channel.source = system.channel.source.model_copy(update={"request": request})
    system.site.reviews.clear()
    for number in range(count):
        system.site.put(f"v{number}", None, "2026-03-10T12:00:00Z")
    system.channel.run_gated()
    assert drift(system) == (missing, [])


@pytest.mark.parametrize("system", ["google_reviews"], indirect=True)
def test_new_key_that_is_no_text_beside_stars_alone_is_harmless(system: System, emulator: Emulator) -> None:
    system.channel.run_gated()
    system.site.put("v9", None, "2026-03-20T12:00:00Z", isVerified=True)
    system.channel.run_gated()
    assert drift(system) == ([], ["isVerified"])


@pytest.mark.parametrize("system", ["survey_monkey"], indirect=True)
def test_new_key_of_a_response_is_named_and_its_value_does_not_land(
    system: System, emulator: Emulator
) -> None:
    for record in records(system):
        record["home_address"] = "Must Not Land"
    system.channel.run()
    assert "home_address" in drift(system)[1]
    [(url,)] = system.channel.rows("select landing_url from landing.delivery")
    assert b"Must Not Land" not in Path(url.removeprefix("file://")).read_bytes()
    system.channel.assert_shows(system.question, system.truth)


def without_pages(record: dict[str, Any]) -> None:
    record["sections"] = record.pop("pages")


def with_other_answers(record: dict[str, Any]) -> None:
    for question in record["pages"][0]["questions"]:
        for answer in question["answers"]:
            if "text" in answer:
                answer["words"] = answer.pop("text")


@pytest.mark.parametrize("system", ["survey_monkey"], indirect=True)
@pytest.mark.parametrize(("change", "named"), [(without_pages, "sections"), (with_other_answers, "words")])
def test_answers_under_another_key_are_refused_and_those_that_are_held_stay(
    system: System, emulator: Emulator, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    system.channel.run()
    for record in records(system):
        change(record)
        record["date_modified"] = "2026-03-11T12:00:00+00:00"
    with pytest.raises(FeedbackError, match=rf"not known here: .*{named}"):
        system.channel.run()
    system.channel.assert_shows(system.question, system.truth)
