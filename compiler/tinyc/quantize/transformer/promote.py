"""Single tensors in 16 bits: what each would gain, and as many as the accuracy asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tinyc.ir.ops import Linear
from tinyc.quantize.bill import Promotion
from tinyc.quantize.choose import Progress
from tinyc.quantize.measure import decibel
from tinyc.quantize.simulate import sqnr
from tinyc.quantize.transformer.slots import MOVES
from tinyc.quantize.transformer.state import Plan, State

# Indices of slots.
Unit: TypeAlias = tuple[int, ...]

# Promotion ends when so many samples have the same answer as in float, ...
AGREEMENT = 0.99
# ... and, without labels, when the outputs' SQNR is this.
TARGET_DB = 30.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What decides about promotion. `drop`: lost top-1 accuracy in percent points, None without labels."""

    agreement: float
    sqnr_db: float
    drop: float | None

    def suffices(self, max_drop: float) -> bool:
        if self.agreement < AGREEMENT:
            return False
        # A drop within float rounding of the limit is none beyond it.
        return self.sqnr_db >= TARGET_DB if self.drop is None else self.drop <= max_drop + 1e-9


def layer_of(plan: Plan, index: int) -> str:
    """The layer that computes the tensors of a slot."""
    members = set(plan.slots[index].tensors)
    makers = (op for op in plan.graph.ops if op.kind not in MOVES and members & set(op.outputs))
    return next((op.name for op in makers), plan.slots[index].tensors[0])


def units(plan: Plan) -> tuple[Unit, ...]:
    """The slots that can be promoted, those that one linear layer reads together.

    The sums of its sources have one scale: an int8 source would leave an int16 one's weights few steps.
    """
    slot_of = {name: index for index, slot in enumerate(plan.slots) for name in slot.tensors}
    unit_of = {index: {index} for index in range(len(plan.slots))}
    for op in plan.graph.ops:
        if isinstance(op, Linear) and op.sources > 1:
            members = {slot_of[name] for name in op.inputs[: 2 * op.sources : 2]}
            together = set().union(*(unit_of[index] for index in members))
            unit_of.update(dict.fromkeys(together, together))
    found = dict.fromkeys(tuple(sorted(unit)) for unit in unit_of.values())
    return tuple(unit for unit in found if all(plan.slots[index].promotable for index in unit))


def gains(state: State, progress: Progress) -> dict[Unit, float]:
    """The rise of the network's SQNR, in dB, with nothing but a unit in 16 bits."""
    found = {}
    possible = units(state.plan)
    for position, unit in enumerate(possible):
        progress("measuring 16-bit tensors", position / len(possible))
        trial = state.changed(state.plan.promoted(unit))
        found[unit] = sqnr(trial.error) - sqnr(state.error)
    return found


def promote(
    state: State,
    wins: dict[Unit, float],
    quality: Callable[[State], Quality],
    max_drop: float,
    progress: Progress,
) -> tuple[State, tuple[Promotion, ...], bool]:
    """(state, what was promoted, whether the quality suffices), the largest of `wins` first.

    A unit whose 16 bits do not lower the error stays as it is.
    """
    promoted: list[Promotion] = []
    order = sorted(wins, key=lambda unit: -wins[unit])
    enough = quality(state).suffices(max_drop)
    for position, unit in enumerate(order):
        if enough:
            break
        progress("promoting tensors", position / len(order))
        trial = state.changed(state.plan.promoted(unit))
        if trial.error >= state.error:
            continue
        gain = decibel(sqnr(trial.error) - sqnr(state.error))
        for index in unit:
            tensor = state.plan.graph[state.plan.slots[index].tensors[0]]
            promoted.append(Promotion(layer_of(state.plan, index), tensor.name, gain, tensor.elements))
        state = trial
        enough = quality(state).suffices(max_drop)
    return state, tuple(promoted), enough
