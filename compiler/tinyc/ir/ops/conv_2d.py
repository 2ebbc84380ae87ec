"""CONV_2D: a sliding window of filters over height and width, grouped or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import activate_float
from tinyc.ir.ops.convolution import Convolution, check_activation, check_bias, exact_matmul, requantize
from tinyc.ir.ops.float_order import product_sums
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(Convolution):
    """inputs: x [n, h, w, in], filters [out, kh, kw, in / groups], optional bias [out].

    Output [n, out_h, out_w, out]. The number of groups follows from the two channel counts, as in
    TensorFlow Lite; filters are then ordered by group. Padded positions hold the real
    value 0, which is the input's zero point.
    """

    kind: ClassVar[str] = "CONV_2D"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        x, filters = operands[0], operands[1]
        check_activation(x)
        if len(filters.shape) != 4 or min(filters.shape) < 1:
            raise ValueError(f"filters need shape [out, height, width, in], got {list(filters.shape)}")
        out, depth, channels = filters.shape[0], filters.shape[3], x.shape[3]
        if channels % depth:
            raise ValueError(f"{channels} input channels are not a multiple of {depth} filter channels")
        if out % (channels // depth):
            raise ValueError(f"{out} filters cannot be split into {channels // depth} groups")
        check_bias(tuple(operands), out)
        return ((x.shape[0], *self.window(operands).output, out),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        _, height, width, depth = operands[1].shape
        return results[0].elements * height * width * depth

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
        out, height, width, depth = filters.shape
        groups = x.shape[3] // depth
        pixels = taps.shape[0] * taps.shape[1] * taps.shape[2]
        # rows [groups, pixels, kh * kw * depth] @ columns [groups, kh * kw * depth, out / groups]
        by_group = taps.reshape(pixels, height * width, groups, depth).transpose(2, 0, 1, 3)
        rows = by_group.reshape(groups, pixels, height * width * depth)
        columns = values[1].reshape(groups, out // groups, -1).transpose(0, 2, 1)
        if not quantized:
            inside = None
            if any(window.pads) and rounding is not Rounding.ANY:
                inside = np.repeat(window.inside(x.shape).reshape(pixels, -1), depth, axis=1)
            y = product_sums(rows, columns, rounding, inside).transpose(1, 0, 2).reshape(pixels, out)
            if bias is not None:
                y = y + bias.reshape(-1)
            return (activate_float(y, self.activation).reshape(result.shape).astype(np.float32),)
        offset = rows.astype(np.int32) - x.zero_point
        acc = exact_matmul(offset, columns).transpose(1, 0, 2).reshape(pixels, out)
        return (requantize(acc, bias, self.activation, operands, result),)
