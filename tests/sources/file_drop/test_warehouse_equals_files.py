"""Whatever happens to a folder and to the runs, the warehouse says of each record what the newest content says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from channel import Channel
from drops import MAPPING, FolderDrop, rows_of
from emptying import empty_warehouse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from patient_feedback.orchestration import landing_files
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings

Content = tuple[tuple[str, str], ...]
"""Records as (id, words), each id once."""
Operation = tuple[Any, ...]

NAMES = st.sampled_from(["1.csv", "2.csv", "3.csv"])
WORDS = st.sampled_from(["The nurse was kind", "The ward was noisy"])
CONTENTS = st.dictionaries(st.sampled_from("abc"), WORDS, min_size=1).map(lambda said: tuple(said.items()))


class KilledError(Exception):
    """Stands for a run that ends anywhere."""


@dataclass
class Truth:
    """What somebody would say who read the files whenever a run does, oldest first."""

    files: dict[str, tuple[int, Content]] = field(default_factory=dict)
    read: dict[str, Content] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Content]] = field(default_factory=dict)

    def write(self, name: str, content: Content) -> None:
        moment = 1 + max((moment for moment, _ in self.files.values()), default=0)
        self.files[name] = moment, content
        self.history.setdefault(name, []).append(content)

    def run(self) -> None:
        for name, (_, content) in sorted(self.files.items(), key=lambda file: file[1]):
            is_copy = name not in self.read and content in self.read.values()
            if self.read.get(name) != content and not is_copy:
                self.said |= dict(content)
            self.read[name] = content


@dataclass
class Folder:
    drop: FolderDrop
    channel: Channel
    truth: Truth = field(default_factory=Truth)
    kills: int = 0
    """After so many files, the next run ends before the transaction does."""

    def clear(self) -> None:
        empty_warehouse(self.channel.settings)
        for path in self.drop.folder.iterdir():
            path.unlink()
        self.truth, self.kills = Truth(), 0

    def write(self, name: str, content: Content) -> None:
        self.drop.put(name, rows_of(*content))
        self.truth.write(name, content)

    def end_where_asked(self) -> None:
        self.kills -= 1
        if self.kills == 0:
            raise KilledError

    def happen(self, name: str, *values: Any) -> None:
        match name:
            case "write":
                self.write(*values)
            case "copy" if values[0] in self.truth.files:
                self.write(values[1], self.truth.files[values[0]][1])
            case "put back" if values[0] in self.truth.history:
                earlier = self.truth.history[values[0]]
                self.write(values[0], earlier[-2 % len(earlier)])
            case "run":
                self.channel.run()
                self.truth.run()
            case "killed after landing":
                self._land()
                self.truth.run()
            case "killed":
                # What one run reads after another is what one run would: nothing is written in between.
                self.kills = values[0]
                try:
                    self._land()
                except KilledError:
                    self._land()
                self.kills = 0
                self.truth.run()

    def _land(self) -> None:
        land_source(
            self.channel.settings, self.channel.source, "killed", None, lambda _: self.channel.connection
        )


@pytest.fixture(scope="module")
def folder(one_warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    place = tmp_path_factory.mktemp("folder")
    drop = FolderDrop(place / "deliveries")
    source = drop.declared(place, mapping=MAPPING)
    made = Folder(drop, Channel(one_warehouse, source, drop.connection))  # type: ignore[arg-type]
    note = landing_files._note_reading

    def note_and_end(*values: Any) -> None:
        note(*values)
        made.end_where_asked()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(landing_files, "_note_reading", note_and_end)
        yield made


def rounds() -> st.SearchStrategy[list[list[Operation]]]:
    write = st.tuples(st.just("write"), NAMES, CONTENTS)
    happening = st.one_of(
        write,
        write,
        st.tuples(st.just("put back"), NAMES),
        st.tuples(st.just("copy"), NAMES, NAMES),
    )
    run = st.one_of(
        st.just(("run",)),
        st.just(("run",)),
        st.just(("killed after landing",)),
        st.tuples(st.just("killed"), st.integers(1, 2)),
    )
    one = st.builds(
        lambda happenings, run: [*happenings, run], st.lists(happening, min_size=1, max_size=3), run
    )
    return st.lists(one, min_size=2, max_size=5)


KIND, RUDE, LONG = (("a", "Kind staff"),), (("a", "Rude staff"),), (("a", "Kind staff"), ("b", "Long wait"))


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example([[("write", "1.csv", words), ("run",)] for words in (KIND, RUDE, KIND, RUDE, KIND)])
@example([[("write", "1.csv", words), ("killed after landing",)] for words in (KIND, RUDE, KIND)])
@example(
    [
        [("write", "1.csv", LONG), ("copy", "1.csv", "2.csv"), ("run",)],
        [("write", "1.csv", RUDE), ("run",)],
        [("write", "2.csv", RUDE), ("run",)],
        [("write", "2.csv", LONG), ("killed", 1)],
    ]
)
@example(
    [
        [("write", "1.csv", KIND), ("run",)],
        [("write", "2.csv", RUDE), ("run",)],
        [("copy", "1.csv", "2.csv"), ("run",)],
    ]
)
@given(lived=rounds())
def test_warehouse_equals_files(folder: Folder, lived: list[list[Operation]]) -> None:
    folder.clear()
    for operation in chain.from_iterable(lived):
        folder.happen(*operation)
    folder.happen("run")
    folder.channel.assert_shows("story", folder.truth.said)
    before = folder.channel.rows("select delivery_id, delivery_state from landing.delivery order by 1")
    assert folder.channel.run() == 0, "a run with nothing new brings something"
    assert before == folder.channel.rows(
        "select delivery_id, delivery_state from landing.delivery order by 1"
    )
