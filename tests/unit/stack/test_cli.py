"""What a person at the terminal is told when something is not as it should be: a sentence, never a trace."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from patient_feedback.cli import app


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: int):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FEEDBACK_DB_PORT", str(free_port))

    def caller(*arguments: str, **environ: str) -> Result:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(arguments))

    return caller


def _assert_sentence(result: Result, *words: str) -> None:
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output


def test_wrong_declaration_is_refused_before_anything_starts(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    declaration = tmp_path / "sources.yml"
    declaration.write_text("sources:\n  - slug: Not A Slug\n    kind: carrier_pigeon\n")
    result = call("run", "--sources", str(declaration))
    _assert_sentence(result, f"{declaration}:2", f"{declaration}:3", "csv_file")
    assert not (tmp_path / "home" / "postgres").exists()


def test_checking_the_declaration_of_the_project_names_its_sources(call) -> None:  # type: ignore[no-untyped-def]
    result = call("check-sources")
    assert result.exit_code == 0
    assert "csv_file" in result.output


def test_home_that_cannot_be_written_is_refused_with_a_way_out(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("in the way")
    result = call("run", FEEDBACK_HOME=str(tmp_path / "file" / "home"))
    _assert_sentence(result, "cannot be written", "FEEDBACK_HOME=<folder>")


def test_port_that_is_no_number_is_refused(call) -> None:  # type: ignore[no-untyped-def]
    _assert_sentence(call("up", FEEDBACK_UI_PORT="eighty"), "FEEDBACK_UI_PORT='eighty'")


def test_occupied_port_of_the_pages_is_refused_before_anything_starts(  # type: ignore[no-untyped-def]
    call, tmp_path: Path
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = call("up", FEEDBACK_UI_PORT=str(port))
    _assert_sentence(result, f"Port {port}", "FEEDBACK_UI_PORT=<free port>")
    assert not (tmp_path / "home" / "postgres").exists()


def test_status_of_a_stopped_stack_says_how_to_start_it(call) -> None:  # type: ignore[no-untyped-def]
    result = call("status")
    assert result.exit_code == 3
    assert "make run" in result.output


def test_stopping_a_stopped_stack_is_fine(call) -> None:  # type: ignore[no-untyped-def]
    assert call("down").exit_code == 0


def test_sql_without_a_server_says_how_to_start_it(call) -> None:  # type: ignore[no-untyped-def]
    _assert_sentence(call("psql", "--role", "auditor"), "make run")


def test_connection_string_without_a_server_says_what_is_missing(call) -> None:  # type: ignore[no-untyped-def]
    _assert_sentence(call("dsn", "--role", "analyst"), "FEEDBACK_SECRET_ANALYST_PASSWORD", "make run")


def test_second_run_beside_a_first_is_refused_with_its_process(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import fcntl

    home = tmp_path / "home"
    home.mkdir()
    with (home / "run.lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = call("run")
    _assert_sentence(result, "process 4711", "FEEDBACK_HOME")


def test_airflow_command_without_a_server_says_how_to_start_it(call) -> None:  # type: ignore[no-untyped-def]
    _assert_sentence(call("airflow", "connections", "list"), "patient-feedback up")


@pytest.fixture
def declared_opinions(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yml"
    source = {"slug": "opinions", "label": "Opinions", "kind": "care_opinion", "owner": "desk@example.org"}
    path.write_text(yaml.safe_dump({"sources": [{**source, "connection": "opinions_system"}]}))
    return path


@pytest.fixture
def airflow_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container of production: Airflow is set up by variables."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path / 'airflow.db'}")


def test_declared_connection_that_is_missing_is_named_with_the_command_that_adds_it(  # type: ignore[no-untyped-def]
    call, declared_opinions: Path, airflow_of_its_own: None
) -> None:
    result = call("check-sources", str(declared_opinions))
    _assert_sentence(result, "'opinions_system'", "airflow connections add opinions_system --conn-type http")


def test_declared_connection_that_is_there_passes(  # type: ignore[no-untyped-def]
    call, declared_opinions: Path, airflow_of_its_own: None
) -> None:
    given = '{"conn_type": "http", "host": "opinions.example.org", "password": "not-shown"}'
    result = call("check-sources", str(declared_opinions), AIRFLOW_CONN_OPINIONS_SYSTEM=given)
    assert result.exit_code == 0
    assert "connections are there" in result.output
    assert "not-shown" not in result.output


def test_connections_are_not_called_missing_where_airflow_s_database_is_away(  # type: ignore[no-untyped-def]
    call, declared_opinions: Path, airflow_of_its_own: None, free_port: int
) -> None:
    away = f"postgresql+psycopg2://airflow:not-shown@127.0.0.1:{free_port}/airflow"
    result = call("check-sources", str(declared_opinions), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=away)
    assert result.exit_code == 0
    assert "not looked up" in result.output
    assert "not-shown" not in result.output


def test_connections_are_not_looked_up_where_no_airflow_runs(call, declared_opinions: Path) -> None:  # type: ignore[no-untyped-def]
    result = call("check-sources", str(declared_opinions))
    assert result.exit_code == 0
    assert "patient-feedback up" in result.output


def test_column_that_the_newest_file_lacks_is_named_beside_those_it_has(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "answers.csv").write_text("Svar-id;Kommentar\n1;tak\n", encoding="utf-8")
    comment = {"column": "Comment", "question": {"slug": "comment", "intent": "open"}}
    source = {
        "slug": "survey",
        "label": "Survey",
        "kind": "csv_file",
        "owner": "desk@example.org",
        "where": {"path": "."},
        "mapping": {"record_ref": "Svar-id", "comments": [comment]},
    }
    path = tmp_path / "sources.yml"
    path.write_text(yaml.safe_dump({"sources": [source]}))
    _assert_sentence(call("check-sources", str(path)), "answers.csv, lacks", "Comment.", "Svar-id, Kommentar")


def test_readability_of_texts_is_said_by_the_formulas_of_their_language(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    letter, brev = tmp_path / "letter.txt", tmp_path / "brev.txt"
    letter.write_text("We would like to know how your appointment went.", encoding="utf-8")
    brev.write_text("Du kallas till en undersökning av hjärtat.", encoding="utf-8")
    result = call("readability", str(letter), str(brev))
    assert result.exit_code == 0
    english, swedish = result.output.split(str(brev))
    assert "9 words in 1 sentence\n" in english
    assert "Flesch reading ease" in english and "SMOG grade" in english and "LIX" not in english
    assert "LIX 35.6" in swedish and "SMOG" not in swedish


def test_text_that_no_formula_fits_is_refused_with_a_way_out(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = tmp_path / "text.txt"
    text.write_text("Bitte sagen Sie uns, wie Ihr Besuch im Krankenhaus war.", encoding="utf-8")
    _assert_sentence(call("readability", str(text)), "no formula is known for de", "--language")
    text.write_bytes("Välkommen".encode("cp1252"))
    _assert_sentence(call("readability", str(text)), "UTF-8")
    text.write_text("\n", encoding="utf-8")
    _assert_sentence(call("readability", str(text)), "has no words")
