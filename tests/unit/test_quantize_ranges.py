"""Histograms and the ranges derived from them."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.quantize.histogram import BINS, Histogram
from tinyc.quantize.options import Method, QuantizeOptions
from tinyc.quantize.ranges import Candidate, Range, candidates, rounding_error
from tinyc.quantize.simulate import rounded

pytestmark = pytest.mark.unit


def histogram_of(*parts: Array) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def by_label(histogram: Histogram, options: QuantizeOptions | None = None) -> dict[str, Candidate]:
    return {candidate.label: candidate for candidate in candidates(histogram, options or QuantizeOptions())}


@pytest.mark.parametrize("seed", range(5))
def test_histogram_counts_everything_while_its_range_grows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(0, 10.0 ** rng.uniform(-3, 3), 500).astype(np.float32) for _ in range(20)]
    parts.append(np.zeros(77, np.float32))
    everything = np.concatenate(parts).astype(np.float64)
    histogram = histogram_of(*parts)
    assert histogram.count == everything.size
    assert histogram.zeros == np.count_nonzero(everything == 0)
    assert histogram.counts.sum() + histogram.zeros == everything.size
    assert (histogram.minimum, histogram.maximum) == (everything.min(), everything.max())
    assert histogram.power == pytest.approx(np.square(everything).sum())
    # Each bin holds what lies around its centre, to within one bin.
    width = histogram.centres[1] - histogram.centres[0]
    cumulative = np.cumsum(histogram.counts)
    nonzero = np.sort(everything[everything != 0])
    for share in (0.01, 0.3, 0.5, 0.9, 0.999):
        position = int(share * nonzero.size)
        found = histogram.centres[int(np.searchsorted(cumulative, position, side="right"))]
        assert abs(found - nonzero[position]) <= width
    # Growth doubles at either end, so at least a quarter of the range is in use.
    assert width * BINS <= 4.01 * (nonzero.max() - nonzero.min())


def test_merging_is_counting_both() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 4000), rng.normal(50, 3, 2000)
    merged, whole = histogram_of(a).merged(histogram_of(b)), histogram_of(a, b)
    assert (merged.count, merged.zeros) == (whole.count, whole.zeros)
    assert (merged.minimum, merged.maximum) == (whole.minimum, whole.maximum)
    assert merged.counts.sum() == whole.counts.sum()
    lows, highs = np.array([-3.0, -1.0]), np.array([60.0, 30.0])
    assert rounding_error(merged, lows, highs) == pytest.approx(rounding_error(whole, lows, highs), rel=0.02)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_histogram_refuses_values_that_are_not_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Histogram().add(np.array([1.0, bad]))


@pytest.mark.parametrize("seed", range(30))
def test_zero_is_exact_and_the_range_is_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(0, 10.0 ** rng.uniform(-6, 6), 2))
    quantization = Range(float(low), float(high)).quantization()
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    assert -128 <= zero_point <= 127
    assert float(np.float32(scale)) == scale
    assert rounded(np.zeros(1, np.float32), quantization)[0] == 0.0
    for end in (min(low, 0.0), max(high, 0.0)):
        assert abs(rounded(np.float32(end), quantization) - end) <= scale * 0.5001 + 1e-6 * abs(end)


@pytest.mark.parametrize(
    "values", [np.zeros(10), np.full(10, 3.5), np.full(10, -1e-30), np.array([0.0, 7.0])]
)
def test_degenerate_tensors_have_a_usable_range(values: Array) -> None:
    (candidate,) = candidates(histogram_of(values), QuantizeOptions())
    assert candidate.method is Method.MIN_MAX
    quantization = candidate.range.quantization()
    assert quantization.scale[0] > 0
    for value in values:
        step = quantization.scale[0]
        assert abs(rounded(np.float32(value), quantization) - value) <= step / 2 * 1.001


@pytest.mark.parametrize("seed", range(4))
def test_error_from_the_histogram_is_the_error_of_the_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.laplace(0, 2, 20_000).astype(np.float32)
    values[rng.random(values.size) < 0.3] = 0
    histogram = histogram_of(values)
    for low, high in [(histogram.minimum, histogram.maximum), (-4.0, 5.0), (-1.0, 1.0), (0.0, 6.0)]:
        quantization = Range(low, high).quantization()
        actual = np.square(values.astype(np.float64) - rounded(values, quantization)).mean()
        (estimate,) = rounding_error(histogram, np.array([low]), np.array([high]))
        assert estimate == pytest.approx(actual, rel=0.02)


def test_outliers_are_clipped_by_every_method_but_min_max() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, 100_000)
    values[:3] = (500.0, -400.0, 300.0)
    histogram = histogram_of(values)
    found = by_label(histogram)
    assert found["min-max"].range == Range(-400.0, 500.0)
    assert found["percentile 99.9"].range.high < 6
    assert found["entropy"].range.high < 100
    errors = {
        label: rounding_error(histogram, np.array([c.range.low]), np.array([c.range.high]))[0]
        for label, c in found.items()
    }
    assert errors["mse"] == min(errors.values())


def test_percentile_keeps_what_it_says() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 1, 50_000), np.zeros(50_000)])
    kept = by_label(histogram_of(values), QuantizeOptions(percentiles=(98.0,)))["percentile 98"].range
    assert kept.low == pytest.approx(np.quantile(values, 0.01), abs=0.01)
    assert kept.high == pytest.approx(np.quantile(values, 0.99), abs=0.01)
    one_sided = by_label(histogram_of(np.abs(values)), QuantizeOptions(percentiles=(98.0,)))[
        "percentile 98"
    ].range
    assert one_sided.low == 0.0
    assert one_sided.high == pytest.approx(np.quantile(np.abs(values), 0.98), abs=0.01)


def test_least_squares_beats_a_fine_grid() -> None:
    rng = np.random.default_rng(5)
    for values in (rng.laplace(0, 1, 30_000), rng.exponential(1, 30_000), rng.normal(3, 1, 30_000)):
        histogram = histogram_of(values)
        best = by_label(histogram)["mse"].range
        (error,) = rounding_error(histogram, np.array([best.low]), np.array([best.high]))
        shrink = np.linspace(0.1, 1.0, 200)
        grid = rounding_error(
            histogram, shrink * min(histogram.minimum, 0.0), shrink * max(histogram.maximum, 0.0)
        )
        assert error <= grid.min() * 1.01


def test_options_are_checked_together() -> None:
    with pytest.raises(TinycError) as caught:
        QuantizeOptions(methods=(), percentiles=(10.0, 99.0), measure_samples=0)
    assert len(caught.value.problems) == 3
