"""The journals of the builds here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyc.cli import output
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.registry.facts import Fact
    from tinyc.registry.journal import Journal
    from tinyc.registry.registry import Registry


def replay_here(registry: Registry, folder: Path) -> int:
    """Write what waits in the journals below a folder; how many facts that were."""
    from tinyc.registry.journal import waiting_under

    return sum(replay(registry, journal) for journal in waiting_under(folder))


def replay(registry: Registry, journal: Journal) -> int:
    """Write what waits in a journal; how many facts that were. Raises TinycError as the registry does."""

    def write(fact: Fact, live: bool) -> None:
        registry.apply(fact, live=live)

    try:
        done = journal.replay(write)
    except OSError as error:
        raise TinycError(f"cannot be replayed: {error.strerror}", where=str(journal.path)) from error
    for refusal in done.refused:
        output.talk(f"refused, and kept aside: {refusal}")
    if done.failure is not None:
        raise done.failure
    if done.written:
        output.talk(f"{journal.path.parent.parent}: {done.written} facts that waited are written")
    return done.written
