"""A source of files in each kind of place and in each format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from channel import Channel
from drops import MAPPING, Drop, FolderDrop, S3Drop, SftpDrop
from emulators.s3 import S3
from emulators.sftp import Sftp

from patient_feedback.settings import Settings


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Sftp]:
    (tmp_path / "served").mkdir()
    with Sftp(tmp_path / "served") as ssh:
        yield ssh


@pytest.fixture
def store() -> Iterator[S3]:
    with S3() as store:
        yield store


@pytest.fixture
def folder_drop(tmp_path: Path) -> FolderDrop:
    return FolderDrop(tmp_path / "deliveries")


@pytest.fixture
def sftp_drop(ssh: Sftp) -> SftpDrop:
    return SftpDrop(ssh)


@pytest.fixture
def s3_drop(store: S3) -> S3Drop:
    return S3Drop(store)


@pytest.fixture(params=["folder-csv", "sftp-csv", "s3-csv", "folder-xlsx", "folder-jsonl"])
def drop(request: pytest.FixtureRequest) -> Drop:
    place, ending = request.param.split("-")
    drop = request.getfixturevalue(f"{place}_drop")
    drop.ending = ending
    return drop


@pytest.fixture
def channel_of(warehouse: Settings, tmp_path: Path) -> Any:
    """Return the channel of a place, declared as given."""

    def channel(drop: Drop, **fields: Any) -> Channel:
        source = drop.declared(tmp_path, **{"mapping": MAPPING, **fields})
        return Channel(warehouse, source, drop.connection)

    return channel


@pytest.fixture
def channel(channel_of: Any, drop: Drop) -> Channel:
    return channel_of(drop)
