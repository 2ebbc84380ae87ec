"""A named query asked: names looked up, values put in, heartbeats joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from tinyc.errors import TinycError
from tinyc.registry.lookup import resolve
from tinyc.registry.queries import LIMIT, NamedQuery
from tinyc.registry.store.base import NO_LIMITS, Limits, Rows, Store
from tinyc.registry.values import iri, moment


class Beat(Protocol):
    @property
    def device(self) -> str: ...


class BeatTable(Protocol):
    """What a query needs of the table of heartbeats."""

    def stale(self, before: datetime) -> Sequence[Beat]: ...

    def join(
        self, variables: Sequence[str], rows: Iterable[Sequence[Any]], variable: str
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]: ...


def ask(
    query: NamedQuery,
    texts: Mapping[str, str],
    store: Store,
    heartbeats: BeatTable | None = None,
    *,
    limits: Limits = NO_LIMITS,
) -> Rows:
    """The answer to `query` with these values, as a user wrote them.

    Columns of heartbeats are appended where the query names devices and there is a table. Raises TinycError
    for parameters that are wrong or that name nothing in the registry, and as the store does.
    """
    text = bound(query, texts, store, heartbeats)
    answer = store.query(text, limits=limits)
    if not isinstance(answer, Rows):
        raise TinycError("a named query must be a SELECT", where=query.name)
    if not query.heartbeat or heartbeats is None:
        return answer
    variables, rows = heartbeats.join(answer.variables, answer.rows, query.heartbeat)
    return Rows(variables, rows)


def bound(
    query: NamedQuery, texts: Mapping[str, str], store: Store, heartbeats: BeatTable | None = None
) -> str:
    """The SPARQL that `ask` runs. Raises as it does."""
    found = resolve(query, texts, store)
    text = query.bind(**found)
    return text if query.stale is None else text + _devices(query, found, heartbeats)


def _devices(query: NamedQuery, texts: Mapping[str, str], heartbeats: BeatTable | None) -> str:
    """The clause that leaves only devices which the table of heartbeats names."""
    if heartbeats is None:
        raise TinycError("there are no heartbeats here", where=query.name)
    assert query.stale is not None
    column, name = query.stale
    defaults = {each.name: each.default or "" for each in query.parameters}
    stale = heartbeats.stale(moment(texts[name]))
    most = int(texts.get(LIMIT, defaults[LIMIT]))
    devices = " ".join(str(iri(beat.device)) for beat in islice(stale, most))
    return f"VALUES ?{column} {{ {devices} }}\n"
