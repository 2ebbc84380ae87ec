"""What the convolutions share: window geometry, exact integer products and requantization.

Layouts are TensorFlow Lite's: activations [batch, height, width, channels], CONV_2D filters
[out, height, width, in], DEPTHWISE_CONV_2D filters [1, height, width, in * multiplier].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.ops.base import Activation, Op, Padding
from tinyc.ir.ops.common import activation_range, channel_multipliers, output_extent, same_padding
from tinyc.ir.ops.wide_sums import has_wide_sums
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    multiply_by_quantized_multiplier,
    multiply_int64_by_quantized_multiplier,
)

Pads = tuple[int, int, int, int]

# Integers up to this magnitude are exact in float64, so their products may use the fast matmul.
_EXACT_FLOAT32 = 2**24
_EXACT_FLOAT64 = 2**53
# Far beyond any input that fits; keeps positions, which start before the input, within 32 bits.
LARGEST_REACH = 2**16


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over the two middle axes. `pads` is (top, bottom, left, right), resolved."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: Pads
    output: tuple[int, int]

    @classmethod
    def over(
        cls,
        shape: Shape,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: Padding,
        pads: Pads,
    ) -> Window:
        """The window over an activation [batch, height, width, channels].

        `pads` counts only with EXPLICIT padding. Raises ValueError when the window does not fit or
        a parameter is out of range.
        """
        for name, pair in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
            if min(pair) < 1:
                raise ValueError(f"{name} needs to be positive, got {pair[0]}x{pair[1]}")
        reach = [(extent - 1) * step + 1 for extent, step in zip(kernel, dilation, strict=True)]
        if max(reach) > LARGEST_REACH:
            raise ValueError(
                f"a window over {reach[0]}x{reach[1]} positions, at most {LARGEST_REACH} each way"
            )
        if padding is not Padding.EXPLICIT and any(pads):
            raise ValueError(f"pads {list(pads)} need EXPLICIT padding, not {padding.value}")
        if min(pads) < 0:
            raise ValueError(f"pads cannot be negative, got {list(pads)}")
        resolved: list[int] = []
        output: list[int] = []
        for axis in (0, 1):
            extent, before, after = shape[1 + axis], pads[2 * axis], pads[2 * axis + 1]
            if padding is Padding.SAME:
                before, after = same_padding(extent, kernel[axis], stride[axis], dilation[axis])
            count = output_extent(
                extent if padding is Padding.SAME else extent + before + after,
                kernel[axis],
                stride[axis],
                dilation[axis],
                padding,
            )
            if count < 1:
                raise ValueError(
                    f"a {kernel[0]}x{kernel[1]} kernel with dilation {dilation[0]}x{dilation[1]} "
                    f"does not fit into {shape[1]}x{shape[2]} with pads {list(pads)}"
                )
            resolved += (before, after)
            output.append(count)
        return cls(kernel, stride, dilation, (*resolved,), (output[0], output[1]))  # type: ignore[arg-type]

    def taps(self, x: Array, fill: int | float) -> Array:
        """x [n, h, w, c] as [n, out_h, out_w, kernel_h, kernel_w, c], a view of the padded input."""
        top, bottom, left, right = self.pads
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
        n, _, _, c = padded.shape
        along_n, along_h, along_w, along_c = padded.strides
        (dy, dx), (sy, sx) = self.dilation, self.stride
        return np.lib.stride_tricks.as_strided(
            padded,
            (n, *self.output, *self.kernel, c),
            (along_n, along_h * sy, along_w * sx, along_h * dy, along_w * dx, along_c),
            writeable=False,
        )

    def inside(self, shape: Shape) -> Array:
        """Which taps of an input [n, h, w, c] are no padding: bool, as `taps` with one channel."""
        return self.taps(np.ones((*shape[:3], 1), np.bool_), fill=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution(Op):
    """The fields of both convolutions.

    `stride` and `dilation` are (height, width), `pads` is (top, bottom, left, right) and counts with
    EXPLICIT padding only.
    """

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = Padding.VALID
    pads: Pads = (0, 0, 0, 0)
    activation: Activation = Activation.NONE

    def window(self, operands: Sequence[Tensor]) -> Window:
        """The window with its padding resolved. Raises ValueError when it does not fit."""
        kernel = (operands[1].shape[1], operands[1].shape[2])
        return Window.over(operands[0].shape, kernel, self.stride, self.dilation, self.padding, self.pads)


def check_activation(x: Tensor) -> None:
    """Raises ValueError unless `x` is [batch, height, width, channels] without empty axes."""
    if len(x.shape) != 4 or min(x.shape) < 1:
        raise ValueError(f"input needs shape [batch, height, width, channels], got {list(x.shape)}")


def check_bias(operands: tuple[Tensor, ...], channels: int) -> None:
    """Raises ValueError unless the optional third operand has one element per output channel."""
    if len(operands) > 2 and operands[2].elements != channels:
        raise ValueError(f"bias has {operands[2].elements} elements for {channels} output channels")


def exact_matmul(a: IntArray, b: IntArray) -> IntArray:
    """a @ b on integers, exact; int64. a is [..., m, k], b is [..., k, n].

    Products go through float32 or float64 when every partial sum provably stays below 2^24 or 2^53.
    """
    largest = int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[-1]
    if largest < _EXACT_FLOAT32:
        return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.int64)
    if largest < _EXACT_FLOAT64:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a.astype(np.int64) @ b.astype(np.int64)


def requantize(
    acc: IntArray,
    bias: Array | None,
    activation: Activation,
    operands: Sequence[Tensor],
    result: Tensor,
) -> Array:
    """The quantized output for accumulators [..., channels] (TensorFlow Lite: ConvPerChannel).

    int8 activations, and int16 ones with an int32 bias, use the double rounding of gemmlowp;
    int16 activations otherwise the rule for 64-bit accumulators.
    """
    if bias is not None:
        acc = acc + bias.astype(np.int64).reshape(-1)
    multiplier, shift = channel_multipliers(operands[0], operands[1], result)
    if has_wide_sums(operands):
        scaled = multiply_int64_by_quantized_multiplier(acc, multiplier, shift)
    else:
        scaled = multiply_by_quantized_multiplier(acc, multiplier, shift)
    low, high = activation_range(activation, result)
    y: Array = np.clip(scaled + result.zero_point, low, high)
    return y.reshape(result.shape).astype(result.dtype.numpy)
