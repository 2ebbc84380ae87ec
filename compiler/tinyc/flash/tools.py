"""Running the programs that flash: found or missing, and believed only when they say the right words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyc import programs
from tinyc.errors import TinycError

# Slow lines and large chips take minutes; no firmware takes that long.
_SECONDS = 600.0


def need(name: str, how: str, others: Sequence[str] = ()) -> Path:
    """The program `name`, or one of its `others` names. Raises TinycError that says how to get it."""
    for each in (name, *others):
        found = programs.find(each)
        if found is not None:
            return found
    raise TinycError(f"the program `{name}` is not installed", hint=how)


def run(
    command: Sequence[str | Path],
    *,
    proof: str = "",
    hint: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a flashing program to its end and return what it printed.

    Raises TinycError with its last lines when it fails, and when it says success without `proof`,
    the words that it prints only when all went well.
    """
    words = [str(part) for part in command]
    name = Path(words[0]).name
    # Tools that count on a terminal must not colour or redraw their lines.
    plain = {**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1", **(environment or {})}
    done = programs.run(words, _SECONDS, plain)
    if done.status != 0:
        raise TinycError(f"`{name}` failed with status {done.status}\n{done.tail()}", hint=hint)
    if proof not in done.output:
        raise TinycError(
            f"`{name}` ends as if all were well, but never said `{proof}`\n{done.tail()}", hint=hint
        )
    return done.output
