"""A real HTTP server of the registry in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pyoxigraph import NamedNode

from tinyc.registry.store.base import Store
from tinyc.registry.store.endpoint import Addresses, EndpointStore
from tinyc.registry.web import serve
from tinyc.registry.web.settings import Heartbeats, Service, Settings

TOKEN = "a-token-of-the-tests"


@contextmanager
def before(store: Store, default: NamedNode | None = None, **settings: Any) -> Iterator[EndpointStore]:
    """The registry's endpoint in front of `store`, as a store."""
    with serving(store, **{"seconds": None, "token": TOKEN, **settings}) as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        addresses = Addresses(f"{client.base_url}sparql", f"{client.base_url}update", "", headers)
        with EndpointStore(addresses, graph=default) as there:
            yield there


@contextmanager
def serving(
    store: Store, *, heartbeats: Heartbeats | None = None, named: Any = None, **settings: Any
) -> Iterator[httpx.Client]:
    """A client of a server with these settings; its `base_url` is the server's."""
    service = Service(store, heartbeats, named or {}, "test", Settings(**settings))
    ready = threading.Event()
    server = serve.server_of(service, ready.set)
    with serve.listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            with httpx.Client(base_url=serve.url_of(listening), timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
