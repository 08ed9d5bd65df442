"""Brings the operational schemas to the newest revision."""

from __future__ import annotations

import sys
from pathlib import Path

from patient_feedback.errors import FeedbackError
from patient_feedback.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(settings: Settings, revision: str = "head") -> None:
    """Upgrade the warehouse to `revision`; running it again changes nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = settings.sqlalchemy_url()
    command.upgrade(config, revision)


def main() -> int:
    """Migrate the warehouse that the environment names."""
    try:
        migrate(Settings.from_environment())
    except FeedbackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
