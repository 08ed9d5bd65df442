"""SQL of suites with its parameters filled in: Great Expectations and the effects run the same text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from patient_feedback.errors import GateError

ParameterValue = str | int | Sequence[str] | None

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LITERAL = re.compile(r"[\w.,+/@ -]{0,200}")


def parameter_names(sql: str) -> set[str]:
    """Return the names that stand as `:name` in a query; a cast (`::int`) is none."""
    return set(_PARAMETER.findall(sql))


def bind(sql: str, parameters: Mapping[str, ParameterValue]) -> str:
    """Return `sql` with each `:name` as a literal, `:schema` as an identifier.

    Values are ids, versions and codes: anything else than letters, digits and `.,+/@ -` raises GateError,
    so that no value can end its literal, hold a placeholder, or be taken for one.
    """

    def literal(match: re.Match[str]) -> str:
        name = match[1]
        if name not in parameters:
            raise GateError(
                f"The gate was given no parameter '{name}'; given: {', '.join(sorted(parameters))}."
            )
        return _literal(name, parameters[name])

    return _PARAMETER.sub(literal, sql)


def unexpected_rows_sql(rows_query: str, batch: str) -> str:
    """Return the query of a check over its bound batch, as Great Expectations counts it."""
    return rows_query.format(batch=f"({batch}) as subselect")


def _literal(name: str, value: ParameterValue) -> str:
    if name == "schema":
        if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
            raise GateError("The gate's schema must be a plain lower-case name of a schema.")
        return value
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        if not _LITERAL.fullmatch(value):
            raise GateError(
                f"The gate's parameter '{name}' holds a sign that no id, version or code has: "
                "only letters, digits and . , + / @ - are taken."
            )
        return f"'{value}'"
    return f"array[{', '.join(_literal(name, item) for item in value)}]::text[]"
