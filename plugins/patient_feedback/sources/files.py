"""Finds and opens the files of a source: on a disk, in an object store or on an SFTP server alike (fsspec)."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, BinaryIO

import fsspec

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.aws_role import lent_keys
from patient_feedback.sources.declaration import Source, SourceKind
from patient_feedback.sources.extraction import SourceConnection
from patient_feedback.sources.manifest import ListedFile, read_manifest

UNFINISHED_SUFFIXES = (".filepart", ".part", ".partial", ".tmp", ".crdownload")
DEFAULT_PATTERNS = {
    SourceKind.CSV_FILE: ("*.csv", "*.tsv"),
    SourceKind.XLSX_FILE: ("*.xlsx",),
    SourceKind.JSONL_FILE: ("*.jsonl",),
    SourceKind.TRANSCRIPT_FILE: ("*.jsonl",),
    SourceKind.HCAHPS_FILE: ("*.csv", "*.zip"),
    SourceKind.NHS_FFT_FILE: ("*.xlsx", "*.xlsm"),
}
LARGEST_SKEW = timedelta(days=1)
"""A time of writing that lies further ahead tells nothing: to wait until it has come would be to never read the file."""
_SSH = ("sftp://", "ssh://")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Said by the worker's own disk, to which a file is copied while it is read."""
_SSH_URL = re.compile(r"(?:sftp|ssh)://(?P<host>\[[^\]]+\]|[^/:]*)(:(?P<port>\d+))?(?P<path>/.*)?")

log = logging.getLogger(__name__)


class ChangedFileError(Exception):
    """A file that was replaced while it was read; the next run finds the new one."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is there to be landed; `size` in bytes, `modified_at` in UTC."""

    url: str
    name: str
    size: int
    modified_at: datetime
    listed: ListedFile
    """What a manifest says of it."""
    path: str
    """Where it lies in `file_system`."""
    file_system: Any = field(repr=False, compare=False)
    version: str = field(repr=False)
    """What changes whenever the content does, as far as the place tells."""
    changed_at: datetime | None = None
    """The last moment that `version` tells, by the place's clock; None where it tells the content itself."""


def list_files(
    source: Source, now: datetime | None = None, connection: SourceConnection | None = None
) -> list[FoundFile]:
    """Return the source's files, oldest first; one that is still being written is left for the next run.

    A path that is a file is taken whatever its name; of a folder (not of those below it), the files that
    match `where.pattern` in whatever case. With `where.manifest`, a file that no manifest lists yet is left for the
    next run too. Without a connection, S3 takes its keys and AWS_ENDPOINT_URL from the environment. Raises FeedbackError
    where the place does not exist or may not be read, PlaceUnavailableError where it is away.
    """
    where = source.where
    assert where is not None
    with _explained(source, connection):
        file_system, path = _place(source, connection)
        # A listing kept from an earlier call would hide what came since.
        file_system.invalidate_cache()
        if file_system.isfile(path):
            delivered = [file_system.info(path)]
            beside = file_system.ls(path.rsplit("/", 1)[0] or "/", detail=True) if where.manifest else []
        else:
            beside = file_system.ls(path, detail=True)
            delivered = [entry for entry in beside if _is_delivered(entry, source)]
        listed = _listed(file_system, source, beside, now)
    settled = [entry for entry in delivered if _is_settled(entry, source, now)]
    ready = settled if listed is None else [entry for entry in settled if _name(entry) in listed]
    if len(ready) < len(settled):
        waiting = len(settled) - len(ready)
        log.info("Files of source %s that no manifest lists yet, left alone: %s.", source.slug, waiting)
    found = [
        FoundFile(
            file_system.unstrip_protocol(entry["name"]),
            _name(entry),
            entry["size"],
            _modified_at(entry),
            (listed or {}).get(_name(entry), ListedFile()),
            entry["name"],
            file_system,
            _version(entry),
            None if entry.get("ETag") else max(_times(entry)),
        )
        for entry in ready
    ]
    return sorted(found, key=lambda file: (file.modified_at, file.name))


def count_unmatched(source: Source, connection: SourceConnection | None = None) -> int:
    """Return how many files of the folder are never read, since they match neither pattern nor manifest."""
    assert source.where is not None
    with _explained(source, connection):
        file_system, path = _place(source, connection)
        entries = [] if file_system.isfile(path) else file_system.ls(path, detail=True)
    patterns = [*_patterns(source), *([source.where.manifest] if source.where.manifest else [])]
    return sum(_is_whole(entry, ("*",)) and not _is_whole(entry, patterns) for entry in entries)


