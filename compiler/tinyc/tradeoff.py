"""What a model costs in arena, work and flash under the choices that no other one beats in all three."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from tinyc import selection
from tinyc.memory.budget import budget
from tinyc.memory.front_end import FrontEnd
from tinyc.memory.plan import MemoryPlan
from tinyc.objective import Objective
from tinyc.program import Program, Step
from tinyc.token_blocks import with_blocks
from tinyc.variants import total


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of kernels. Sizes in bytes; `arena` is exact, the rest predicted.

    Instructions and cycles are of one inference on a Cortex-M4 (`kernels.kernel.Work`), None where a kernel
    does not state its work. `optimize` are the objectives that choose it, "" for none of them.
    """

    arena: int
    instructions: int | None
    cycles: int | None
    flash: int
    optimize: str
    chosen: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def costs(self) -> tuple[float, float, float]:
        work = float("inf") if self.cycles is None else float(self.cycles)
        return self.arena, work, self.flash


def tradeoff(program: Program) -> tuple[Point, ...]:
    """The choices for the program's model and board that none beats in arena, cycles and flash.

    The program's own is among them in any case. Smallest arena first.
    """
    graph = with_blocks(program.graph.expanded())
    front_end = FrontEnd.of(program.audio, program.tokenizer)
    found = [_point(program, program.steps, program.plan, program.optimize, chosen=True)]
    for objective, (steps, plan) in selection.choices(graph, program.board, front_end):
        whole = replace(program, graph=selection.with_steps(graph, steps))
        found.append(_point(whole, steps, plan, objective))
    return _merged(found)


def _point(
    program: Program,
    steps: tuple[Step, ...],
    plan: MemoryPlan,
    objective: Objective | None,
    chosen: bool = False,
) -> Point:
    whole = replace(program, steps=steps, plan=plan)
    work = total(whole)
    return Point(
        arena=plan.arena_size,
        instructions=work.instructions if work else None,
        cycles=work.cycles if work else None,
        flash=budget(whole).flash,
        optimize=objective.value if objective else "",
        chosen=chosen,
    )


def _merged(points: Iterable[Point]) -> tuple[Point, ...]:
    """One point for each triple of costs, without those that another one beats."""
    alike: dict[tuple[float, ...], list[Point]] = {}
    for point in points:
        alike.setdefault(point.costs, []).append(point)
    found = []
    for costs, same in alike.items():
        chosen = any(point.chosen for point in same)
        beaten = any(other != costs and all(map(float.__le__, map(float, other), costs)) for other in alike)
        if chosen or not beaten:
            names = ", ".join(sorted({point.optimize for point in same} - {""}))
            found.append(replace(same[0], optimize=names, chosen=chosen))
    return tuple(sorted(found, key=lambda point: point.costs))
