"""An SFTP server: a folder of this machine served over SSH, by password or by key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncssh

LOGIN = "feedback"
PASSWORD = "emulated-password"  # noqa: S105 - of an emulator
PASSPHRASE = "emulated-passphrase"  # noqa: S105 - of an emulator


@dataclass
class Sftp:
    """A running server of `folder`; `before_read` and `drops` spoil the next readings."""

    folder: Path
    port: int = 0
    before_read: list[Callable[[], None]] = field(default_factory=list)
    """Each is done once, before a piece of a file is read."""
    drops: int = 0
    """So many more readings end with the connection cut."""
    sessions: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    """Every connection that was made."""
    _listener: asyncssh.SSHAcceptor | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256")
        self._host_keys = [asyncssh.generate_private_key(kind) for kind in kinds]
        self._client_key = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}"

    @property
    def host_keys(self) -> list[str]:
        """The server's public keys, one of each kind that it has."""
        return [key.export_public_key().decode().strip() for key in self._host_keys]

    @property
    def private_key(self) -> str:
        """A private key that the server lets in."""
        return self._client_key.export_private_key().decode()

    @property
    def locked_private_key(self) -> str:
        """The same key, to be opened by PASSPHRASE."""
        return self._client_key.export_private_key(passphrase=PASSPHRASE).decode()

    def renew_host_keys(self) -> None:
        """Make the server another one, at the same address from its next start on."""
        self._host_keys = [asyncssh.generate_private_key("ssh-ed25519")]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = self._done(self._listen())
        self.port = self._listener.get_port()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._listener is not None
        assert self._loop is not None
        assert self._thread is not None
        self._done(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Door(self),
            server_host_keys=self._host_keys,
            sftp_factory=lambda channel: _Folder(self, channel),
        )

    async def _close(self) -> None:
        assert self._listener is not None
        self._listener.close()
        await self._listener.wait_closed()
        for session in self.sessions:
            session.abort()
            await session.wait_closed()

    def wait_for_goodbyes(self) -> None:
        """Return when the clients have closed all that they opened; raise TimeoutError where they do not."""
        for session in list(self.sessions):
            self._done(session.wait_closed())

    def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def lets_in(self, key: asyncssh.SSHKey) -> bool:
        return bool(key == self._client_key.convert_to_public())


class _Door(asyncssh.SSHServer):
    def __init__(self, server: Sftp) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.sessions.append(conn)

    def begin_auth(self, _: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (LOGIN, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == LOGIN and self._server.lets_in(key)


class _Folder(asyncssh.SFTPServer):
    def __init__(self, server: Sftp, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel, chroot=bytes(server.folder))
        self._server = server

    def read(self, file_obj: Any, offset: int, size: int) -> Any:
        if self._server.before_read:
            self._server.before_read.pop(0)()
        if self._server.drops:
            self._server.drops -= 1
            self.connection.abort()
        return super().read(file_obj, offset, size)
