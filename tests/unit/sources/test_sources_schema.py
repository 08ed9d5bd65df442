"""Editors complete and check `sources.yml` from the committed JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from patient_feedback.sources.declaration import json_schema

SCHEMA = Path("plugins/patient_feedback/sources/sources.schema.json")


class EditorLoader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does, which is what editors use: no dates, `no` and `yes` are text."""


EditorLoader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp)
        for tag, regexp in resolvers
        if tag != "tag:yaml.org,2002:timestamp"
        and not (tag == "tag:yaml.org,2002:bool" and first in "yYnNoO")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.fixture(scope="module")
def validator(project_dir: Path) -> jsonschema.Draft202012Validator:
    schema = json.loads((project_dir / SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def declarations(project_dir: Path) -> list[Path]:
    return [*project_dir.glob("dags/sources.yml"), *project_dir.glob("examples/**/sources.yml")]


def test_committed_schema_is_the_models(project_dir: Path) -> None:
    committed = json.loads((project_dir / SCHEMA).read_text(encoding="utf-8"))
    assert committed == json_schema(), "run: python -m patient_feedback.sources.declaration > " + str(SCHEMA)


def test_every_declaration_of_the_project_fits_the_schema(
    project_dir: Path, validator: jsonschema.Draft202012Validator
) -> None:
    paths = declarations(project_dir)
    assert len(paths) >= 2
    for path in paths:
        errors = list(validator.iter_errors(yaml.load(path.read_text(encoding="utf-8"), EditorLoader)))
        assert errors == [], path


def test_every_declaration_of_the_project_points_to_the_schema(project_dir: Path) -> None:
    for path in declarations(project_dir):
        first_line = path.read_text(encoding="utf-8").splitlines()[0]
        prefix, _, schema = first_line.partition("$schema=")
        assert prefix == "# yaml-language-server: ", path
        assert (path.parent / schema).resolve() == (project_dir / SCHEMA).resolve(), path


def test_schema_knows_choices_and_refuses_misspelt_keys(
    validator: jsonschema.Draft202012Validator, minimal_source: dict[str, Any]
) -> None:
    assert validator.is_valid({"sources": [minimal_source]})
    assert not validator.is_valid({"sources": [minimal_source | {"kind": "csv"}]})
    assert not validator.is_valid({"sources": [minimal_source | {"onwer": "x"}]})
