"""Runs a gate: its suites through Great Expectations, in SQL, on PostgreSQL."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from patient_feedback.checks.outcomes import (
    CheckOutcome,
    definitions_of,
    gate_verdict,
    record_outcomes,
    sync_definitions,
)
from patient_feedback.checks.queries import ParameterValue, bind, unexpected_rows_sql
from patient_feedback.checks.suites import ROWS_QUERY, Check, Gate, Suite, load_checkpoint
from patient_feedback.errors import CheckDefinitionError, GateError
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite, ExpectationValidationResult
    from great_expectations.datasource.fluent import PostgresDatasource
    from great_expectations.datasource.fluent.interfaces import Batch

COUNTS_ONLY = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "include_unexpected_rows": False,
}
"""What a result may hold: Great Expectations' default shows failing values, that is, patients' words."""

MINIMUM_COMMENT_SHARE = 0.5
"""Marts that hold less than this share of the published comments are not published."""


@dataclass(frozen=True, slots=True)
class GateSubject:
    """What a gate checks: a delivery_id, an encoder version, or a marts slot.

    parameters: landing none; analysis encoder_version, sentiment_model_version, topic_model_version,
    supported_languages, and theme_set_id where a set is assigned; marts none, but `schema`.
    """

    name: str
    schema: str | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)


def run_gate(settings: Settings, gate: Gate, subject: GateSubject, run_id: str) -> list[CheckOutcome]:
    """Run every check of a gate on `subject` and record all outcomes in the audit trail.

    What is checked must be committed before. A check that raises an error has outcome 'error'; the caller
    carries out the effects (`effects.apply_landing_effects`) or asks for the verdict
    (`outcomes.require_open`).
    Raises CheckDefinitionError, GateError for a parameter that is missing, WarehouseUnavailableError.
    """
    checkpoint = load_checkpoint(settings.project_dir / "expectations", gate)
    definitions = definitions_of(suite for _, suite in checkpoint)
    with connect(settings, f"check_{gate}") as connection:
        parameters = _parameters(connection, gate, subject)
    outcomes: list[CheckOutcome] = []
    with _data_source(settings) as data_source:
        for step, suite in checkpoint:
            if step.needs is not None and parameters.get(step.needs) is None:
                continue
            suite_outcomes = _validate(data_source, suite, parameters)
            outcomes += suite_outcomes
            if step.ends_gate_when_stopped and gate_verdict(suite_outcomes).stopping:
                break
    with connect(settings, f"check_{gate}") as connection:
        sync_definitions(connection, definitions, "great_expectations", gate)
        record_outcomes(connection, outcomes, "great_expectations", gate, subject.name, run_id)
    return outcomes


def _parameters(
    connection: psycopg.Connection, gate: Gate, subject: GateSubject
) -> dict[str, ParameterValue]:
    parameters = dict(subject.parameters)
    if gate == "landing":
        parameters["delivery_id"] = subject.name
    if gate == "marts":
        if subject.schema is None:
            raise GateError("The marts gate needs the schema that holds the candidate marts.")
        parameters["schema"] = subject.schema
        parameters["minimum_comment_count"] = int(_published_comments(connection) * MINIMUM_COMMENT_SHARE)
    return parameters


def _published_comments(connection: psycopg.Connection) -> int:
    """Return how many comments are published, 0 before the first publication."""
    row = connection.execute("select to_regclass('patient_experience.fct_comments') is not null").fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute("select count(*) from patient_experience.fct_comments").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _data_source(settings: Settings) -> Iterator[PostgresDatasource]:
    """Yield the warehouse as Great Expectations sees it: in memory, silent, without telemetry."""
    with _silenced(logging.getLogger("great_expectations")):
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
            ),
        )
        data_source = context.data_sources.add_postgres(
            "warehouse",
            connection_string=settings.sqlalchemy_url(),
            # A temporary table would hold a second copy of the comments.
            create_temp_table=False,
        )
        try:
            yield data_source
        finally:
            # Engines of their own, each with connections.
            data_source.get_execution_engine().close()
            data_source.get_engine().dispose()


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    """Keep a logger's messages back: the library logs the database's errors, which quote the row at fault."""
    silence, was_propagating = logging.NullHandler(), logger.propagate
    logger.addHandler(silence)
    logger.propagate = False  # a level would not hold for loggers below it that set their own
    try:
        yield
    finally:
        logger.removeHandler(silence)
        logger.propagate = was_propagating


def _validate(
    data_source: PostgresDatasource, suite: Suite, parameters: Mapping[str, ParameterValue]
) -> list[CheckOutcome]:
    batch_sql = bind(suite.batch, parameters).strip()
    expectations = _expectation_suite(suite, parameters)
    try:
        batch = (
            data_source.add_query_asset(suite.name, query=batch_sql)
            .add_batch_definition_whole_table("batch")
            .get_batch()
        )
        rows_queries = (bind(check.rows_query, parameters) for check in suite.checks if check.rows_query)
        unwanted = [batch_sql, *(unexpected_rows_sql(query, batch_sql) for query in rows_queries)]
        with _without_rows(batch, unwanted):
            validated = batch.validate(
                expectations,
                result_format=COUNTS_ONLY,
                expectation_parameters={
                    name: value for name, value in parameters.items() if value is not None
                },
            )
        results = {result.expectation_config.meta["check_id"]: result for result in validated.results}
        row_count = results.pop(_ROW_COUNT).result["observed_value"]
    except Exception as error:  # noqa: BLE001 - whatever it is, these checks have not passed
        return [
            _outcome(check, "error", outcome_note=f"not evaluated: {_innermost(error)}")
            for check in suite.checks
        ]
    return [
        _read_result(check, results[check.id], row_count, batch_sql, parameters) for check in suite.checks
    ]


@contextmanager
def _without_rows(batch: Batch, queries: Iterable[str]) -> Iterator[None]:
    """Have the library's own use of these queries return names of columns and no rows.

    It asks for a whole batch to learn its columns (great_expectations 1.24, column_reflection_fallback), and for all
    unexpected rows beside their count: that would hold a delivery in memory, comments included.
    """
    from sqlalchemy import event

    unwanted = set(map(_without_spaces, queries))

    def emptied(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        is_unwanted = _without_spaces(statement.replace("%%", "%")) in unwanted
        return (f"select * from ({statement}) as whole limit 0" if is_unwanted else statement), parameters

    engine = batch.data.execution_engine.engine
    event.listen(engine, "before_cursor_execute", emptied, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", emptied)


def _without_spaces(sql: str) -> str:
    return "".join(sql.split()).casefold()


_ROW_COUNT = "row_count"


def _expectation_suite(suite: Suite, parameters: Mapping[str, ParameterValue]) -> ExpectationSuite:
    """Build the suite of the library, with one expectation more that counts the rows and always holds."""
    from great_expectations.core import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    expectations = [
        ExpectationConfiguration(
            type="expect_table_row_count_to_be_between",
            kwargs={"min_value": 0},
            meta={"check_id": _ROW_COUNT},
        ).to_domain_obj()
    ]
    for check in suite.checks:
        kwargs = dict(check.kwargs)
        if check.rows_query is not None:
            kwargs[ROWS_QUERY] = bind(check.rows_query, parameters)
        try:
            expectations.append(
                ExpectationConfiguration(
                    type=check.type, kwargs=kwargs, meta={"check_id": check.id}, severity=str(check.severity)
                ).to_domain_obj()
            )
        except Exception as error:
            raise CheckDefinitionError(
                f"{suite.name}.yml: check {check.id}: Great Expectations cannot use type '{check.type}' with "
                f"{', '.join(kwargs) or 'no arguments'}: {' '.join(str(error).split())}"
            ) from error
    return ExpectationSuite(name=suite.name, expectations=expectations)


def _read_result(
    check: Check,
    result: ExpectationValidationResult,
    row_count: int,
    batch_sql: str,
    parameters: Mapping[str, ParameterValue],
) -> CheckOutcome:
    raised = _raised(result.exception_info)
    if raised:
        return _outcome(check, "error", evaluated_count=row_count, outcome_note=f"not evaluated: {raised}")
    observed = result.result.get("observed_value")
    is_vacuous = "observed_value" in result.result and observed is None
    if check.rows_query is not None:
        unexpected_count, note = observed, None
    else:
        unexpected_count = result.result.get("unexpected_count")
        # Only a number: an observed value can be a delivered one.
        note = f"observed {observed:.6g}" if isinstance(observed, int | float) else None
    return _outcome(
        check,
        # An aggregate over no rows observes nothing, and holds.
        "passed" if result.success or is_vacuous else "failed",
        evaluated_count=row_count,
        unexpected_count=unexpected_count,
        outcome_note=note,
        unexpected_rows_sql=(
            unexpected_rows_sql(bind(check.rows_query, parameters), batch_sql)
            if check.rows_query is not None
            else None
        ),
    )


def _outcome(check: Check, outcome: Any, **found: Any) -> CheckOutcome:
    return CheckOutcome(
        check_id=check.id,
        outcome=outcome,
        effect=str(check.effect),
        severity=str(check.severity),
        title=check.title,
        field=check.field,
        **found,
    )


_ERROR_CLASS = re.compile(r"^(?:[a-z_][\w]*\.)*([A-Z]\w+)(?=:|$)", re.MULTILINE)


def _raised(exception_info: Mapping[str, Any]) -> str | None:
    """Return the class of the error that kept a check from being evaluated, without its message."""
    infos: Sequence[Any] = (
        [exception_info] if "raised_exception" in exception_info else list(exception_info.values())
    )
    for info in infos:
        details = info if isinstance(info, Mapping) else vars(info)
        if details.get("raised_exception"):
            classes = _ERROR_CLASS.findall(str(details.get("exception_traceback") or ""))
            return classes[0] if classes else "unknown error"
    return None


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
