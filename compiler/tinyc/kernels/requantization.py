"""Requantization of a layer's accumulators in few instructions, proved exact channel by channel.

The output of a layer is a step function of its accumulator: TensorFlow Lite's double rounding
(`quantize/fixed_point.py`) followed by a clamp. A cheaper formula gives the same bytes if and only if it
steps at the same accumulators. `one_step` looks for the numbers of such a formula, a single multiply and
add with one shift that all channels share, and checks every step; `two_steps` is the double rounding
itself, with the tie of negative numbers put right by the sign of the accumulator.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels.layer_constants import layer_bias, right_multipliers, weight_rows
from tinyc.quantize.fixed_point import multiply_by_quantized_multiplier

# Shifts after the multiply, best first: small differences let layers share code.
_SHIFTS = (4, 5, 6, 3, 7, 8, 9, 10, 11, 12, 2)
# How far a bias may move to meet the fraction of a rounding constant, and how many moves are tried.
_REACHES = (256, 1 << 12, 1 << 16)
_TRIES = 12
_INT32 = 2**31


@dataclass(frozen=True, slots=True)
class Accumulators:
    """The accumulators of an int8 layer with constant symmetric weights.

    `rows` [channels, products] int64 are the weights; an accumulator is the product of a row with the
    raw int8 inputs plus `bias`, into which the input's zero point is folded. `multiplier` and `right`
    (a right shift) give its output by gemmlowp's double rounding, before `zero_point` is added and the
    result is clamped to [low, high]. All arrays are int64 with one entry per channel. Accumulators lie in
    [lowest, highest].
    """

    rows: Array
    bias: Array
    multiplier: Array
    right: Array
    zero_point: int
    low: int
    high: int
    lowest: Array
    highest: Array

    @classmethod
    def of(cls, op: Op, graph: Graph) -> Accumulators:
        """Those of a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED layer."""
        assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
        (result,) = graph.results(op)
        rows = weight_rows(op, graph).astype(np.int64)
        count = len(rows)
        multiplier, right = right_multipliers(op, graph)
        bias = layer_bias(op, graph, count) - graph.operands(op)[0].zero_point * rows.sum(1)
        positive, negative = np.maximum(rows, 0).sum(1), np.minimum(rows, 0).sum(1)
        low, high = activation_range(op.activation, result)
        return cls(
            rows,
            bias,
            np.broadcast_to(multiplier, count).astype(np.int64),
            np.broadcast_to(right, count).astype(np.int64),
            result.zero_point,
            low,
            high,
            bias + positive * -128 + negative * 127,
            bias + positive * 127 + negative * -128,
        )

    def select(self, channels: Array) -> Accumulators:
        """Those of some channels, in the order given."""
        arrays = ("rows", "bias", "multiplier", "right", "lowest", "highest")
        return replace(self, **{name: getattr(self, name)[channels] for name in arrays})

    @property
    def is_constant(self) -> Array:
        """Channels without any weight, whose output is one number."""
        return np.logical_not(self.rows.any(axis=1))

    @property
    def is_saturated(self) -> Array:
        """Channels whose output is one number, because they have no weight or never leave a limit."""
        ends = self.output(np.stack([self.lowest, self.highest], axis=1))
        saturated: Array = self.is_constant | (ends[:, 0] == ends[:, 1])
        return saturated

    def output(self, accumulators: Array) -> Array:
        """The int8 outputs [channels, ...] of accumulators [channels, ...], as int64."""
        axes = (slice(None), *(None,) * (accumulators.ndim - 1))
        scaled = multiply_by_quantized_multiplier(accumulators, self.multiplier[axes], -self.right[axes])
        outputs: Array = np.clip(scaled + self.zero_point, self.low, self.high)
        return outputs

    def clamps_like_int8(self) -> bool:
        """Whether saturation to int8 is all the clamping that the layer needs."""
        ends = np.stack([self.lowest, self.highest], axis=1)
        scaled = multiply_by_quantized_multiplier(ends, self.multiplier[:, None], -self.right[:, None])
        values = np.clip(scaled + self.zero_point, -128, 127)
        return bool(values.min() >= self.low and values.max() <= self.high)


@dataclass(frozen=True, slots=True)
class OneStep:
    """y = int8((constant + ((factor * (x + bias) * multiplier) >> 32)) >> shift), saturated.

    x is the product of weights and raw inputs, `factor` the power of two by which the kernel's
    accumulator of that channel is larger, `shift` that of the channels with a factor of 1; a channel with
    a factor f shifts by log2(f) more. All int64, one entry per channel; they fit 32 bits.
    """

    bias: Array
    multiplier: Array
    constant: Array
    shift: int


@dataclass(frozen=True, slots=True)
class TwoSteps:
    """y = int8((r + constant + (x + bias < 0 ? -1 : 0)) >> right), saturated, where r is the
    rounding doubling high multiply of x + bias by `multiplier`. All int64, one entry per channel."""

    bias: Array
    multiplier: Array
    constant: Array
    right: Array


def two_steps(sums: Accumulators) -> TwoSteps | None:
    """The double rounding itself, or None where 32 bits could overflow on the way."""
    live = ~sums.is_constant
    right = sums.right[live]
    largest = np.maximum(np.abs(sums.lowest[live]), np.abs(sums.highest[live]))
    if not sums.clamps_like_int8() or (right < 1).any() or (right > 22).any() or (largest >= 2**30).any():
        return None
    shift = np.where(live, sums.right, 1)
    return TwoSteps(
        np.where(live, sums.bias, 0),
        np.where(live, sums.multiplier, 0),
        np.where(live, (1 << shift) // 2 + sums.zero_point * (1 << shift), sums.output(sums.bias) << shift),
        shift,
    )


def one_step(sums: Accumulators, factors: Array, limit: int = _INT32) -> OneStep | None:
    """Numbers for `OneStep` that hold for every accumulator, or None when none were found.

    `factors` [channels]: powers of two. Biases and constants lie in [-limit, limit).
    """
    return _solved(_Question(sums, factors, limit))


class _Question:
    """Arguments of `one_step` that a cache can compare: a layer is asked about several times."""

    def __init__(self, sums: Accumulators, factors: Array, limit: int) -> None:
        self.sums, self.factors, self.limit = sums, factors, limit
        numbers = (sums.multiplier, sums.right, sums.bias, sums.lowest, sums.highest, factors)
        state = hashlib.sha256(repr((sums.zero_point, sums.low, sums.high, limit)).encode())
        for array in numbers:
            state.update(np.ascontiguousarray(array, np.int64).tobytes() + b"\0")
        self._key = state.digest()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and other._key == self._key


@lru_cache(maxsize=256)
def _solved(question: _Question) -> OneStep | None:
    sums, factors = question.sums, question.factors
    live = np.flatnonzero(~sums.is_saturated)
    if not sums.clamps_like_int8() or (sums.right[live] < 1).any() or (sums.right[live] > 30).any():
        return None
    if len(live) == 0 or sums.low == sums.high:
        shift = _SHIFTS[0]
        nothing = np.zeros(len(factors), np.int64)
        return OneStep(nothing, nothing, _constant_outputs(sums, factors, shift), shift)
    steps = _Steps.of(sums, live, question.limit)
    if steps.have_ties_of_both_signs():
        return None
    for shift in _SHIFTS:
        found = steps.solve(factors[live], shift)
        if found is not None:
            bias, multiplier, constant = (np.zeros(len(factors), np.int64) for _ in range(3))
            bias[live] = sums.bias[live] + found[0]
            multiplier[live] = found[1]
            constant[:] = _constant_outputs(sums, factors, shift)
            constant[live] = found[2]
            return OneStep(bias, multiplier, constant, shift)
    return None


def _constant_outputs(sums: Accumulators, factors: Array, shift: int) -> Array:
    """Of channels that are one number."""
    return sums.output(sums.lowest) * factors * (1 << shift)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Where the outputs of some channels step.

    `bias` is that of the layer, the solution's bias and constant stay within `limit`. `levels` are
    outputs without the zero point. The output is at least levels[k] for accumulators from
    reached[c, k] on and below it up to below[c, k], both clipped to the accumulators that can be; what
    the clipping leaves without meaning is marked in `reaches` and `stays`.
    """

    bias: Array
    multiplier: Array
    right: Array
    lowest: Array
    highest: Array
    zero_point: int
    limit: int
    levels: Array
    reached: Array
    below: Array
    reaches: Array
    stays: Array

    @classmethod
    def of(cls, sums: Accumulators, channels: Array, limit: int) -> _Steps:
        multiplier, right = sums.multiplier[channels, None], sums.right[channels, None]
        lowest, highest = sums.lowest[channels, None], sums.highest[channels, None]
        # All of int8: where the activation's own clamp is narrower, it never acts.
        levels = np.arange(-127, 128) - sums.zero_point
        # The rounding shift takes ties away from zero: up for positive outputs, down for the others.
        first = (levels << right) - (np.int64(1) << (right - 1)) + (levels <= 0)
        # The high multiply reaches `first` when the product reaches first * 2^31 - 2^30.
        steps = -((-(first * 2**31 - 2**30)) // multiplier)
        return cls(
            sums.bias[channels],
            multiplier[:, 0],
            right[:, 0],
            lowest[:, 0],
            highest[:, 0],
            sums.zero_point,
            limit,
            levels,
            np.maximum(steps, lowest),
            np.minimum(steps - 1, highest),
            steps <= highest,
            steps > lowest,
        )

    def have_ties_of_both_signs(self) -> bool:
        """True where outputs round both up and down: no straight line does so."""
        step = self.reaches & self.stays
        return bool((step[:, self.levels > 0].any(1) & step[:, self.levels <= 0].any(1)).any())

    def solve(self, factors: Array, shift: int) -> tuple[Array, Array, Array] | None:
        """(move of the bias, multiplier, constant) by channel for one shift, or None."""
        if (self._slope(shift) * 2.0**32 >= _INT32).any():
            return None
        results = np.zeros((3, len(factors)), np.int64)
        left = np.arange(len(factors))
        for reach in _REACHES:
            found = self._of(left)._search(factors[left], shift, reach)
            good = found[1] >= 0
            results[:, left[good]] = found[:, good]
            left = left[~good]
            if len(left) == 0:
                return results[0], results[1], results[2]
        return None

    def _of(self, channels: Array) -> _Steps:
        arrays = ("bias", "multiplier", "right", "lowest", "highest", "reached", "below", "reaches", "stays")
        return replace(self, **{name: getattr(self, name)[channels] for name in arrays})

    def _slope(self, shift: int) -> Array:
        """What one unit of the accumulator adds to the constant of a channel with a factor of 1."""
        slope: Array = self.multiplier * 2.0 ** (shift - self.right - 31)
        return slope

    def _search(self, factors: Array, shift: int, reach: int) -> Array:
        """As `solve`, [3, channels], with a multiplier of -1 where nothing was found.

        The constant is an integer, but the line that steps right needs a fraction there as a rule. A
        bias that moves by n takes n slopes off the constant; some n leave nearly an integer. They are
        looked for around those that leave the bias within the limit.
        """
        reach = min(reach, self.limit // 2)
        inside = self.limit - 1 - reach
        centre = np.clip(self.bias, -inside, inside) - self.bias
        slope, unit = self._slope(shift)[:, None], factors[:, None].astype(np.float64)
        offset = 2.0 ** (shift - 1) + 2.0 ** (shift - self.right[:, None] - 1)
        distance = np.arange(-reach, reach + 1)
        moves = centre[:, None] + distance
        exact = (offset - moves * slope) * unit
        error = np.abs(exact - np.rint(exact)) / (slope * unit) + np.abs(distance) * 1e-9
        best = np.argpartition(error, _TRIES, axis=1)[:, :_TRIES]
        results = np.full((3, len(factors)), -1, np.int64)
        left = np.arange(len(factors))
        for attempt in range(_TRIES):
            at = best[left, attempt]
            move, constant = moves[left, at], np.rint(exact[left, at]).astype(np.int64)
            multiplier = self._of(left)._multiplier(factors[left], shift, move, constant)
            total = constant + (self.zero_point * factors[left] << shift)
            good = (multiplier >= 0) & (total >= -self.limit) & (total < self.limit)
            results[:, left[good]] = np.stack([move, multiplier, total])[:, good]
            left = left[~good]
            if len(left) == 0:
                break
        return results

    def _multiplier(self, factors: Array, shift: int, move: Array, constant: Array) -> Array:
        """A multiplier that steps everywhere right, by channel; -1 where there is none."""
        wanted = (self.levels * (factors[:, None] << (32 + shift))) - (constant << 32)[:, None]
        low = np.zeros(len(factors), np.int64)
        high = np.full(len(factors), _INT32 - 1, np.int64)
        impossible = np.zeros(len(factors), bool)
        for points, bound, counts, at_least in (
            (self.reached, wanted, self.reaches, True),
            (self.below, wanted - 1, self.stays, False),
        ):
            place = (points + move[:, None]) * factors[:, None]
            divisor = np.where(place == 0, 1, place)
            floor, ceiling = bound // divisor, -(-bound // divisor)
            lower = (place > 0) if at_least else (place < 0)
            upper = (place < 0) if at_least else (place > 0)
            low = np.maximum(low, np.where(counts & lower, ceiling, 0).max(1, initial=0))
            high = np.minimum(high, np.where(counts & upper, floor, _INT32 - 1).min(1, initial=_INT32 - 1))
            zero = counts & (place == 0)
            impossible |= (zero & ((bound > 0) if at_least else (bound < 0))).any(1)
        middle = (low + high) // 2
        ends = np.stack([self.lowest, self.highest]) + move
        fits = (np.abs(ends) * factors < _INT32).all(0)
        reach = (np.abs(ends) * factors * middle >> 32).max(0) + np.abs(constant)
        fits &= reach + np.abs(self.zero_point * factors << shift) < _INT32 - 1
        return np.where((low <= high) & ~impossible & fits, middle, -1)
