"""A registry that is open: facts go in, queries come out of its store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pyoxigraph import NamedNode

from tinyc.errors import Problem, TinycError
from tinyc.files import write_together
from tinyc.registry import reading
from tinyc.registry.boards import board_facts
from tinyc.registry.change import Change
from tinyc.registry.constraints import show
from tinyc.registry.facts import DeploymentFact, Fact, SightingFact
from tinyc.registry.location import DESCRIPTION, Location
from tinyc.registry.preview import after
from tinyc.registry.shapes import check
from tinyc.registry.store.base import Store
from tinyc.registry.store.embedded import EmbeddedStore

if TYPE_CHECKING:
    from tinyc.registry.heartbeats import Heartbeats

FORMAT = 1
STORE = "store"
HEARTBEATS = "heartbeats.sqlite"
WAIT = 10.0
TOKEN = "TINYC_REGISTRY_TOKEN"
"""The variable with the bearer token of an endpoint."""


class Refused(TinycError):  # noqa: N818
    """A fact that contradicts the shapes: it will not be taken later either."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A fact that the registry has. `notes` are for people: what is odd about it."""

    fact: Fact
    notes: tuple[str, ...] = ()


class Registry:
    """A store and where facts go in it. `graph` None is the default graph."""

    def __init__(
        self,
        store: Store,
        graph: NamedNode | None = None,
        location: Location | None = None,
        *,
        writable: bool = True,
    ) -> None:
        self.store = store
        self.graph = graph
        self.location = location
        self._writable = writable
        self._heartbeats: Heartbeats | None = None

    @classmethod
    def open(
        cls,
        location: Location,
        *,
        writable: bool = True,
        wait: float = WAIT,
        verb: str = "tinyc",
        url: str = "",
    ) -> Self:
        """Open a registry, or make it where its location allows that. `wait`: seconds for another writer.

        `verb` is what others that wait are told of this process, `url` where it answers when it is a server.

        Raises TinycError when it is not there, not reachable, of another format, or busy.
        """
        folder = location.folder
        if folder is None:
            return cls(_endpoint(location), location.graph, location, writable=writable)
        told = _read(folder)
        if told is None:
            if not (location.may_create and writable):
                raise _absent(location)
            told = _write(folder, location.graph)
            with cls.open(location, wait=wait, verb=verb) as made:
                made.apply_all(board_facts())
        store = EmbeddedStore(folder / STORE, writable=writable, wait=wait, verb=verb, url=url)
        return cls(store, location.graph or told.graph, location, writable=writable)

    @classmethod
    def create(cls, location: Location, *, wait: float = WAIT) -> Self:
        """Make the folder of a registry and open it; one that is there, or an endpoint, is opened as it is.

        Raises TinycError as `open` does, and when the folder cannot be made.
        """
        return cls.open(replace(location, may_create=True), wait=wait)

    @property
    def heartbeats(self) -> Heartbeats | None:
        """The table of heartbeats; None where there is none: behind a URL that names no database, and in a
        folder that is only read and has none yet. Raises TinycError when the database cannot be used."""
        if self._heartbeats is None and self.location is not None:
            url, folder = self.location.heartbeats, self.location.folder
            if not url and folder is not None:
                file = (folder / HEARTBEATS).resolve()
                url = f"sqlite:///{file}" if self._writable or file.exists() else ""
            if url:
                # SQLAlchemy takes longer to import than a build takes to be written down.
                from tinyc.registry.heartbeats import Heartbeats

                self._heartbeats = Heartbeats(url)
        return self._heartbeats

    def apply(self, fact: Fact, *, live: bool = True) -> Applied:
        """Write a fact down: all of it or nothing, and once for good however often it comes.

        `live`: it happens now, so a device runs it whatever times were told before; a fact that is replayed
        does not take over from a later one. Raises Refused for one that contradicts the shapes, and
        TinycError as the store does.
        """
        notes = self._notes(fact) if live else ()
        change = fact.change(live=live)
        self._check(change)
        self.store.update(change.text(self.graph))
        return Applied(fact, notes)

    def apply_all(self, facts: Iterable[Fact], *, live: bool = True) -> tuple[Applied, ...]:
        """Each fact by itself, in order. Raises as `apply` does; those before it are kept."""
        return tuple(self.apply(fact, live=live) for fact in facts)

    def _check(self, change: Change) -> None:
        """Raise Refused when what the nodes would be contradicts their shapes."""
        wrong = check(after(change, self.store, self.graph), self.store)
        if wrong:
            raise Refused(
                "the registry would contradict its shapes",
                where=str(self.location or ""),
                problems=[Problem(show(each.node), each.message) for each in wrong],
            )

    def _notes(self, fact: Fact) -> tuple[str, ...]:
        if not isinstance(fact, DeploymentFact | SightingFact):
            return ()
        current = reading.current(self.store, fact.device)
        if current is None or current.at is None or current.at <= fact.at:
            return ()
        return (
            f"the clock went back: {fact.board} {fact.chip} was deployed to at {current.at.isoformat()}, "
            f"which is after {fact.at.isoformat()}; what was told last counts",
        )

    def close(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _endpoint(location: Location) -> Store:
    from tinyc.registry.store.endpoint import Addresses, EndpointStore

    addresses = Addresses.of(location.url, token=os.environ.get(TOKEN, ""))
    return EndpointStore(addresses, graph=location.graph)


@dataclass(frozen=True, slots=True)
class _Description:
    graph: NamedNode | None


def _read(folder: Path) -> _Description | None:
    """`registry.json`, None where there is none. Raises TinycError for one of another format."""
    path = folder / DESCRIPTION
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise TinycError(
                f"the registry has format {told['format']!r}",
                where=str(path),
                allowed=f"format {FORMAT}",
                hint="a newer tinyc made it",
            )
        return _Description(NamedNode(told["graph"]) if told["graph"] else None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TinycError(f"cannot be read: {error}", where=str(path)) from error


def _write(folder: Path, graph: NamedNode | None) -> _Description:
    told = {"format": FORMAT, "graph": graph.value if graph else None}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_together({folder / DESCRIPTION: (json.dumps(told, indent=2) + "\n").encode()})
    except OSError as error:
        raise TinycError(f"cannot be made: {error.strerror}", where=str(folder)) from error
    return _Description(graph)


def _absent(location: Location) -> TinycError:
    hint = "the first `tinyc build` or `tinyc flash` makes it, or `tinyc registry init`"
    return TinycError(
        "there is no registry yet" if location.may_create else "is no registry",
        where=f"{location.folder} (named by {location.told_by})",
        hint=hint if location.may_create else "`tinyc registry init PATH` makes one",
    )
