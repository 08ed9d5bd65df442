"""A PostgreSQL server of the benchmark's own, and an empty warehouse for each measurement."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from patient_feedback.settings import SOURCE_TREE, Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.migrate import migrate

TEMPLATE = "bench_template"


@dataclass
class Warehouses:
    """Makes empty warehouses on one running server; `folder` is theirs for files."""

    server: EmbeddedPostgres
    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def empty(self) -> Iterator[Settings]:
        """Settings of a migrated warehouse without rows, dropped at the end with its landing area."""
        name = f"bench_{next(self._numbers)}"
        self.server.create_warehouse(name, template=TEMPLATE)
        settings = self.settings(name)
        try:
            yield settings
        finally:
            self.server.drop_database(name)
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def settings(self, database: str) -> Settings:
        return Settings.from_environment(
            {
                "FEEDBACK_PROJECT_DIR": str(SOURCE_TREE),
                "FEEDBACK_HOME": str(self.server.home),
                "FEEDBACK_DB_PORT": str(self.server.port),
                "FEEDBACK_DB_NAME": database,
                "FEEDBACK_LANDING_URL": (self.folder / database).as_uri(),
            }
        )


@contextmanager
def warehouses() -> Iterator[Warehouses]:
    """Start a server that nobody else uses; all that it held is gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="feedback-bench-"))
    # The server's unprivileged user must enter it.
    home.chmod(0o711)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = EmbeddedPostgres(home, port, environ={})
    server.start()
    try:
        server.create_warehouse(TEMPLATE)
        folder = home / "files"
        folder.mkdir()
        made = Warehouses(server, folder)
        migrate(made.settings(TEMPLATE))
        yield made
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
