"""What `tinyc learn` writes into the registry: learned states, with the release they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyc.cli.learn.session import Session
    from tinyc.learning.head_file import HeadFile


def record_learned(session: Session, say: Callable[[str], None], head: HeadFile | None = None) -> None:
    """Write down what the device has learned, where a registry is meant in the working directory.

    An emulated chip is no device, and the factory's head is nothing that was learned. Never raises.
    """
    from tinyc.registry.learning import learned_facts
    from tinyc.registry.location import find
    from tinyc.registry.recorder import record

    if session.emulated:
        return
    try:
        if find(start=Path.cwd()) is None:
            return
        if head is None:
            from tinyc.learning.transfer import export_head

            head = export_head(session.learner, session.hello)
        told = session.learner.learned()
        facts = learned_facts(session.hello, told, head.head, before=session.learned)
    # The device has learned it, whatever becomes of its entry.
    except Exception as error:
        say(f"the registry is not told: {error}")
        return
    if facts:
        for note in record(Path.cwd(), facts).notes:
            say(note)
