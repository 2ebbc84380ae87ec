"""RESIZE_BILINEAR: height and width scaled, each pixel a weighted mean of four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import IntArray, Rounding

# Positions and weights are in 1/1024 of a pixel.
ONE = 1 << 10


def step(source: int, target: int, align_corners: bool) -> int:
    """How far the positions in the input are apart, rounded, for extents `source` → `target`."""
    if align_corners and target > 1:
        return (ONE * (source - 1) + (target - 1) // 2) // (target - 1)
    return (ONE * source + target // 2) // target


def float_step(source: int, target: int, align_corners: bool) -> np.float32:
    """`step` in float32, in pixels."""
    if align_corners and target > 1:
        return np.float32(source - 1) / np.float32(target - 1)
    return np.float32(source) / np.float32(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeBilinear(Op):
    """input: x [batch, height, width, channels]; output [batch, *size, channels] of the same quantization.

    `align_corners` lets the corners' centres meet, `half_pixel_centers` puts centres at .5. int8 follows
    TensorFlow Lite's `reference_ops::ResizeBilinearInteger`, in fixed point; float32 its `ResizeBilinear`.
    """

    kind: ClassVar[str] = "RESIZE_BILINEAR"

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1 or len(operands[0].shape) != 4:
            raise ValueError("needs 1 input of rank 4")
        if min(self.size) < 1:
            raise ValueError(f"size {list(self.size)} has to be positive")
        batch, _, _, channels = operands[0].shape
        return ((batch, *self.size, channels),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        if operands[0].dtype is DType.FLOAT32:
            return (self._real(values[0]),)
        x = values[0].astype(np.int64)
        rows, columns = (self._integer_axis(x.shape[1 + axis], self.size[axis]) for axis in (0, 1))
        total = np.zeros(results[0].shape, np.int64)
        for row, row_weight in rows:
            for column, column_weight in columns:
                weight = row_weight[:, None, None] * column_weight[:, None]
                total += x[:, row][:, :, column] * weight
        # Halves round away from zero; the division cuts.
        magnitude = (np.abs(total) + (ONE * ONE) // 2) // (ONE * ONE)
        return (np.where(total > 0, magnitude, -magnitude).astype(results[0].dtype.numpy),)

    def _integer_axis(self, source: int, target: int) -> tuple[tuple[IntArray, IntArray], ...]:
        """((lower positions, weights), (upper positions, weights)) along one axis."""
        scale = step(source, target, self.align_corners)
        at = np.arange(target, dtype=np.int64) * scale
        if self.half_pixel_centers:
            at += scale // 2 - ONE // 2
        # TensorFlow Lite cuts towards 0. With more than 1024 pixels the lower one can lie outside as well.
        lower = np.minimum(np.maximum(at, 0) // ONE, source - 1)
        upper = np.minimum(np.maximum(at + ONE - 1, 0) // ONE, source - 1)
        part = at - ONE * lower
        return (lower, ONE - part), (upper, part)

    def _real(self, x: Array) -> Array:
        (low_y, high_y, part_y), (low_x, high_x, part_x) = (
            self._real_axis(x.shape[1 + axis], self.size[axis]) for axis in (0, 1)
        )
        part_y, part_x = part_y[:, None, None], part_x[:, None]
        one = np.float32(1)
        # From 0, which only the sign of a zero tells.
        total = np.float32(0) + x[:, low_y][:, :, low_x] * (one - part_y) * (one - part_x)
        total = total + x[:, high_y][:, :, low_x] * part_y * (one - part_x)
        total = total + x[:, low_y][:, :, high_x] * (one - part_y) * part_x
        return np.asarray(total + x[:, high_y][:, :, high_x] * part_y * part_x)

    def _real_axis(self, source: int, target: int) -> tuple[IntArray, IntArray, Array]:
        """(lower positions, upper positions, float32 weight of the upper) along one axis."""
        scale = float_step(source, target, self.align_corners)
        at = np.arange(target, dtype=np.float32)
        at = (at + np.float32(0.5)) * scale - np.float32(0.5) if self.half_pixel_centers else at * scale
        lower = np.maximum(np.floor(at).astype(np.int64), 0)
        upper = np.minimum(np.ceil(at).astype(np.int64), source - 1)
        return lower, upper, np.asarray(at - lower.astype(np.float32))
