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
_TRIES = 24
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


def one_step(
    sums: Accumulators, factors: Array, limit: int = _INT32, *, in_pairs: bool = False
) -> OneStep | None:
    """Numbers for `OneStep` that hold for every accumulator, or None when none were found.

    `factors` [channels]: powers of two. Biases and constants lie in [-limit, limit). `in_pairs`: each
    channel of the first half has the same bias as its counterpart in the second.
    """
    return _solved(_Question(sums, factors, limit, 2 if in_pairs else 1))


class _Question:
    """Arguments of `one_step` that a cache can compare: a layer is asked about several times."""

    def __init__(self, sums: Accumulators, factors: Array, limit: int, members: int) -> None:
        # Kept by the cache: of the weights only which channels have any.
        self.sums = replace(sums, rows=(~sums.is_constant).astype(np.int64)[:, None])
        self.factors, self.limit, self.members = factors, limit, members
        numbers = (sums.multiplier, sums.right, sums.bias, sums.lowest, sums.highest, factors)
        state = hashlib.sha256(repr((sums.zero_point, sums.low, sums.high, limit, members)).encode())
        for array in numbers:
            state.update(np.ascontiguousarray(array, np.int64).tobytes() + b"\0")
        self._key = state.digest()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and other._key == self._key


@lru_cache(maxsize=4096)
def _solved(question: _Question) -> OneStep | None:
    sums, factors = question.sums, question.factors
    right = sums.right[~sums.is_constant]
    if not sums.clamps_like_int8() or (right < 1).any() or (right > 30).any():
        return None
    live = ~sums.is_saturated
    steps = _Steps.of(sums, factors, question.limit)
    if steps.have_ties_of_both_signs():
        return None
    members = np.arange(len(factors)).reshape(question.members, -1)
    for shift in _SHIFTS:
        found = steps.solve(members[:, live[members].any(0)], shift)
        if found is not None:
            constant = sums.output(sums.lowest) * factors * (1 << shift)
            return OneStep(found[0], found[1], np.where(live, found[2], constant), shift)
    return None