@contextmanager
def open_file(file: FoundFile) -> Iterator[BinaryIO]:
    """Open a found file for reading bytes.

    Raises PlaceUnavailableError where its place goes away meanwhile, FeedbackError where the file may not be read, and
    ChangedFileError where it was moved away since it was found, or an object store no longer has what was found.
    """
    with _explained_reading(file):
        try:
            opened = file.file_system.open(file.path, "rb")
        except FileNotFoundError:
            raise ChangedFileError from None
        with opened as stream:
            yield stream


def is_as_found(file: FoundFile) -> bool:
    """Tell whether the file is still the one that was found; one that was moved away was there to its end."""
    file.file_system.invalidate_cache()
    with _explained_reading(file):
        try:
            return _version(file.file_system.info(file.path)) == file.version
        except FileNotFoundError:
            return True


@contextmanager
def _explained_reading(file: FoundFile) -> Iterator[None]:
    """Say what goes wrong with a place while one of its files is read."""
    folder = file.url.rsplit("/", 1)[0]
    away_errors: tuple[type[Exception], ...] = (*_away_errors(file.url), OSError)
    try:
        yield
    except _changed_errors(file.url):
        raise ChangedFileError from None
    except PermissionError:
        raise FeedbackError(
            f"A file at {folder} may not be read: give its source's connection, or this user, the right to read it."
        ) from None
    except away_errors as error:
        if isinstance(error, FileNotFoundError) and not file.url.startswith("file://"):
            # An object store looks for it at the first reading.
            raise ChangedFileError from None
        if file.url.startswith("file://") or getattr(error, "errno", None) in _FULL_DISK:
            raise
        raise PlaceUnavailableError(
            f"{folder} went away while a file was read there ({type(error).__name__}): nothing of "
            "the file was kept, and the next run reads it again."
        ) from None


def _place(source: Source, connection: SourceConnection | None) -> tuple[Any, str]:
    """Return the file system that the path and the connection name, and the path in it."""
    assert source.where is not None
    path = source.where.path
    if path.startswith(_SSH):
        return _sftp_place(source, connection)
    if connection is None:
        file_system, path = fsspec.core.url_to_fs(path)
        return file_system, path
    if not path.startswith("s3://"):
        raise FeedbackError(
            f"The source '{source.slug}' lies at {path}, where its connection '{connection.name}' has no meaning: "
            "leave it out; it is for sftp:// and s3://."
        )
    # Neither session nor listing is shared: another source may have other keys for the same bucket.
    file_system, path = fsspec.core.url_to_fs(path, skip_instance_cache=True, **_s3_options(connection))
    return file_system, path


def _sftp_place(source: Source, connection: SourceConnection | None) -> tuple[Any, str]:
    from patient_feedback.sources.sftp_place import PORT, open_sftp

    assert source.where is not None
    if connection is None:
        raise FeedbackError(
            f"The source '{source.slug}' lies at {source.where.path}: declare its connection, which holds login and "
            "keys."
        )
    url, known = _SSH_URL.fullmatch(source.where.path), _SSH_URL.fullmatch(connection.url)
    hosts = {named["host"] for named in (url, known) if named and named["host"]}
    if url is None or len(hosts) != 1:
        raise FeedbackError(
            f"The source '{source.slug}' at {source.where.path} and its connection '{connection.name}' do not name one "
            "server: write sftp://HOST:PORT/FOLDER, and give the connection the same host or none; or sftp:///FOLDER "
            "and a connection with a host."
        )
    port = url["port"] or (known["port"] if known else None) or PORT
    return open_sftp(source.slug, hosts.pop().strip("[]"), int(port), connection), url["path"] or "/"


def _s3_options(connection: SourceConnection) -> dict[str, Any]:
    """Return s3fs's options from a connection of type aws; what it leaves out comes from the environment."""
    extra = connection.extra
    options = {
        "key": connection.login,
        "secret": connection.password,
        "token": extra.get("aws_session_token"),
        "profile": extra.get("profile_name"),
        "endpoint_url": connection.url,
        "client_kwargs": {"region_name": extra["region_name"]} if extra.get("region_name") else None,
        "config_kwargs": extra.get("config_kwargs"),
    }
    if extra.get("role_arn"):
        options |= {**lent_keys(connection), "profile": None}
    return {name: value for name, value in options.items() if value}


