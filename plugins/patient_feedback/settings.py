"""Every setting, read once from the environment; nothing is read at import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from patient_feedback.errors import FeedbackError

SOURCE_TREE = Path(__file__).resolve().parents[2]
DEFAULT_UI_PORT = 8080
DEFAULT_DB_PORT = 54329
DEFAULT_ENCODER = "all-MiniLM-L6-v2"


class Role(StrEnum):
    """Database roles; `pipeline` owns the warehouse, the others read one room each."""

    PIPELINE = "pipeline"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ENGINEER = "engineer"


@dataclass(frozen=True, slots=True)
class Settings:
    project_dir: Path
    home: Path
    sources_file: Path
    landing_url: str
    db_host: str
    db_port: int
    db_name: str
    ui_port: int
    encoder_name: str
    worker_threads: int
    taxonomies_dir: Path | None
    _secrets: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raise FeedbackError naming the variable that cannot be used."""
        env = os.environ if environ is None else environ
        project_dir = Path(env.get("FEEDBACK_PROJECT_DIR") or SOURCE_TREE).resolve()
        home = Path(env.get("FEEDBACK_HOME") or project_dir / ".feedback").expanduser().resolve()
        return cls(
            project_dir=project_dir,
            home=home,
            sources_file=Path(env.get("FEEDBACK_SOURCES") or project_dir / "dags" / "sources.yml").resolve(),
            landing_url=env.get("FEEDBACK_LANDING_URL") or (home / "landing").as_uri(),
            db_host=env.get("FEEDBACK_DB_HOST") or "127.0.0.1",
            db_port=_port(env, "FEEDBACK_DB_PORT", DEFAULT_DB_PORT),
            db_name=env.get("FEEDBACK_DB_NAME") or "feedback",
            ui_port=_port(env, "FEEDBACK_UI_PORT", DEFAULT_UI_PORT),
            encoder_name=env.get("FEEDBACK_ENCODER") or DEFAULT_ENCODER,
            worker_threads=_positive(env, "FEEDBACK_WORKER_THREADS", os.cpu_count() or 1),
            taxonomies_dir=_folder(env, "FEEDBACK_TAXONOMIES"),
            _secrets={name: value for name, value in env.items() if name.startswith("FEEDBACK_SECRET_")},
        )

    @property
    def secrets_dir(self) -> Path:
        return self.home / "secrets"

    def secret(self, name: str) -> str:
        """Return a secret from `FEEDBACK_SECRET_<NAME>`, else from `<home>/secrets/<name>`."""
        variable = f"FEEDBACK_SECRET_{name.upper()}"
        if value := self._secrets.get(variable):
            return value
        path = self.secrets_dir / name
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise FeedbackError(
                f"The secret '{name}' is neither in the variable {variable} nor in {path}. "
                "Start the local stack with `make run`, which makes it, or set the variable."
            ) from None

    def password(self, role: Role) -> str:
        return self.secret(f"{role}_password")

    def dsn(self, role: Role = Role.PIPELINE) -> str:
        """Return the libpq connection string of a role."""
        return (
            f"postgresql://{role}:{quote(self.password(role), safe='')}"
            f"@{self.db_host}:{self.db_port}/{self.db_name}"
        )

    def sqlalchemy_url(self, role: Role = Role.PIPELINE) -> str:
        """The same for SQLAlchemy, which needs the driver's name."""
        return self.dsn(role).replace("postgresql://", "postgresql+psycopg2://", 1)

    def pseudonym_key(self) -> bytes:
        return self.secret("pseudonym_key").encode("utf-8")


def _folder(env: Mapping[str, str], name: str) -> Path | None:
    given = env.get(name)
    if not given:
        return None
    folder = Path(given).expanduser().resolve()
    if not folder.is_dir():
        raise FeedbackError(
            f"{name}={given!r} is no folder: give the folder of the declarations, or unset it."
        )
    return folder


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    port = _positive(env, name, default)
    if port > 65535:
        raise FeedbackError(f"{name}={port} is no port: give a number from 1 to 65535.")
    return port


def _positive(env: Mapping[str, str], name: str, default: int) -> int:
    given = env.get(name) or str(default)
    if not given.isdecimal() or int(given) == 0:
        raise FeedbackError(
            f"{name}={given!r} is no positive whole number: set it to one, or unset it for {default}."
        )
    return int(given)