@dataclass(frozen=True, slots=True)
class _Steps:
    """Where the outputs of channels step; those that are not `live` are one number.

    The solution's bias and constant stay within `limit`. `levels` are outputs without the zero point.
    The output is at least levels[k] for accumulators from reached[c, k] on and below it up to
    below[c, k], both clipped to the accumulators that can be; what the clipping leaves without meaning
    is marked in `reaches` and `stays`.
    """

    factors: Array
    live: Array
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
    def of(cls, sums: Accumulators, factors: Array, limit: int) -> _Steps:
        live = ~sums.is_saturated
        multiplier, right = np.where(live, sums.multiplier, 1), np.where(live, sums.right, 1)
        # All of int8: where the activation's own clamp is narrower, it never acts.
        levels = np.arange(-127, 128) - sums.zero_point
        # The rounding shift takes ties away from zero: up for positive outputs, down for the others.
        first = (levels << right[:, None]) - (np.int64(1) << (right[:, None] - 1)) + (levels <= 0)
        # The high multiply reaches `first` when the product reaches first * 2^31 - 2^30.
        steps = -((-(first * 2**31 - 2**30)) // multiplier[:, None])
        lowest, highest = sums.lowest[:, None], sums.highest[:, None]
        return cls(
            factors,
            live,
            sums.bias,
            multiplier,
            right,
            sums.lowest,
            sums.highest,
            sums.zero_point,
            limit,
            levels,
            np.maximum(steps, lowest),
            np.minimum(steps - 1, highest),
            live[:, None] & (steps <= highest),
            live[:, None] & (steps > lowest),
        )

    def have_ties_of_both_signs(self) -> bool:
        """True where outputs round both up and down: no straight line does so."""
        step = self.reaches & self.stays
        return bool((step[:, self.levels > 0].any(1) & step[:, self.levels <= 0].any(1)).any())

    def solve(self, members: Array, shift: int) -> tuple[Array, Array, Array] | None:
        """(bias, multiplier, constant) by channel for one shift, or None.

        `members` [n, groups] are channels; those of a group get the same bias. Channels in no group, and
        those that are one number, get zeros.
        """
        if (self._slope(shift)[self.live] * 2.0**32 >= _INT32).any():
            return None
        results = np.zeros((3, len(self.factors)), np.int64)
        for reach in _REACHES:
            if members.size == 0:
                break
            found, good = self._search(members, shift, reach)
            solved = members[:, good]
            results[0, solved] = found[0][:, good]
            results[1:, solved] = np.where(self.live[solved], found[1:][:, :, good], 0)
            members = members[:, ~good]
        return None if members.size else (results[0], results[1], results[2])

    def _slope(self, shift: int) -> Array:
        """What one unit of the accumulator adds to the constant of a channel with a factor of 1."""
        slope: Array = self.multiplier * 2.0 ** (shift - self.right - 31)
        return slope

    def _search(self, members: Array, shift: int, reach: int) -> tuple[Array, Array]:
        """([bias, multiplier, constant] by member and group, whether they were found).

        The constant is an integer, but the line that steps right needs a fraction there as a rule. A
        bias that moves by n takes n slopes off the constant; some n leave nearly an integer. They are
        looked for around the bias of the layer, or the nearest one within the limit.
        """
        reach = min(reach, self.limit - 1)
        inside = self.limit - 1 - reach
        slope = self._slope(shift)
        offset = 2.0 ** (shift - 1) + 2.0 ** (shift - self.right - 1.0)
        groups = np.arange(members.shape[1])
        lead = members[np.argmax(self.live[members], axis=0), groups]
        distance = np.arange(-reach, reach + 1)
        biases = np.clip(self.bias[lead], -inside, inside)[:, None] + distance
        error = np.broadcast_to(np.abs(distance) * 1e-9, biases.shape)

        def exact(channels: Array, biases: Array) -> Array:
            """The constant that the line should have."""
            axes = (slice(None), *(None,) * (biases.ndim - 1))
            moves = biases - self.bias[channels][axes]
            line: Array = offset[channels][axes] - moves * slope[channels][axes]
            return line * self.factors[channels][axes]

        for channels in members:
            line, steepness = exact(channels, biases), slope[channels] * self.factors[channels]
            missed = np.abs(line - np.rint(line)) * np.where(self.live[channels], 1 / steepness, 0)[:, None]
            error = np.maximum(error, missed)
        tries = min(_TRIES, len(distance))
        best = np.argpartition(error, tries - 1, axis=1)[:, :tries]
        results = np.zeros((3, *members.shape), np.int64)
        found = np.zeros(len(groups), bool)
        for attempt in range(tries):
            left = groups[~found]
            bias, good = biases[left, best[left, attempt]], np.ones(len(left), bool)
            for member, channels in enumerate(members[:, left]):
                constant = np.rint(exact(channels, bias)).astype(np.int64)
                multiplier = self._multiplier(channels, shift, bias - self.bias[channels], constant)
                total = constant + (self.zero_point * self.factors[channels] << shift)
                small = (total >= -self.limit) & (total < self.limit)
                good &= ~self.live[channels] | (multiplier >= 0) & small
                results[:, member, left] = bias, multiplier, total
            found[left[good]] = True
            if found.all():
                break
        return results, found

    def _multiplier(self, channels: Array, shift: int, move: Array, constant: Array) -> Array:
        """A multiplier that steps everywhere right, by channel; -1 where there is none."""
        factors, count = self.factors[channels], len(channels)
        wanted = (self.levels * (factors[:, None] << (32 + shift))) - (constant << 32)[:, None]
        low = np.zeros(count, np.int64)
        high = np.full(count, _INT32 - 1, np.int64)
        impossible = np.zeros(count, bool)
        for points, bound, counts, at_least in (
            (self.reached[channels], wanted, self.reaches[channels], True),
            (self.below[channels], wanted - 1, self.stays[channels], False),
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
        ends = np.stack([self.lowest[channels], self.highest[channels]]) + move
        fits = (np.abs(ends) * factors < _INT32).all(0)
        reach = (np.abs(ends) * factors * middle >> 32).max(0) + np.abs(constant)
        fits &= reach + np.abs(self.zero_point * factors << shift) < _INT32 - 1
        return np.where((low <= high) & ~impossible & fits, middle, -1)
