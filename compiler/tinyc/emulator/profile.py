"""What an execution cost, in total and by function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyc.emulator.counting import Counter
from tinyc.emulator.image import Image

NO_FUNCTION = "(no function)"


@dataclass(frozen=True, slots=True)
class Counts:
    """Executed instructions (exact), Cortex-M4 cycles (an estimate) and calls.

    `calls` counts the entries of a watched function; it is 0 in exclusive counts.
    """

    instructions: int
    cycles_estimated: int
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts since the last reset of the profile.

    `functions` is exclusive: what the function's own instructions cost. `watched` is inclusive: all
    that ran between entry and return of the watched function, its callees and interrupts included.
    """

    instructions: int
    cycles_estimated: int
    functions: Mapping[str, Counts]
    watched: Mapping[str, Counts]


def make_profile(counter: Counter, image: Image, cycles: int, watched: tuple[str, ...]) -> Profile:
    """The profile of `counter`; `cycles` is the estimate since the reset, exceptions included."""
    totals: dict[str, list[int]] = {}
    for block in counter.blocks():
        at = image.index_at(block.address)
        name = image.functions[at].name if at >= 0 else NO_FUNCTION
        total = totals.setdefault(name, [0, 0])
        total[0] += block.instructions * block.count
        total[1] += block.cycles
    functions = {name: Counts(*total) for name, total in totals.items()}
    ordered = dict(sorted(functions.items(), key=lambda item: (-item[1].instructions, item[0])))
    inclusive = {
        name: Counts(one.instructions, one.cycles, one.calls)
        for name, one in zip(watched, counter.watched(), strict=True)
    }
    return Profile(counter.instructions, cycles, ordered, inclusive)
