"""How a connection is given access for a while by the token service of its system (OAuth 2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.extraction import SourceConnection

CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = timedelta(minutes=4)
"""SMART allows five at most; clocks differ."""
DEFAULT_SCOPE = "system/QuestionnaireResponse.read"
DEFAULT_ALGORITHM = "RS384"


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """Where to ask for an access token, and with what."""

    token_url: str
    form: Callable[[], dict[str, str]]
    """What is sent; made anew each time, and never shown."""
    needed: str
    """What of the connection the token service judges."""


def refresh_token_grant(connection: SourceConnection) -> TokenGrant:
    """Return the grant of a person's consent: client, secret and refresh token (RFC 6749, section 6)."""
    token_url, refresh_token = _needed(connection, "token_url", "refresh_token")

    def form() -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": connection.login,
            "client_secret": connection.secret(),
        }

    return TokenGrant(token_url, form, "refresh_token, login, password and token_url")


def smart_backend_grant(connection: SourceConnection) -> TokenGrant:
    """Return the grant of a registered client that signs with its private key (SMART backend services, HL7).

    The connection's login is the client's id and its password the private key (PEM); `token_url` stands in its extra,
    and `scope`, `key_id` and `algorithm` where they differ from the usual ones.
    """
    (token_url,) = _needed(connection, "token_url")

    def form() -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "scope": str(connection.extra.get("scope") or DEFAULT_SCOPE),
            "client_assertion_type": CLIENT_ASSERTION,
            "client_assertion": _signed(connection, token_url),
        }

    return TokenGrant(token_url, form, "login, password (its private key), key_id, scope and token_url")


def fhir_access(connection: SourceConnection) -> tuple[dict[str, str], TokenGrant | None]:
    """Return the headers for a FHIR server, and the grant where its tokens come from a service of their own.

    Without `token_url` in its extra the connection's password is the token.
    """
    headers = {"Accept": "application/fhir+json"}
    if connection.extra.get("token_url"):
        return headers, smart_backend_grant(connection)
    return {**headers, "Authorization": f"Bearer {connection.secret()}"}, None


def _signed(connection: SourceConnection, token_url: str) -> str:
    import jwt

    key_id = connection.extra.get("key_id")
    claims = {
        "iss": connection.login,
        "sub": connection.login,
        "aud": token_url,
        "jti": uuid.uuid4().hex,
        "exp": datetime.now(UTC) + ASSERTION_LIFE,
    }
    try:
        return jwt.encode(
            claims,
            connection.secret(),
            algorithm=str(connection.extra.get("algorithm") or DEFAULT_ALGORITHM),
            headers={"kid": str(key_id)} if key_id else None,
        )
    except (ValueError, TypeError, NotImplementedError, jwt.PyJWTError):
        raise FeedbackError(
            f"The password of the Airflow connection '{connection.name}' is no private key that its algorithm can sign "
            "with: put there the PEM of the key that was registered (RS384 or ES384)."
        ) from None


def _needed(connection: SourceConnection, *names: str) -> tuple[str, ...]:
    given = tuple(str(connection.extra.get(name) or "").strip() for name in names)
    missing = [f"'{name}' in its extra" for name, value in zip(names, given, strict=True) if not value]
    missing += [] if connection.login else ["a login (the client's id)"]
    if missing:
        raise FeedbackError(
            f"The Airflow connection '{connection.name}' lacks {' and '.join(missing)}: put it there."
        )
    return given
