"""How large what comes from outside may be, packed and unpacked: a mistake or an attack must not fill a worker's disk."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.declaration import Source

MEGABYTE = 1024 * 1024


class TooLargeError(Exception):
    """More bytes than are allowed."""


class ByteBudget:
    """How many bytes may still come; raises TooLargeError at the byte too many."""

    def __init__(self, largest_mb: int) -> None:
        self._left = largest_mb * MEGABYTE

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooLargeError


def unpacks_within(archive: zipfile.ZipFile, largest_mb: int) -> bool:
    """Tell whether all files of an archive together keep to the bound; none of them can give more than it says."""
    return sum(entry.file_size for entry in archive.infolist()) <= largest_mb * MEGABYTE


def refuse_large_archive(stream: BinaryIO, source: Source) -> None:
    """Raise UnreadableFileError for a delivered archive (a workbook is one) that unpacks to too much."""
    assert source.where is not None
    largest_mb = source.where.largest_unpacked_mb
    with zipfile.ZipFile(stream) as archive:
        is_within = unpacks_within(archive, largest_mb)
    stream.seek(0)
    if not is_within:
        raise UnreadableFileError(
            f"The file unpacks to more than {largest_mb} MB, which is what where.largest_unpacked_mb allows: look at what "
            "it is, and raise that number if it is right."
        )
