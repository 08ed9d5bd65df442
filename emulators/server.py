"""One emulated system: a real HTTP server on 127.0.0.1 in a thread, whose next answers a test can spoil."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What one request gets in place of its answer, or before it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    path: str = ""
    """Only a request whose path ends so meets the fault; others go by it."""
    delay_seconds: float = 0.0
    before: Callable[[], None] | None = None
    """Done before the true answer is given, such as a record that is added while pages are read."""


class _PromptServer(uvicorn.Server):
    """A server that ends when it is told to, where uvicorn looks ten times a second: tests start and end hundreds."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told_to_end = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self._told_to_end.wait()

    def stop(self) -> None:
        """End the server; from another thread than its own, once it has started."""
        self._loop.call_soon_threadsafe(self._told_to_end.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.005)
        for server in self.servers:
            await server.wait_closed()


@dataclass(slots=True)
class Emulator:
    """A running emulator; `faults` are met in turn by the requests that come."""

    routes: list[Route]
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    first: Callable[[str], Fault | None] | None = None
    """Says by its path what each request gets in place of its first answer; the same request again gets the true one."""
    requests: list[str] = field(default_factory=list)
    """Method and path with query of each request, in order."""
    _failed: set[str] = field(default_factory=set)
    _server: _PromptServer | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        application = Starlette(routes=self.routes)
        application.add_middleware(BaseHTTPMiddleware, dispatch=self._dispatch)
        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            lifespan="off",
            ws="none",
            # A fault may say another time.
            date_header=False,
        )
        self._server = _PromptServer(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"The emulator did not start on port {self.port}: is it taken?")
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.stop()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        asked = f"{request.method} {request.url.path}{query}"
        self.requests.append(asked)
        fault = next((one for one in self.faults if request.url.path.endswith(one.path)), None)
        if fault is not None:
            self.faults.remove(fault)
        elif self.first is not None and asked not in self._failed:
            self._failed.add(asked)
            fault = self.first(request.url.path)
        if fault is None:
            return await call_next(request)
        if fault.delay_seconds:
            import anyio

            await anyio.sleep(fault.delay_seconds)
        if fault.before is not None:
            fault.before()
            return await call_next(request)
        return Response(fault.body, fault.status, fault.headers)
