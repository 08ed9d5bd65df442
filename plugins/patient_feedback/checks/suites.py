"""Suites and checkpoints under `expectations/`: loaded, and refused with what to put right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from patient_feedback.checks.queries import parameter_names
from patient_feedback.errors import CheckDefinitionError

Gate = Literal["landing", "analysis", "marts"]

GATE_CODES: dict[str, str] = {"landing": "LND", "analysis": "ANA", "marts": "MRT"}
ROWS_TYPE = "unexpected_rows_expectation"
ROWS_QUERY = "unexpected_rows_query"


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Dimension(StrEnum):
    COMPLETENESS = "completeness"
    UNIQUENESS = "uniqueness"
    VALIDITY = "validity"
    CONSISTENCY = "consistency"
    TIMELINESS = "timeliness"
    ACCURACY = "accuracy"


class Effect(StrEnum):
    STOP_DELIVERY = "stop_delivery"
    SET_ASIDE_RECORD = "set_aside_record"
    SET_ASIDE_VALUE = "set_aside_value"
    STOP_PUBLICATION = "stop_publication"
    REPORT = "report"


STOPPING = frozenset({Effect.STOP_DELIVERY, Effect.STOP_PUBLICATION})
SETTING_ASIDE = frozenset({Effect.SET_ASIDE_RECORD, Effect.SET_ASIDE_VALUE})
EFFECTS_OF_GATE = {
    "landing": frozenset({Effect.STOP_DELIVERY, Effect.REPORT}) | SETTING_ASIDE,
    "analysis": frozenset({Effect.STOP_PUBLICATION, Effect.REPORT}),
    "marts": frozenset({Effect.STOP_PUBLICATION, Effect.REPORT}),
}

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _Definition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Definition):
    """One expectation with the meaning that an auditor needs; `type` and `kwargs` are Great Expectations'."""

    id: Text
    title: Text
    type: Text
    kwargs: dict[str, Any]
    severity: Severity
    dimension: Dimension
    owner: Text
    effect: Effect
    why: Text
    field: Text | None = None
    """The value that `set_aside_value` keeps back; may name keys of the suite in braces."""

    @property
    def rows_query(self) -> str | None:
        return self.kwargs.get(ROWS_QUERY) if self.type == ROWS_TYPE else None


class Suite(_Definition):
    """The checks of one table at one gate, over one batch of rows."""

    name: Text
    gate: Gate
    table: Text
    grain: Text
    parameters: tuple[Text, ...] = ()
    keys: tuple[Text, ...]
    """The columns that a query of unexpected rows may select: what names a row, never what it says."""
    batch: Text
    checks: tuple[Check, ...]


class CheckpointStep(_Definition):
    suite: Text
    needs: Text | None = None
    """A parameter without which the suite is left out."""
    ends_gate_when_stopped: bool = False


class Checkpoint(_Definition):
    """What a gate runs, in order."""

    gate: Gate
    subject: Text
    suites: tuple[CheckpointStep, ...]


def load_suites(folder: Path) -> tuple[Suite, ...]:
    """Load every suite of `expectations/`, in the order of their names.

    Raises CheckDefinitionError that lists each problem: file, check, field, what is allowed.
    """
    return _load_suites(folder, _modification_times(folder / "suites"))


def load_checkpoint(folder: Path, gate: Gate) -> tuple[tuple[CheckpointStep, Suite], ...]:
    """Load what a gate runs, in order, each step with its suite; raises as `load_suites` does."""
    suites = {suite.name: suite for suite in load_suites(folder) if suite.gate == gate}
    path = folder / "checkpoints" / f"{gate}.yml"
    try:
        checkpoint = Checkpoint.model_validate(_read(path))
    except ValidationError as error:
        raise CheckDefinitionError("\n".join(_problems(path, error, {}))) from None
    named = [step.suite for step in checkpoint.suites]
    problems = [
        f"{path}: suite '{name}' is not one of this gate's: {', '.join(sorted(suites))}."
        for name in named
        if name not in suites
    ]
    problems += [
        f"{path}: suite '{name}' is not listed, so its checks would never run: list it or delete its file."
        for name in suites
        if name not in named
    ]
    if checkpoint.gate != gate:
        problems.append(f"{path}: field 'gate' is '{checkpoint.gate}', the file's name says '{gate}'.")
    if problems:
        raise CheckDefinitionError("\n".join(problems))
    return tuple((step, suites[step.suite]) for step in checkpoint.suites)


