"""Whatever happens to a source and to the runs, after one undisturbed run the warehouse says what the source says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Protocol

import pytest
from channel import Channel, declare
from emptying import empty_warehouse
from emulators.care_opinion import KEY, CareOpinion
from emulators.server import Emulator, Fault
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from survey_table import READER, SurveyTool, postgres_tool, sqlite_tool

from patient_feedback.errors import FeedbackError
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings
from patient_feedback.sources import sql_table
from patient_feedback.sources.extraction import Extract, ExtractionRequest, SourceConnection
from patient_feedback.stack.postgres import EmbeddedPostgres

KEYS = st.integers(1, 5)
WORDS = st.sampled_from(["The nurse was kind", "The ward was noisy", "Nobody told us anything"])
Operation = tuple[Any, ...]
Round = list[Operation]
"""What happens until a run, and the run."""


class System(Protocol):
    """A source whose truth is at hand, and the faults that it knows."""

    channel: Channel
    question: str
    faults: tuple[str, ...]

    @property
    def truth(self) -> dict[str, str]: ...

    def put(self, key: int, words: str) -> None: ...

    def remove(self, key: int) -> None: ...

    def spoil(self, fault: str) -> None:
        """Let the next run meet a fault."""

    def heal(self) -> None: ...

    def clear(self) -> None: ...


class Site:
    """Care Opinion, over HTTP."""

    question = "story"
    faults = ("500", "500 for good", "broken JSON", "error in a 200", "429", "time-out", "changed while read")

    def __init__(self, site: CareOpinion, emulator: Emulator, channel: Channel) -> None:
        self.site, self.emulator, self.channel = site, emulator, channel

    @property
    def truth(self) -> dict[str, str]:
        return {number: opinion["body"] for number, opinion in self.site.opinions.items()}

    def put(self, key: int, words: str) -> None:
        # The first two are older than what is read again with its tags.
        month = "2024-05" if key <= 2 else "2025-03"
        self.site.put(key, words, f"{month}-{3 * key:02}T09:00:00+00:00")

    def remove(self, key: int) -> None:
        self.site.opinions.pop(str(key), None)

    def spoil(self, fault: str) -> None:
        self.emulator.faults += {
            "500": [Fault(status=500)],
            "500 for good": [Fault(status=500, path="/tags")] * 6,
            "broken JSON": [Fault(body=b'[{"id": 1, "body": "cut')],
            "error in a 200": [Fault(body=b'"Sorry! Something went wrong."')],
            "429": [Fault(status=429, headers={"Retry-After": "3"})] * 2,
            "time-out": [Fault(status=504)] * 3,
            "changed while read": [Fault(path="/tags", before=self._change)],
        }[fault]

    def _change(self) -> None:
        self.put(1, "Came while the pages were read")
        self.remove(2)

    def heal(self) -> None:
        self.emulator.faults.clear()

    def clear(self) -> None:
        self.site.opinions.clear()
        self.heal()


class Table:
    """A survey tool's table, in a PostgreSQL or a SQLite file."""

    question = "comment"
    faults = ("killed", "session ended", "no right", "changed while read", "another piece size")

    def __init__(self, tool: SurveyTool, channel: Channel, server: EmbeddedPostgres) -> None:
        self.tool, self.channel, self.server = tool, channel, server
        self.minutes, self.piece_size = 0, 2
        self.happenings: list[Callable[[], None]] = []

    @property
    def truth(self) -> dict[str, str]:
        return self.tool.said

    def put(self, key: int, words: str) -> None:
        """Write by a clock that goes on, in places two hours late, and that leaves a row without its time."""
        self.minutes += 25
        late = (0, 120)[self.minutes // 25 % 2 == 0]
        hour, minute = divmod(self.minutes + 180 - late, 60)
        updated = f"2025-03-{1 + hour // 24:02} {hour % 24:02}:{minute:02}"
        self.tool.put(key, words, None if key == 5 else updated)

    def remove(self, key: int) -> None:
        self.tool.remove(key)

    def spoil(self, fault: str) -> None:
        if fault == "another piece size":
            self.piece_size = 1 + self.piece_size % 3
        elif fault == "no right" and self.tool.is_postgres:
            self.tool.execute(f"revoke select on responses from {READER}")
        else:
            self.happenings.append(
                {"session ended": self._end_session, "changed while read": self._change}.get(
                    fault, self._kill
                )
            )

    def _kill(self) -> None:
        raise KilledError

    def _end_session(self) -> None:
        with self.server.connect() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [READER]
            )

    def _change(self) -> None:
        self.put(1, "Came while the table was read")
        self.remove(2)

    def heal(self) -> None:
        self.happenings.clear()
        if self.tool.is_postgres:
            self.tool.execute(f"grant select on responses to {READER}")

    def clear(self) -> None:
        self.minutes, self.piece_size = 0, 2
        self.tool.remove(*range(1, 7))
        self.heal()

    def watched(
        self, extract: Callable[[ExtractionRequest], Iterator[Extract]], request: ExtractionRequest
    ) -> Iterator[Extract]:
        """Extract, with what is to happen happening between two pieces."""
        for number, piece in enumerate(extract(request)):
            if number > 0 and self.happenings:
                self.happenings.pop(0)()
            yield piece


