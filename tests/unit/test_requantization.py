"""Cheap requantization equals gemmlowp's double rounding for every accumulator that can be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyc.ir.tensor import Array
from tinyc.kernels.requantization import Accumulators, OneStep, one_step, two_steps
from tinyc.quantize.fixed_point import quantize_multiplier

pytestmark = pytest.mark.unit


def accumulators(rng: np.random.Generator, zero_point: int, low: int, high: int) -> Accumulators:
    """Layers with the scales of trained nets; some channels have no weights and any bias."""
    channels, depth = int(rng.integers(1, 12)), int(rng.integers(1, 200))
    rows = rng.integers(-127, 128, (channels, depth))
    dead = rng.random(channels) < 0.1
    rows[dead] = 0
    spread = 5000 * np.sqrt(depth)
    pairs = [quantize_multiplier(128 / (spread * rng.uniform(0.3, 4))) for _ in range(channels)]
    bias = rng.integers(-20_000, 20_000, channels)
    bias[dead] = rng.integers(-(2**31), 2**31, int(dead.sum()))
    positive, negative = np.maximum(rows, 0).sum(1), np.minimum(rows, 0).sum(1)
    return Accumulators(
        rows,
        bias,
        np.array([multiplier for multiplier, _ in pairs]),
        np.array([-shift for _, shift in pairs]),
        zero_point,
        low,
        high,
        bias - 128 * positive + 127 * negative,
        bias + 127 * positive - 128 * negative,
    )


def some(sums: Accumulators, rng: np.random.Generator) -> Array:
    """[channels, n] accumulators: both ends, everything around zero, and random ones."""
    lowest, highest = sums.lowest[:, None], sums.highest[:, None]
    ends = np.arange(64)
    middle = np.clip(np.arange(-2000, 2000) + sums.bias[:, None] * 0, lowest, highest)
    anything = rng.integers(lowest, highest + 1, (len(sums.bias), 20_000))
    near = [np.minimum(lowest + ends, highest), np.maximum(highest - ends, lowest)]
    return np.concatenate([*near, middle, anything], axis=1)


def evaluated(found: OneStep, sums: Accumulators, factors: Array, accumulators: Array) -> Array:
    """What a kernel computes, with a check that all of it fits 32 bits."""
    products = np.where(sums.is_constant[:, None], 0, accumulators - sums.bias[:, None])
    scaled = factors[:, None] * (products + found.bias[:, None])
    total = found.constant[:, None] + (scaled * found.multiplier[:, None] >> 32)
    assert max(np.abs(scaled).max(), np.abs(total).max(), found.multiplier.max()) < 2**31
    shift = found.shift + np.log2(factors).astype(np.int64)
    return np.clip(total >> shift[:, None], -128, 127)


@pytest.mark.parametrize("factor", ["one", "pairs", "four"])
@pytest.mark.parametrize("seed", range(12))
def test_one_step_is_exact(seed: int, factor: str) -> None:
    rng = np.random.default_rng(seed)
    sums = accumulators(rng, -128, -128, 127)
    count = len(sums.bias)
    powers = {"one": np.ones(count, int), "pairs": np.where(np.arange(count) % 2, 256, 1)}
    factors = powers.get(factor, np.full(count, 4))
    found = one_step(sums, factors)
    assert found is not None
    values = some(sums, rng)
    np.testing.assert_array_equal(evaluated(found, sums, factors, values), sums.output(values))


@pytest.mark.parametrize("seed", range(12))
def test_pairs_have_one_bias(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sums = accumulators(rng, -128, -128, 127)
    half = len(sums.bias)
    sums = sums.select(np.concatenate([np.arange(half), rng.permutation(half)]))
    factors = np.where(np.arange(2 * half) < half, 1, 256)
    found = one_step(sums, factors, in_pairs=True)
    assert found is not None
    np.testing.assert_array_equal(found.bias[:half], found.bias[half:])
    values = some(sums, rng)
    np.testing.assert_array_equal(evaluated(found, sums, factors, values), sums.output(values))


@pytest.mark.parametrize("seed", range(12))
def test_biases_and_constants_within_a_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sums = accumulators(rng, -128, -128, 127)
    # As a zero point that is folded in makes them.
    far = rng.integers(-150_000, 150_000, len(sums.bias))
    sums = dataclasses.replace(
        sums, bias=sums.bias + far, lowest=sums.lowest + far, highest=sums.highest + far
    )
    factors = np.ones(len(sums.bias), int)
    found = one_step(sums, factors, 2**15)
    assert found is not None
    for numbers in (found.bias, found.constant):
        assert numbers.min() >= -(2**15) and numbers.max() < 2**15
    values = some(sums, rng)
    np.testing.assert_array_equal(evaluated(found, sums, factors, values), sums.output(values))


@pytest.mark.parametrize("side", [-1, 1])
def test_channels_that_never_leave_a_limit_are_constants(side: int) -> None:
    rng = np.random.default_rng(3)
    sums = accumulators(rng, -128, -128, 127)
    far = side * 20_000_000
    sums = dataclasses.replace(
        sums, bias=sums.bias + far, lowest=sums.lowest + far, highest=sums.highest + far
    )
    assert sums.is_saturated.all()
    factors = np.ones(len(sums.bias), int)
    found = one_step(sums, factors, 2**15)
    assert found is not None and not found.multiplier.any()
    values = some(sums, rng)
    np.testing.assert_array_equal(evaluated(found, sums, factors, values), sums.output(values))


def test_every_accumulator_of_one_channel() -> None:
    rng = np.random.default_rng(7)
    sums = accumulators(rng, -128, -128, 127).select(np.array([0]))
    found = one_step(sums, np.ones(1, int))
    assert found is not None
    values = np.arange(sums.lowest[0], sums.highest[0] + 1)[None]
    np.testing.assert_array_equal(evaluated(found, sums, np.ones(1, int), values), sums.output(values))


@pytest.mark.parametrize("seed", range(12))
def test_two_steps_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sums = accumulators(rng, int(rng.integers(-128, 128)), -128, 127)
    found = two_steps(sums)
    assert found is not None
    values = some(sums, rng)
    products = np.where(sums.is_constant[:, None], 0, values - sums.bias[:, None]) + found.bias[:, None]
    high = (2 * products * found.multiplier[:, None] + 2**31) >> 32
    total = high + found.constant[:, None] + (products >> 63)
    assert max(np.abs(2 * products).max(), np.abs(total).max()) < 2**31
    outputs = np.clip(total >> found.right[:, None], -128, 127)
    np.testing.assert_array_equal(outputs, sums.output(values))


def test_a_clamp_that_never_acts_does_not_replace_a_step() -> None:
    """A RELU above the least code whose inputs stay near its zero point: saturation cannot help there."""
    one = (np.array([value]) for value in (-7680, 1623174288, 16))
    sums = Accumulators(np.array([[-120]]), *one, 5, 5, 127, np.array([-22920]), np.array([7680]))
    found = one_step(sums, np.ones(1, int))
    assert found is not None
    values = np.arange(-22920, 7681)[None]
    np.testing.assert_array_equal(evaluated(found, sums, np.ones(1, int), values), sums.output(values))


def test_outputs_that_round_both_ways_need_two_steps() -> None:
    sums = accumulators(np.random.default_rng(0), 0, -128, 127)
    assert one_step(sums, np.ones(len(sums.bias), int)) is None
    assert two_steps(sums) is not None


def test_a_clamp_inside_int8_is_refused_unless_it_never_acts() -> None:
    sums = accumulators(np.random.default_rng(1), -128, -128, 100)
    assert one_step(sums, np.ones(len(sums.bias), int)) is None
    assert two_steps(sums) is None
