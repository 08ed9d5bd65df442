"""`patient-feedback`: the local stack, a run of the whole workflow, and the ways into the warehouse."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console

from patient_feedback.errors import FeedbackError, StackError
from patient_feedback.settings import Role, Settings

if TYPE_CHECKING:
    from patient_feedback.sources.declaration import Source

app = typer.Typer(
    help="Patient feedback, from a file to checked, published marts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
# Without a terminal the width would be 80, and lines of the summary would be cut in a log.
console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

FAILED, INTERRUPTED = 1, 130
ROOMS = {
    Role.PIPELINE: "feedback,analysis,landing,audit",
    Role.ANALYST: "patient_experience",
    Role.AUDITOR: "audit_trail,patient_experience",
    Role.ENGINEER: "audit,landing,feedback,analysis,audit_trail",
}


P = ParamSpec("P")
T = TypeVar("T")


def explained(command: Callable[P, T]) -> Callable[P, T]:
    """Print an expected failure as its sentence and end with 1; anything else is a defect and shows."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except FeedbackError as error:
            errors.print(str(error), style="red", markup=False)
            raise typer.Exit(FAILED) from None

    return wrapper


@app.command()
@explained
def up() -> None:
    """Start PostgreSQL and Airflow on this machine, and wait until they are healthy."""
    from patient_feedback.stack import lifecycle, screen, workflow

    settings = Settings.from_environment()
    lifecycle.make_home(settings)
    if not (settings.home / "sources.yml").exists():
        workflow.put_sources(settings, settings.sources_file)
    lifecycle.bring_up(settings, _say)
    screen.print_where_to_look(console, settings)


@app.command()
@explained
def down() -> None:
    """Stop everything that `up` or `run` started."""
    from patient_feedback.stack import lifecycle

    settings = Settings.from_environment()
    lifecycle.take_down(settings, _say)
    console.print(f"Stopped. The data stays in {settings.home}.", soft_wrap=True)


@app.command()
@explained
def run(
    sources: Annotated[
        Path | None, typer.Option(help="A sources.yml; without it the sources of the project.")
    ] = None,
) -> None:
    """Run the whole workflow once through Airflow and say what came of it; the stack stays up."""
    from patient_feedback.stack import lifecycle, screen, summary, workflow
    from patient_feedback.warehouse.connection import connect

    started, began_at = time.monotonic(), datetime.now(UTC)
    settings = Settings.from_environment()
    lifecycle.make_home(settings)
    with lifecycle.only_one(settings, "run.lock", "runs the workflow"):
        declared, changed_at = workflow.put_sources(settings, sources or settings.sources_file)
        lifecycle.bring_up(settings, _say)
        with lifecycle.api(settings) as api:
            ingest_dags = [workflow.ingest_dag_id(source) for source in declared]
            workflow.wait_for_dags(settings, api, [*ingest_dags, *workflow.DOWNSTREAM], changed_at)
            seconds_to_start = time.monotonic() - started
            _say(f"Running the workflow on {len(declared)} source{'s' * (len(declared) != 1)}")
            workflow_run = workflow.start(api, declared, began_at)
            try:
                with screen.ProgressScreen(console).opened() as progress:
                    workflow.follow(settings, api, workflow_run, progress.show)
            except KeyboardInterrupt:
                console.print("\nNo longer watching, the run goes on: `make stop` ends it.")
                raise typer.Exit(INTERRUPTED) from None
    with connect(settings, "summary") as connection:
        screen.print_summary(console, summary.read_summary(connection, [source.slug for source in declared]))
    screen.print_times(console, workflow_run, seconds_to_start, time.monotonic() - started)
    if workflow_run.failures:
        screen.print_failures(errors, workflow_run.failures)
    screen.print_where_to_look(console, settings)
    if workflow_run.failures:
        raise typer.Exit(FAILED)


@app.command()
@explained
def status() -> None:
    """Say what runs, and how to get in. Ends with 3 where something is missing."""
    from patient_feedback.stack import lifecycle, screen

    settings = Settings.from_environment()
    state = lifecycle.describe(settings)
    screen.print_status(console, settings, state)
    if not state.is_up:
        console.print("Start it with `make run`.")
        raise typer.Exit(3)
    screen.print_where_to_look(console, settings)


@app.command()
@explained
def dsn(role: Annotated[Role, typer.Option(help="Whose room to enter.")] = Role.ANALYST) -> None:
    """Print a connection string, password included, for psql or any BI tool."""
    typer.echo(Settings.from_environment().dsn(role))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@explained
