"""Waiting costs no time in these tests: what a client would have waited is noted."""

from __future__ import annotations

import pytest

from patient_feedback.sources import http_client


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that clients waited between tries."""
    noted: list[float] = []
    monkeypatch.setattr(http_client, "wait_seconds", noted.append)
    return noted
