"""Where the firmware of a board runs on this machine."""

from __future__ import annotations

from tinyc.boards import Board
from tinyc.emulator.chips import NAMES
from tinyc.emulator.qemu import MACHINES


def emulators(board: Board) -> tuple[str, ...]:
    """What runs it, for people; the first one is what `tinyc run` takes."""
    own = ("the emulated chip",) if board.soc in NAMES else ()
    return (*own, f"QEMU `{MACHINES[board.name]}`") if board.name in MACHINES else own
