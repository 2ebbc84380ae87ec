"""What a model costs in arena, work and flash under the choices that no other one beats in all three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from typing import Any, TypeAlias

from tinyc import selection
from tinyc.errors import DoesNotFit, Problem, TinycError
from tinyc.memory.budget import Budget, budget
from tinyc.memory.front_end import FrontEnd
from tinyc.objective import Limits, Objective
from tinyc.program import Program
from tinyc.token_blocks import with_blocks
from tinyc.variants import predicted, total

# Layers whose kernels do not state their work, and the cycles of the others.
_Work: TypeAlias = tuple[int, int]
_Costs: TypeAlias = tuple[int, _Work, int]


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


@dataclass(frozen=True, slots=True)
class _Option:
    """A program with one choice of kernels, and the objective that makes it."""

    program: Program
    budget: Budget
    work: _Work
    objective: Objective | None
    chosen: bool = False

    @classmethod
    def of(cls, program: Program, objective: Objective | None, chosen: bool = False) -> _Option:
        works = [predicted(step.op, program.graph, step.kernel) for step in program.steps]
        unknown, cycles = works.count(None), sum(work.cycles for work in works if work is not None)
        return cls(program, budget(program), (unknown, cycles), objective, chosen)

    @property
    def costs(self) -> _Costs:
        return self.budget.arena, self.work, self.budget.flash

    @property
    def fits(self) -> bool:
        """Whether the board has room for it."""
        return not self.budget.problems()

    def is_within(self, limits: Limits) -> bool:
        return limits.allow(self.budget.arena, self.budget.flash)

    def point(self, same: Iterable[_Option]) -> Point:
        """It and those of the `same` costs in the table."""
        work, same = total(self.program), tuple(same)
        return Point(
            arena=self.budget.arena,
            instructions=work.instructions if work else None,
            cycles=work.cycles if work else None,
            flash=self.budget.flash,
            optimize=", ".join(sorted({option.objective.value for option in same if option.objective})),
            chosen=any(option.chosen for option in same),
        )


def tradeoff(program: Program) -> tuple[Point, ...]:
    """The choices for the program's model and board that none beats in arena, cycles and flash.

    Those that the board has no room for are left out, unless there is no other. The program's own is among
    them in any case. Smallest arena first.
    """
    options = [_Option.of(program, program.optimize, chosen=True), *_fitting(list(_options(program)))]
    alike: dict[_Costs, list[_Option]] = {}
    for option in options:
        alike.setdefault(option.costs, []).append(option)
    kept = {
        costs: same
        for costs, same in alike.items()
        if any(option.chosen for option in same) or not any(_beats(other, costs) for other in alike)
    }
    return tuple(kept[costs][0].point(kept[costs]) for costs in sorted(kept))


def within(program: Program, limits: Limits, candidates: selection.Candidates | None = None) -> Program:
    """The program with the choice that its objective likes best within the limits.

    That is one of the table, by arena, cycles, flash or the measure of `balanced`. Limits that the objective
    keeps unasked change nothing. `candidates` are those of `selection.choose`.
    Raises DoesNotFit that names the least that is possible, TinycError for the objective `tuned`, of which
    no other choices are counted.
    """
    if program.optimize is Objective.TUNED:
        raise TinycError(
            "the choice of `tuned` takes no limits of arena and flash",
            hint="choose another --optimize, or leave out --max-arena and --max-flash",
        )
    own = _Option.of(program, program.optimize)
    # `time` looks at the others all the same: of two that are within the limits, the faster one is wanted.
    if program.optimize is not Objective.TIME and own.fits and own.is_within(limits):
        return program
    options = list(_options(program, candidates))
    allowed = [option for option in options if option.is_within(limits)]
    if not allowed:
        raise _nothing_within(program, options, limits, given=candidates is not None)
    return min(_fitting(allowed), key=lambda option: _rank(option, program.optimize)).program


def _options(program: Program, candidates: selection.Candidates | None = None) -> Iterator[_Option]:
    """The choices for the program's model and board, those that others beat among them."""
    graph = with_blocks(program.graph.expanded())
    front_end = FrontEnd.of(program.audio, program.tokenizer)
    for objective, (steps, plan) in selection.choices(graph, program.board, front_end, candidates):
        other = replace(program, graph=selection.with_steps(graph, steps), steps=steps, plan=plan)
        yield _Option.of(other, objective)


def _fitting(options: Sequence[_Option]) -> Sequence[_Option]:
    """Those that fit on the board, or all where none does."""
    return [option for option in options if option.fits] or options


def _beats(one: _Costs, other: _Costs) -> bool:
    return one != other and all((one[0] <= other[0], one[1] <= other[1], one[2] <= other[2]))


def _rank(option: _Option, objective: Objective) -> tuple[object, ...]:
    arena, work, flash = option.costs
    if objective is Objective.RAM:
        return arena, work, flash
    if objective is Objective.FLASH:
        return flash, work, arena
    if objective is Objective.BALANCED:
        unknown, cycles = work
        return unknown, cycles * (flash * option.budget.ram) ** selection.MEMORY_WEIGHT
    return work, arena, flash


def _nothing_within(
    program: Program, options: Sequence[_Option], limits: Limits, *, given: bool
) -> DoesNotFit:
    """The least arena and flash, each within the other's limit where that is possible at all, and the layers
    that take most of it. The kernels may be `given`, by a firmware that exists."""
    problems = []
    for what, limit, other, heaviest in (
        ("arena", limits.arena, Limits(flash=limits.flash), Budget.heaviest_in_arena),
        ("flash", limits.flash, Limits(arena=limits.arena), Budget.heaviest_in_flash),
    ):
        able = [option.budget for option in options if option.is_within(other)]
        least = min(able or [option.budget for option in options], key=attrgetter(what))
        need = getattr(least, what)
        if limit is not None and need > limit:
            problems.append(Problem(what, f"takes {need} bytes at least", f"the limit is {limit}"))
            problems += heaviest(least)
    more = "build without --firmware, whose kernels are the only ones here, or " if given else ""
    return DoesNotFit(
        f"no choice of kernels for model `{program.name}` on board `{program.board.name}` keeps the limits",
        problems=problems,
        hint=f"{more}raise the limit, or use a smaller model or input; `tinyc check --tradeoff` shows what "
        "there is to choose from",
    )
