"""Arithmetic that several operators share: activation ranges, multipliers, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.ir.ops.base import Activation, Padding
from tinyc.ir.ops.float_order import clamp
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import IntArray, quantize_multiplier

LARGEST_FLOAT = float(np.finfo(np.float32).max)
_QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16)
REAL_RANGES = {
    Activation.NONE: (-math.inf, math.inf),
    Activation.RELU: (0.0, math.inf),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}


def real_range(activation: Activation) -> tuple[float, float]:
    """Clamp limits of a fused activation in float32.

    What has no limit ends at the largest float32: TensorFlow Lite lets no layer with a fused activation give
    an infinity, not even with `NONE`.
    """
    low, high = REAL_RANGES[activation]
    return max(low, -LARGEST_FLOAT), min(high, LARGEST_FLOAT)


def activate_float(x: Array, activation: Activation) -> Array:
    """The fused activation in float32."""
    return clamp(x, *real_range(activation))


def activation_range(activation: Activation, result: Tensor) -> tuple[int, int]:
    """Clamp limits of a fused activation in quantized units."""
    return quantized_range(*REAL_RANGES[activation], result)


def quantized_range(low: float, high: float, result: Tensor) -> tuple[int, int]:
    """The reals [low, high] in units of `result` (TensorFlow Lite: CalculateActivationRangeQuantized).

    An int32 result without a scale holds the numbers themselves.
    """

    def quantized(real: float) -> int:
        if result.quantization is None and result.dtype is DType.INT32:
            return int(real)
        scaled = float(np.float32(real) / np.float32(result.scale))
        return result.zero_point + math.floor(abs(scaled) + 0.5) * (1 if real >= 0 else -1)

    least, most = result.dtype.limits
    return (
        max(least, quantized(low)) if math.isfinite(low) else least,
        min(most, quantized(high)) if math.isfinite(high) else most,
    )


def channel_multipliers(
    x: Tensor, weights: Tensor, result: Tensor, *, fused_product: bool = False
) -> tuple[IntArray, IntArray]:
    """(multiplier, shift) arrays, int32, one entry per output channel (or one for per-tensor weights).

    Scales are float32 values; TensorFlow Lite multiplies input and weight scale in float32 for
    per-tensor fully connected layers (`fused_product`) and in double otherwise.
    """
    if weights.quantization is None:
        raise ValueError(f"weights {weights.name!r} are not quantized")
    pairs = []
    for scale in weights.quantization.scale:
        if fused_product and not weights.quantization.per_channel:
            product = float(np.float32(x.scale) * np.float32(scale))
        else:
            product = float(np.float32(x.scale)) * float(np.float32(scale))
        pairs.append(quantize_multiplier(product / float(np.float32(result.scale))))
    table = np.array(pairs, dtype=np.int32)
    return table[:, 0], table[:, 1]


def check_sum(x: Tensor, count: int) -> None:
    """Raises ValueError when a sum of `count` quantized elements of `x` could leave 32 bits."""
    if x.dtype not in _QUANTIZED or x.quantization is None:
        return
    # A zero point may be taken off the sum and half of the count added before the division.
    low, high = x.dtype.limits
    largest = (2**31 - 1) // (max(-low, high) + abs(x.zero_point) + 1)
    if count > largest:
        raise ValueError(f"a mean of {count} elements, at most {largest} in 32 bits")


def output_extent(extent: int, window: int, stride: int, dilation: int, padding: Padding) -> int:
    """Output size along one axis of a sliding window (TensorFlow Lite: ComputeOutSize)."""
    reach = (window - 1) * dilation + 1
    if padding is Padding.SAME:
        return (extent + stride - 1) // stride
    return (extent + stride - reach) // stride


def same_padding(extent: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of SAME padding along one axis."""
    output = (extent + stride - 1) // stride
    total = max(0, (output - 1) * stride + (window - 1) * dilation + 1 - extent)
    return total // 2, total - total // 2


def check_same_quantization(kind: str, operands: Sequence[Tensor], results: Sequence[Tensor]) -> None:
    """Raises ValueError unless all tensors have one type, scale and zero point: nothing is requantized."""
    if mismatch := quantization_mismatch(operands, results):
        raise ValueError(f"{kind} only moves elements, but {mismatch}")


def quantization_mismatch(operands: Sequence[Tensor], results: Sequence[Tensor]) -> str:
    """What differs between the tensors of an op that only moves elements, "" when nothing does."""
    first = operands[0]
    for tensor in (*operands[1:], *results):
        if tensor.dtype is not first.dtype:
            return f"{first.name!r} is {first.dtype.value[0]} and {tensor.name!r} is {tensor.dtype.value[0]}"
        left, right = first.quantization, tensor.quantization
        if left is None and right is None:
            continue
        if left is None or right is None or (left.scale, left.zero_point) != (right.scale, right.zero_point):
            return f"{first.name!r} and {tensor.name!r} have different scales or zero points"
    return ""
