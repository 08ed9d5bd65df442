"""What a person sees on the terminal: progress while a run goes on, and its summary at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from patient_feedback.settings import Role, Settings
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.lifecycle import StackState
from patient_feedback.stack.summary import Summary
from patient_feedback.stack.workflow import FailedTask, StageProgress, WorkflowRun

MARKS = {"running": "[cyan]…[/]", "succeeded": "[green]✓[/]", "skipped": "[dim]–[/]", "failed": "[red]✗[/]"}
SHOWN_FAILED_CHECKS = 12
SHOWN_SECONDS = 1.0
PULSE_SECONDS = 20.0


class ProgressScreen:
    """Shows a run as it goes: a live table on a terminal, one line per change of state elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said: dict[tuple[str, str, str], str] = {}
        self._said_at = 0.0

    @contextmanager
    def opened(self) -> Iterator[ProgressScreen]:
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as live:
            self._live = live
            yield self
            self._live = None

    def show(self, run: WorkflowRun) -> None:
        if self._live is not None:
            self._live.update(_progress_table(run))
            return
        if run.seconds - self._said_at >= PULSE_SECONDS:
            self._said_at = run.seconds
            self._console.print(f"  [dim]{escape(_pulse(run))}[/]", soft_wrap=True)
        for stage in run.stages:
            key = (stage.dag_id, stage.run_id, stage.task_id)
            if self._said.get(key) != stage.state:
                self._said[key] = stage.state
                self._said_at = run.seconds
                self._console.print(f"  {_stage_line(stage)}", highlight=False, soft_wrap=True)


