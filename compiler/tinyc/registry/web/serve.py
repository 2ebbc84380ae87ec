"""The HTTP server around the application: its socket, its patience with slow clients, its end."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tinyc.errors import TinycError
from tinyc.registry.web.app import application
from tinyc.registry.web.settings import Service

_IDLE_SECONDS = 10
_END_SECONDS = 3
_HEADER_BYTES = 64 << 10


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` and `port` (0 for any). Raises TinycError when it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise TinycError(
            f"{host!r} is no address of this machine: {error.strerror}", where="--host"
        ) from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise TinycError(
                f"another program listens at port {port}", where="--port", hint="--port 0 takes a free one"
            ) from error
        raise TinycError(f"cannot listen at {host}:{port}: {error.strerror}", where="--host") from error
    return found


def url_of(listening: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def run(service: Service, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is called once requests are answered."""
    server_of(service, ready).run(sockets=[listening])


def server_of(service: Service, ready: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """The server: `run` serves until its `should_exit` is set."""
    settings = service.settings
    config = uvicorn.Config(
        application(service),
        http=_patient(settings.header_seconds, settings.body_seconds),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=min(_IDLE_SECONDS, math.ceil(settings.header_seconds)),
        timeout_graceful_shutdown=_END_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    server = _Server(config)
    server.ready = ready
    return server


class _Server(uvicorn.Server):
    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready()


def _patient(header_seconds: float, reading_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol waits for ever for headers, and for clients that do not read: this one does not."""

    class Patient(H11Protocol):
        _headers: asyncio.TimerHandle | None = None
        _writing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._await_headers()

        def _await_headers(self) -> None:
            waiting = self.conn.their_state is h11.IDLE
            if waiting and self._headers is None:
                self._headers = self.loop.call_later(header_seconds, self.transport.close)
            elif not waiting:
                self._headers = self._stopped(self._headers)

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._writing is None:
                self._writing = self.loop.call_later(reading_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._writing = self._stopped(self._writing)

        def connection_lost(self, exc: Exception | None) -> None:
            self._headers = self._stopped(self._headers)
            self._writing = self._stopped(self._writing)
            super().connection_lost(exc)

        @staticmethod
        def _stopped(timer: asyncio.TimerHandle | None) -> None:
            if timer is not None:
                timer.cancel()

    return Patient
