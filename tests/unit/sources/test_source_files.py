"""Files are found on a disk and in an object store alike, and left alone while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.files import count_unmatched, list_files, open_file
from patient_feedback.sources.reading import read_records

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def write(folder: Path, name: str, age_seconds: int = 3600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"id,comment\n1,kind\n")
    moment = (NOW - timedelta(seconds=age_seconds)).timestamp()
    os.utime(path, (moment, moment))
    return path


def names(source: Any) -> list[str]:
    return [file.name for file in list_files(source, NOW)]


def test_files_of_a_folder_come_oldest_first_by_pattern(declare: Any, tmp_path: Path) -> None:
    write(tmp_path, "fft_02.csv", 100)
    write(tmp_path, "fft_01.csv", 50)
    write(tmp_path, "other.csv")
    write(tmp_path, "below/fft_03.csv")
    source = declare(where={"path": str(tmp_path), "pattern": "fft_*.csv"})
    assert names(source) == ["fft_02.csv", "fft_01.csv"]
    found = list_files(source, NOW)[1]
    assert found.url == f"file://{tmp_path}/fft_01.csv"
    assert found.size == 18
    assert found.modified_at == NOW - timedelta(seconds=50)
    with open_file(found) as stream:
        assert stream.read() == b"id,comment\n1,kind\n"


def test_file_still_being_written_is_left_alone(declare: Any, tmp_path: Path) -> None:
    for name in ("a.csv.filepart", "b.part", "c.tmp", "d.CRDOWNLOAD", ".e.csv", "~$f.csv"):
        write(tmp_path, name)
    write(tmp_path, "fresh.csv", age_seconds=30)
    write(tmp_path, "done.csv", age_seconds=90)
    assert names(declare(where={"path": str(tmp_path), "pattern": "*", "settle_seconds": 60})) == ["done.csv"]
    assert names(declare(where={"path": str(tmp_path), "pattern": "*"})) == ["done.csv", "fresh.csv"]


def test_file_of_a_clock_that_is_far_ahead_does_not_wait_until_its_time_has_come(
    declare: Any, tmp_path: Path
) -> None:
    write(tmp_path, "hours.csv", age_seconds=-2 * 3600)
    write(tmp_path, "years.csv", age_seconds=-400 * 86_400)
    assert names(declare(where={"path": str(tmp_path), "settle_seconds": 60})) == ["years.csv"]


def test_path_of_one_file_is_taken_whatever_its_name(declare: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "export.dat")
    write(tmp_path, "neighbour.csv")
    assert names(declare(where={"path": str(path)})) == ["export.dat"]
    assert names(declare(where={"path": path.as_uri()})) == ["export.dat"]


def test_pattern_is_matched_in_whatever_case_and_the_files_that_match_none_are_counted(
    declare: Any, tmp_path: Path
) -> None:
    for name in ("EXPORT.CSV", "b.Tsv", "c.csv", "notes.txt", "old.xls", "d.csv.part", ".e", "below/f.txt"):
        write(tmp_path, name)
    folder = {"path": str(tmp_path)}
    assert sorted(names(declare(where=folder))) == ["EXPORT.CSV", "b.Tsv", "c.csv"]
    assert names(declare(where={**folder, "pattern": "Export*.csv"})) == ["EXPORT.CSV"]
    assert count_unmatched(declare(where=folder)) == 2
    assert count_unmatched(declare(where={**folder, "manifest": "NOTES.*"})) == 1
    assert count_unmatched(declare(where={"path": str(tmp_path / "notes.txt")})) == 0


def test_name_that_is_no_unicode_is_told_with_its_bytes_as_escapes(declare: Any, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/enk\xe4t.csv"
    Path(os.fsdecode(path)).write_bytes(b"id,comment\n1,kind\n")
    [found] = list_files(declare(where={"path": str(tmp_path)}))
    assert found.name == "enk\\udce4t.csv"
    with open_file(found) as stream:
        assert stream.read() == b"id,comment\n1,kind\n"


def test_usual_ending_of_the_kind_is_the_default_pattern(declare: Any, tmp_path: Path) -> None:
    for name in ("a.csv", "b.xlsx", "c.jsonl"):
        write(tmp_path, name)
    for kind, expected in (("csv_file", "a.csv"), ("xlsx_file", "b.xlsx"), ("jsonl_file", "c.jsonl")):
        assert names(declare(kind=kind, where={"path": str(tmp_path)})) == [expected]


def test_place_that_does_not_exist_is_said_with_the_way_out(declare: Any, tmp_path: Path) -> None:
    with pytest.raises(
        FeedbackError, match=r"'ward_survey' is declared to lie at .*/gone.* where there is nothing"
    ):
        list_files(declare(where={"path": str(tmp_path / "gone")}))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of an S3 server on loopback, found by the environment alone as in production."""
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    client = boto3.client("s3")
    # The server's state outlives it within the process: each test has its own bucket.
    bucket_name = f"feedback-{port}"
    client.create_bucket(Bucket=bucket_name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    yield boto3.resource("s3").Bucket(bucket_name)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_files_in_s3_are_found_and_read_like_local_ones(declare: Any, bucket: Any) -> None:
    comments = b"".join(b"%d,kind staff\n" % number for number in range(1, 2001))
    bucket.put_object(Key="drop/fft_01.csv", Body=b"id,comment\n" + comments)
    bucket.put_object(Key="drop/fft_02.csv.filepart", Body=b"id,com")
    bucket.put_object(Key="drop/below/fft_03.csv", Body=b"id,comment\n")
    source = declare(where={"path": f"s3://{bucket.name}/drop", "pattern": "fft_*.csv*"})
    (found,) = list_files(source)
    assert found.url == f"s3://{bucket.name}/drop/fft_01.csv"
    assert found.size == len(comments) + 11
    assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=5)
    with open_file(found) as stream:
        assert sum(1 for _ in read_records(stream, source).records) == 2000


def test_file_that_came_to_s3_since_the_last_look_is_found(declare: Any, bucket: Any) -> None:
    source = declare(where={"path": f"s3://{bucket.name}/drop"})
    bucket.put_object(Key="drop/a.csv", Body=b"id,comment\n")
    assert [file.name for file in list_files(source)] == ["a.csv"]
    bucket.put_object(Key="drop/b.csv", Body=b"id,comment\n")
    assert sorted(file.name for file in list_files(source)) == ["a.csv", "b.csv"]
