"""What kernels take of a board's flash, and the room that it has for them and for the arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyc.boards import Board
from tinyc.memory.budget import runtime_ram, update_bytes
from tinyc.memory.front_end import FrontEnd
from tinyc.program import Step


@dataclass(frozen=True, slots=True)
class VariantFlash:
    """Flash of one variant: constants and parameters, and the code pieces it needs."""

    step: Step
    own: int
    pieces: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a board has for constants and code, and for the arena; `fixed` is its other RAM."""

    flash: int
    arena: int
    fixed: int

    @classmethod
    def of(cls, board: Board, front_end: FrontEnd) -> Room:
        memory = board.memory
        # Updates take room, and change nothing about what is worth its bytes.
        update_code, update_ram = update_bytes(board)
        fixed = memory.stack + runtime_ram(memory.ram) + front_end.ram
        return cls(memory.application_flash - update_code, memory.application_ram - update_ram - fixed, fixed)
