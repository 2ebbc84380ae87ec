"""Why a run of the emulated chip came back."""

from __future__ import annotations

from enum import Enum, auto


class Ended(Enum):
    """Why `Machine.run` came back."""

    IDLE = auto()  # the firmware waits for input
    OUTPUT = auto()  # the wanted number of bytes has come
    BUDGET = auto()  # the time is up
    POWER_LOST = auto()  # the power was cut; nothing runs until `power_cycle`
    HALTED = auto()  # by the debugger
