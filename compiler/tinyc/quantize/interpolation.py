"""Functions of one int16 value by linear interpolation in a table, as TensorFlow Lite's int16 kernels do.

Two kinds of table: 513 entries over the whole int16 range (EXP, GELU, LOG, SOFTMAX), and one of the
logistic function over [0, 10.7) that LOGISTIC and TANH share. A leaf module: it imports nothing of tinyc
but fixed_point. Arrays are int64 that hold int16 or int32 values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyc.quantize.fixed_point import IntArray

_STEPS = 512


def _round_half_away(x: IntArray) -> IntArray:
    """To whole numbers, in the type of x."""
    wide = np.asarray(x, np.float64)
    return np.asarray(np.copysign(np.floor(np.abs(wide) + 0.5), wide).astype(np.asarray(x).dtype))


def interpolation_table(
    function: Callable[[float], float], low: np.floating[Any], high: np.floating[Any], per_unit: float
) -> IntArray:
    """513 samples (int16) of a function of [low, high], in steps of 1 / `per_unit`.

    Computed in the type of `low`, float32 or float64. Each sample is moved by half of the interpolation
    error in the middle of its step. Source: TensorFlow Lite, `LUTPopulateInt16`.
    Raises ValueError when the function is infinite somewhere.
    """
    real = type(low)
    step = (high - low) / real(_STEPS)
    at = low + np.arange(_STEPS + 1).astype(real) * step

    def scaled(x: IntArray) -> IntArray:
        y = np.array([function(float(each)) for each in x], dtype=real)
        if not np.isfinite(y).all():
            raise ValueError(f"an input of {float(x[~np.isfinite(y)][0]):g} has no finite result")
        return np.asarray(y * real(per_unit))

    points = scaled(at)
    here, after, middle = points[:-1], points[1:], _round_half_away(scaled(at[:-1] + step / real(2)))
    interpolated = _round_half_away((after + _round_half_away(here)) / real(2))
    moved = _round_half_away(here) - _round_half_away((interpolated - middle) / real(2))
    last = _round_half_away(scaled(np.array([high])))
    return np.asarray(np.clip(np.concatenate([moved, last]), -32768, 32767).astype(np.int16))


def function_table(function: Callable[[float], float], input_scale: float, output_scale: float) -> IntArray:
    """513 samples of a function of real numbers, of int16 in and out with zero points 0, in float32.

    Where the function is minus infinite it is the least that int16 holds.
    Source: TensorFlow Lite, `LUTPopulate<int16_t>`.
    Raises ValueError when the function leaves float32 within the range of the input.
    """
    single = np.float32
    x, y = single(input_scale), single(output_scale)
    least = float(single(-32768) * y)

    def bounded(value: float) -> float:
        result = function(value)
        return least if result == -math.inf else result

    per_unit = single(65536) / (y * single(32767) - y * single(-32768))
    return interpolation_table(bounded, x * single(-32768), x * single(32767), float(per_unit))


def interpolate(x: IntArray, table: IntArray) -> IntArray:
    """The function of `table` at int16 x: 512 steps of 128; int64.

    Slopes and results wrap around at 16 bits, where a table jumps. Source: TensorFlow Lite, `LUTLookup`.
    """
    index = 256 + (x >> 7)
    base = table[index].astype(np.int64)
    slope = (table[index + 1].astype(np.int64) - base).astype(np.int16).astype(np.int64)
    y = base + ((slope * (x & 127) + 64) >> 7)
    return np.asarray(y.astype(np.int16).astype(np.int64))


def logistic_table() -> IntArray:
    """1 / (1 + exp(-i / 24)) as a fraction of 2^16, for i in 0 ... 255; uint16.

    Each sample is moved by half of the interpolation error in the middle of its step; the last one
    is the largest value. This gives TensorFlow Lite's `sigmoid_table_uint16`.
    """

    def exact(i: float) -> float:
        return 65536.0 / (1.0 + math.exp(-i / 24))

    table = []
    for i in range(255):
        error = exact(i + 0.5) - (exact(i) + exact(i + 1)) / 2
        table.append(math.floor(exact(i) + error / 2 + 0.5))
    return np.array([*table, 65535], dtype=np.uint16)


def logistic_scaling(scale: float, power_of_two_shifts: tuple[int, ...]) -> tuple[int, int]:
    """(multiplier, right shift) that takes an int16 input of `scale` to steps of 1 / (3 * 4096).

    Scales of 2^(s - 12) with s in `power_of_two_shifts` are exact. Source: TensorFlow Lite,
    `SigmoidPrepare`, `TanhPrepare`.
    """
    scale32 = np.float32(scale)
    log2 = np.log(scale32, dtype=np.float32) * np.float32(1 / math.log(2))
    nearest = float(_round_half_away(log2))
    if abs(float(log2) - nearest) < 1e-3 and int(nearest) + 12 in power_of_two_shifts:
        return 3 << (int(nearest) + 12), 0
    multiplier, shift = float(scale32) * 4096 * 3, 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier *= 2
        shift += 1
    if multiplier > 32767:
        raise ValueError(f"input scale {scale:g} is too coarse for an int16 logistic function or tanh")
    return int(multiplier), shift


def _scaled(x: IntArray, multiplier: int, shift: int) -> IntArray:
    return (x * multiplier + ((1 << shift) >> 1)) >> shift


def logistic(x: IntArray, multiplier: int, shift: int, table: IntArray) -> IntArray:
    """The logistic function as a fraction of 2^15."""
    scaled = _scaled(x, multiplier, shift)
    magnitude = np.abs(scaled)
    index = np.minimum(magnitude >> 9, 254)
    base, after = table[index].astype(np.int64), table[index + 1].astype(np.int64)
    result = (base << 9) + (magnitude & 0x1FF) * (after - base)
    result = np.where(magnitude >> 9 >= 255, 0x7FFF << 10, result)
    return np.where(scaled >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1) >> 10


def tanh(x: IntArray, multiplier: int, shift: int, table: IntArray) -> IntArray:
    """tanh(x) = 2 logistic(2 x) - 1 as a fraction of 2^15."""
    scaled = _scaled(x, multiplier, shift)
    magnitude = np.abs(scaled)
    index = np.minimum(magnitude >> 8, 254)
    base, after = table[index].astype(np.int64), table[index + 1].astype(np.int64)
    result = (base << 8) + (magnitude & 0xFF) * (after - base)
    result = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, result)
    return np.where(scaled >= 0, result - (1 << 23) + (1 << 7), -result + (1 << 23) + (1 << 7) - 1) >> 8
