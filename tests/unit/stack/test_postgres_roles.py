"""The roles of a new server: they exist, and none gets in without its password."""

from __future__ import annotations

import psycopg
import pytest

from patient_feedback.errors import WarehouseError
from patient_feedback.settings import Role, Settings
from patient_feedback.warehouse.connection import connect


@pytest.mark.parametrize("role", list(Role))
def test_role_with_its_password_is_let_in(warehouse: Settings, role: Role) -> None:
    with connect(warehouse, "test", role) as connection:
        assert connection.execute("select current_user").fetchone() == (str(role),)


@pytest.mark.parametrize("role", [*Role, "airflow", "postgres"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_role_with_a_wrong_password_is_refused(warehouse: Settings, role: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=warehouse.db_host,
            port=warehouse.db_port,
            dbname=warehouse.db_name,
            user=role,
            password=password,
        )


def test_airflow_role_cannot_enter_the_warehouse(warehouse: Settings) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(
            host=warehouse.db_host,
            port=warehouse.db_port,
            dbname=warehouse.db_name,
            user="airflow",
            password=warehouse.secret("airflow_password"),
        )


def test_unknown_database_is_refused_in_a_sentence(warehouse: Settings) -> None:
    import dataclasses

    with pytest.raises(WarehouseError, match="make status"):
        with connect(dataclasses.replace(warehouse, db_name="nowhere"), "test"):
            pass


def test_engineer_sees_deliveries_but_no_delivered_line_of_column_names(warehouse: Settings) -> None:
    """A file without column names has its first record in their place."""
    with connect(warehouse, "test", Role.ENGINEER) as connection:
        connection.execute("select delivery_id, delivery_state, refusal_reason from landing.delivery")
        for column in ("column_names", "unknown_columns"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"select {column} from landing.delivery")


def test_engineer_sees_where_a_number_was_recovered_but_not_which(warehouse: Settings) -> None:
    with connect(warehouse, "test", Role.ENGINEER) as connection:
        connection.execute("select attack_id, recovery, organisation_slug, stratum from audit.recovered_cell")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select quantity from audit.recovered_cell")
