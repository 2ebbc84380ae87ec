"""A Thing Description directory: a small HTTP server that lists what it is given, page by page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Answer(Exception):  # noqa: N818
    """Stands in for the listing: a status, headers and a body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Directory(ThreadingHTTPServer):
    """`things` are listed `limit` at a time, by Link headers or as collections; `answers` come before."""

    daemon_threads = True

    def __init__(self, things: Sequence[Any], limit: int, *, collections: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.things = things
        self.limit = limit
        self.collections = collections
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Directory

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        planned = self.server.answers.get(self.path)
        if planned is not None:
            self._send(planned.status, planned.headers, planned.body)
            return
        parts = urlsplit(self.path)
        if parts.path != "/things":
            self._send(404, {})
            return
        first = int(parse_qs(parts.query).get("offset", ["0"])[0])
        page = list(self.server.things[first : first + self.server.limit])
        after = first + self.server.limit
        target = f"/things?offset={after}" if after < len(self.server.things) else ""
        headers = {"Content-Type": "application/ld+json"}
        value: Any = page
        if self.server.collections:
            value = {"@type": "ThingCollection", "members": page, **({"next": target} if target else {})}
        elif target:
            headers["Link"] = f'<{target}>; rel="next", </things>; rel="canonical"'
        self._send(200, headers, json.dumps(value).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def directory(things: Sequence[Any], limit: int = 3, *, collections: bool = False) -> Iterator[Directory]:
    server = Directory(things, limit, collections=collections)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
