"""What the documentation of the dbt project promises: every column said, every example running."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

NUMBERS = ("integer", "bigint", "real", "double precision", "numeric")
UNITLESS = re.compile(r"_id$|^record_number$")


def models_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed") and node["package_name"] == "patient_feedback"
    ]


def test_every_model_states_its_grain_and_owner(marts: Any) -> None:
    for node in models_of(marts.manifest):
        assert node["description"], node["name"]
        assert node["config"]["group"], node["name"]
        if node["resource_type"] == "model":
            assert node["config"]["meta"].get("grain"), node["name"]
            assert "@" in node["config"]["meta"].get("owner", ""), node["name"]


def test_every_column_is_described_and_every_described_column_exists(marts: Any) -> None:
    columns: dict[str, set[str]] = {}
    for table, column in marts.rows(
        "select table_name, column_name from information_schema.columns where table_schema = %s", marts.slot
    ):
        columns.setdefault(table, set()).add(column)
    for node in models_of(marts.manifest):
        if node["config"]["materialized"] != "ephemeral":
            assert set(node["columns"]) == columns[node["name"]], node["name"]
        assert all(column["description"] for column in node["columns"].values()), node["name"]


def test_every_number_of_a_mart_has_a_unit_and_every_mart_a_contract(marts: Any) -> None:
    mart_nodes = [node for node in models_of(marts.manifest) if node["fqn"][1] == "marts"]
    assert len(mart_nodes) == 44
    for node in mart_nodes:
        assert node["config"]["contract"]["enforced"], node["name"]
        for column in node["columns"].values():
            if column["data_type"].startswith(NUMBERS) and not UNITLESS.search(column["name"]):
                assert column["config"]["meta"].get("unit"), f"{node['name']}.{column['name']}"


def test_checks_bear_distinct_ids_and_say_why(marts: Any) -> None:
    metas = [
        node["config"]["meta"]
        for node in marts.manifest["nodes"].values()
        if node["resource_type"] == "test" and node["config"]["meta"].get("check_id")
    ]
    ids = [meta["check_id"] for meta in metas]
    assert len(ids) == len(set(ids)) > 30
    for meta in metas:
        assert re.fullmatch(r"FB-DBT-\d{3}", meta["check_id"])
        assert {"title", "severity", "dimension", "owner", "why"} <= set(meta), meta["check_id"]


def examples(readme: Path) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_auditors_queries_run_and_leave_out_what_passes_by_now(marts: Any, project_dir: Path) -> None:
    what_fails, *others = (
        re.sub(r"\b(audit_trail|patient_experience)\.", f"{marts.slot}.", query)
        for block in examples(project_dir / "expectations" / "README.md")
        for query in block.split(";")
        if "select" in query and "update" not in query
    )
    with psycopg.connect(marts.settings.dsn()) as connection:
        connection.execute(
            "insert into audit.check_result (run_id, check_id, tool, gate, checked_subject, outcome, severity, "
            "effect) select 'run', 'X-' || place, 'dbt', gate, subject, outcome, 'warning', 'report' "
            "from (values (1, 'marts', 'blue', 'failed'), (1, 'marts', 'green', 'passed'), "
            "(2, 'landing', 'd1', 'failed'), (2, 'landing', 'd2', 'passed')) "
            "as given (place, gate, subject, outcome)"
        )
        failing = connection.execute(what_fails).fetchall()
        for query in others:
            connection.execute(query)
        connection.rollback()
    assert [(row[0], row[2]) for row in failing if row[0].startswith("X-")] == [("X-2", "d1")]


def test_readme_names_every_mart(marts: Any, project_dir: Path) -> None:
    text = (project_dir / "dbt_project" / "README.md").read_text(encoding="utf-8")
    for node in models_of(marts.manifest):
        if node["fqn"][1] == "marts":
            assert f"`{node['name']}`" in text, node["name"]
