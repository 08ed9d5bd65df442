"""SFTP: only a server that is known, by password or key, and nothing half read where it goes away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from channel import Channel
from drops import SftpDrop, rows_of
from emulators.sftp import LOGIN, PASSPHRASE, PASSWORD, Sftp

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.extraction import SourceConnection


@pytest.fixture
def channel(channel_of: Any, sftp_drop: SftpDrop) -> Channel:
    sftp_drop.put("1.csv", rows_of(("a", "Kind staff")))
    return channel_of(sftp_drop)


def with_extra(channel: Channel, password: str = PASSWORD, **extra: Any) -> SourceConnection:
    channel.connection = replace(channel.connection, password=password, extra={"conn_timeout": 10, **extra})
    return channel.connection


@pytest.fixture
def no_known_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("is_locked", [False, True], ids=["key", "key with passphrase"])
def test_private_key_of_the_connection_opens_the_server(channel: Channel, ssh: Sftp, is_locked: bool) -> None:
    key = {"private_key": ssh.private_key}
    if is_locked:
        key = {"private_key": ssh.locked_private_key, "private_key_passphrase": PASSPHRASE}
    with_extra(channel, password="", host_key=ssh.host_keys[0], **key)
    assert channel.run() == 1


def test_host_and_folder_may_be_told_apart(channel_of: Any, sftp_drop: SftpDrop, ssh: Sftp) -> None:
    sftp_drop.put("1.csv", rows_of(("a", "Kind staff")))
    channel = channel_of(sftp_drop, where={"path": "sftp:///in"})
    channel.connection = replace(channel.connection, url=ssh.url)
    assert channel.run() == 1
    channel.connection = replace(channel.connection, url="sftp://")
    with pytest.raises(FeedbackError, match="do not name one server"):
        channel.run()


def test_connection_of_another_host_never_gets_the_password(channel: Channel, ssh: Sftp) -> None:
    channel.connection = replace(channel.connection, url="sftp://elsewhere.example.org")
    with pytest.raises(FeedbackError, match="'drop_system' do not name one server"):
        channel.run()
    assert not ssh.sessions


@pytest.mark.parametrize("number", [0, 1], ids=["first kind of key", "second kind of key"])
@pytest.mark.parametrize("form", ["host_key", "known_hosts", "file of known_hosts", "bare host_key"])
def test_server_is_known_by_any_of_its_keys(
    channel: Channel, ssh: Sftp, tmp_path: Path, number: int, form: str
) -> None:
    key = ssh.host_keys[number]
    line = f"# comment\n[127.0.0.1]:{ssh.port},other.example.org {key}\n"
    (tmp_path / "known").write_text(line)
    extra = {
        "host_key": {"host_key": f"{key} a comment"},
        "bare host_key": {"host_key": key.split()[1]},
        "known_hosts": {"known_hosts": line},
        "file of known_hosts": {"known_hosts": str(tmp_path / "known")},
    }
    with_extra(channel, **extra[form])
    assert channel.run() == 1


@pytest.mark.usefixtures("no_known_hosts")
@pytest.mark.parametrize("extra", [{}, {"known_hosts": "other.example.org ssh-ed25519 AAAA"}])
def test_unknown_server_is_refused_before_anything_is_said(
    channel: Channel, ssh: Sftp, extra: dict[str, str]
) -> None:
    with_extra(channel, **extra)
    with pytest.raises(
        FeedbackError, match=r"not known: it shows the key \S+ SHA256:.*'drop_system'"
    ) as raised:
        channel.run()
    assert PASSWORD not in str(raised.value)
    with_extra(channel, no_host_key_check=True, **extra)
    assert channel.run() == 1


def test_server_with_another_key_than_before_is_refused(channel_of: Any, sftp_drop: SftpDrop) -> None:
    ssh = sftp_drop.server
    channel = channel_of(sftp_drop)
    with_extra(channel, host_key=Sftp(ssh.folder).host_keys[0])
    with pytest.raises(FeedbackError, match="shows another key than the Airflow connection 'drop_system'"):
        channel.run()


@pytest.mark.parametrize("given", ["a wrong password", "a wrong key"])
def test_refused_login_names_the_connection_and_no_secret(channel: Channel, ssh: Sftp, given: str) -> None:
    extra = {"private_key": Sftp(ssh.folder).private_key} if given == "a wrong key" else {}
    with_extra(channel, password="wrong-password", host_key=ssh.host_keys[0], **extra)
    with pytest.raises(FeedbackError, match="refuses the Airflow connection 'drop_system'") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert "wrong-password" not in str(raised.value) and "PRIVATE KEY" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("password", "extra", "said"),
    [
        ("", {}, "neither a password nor a private_key"),
        ("", {"private_key": "no key at all"}, "private_key in the extra .* cannot be read"),
        (PASSWORD, {"host_key": "no key at all"}, "host_key in the extra .* is no public key"),
        (PASSWORD, {"known_hosts": "/nowhere/known_hosts"}, "neither lines of a known_hosts file nor"),
    ],
)
def test_connection_that_cannot_work_is_said_without_a_connection_to_the_server(
    channel: Channel, ssh: Sftp, password: str, extra: dict[str, str], said: str
) -> None:
    with_extra(channel, password=password, **extra)
    with pytest.raises(FeedbackError, match=f"'drop_system'.*{said}|{said}.*'drop_system'|{said}"):
        channel.run()
    assert not ssh.sessions


def test_server_that_is_away_is_tried_again_and_nothing_is_lost(
    channel: Channel, sftp_drop: SftpDrop
) -> None:
    ssh = sftp_drop.server
    ssh.__exit__()
    with pytest.raises(PlaceUnavailableError, match="'drop' does not answer"):
        channel.run()
    ssh.__enter__()
    assert channel.run() == 1


def test_server_that_never_answers_is_given_up(
    channel_of: Any, sftp_drop: SftpDrop, silent_port: int
) -> None:
    channel = channel_of(sftp_drop, where={"path": f"sftp://127.0.0.1:{silent_port}/in"})
    with_extra(channel, no_host_key_check="true", conn_timeout=1)
    with pytest.raises(PlaceUnavailableError, match="does not answer"):
        channel.run()


def test_connection_that_breaks_while_a_file_is_read_keeps_what_landed_before(
    channel: Channel, sftp_drop: SftpDrop
) -> None:
    channel.run()
    sftp_drop.put("2.csv", rows_of(*((str(number), "Long wait" * 100) for number in range(500))))
    sftp_drop.server.drops = 1
    with pytest.raises(PlaceUnavailableError, match="went away while a file was read"):
        channel.run()
    assert channel.said("story") == {"a": "Kind staff"}
    assert channel.run() == 500


@pytest.mark.parametrize("is_longer", [True, False], ids=["longer", "as long as before"])
def test_file_that_changes_while_it_is_read_is_left_for_the_next_run(
    channel: Channel, sftp_drop: SftpDrop, is_longer: bool
) -> None:
    channel.run()
    before = rows_of(("b", "Long wait"))
    after = rows_of(("b", "Long wait"), ("c", "More")) if is_longer else rows_of(("b", "Short one"))
    sftp_drop.put("2.csv", before)
    sftp_drop.server.before_read = [lambda: sftp_drop.put("2.csv", after)]
    assert channel.run() == 0
    assert channel.run() == (2 if is_longer else 1)
    assert channel.said("story")["b"] == ("Long wait" if is_longer else "Short one")


def test_file_that_is_moved_away_while_it_is_read_lands_whole(channel: Channel, sftp_drop: SftpDrop) -> None:
    channel.run()
    sftp_drop.put("2.csv", rows_of(("b", "Long wait")))
    sftp_drop.server.before_read = [lambda: sftp_drop.rename("2.csv", "2.old")]
    assert channel.run() == 1
    assert channel.said("story")["b"] == "Long wait"


def test_all_files_of_a_run_come_over_one_connection_that_is_closed(
    channel: Channel, sftp_drop: SftpDrop
) -> None:
    for number in range(2, 6):
        sftp_drop.put(f"{number}.csv", rows_of((str(number), "Long wait")))
    assert channel.run() == 5
    assert len(sftp_drop.server.sessions) == 1
    sftp_drop.server.wait_for_goodbyes()


def test_folder_that_is_not_there_is_said_with_the_way_out(channel_of: Any, sftp_drop: SftpDrop) -> None:
    channel = channel_of(sftp_drop, where={"path": f"{sftp_drop.server.url}/gone"})
    with pytest.raises(
        FeedbackError, match=r"'drop' is declared to lie at sftp://.*/gone, where there is nothing"
    ):
        channel.run()


def test_login_of_the_url_is_refused_where_it_would_show(channel_of: Any, sftp_drop: SftpDrop) -> None:
    with pytest.raises(FeedbackError, match="holds a user or password") as raised:
        channel_of(sftp_drop, where={"path": f"sftp://{LOGIN}:{PASSWORD}@127.0.0.1/in"})
    assert PASSWORD not in str(raised.value)
