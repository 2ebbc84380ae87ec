"""DEPTHWISE_CONV_1D: a causal convolution along the rows, each channel with taps of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import IntArray, Rounding, high_multipliers, rounding_multiply_high


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv1D(Op):
    """inputs: x [1, n, channels], taps [taps, channels], bias [channels]. Output [1, rows, channels].

    y[i] = bias + sum over j of taps[j] * x[i - (taps - 1) + j]: the last tap meets the row itself, rows
    before the first are 0. `rows` is how many rows to compute from the first on, None for all.
    Quantized: x int8, taps symmetric int8 per channel (axis 1), bias int32, y int8 or int16.
    """

    kind: ClassVar[str] = "DEPTHWISE_CONV_1D"

    rows: int | None = None

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 3:
            raise ValueError(f"needs 3 inputs, got {len(operands)}")
        x, taps, bias = operands
        if len(x.shape) != 3 or x.shape[0] != 1 or len(taps.shape) != 2 or taps.shape[1] != x.shape[2]:
            raise ValueError(f"taps {list(taps.shape)} for rows {list(x.shape)}")
        if bias.elements != x.shape[2]:
            raise ValueError(f"bias has {bias.elements} elements for {x.shape[2]} channels")
        rows = x.shape[1] if self.rows is None else min(self.rows, x.shape[1])
        return ((1, rows, x.shape[2]),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return results[0].elements * operands[1].shape[0]

    def multipliers(self, operands: Sequence[Tensor], result: Tensor) -> IntArray:
        """int32 multiplier of each channel. Raises ValueError out of range."""
        x, taps, _ = operands
        if taps.quantization is None:
            raise ValueError(f"taps {taps.name!r} are not quantized")
        scales = np.broadcast_to(np.asarray(taps.quantization.scale), (x.shape[-1],))
        return high_multipliers(x.scale * scales / result.scale)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (result,), (x, taps, bias) = results, values
        real = result.dtype is DType.FLOAT32
        count, rows = taps.shape[0], result.shape[1]
        source = x[0].astype(np.float32) if real else x[0].astype(np.int64) - operands[0].zero_point
        padded = np.concatenate([np.zeros((count - 1, source.shape[1]), source.dtype), source])
        weights = taps.astype(source.dtype)
        y = np.zeros((rows, source.shape[1]), source.dtype)
        # The taps before meet nothing but rows before the first.
        for at in range(max(count - rows, 0), count):
            y += padded[at : at + rows] * weights[at]
        y = y + bias.reshape(-1)
        if not real:
            y = rounding_multiply_high(y, self.multipliers(operands, result)) + result.zero_point
            y = np.clip(y, *limits(result.dtype))
        return (y[None].astype(result.dtype.numpy),)
