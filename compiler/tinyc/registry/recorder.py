"""Writing facts down without ever failing: into the journal, then into the registry if it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.registry.facts import DeploymentFact, Fact
from tinyc.registry.journal import Journal
from tinyc.registry.location import Location, find, is_off
from tinyc.registry.registry import Registry

WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where facts went. `registry` is None when they are only in the journal; `notes` are for people."""

    registry: Location | None = None
    notes: tuple[str, ...] = ()


def record(folder: Path, facts: Sequence[Fact], *, start: Path | None = None) -> Recorded:
    """Write down facts of the build in `folder`, with what its journal still holds.

    The registry is the one that is meant at `start`, by default at the folder. Whatever goes wrong is told
    in the notes: what was just built or flashed is worth more than its entry.
    """
    if is_off():
        return Recorded()
    journal = Journal(folder)
    try:
        own = journal.append(facts)
    except OSError as error:
        return _without_journal(facts, start or folder, error)
    try:
        location = find(start=start or folder)
        if location is None:
            return Recorded()
        return _replay(journal, location, own)
    # A foreign store may raise anything, and none of it may stop a flash.
    except Exception as error:
        return Recorded(notes=(_kept(error),))


def _without_journal(facts: Sequence[Fact], start: Path, why: OSError) -> Recorded:
    """Straight into the registry, where the build folder takes no journal: full, or not to be written."""
    notes = [f"the registry's journal cannot be written: {why}"]
    try:
        location = find(start=start)
        if location is not None:
            with Registry.open(location, wait=WAIT) as registry:
                for fact in facts:
                    notes += registry.apply(fact).notes
    except Exception as error:
        notes.append(f"the registry cannot be written now, and nothing keeps this entry: {_words(error)}")
        location = None
    return Recorded(location, tuple(notes))


def _replay(journal: Journal, location: Location, own: Sequence[str]) -> Recorded:
    notes: list[str] = []
    with Registry.open(location, wait=WAIT) as registry:
        beats: list[DeploymentFact] = []

        def write(fact: Fact, live: bool) -> None:
            notes.extend(registry.apply(fact, live=live).notes)
            if isinstance(fact, DeploymentFact) and fact.verified:
                beats.append(fact)

        done = journal.replay(write, own)
        if beats:
            notes += _beat(registry, beats)
    notes += [f"the registry refused a fact: {error}" for error in done.refused]
    if done.failure is not None:
        return Recorded(notes=(*notes, _kept(done.failure)))
    return Recorded(location, tuple(notes))


def _beat(registry: Registry, deployments: Sequence[DeploymentFact]) -> list[str]:
    """A device that was verified was seen. Notes of what went wrong."""
    from tinyc.registry.heartbeats import Heartbeat

    try:
        table = registry.heartbeats
        if table is None:
            return []
        table.record(Heartbeat(fact.device.value, fact.at) for fact in deployments)
    except TinycError as error:
        return [f"the heartbeat is not written down: {error}"]
    return []


def _kept(error: Exception) -> str:
    return (
        f"the registry cannot be written now, the journal keeps it for `tinyc registry sync`: {_words(error)}"
    )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, TinycError | OSError) else f"{type(error).__name__}: {error}"