def _modification_times(folder: Path) -> tuple[tuple[str, int], ...]:
    return tuple((path.name, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.yml")))


@lru_cache(maxsize=4)
def _load_suites(folder: Path, _state: tuple[tuple[str, int], ...]) -> tuple[Suite, ...]:
    paths = sorted((folder / "suites").glob("*.yml"))
    if not paths:
        raise CheckDefinitionError(f"{folder / 'suites'} holds no suite (<gate>__<table>.yml).")
    suites: list[Suite] = []
    problems: list[str] = []
    seen: dict[str, Path] = {}
    for path in paths:
        content = _read(path)
        try:
            suite = Suite.model_validate({"name": path.stem, **content})
        except ValidationError as error:
            problems += _problems(path, error, content)
            continue
        problems += _contradictions(path, suite)
        for check in suite.checks:
            if check.id in seen:
                problems.append(
                    f"{path}: check {check.id}: field 'id' is taken by {seen[check.id].name}; "
                    "an id is given once and never again."
                )
            seen[check.id] = path
        suites.append(suite)
    if problems:
        raise CheckDefinitionError("\n".join(problems))
    return tuple(suites)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckDefinitionError(f"{path} does not exist; every gate has its checkpoint there.") from None
    except yaml.YAMLError as error:
        raise CheckDefinitionError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise CheckDefinitionError(f"{path}: expected a mapping with the fields of a suite or checkpoint.")
    return content


def _problems(path: Path, error: ValidationError, content: dict[str, Any]) -> Iterator[str]:
    for problem in error.errors():
        location = list(problem["loc"])
        place = ""
        if location[:1] == ["checks"] and len(location) > 1:
            place = f"check {_check_name(content, int(location[1]))}: "
            location = location[2:]
        field = ".".join(str(part) for part in location) or "checks"
        given = "" if problem["type"] == "missing" else f", given {problem['input']!r}"
        advice = {
            "missing": "is missing",
            "extra_forbidden": "is not known",
        }.get(problem["type"], problem["msg"])
        yield f"{path}: {place}field '{field}': {advice}{given}."


def _check_name(content: dict[str, Any], number: int) -> str:
    try:
        return str(content["checks"][number]["id"])
    except (KeyError, TypeError, IndexError):
        return f"number {number + 1}"


def _contradictions(path: Path, suite: Suite) -> Iterator[str]:
    """Yield what is well formed and still does not say what is checked."""
    if not path.stem.startswith(f"{suite.gate}__"):
        yield f"{path}: field 'gate' is '{suite.gate}', so the file's name must be {suite.gate}__<table>.yml."
    for name in sorted(parameter_names(suite.batch) - set(suite.parameters)):
        yield f"{path}: field 'batch' uses :{name}, which is not listed under 'parameters'."
    for check in suite.checks:
        for field, advice in _contradictions_of_check(suite, check):
            yield f"{path}: check {check.id}: field '{field}' {advice}."


def _contradictions_of_check(suite: Suite, check: Check) -> Iterator[tuple[str, str]]:
    code = GATE_CODES[suite.gate]
    if not re.fullmatch(rf"FB-{code}-\d{{3}}", check.id):
        yield "id", f"must be FB-{code}-<three digits> at the {suite.gate} gate"
    allowed = EFFECTS_OF_GATE[suite.gate]
    if check.effect not in allowed:
        yield (
            "effect",
            f"is '{check.effect}'; at the {suite.gate} gate it is one of {', '.join(sorted(allowed))}",
        )
    if check.effect in STOPPING and check.severity != Severity.CRITICAL:
        yield "severity", f"is '{check.severity}'; a check that stops is critical"
    if check.type == ROWS_TYPE:
        yield from _contradictions_of_query(suite, check)
    elif check.effect in SETTING_ASIDE:
        yield "type", f"must be {ROWS_TYPE}, whose query says which rows are set aside"
    if check.effect == Effect.SET_ASIDE_VALUE:
        if check.field is None:
            yield "field", "is missing: it names the value that is set aside"
        elif unknown := {name for _, name, _, _ in Formatter().parse(check.field) if name} - set(suite.keys):
            yield "field", f"names {', '.join(sorted(unknown))}; allowed in braces: {', '.join(suite.keys)}"
    elif check.field is not None:
        yield "field", "belongs to the effect 'set_aside_value' alone"


def _contradictions_of_query(suite: Suite, check: Check) -> Iterator[tuple[str, str]]:
    query = check.rows_query
    if not isinstance(query, str):
        yield f"kwargs.{ROWS_QUERY}", "is missing"
        return
    selection = f"select {', '.join(suite.keys)} from "
    if not " ".join(query.split()).startswith(selection):
        yield f"kwargs.{ROWS_QUERY}", f"must start with '{selection}...': it names rows and shows no value"
    if unknown := parameter_names(query) - set(suite.parameters):
        yield f"kwargs.{ROWS_QUERY}", f"uses :{', :'.join(sorted(unknown))}, not listed under 'parameters'"
    try:
        placeholders = {name for _, name, _, _ in Formatter().parse(query) if name is not None}
    except ValueError:
        placeholders = {""}
    if placeholders != {"batch"}:
        yield (
            f"kwargs.{ROWS_QUERY}",
            "needs {batch}, and no other single braces: double those of a regular expression",
        )
    if "%" in query + suite.batch:
        yield (
            f"kwargs.{ROWS_QUERY}",
            "or the batch holds a per cent sign, which the driver reads as a parameter",
        )
