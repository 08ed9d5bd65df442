"""A declaration is refused with the line, the field and what is allowed, or means what it says."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from patient_feedback.errors import DeclarationError
from patient_feedback.sources.declaration import load_sources, write_resolved

VALID = """\
sources:
  - slug: ward_survey
    label: Ward survey
    kind: csv_file
    owner: owner@example.org
    where: {path: delivered}
    mapping:
      record_ref: id
      comments:
        - {column: good, question: {slug: what_was_good, intent: what_was_good}}
"""


def refusal(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **options: Any) -> str:
    path = tmp_path / "sources.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as raised:
        load_sources(path, environ or {}, **options)
    return str(raised.value)


def test_wrong_choice_is_refused_with_line_field_and_choices(tmp_path: Path) -> None:
    message = refusal(tmp_path, VALID.replace("intent: what_was_good", "intent: what_was_god"))
    assert (
        f"{tmp_path}/sources.yml:10: sources[0].mapping.comments[0].question.intent 'what_was_god'" in message
    )
    assert "Allowed: what_was_good, what_to_improve, open" in message
    assert "Did you mean 'what_was_good'?" in message


def test_misspelt_key_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    message = refusal(tmp_path, VALID.replace("owner:", "onwer:"))
    assert "sources.yml:5: sources[0].onwer is no known key. Did you mean 'owner'?" in message
    assert "sources[0].owner is missing: who answers for the source" in message


@pytest.mark.parametrize("slug", ["a", "Ward"])
def test_slug_that_is_none_says_how_long_and_of_what_it_is(tmp_path: Path, slug: str) -> None:
    message = refusal(tmp_path, VALID.replace("what_was_good,", f"{slug},", 1))
    assert f"'{slug}' does not match" in message
    assert "2 to 48 lower case letters" in message


def test_several_problems_are_listed_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = VALID.replace("slug: ward_survey", "slug: Ward-Survey").replace("kind: csv_file", "kind: csv")
    text = text.replace("{column: good, ", "{column: good, blnk: [x], ")
    message = refusal(tmp_path, text)
    assert "3 problems" in message
    assert [int(line) for line in re.findall(r"sources\.yml:(\d+):", message)] == [2, 4, 10]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": "5 0"}, "sources[0].schedule '5 0' is no cron expression of five fields"),
        ({"schedule": "0 5 * * * *"}, "sources[0].schedule"),
        ({"schedule": "61 5 * * *"}, "sources[0].schedule"),
        ({"format": {"sheet": "Answers"}}, "sources[0].format.sheet has no meaning for csv_file"),
        ({"format": {"encodings": ["utf-9"]}}, "sources[0].format.encodings[0] 'utf-9' is no known encoding"),
        ({"where": {"path": "s3://me:pass@bucket/x"}}, "sources[0].where.path holds a user or password"),
        ({"deadline_minutes": 0}, "sources[0].deadline_minutes '0' cannot be used"),
        ({"ignore_columns": ["Go*", "id"]}, "sources[0].ignore_columns covers the column 'id'"),
        ({"mapping": "id"}, "sources[0].mapping 'id' is no mapping of keys to values"),
    ],
)
def test_field_of_a_source_that_cannot_be_used_is_named(
    tmp_path: Path, minimal_source: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    assert said in refusal(tmp_path, yaml.safe_dump({"sources": [minimal_source | change]}))


FIGURE = {"column": "p", "measure": "positive_percent", "unit": "percent"}
MONTH = {"first": {"column": "d", "formats": ["%Y-%m-%d"]}}
RATING = {"column": "r", "instrument": "fft", "version": "2020", "item": "overall"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"submitted_on": {"column": "d", "formats": ["%d/%m"]}},
            "submitted_on.formats[0] '%d/%m' has no year (%Y or %y)",
        ),
        (
            {
                "submitted_on": {
                    "column": "d",
                    "formats": ["%d/%m/%Y"],
                    "sequence": {"column": "n", "pattern": "(a"},
                }
            },
            "submitted_on.sequence.pattern '(a' is no regular expression",
        ),
        (
            {
                "submitted_on": {
                    "column": "d",
                    "formats": ["%d/%m/%Y"],
                    "sequence": {"column": "n", "pattern": "a"},
                }
            },
            "submitted_on.sequence.pattern 'a' has 0 groups",
        ),
        (
            {
                "submitted_on": {
                    "column": "d",
                    "formats": ["%d/%m/%Y"],
                    "conflict_rules": ["nearest_in_sequence"],
                }
            },
            "submitted_on.conflict_rules names nearest_in_sequence: give sequence",
        ),
        (
            {
                "submitted_on": {
                    "column": "d",
                    "formats": ["%d/%m/%Y"],
                    "conflict_rules": ["collected_between"],
                }
            },
            "submitted_on.conflict_rules names collected_between: give collected_from",
        ),
        (
            {"submitted_on": {"column": "d", "formats": ["%d/%m/%Y"], "timezone": "Mars/Base"}},
            "submitted_on.timezone 'Mars/Base' is no time zone",
        ),
        ({"rating": RATING}, "rating needs exactly one of codes and number"),
        ({"rating": RATING | {"codes": {"1": "one"}}}, "rating.codes.1 'one' cannot be used"),
        (
            {"rating": RATING | {"codes": {"Very good": 1, "very  GOOD": 2}}},
            "stands for two things",
        ),
        (
            {"rating": RATING | {"codes": {"1": 1}}, "answers": [RATING | {"number": {"min": 0, "max": 5}}]},
            "answers[0].item 'overall' of fft 2020 is already rating",
        ),
        ({"organisation": {}}, "organisation needs exactly one of column and constant"),
        (
            {"attributes": {"deprivation_quintile": {"column": "d", "values": {"10": "6"}}}},
            "attributes.deprivation_quintile.values.10 '6' cannot be used",
        ),
        ({"comments": [], "answers": []}, "maps neither comments nor answers nor figures"),
        ({"figures": [FIGURE], "period": MONTH}, "comments has no meaning beside figures"),
        ({"comments": [], "figures": [FIGURE]}, "period is missing"),
        ({"period": MONTH}, "period has no meaning without figures"),
        (
            {"figures": [FIGURE | {"measure_column": "m"}]},
            "figures[0] needs exactly one of measure and measure_column",
        ),
        (
            {"figures": [FIGURE | {"unit": "per mille"}]},
            "figures[0].unit 'per mille' is none of the values allowed",
        ),
        ({"figures": [FIGURE, FIGURE]}, "figures[1].measure 'positive_percent' is already figures[0]"),
        (
            {"organisation": {"constant": {"slug": "north", "name": "North"}, "name_column": "n"}},
            "organisation.name_column stands beside constant",
        ),
    ],
)
def test_field_of_a_mapping_that_cannot_be_used_is_named(
    tmp_path: Path, minimal_source: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    source = copy.deepcopy(minimal_source)
    source["mapping"] |= change
    message = refusal(tmp_path, yaml.safe_dump({"sources": [source]}))
    assert "sources[0].mapping" in message
    assert said in message


def test_problem_of_a_list_entry_bears_its_own_line(tmp_path: Path) -> None:
    dates = "      submitted_on:\n        column: d\n        formats:\n          - '%d/%m/%Y'\n"
    dates += "          - '%d.%m'\n"
    message = refusal(tmp_path, VALID + dates)
    assert "sources.yml:15: sources[0].mapping.submitted_on.formats[1] '%d.%m'" in message


def test_slug_of_two_sources_is_refused(tmp_path: Path, minimal_source: dict[str, Any]) -> None:
    message = refusal(tmp_path, yaml.safe_dump({"sources": [minimal_source, minimal_source]}))
    assert "sources[1].slug 'ward_survey' is already the slug of sources[0]" in message


def test_key_written_twice_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, VALID.replace("    label:", "    slug: other\n    label:"))
    assert "sources.yml:3: sources[0].slug is written twice" in message


@pytest.mark.parametrize("text", ["sources: [", "sources:\n  - slug: a\n   label: b\n", "sources: {a: 'b}"])
def test_broken_yaml_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    assert re.search(r"sources\.yml:\d+: is no YAML", refusal(tmp_path, text))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]", "sources: []", "sources:"])
def test_declaration_of_nothing_is_refused(tmp_path: Path, text: str) -> None:
    assert "cannot be used" in refusal(tmp_path, text)


def test_missing_declaration_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="There is no declaration of sources at"):
        load_sources(tmp_path / "none.yml", {})


def test_unset_variable_is_named(tmp_path: Path) -> None:
    text = VALID.replace("{path: delivered}", '{path: "${FFT_FOLDER}/a"}')
    for environ in ({}, {"FFT_FOLDER": ""}):
        message = refusal(tmp_path, text, environ)
        assert "sources.yml:6: sources[0].where.path needs the environment variable FFT_FOLDER" in message
    assert load_sources(tmp_path / "sources.yml", {"FFT_FOLDER": "/data"})[0].where.path == "/data/a"


def test_path_that_does_not_exist_is_refused_only_when_asked(tmp_path: Path) -> None:
    message = refusal(tmp_path, VALID, check_paths=True)
    assert (
        f"sources[0].where.path points to {tmp_path}/delivered, where there is no file or folder" in message
    )
    assert load_sources(tmp_path / "sources.yml", {})[0].where.path == str(tmp_path / "delivered")


def test_scalars_mean_what_their_author_wrote(tmp_path: Path) -> None:
    text = VALID + (
        "      rating: {column: r, instrument: fft, version: 1.10, item: overall, codes: {01: 1, 6: null}}\n"
        "      attributes:\n"
        "        preferred_language: {column: l, values: {Norwegian: no}}\n"
        "        has_disability: {column: d, values: {No: no, Yes: yes}}\n"
    )
    path = tmp_path / "sources.yml"
    path.write_text(text, encoding="utf-8")
    mapping = load_sources(path, {})[0].mapping
    assert mapping.rating is not None
    assert mapping.rating.version == "1.10"
    assert mapping.rating.codes == {"01": 1.0, "6": None}
    assert mapping.attributes.preferred_language is not None
    assert mapping.attributes.preferred_language.values == {"Norwegian": "no"}
    assert mapping.attributes.has_disability is not None
    assert mapping.attributes.has_disability.values == {"No": False, "Yes": True}


def test_resolved_declaration_is_equal_wherever_it_lies(tmp_path: Path, project_dir: Path) -> None:
    environ = {"NHS_FFT_CSV": "/data/comments.csv"}
    for declared in (project_dir / "examples/nhs_fft/sources.yml", project_dir / "dags/sources.yml"):
        sources = load_sources(declared, environ)
        resolved = tmp_path / "elsewhere.yml"
        write_resolved(sources, resolved)
        assert load_sources(resolved, {}) == sources


def test_declaration_hash_follows_the_meaning_not_the_place(declare: Any) -> None:
    source = declare()
    assert (
        declare(where={"path": "/elsewhere"}, schedule="0 5 * * *").declaration_sha256
        == source.declaration_sha256
    )
    assert declare({"record_ref": "ref"}).declaration_sha256 != source.declaration_sha256


def test_examples_of_the_guide_are_valid_as_they_stand(tmp_path: Path, project_dir: Path) -> None:
    guide = (project_dir / "docs" / "add_a_source.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", guide, re.MULTILINE | re.DOTALL)
    path = tmp_path / "sources.yml"
    path.write_text("".join(blocks), encoding="utf-8")
    assert [source.kind for source in load_sources(path)] == ["csv_file", "care_opinion"]
