"""A declared source with a folder of its own."""

from __future__ import annotations

from pathlib import Path

import harbour
import pytest


@pytest.fixture
def deliveries(tmp_path: Path) -> Path:
    """The empty folder that the source `harbour_fft` reads; `sources.yml` stands beside it."""
    return harbour.declare(tmp_path)
