"""Brings the operational schemas to the newest revision."""

from __future__ import annotations

from pathlib import Path

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
