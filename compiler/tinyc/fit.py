"""Which boards a model is for: memory and predicted time on each, best first. Needs no toolchain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinyc import pipeline, selection, variants
from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.memory.budget import Budget, budget
from tinyc.memory.front_end import FrontEnd
from tinyc.objective import Objective
from tinyc.patches import patches_of
from tinyc.source import Source
from tinyc.token_blocks import with_blocks


@dataclass(frozen=True, slots=True)
class Fit:
    """A model on one board. `budget` is None where the board cannot run it, whatever its memory.

    `problems` say why it does not fit: the memory or, by layer, what has no kernel. `cycles` are predicted
    for one inference, None where `no_cycles` says why not. `of_another_core`: fitted to a Cortex-M4,
    and this core only has its instructions.
    """

    board: Board
    budget: Budget | None
    problems: tuple[Problem, ...]
    cycles: int | None = None
    of_another_core: bool = False
    no_cycles: str = ""

    @property
    def fits(self) -> bool:
        return not self.problems

    @property
    def milliseconds(self) -> float | None:
        """Predicted time of one inference at the board's clock."""
        return None if self.cycles is None else self.cycles / self.board.clock_hz * 1000

    @property
    def flash_short(self) -> int:
        """Bytes of flash that are missing."""
        return max(0, self.budget.flash - self.budget.flash_available) if self.budget else 0

    @property
    def ram_short(self) -> int:
        """Bytes of RAM that are missing."""
        return max(0, self.budget.ram - self.budget.ram_available) if self.budget else 0

    def to_json(self) -> dict[str, Any]:
        found = self.budget
        return {
            "board": self.board.name,
            "core": self.board.core,
            "clock_hz": self.board.clock_hz,
            "fits": self.fits,
            "flash": found.flash if found else None,
            "flash_available": found.flash_available if found else None,
            "flash_short": self.flash_short if found else None,
            "ram": found.ram if found else None,
            "ram_available": found.ram_available if found else None,
            "ram_short": self.ram_short if found else None,
            "arena": found.arena if found else None,
            "cycles_predicted": self.cycles,
            "milliseconds_predicted": self.milliseconds,
            "fitted_to_this_core": None if self.cycles is None else not self.of_another_core,
            "no_prediction": self.no_cycles or None,
            "problems": [
                {"where": problem.where, "what": problem.what, "allowed": problem.allowed}
                for problem in self.problems
            ],
        }


def fits(graph: Graph, source: Source, boards: Sequence[Board], objective: Objective) -> Iterator[Fit]:
    """The fit on every board, in their order; `graph` is legal and quantized.

    What learns on the device and 6LoWPAN are not counted.
    """
    front_end = FrontEnd.of(source.audio, source.tokenizer)
    choices = selection.Choices(with_blocks(graph), objective, front_end)
    return (_fit(graph, source, board, objective, choices) for board in boards)


def ranked(found: Sequence[Fit]) -> tuple[Fit, ...]:
    """Best first: boards that fit, then by bytes short, then those without a kernel for some layer.

    Boards that fit are in the order of their predicted time, behind them those without one, by clock.
    """

    def key(fit: Fit) -> tuple[float, ...]:
        time = fit.milliseconds
        unknown = float(time is None)
        return (
            float(fit.budget is None),
            fit.flash_short + fit.ram_short,
            unknown,
            -fit.board.clock_hz if time is None else time,
        )

    return tuple(sorted(found, key=lambda fit: (key(fit), fit.board.name)))


def _fit(graph: Graph, source: Source, board: Board, objective: Objective, choices: selection.Choices) -> Fit:
    try:
        steps, _ = choices.choose(board)
        program = pipeline.compile_graph(
            graph,
            board,
            name=source.name,
            labels=source.labels,
            audio=source.audio,
            tokenizer=source.tokenizer,
            optimize=objective,
            version=source.version,
            kernels=[step.kernel.symbol for step in steps],
            patches=patches_of(selection.with_steps(with_blocks(graph), steps)),
        )
    except TinycError as error:
        return Fit(board, None, error.problems or (Problem("model", error.what, error.allowed),))
    memory = budget(program)
    found = variants.prediction(program)
    cycles = found.work.cycles if found.work else None
    return Fit(board, memory, memory.problems(), cycles, found.of_another_core, found.reason)
