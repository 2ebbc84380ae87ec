"""What the choice of kernels is to minimise, and within which limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tinyc.errors import Problem

SIZE = "bytes, as 32768 or 32k (1k = 1024)"


class Objective(Enum):
    """See docs/concepts/kernel-choice.md."""

    BALANCED = "balanced"
    TIME = "time"
    RAM = "ram"
    FLASH = "flash"
    TUNED = "tuned"


OBJECTIVES = tuple(objective.value for objective in Objective)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes that arena and flash may take, None for what the board has."""

    arena: int | None = None
    flash: int | None = None

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], problems: list[Problem]) -> Limits:
        """`max_arena` and `max_flash` of `[build]`; what is wrong with them is added to `problems`."""
        found = []
        for key in ("max_arena", "max_flash"):
            size = None
            if key in table:
                try:
                    size = parse_size(table[key])
                except ValueError:
                    problems.append(Problem(f"build.{key}", f"is {table[key]!r}", f"needs {SIZE}"))
            found.append(size)
        return cls(*found)

    def otherwise(self, default: Limits) -> Limits:
        """These limits, and those of `default` where these say nothing."""
        return Limits(
            default.arena if self.arena is None else self.arena,
            default.flash if self.flash is None else self.flash,
        )

    def allow(self, arena: int, flash: int) -> bool:
        return (self.arena is None or arena <= self.arena) and (self.flash is None or flash <= self.flash)


def parse_size(value: object) -> int:
    """Bytes: a whole number from 1, or a text as `32768`, `32k`, `1M`. Raises ValueError."""
    if type(value) is int and value >= 1:
        return value
    found = re.fullmatch(r"([1-9][0-9]*)([kM]?)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no number of bytes")
    return int(found[1]) * {"": 1, "k": 1024, "M": 1024**2}[found[2]]
