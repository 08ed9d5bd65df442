"""The production files: valid, without default passwords, and naming only what exists; needs no Docker."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import check_jsonschema  # type: ignore[import-untyped]
import jsonschema
import pytest
import yaml

from patient_feedback.stack.postgres import SERVER_SETTINGS

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY_TEXT = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("plugins", "dbt_project", "scripts")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in {".py", ".yml", ".sh"} and "target" not in path.parts
)
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
SUBSTITUTION = re.compile(r"\$\{([A-Z0-9_]+)(:[?-])?([^}]*)\}")
AIRFLOW_SERVICES = ("migrate", "api-server", "scheduler", "dag-processor", "triggerer", "worker")
LIBRARIES_OWN = frozenset(
    {
        "PATH",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "AIRFLOW_HOME",
        "TOKENIZERS_PARALLELISM",
    }
    | {"HF_HUB_OFFLINE", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED", "DBT_SEND_ANONYMOUS_USAGE_STATS"}
    | {"PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"}
    | {"POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD", "POSTGRES_INITDB_ARGS", "REDIS_PASSWORD"}
)


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(compose_text: str) -> dict[str, Any]:
    return yaml.safe_load(compose_text)


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (PROJECT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


@pytest.fixture(scope="module")
def example_names() -> list[str]:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[0] for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def airflow_options() -> set[str]:
    """Names of the variables of every option that this Airflow and its providers know."""
    import airflow
    from airflow.providers.celery.get_provider_info import get_provider_info as celery_info
    from airflow.providers.fab.get_provider_info import get_provider_info as fab_info

    core = Path(next(iter(airflow.__path__))) / "config_templates" / "config.yml"
    sections: list[dict[str, Any]] = [yaml.safe_load(core.read_text(encoding="utf-8"))]
    sections += [celery_info()["config"], fab_info()["config"]]
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}"
        for source in sections
        for section, content in source.items()
        for option in content["options"]
    }


def _commands(compose: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield what Airflow's services run, health checks included, as (service, words)."""
    for service in AIRFLOW_SERVICES:
        definition = compose["services"][service]
        yield service, [*definition.get("entrypoint", ["airflow"]), *definition["command"]]
        test = definition["healthcheck"].get("test")
        if test:
            yield service, shlex.split(test[1].replace("$$", "$")) if test[0] == "CMD-SHELL" else test[1:]


def _image_variables(dockerfile: str) -> dict[str, str]:
    return {
        name: value
        for line in dockerfile.splitlines()
        if line.startswith("ENV ")
        for name, _, value in (word.partition("=") for word in shlex.split(line[4:]))
    }


def test_compose_file_meets_the_compose_specification(compose: dict[str, Any]) -> None:
    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [
        f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator.iter_errors(compose)
    ] == []
    broken = json.loads(json.dumps(compose))
    broken["services"]["redis"]["healthchek"] = {}
    assert not validator.is_valid(broken), "the schema lets a misspelt key pass"


def test_every_variable_of_compose_is_in_the_example_and_the_other_way_round(
    compose_text: str, example_names: list[str]
) -> None:
    assert sorted({match[0] for match in SUBSTITUTION.findall(compose_text)}) == sorted(example_names)
    assert len(set(example_names)) == len(example_names)


def test_every_variable_of_the_example_has_a_line_on_it_and_no_value(example_names: list[str]) -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.partition("=")[0] in example_names:
            assert line.endswith("="), f"{line} has a value"
            assert lines[number - 1].startswith("#") or "IMAGE" in line, f"{line} has no line on it"


def test_no_secret_has_a_default_and_compose_refuses_to_start_without_it(compose_text: str) -> None:
    secrets = [
        match for match in SUBSTITUTION.findall(compose_text) if match[0].startswith("FEEDBACK_SECRET_")
    ]
    assert len({name for name, _, _ in secrets}) == 12
    assert [name for name, operator, _ in secrets if operator != ":?"] == []


