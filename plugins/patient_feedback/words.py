"""A redacted text as its words."""

from __future__ import annotations

import re

REDACTION_MARK = re.compile(r"\[[A-Z][A-Z_]*\]")
WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Return the words in lower case, in order, without marks such as [PERSON], numbers and signs."""
    return [match[0].lower().replace("\u2019", "'") for match in WORD.finditer(REDACTION_MARK.sub(" ", text))]
