"""A server of one's own: started, stopped, killed, hindered. Each test starts a real one."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from patient_feedback.errors import StackError
from patient_feedback.stack.postgres import EmbeddedPostgres, refuse_full_disk

_row_numbers = itertools.count(1)


@pytest.fixture
def new_server(new_home: Path, free_port: int) -> Iterator[EmbeddedPostgres]:
    """A server that has never been started."""
    server = EmbeddedPostgres(new_home, free_port, environ={})
    yield server
    server.stop()


@pytest.fixture
def own_server(module_home: Path, free_port: int) -> Iterator[EmbeddedPostgres]:
    """A server that does not run, with the data that the tests before left."""
    server = EmbeddedPostgres(module_home, free_port, environ={})
    yield server
    server.stop()


def _write_row(server: EmbeddedPostgres) -> int:
    number = next(_row_numbers)
    with server.connect() as connection:
        connection.execute("create table if not exists kept (number integer)")
        connection.execute("insert into kept values (%s)", [number])
    return number


def _newest_row(server: EmbeddedPostgres) -> int:
    with server.connect() as connection:
        [(number,)] = connection.execute("select max(number) from kept").fetchall()
    return int(number)


def test_second_start_and_second_stop_change_nothing(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    pid = own_server.pid
    own_server.start()
    assert own_server.pid == pid
    own_server.stop()
    own_server.stop()
    assert not own_server.is_running()


def test_killed_server_starts_again_with_its_data(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    number = _write_row(own_server)
    assert own_server.pid is not None
    os.kill(own_server.pid, signal.SIGKILL)
    own_server.start()
    assert _newest_row(own_server) == number


def test_server_that_is_still_dying_is_not_taken_for_a_running_one(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    number = _write_row(own_server)
    pid = own_server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    end = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    end.start()
    own_server.start()
    end.join()
    assert own_server.pid != pid
    assert _newest_row(own_server) == number


def test_pid_file_of_another_process_does_not_hinder_a_start(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    number = _write_row(own_server)
    own_server.stop()
    # The pid of a killed server may since have gone to any other process: here to this one.
    pid_file = own_server.data_dir / "postmaster.pid"
    pid_file.write_text(
        f"{os.getpid()}\n{own_server.data_dir}\n1700000000\n{own_server.port}\n\n127.0.0.1\n\nready\n"
    )
    assert not own_server.is_running()
    own_server.start()
    assert _newest_row(own_server) == number
    assert psutil.pid_exists(os.getpid())


def test_half_made_data_folder_is_made_anew(new_server: EmbeddedPostgres) -> None:
    new_server.data_dir.mkdir(parents=True)
    (new_server.data_dir / "base").mkdir()
    new_server.start()
    assert new_server.is_running()


def test_occupied_port_is_named_with_its_holder_and_the_variable(own_server: EmbeddedPostgres) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", own_server.port))
        holder.listen()
        with pytest.raises(StackError) as refusal:
            own_server.start()
    message = str(refusal.value)
    assert f"Port {own_server.port}" in message
    assert f"process {os.getpid()}" in message
    assert "FEEDBACK_DB_PORT=" in message


def test_home_that_is_no_folder_is_refused_with_a_way_out(tmp_path: Path, free_port: int) -> None:
    home = tmp_path / "file" / "home"
    home.parent.write_text("in the way")
    with pytest.raises(StackError, match=r"cannot be used .*FEEDBACK_HOME=<folder>"):
        EmbeddedPostgres(home, free_port, environ={}).start()


def test_other_port_for_a_running_server_is_refused(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    other = EmbeddedPostgres(own_server.home, own_server.port + 1, environ={})
    with pytest.raises(StackError, match=f"FEEDBACK_DB_PORT={own_server.port}"):
        other.start()


def test_full_disk_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"MB left; \d+ MB are needed.*FEEDBACK_HOME"):
        refuse_full_disk(tmp_path, minimum_bytes=2**60)


def test_two_servers_run_side_by_side_and_know_only_their_own_passwords(
    server: EmbeddedPostgres, own_server: EmbeddedPostgres
) -> None:
    own_server.start()
    assert server.pid != own_server.pid
    secrets = [(each.secrets_dir / "analyst_password").read_text() for each in (server, own_server)]
    assert secrets[0] != secrets[1]
    own_server.stop()
    assert server.is_running()


def test_server_listens_on_the_loopback_alone_and_opens_no_socket_file(server: EmbeddedPostgres) -> None:
    with server.connect() as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)


def test_secrets_are_readable_by_their_owner_alone(server: EmbeddedPostgres) -> None:
    assert server.secrets_dir.stat().st_mode & 0o077 == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in server.secrets_dir.iterdir()}
    assert {"pipeline_password", "analyst_password", "pseudonym_key", "postgres_password"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_refused_statement_leaves_no_text_in_the_servers_log(server: EmbeddedPostgres) -> None:
    planted = "the nurse called Planted Sentence was kind"
    with server.connect() as connection, pytest.raises(Exception, match="invalid input syntax"):
        connection.execute("select %s::text::integer", [planted])
    assert "Planted Sentence" not in server.log_file.read_text()


def test_lost_superuser_password_is_explained(new_server: EmbeddedPostgres) -> None:
    new_server.start()
    new_server.stop()
    (new_server.secrets_dir / "postgres_password").unlink()
    with pytest.raises(StackError, match="put it back, or remove the folder"):
        new_server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_home_that_only_root_can_enter_still_works(tmp_path: Path, free_port: int) -> None:
    home = tmp_path / "home"
    tmp_path.chmod(0o700)
    server = EmbeddedPostgres(home, free_port, environ={})
    try:
        server.start()
        assert server.is_running()
        assert psutil.Process(server.pid).uids().effective != 0
    finally:
        server.stop()
        import shutil

        shutil.rmtree((home / "postgres").resolve())
