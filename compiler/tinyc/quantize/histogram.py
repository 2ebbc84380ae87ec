"""Statistics of one tensor in bounded memory: a histogram whose range grows with the data."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.tensor import Array

BINS = 4096


class Histogram:
    """Distribution of a stream of finite values.

    `minimum`, `maximum`, `count` and `power` (the sum of squares) are exact. Values other than 0 are
    counted in `BINS` bins of equal width; when a value falls outside, neighbouring bins are merged
    and the range doubles, so at least a quarter of the bins stay in use. Exact zeros, which zero
    padding and RELU make plenty of and which quantization represents exactly, are counted in `zeros`.
    """

    __slots__ = ("_start", "_width", "count", "counts", "maximum", "minimum", "power", "zeros")

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, dtype=np.int64)
        self.count = 0
        self.zeros = 0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.power = 0.0
        self._start = 0.0
        self._width = 0.0

    @property
    def centres(self) -> Array:
        """The middle of every bin, float64."""
        return self._start + (np.arange(BINS) + 0.5) * self._width

    def add(self, values: Array) -> None:
        """Count an array of any shape. Raises ValueError when a value is NaN or infinite."""
        flat = np.asarray(values, dtype=np.float64).reshape(-1)
        if not flat.size:
            return
        low, high = float(flat.min()), float(flat.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("a histogram counts finite values only")
        self.count += flat.size
        self.power += float(flat @ flat)
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        present = flat[flat != 0.0]
        self.zeros += flat.size - present.size
        if not present.size:
            return
        low, high = float(present.min()), float(present.max())
        self._cover(low, high)
        index = ((present - self._start) / self._width).astype(np.int64)
        # Rounding may put the largest value one past the last bin.
        np.clip(index, 0, BINS - 1, out=index)
        self.counts += np.bincount(index, minlength=BINS)

    def _cover(self, low: float, high: float) -> None:
        if self._width == 0.0:
            # A single value gets a narrow range around it; growth takes care of the rest.
            span = max(high - low, max(abs(low), abs(high)) * 2.0**-10)
            self._start, self._width = low, span / BINS
            return
        while high > self._start + BINS * self._width:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([pairs, np.zeros_like(pairs)])
            self._width *= 2.0
        while low < self._start:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([np.zeros_like(pairs), pairs])
            self._start -= BINS * self._width
            self._width *= 2.0

    def merged(self, other: Histogram) -> Histogram:
        """A new histogram of the values of both; `other`'s bins are counted at their centres."""
        result = Histogram()
        for part in (self, other):
            result._take(part)
        return result

    def _take(self, part: Histogram) -> None:
        self.count += part.count
        self.zeros += part.zeros
        self.power += part.power
        self.minimum = min(self.minimum, part.minimum)
        self.maximum = max(self.maximum, part.maximum)
        used = part.counts > 0
        if not used.any():
            return
        centres = np.clip(part.centres[used], part.minimum, part.maximum)
        self._cover(float(centres.min()), float(centres.max()))
        index = np.clip(((centres - self._start) / self._width).astype(np.int64), 0, BINS - 1)
        np.add.at(self.counts, index, part.counts[used])
