"""Secrets of the local stack: generated once, one file each, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from patient_feedback.errors import StackError


def ensure_secret(
    secrets_dir: Path, name: str, environ: Mapping[str, str] | None = None, length: int = 24
) -> str:
    """Return the secret `name`: the variable FEEDBACK_SECRET_<NAME>, else the file's, else a new one.

    `length` is in random bytes. A new secret is on disk, complete, before it is returned.
    """
    env = os.environ if environ is None else environ
    if given := env.get(f"FEEDBACK_SECRET_{name.upper()}"):
        return given
    path = secrets_dir / name
    try:
        if value := path.read_text(encoding="utf-8").strip():
            return value
        secrets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileNotFoundError:
        secrets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"The secret file {path} cannot be read ({error.strerror}): run as the user who owns it."
        ) from error
    value = secrets.token_urlsafe(length)
    write_private_file(path, value + "\n")
    return value


def write_private_file(path: Path, content: str) -> None:
    """Write a file that only its owner may read (0600); a reader sees the old or the new content, no part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
