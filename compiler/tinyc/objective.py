"""What the choice of kernels is to minimise."""

from __future__ import annotations

from enum import Enum


class Objective(Enum):
    """See docs/concepts/kernel-choice.md."""

    BALANCED = "balanced"
    TIME = "time"
    RAM = "ram"
    FLASH = "flash"
    TUNED = "tuned"


OBJECTIVES = tuple(objective.value for objective in Objective)
