"""The check register: every check of the gates on one page, generated from the suites."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from patient_feedback.checks.suites import GATE_CODES, Check, Suite, load_suites

GATE_TITLES = {
    "landing": "Landing gate: what a source delivered",
    "analysis": "Analysis gate: what the models made of it",
    "marts": "Marts gate: what would be published",
}
COLUMNS = ("Check", "What must hold", "Effect", "Severity", "Dimension", "Owner", "Why it matters")


def check_register(folder: Path) -> str:
    """Return the register of all suites below `folder` as Markdown, in the order of gates and ids."""
    return "\n".join(_lines(load_suites(folder))) + "\n"


def _lines(suites: tuple[Suite, ...]) -> Iterator[str]:
    yield "# Check register"
    yield ""
    yield "Generated from `expectations/suites/` by `python -m patient_feedback.checks.register`: change"
    yield "the suites, then generate it anew; a test compares the two. Tests of single models are dbt's and"
    yield "stand in `dbt_project/`; both kinds end as rows in `audit_trail.fct_check_results`."
    total = sum(len(suite.checks) for suite in suites)
    yield ""
    yield f"{total} checks."
    for gate in GATE_CODES:
        of_gate = sorted(
            (suite for suite in suites if suite.gate == gate), key=lambda suite: suite.checks[0].id
        )
        yield ""
        yield f"## {GATE_TITLES[gate]}"
        for suite in of_gate:
            yield ""
            yield f"### `{suite.table}`, {suite.grain}"
            yield ""
            yield _row(COLUMNS)
            yield _row(["---"] * len(COLUMNS))
            yield from (_row(_cells(check)) for check in sorted(suite.checks, key=lambda check: check.id))


def _cells(check: Check) -> list[str]:
    effect = f"{check.effect} (`{check.field}`)" if check.field else str(check.effect)
    return [
        check.id,
        check.title,
        effect,
        str(check.severity),
        str(check.dimension),
        check.owner,
        " ".join(check.why.split()),
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    from patient_feedback.settings import Settings

    sys.stdout.write(check_register(Settings.from_environment().project_dir / "expectations"))
