"""What the pooling operators share: fields, shape rule, the window of each output pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.ops.base import Activation, Op, Padding
from tinyc.ir.ops.common import activate_float, activation_range, output_extent, same_padding
from tinyc.ir.ops.convolution import Pads
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool2D(Op):
    """input: x [batch, height, width, channels]; output [batch, output height, output width, channels].

    A window that hangs over the edge covers only the elements inside. `pads`, (top, bottom, left, right),
    each less than the filter, says how far windows may hang over with EXPLICIT padding, which TensorFlow Lite
    does not have.
    """

    filter_height: int
    filter_width: int
    stride_height: int = 1
    stride_width: int = 1
    padding: Padding = Padding.VALID
    activation: Activation = Activation.NONE
    pads: Pads = (0, 0, 0, 0)

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if len(shape) != 4:
            raise ValueError(f"input needs rank 4, got shape {list(shape)}")
        top, bottom, left, right = self.pads
        if min(self.pads) < 0 or (any(self.pads) and self.padding is not Padding.EXPLICIT):
            raise ValueError(f"pads {list(self.pads)} with {self.padding.value} padding")
        if max(top, bottom) >= self.filter_height or max(left, right) >= self.filter_width:
            raise ValueError(f"pads {list(self.pads)} as wide as the filter")
        if min(self.filter_height, self.filter_width, self.stride_height, self.stride_width) < 1:
            raise ValueError(
                f"filter {self.filter_height}x{self.filter_width} and stride "
                f"{self.stride_height}x{self.stride_width} have to be positive"
            )
        height, width = (
            output_extent(extent, window, stride, 1, self.padding)
            for extent, window, stride in (
                (shape[1] + top + bottom, self.filter_height, self.stride_height),
                (shape[2] + left + right, self.filter_width, self.stride_width),
            )
        )
        if height < 1 or width < 1:
            raise ValueError(
                f"filter {self.filter_height}x{self.filter_width} is larger than the input "
                f"{shape[1]}x{shape[2]} with {self.padding.value} padding"
            )
        return ((shape[0], height, width, shape[3]),)

    def before(self, shape: Shape) -> tuple[int, int]:
        """(top, left) padding for an input of `shape`."""
        if self.padding is not Padding.SAME:
            return self.pads[0], self.pads[2]
        return (
            same_padding(shape[1], self.filter_height, self.stride_height, 1)[0],
            same_padding(shape[2], self.filter_width, self.stride_width, 1)[0],
        )

    @abstractmethod
    def reduce(self, window: Array) -> Array:
        """[batch, rows, columns, channels] to [batch, channels]; int64 or float32."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, result = values[0], results[0]
        real = operands[0].dtype is DType.FLOAT32
        wide = x if real else x.astype(np.int64)
        top, left = self.before(x.shape)
        y = np.empty(result.shape, dtype=wide.dtype)
        for row in range(result.shape[1]):
            first_row = row * self.stride_height - top
            rows = slice(max(first_row, 0), min(first_row + self.filter_height, x.shape[1]))
            for column in range(result.shape[2]):
                first_column = column * self.stride_width - left
                columns = slice(max(first_column, 0), min(first_column + self.filter_width, x.shape[2]))
                y[:, row, column, :] = self.reduce(wide[:, rows, columns, :])
        if real:
            return (activate_float(y, self.activation).astype(np.float32),)
        low, high = activation_range(self.activation, result)
        return (np.clip(y, low, high).astype(result.dtype.numpy),)
