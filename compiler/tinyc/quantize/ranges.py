"""Candidate ranges of an activation, derived from its histogram by four methods.

Every range holds 0, which is thereby exactly representable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.tensor import Array, Quantization
from tinyc.quantize.histogram import Histogram
from tinyc.quantize.options import Method, QuantizeOptions

# Scales below this are raised to it: float32 products of two of them stay normal numbers.
SMALLEST_SCALE = 2.0**-50

_STEPS = 48
_ENTROPY_BINS = 2048
_ENTROPY_STRIDE = 16


@dataclass(frozen=True, slots=True)
class Range:
    """Real values [low, high] that an activation keeps; low <= 0 <= high."""

    low: float
    high: float

    def quantization(self) -> Quantization:
        """int8, asymmetric: 256 steps over the range, 0 exactly representable.

        The zero point is rounded, which moves the range by at most half a step. An empty range gets
        the steps of [0, 1].
        """
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if high == low:
            high = 1.0
        scale = float(np.float32(max((high - low) / 255.0, SMALLEST_SCALE)))
        zero_point = math.floor(-128.0 - low / scale + 0.5)
        return Quantization((scale,), (min(max(zero_point, -128), 127),))

    def quantization_int16(self) -> Quantization:
        """int16, symmetric, as TensorFlow Lite's 16x8 scheme wants it."""
        largest = max(-self.low, self.high) or 1.0
        return Quantization((float(np.float32(max(largest / 32767.0, SMALLEST_SCALE))),), (0,))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A range and the method that gave it; `label` tells percentiles apart."""

    method: Method
    label: str
    range: Range


def candidates(histogram: Histogram, options: QuantizeOptions) -> tuple[Candidate, ...]:
    """One candidate per method (per percentage for PERCENTILE), in the order of `options.methods`.

    Degenerate tensors (nothing but one value or zeros) have the min-max candidate only.
    """
    full = Range(min(histogram.minimum, 0.0), max(histogram.maximum, 0.0))
    if np.count_nonzero(histogram.counts) <= 1:
        return (Candidate(Method.MIN_MAX, Method.MIN_MAX.value, full),)
    found = []
    for method in options.methods:
        if method is Method.MIN_MAX:
            found.append(Candidate(method, method.value, full))
        elif method is Method.PERCENTILE:
            for percentage in options.percentiles:
                label = f"{method.value} {percentage:g}"
                found.append(Candidate(method, label, _percentile(histogram, percentage, full)))
        elif method is Method.MSE:
            found.append(Candidate(method, method.value, _least_squares(histogram, full)))
        else:
            found.append(Candidate(method, method.value, _entropy(histogram, full)))
    return tuple(found)


def rounding_error(histogram: Histogram, lows: Array, highs: Array) -> Array:
    """Mean squared error of quantizing and dequantizing with each of the ranges [lows, highs].

    Values count at the centre of their bin; float64, one entry per range.
    """
    used = histogram.counts > 0
    values = np.clip(histogram.centres[used], histogram.minimum, histogram.maximum)
    weights = histogram.counts[used].astype(np.float64)
    errors = np.empty(lows.shape)
    for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
        parameters = Range(float(low), float(high)).quantization()
        scale, zero_point = parameters.scale[0], parameters.zero_point[0]
        steps = np.clip(np.rint(values / scale) + zero_point, -128, 127) - zero_point
        errors[index] = weights @ np.square(values - steps * scale)
    return errors / max(histogram.count, 1)


def _percentile(histogram: Histogram, percentage: float, full: Range) -> Range:
    """Cut the same part of all values off both ends, half of it at each."""
    below = np.cumsum(histogram.counts) + np.where(histogram.centres >= 0.0, histogram.zeros, 0)
    one_sided = full.low == 0.0 or full.high == 0.0
    cut = (100.0 - percentage) / 100.0 * histogram.count / (1.0 if one_sided else 2.0)
    centres = histogram.centres
    low_index = int(np.searchsorted(below, cut, side="right"))
    high_index = int(np.searchsorted(below, histogram.count - cut, side="left"))
    low = centres[min(low_index, len(centres) - 1)] if full.low < 0.0 else 0.0
    high = centres[min(high_index, len(centres) - 1)] if full.high > 0.0 else 0.0
    return Range(max(full.low, min(float(low), 0.0)), min(full.high, max(float(high), 0.0)))


def _least_squares(histogram: Histogram, full: Range) -> Range:
    """The range of least mean squared error: the ends in turn over a grid, then a finer one."""
    low, high = full.low, full.high
    grid = np.linspace(1.0 / _STEPS, 1.0, _STEPS)
    for fine in (False, True):
        for upper in (True, False):
            end, limit = (high, full.high) if upper else (low, full.low)
            if limit == 0.0:
                continue
            steps = end + limit * np.linspace(-1.0, 1.0, _STEPS + 1) / _STEPS if fine else limit * grid
            steps = np.clip(steps, min(limit, 0.0), max(limit, 0.0))
            lows = np.full_like(steps, low) if upper else steps
            highs = steps if upper else np.full_like(steps, high)
            best = float(steps[int(np.argmin(rounding_error(histogram, lows, highs)))])
            low, high = (low, best) if upper else (best, high)
    return Range(low, high)


def _entropy(histogram: Histogram, full: Range) -> Range:
    """Clip at the threshold whose quantized distribution has the least divergence from the real one.

    Source: Migacz, "8-bit Inference with TensorRT" (GTC 2017). One-sided tensors use 256 levels,
    others 128 levels on absolute values. Exact zeros do not take part.
    """
    largest = max(-full.low, full.high)
    one_sided = full.low == 0.0 or full.high == 0.0
    levels = 256 if one_sided else 128
    counts, _ = np.histogram(
        np.minimum(np.abs(histogram.centres), largest),
        bins=_ENTROPY_BINS,
        range=(0.0, largest),
        weights=histogram.counts,
    )
    below = np.cumsum(counts)
    best, threshold = math.inf, _ENTROPY_BINS
    for kept in range(levels, _ENTROPY_BINS + 1, _ENTROPY_STRIDE):
        real = counts[:kept].astype(np.float64)
        edges = np.arange(levels) * kept // levels
        widths = np.diff(np.append(edges, kept))
        present = (real > 0).astype(np.float64)
        occupied = np.maximum(np.add.reduceat(present, edges), 1.0)
        quantized = np.repeat(np.add.reduceat(real, edges) / occupied, widths) * present
        real[-1] += below[-1] - below[kept - 1]
        divergence = _divergence(real, quantized)
        # A tie goes to the wider range.
        if divergence <= best:
            best, threshold = divergence, kept
    clip = largest * threshold / _ENTROPY_BINS
    return Range(max(full.low, -clip), min(full.high, clip))


def _divergence(real: Array, quantized: Array) -> float:
    """Kullback-Leibler divergence of two histograms; infinite where only `quantized` is empty."""
    total = quantized.sum()
    if total <= 0.0:
        return math.inf
    p, q = real / real.sum(), quantized / total
    used = p > 0
    # The last bin also holds what was clipped and may be empty in `quantized`.
    floor = 1e-12
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], floor))))
