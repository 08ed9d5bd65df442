"""Parameters of a gate stand in its SQL as literals that nothing can end."""

from __future__ import annotations

import pytest

from patient_feedback.checks.queries import bind, parameter_names, unexpected_rows_sql
from patient_feedback.errors import GateError


def test_names_are_found_and_casts_are_not():
    assert parameter_names("select a::int from t where b = :name and c = any(:codes)") == {"name", "codes"}


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("all-MiniLM-L6-v2+53aa5117", "'all-MiniLM-L6-v2+53aa5117'"),
        (12, "12"),
        (None, "null"),
        (["en", "sv"], "array['en', 'sv']::text[]"),
        ([], "array[]::text[]"),
    ],
)
def test_value_becomes_a_literal(value, literal):
    assert bind("select :value", {"value": value}) == f"select {literal}"


@pytest.mark.parametrize("value", ["o'clock", "a;b", "a:b", "100%", "{x}", "back\\slash", "line\nbreak"])
def test_value_with_a_sign_of_sql_is_refused_without_being_shown(value):
    with pytest.raises(GateError, match="'value'") as refusal:
        bind("select :value", {"value": value})
    assert value not in str(refusal.value)


def test_schema_is_an_identifier_and_nothing_else():
    assert bind("select * from :schema.fct_comments", {"schema": "marts_blue"}).endswith(
        "marts_blue.fct_comments"
    )
    with pytest.raises(GateError):
        bind("select * from :schema.fct_comments", {"schema": "marts; drop schema audit"})


def test_query_of_rows_runs_over_its_batch():
    query = unexpected_rows_sql("select k from {batch} where v ~ '^[a-z]{{2}}$'", "select * from t")
    assert query == "select k from (select * from t) as subselect where v ~ '^[a-z]{2}$'"
