"""Proves that buffers do not fit an arena, or places them in it: branch and bound over who lies below whom.

Two buffers that may not lie anywhere leave a choice, the one below or the other, which is a difference
constraint on their offsets either way. Offsets have a lowest and a highest value under the constraints
that are decided; a choice that these rule out decides the pair. See Carlier and Pinson, "An Algorithm for
Solving the Job-Shop Problem" (1989), for the same idea on machines in place of bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A pair of buffers in `arena_fits`: x[second] >= x[first] + up, or x[first] >= x[second] + down.
Choice = tuple[int, int, int, int]


class OutOfWorkError(Exception):
    """The budget was spent before there was an answer."""


@dataclass(slots=True)
class Work:
    """Pairs that may still be looked at."""

    left: int


def arena_fits(
    sizes: Sequence[int], choices: Sequence[Choice], arena: int, unit: int, work: Work
) -> list[int] | None:
    """Offsets in multiples of `unit` with which all buffers end within `arena`; None when there are none.

    Raises OutOfWorkError.
    """
    highest = [(arena - size) // unit * unit if arena >= size else -1 for size in sizes]
    if min(highest, default=0) < 0:
        return None
    rounded = [(i, j, -(-up // unit) * unit, -(-down // unit) * unit) for i, j, up, down in choices]
    return _search([0] * len(sizes), highest, rounded, [], work)


def _search(
    low: list[int], high: list[int], open_choices: list[Choice], edges: list[tuple[int, int, int]], work: Work
) -> list[int] | None:
    left = _propagate(low, high, open_choices, edges, work)
    if left is None:
        return None
    if not left:
        return low
    # The tightest pair first: one of its two ways is likely to fail at once.
    slacks = [
        (min(high[j] - low[i] - up, high[i] - low[j] - down), at) for at, (i, j, up, down) in enumerate(left)
    ]
    i, j, up, down = left.pop(min(slacks)[1])
    ways = [(i, j, up), (j, i, down)]
    if high[j] - low[i] - up < high[i] - low[j] - down:
        ways.reverse()
    for way in ways:
        found = _search(list(low), list(high), list(left), [*edges, way], work)
        if found is not None:
            return found
    return None


def _propagate(
    low: list[int], high: list[int], open_choices: list[Choice], edges: list[tuple[int, int, int]], work: Work
) -> list[Choice] | None:
    """Tighten `low` and `high` as far as `edges` tell, add edges that are forced.

    Answers the pairs that are still open, None for a contradiction.
    """
    changed = True
    while changed:
        changed = False
        work.left -= len(edges) + len(open_choices)
        if work.left < 0:
            raise OutOfWorkError
        for below, above, distance in edges:
            if low[above] < low[below] + distance:
                low[above] = low[below] + distance
                changed = True
            if high[below] > high[above] - distance:
                high[below] = high[above] - distance
                changed = True
            if low[above] > high[above] or low[below] > high[below]:
                return None
        still = []
        for choice in open_choices:
            i, j, up, down = choice
            can_up, can_down = low[i] + up <= high[j], low[j] + down <= high[i]
            if can_up and can_down:
                # Where every offset left keeps them apart, there is nothing to decide.
                if low[j] < high[i] + up and low[i] < high[j] + down:
                    still.append(choice)
                continue
            if not can_up and not can_down:
                return None
            edges.append((i, j, up) if can_up else (j, i, down))
            changed = True
        open_choices = still
    return open_choices
