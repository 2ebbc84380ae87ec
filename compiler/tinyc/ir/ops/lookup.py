"""LOOKUP: y = table[x]: what a row of operators on single values amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray

ENTRIES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Unary):
    """input: x of one byte; output of the same shape, of one byte, in a scale of its own.

    `table` has the stored result for each x in the order of its bytes: int8 runs 0..127, -128..-1.
    No file has this operator: `passes.tabulate_float` makes it.
    """

    kind: ClassVar[str] = "LOOKUP"

    table: tuple[int, ...]

    def real(self, x: Array) -> Array:
        raise ValueError("LOOKUP is of stored bytes, it has no float32 form")

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        return np.asarray(np.array(self.table, np.int64)[x & 0xFF])
