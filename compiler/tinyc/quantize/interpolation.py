"""Functions of one int16 value by linear interpolation in a table, as TensorFlow Lite's int16 kernels do.

Two kinds of table: 513 entries over the whole int16 range (SOFTMAX), and one of the logistic
function over [0, 10.7) that LOGISTIC and TANH share. A leaf module: it imports nothing of tinyc
but fixed_point. Arrays are int64 that hold int16 or int32 values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyc.quantize.fixed_point import IntArray

_STEPS = 512


def _round_half_away(x: float) -> float:
    return math.copysign(math.floor(abs(x) + 0.5), x)


def interpolation_table(function: Callable[[float], float], low: float, high: float) -> IntArray:
    """513 samples (int16) of a function of [low, high], as fractions of 2^15.

    Each sample is moved by half of the interpolation error in the middle of its step.
    Source: TensorFlow Lite, `LUTPopulateInt16`.
    """
    step = (high - low) / _STEPS
    table = []
    for i in range(_STEPS):
        here = function(low + i * step) * 32768
        middle = _round_half_away(function(low + i * step + step / 2) * 32768)
        after = function(low + (i + 1) * step) * 32768
        interpolated = _round_half_away((after + _round_half_away(here)) / 2)
        table.append(_round_half_away(here) - _round_half_away((interpolated - middle) / 2))
    table.append(_round_half_away(function(high) * 32768))
    return np.asarray(np.clip(np.array(table), -32768, 32767).astype(np.int16))


def interpolate(x: IntArray, table: IntArray) -> IntArray:
    """The function of `table` at int16 x: 512 steps of 128. Source: TensorFlow Lite, `LUTLookup`."""
    index = 256 + (x >> 7)
    base = table[index].astype(np.int64)
    slope = table[index + 1].astype(np.int64) - base
    return np.asarray(base + ((slope * (x & 127) + 64) >> 7))


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
    nearest = _round_half_away(float(log2))
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
