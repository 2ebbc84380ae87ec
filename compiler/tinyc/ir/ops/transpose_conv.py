"""TRANSPOSE_CONV: every input pixel adds its multiple of the filters to a window of the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Activation, Op, Padding
from tinyc.ir.ops.common import activate_float, same_padding
from tinyc.ir.ops.convolution import check_activation, check_bias, exact_matmul, requantize
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposeConv(Op):
    """inputs: x [n, h, w, in], filters [out, kh, kw, in], optional bias [out].

    Output [n, *output_size, out]. `stride` is (height, width). The padding is that of the convolution from
    the output's extent back to the input's; what falls outside of the output is dropped
    (TensorFlow Lite: `reference_integer_ops::TransposeConv`).
    """

    kind: ClassVar[str] = "TRANSPOSE_CONV"

    output_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.VALID
    activation: Activation = Activation.NONE

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        x, filters = operands[0], operands[1]
        check_activation(x)
        if len(filters.shape) != 4 or min(filters.shape) < 1 or filters.shape[3] != x.shape[3]:
            raise ValueError(
                f"filters need shape [out, height, width, {x.shape[3]}], got {list(filters.shape)}"
            )
        if min(*self.stride, *self.output_size) < 1:
            raise ValueError(f"stride {self.stride} and output size {self.output_size} need to be positive")
        check_bias(tuple(operands), filters.shape[0])
        return ((x.shape[0], *self.output_size, filters.shape[0]),)

    def pads(self, filters: Tensor) -> tuple[int, int]:
        """(top, left): output positions before the first that the first input pixel adds to."""
        if self.padding is not Padding.SAME:
            return 0, 0
        top, left = (
            same_padding(self.output_size[axis], filters.shape[1 + axis], self.stride[axis], 1)[0]
            for axis in (0, 1)
        )
        return top, left

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        out, height, width, _ = operands[1].shape
        return operands[0].elements * out * height * width

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, filters, result = operands[0], operands[1], results[0]
        bias = values[2] if len(values) > 2 else None
        if x.dtype is DType.FLOAT32 and rounding is not Rounding.ANY:
            total = self._in_order(values[0], values[1], self.pads(filters))
            total = total if bias is None else total + bias.reshape(-1)
            return (activate_float(total, self.activation).astype(np.float32),)
        out, kernel_height, kernel_width, depth = filters.shape
        batch, height, width, _ = x.shape
        columns = values[1].reshape(-1, depth).T
        quantized = x.dtype is not DType.FLOAT32
        rows = values[0].reshape(-1, depth)
        products = (
            exact_matmul(rows.astype(np.int32) - x.zero_point, columns) if quantized else rows @ columns
        )
        products = products.reshape(batch, height, width, out, kernel_height, kernel_width)
        top, left = self.pads(filters)
        # Wide enough for every window; the output is a part of it.
        tall = max((height - 1) * self.stride[0] + kernel_height, top + self.output_size[0])
        wide = max((width - 1) * self.stride[1] + kernel_width, left + self.output_size[1])
        total = np.zeros((batch, tall, wide, out), products.dtype)
        for y in range(kernel_height):
            for z in range(kernel_width):
                last = (y + (height - 1) * self.stride[0] + 1, z + (width - 1) * self.stride[1] + 1)
                view = total[:, y : last[0] : self.stride[0], z : last[1] : self.stride[1]]
                view += products[..., y, z]
        acc = total[:, top : top + self.output_size[0], left : left + self.output_size[1]]
        if quantized:
            return (requantize(acc, bias, self.activation, operands, result),)
        real = acc if bias is None else acc + bias.reshape(-1)
        return (activate_float(real, self.activation).astype(np.float32),)

    def _in_order(self, x: Array, filters: Array, pads: tuple[int, int]) -> Array:
        """float32 sums from 0 in the order of the input: rows, columns, channels."""
        batch, height, width, depth = x.shape
        out, tall, wide, _ = filters.shape
        extents = (
            max((pixels - 1) * step + taps, before + size)
            for pixels, step, taps, before, size in zip(
                (height, width), self.stride, (tall, wide), pads, self.output_size, strict=True
            )
        )
        total = np.zeros((batch, *extents, out), np.float32)
        taps = filters.transpose(3, 1, 2, 0)
        for row in range(height):
            for column in range(width):
                y, z = row * self.stride[0], column * self.stride[1]
                window = total[:, y : y + tall, z : z + wide]
                for channel in range(depth):
                    window += x[:, row, column, channel, None, None, None] * taps[channel]
        top, left = pads
        return total[:, top : top + self.output_size[0], left : left + self.output_size[1]]
