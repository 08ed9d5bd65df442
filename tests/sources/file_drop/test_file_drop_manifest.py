"""Manifests: what is not listed waits, what differs from its hash is refused, what is counted is compared."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from channel import Channel
from drops import FolderDrop, rows_of

from patient_feedback.errors import FeedbackError

CONTENT = rows_of(("a", "Kind staff"), ("b", "Long wait"))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def channel(channel_of: Any, folder_drop: FolderDrop) -> Channel:
    return channel_of(folder_drop, where={"manifest": "*manifest*"})


def counts(channel: Channel) -> list[tuple]:
    return channel.rows(
        "select delivery_state, source_count, extracted_count, received_count from landing.delivery"
    )


@pytest.mark.parametrize(
    ("manifest", "count"),
    [
        (json.dumps([{"file": "1.csv", "records": 2, "sha256": SHA256}]), 2),
        (json.dumps({"files": [{"name": "out/1.csv", "Row_Count": "2"}]}), 2),
        (json.dumps({"file_name": "1.csv", "SHA256": SHA256.upper()}), None),
        ("File Name;records\n1.csv;2\n".replace("File Name", "file_name"), 2),
        (f"file,sha256,records\n1.csv,{SHA256},2\n", 2),
        (f"{SHA256}  1.csv\n{'0' * 64} *other.csv\n", None),
        ("\ufefffile,records\r\n1.csv,2\r\n\r\n", 2),
    ],
    ids=["JSON list", "JSON files", "JSON object", "semicolons", "CSV", "sha256sum", "byte order mark"],
)
def test_listed_file_lands_with_the_count_of_its_source(
    channel: Channel, folder_drop: FolderDrop, manifest: str, count: int | None
) -> None:
    folder_drop.put("1.csv", CONTENT)
    folder_drop.put("manifest", manifest.encode())
    assert channel.run() == 2
    assert counts(channel) == [("accepted", count, count, 2)]


def test_file_waits_until_it_is_listed(channel: Channel, folder_drop: FolderDrop) -> None:
    folder_drop.put("1.csv", CONTENT)
    assert channel.run() == 0
    folder_drop.put("manifest.csv", b"file,records\nother.csv,2\n")
    assert channel.run() == 0
    assert not counts(channel)
    folder_drop.put("second manifest.csv", b"file,records\n1.csv,2\n")
    assert channel.run() == 2


def test_manifest_itself_is_no_delivery(channel: Channel, folder_drop: FolderDrop) -> None:
    folder_drop.put("manifest.csv", b"file,records\n1.csv,2\nmanifest.csv,1\n")
    folder_drop.put("1.csv", CONTENT)
    channel.run()
    assert channel.rows("select file_name from landing.delivery") == [("1.csv",)]


def test_count_that_differs_stands_beside_what_was_read(channel: Channel, folder_drop: FolderDrop) -> None:
    folder_drop.put("1.csv", CONTENT)
    folder_drop.put("manifest.csv", b"file,records\n1.csv,3\n")
    channel.run()
    assert counts(channel) == [("accepted", 3, 2, 2)]


def test_content_that_differs_is_refused_whole_and_kept_for_evidence(
    channel: Channel, folder_drop: FolderDrop
) -> None:
    folder_drop.put("1.csv", CONTENT[:-8])
    folder_drop.put("manifest.csv", f"file,sha256,records\n1.csv,{SHA256},2\n".encode())
    assert channel.run() == 0
    [(state, reason, url)] = channel.rows(
        "select delivery_state, refusal_reason, landing_url from landing.delivery"
    )
    assert state == "refused"
    assert Path(url.removeprefix("file://")).read_bytes() == CONTENT[:-8]
    assert SHA256 in reason and "manifest" in reason
    assert not channel.said("story") and not channel.rows("select from landing.record")
    # A declaration that changes does not let it in either.
    channel.source = folder_drop.declared(
        folder_drop.folder.parent,
        where={"manifest": "*manifest*"},
        language="sv",
        mapping=channel.source.mapping.model_dump(mode="json", exclude_defaults=True),
    )
    assert channel.run() == 0
    assert counts(channel) == [("refused", 2, None, 0)]
    folder_drop.put("1.csv", CONTENT)
    assert channel.run() == 2
    assert set(channel.said("story")) == {"a", "b"}


def test_manifest_that_is_mended_lets_its_file_in(channel: Channel, folder_drop: FolderDrop) -> None:
    folder_drop.put("1.csv", CONTENT)
    folder_drop.put("manifest.csv", f"file,sha256,records\n1.csv,{'0' * 64},1\n".encode())
    assert channel.run() == 0
    assert channel.run() == 0
    folder_drop.put("manifest.csv", f"file,sha256,records\n1.csv,{SHA256},2\n".encode())
    assert channel.run() == 2
    assert counts(channel) == [("accepted", 2, 2, 2)]
    assert channel.run() == 0


@pytest.mark.parametrize(
    "manifest",
    [
        '[{"file": "1.csv"',
        '["1.csv"]',
        '[{"records": 2}]',
        "file,sha256\n1.csv,abc\n",
        "file,records\n1.csv,-2\n",
    ],
    ids=["broken JSON", "no objects", "no name", "no SHA-256", "no count"],
)
def test_manifest_that_cannot_be_read_stops_the_run_and_says_what_is_expected(
    channel: Channel, folder_drop: FolderDrop, manifest: str
) -> None:
    folder_drop.put("1.csv", CONTENT)
    folder_drop.put("manifest", manifest.encode())
    with pytest.raises(FeedbackError, match=r"The manifest manifest cannot be read.*Expected: JSON or CSV"):
        channel.run()
    assert not counts(channel)


def test_manifest_that_is_still_being_written_is_not_read(channel_of: Any, folder_drop: FolderDrop) -> None:
    channel = channel_of(folder_drop, where={"manifest": "*manifest*", "settle_seconds": 60})
    folder_drop.put("1.csv", CONTENT)
    (folder_drop.folder / "manifest").write_bytes(b'[{"file": "1.csv"')
    assert channel.run() == 0


def test_path_of_one_file_has_its_manifest_beside_it(channel_of: Any, folder_drop: FolderDrop) -> None:
    path = str(folder_drop.folder / "1.csv")
    channel = channel_of(folder_drop, where={"path": path, "manifest": "*manifest*"})
    folder_drop.put("1.csv", CONTENT)
    assert channel.run() == 0
    folder_drop.put("manifest", f"{SHA256}  1.csv".encode())
    assert channel.run() == 2
