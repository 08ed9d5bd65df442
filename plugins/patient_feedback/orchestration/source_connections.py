"""How a declared source is reached: its Airflow connection, from whatever secrets backend Airflow is set to.

`python -m patient_feedback.orchestration.source_connections sources.yml` prints, as JSON, what is wrong with the
connections that a declaration names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.declaration import Source, SourceKind, load_sources
from patient_feedback.sources.extraction import SourceConnection

if TYPE_CHECKING:
    from airflow.sdk import Connection

CONNECTION_EXAMPLES = {
    SourceKind.CARE_OPINION: "--conn-type http --conn-host https://HOST/api/v2 --conn-password SUBSCRIPTION_KEY",
    SourceKind.FHIR_SEARCH: "--conn-type http --conn-host https://HOST/fhir --conn-password TOKEN",
    SourceKind.FHIR_BULK: "--conn-type http --conn-host https://HOST/fhir --conn-password TOKEN",
    SourceKind.GOOGLE_REVIEWS: "--conn-type http --conn-host https://HOST/v4 --conn-login CLIENT_ID "
    '--conn-password CLIENT_SECRET --conn-extra \'{"refresh_token": "..", "token_url": ".."}\'',
    SourceKind.QUALTRICS: "--conn-type http --conn-host https://DATACENTER_HOST/API/v3 --conn-password API_TOKEN",
    SourceKind.SURVEY_MONKEY: "--conn-type http --conn-host https://HOST/v3 --conn-password ACCESS_TOKEN",
    SourceKind.SQL_TABLE: "--conn-type postgres --conn-host HOST --conn-schema DATABASE --conn-login USER "
    "--conn-password PASSWORD",
}
SFTP_EXAMPLE = (
    "--conn-type sftp --conn-host HOST --conn-login USER --conn-password PASSWORD "
    '--conn-extra \'{"host_key": "ssh-ed25519 AAAA.."}\''
)
S3_EXAMPLE = (
    "--conn-type aws --conn-login ACCESS_KEY_ID --conn-password SECRET_ACCESS_KEY "
    '--conn-extra \'{"region_name": "REGION"}\''
)
SQL_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
"""SQLAlchemy's name for a connection type; any other type is taken as SQLAlchemy writes it."""
GENERIC = "generic"
"""What `connections add --conn-type` makes of a type that none of the installed providers knows, such as sqlite."""


def airflow_connection(source: Source) -> SourceConnection:
    """Return the connection that a source declares.

    Raises FeedbackError that names a missing one and the command that adds it.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    assert source.connection is not None
    try:
        found = Connection.get(source.connection)
    except AirflowNotFoundException:
        raise FeedbackError(missing_connection(source)) from None
    if source.kind.is_file:
        url = _place_url(found)
    else:
        url = _sql_url(found) if source.kind is SourceKind.SQL_TABLE else _http_url(found)
    return SourceConnection(
        source.connection, url, found.login or "", found.password or "", found.extra_dejson or {}
    )


def connection_problems(sources: Iterable[Source]) -> dict[str, str]:
    """Return, by source, what is wrong with the connection that it declares: it is missing, or of no use."""
    problems = {}
    for source in sources:
        if source.connection is not None:
            try:
                airflow_connection(source)
            except FeedbackError as error:
                problems[source.slug] = str(error)
    return problems


def missing_connection(source: Source) -> str:
    """Return what to say of a connection that is declared and not there."""
    if source.where is None:
        example = CONNECTION_EXAMPLES[source.kind]
    else:
        example = S3_EXAMPLE if source.where.path.startswith("s3://") else SFTP_EXAMPLE
    return (
        f"The source '{source.slug}' declares the Airflow connection '{source.connection}', which there is not. Add it: "
        f"patient-feedback airflow connections add {source.connection} {example}"
    )


def _place_url(found: Connection) -> str:
    """Return the endpoint of an object store (none for Amazon's own), or the SFTP server."""
    if found.conn_type in ("aws", "s3"):
        return str((found.extra_dejson or {}).get("endpoint_url") or "")
    return f"sftp://{found.host or ''}{f':{found.port}' if found.port else ''}"


def _http_url(found: Connection) -> str:
    host = found.host or ""
    if host and "://" not in host:
        host = f"{found.schema or 'https'}://{host}"
    return f"{host}:{found.port}" if host and found.port else host


def _sql_url(found: Connection) -> str:
    from sqlalchemy.engine import URL

    if found.conn_type == GENERIC:
        raise FeedbackError(
            f"The Airflow connection '{found.conn_id}' is of type {GENERIC}, which does not say what database it is: "
            "`connections add --conn-type` makes that of each type that no installed provider knows. Delete it, and add it "
            f"""with --conn-json in place of --conn-type: '{{"conn_type": "sqlite", "host": "/path/to/the.db"}}'."""
        )
    if found.conn_type == "sqlite":
        # Airflow keeps the path of the file as the host.
        return URL.create("sqlite", database=found.host or found.schema or None).render_as_string()
    return URL.create(
        SQL_DRIVERS.get(found.conn_type, found.conn_type),
        username=found.login or None,
        host=found.host or None,
        port=found.port or None,
        database=found.schema or None,
    ).render_as_string(hide_password=True)


def _print_problems(path: Path) -> None:
    problems = connection_problems(load_sources(path))
    if problems:
        from airflow import settings

        # A database that is away shows no connection either: better no answer than a wrong one.
        with settings.get_engine().connect():
            pass
    sys.stdout.write(json.dumps(problems))


if __name__ == "__main__":
    _print_problems(Path(sys.argv[1]))