@contextmanager
def _explained(source: Source, connection: SourceConnection | None) -> Iterator[None]:
    """Say what a person can do where a place cannot be listed; no library's own words, which may hold a key."""
    assert source.where is not None
    path = source.where.path
    away_errors: tuple[type[Exception], ...] = (*_away_errors(path), OSError) if "://" in path else ()
    try:
        yield
    except FileNotFoundError:
        raise FeedbackError(
            f"The source '{source.slug}' is declared to lie at {path}, where there is nothing: "
            "make the folder, or mend where.path."
        ) from None
    except PermissionError:
        by = (
            f"the Airflow connection '{connection.name}'"
            if connection
            else "this user, or these credentials,"
        )
        raise FeedbackError(
            f"The files of the source '{source.slug}' at {path} may not be read: give {by} the right to read them, "
            "or renew the keys."
        ) from None
    except _credential_errors(path):
        raise FeedbackError(
            f"The source '{source.slug}' lies at {path}, for which there are no whole credentials: declare its "
            "connection, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from None
    except away_errors as error:
        raise PlaceUnavailableError(
            f"The place of the source '{source.slug}' at {path} does not answer ({type(error).__name__}): what came "
            "before is kept, and the next run goes on from there."
        ) from None


def _away_errors(url: str) -> tuple[type[Exception], ...]:
    """Return what a library raises, besides OSError, where a place is away."""
    if url.startswith("s3://"):
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        return (BotoCoreError,)
    if url.startswith(_SSH):
        from patient_feedback.sources.sftp_place import AWAY_ERRORS

        return AWAY_ERRORS
    return ()


def _changed_errors(url: str) -> tuple[type[Exception], ...]:
    if url.startswith("s3://"):
        from s3fs.utils import FileExpired

        return (FileExpired,)
    return ()


def _credential_errors(url: str) -> tuple[type[Exception], ...]:
    if url.startswith("s3://"):
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError

        return NoCredentialsError, PartialCredentialsError
    return ()


def _is_delivered(entry: Mapping[str, Any], source: Source) -> bool:
    assert source.where is not None
    manifest = source.where.manifest
    is_manifest = manifest is not None and _matches(_name(entry), manifest)
    return not is_manifest and _is_whole(entry, _patterns(source))


def _patterns(source: Source) -> tuple[str, ...]:
    assert source.where is not None
    return (source.where.pattern,) if source.where.pattern else DEFAULT_PATTERNS[source.kind]


def _listed(
    file_system: Any, source: Source, beside: list[Mapping[str, Any]], now: datetime | None
) -> dict[str, ListedFile] | None:
    """Return what the manifests list, a later one above an earlier one; None where none is declared."""
    assert source.where is not None
    pattern = source.where.manifest
    if pattern is None:
        return None
    manifests = [
        entry for entry in beside if _is_whole(entry, (pattern,)) and _is_settled(entry, source, now)
    ]
    listed: dict[str, ListedFile] = {}
    for entry in sorted(manifests, key=lambda entry: (_modified_at(entry), _name(entry))):
        listed |= read_manifest(file_system.cat_file(entry["name"]), _name(entry))
    return listed


def _is_whole(entry: Mapping[str, Any], patterns: Iterable[str]) -> bool:
    name = _name(entry)
    is_hidden = name.startswith((".", "~$"))
    is_finished = not name.lower().endswith(UNFINISHED_SUFFIXES)
    is_named = any(_matches(name, pattern) for pattern in patterns)
    return entry["type"] == "file" and is_finished and not is_hidden and is_named


def _matches(name: str, pattern: str) -> bool:
    # Whoever exports by hand writes EXPORT.CSV one day and export.csv the next.
    return fnmatchcase(name.casefold(), pattern.casefold())


def _is_settled(entry: Mapping[str, Any], source: Source, now: datetime | None) -> bool:
    assert source.where is not None
    if source.where.settle_seconds == 0:
        return True
    now, modified_at = now or datetime.now(UTC), _modified_at(entry)
    is_told = modified_at < now + LARGEST_SKEW
    return modified_at <= now - timedelta(seconds=source.where.settle_seconds) or not is_told


def _name(entry: Mapping[str, Any]) -> str:
    """Return the file's name; one that is no Unicode, as of an old system, with its foreign bytes as escapes."""
    name = str(entry["name"]).rsplit("/", 1)[-1]
    return ascii(name)[1:-1] if _SURROGATE.search(name) else name


def _version(entry: Mapping[str, Any]) -> str:
    if entry.get("ETag"):
        return str(entry["ETag"])
    return " ".join([str(entry["size"]), *(moment.isoformat() for moment in _times(entry))])


def _times(entry: Mapping[str, Any]) -> list[datetime]:
    """Return when the file was written and, on a disk, when its inode changed last: that time nobody sets."""
    return [_modified_at(entry), *([_moment(entry["created"])] if "created" in entry else [])]


def _modified_at(entry: Mapping[str, Any]) -> datetime:
    return _moment(entry.get("LastModified", entry.get("mtime")))


def _moment(given: Any) -> datetime:
    if isinstance(given, datetime):
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(given or 0), tz=UTC)
