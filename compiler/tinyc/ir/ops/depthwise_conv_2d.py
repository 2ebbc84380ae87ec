"""DEPTHWISE_CONV_2D: each input channel has its own `multiplier` filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import activate_float
from tinyc.ir.ops.convolution import Convolution, check_activation, check_bias, requantize
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2D(Convolution):
    """inputs: x [n, h, w, in], filters [1, kh, kw, in * multiplier], optional bias [in * multiplier].

    Output [n, out_h, out_w, in * multiplier]; output channel c reads input channel c // multiplier.
    """

    kind: ClassVar[str] = "DEPTHWISE_CONV_2D"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        x, filters = operands[0], operands[1]
        check_activation(x)
        if len(filters.shape) != 4 or min(filters.shape) < 1 or filters.shape[0] != 1:
            raise ValueError(f"filters need shape [1, height, width, channels], got {list(filters.shape)}")
        channels = filters.shape[3]
        if channels % x.shape[3]:
            raise ValueError(f"{channels} filters are not a multiple of {x.shape[3]} input channels")
        check_bias(tuple(operands), channels)
        return ((x.shape[0], *self.window(operands).output, channels),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return results[0].elements * operands[1].shape[1] * operands[1].shape[2]

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, filters, result = operands[0], operands[1], results[0]
        bias = values[2] if len(values) > 2 else None
        quantized = x.dtype is not DType.FLOAT32
        window = self.window(operands)
        taps = window.taps(values[0], x.zero_point if quantized else 0.0)
        inside = window.inside(x.shape)
        multiplier = filters.shape[3] // x.shape[3]
        acc = np.zeros((*taps.shape[:3], filters.shape[3]), np.int64 if quantized else np.float32)
        for row in range(window.kernel[0]):
            for column in range(window.kernel[1]):
                tap = taps[:, :, :, row, column, :]
                if quantized:
                    tap = tap.astype(np.int64) - x.zero_point
                terms = np.repeat(tap, multiplier, axis=3) * values[1][0, row, column]
                acc += terms if quantized else np.where(inside[:, :, :, row, column], terms, np.float32(0))
        if not quantized:
            y = acc if bias is None else acc + bias.reshape(-1)
            return (activate_float(y, self.activation).reshape(result.shape).astype(np.float32),)
        return (requantize(acc, bias, self.activation, operands, result),)
