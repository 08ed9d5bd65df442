"""A QuestionnaireResponse becomes columns; nothing that a server sends can break it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from channel import declare
from emulators.fhir import QUESTIONNAIRE, answered
from hypothesis import given
from hypothesis import strategies as st

from patient_feedback.sources.declaration import Source
from patient_feedback.sources.questionnaire_response import answers_questionnaire, payload, raw_record

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
fhir_names = st.sampled_from(
    [
        "id",
        "meta",
        "item",
        "answer",
        "linkId",
        "questionnaire",
        "subject",
        "reference",
        "authored",
        "lastUpdated",
        "valueString",
        "valueCoding",
        "valueQuantity",
        "code",
        "value",
    ]
)
json_values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(fhir_names | st.text(), below, max_size=6),
    max_leaves=30,
)
json_objects = st.dictionaries(fhir_names | st.text(), json_values, max_size=8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    mapping = {
        "record_ref": "id",
        "comments": [{"column": "item.1", "question": {"slug": "said", "intent": "open"}}],
    }
    return declare(
        tmp_path_factory.mktemp("declared"),
        "responses",
        "fhir_search",
        request={"questionnaire": QUESTIONNAIRE},
        ignore_columns=["item.name", "author"],
        mapping=mapping,
    )


@given(content=json_objects)
def test_any_object_gives_columns_that_jsonb_can_hold(content: dict[str, Any]) -> None:
    columns = payload(content)
    assert json.loads(json.dumps(columns, allow_nan=False)) == columns


@given(resource=json_objects)
def test_what_lands_of_any_object_gives_the_same_columns(source: Source, resource: dict[str, Any]) -> None:
    content = raw_record({**resource, "id": "1", "status": "completed"}, source).content
    before = payload({**resource, "id": "1", "status": "completed"})
    after = payload(content)
    hidden = {"item.name", "author"}
    assert {name: value for name, value in after.items() if name not in hidden} == {
        name: value for name, value in before.items() if name not in hidden
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"valueString": "The nurse was kind"}, "The nurse was kind"),
        ({"valueInteger": 0}, 0),
        ({"valueDecimal": 7.25}, 7.25),
        ({"valueBoolean": False}, False),
        ({"valueDate": "2026-03"}, "2026-03"),
        ({"valueDateTime": "2026-03-01T09:00:00Z"}, "2026-03-01T09:00:00Z"),
        ({"valueCoding": {"system": "s", "code": "1", "display": "Very good"}}, "1"),
        ({"valueCoding": {"display": "Very good"}}, "Very good"),
        # The code of a quantity is its unit.
        ({"valueQuantity": {"value": 3, "unit": "days", "code": "d"}}, 3),
        ({"valueReference": {"reference": "Location/7", "display": "Ward 7"}}, "Location/7"),
        ({"valueAttachment": {"data": "cGhvdG8=", "title": "me.jpg"}}, None),
        ({"extension": [{"url": "reason", "valueCode": "unknown"}]}, None),
        ({"valueDecimal": float("nan")}, None),
    ],
)
def test_answer_of_each_type_is_read(answer: dict[str, Any], expected: Any) -> None:
    value = payload({"item": [{"linkId": "1", "answer": [answer]}]})["item.1"]
    assert value == expected
    assert type(value) is type(expected)


def test_items_at_every_depth_become_columns() -> None:
    below_answer = answered("1.1", {"valueString": "why"})
    group = {"linkId": "2", "item": [{"linkId": "2.1", "item": [answered("2.1.1", {"valueInteger": 4})]}]}
    items = [
        answered("1", {"valueBoolean": True, "item": [below_answer]}),
        group,
        answered("3", {"valueString": "a"}, {"valueString": "b"}),
        {"linkId": "4"},
        # A group that repeats.
        {"linkId": "5", "item": [answered("5.1", {"valueString": "first"})]},
        {"linkId": "5", "item": [answered("5.1", {"valueString": "second"})]},
    ]
    columns = {name: value for name, value in payload({"item": items}).items() if name.startswith("item.")}
    assert columns == {
        "item.1": True,
        "item.1.1": "why",
        "item.2.1.1": 4,
        "item.3": ["a", "b"],
        "item.4": None,
        "item.5.1": ["first", "second"],
    }
    assert list(columns) == ["item.1", "item.1.1", "item.2.1.1", "item.3", "item.4", "item.5.1"]


def test_items_deeper_than_the_stack_are_read() -> None:
    item: dict[str, Any] = answered("deepest", {"valueString": "said"})
    for _ in range(5_000):
        item = {"linkId": "group", "item": [item]}
    assert payload({"item": [item]})["item.deepest"] == "said"


@pytest.mark.parametrize(
    ("given_authored", "expected"),
    [
        ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00+00:00"),
        ("2026-03-01T09:00:00.1234567Z", "2026-03-01T09:00:00.123456+00:00"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03", "2026-03"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("2026-03-01T24:61:00Z", "2026-03-01T24:61:00Z"),
        (None, None),
    ],
)
def test_authored_keeps_its_precision(given_authored: str | None, expected: str | None) -> None:
    assert payload({"authored": given_authored})["authored"] == expected


def test_only_what_is_read_lands(source: Source) -> None:
    secret = "Must Not Land"
    resource = {
        "resourceType": "QuestionnaireResponse",
        "id": "1",
        "status": "completed",
        "text": {"div": secret},
        "contained": [{"resourceType": "Patient", "name": secret}],
        "identifier": {"value": secret},
        "extension": [{"valueString": secret}],
        "meta": {"versionId": "1", "source": secret},
        "subject": {"reference": "Patient/1", "display": secret, "identifier": {"value": secret}},
        "author": {"reference": secret},
        "item": [
            answered("name", {"valueString": secret, "item": [answered("1", {"valueString": "said"})]}),
            {"linkId": "2", "text": f"Dear {secret}", "answer": [{"valueAttachment": {"data": secret}}]},
            answered("3", {"valueReference": {"reference": "Practitioner/1", "display": secret}}),
            answered("4", {"valueCoding": {"code": "1", "extension": [{"valueString": secret}]}}),
        ],
    }
    landed = raw_record(resource, source)
    assert secret not in json.dumps(landed.content)
    columns = payload(landed.content)
    assert (columns["subject"], columns["item.1"], columns["item.3"]) == (
        "Patient/1",
        "said",
        "Practitioner/1",
    )
    withdrawn = raw_record({**resource, "status": "entered-in-error"}, source)
    assert withdrawn.is_withdrawn
    assert "said" not in json.dumps(withdrawn.content)


@pytest.mark.parametrize(
    ("given_canonical", "asked", "expected"),
    [
        ("https://q|1", "https://q", True),
        ("https://q", "https://q", True),
        ("https://q|1", "https://q|1", True),
        ("https://q|1#part", "https://q|1", True),
        ("https://q|2", "https://q|1", False),
        ("https://q", "https://q|1", False),
        ("https://q2|1", "https://q", False),
        (None, "https://q", False),
    ],
)
def test_questionnaire_is_told_by_its_canonical(
    given_canonical: str | None, asked: str, expected: bool
) -> None:
    assert answers_questionnaire({"questionnaire": given_canonical}, asked) is expected