def _progress_table(run: WorkflowRun) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for heading, side in (
        ("", "left"),
        ("stage", "left"),
        ("rows", "right"),
        ("seconds", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify=side)  # type: ignore[arg-type]
    for stage in run.stages:
        table.add_row(
            MARKS[stage.state],
            _stage_name(stage),
            _rows(stage),
            f"{stage.seconds:.0f}",
            Text(_counts(stage), "dim"),
        )
    return Group(table, Text(_pulse(run), "dim"))


def _pulse(run: WorkflowRun) -> str:
    return f"{run.seconds:.0f} s; under way: {', '.join(run.under_way) or 'nothing'}"


def _stage_name(stage: StageProgress) -> str:
    return f"{escape(stage.dag_id.removeprefix('ingest_feedback__'))} · {escape(stage.task_id)}"


def _stage_line(stage: StageProgress) -> str:
    words = [MARKS[stage.state], _stage_name(stage)]
    if stage.state != "running":
        rows = f"{_rows(stage)} rows" if stage.row_count is not None else ""
        words += [part for part in (rows, f"{stage.seconds:.1f} s", _counts(stage)) if part]
    return "  ".join(words)


def _rows(stage: StageProgress) -> str:
    return "" if stage.row_count is None else f"{stage.row_count:,}"


def _counts(stage: StageProgress) -> str:
    shown = [
        f"{name.removesuffix('_count').replace('_', ' ')} {value:,}"
        for name, value in stage.counts.items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]
    return escape(", ".join(shown))


def print_failures(console: Console, failures: Iterable[FailedTask]) -> None:
    for failure in failures:
        console.print(
            f"\n[bold red]{escape(failure.dag_id)} · {failure.task_id} failed[/] at try {failure.try_number}"
        )
        console.print(f"  {escape(failure.message)}", highlight=False, soft_wrap=True)
        console.print(f"  Log: {failure.log_file}", highlight=False, soft_wrap=True)
    console.print(
        "\nNothing that was done is lost: mend the cause and `make run` again, which goes on from there. "
        "The published marts are unchanged until a run succeeds."
    )


def print_summary(console: Console, summary: Summary) -> None:
    console.print("\n[bold]What was received[/]")
    accounts = _table(
        "source", ">files", ">received", ">accepted", ">set aside", ">duplicates", ">withdrawn", ""
    )
    for account in summary.sources:
        notes = [] if account.is_balanced else ["[red]does not add up[/]"]
        if account.refused_file_count:
            notes.append(f"{account.refused_file_count} refused")
        accounts.add_row(
            account.source_slug,
            str(account.file_count),
            *(
                f"{count:,}"
                for count in (
                    account.received_count,
                    account.accepted_count,
                    account.set_aside_count,
                    account.duplicate_count,
                    account.withdrawn_count,
                )
            ),
            ", ".join(notes),
        )
    console.print(Padding(accounts, (0, 0, 0, 2)))

    console.print("\n[bold]What was checked[/]")
    gates = _table("gate", ">passed", ">failed", ">could not run")
    for gate in summary.gates:
        gates.add_row(gate.gate, str(gate.passed_count), str(gate.failed_count), str(gate.error_count))
    console.print(Padding(gates, (0, 0, 0, 2)))
    if summary.failed_checks:
        failed = _table("check that did not pass", "effect", ">rows", "")
        for check in summary.failed_checks[:SHOWN_FAILED_CHECKS]:
            rows = "" if check.unexpected_count is None else f"{check.unexpected_count:,}"
            name = (
                f"{check.check_id} ({check.severity}{', could not run' if check.outcome == 'error' else ''})"
            )
            failed.add_row(name, check.effect.replace("_", " "), rows, escape(check.title))
        console.print(Padding(failed, (1, 0, 0, 2)))
        more = len(summary.failed_checks) - SHOWN_FAILED_CHECKS
        if more > 0:
            console.print(f"  and {more} more: audit_trail.fct_check_results has them all", style="dim")

    if not summary.is_published:
        console.print("\nNothing is published yet.")
        return
    console.print(f"\n[bold]What patients say[/] ({summary.comment_count:,} comments read)")
    widest = max(summary.sentiments.values(), default=0) or 1
    sentiment = _table("sentiment", ">comments", ">share", "")
    for label, count in summary.sentiments.items():
        share = count / summary.comment_count if summary.comment_count else 0.0
        sentiment.add_row(
            label.replace("_", " "), f"{count:,}", f"{share:.0%}", "█" * round(24 * count / widest)
        )
    console.print(Padding(sentiment, (0, 0, 0, 2)))
    console.print("\n[bold]The largest themes[/]")
    for theme in summary.themes:
        console.print(f"  [bold]{escape(theme.theme_label)}[/] · {theme.comment_count:,} comments")
        for example in theme.examples:
            console.print(Padding(Text(f"“{' '.join(example.split())}”", "italic"), (0, 0, 0, 4)))


def print_times(console: Console, run: WorkflowRun, seconds_to_start: float, seconds_in_all: float) -> None:
    """Say where the time went: each part from its first start to its last end, and its longer tasks."""
    console.print("\n[bold]Where the time went[/]")
    times = _table("", ">seconds")
    times.add_row("start of the stack", f"{seconds_to_start:.0f}")
    parts: dict[str, list[StageProgress]] = {}
    for stage in run.stages:
        parts.setdefault(
            "ingest_feedback" if stage.dag_id.startswith("ingest_") else stage.dag_id, []
        ).append(stage)
    for part, stages in parts.items():
        times.add_row(part, f"{_seconds_between(stages):.0f}")
        for stage in stages:
            if stage.seconds >= SHOWN_SECONDS:
                times.add_row(f"  [dim]{_stage_name(stage)}[/]", f"[dim]{stage.seconds:.0f}[/]")
    times.add_row("in all", f"{seconds_in_all:.0f}")
    console.print(Padding(times, (0, 0, 0, 2)))


def _seconds_between(stages: list[StageProgress]) -> float:
    first = min(stage.started_at for stage in stages)
    last = max(stage.finished_at or stage.started_at for stage in stages)
    return (last - first).total_seconds()


def print_where_to_look(console: Console, settings: Settings) -> None:
    airflow = LocalAirflow(settings)
    console.print("\n[bold]Where to look next[/]")
    places = Table(box=None, show_header=False, pad_edge=False)
    places.add_row(
        "Airflow",
        f"{airflow.url}  user [bold]admin[/], password [bold]{escape(airflow.password('admin'))}[/]",
    )
    places.add_row("read only", f"user viewer, password {escape(airflow.password('viewer'))}")
    for role, reason in (
        (Role.ANALYST, "what patients say: patient_experience"),
        (Role.AUDITOR, "what was checked: audit_trail"),
        (Role.ENGINEER, "what ran: landing, feedback, analysis, audit"),
    ):
        places.add_row(f"SQL as {role}", f"make psql ROLE={role}  [dim]({reason})[/]")
    places.add_row("any BI tool", "patient-feedback dsn --role analyst")
    places.add_row("stop", "make stop")
    console.print(Padding(places, (0, 0, 0, 2)), soft_wrap=True, highlight=False)


def print_status(console: Console, settings: Settings, state: StackState) -> None:
    table = _table("service", "state", ">process", "")
    is_running = state.postgres_pid is not None
    table.add_row(
        "PostgreSQL",
        "[green]running[/]" if is_running else "stopped",
        str(state.postgres_pid or ""),
        f"127.0.0.1:{state.postgres_port}" if is_running else "",
    )
    for service in state.services:
        word = (
            "[green]healthy[/]"
            if service.is_healthy
            else "[yellow]not healthy[/]"
            if service.pid
            else "stopped"
        )
        place = LocalAirflow(settings).url if service.name == "api-server" and service.pid else ""
        table.add_row(service.name, word, str(service.pid or ""), place)
    console.print(f"Home: {settings.home}", highlight=False, soft_wrap=True)
    console.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    return table