def psql(
    context: typer.Context,
    role: Annotated[Role, typer.Option(help="Whose room to enter.")] = Role.ANALYST,
) -> None:
    """Open PostgreSQL's own shell as a role; further arguments go to psql, such as -c "select 1"."""
    from patient_feedback.stack.postgres import EmbeddedPostgres

    settings = Settings.from_environment()
    server = EmbeddedPostgres(settings.home, settings.db_port)
    if settings.db_host == "127.0.0.1" and not server.is_running():
        raise StackError("PostgreSQL does not run: start it with `make run`, or `patient-feedback up`.")
    environ = {
        **os.environ,
        "PGHOST": settings.db_host,
        "PGPORT": str(settings.db_port),
        "PGDATABASE": settings.db_name,
        "PGUSER": role,
        "PGPASSWORD": settings.password(role),
        "PGOPTIONS": f"-c search_path={ROOMS[role]}",
        "PGAPPNAME": "patient_feedback:psql",
    }
    program = str(server.psql_path())
    sys.stdout.flush()
    os.execve(program, [program, *context.args], environ)  # noqa: S606 - no shell is wanted


@app.command("check-sources")
@explained
def check_sources(
    sources: Annotated[
        Path | None, typer.Argument(help="A sources.yml; without it the sources of the project.")
    ] = None,
) -> None:
    """Check a declaration of sources: every problem with its line, its columns on the newest file, its connections."""
    from patient_feedback.sources.declaration import load_sources

    settings = Settings.from_environment()
    path = sources or settings.sources_file
    declared = load_sources(path, check_paths=True)
    console.print(f"{path} declares {len(declared)} source{'s' * (len(declared) != 1)}:", soft_wrap=True)
    problems: list[str] = []
    for source in declared:
        console.print(
            f"  {source.slug} ({source.kind}) from {source.where.path if source.where else source.connection}",
            soft_wrap=True,
            markup=False,
        )
        problems += _tried(source)
    if any(source.connection for source in declared):
        problems += _connection_problems(settings, path)
    if problems:
        raise FeedbackError("\n".join(problems))


def _tried(source: Source) -> list[str]:
    """Say what the declaration makes of the newest file; return what keeps it from being read."""
    from patient_feedback.sources.trial import expected_names, is_within_reach, try_newest_file

    if not is_within_reach(source):
        return []
    try:
        trial = try_newest_file(source)
    except FeedbackError as error:
        return [f"The newest file of '{source.slug}' cannot be read. {error}"]
    if trial.file_name is None:
        console.print(f"    no file there yet ({expected_names(source)})", soft_wrap=True, markup=False)
    else:
        records = f"{trial.file_name}, first {trial.record_count} records"
        console.print(f"    {records}", soft_wrap=True, markup=False)
    for remark in trial.remarks():
        console.print(f"      {remark}", soft_wrap=True, markup=False)
    if trial.missing_columns:
        return [
            f"The newest file of '{source.slug}', {trial.file_name}, lacks columns that its mapping names: "
            f"{', '.join(trial.missing_columns)}. It has: {', '.join(trial.column_names)}. Mend the mapping, or say "
            "`optional: true` where a file without the column is complete."
        ]
    return []


def _connection_problems(settings: Settings, path: Path) -> list[str]:
    from patient_feedback.stack.connection_lookup import connection_problems

    try:
        problems = connection_problems(settings, path)
    except StackError as reason:
        console.print(f"Connections were not looked up: {reason}.", soft_wrap=True, markup=False)
        return []
    if not problems:
        console.print("Their connections are there.")
    return list(problems.values())


@app.command("landing-orphans")
@explained
def landing_orphans(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove them, with an entry in the ledger.")
    ] = False,
) -> None:
    """List the files of the landing area that no delivery names, left by a run that was rolled back."""
    from patient_feedback.orchestration.landing_orphans import find_orphans

    settings = Settings.from_environment()
    orphans = find_orphans(settings, is_removing=remove)
    for orphan in orphans:
        console.print(f"  {orphan.path} ({orphan.size:,} bytes)", soft_wrap=True, markup=False)
    if not orphans:
        console.print(f"Every file of {settings.landing_url} belongs to a delivery.", soft_wrap=True)
        return
    count = f"{len(orphans)} file{'s' * (len(orphans) != 1)} of {settings.landing_url}"
    console.print(
        f"Removed {count}, which no delivery names."
        if remove
        else f"No delivery names {count}: `patient-feedback landing-orphans --remove` removes them.",
        soft_wrap=True,
    )


