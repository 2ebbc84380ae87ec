"""From sums to int8 outputs by vectors of Armv8.1-M (MVE), channel by channel.

`requantization.one_step` where it has numbers, else the double rounding: VQRDMULH rounds as TensorFlow
Lite's high multiply does, ties towards plus infinity; its shift rounds ties away from zero, which for a
negative number is adding one less before the shift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array
from tinyc.kernels.kernel import FieldValue
from tinyc.kernels.requantization import Accumulators, one_step, two_steps

_INT8 = (-128, 127)


@dataclass(frozen=True, slots=True)
class Rounding:
    """int32 [channels]; `right` is None where one multiply and one shift by `shift` do."""

    bias: Array
    multiplier: Array
    constant: Array
    right: Array | None
    shift: int
    low: int
    high: int

    def fields(self) -> dict[str, FieldValue]:
        """Those of the C structs from `multiplier` on."""
        right = np.zeros(0, np.int32) if self.right is None else self.right
        arrays = {"multiplier": self.multiplier, "constant": self.constant, "right": right}
        return {**arrays, "shift": -self.shift, "low": self.low, "high": self.high}


def _int32(values: Array) -> Array:
    return values.astype(np.int32)


def rounding(op: Op, graph: Graph) -> Rounding | None:
    """None for a layer whose sums could leave 30 bits or whose shifts are not to the right."""
    sums = Accumulators.of(op, graph)
    found = one_step(sums, np.ones(len(sums.rows), np.int64))
    if found is not None:
        arrays = _int32(found.bias), _int32(found.multiplier), _int32(found.constant)
        return Rounding(*arrays, None, found.shift, *_INT8)
    # The clamp is a step of its own here, so that all of int8 is the range to prove.
    double = two_steps(replace(sums, low=_INT8[0], high=_INT8[1]))
    if double is None:
        return None
    arrays = _int32(double.bias), _int32(double.multiplier), _int32(double.constant)
    return Rounding(*arrays, _int32(-double.right), 0, sums.low, sums.high)
