"""Makes .env from .env.example with fresh secrets, once: python scripts/write_env.py [folder]."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path


def fill(template: str) -> str:
    """Return `template` with a random value for every empty FEEDBACK_SECRET_ variable."""
    lines = []
    for line in template.splitlines():
        name, separator, value = line.partition("=")
        if separator and not value and name.startswith("FEEDBACK_SECRET_"):
            line = f"{name}={_secret(name)}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _secret(name: str) -> str:
    if name.endswith("_FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
    return secrets.token_hex(64 if name.endswith("_JWT_SECRET") else 32)


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    content = fill((folder / ".env.example").read_text(encoding="utf-8"))
    try:
        descriptor = os.open(folder / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(
            f"{folder / '.env'} exists, and its secrets open your databases: move it away first.",
            file=sys.stderr,
        )
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
    print(f"Wrote {folder / '.env'}. Now say in it where your sources.yml and your deliveries are.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
