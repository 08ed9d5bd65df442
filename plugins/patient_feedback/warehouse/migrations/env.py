"""Alembic environment: the URL comes from the caller, never from a file."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

with create_engine(context.config.attributes["url"], poolclass=NullPool).connect() as connection:
    context.configure(connection=connection, version_table="alembic_version", version_table_schema="public")
    with context.begin_transaction():
        context.run_migrations()
