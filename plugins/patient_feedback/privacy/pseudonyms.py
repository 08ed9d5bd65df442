"""Keyed hashes in place of respondents' references."""

from __future__ import annotations

import hashlib
import hmac

from patient_feedback.errors import FeedbackError

SMALLEST_KEY_BYTES = 16
PSEUDONYM_HEX_DIGITS = 32


def pseudonymise(ref: str, source_slug: str, key: bytes) -> str:
    """Return a respondent's pseudonym: 32 hex digits, the same in every run with the same key.

    HMAC-SHA256 (RFC 2104), because references are short and counted up: a plain hash is undone by trying
    all of them. The source is part of the message, so that equal references of two sources stay apart.
    Raises FeedbackError for a key under 16 bytes.
    """
    if len(key) < SMALLEST_KEY_BYTES:
        raise FeedbackError(
            f"The pseudonym key has {len(key)} bytes; it needs {SMALLEST_KEY_BYTES} or more, at random. "
            "Set FEEDBACK_SECRET_PSEUDONYM_KEY, and keep it: with another key all pseudonyms change."
        )
    message = f"{source_slug}\x1f{ref}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:PSEUDONYM_HEX_DIGITS]
