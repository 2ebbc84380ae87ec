"""Tables of functions of one quantized value. A leaf module: it imports nothing of tinyc but fixed_point.

An 8-bit operator with one input is a table of 256 results, exact by construction because the
table is filled by the operator's own reference. Entry i belongs to the input whose byte is i, so
int8 inputs run 0..127, -128..-1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyc.quantize.fixed_point import IntArray


def byte_order(signed: bool) -> IntArray:
    """All 256 8-bit values, int64, in the order of their bytes."""
    codes = np.arange(256, dtype=np.int64)
    return np.where(codes > 127, codes - 256, codes) if signed else codes


def tabulate(function: Callable[[IntArray], IntArray], signed: bool = True) -> IntArray:
    """function applied to `byte_order(signed)`: the 256 bytes (uint8) that the C kernel reads."""
    return (np.asarray(function(byte_order(signed)), dtype=np.int64) & 0xFF).astype(np.uint8)


def apply_real_function(
    function: Callable[[float], float],
    x: IntArray,
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    low: int,
    high: int,
) -> IntArray:
    """Dequantize, apply a real function, quantize: one step of float32 rounding after each operation.

    Ties round away from zero; the answer is clamped to [low, high], int64.
    The function itself is evaluated in double, so that the result does not depend on the
    machine's float32 library. Source: TensorFlow Lite, `LUTPopulate`.
    """
    inverse_scale = np.float32(1) / np.float32(output_scale)
    codes, positions = np.unique(np.asarray(x, dtype=np.int64), return_inverse=True)
    real = np.float32(input_scale) * (codes - input_zero_point).astype(np.float32)
    transformed = np.array([function(float(value)) for value in real], dtype=np.float32)
    with np.errstate(over="ignore"):
        scaled = (transformed * inverse_scale).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) + output_zero_point
    quantized: IntArray = np.clip(rounded, low, high).astype(np.int64)
    return quantized[positions].reshape(np.shape(x))
