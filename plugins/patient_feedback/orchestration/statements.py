"""SQL files of this package: several statements, each under a `-- name:` line."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def named_statements(path: Path) -> dict[str, str]:
    """Return the statements of a file by name."""
    parts = path.read_text(encoding="utf-8").split("-- name: ")[1:]
    return {name.strip(): body for name, _, body in (part.partition("\n") for part in parts)}