@app.command()
@explained
def train(
    labelled: Annotated[
        Path, typer.Option(help="A CSV with comments and their labels.", exists=True, dir_okay=False)
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where to write the models; without it in place of the shipped ones.")
    ] = None,
    adapter: Annotated[
        bool,
        typer.Option(
            help="Train an adapter for the default encoder too; else heads for FEEDBACK_ENCODER as it is."
        ),
    ] = True,
) -> None:
    """Train the models that read sentiment and topics on labelled comments, and measure them."""
    from patient_feedback.language import training
    from patient_feedback.language.encoder import load_encoder
    from patient_feedback.language.heads import MODELS_DIR

    settings = Settings.from_environment()
    threads = settings.worker_threads
    encoder = None if adapter else load_encoder(settings.encoder_name, threads, adapter="none")
    folder = output or (MODELS_DIR if adapter else MODELS_DIR / "without_adapter")
    models = training.train(labelled, folder, encoder=encoder, threads=threads)
    console.print(
        f"Wrote {models.sentiment_version} and {models.topics_version} for {models.encoder_version}, "
        f"with figures, to {folder}."
    )


@app.command()
@explained
def emulate(
    first_port: Annotated[int, typer.Option(help="The first of nine ports in a row, on 127.0.0.1.")] = 18701,
) -> None:
    """Run emulated source systems with sample feedback until Ctrl-C, and lead the local Airflow to them."""
    from patient_feedback.stack import lifecycle
    from patient_feedback.stack.emulation import emulated_sources

    settings = Settings.from_environment()
    # Whatever ends it, the emulated systems end with it.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)
    lifecycle.make_home(settings)
    lifecycle.bring_up(settings, _say)
    with emulated_sources(settings, first_port) as names:
        console.print(
            f"{len(names)} emulated systems run, and Airflow has their connections. In another terminal: "
            "make run SOURCES=examples/all_sources/sources.yml\nCtrl-C ends them.",
            soft_wrap=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


@app.command()
@explained
def dictionary() -> None:
    """Write the data dictionary: one page on every table and column that is published."""
    from patient_feedback.orchestration.marts import write_data_dictionary

    page = write_data_dictionary(Settings.from_environment())
    console.print(f"Data dictionary: {page.as_uri()}", soft_wrap=True)


@app.command()
@explained
def readability(
    files: Annotated[list[Path], typer.Argument(help="Plain text, UTF-8.", exists=True, dir_okay=False)],
    language: Annotated[
        str | None, typer.Option(help="en or sv; without it the language is detected.")
    ] = None,
) -> None:
    """Say how hard to read a text is that you send to patients: an invitation, a leaflet, a question."""
    from patient_feedback.language.detection import detect_languages
    from patient_feedback.language.readability import FORMULAS, SMOG_SENTENCES, sentences

    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise FeedbackError(f"{path} is no plain text in UTF-8: save it as that first.") from None
        found = sentences(text)
        if not found:
            raise FeedbackError(f"{path} has no words.")
        code = language or detect_languages([text], [None])[0].language_code
        if code not in FORMULAS:
            raise FeedbackError(
                f"{path}: no formula is known for {code or 'a text too short to tell its language'}. "
                f"There are formulas for {', '.join(FORMULAS)}; --language says which to take."
            )
        longest = max(found, key=len)
        word_count = sum(map(len, found))
        lines = [f"{path}: {code}, {word_count} words in {len(found)} sentence{'s' * (len(found) != 1)}"]
        lines += [f"  {one.name} {one.measure(text):.1f} ({one.reading})" for one in FORMULAS[code]]
        lines += [f"  longest sentence: {len(longest)} words, beginning {' '.join(longest[:6])}"]
        if len(found) < SMOG_SENTENCES:
            lines += [f"  fewer than {SMOG_SENTENCES} sentences: take the figures as rough"]
        console.print("\n".join(lines), soft_wrap=True, markup=False)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
@explained
def airflow(context: typer.Context) -> None:
    """Call Airflow's own command with this stack's settings, such as `airflow backfill create ...`."""
    from patient_feedback.stack.airflow import LocalAirflow
    from patient_feedback.stack.postgres import EmbeddedPostgres

    settings = Settings.from_environment()
    if settings.db_host == "127.0.0.1" and not EmbeddedPostgres(settings.home, settings.db_port).is_running():
        raise StackError(
            "Airflow's database does not run: start it with `patient-feedback up`, then repeat this."
        )
    local = LocalAirflow(settings)
    command = local.command(*context.args)
    os.execve(command[0], command, local.client_environment())  # noqa: S606 - no shell is wanted


def _say(message: str) -> None:
    console.print(f"{message} …", soft_wrap=True)


if __name__ == "__main__":
    app()
