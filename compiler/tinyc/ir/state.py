"""State: what a model keeps from one inference to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyc.ir.tensor import Array, TensorName


@dataclass(frozen=True, slots=True)
class State:
    """A variable tensor. Layers read it as `name`; what an inference leaves in it is `update`.

    Both tensors have one shape, type and place in memory. `initial` is its value after a reset.
    """

    name: TensorName
    update: TensorName
    initial: Array = field(repr=False, compare=False)
