"""Chosen and rejected kernels of a program, layer by layer, with their costs and the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tinyc.fusion import fusible
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.kernels.kernel import Kernel, Lowered, Work
from tinyc.kernels.work import FITTED_CORE, FITTED_FEATURE
from tinyc.objective import Objective
from tinyc.program import Program, Step


@dataclass(frozen=True, slots=True)
class Candidate:
    """One kernel of a layer's operator. Costs are None where the kernel does not take the layer.

    `work` is predicted, None where the kernel does not predict it.
    `reason` says why it was not chosen, "" for the chosen one.
    """

    kernel: Kernel
    chosen: bool
    accepted: bool
    reason: str
    work: Work | None = None
    scratch: int | None = None
    constants: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "kernel": self.kernel.symbol,
            "chosen": self.chosen,
            "accepted": self.accepted,
            "reason": self.reason,
            "instructions": self.work.instructions if self.work else None,
            "cycles": self.work.cycles if self.work else None,
            "scratch": self.scratch,
            "constants": self.constants,
        }


def predicted(op: Op, graph: Graph, kernel: Kernel) -> Work | None:
    """What the kernel says it executes for this layer."""
    return kernel.work(op, graph) if kernel.work else None


def total(program: Program) -> Work | None:
    """The predicted work of all layers, None when one does not predict."""
    works = [predicted(step.op, program.graph, step.kernel) for step in program.steps]
    known = [work for work in works if work is not None]
    if len(known) < len(works):
        return None
    return Work(sum(work.instructions for work in known), sum(work.cycles for work in known))


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted work of one inference on the program's board, None where `reason` says why.

    `of_another_core`: the cycles are those of a Cortex-M4, this core only has its instructions.
    """

    work: Work | None
    of_another_core: bool = False
    reason: str = ""


def prediction(program: Program) -> Prediction:
    """What all layers are predicted to execute, as far as the figures hold for the program's board."""
    board = program.board
    if FITTED_FEATURE not in board.features:
        return Prediction(None, reason="the work of kernels is fitted to another instruction set")
    if (work := total(program)) is None:
        mute = [step for step in program.steps if predicted(step.op, program.graph, step.kernel) is None]
        names = ", ".join(f"#{step.index} {step.kernel.symbol}" for step in mute)
        return Prediction(None, reason=f"no work is stated for {names}")
    return Prediction(work, board.core != FITTED_CORE)


def candidates(program: Program) -> tuple[tuple[Candidate, ...], ...]:
    """For every layer all kernels of its operator: the chosen one, then the others in catalogue order.

    Where a layer could be fused with the next one, the kernels that do so come last, compared with both.
    """
    pairs = fusible(program.graph)
    found = []
    for index, step in enumerate(program.steps):
        chosen = _chosen(program, step)
        others = _others(program, step.op, chosen)
        if index in pairs:
            second = _chosen(program, program.steps[index + 1])
            others += _others(program, pairs[index], _sum(chosen, second))
        found.append((chosen, *others))
    return tuple(found)


def _chosen(program: Program, step: Step) -> Candidate:
    work, constants = predicted(step.op, program.graph, step.kernel), step.lowered.constant_bytes()
    return Candidate(step.kernel, True, True, "", work, step.scratch, constants)


def _sum(first: Candidate, second: Candidate) -> Candidate:
    """The costs of two kernels that run one after the other."""
    work = first.work + second.work if first.work and second.work else None
    scratch = max(first.scratch or 0, second.scratch or 0)
    return replace(
        first, work=work, scratch=scratch, constants=(first.constants or 0) + (second.constants or 0)
    )


def _others(program: Program, op: Op, chosen: Candidate) -> list[Candidate]:
    """The kernels of an op but the chosen one, and why they are not."""
    graph = program.graph
    found = []
    for kernel in CATALOGUE:
        if kernel.op is not type(op) or kernel.symbol == chosen.kernel.symbol:
            continue
        lacking = sorted(kernel.requires - program.board.features)
        if lacking:
            reason = f"the board lacks {', '.join(lacking)}"
            found.append(Candidate(kernel, False, False, reason))
            continue
        if better := sorted(kernel.superseded & program.board.features):
            found.append(Candidate(kernel, False, False, f"for boards without {', '.join(better)}"))
            continue
        lowered = _lowered(op, graph, kernel)
        if isinstance(lowered, str):
            found.append(Candidate(kernel, False, False, lowered))
            continue
        work, scratch = predicted(op, graph, kernel), kernel.scratch(op, graph)
        other = Candidate(kernel, False, True, "", work, scratch, lowered.constant_bytes())
        found.append(replace(other, reason=_reason(other, chosen, program.optimize)))
    return found


def _lowered(op: Op, graph: Graph, kernel: Kernel) -> Lowered | str:
    """The parameters of the layer, or why there are none."""
    if not kernel.accepts(op, graph):
        return "does not take this layer"
    try:
        return kernel.lower(op, graph)
    except ValueError as error:
        return str(error)


def _reason(other: Candidate, chosen: Candidate, objective: Objective) -> str:
    """What `other` costs more than the chosen one, and what it would save."""
    if other.work is None:
        return "does not state its work"
    differences = (
        (other.work.cycles - chosen.work.cycles if chosen.work else 0, "cycles"),
        ((other.scratch or 0) - (chosen.scratch or 0), "B of scratch"),
        ((other.constants or 0) - (chosen.constants or 0), "B of constants"),
    )
    more = [f"{difference:,} {unit}" for difference, unit in differences if difference > 0]
    less = [f"{-difference:,} {unit}" for difference, unit in differences if difference < 0]
    parts = [f"{', '.join(more)} more"] if more else []
    parts += [f"{', '.join(less)} less"] if less else []
    if not more and objective is Objective.TUNED:
        parts.append("counted more")
    elif not more:
        parts.append("more code or arena" if less else "costs the same")
    return "; ".join(parts)
