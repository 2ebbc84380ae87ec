"""The boards that tinyc knows, as facts."""

from __future__ import annotations

from tinyc.boards import Board, board_names, load_board
from tinyc.registry.facts import BoardFact


def board_fact(board: Board) -> BoardFact:
    return BoardFact(
        name=board.name,
        title=board.title,
        soc=board.soc,
        core=board.core,
        clock_hz=board.clock_hz,
        flash=board.memory.application_flash,
        ram=board.memory.application_ram,
        sensors=board.sensors,
        features=tuple(sorted(board.features)),
    )


def board_facts() -> tuple[BoardFact, ...]:
    """Every board but this machine itself. Raises TinycError for a board file that is not valid."""
    return tuple(board_fact(load_board(name)) for name in board_names() if not load_board(name).is_host)
