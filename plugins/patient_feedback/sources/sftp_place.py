"""An SFTP server as a place of files: fsspec's own file system, with the server's key checked first."""

from __future__ import annotations

import base64
import io
import weakref
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]
from fsspec.implementations.sftp import SFTPFileSystem

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.extraction import SourceConnection

PORT = 22
TIMEOUT_SECONDS = 30.0
KEEPALIVE_SECONDS = 30
AWAY_ERRORS = (paramiko.SSHException, EOFError)
"""What paramiko raises, besides OSError, where a server goes away."""
_KEY_CLASSES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

_KnownKeys = list[tuple[str, paramiko.PKey]]
"""Name of a server, as known_hosts writes it, and one of its public keys."""


class CheckedSftp(SFTPFileSystem):
    """One SSH connection to a server whose key is known; it is closed when nothing refers to it any more."""

    cachable = False

    def _connect(self) -> None:
        known_keys: _KnownKeys | None = self.ssh_kwargs.pop("known_keys")
        timeout: float = self.ssh_kwargs["timeout"]
        self.client = paramiko.SSHClient()
        weakref.finalize(self, self.client.close)
        self.client.set_missing_host_key_policy(self.host_key_policy)
        if known_keys is None:
            self.client.load_system_host_keys()
        # Of the kinds of key that it has, the server is asked for one that is known.
        for name, key in known_keys or ():
            self.client.get_host_keys().add(name, key.get_name(), key)
        try:
            self.client.connect(self.host, **self.ssh_kwargs)
        except Exception:
            self.client.close()
            raise
        self.client.get_transport().set_keepalive(KEEPALIVE_SECONDS)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(timeout)


class _UnknownServerError(Exception):
    """The server's key, as a person can compare it, is the message."""


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, _client: Any, _hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownServerError(f"{key.get_name()} {key.fingerprint}")


def open_sftp(slug: str, host: str, port: int, connection: SourceConnection) -> CheckedSftp:
    """Connect to a server by what an Airflow connection of type sftp says.

    In its extra: private_key (with private_key_passphrase), host_key or known_hosts, no_host_key_check,
    conn_timeout. Raises FeedbackError where a person has to act, PlaceUnavailableError where the server is away.
    """
    extra, shown = connection.extra, f"sftp://{host}:{port}"
    private_key = _private_key(connection)
    if private_key is None and not connection.password:
        raise FeedbackError(
            f"The Airflow connection '{connection.name}' has neither a password nor a private_key in its extra: "
            f"give what {shown} asks for."
        )
    timeout = float(extra.get("conn_timeout") or TIMEOUT_SECONDS)
    known_keys = _known_keys(connection, host, port)
    is_checked = str(extra.get("no_host_key_check")).lower() != "true"
    try:
        return CheckedSftp(
            host,
            port=port,
            username=connection.login,
            password=connection.password or None,
            pkey=private_key,
            known_keys=known_keys if is_checked else known_keys or [],
            host_key_policy=_RefuseUnknown() if is_checked else paramiko.AutoAddPolicy(),
            # Keys and agents of whoever runs the worker are not the connection's.
            look_for_keys=False,
            allow_agent=False,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            channel_timeout=timeout,
        )
    except _UnknownServerError as error:
        raise FeedbackError(
            f"The server {shown} of the source '{slug}' is not known: it shows the key {error}. Compare it with what "
            "its owner says, then put its public key as host_key, or its line of known_hosts as known_hosts, into "
            f"the extra of the Airflow connection '{connection.name}'."
        ) from None
    except paramiko.BadHostKeyException:
        raise FeedbackError(
            f"The server {shown} of the source '{slug}' shows another key than the Airflow connection "
            f"'{connection.name}' says: nothing was sent to it. Ask its owner whether the key was changed; if so, "
            "mend host_key or known_hosts in the connection's extra."
        ) from None
    except paramiko.AuthenticationException:
        raise FeedbackError(
            f"The server {shown} of the source '{slug}' refuses the Airflow connection '{connection.name}': "
            "renew its login, password or private_key."
        ) from None
    except (*AWAY_ERRORS, OSError) as error:
        raise PlaceUnavailableError(
            f"The server {shown} of the source '{slug}' does not answer ({type(error).__name__}): what came before "
            "is kept, and the next run goes on from there."
        ) from None


def _private_key(connection: SourceConnection) -> paramiko.PKey | None:
    given = connection.extra.get("private_key")
    if not given:
        return None
    passphrase = connection.extra.get("private_key_passphrase") or None
    for key_class in _KEY_CLASSES:
        try:
            return key_class.from_private_key(io.StringIO(str(given)), passphrase)
        except (paramiko.SSHException, ValueError, TypeError, IndexError):
            continue
    # Neither the key nor a parser's words about it are shown.
    raise FeedbackError(
        f"The private_key in the extra of the Airflow connection '{connection.name}' cannot be read: an Ed25519, "
        "ECDSA or RSA key as OpenSSH writes it is expected, with its private_key_passphrase where it has one."
    )


def _known_keys(connection: SourceConnection, host: str, port: int) -> _KnownKeys | None:
    """Return the keys that the connection knows; None where it leaves them to the worker's own known_hosts."""
    host_key, known_hosts = connection.extra.get("host_key"), connection.extra.get("known_hosts")
    known: _KnownKeys = []
    for line in _lines_of_known_hosts(str(known_hosts), connection) if known_hosts else ():
        # A line of a kind that is not known here leaves its server unknown.
        if (key := _public_key(line)) is not None:
            known += [(name, key) for name in line.split()[0].split(",")]
    if host_key:
        key = _public_key(str(host_key))
        if key is None:
            raise FeedbackError(
                f"The host_key in the extra of the Airflow connection '{connection.name}' is no public key: write it "
                "as ssh-keyscan prints it, such as ssh-ed25519 AAAA.."
            )
        known.append((host if port == PORT else f"[{host}]:{port}", key))
    return known if host_key or known_hosts else None


def _lines_of_known_hosts(given: str, connection: SourceConnection) -> list[str]:
    """Return the lines of a known_hosts file, given as its text or as its path on the worker."""
    text = given
    if len(given.split()) < 3:
        try:
            text = Path(given).expanduser().read_text(encoding="utf-8")
        except OSError:
            raise FeedbackError(
                f"The known_hosts in the extra of the Airflow connection '{connection.name}' is neither lines of a "
                "known_hosts file nor the path of one that can be read."
            ) from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "@"))]


def _public_key(given: str) -> paramiko.PKey | None:
    """Read `ssh-ed25519 AAAA..`, whatever stands around it: the key itself says of which kind it is."""
    try:
        body = next(
            base64.b64decode(part, validate=True) for part in given.split() if part.startswith("AAAA")
        )
        length = int.from_bytes(body[:4], "big")
        return paramiko.PKey.from_type_string(body[4 : 4 + length].decode("ascii"), body)
    except (StopIteration, ValueError, IndexError, paramiko.SSHException, paramiko.UnknownKeyType):
        return None
