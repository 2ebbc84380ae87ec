"""EMBEDDING: token + position + segment, from full tables or through expanders of low rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    high_multiplier,
    high_multipliers,
    rounding_multiply_high,
)

TABLE_BITS = 16
_SEGMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding(Op):
    """inputs: ids [1, n]; tokens [vocabulary, rank]; positions [at least n, rank'] if `positions`; then, if
    `expanded`, the matrices [units, rank] and (with positions) [units, rank']; segments [3, units] if
    `segments`. Output [1, n, units]; without expanders the rank is the units.

    The segment of a row is 0 for the id 0, 1 before the first `separator` and 2 from it on. Ids outside of
    the vocabulary count as id 0.
    Quantized: tables symmetric int8. Expanded: matrices int8, per channel, whose scales times that of their
    table agree; segments int32 in that scale; y = high(sum, m). Else y is the sum of each table's own
    high(value << 16, m), segments int32 in steps of y. y is int8 or int16 with zero point 0.
    """

    kind: ClassVar[str] = "EMBEDDING"

    positions: bool = False
    expanded: bool = False
    segments: bool = False
    separator: int = 0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        wanted = 2 + self.positions + (1 + self.positions) * self.expanded + self.segments
        if len(operands) != wanted:
            raise ValueError(f"needs {wanted} inputs, got {len(operands)}")
        ids, tokens = operands[0], operands[1]
        if len(ids.shape) != 2 or ids.shape[0] != 1 or len(tokens.shape) != 2:
            raise ValueError(f"ids {list(ids.shape)} and tokens {list(tokens.shape)}")
        units = self.matrices(operands)[0].shape[0] if self.expanded else tokens.shape[1]
        for table, matrix in zip(self.tables(operands), self.matrices(operands), strict=False):
            if matrix.shape != (units, table.shape[1]):
                raise ValueError(f"a matrix {list(matrix.shape)} for a table {list(table.shape)}")
        if any(table.shape[1] != units for table in self.tables(operands)) and not self.expanded:
            raise ValueError("tables without expanders need one width")
        if self.positions and operands[2].shape[0] < ids.shape[1]:
            raise ValueError(f"{operands[2].shape[0]} positions for {ids.shape[1]} tokens")
        if self.segments and operands[-1].shape != (_SEGMENTS, units):
            raise ValueError(f"segments {list(operands[-1].shape)}, {[_SEGMENTS, units]} are needed")
        return ((*ids.shape, units),)

    def tables(self, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The token table, and that of positions."""
        return tuple(operands[1 : 2 + self.positions])

    def matrices(self, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The expanders, in the order of the tables; none if not `expanded`."""
        first = 2 + self.positions
        return tuple(operands[first : first + 1 + self.positions]) if self.expanded else ()

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        rows = operands[0].elements
        return rows * sum(matrix.elements for matrix in self.matrices(operands))

    def accumulator_scales(self, operands: Sequence[Tensor]) -> tuple[float, ...]:
        """Of each unit, with expanders. Raises ValueError where the tables do not agree."""
        found = []
        for table, matrix in zip(self.tables(operands), self.matrices(operands), strict=True):
            if matrix.quantization is None:
                raise ValueError(f"{matrix.name!r} is not quantized")
            scales = np.asarray(matrix.quantization.scale, np.float64) * table.scale
            found.append(np.broadcast_to(scales, (matrix.shape[0],)))
        for other in found[1:]:
            if not np.allclose(found[0], other, rtol=1e-5, atol=0.0):
                raise ValueError("the sums of tokens and positions have different scales")
        return tuple(float(scale) for scale in found[0])

    def multipliers(self, operands: Sequence[Tensor], result: Tensor) -> IntArray:
        """int32: of each unit with expanders, else of each table. Raises ValueError out of range."""
        if self.expanded:
            return high_multipliers(np.array(self.accumulator_scales(operands)) / result.scale)
        tables = self.tables(operands)
        return np.array([high_multiplier(t.scale / result.scale, TABLE_BITS) for t in tables], np.int32)

    def segment_rows(self, ids: IntArray) -> IntArray:
        """The segment of each of ids [1, n]: int64 [n]."""
        flat = ids.reshape(-1)
        after = np.cumsum(flat == self.separator) > 0
        return np.where(flat == 0, 0, np.where(after, 2, 1))

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (result,) = results
        ids = values[0].astype(np.int64)
        vocabulary = operands[1].shape[0]
        known = np.where((ids >= 0) & (ids < vocabulary), ids, 0)
        real = result.dtype is DType.FLOAT32
        wide = np.float32 if real else np.int64
        rows = [values[1][known[0]].astype(wide)]
        if self.positions:
            rows.append(values[2][: ids.shape[1]].astype(wide))
        count = 1 + self.positions
        matrices = values[1 + count : 1 + 2 * count] if self.expanded else ()
        if self.expanded:
            rows = [row @ matrix.astype(wide).T for row, matrix in zip(rows, matrices, strict=True)]
        elif not real:
            multipliers = self.multipliers(operands, result)
            rows = [
                rounding_multiply_high(row << TABLE_BITS, multiplier)
                for row, multiplier in zip(rows, multipliers, strict=True)
            ]
        y = sum(rows[1:], rows[0])
        if self.segments:
            y = y + values[-1].astype(wide)[self.segment_rows(known)]
        if not real:
            if self.expanded:
                y = rounding_multiply_high(y, self.multipliers(operands, result))
            low, high = (-128, 127) if result.dtype is DType.INT8 else (-32768, 32767)
            y = np.clip(y, low, high)
        return (y.reshape(result.shape).astype(result.dtype.numpy),)
