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
# Bits of the codes of the token table.
TABLE_CODES = (4, 6, 8)
# The multipliers of rows: the largest scale is so many units.
ROW_LIMIT = 255
_SEGMENTS = 3
_SUM_LIMIT = 2**31 - 1


def row_multipliers(tokens: Tensor) -> IntArray:
    """int64 [vocabulary]: the scale of each row in units of the largest one / 255, from 1 to 255.

    Raises ValueError unless there is a scale for each row.
    """
    quantization = tokens.quantization
    if quantization is None or len(quantization.scale) != tokens.shape[0]:
        raise ValueError(f"{tokens.name!r} needs one scale for each of its {tokens.shape[0]} rows")
    scales = np.asarray(quantization.scale, np.float64)
    if not (np.isfinite(scales).all() and (scales > 0.0).all()):
        raise ValueError(f"{tokens.name!r} has scales that are not above 0")
    steps = np.rint(scales * (ROW_LIMIT / scales.max()))
    return np.asarray(np.clip(steps, 1, ROW_LIMIT), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding(Op):
    """inputs: ids [1, n]; tokens [vocabulary, rank]; positions [at least n, rank'] if `positions`; then, if
    `expanded`, the matrices [units, rank] and (with positions) [units, rank']; segments [3, units] if
    `segments`. Output [1, n, units]; without expanders the rank is the units.

    The segment of a row is 0 for the id 0, 1 before the first `separator` and 2 from it on. Ids outside of
    the vocabulary count as id 0.
    Quantized: tables symmetric int8. With `bits` below 8 tokens hold codes of so many bits with a scale for
    each row: their values are code * the row's multiplier, int16 in units of the largest scale / 255.
    Expanded: matrices int8, per channel, whose scales times that of their table's values agree; below 8 bits
    the codes of positions count a whole factor, 1 to 255, that follows from the scales. Segments int32 in
    that scale; y = high(sum, m).
    Else y is the sum of each table's own high(value << 16, m), segments int32 in steps of y.
    y is int8 or int16 with zero point 0.
    """

    kind: ClassVar[str] = "EMBEDDING"

    positions: bool = False
    expanded: bool = False
    segments: bool = False
    separator: int = 0
    bits: int = 8

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        wanted = 2 + self.positions + (1 + self.positions) * self.expanded + self.segments
        if len(operands) != wanted:
            raise ValueError(f"needs {wanted} inputs, got {len(operands)}")
        if self.bits not in TABLE_CODES:
            raise ValueError(f"tokens of {self.bits} bits; {', '.join(map(str, TABLE_CODES))} are possible")
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

    def value_scale(self, operands: Sequence[Tensor]) -> float:
        """Of the values of the token table. Raises ValueError without a scale for each row below 8 bits."""
        tokens = operands[1]
        if self.bits == 8 or tokens.quantization is None:
            return tokens.scale
        return max(tokens.quantization.scale) / ROW_LIMIT

    def token_values(self, operands: Sequence[Tensor]) -> tuple[IntArray, IntArray]:
        """(codes, multipliers of the rows), int64. Raises ValueError for codes that `bits` cannot hold."""
        tokens = operands[1]
        codes = tokens.constant.astype(np.int64)
        if self.bits == 8:
            return codes, np.ones(len(codes), np.int64)
        limit = 2 ** (self.bits - 1) - 1
        if np.abs(codes).max(initial=0) > limit:
            raise ValueError(f"{tokens.name!r} has codes beyond {limit}, the most of {self.bits} bits")
        return codes, row_multipliers(tokens)

    def _sum_scales(self, operands: Sequence[Tensor]) -> list[IntArray]:
        """Scales of the products of each table, float64 [units]."""
        positions = [table.scale for table in self.tables(operands)[1:]]
        found = []
        for scale, matrix in zip(
            (self.value_scale(operands), *positions), self.matrices(operands), strict=True
        ):
            if matrix.quantization is None:
                raise ValueError(f"{matrix.name!r} is not quantized")
            scales = np.asarray(matrix.quantization.scale, np.float64) * scale
            found.append(np.broadcast_to(scales, (matrix.shape[0],)))
        return found

    def position_multiplier(self, operands: Sequence[Tensor]) -> int:
        """The factor of the codes of positions, with expanders: 1 at 8 bits.

        Raises ValueError where the scales of the sums do not agree.
        """
        if not (self.expanded and self.positions):
            return 1
        tokens, positions = self._sum_scales(operands)
        ratio = positions / tokens
        factor = 1 if self.bits == 8 else int(np.clip(np.rint(np.median(ratio)), 1, ROW_LIMIT))
        if not np.allclose(ratio, factor, rtol=1e-5, atol=0.0):
            raise ValueError("the sums of tokens and positions have different scales")
        return factor

    def accumulator_scales(self, operands: Sequence[Tensor]) -> tuple[float, ...]:
        """Of each unit, with expanders. Raises ValueError where the tables do not agree."""
        self.position_multiplier(operands)
        return tuple(float(scale) for scale in self._sum_scales(operands)[0])

    def check_sums(self, operands: Sequence[Tensor]) -> None:
        """Raises ValueError where a sum below 8 bits could leave int32."""
        if self.bits == 8 or not self.expanded:
            return
        codes, rows = self.token_values(operands)
        largest = [(np.abs(codes) * rows[:, None]).max(axis=0, initial=0)]
        if self.positions:
            places = np.abs(operands[2].constant.astype(np.int64)).max(axis=0, initial=0)
            largest.append(places * self.position_multiplier(operands))
        total = np.zeros(operands[-1].shape[-1] if self.segments else len(operands[-1].constant), np.int64)
        for most, matrix in zip(largest, self.matrices(operands), strict=True):
            total += np.abs(matrix.constant.astype(np.int64)) @ most
        if self.segments:
            total += np.abs(operands[-1].constant.astype(np.int64)).max(axis=0)
        if total.max(initial=0) > _SUM_LIMIT:
            raise ValueError("its sums could leave 32 bits")

    def multipliers(self, operands: Sequence[Tensor], result: Tensor) -> IntArray:
        """int32: of each unit with expanders, else of each table. Raises ValueError out of range."""
        if self.expanded:
            return high_multipliers(np.array(self.accumulator_scales(operands)) / result.scale)
        scales = (self.value_scale(operands), *(table.scale for table in self.tables(operands)[1:]))
        return np.array([high_multiplier(scale / result.scale, TABLE_BITS) for scale in scales], np.int32)

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
        if not real and self.bits < 8:
            self.check_sums(operands)
            _, multipliers = self.token_values(operands)
            rows[0] = rows[0] * multipliers[known[0]][:, None]
            rows[1:] = [row * self.position_multiplier(operands) for row in rows[1:]]
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