class KilledError(Exception):
    """Stands for a run that ends anywhere."""


@pytest.fixture(scope="module")
def site(one_warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    truth = CareOpinion()
    with truth.emulator() as emulator:
        request = {"page_size": 3, "requests_per_second": 1000, "timeout_seconds": 5}
        source = declare(tmp_path_factory.mktemp("site"), "opinions", "care_opinion", request=request)
        connection = SourceConnection("opinions_system", f"{emulator.url}/api/v2", "", KEY)
        yield Site(truth, emulator, Channel(one_warehouse, source, connection))


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def table(
    request: pytest.FixtureRequest,
    server: EmbeddedPostgres,
    one_warehouse: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Table]:
    folder = tmp_path_factory.mktemp("table")
    made = postgres_tool(server, one_warehouse) if request.param == "postgresql" else sqlite_tool(folder)
    with made as tool, pytest.MonkeyPatch.context() as patched:
        system = Table(tool, Channel(one_warehouse, tool.source(folder), tool.connection), server)
        extract = sql_table.extract

        def watched(request: ExtractionRequest) -> Iterator[Extract]:
            patched.setattr(sql_table, "EXTRACT_SIZE", system.piece_size)
            return system.watched(extract, request)

        patched.setattr(sql_table, "extract", watched)
        yield system


def rounds(faults: tuple[str, ...]) -> st.SearchStrategy[list[Round]]:
    put = st.tuples(st.just("put"), KEYS, WORDS)
    happening = st.one_of(
        put,
        put,
        st.tuples(st.just("remove"), KEYS),
        st.tuples(st.just("page size"), st.integers(1, 4)),
        st.tuples(st.just("fault"), st.sampled_from(faults)),
    )
    run = st.sampled_from([("run",), ("run",), ("killed after landing",)])
    one = st.builds(lambda happenings, run: [*happenings, run], st.lists(happening, max_size=5), run)
    # A source that has something is where faults and edits can do harm.
    first = st.builds(lambda puts: [*puts, ("run",)], st.lists(put, min_size=2, max_size=5))
    return st.builds(lambda first, others: [first, *others], first, st.lists(one, min_size=1, max_size=3))


modest = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def live_through(system: System, lived: list[Round]) -> None:
    """Do what happens, run once undisturbed, and compare."""
    system.clear()
    empty_warehouse(system.channel.settings)
    channel = system.channel
    for name, *given_values in chain.from_iterable(lived):
        match name, *given_values:
            case "put", key, words:
                system.put(key, words)
            case "remove", key:
                system.remove(key)
            case "page size", size:
                request = channel.source.request.model_copy(update={"page_size": size})
                channel.source = channel.source.model_copy(update={"request": request})
            case "fault", fault:
                system.spoil(fault)
            case _:
                try:
                    if name == "run":
                        channel.run()
                    else:
                        land_source(
                            channel.settings, channel.source, "killed", None, lambda _: channel.connection
                        )
                except (FeedbackError, KilledError):
                    pass
    system.heal()
    channel.run()
    channel.assert_shows(system.question, system.truth)
    assert channel.run() == 0, "a run with nothing new brings something"


@modest
@example(
    [[("put", 1, "A"), ("run",)], [("put", 1, "B"), ("fault", "500 for good"), ("run",)], [("put", 1, "A")]]
)
@example([[("put", 1, "A"), ("put", 2, "B"), ("run",)], [("remove", 2), ("killed after landing",)]])
@given(lived=rounds(Site.faults))
def test_warehouse_equals_care_opinion(site: Site, lived: list[Round]) -> None:
    live_through(site, lived)


@settings(modest, max_examples=12)
@example([[("put", 1, "A"), ("run",)], [("put", 1, "B"), ("run",)]])
@example(
    [[("put", 5, "A"), ("run",)], [("remove", 5), ("run",)], [("put", 5, "A"), ("fault", "killed"), ("run",)]]
)
@example(
    [
        [("put", 3, "A"), ("put", 2, "A"), ("put", 1, "A"), ("put", 4, "A"), ("run",)],
        [("page size", 1), ("fault", "session ended"), ("run",)],
        [("remove", 1), ("put", 3, "B"), ("killed after landing",)],
    ]
)
@given(lived=rounds(Table.faults))
def test_warehouse_equals_sql_table(table: Table, lived: list[Round]) -> None:
    live_through(table, lived)
