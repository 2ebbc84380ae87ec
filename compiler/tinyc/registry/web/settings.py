"""What a server of the registry allows, and what it serves."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tinyc.registry.asking import BeatTable
from tinyc.registry.queries import NamedQuery
from tinyc.registry.store.base import Limits, Store

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
BODY_LIMIT = 16 << 20


class Heartbeats(BeatTable, Protocol):
    """The part of the heartbeat table that the page reads."""

    def get(self, devices: Iterable[str]) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """`hosts` are the names by which this server may be called, without ports. `numbers`: also by any address
    in numbers; a page elsewhere can bind its name to an address, but is never called by one.

    `seconds` and `rows` bound one query (None: no bound), `body` the bytes of a request, `body_seconds` how
    long it may take to arrive, `header_seconds` how long the headers may. `queries` at a time are run, others
    wait; `connections` are open at most. `token` None serves reads only. `union` says whether the default
    graph of a query at the endpoint is the union of all graphs where it does not say. `checked`: updates run
    only if the shapes hold afterwards.
    """

    hosts: frozenset[str] = LOOPBACK
    numbers: bool = False
    seconds: float | None = 30.0
    rows: int | None = 100_000
    token: str | None = None
    union: bool = False
    checked: bool = True
    body: int = BODY_LIMIT
    body_seconds: float = 30.0
    header_seconds: float = 15.0
    queries: int = 4
    connections: int = 256

    @property
    def limits(self) -> Limits:
        return Limits(self.seconds, self.rows)


@dataclass(frozen=True, slots=True)
class Service:
    """A store with what belongs to it. `named` are the named queries, by name."""

    store: Store
    heartbeats: Heartbeats | None = None
    named: Mapping[str, NamedQuery] = field(default_factory=dict)
    title: str = "registry"
    settings: Settings = Settings()


def names_of(host: str, more: tuple[str, ...] = ()) -> tuple[frozenset[str], bool]:
    """By which names a server bound to `host` may be called, and whether by any address in numbers."""
    if f"[{host}]" in LOOPBACK or host in LOOPBACK:
        return LOOPBACK | frozenset(name.lower() for name in more), False
    own = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    return LOOPBACK | frozenset(own) | frozenset(name.lower() for name in more), True
