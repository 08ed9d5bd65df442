"""A declared taxonomy is read, or says in the author's words what to mend."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from patient_feedback.errors import DeclarationError
from patient_feedback.language.taxonomy import framework, json_schema, load_taxonomies, load_taxonomy
from patient_feedback.language.zero_shot import level_sentences

SCHEMA = Path("plugins/patient_feedback/language/taxonomy.schema.json")
WRONG = """
slug: complaints
label: Complaints
language: en
labels:
  - slug: Lost Property
    label: Lost property
    description: Things that were lost or stolen during a stay.
  - slug: noise
    label: Noise
    description: Too loud
    exmples: [a, b]
  - slug: letters
    label: Letters
    description: Letters that came late or not at all.
    examples: [The letter came late., I never got the letter.]
"""


def test_wrong_declaration_names_line_field_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "complaints.yml"
    path.write_text(WRONG, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_taxonomy(path)
    message = str(caught.value)
    assert "The declaration of the taxonomy cannot be used" in message
    assert f"{path}:6: labels[0].slug 'Lost Property' does not match" in message
    assert f"{path}:12: labels[1].exmples is no known key. Did you mean 'examples'?" in message
    assert "labels[1].description" in message
    assert "labels[2].examples has 2 different ones: give 5 or more, or leave them out" in message


def test_two_taxonomies_cannot_share_a_slug_nor_take_the_fixed_one(tmp_path: Path) -> None:
    declared = {
        "slug": "nhs_patient_experience",
        "label": "Mine",
        "labels": [{"slug": "noise", "label": "Noise", "description": "Too much noise at night."}],
    }
    (tmp_path / "a.yml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    with pytest.raises(DeclarationError, match="belongs to the fixed taxonomy"):
        load_taxonomies(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump({**declared, "slug": "mine"}), encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"b\.yml: the slug 'mine' belongs to .*a\.yml"):
        load_taxonomies(tmp_path)


def test_folder_without_declarations_is_said_and_none_declared_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="holds no"):
        load_taxonomies(tmp_path)
    assert load_taxonomies(None) == ()


def test_version_follows_the_declaration_and_the_encoder(project_dir: Path) -> None:
    taxonomy = load_taxonomy(project_dir / "examples" / "taxonomies" / "digital_access.yml")
    edited = taxonomy.model_copy(update={"labels": taxonomy.labels[:-1]})
    versions = {
        taxonomy.reader_version("e+1"),
        taxonomy.reader_version("e+2"),
        edited.reader_version("e+1"),
    }
    assert len(versions) == 3
    assert all(version.startswith("digital_access+") for version in versions)


def test_schema_is_the_models_and_every_declaration_of_the_project_fits_it(project_dir: Path) -> None:
    committed = json.loads((project_dir / SCHEMA).read_text(encoding="utf-8"))
    assert committed == json_schema(), f"run: python -m patient_feedback.language.taxonomy > {SCHEMA}"
    validator = jsonschema.Draft202012Validator(committed)
    paths = [
        *(project_dir / "examples" / "taxonomies").glob("*.yml"),
        project_dir / "plugins/patient_feedback/language/descriptions/nhs_patient_experience.yml",
    ]
    assert len(paths) >= 2
    for path in paths:
        assert list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))) == [], path
        schema = path.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")[2]
        assert (path.parent / schema).resolve() == (project_dir / SCHEMA).resolve()


def test_descriptions_cover_the_fixed_taxonomy_and_the_five_levels(project_dir: Path) -> None:
    with (project_dir / "dbt_project" / "seeds" / "topics.csv").open(encoding="utf-8", newline="") as file:
        topics = {row["topic_slug"]: row["topic_label"] for row in csv.DictReader(file)}
    assert {label.slug: label.label for label in framework().labels} == topics
    assert len(level_sentences()) == 5 and all(len(texts) >= 5 for texts in level_sentences())
