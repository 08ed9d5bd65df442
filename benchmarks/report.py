"""What was measured, as JSON for programs and as Markdown for people.

Each part is written to a file of its own as soon as it is measured, so that a run that is cut off
keeps what it has, and a part can be measured again alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.figures import Value

DIGITS = 4
PARTS_FOLDER = "parts"
TRAINED = {
    None: "nothing trained",
    True: "trained in an earlier run and kept",
    False: "trained in this run",
}
"""Where the models behind the readings come from, by whether they were in the cache."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours, what the peers reach in the same run, and the goal."""

    figure: str
    how: str
    n: int
    ours: Value | None
    peers: Mapping[str, Value | str] = field(default_factory=dict)
    """By name; a text says why there is no figure."""
    main_peer: str | None = None
    """The peer that the goal speaks of; else the strongest."""
    ratio: Value | None = None
    """Ours to the main peer where it is more than the quotient of the two, as in paired timings."""
    goal: float | None = None
    goal_is_on: Literal["ours", "ratio"] = "ours"
    is_lower_better: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the row with the peer that counts picked out."""
        measured = {name: value for name, value in self.peers.items() if isinstance(value, Value)}
        peer_name = self.main_peer
        if peer_name is None and measured:
            strongest = min if self.is_lower_better else max
            peer_name = strongest(measured, key=lambda name: measured[name].value)
        peer = measured.get(peer_name) if peer_name else None
        ratio = self.ratio or self._quotient(peer)
        judged = self.ours if self.goal_is_on == "ours" else ratio
        is_met = None
        if self.goal is not None and judged is not None:
            is_met = judged.value <= self.goal if self.is_lower_better else judged.value >= self.goal
        return {
            "figure": self.figure,
            "ours": _rounded(self.ours.value if self.ours else None),
            "ours_low": _rounded(self.ours.low if self.ours else None),
            "ours_high": _rounded(self.ours.high if self.ours else None),
            "peer": _rounded(peer.value if peer else None),
            "peer_low": _rounded(peer.low if peer else None),
            "peer_high": _rounded(peer.high if peer else None),
            "peer_name": peer_name,
            "ratio": _rounded(ratio.value if ratio else None),
            "ratio_low": _rounded(ratio.low if ratio else None),
            "ratio_high": _rounded(ratio.high if ratio else None),
            "goal": self.goal,
            "goal_is_on": self.goal_is_on if self.goal is not None else None,
            "is_lower_better": self.is_lower_better,
            "is_goal_met": is_met,
            "n": self.n,
            "how": self.how,
            "peers": {name: _rounded(value.value) for name, value in measured.items()},
            "missing_peers": {name: why for name, why in self.peers.items() if isinstance(why, str)},
        }

    def _quotient(self, peer: Value | None) -> Value | None:
        if self.ours is None or peer is None or peer.value == 0:
            return None
        quotient = self.ours.value / peer.value
        # Without pairs the quotient's own interval is unknown: it bears none.
        return Value(quotient, quotient, quotient)


@dataclass(frozen=True, slots=True)
class Table:
    """Further numbers for readers, such as a reliability curve."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PartResult:
    rows: tuple[Row, ...]
    tables: tuple[Table, ...] = ()


def write_part(folder: Path, part: str, result: PartResult, run: Mapping[str, Any]) -> None:
    """Write one part; `run` says on what, when and with which versions it was measured."""
    (folder / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
    content = {
        "part": part,
        "run": dict(run),
        "rows": [{**row.as_json(), "part": part} for row in result.rows],
        "tables": [asdict(table) for table in result.tables],
    }
    _write(folder / PARTS_FOLDER / f"{part}.json", content)


def write_results(folder: Path, subject: str, title: str, parts: Sequence[str]) -> list[dict[str, Any]]:
    """Join the parts measured so far into SUBJECT.json and SUBJECT.md; return the figures."""
    paths = [folder / PARTS_FOLDER / f"{part}.json" for part in parts]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]
    figures = [{**row, "run": _run_line(part["run"])} for part in found for row in part["rows"]]
    _write(folder / f"{subject}.json", figures)
    (folder / f"{subject}.md").write_text(_markdown(subject, title, found), encoding="utf-8")
    return figures


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _run_line(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return (
        f"{run['processor']}, {run['cores']} cores, {run['threads']} threads; {run['seed_count']} seeds; "
        f"data {run['data']}; {run['measured_on']}, commit {run['commit']}; "
        f"{TRAINED[run['is_cached']]}; {versions}"
    )


def _markdown(subject: str, title: str, parts: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"# {title}",
        "",
        f"Written by `make bench-{subject}` (see [benchmarks/README.md](../README.md)); the same figures for programs",
        f"are in [{subject}.json]({subject}.json). Ours and the peers were measured in the same run, on the same data.",
        "Brackets hold intervals; the last column says of what.",
        "",
    ]
    for part in parts:
        lines += [f"## {part['part'].replace('_', ' ').capitalize()}", ""]
        if part["rows"]:
            header = ("figure", "ours", "peer", "ratio", "goal", "n", "how")
            lines += _table(header, [_cells(row) for row in part["rows"]])
        for table in part["tables"]:
            lines += ["", f"### {table['title']}", ""]
            lines += _table(table["header"], table["rows"])
            lines += ["", table["note"]] if table["note"] else []
        lines += ["", f"Measured on {_run_line(part['run'])}.", ""]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    others = [f"{name} {_shown(value)}" for name, value in row["peers"].items() if name != row["peer_name"]]
    others += [f"{name}: {why}" for name, why in row["missing_peers"].items()]
    peer = (
        f"{row['peer_name']} {_shown(row['peer'], row['peer_low'], row['peer_high'])}" if row["peer"] else ""
    )
    goal = ""
    if row["goal"] is not None:
        subject = "ratio " if row["goal_is_on"] == "ratio" else ""
        verdict = {True: "met", False: "missed", None: "not measured"}[row["is_goal_met"]]
        goal = f"{subject}{'≤' if row['is_lower_better'] else '≥'} {_shown(row['goal'])}: {verdict}"
    return (
        row["figure"].replace("_", " "),
        _shown(row["ours"], row["ours_low"], row["ours_high"]),
        "; ".join([peer, *others] if peer else others),
        _shown(row["ratio"], row["ratio_low"], row["ratio_high"]),
        goal,
        f"{row['n']:,}",
        row["how"],
    )


def _shown(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if value is None:
        return "–"
    if low is None or high is None or low == high == value:
        return shown(value)
    return f"**{shown(value)}** [{shown(low)}, {shown(high)}]"


def shown(value: float) -> str:
    """Return a number as readers want it: enough digits, none to spare."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 2 else f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows),
    ]
