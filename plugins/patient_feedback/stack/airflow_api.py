"""Airflow's REST API, as far as a run from the command line needs it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from patient_feedback.errors import StackError

PATIENCE_SECONDS = 45.0
ALL = "~"


class AirflowApi:
    """A session with the API server; answers are the API's own JSON objects.

    A server that is away for a moment is asked again for 45 seconds; then StackError says so.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def dags(self) -> dict[str, dict[str, Any]]:
        """Return the DAGs that the DAG processor has registered and still finds, by dag_id."""
        found = self._get("/dags", exclude_stale=True, limit=1000)["dags"]
        return {dag["dag_id"]: dag for dag in found}

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self._get("/importErrors", limit=100)["import_errors"])

    def parse_again(self, file_token: str) -> None:
        """Ask the DAG processor to read a DAG file at once."""
        self._request("PUT", f"/parseDagFile/{file_token}", accepted=(201, 409))

    def unpause(self, dag_id: str) -> None:
        self._request("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str) -> str:
        """Start a run now; return its run id."""
        return str(
            self._request("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None}).json()["dag_run_id"]
        )

    def runs_since(self, moment: datetime) -> list[dict[str, Any]]:
        """Return the runs of all DAGs that changed state from `moment` on, and those still under way."""
        recent = self._get(
            f"/dags/{ALL}/dagRuns", updated_at_gte=moment.isoformat(), order_by="id", limit=500
        )
        active = self._get(f"/dags/{ALL}/dagRuns", state=["queued", "running"], order_by="id", limit=500)
        runs = {(run["dag_id"], run["dag_run_id"]): run for run in active["dag_runs"] + recent["dag_runs"]}
        return list(runs.values())

    def newest_runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self._get(f"/dags/{dag_id}/dagRuns", order_by="-id", limit=5)["dag_runs"])

    def has_queued_event(self, dag_id: str) -> bool:
        """True where an asset has changed and the run of `dag_id` that it asks for is not yet made."""
        answer = self._request("GET", f"/dags/{dag_id}/assets/queuedEvents", accepted=(200, 404))
        return answer.status_code == httpx.codes.OK and bool(answer.json()["queued_events"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=200)["task_instances"])

    def error_message(
        self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1
    ) -> str | None:
        """Return the message of the exception that ended a task's try, where its log has one."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self._request(
            "GET",
            path,
            params={"full_content": True, "map_index": map_index},
            headers={"Accept": "application/json"},
            accepted=(200, 404),
        )
        if answer.status_code != httpx.codes.OK:
            return None
        messages = [
            detail.get("exc_value")
            for line in answer.json().get("content", [])
            if isinstance(line, dict)
            for detail in line.get("error_detail") or []
        ]
        return messages[-1] if messages else None

    def set_pools(self, pools: dict[str, dict[str, Any]]) -> None:
        """Make the pools, or change those that differ."""
        present = {pool["name"]: pool for pool in self._get("/pools", limit=100)["pools"]}
        for name, wanted in pools.items():
            if name not in present:
                self._request("POST", "/pools", json={"name": name, **wanted}, accepted=(201, 409))
            elif any(present[name].get(key) != value for key, value in wanted.items()):
                self._request("PATCH", f"/pools/{name}", json={"pool": name, **wanted})

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return dict(self._request("GET", path, params=parameters).json())

    def _request(
        self, method: str, path: str, accepted: Iterable[int] = (200, 201), **arguments: Any
    ) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._send(method, path, **arguments)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}"
            else:
                if answer.status_code in accepted:
                    return answer
                problem = f"status {answer.status_code}"
                if answer.status_code < 500:
                    raise StackError(f"Airflow refuses {method} {path}: {problem}, {answer.text[:300]}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"Airflow at {self._client.base_url} does not answer ({problem}). "
                    "`make status` shows what runs; `make run` starts what is missing and goes on."
                )
            time.sleep(1)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        if "Authorization" not in self._client.headers:
            self._log_in()
        answer = self._client.request(method, f"/api/v2{path}", **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._client.request(method, f"/api/v2{path}", **arguments)
        return answer

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise StackError(
                f"Airflow at {self._client.base_url} refuses the login of '{self._user}': "
                "it may belong to another copy. Set FEEDBACK_UI_PORT to a free port, "
                "or FEEDBACK_HOME to the folder of that copy."
            )
        if answer.status_code != httpx.codes.CREATED:
            raise httpx.RemoteProtocolError(f"status {answer.status_code}")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