def test_every_secret_like_variable_takes_its_value_from_the_environment(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY$|SQL_ALCHEMY_CONN|BROKER_URL|RESULT_BACKEND", name):
                assert re.search(r"\$\{FEEDBACK_SECRET_[A-Z_]+:\?", value), name


def test_every_airflow_variable_is_an_option_of_this_airflow(
    compose: dict[str, Any], dockerfile: str, airflow_options: set[str]
) -> None:
    names = {name for service in compose["services"].values() for name in service.get("environment", {})}
    names |= set(_image_variables(dockerfile))
    given = {name for name in names if name.startswith("AIRFLOW__")}
    assert len(given) >= 18
    assert given - airflow_options == set()


def test_every_other_variable_is_read_somewhere(compose: dict[str, Any], dockerfile: str) -> None:
    names = {name for service in compose["services"].values() for name in service.get("environment", {})}
    names |= set(_image_variables(dockerfile))
    own = {name for name in names if name.startswith("FEEDBACK_")}
    for name in own:
        secret = name.removeprefix("FEEDBACK_SECRET_").lower()
        role = secret.removesuffix("_password")
        assert name in LIBRARY_TEXT or f'"{secret}"' in LIBRARY_TEXT or f'"{role}"' in LIBRARY_TEXT, name
    assert {name for name in names - own if not name.startswith("AIRFLOW__")} <= LIBRARIES_OWN


def test_each_service_gets_the_secrets_it_needs_and_no_more(compose: dict[str, Any]) -> None:
    got = {
        name: {variable for variable in service["environment"] if variable.startswith("FEEDBACK_SECRET_")}
        for name, service in compose["services"].items()
        if name in AIRFLOW_SERVICES
    }
    of_the_warehouse = {"FEEDBACK_SECRET_PIPELINE_PASSWORD", "FEEDBACK_SECRET_PSEUDONYM_KEY"}
    assert got.pop("worker") == got.pop("triggerer") == of_the_warehouse
    assert "FEEDBACK_SECRET_POSTGRES_PASSWORD" in got.pop("migrate")
    assert all(secrets == set() for secrets in got.values())


def test_only_the_user_interface_is_published_and_on_this_machine_alone(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published == {"api-server": ["127.0.0.1:${FEEDBACK_UI_PORT:-8080}:8080"]}
    assert compose["networks"]["inside"]["internal"] is True
    assert {name for name, service in compose["services"].items() if "outside" in service["networks"]} == {
        "api-server",
        "worker",
    }


def test_every_port_is_one_that_its_service_listens_on(
    compose: dict[str, Any], compose_text: str, dockerfile: str
) -> None:
    import airflow

    core = Path(next(iter(airflow.__path__))) / "config_templates" / "config.yml"
    options = yaml.safe_load(core.read_text(encoding="utf-8"))
    assert options["api"]["options"]["port"]["default"] == "8080"
    assert options["scheduler"]["options"]["scheduler_health_check_server_port"]["default"] == "8974"
    used = set(
        re.findall(
            r"(?:127\.0\.0\.1|api-server):(\d{4})|(?:postgres|redis):(\d{4})", compose_text + dockerfile
        )
    )
    assert {port for pair in used for port in pair if port} == {"8080", "8974", "5432", "6379"}
    assert (
        compose["services"]["scheduler"]["environment"]["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    )
    assert re.search(r"^EXPOSE 8080$", dockerfile, re.MULTILINE)


def test_every_service_is_checked_limited_restarted_and_its_log_rotated(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert service["healthcheck"].get("test") or name == "migrate", name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["logging"]["options"]["max-size"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service.get("read_only") is True or name == "postgres", name


def test_images_are_pinned_and_name_no_registry_host(compose: dict[str, Any], dockerfile: str) -> None:
    images = [service["image"] for service in compose["services"].values()]
    images += re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    for image in images:
        name = SUBSTITUTION.sub(lambda match: match[3], image)
        assert ":" in name, name
        assert not name.endswith(":latest"), name
        assert "." not in name.split("/")[0] or "/" not in name, f"{name} names a host"


def test_every_named_volume_is_declared_and_its_folder_made_by_the_image(
    compose: dict[str, Any], dockerfile: str
) -> None:
    used = set()
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source, target = SUBSTITUTION.sub("folder", volume).split(":")[:2]
            assert PurePosixPath(target).is_absolute()
            if source in compose["volumes"]:
                used.add(source)
                assert name == "postgres" or re.search(rf"install .*{re.escape(target)}(\s|$)", dockerfile), (
                    target
                )
            else:
                assert source == "folder", volume
    assert used == set(compose["volumes"])


def test_postgresql_18_keeps_its_data_in_the_volume(compose: dict[str, Any]) -> None:
    """From version 18 on the image's data lie below /var/lib/postgresql, not /var/lib/postgresql/data."""
    service = compose["services"]["postgres"]
    assert "-pg18" in service["image"]
    assert service["volumes"] == ["postgres_data:/var/lib/postgresql"]


def test_postgresql_logs_no_words_of_patients_as_in_the_local_stack(compose: dict[str, Any]) -> None:
    words = compose["services"]["postgres"]["command"]
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    for name in ("log_min_messages", "log_min_error_statement", "log_error_verbosity", "jit", "timezone"):
        if name in SERVER_SETTINGS:
            assert settings[name].lower() == SERVER_SETTINGS[name].lower(), name


def test_every_copied_path_exists_and_is_let_through(dockerfile: str) -> None:
    copied = [
        source
        for line in dockerfile.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    allowed = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"dags", "plugins", "dbt_project", "expectations"} <= set(copied)
    for source in copied:
        assert (PROJECT / source).exists(), source
        assert f"!{source}" in allowed, source
    assert "*" in allowed
    assert "**/.env" in allowed


def test_every_command_exists(compose: dict[str, Any], dockerfile: str) -> None:
    commands = [words for _, words in _commands(compose)]
    script = (PROJECT / "scripts" / "prepare_production.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    commands += [
        shlex.split(line.strip().removeprefix("if ").split("|")[0])
        for line in script.splitlines()
        if re.match(r"\s*(?:if )?(?:airflow|python) ", line)
    ]
    airflow_commands = set()
    for words in commands:
        if words[0] == "airflow":
            airflow_commands.add(tuple(word for word in words[1:3] if not word.startswith("-")))
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), words
            assert "__main__" in Path(importlib.util.find_spec(words[2]).origin or "").read_text()  # type: ignore[union-attr]
        elif words[:2] == ["python", "-c"]:
            compile(words[2], "health check", "exec")
        elif words[0] == "sh":
            assert (PROJECT / words[1]).is_file(), words
        else:
            assert words[:2] == ["celery", "--app"], words
            module, _, name = words[2].rpartition(".")
            assert name in Path(importlib.util.find_spec(module).origin or "").read_text()  # type: ignore[union-attr]
    assert ("api-server",) in airflow_commands
    assert ("celery", "worker") in airflow_commands
    assert airflow_commands <= _known_airflow_commands()
    assert re.search(r'^CMD \["api-server"\]$', dockerfile, re.MULTILINE)


def _known_airflow_commands() -> set[tuple[str, ...]]:
    """Ask Airflow itself, in a process of its own with FAB as the user manager, as in production."""
    program = (
        "from airflow.cli.cli_parser import ALL_COMMANDS_DICT as c\n"
        "import json\n"
        "print(json.dumps([[n, *([s.name] if s else [])] for n, o in c.items()"
        " for s in (getattr(o, 'subcommands', None) or [None])]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PATH": "/usr/bin:/bin",
            "AIRFLOW__CORE__AUTH_MANAGER": FAB,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return {tuple(command) for command in json.loads(result.stdout.strip().splitlines()[-1])}


def test_image_runs_as_an_unprivileged_user(dockerfile: str, compose: dict[str, Any]) -> None:
    users = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert users == ["feedback"]
    uid = re.search(r"--uid (\d+)", dockerfile)
    assert uid is not None
    for name in AIRFLOW_SERVICES:
        assert f"/var/lib/airflow:uid={uid[1]},gid={uid[1]},mode=0750" in compose["services"][name]["tmpfs"]


def test_torch_is_installed_first_from_an_index_of_the_builders_choice(dockerfile: str) -> None:
    assert dockerfile.index("requirements-torch.txt\n") < dockerfile.index(
        "--requirement /tmp/requirements.txt"
    )
    assert re.search(r'^ARG TORCH_INDEX_URL=""$', dockerfile, re.MULTILINE)
    assert "http" not in re.sub(r"http://127\.0\.0\.1", "", dockerfile)


def test_write_env_fills_every_secret_once_and_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text((PROJECT / ".env.example").read_text(encoding="utf-8"))
    command = [sys.executable, str(PROJECT / "scripts" / "write_env.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    written = (tmp_path / ".env").read_text(encoding="utf-8")
    values = dict(line.split("=", 1) for line in written.splitlines() if line and not line.startswith("#"))
    secrets = {name: value for name, value in values.items() if name.startswith("FEEDBACK_SECRET_")}
    assert len(set(secrets.values())) == len(secrets) == 12
    assert all(len(value) >= 44 for value in secrets.values())
    assert len(base64.urlsafe_b64decode(secrets["FEEDBACK_SECRET_AIRFLOW_FERNET_KEY"])) == 32
    assert all(re.fullmatch(r"[0-9a-f]+", value) for name, value in secrets.items() if "FERNET" not in name)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0

    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "move it away" in again.stderr
    assert (tmp_path / ".env").read_text(encoding="utf-8") == written
