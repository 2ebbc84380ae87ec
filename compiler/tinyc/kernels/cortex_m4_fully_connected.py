"""One row of inputs times weights for ARMv7E-M, four channels at a time, in assembly.

Serves FULLY_CONNECTED with one row and CONV_2D whose window is all there is. Weights take the room of
int8: a word of two inputs holds two channels, 256 * high + low, see `tinyc_row.h`. The zero point is taken
from the inputs once, which leaves biases that mostly fit 16 bits. An output needs one
multiply and one saturating shift where `requantization.one_step` proves it, else the double rounding
itself; where all channels have the same multiplier, they share the constants as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution, portable_fully_connected
from tinyc.kernels.kernel import Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import weight_rows
from tinyc.kernels.requantization import Accumulators, OneStep, TwoSteps, one_step, two_steps

_REQUIRES = frozenset({"dsp", "fpu"})
_HIGH = 256
# Steps of eight inputs that the FPU registers s0-s15 hold, and that the loop over the rest is unrolled by.
_STEPS = 4
_HELD_BYTES = 64


@dataclass(frozen=True, slots=True)
class _Steps:
    """Inputs of the layer by where they wait as int16: in FPU registers, in the panel."""

    depth: int

    @property
    def held(self) -> int:
        return (-(-self.depth // 8) - 1) % _STEPS + 1

    @property
    def panel(self) -> int:
        """A multiple of `_STEPS`."""
        return -(-self.depth // 8) - self.held

    @property
    def held_inputs(self) -> int:
        return min(8 * self.held, self.depth)

    def order(self) -> Array:
        """For each int16 that the products go through the input it belongs to, -1 for none."""
        order = np.full(8 * (self.held + self.panel), -1)
        whole = self.depth // 4 * 4
        order[:whole] = np.arange(whole).reshape(-1, 4)[:, (0, 2, 1, 3)].reshape(-1)
        order[whole : self.depth] = np.arange(whole, self.depth)
        steps = order.reshape(-1, 8)
        return np.concatenate([steps[: self.held][::-1], steps[self.held :]]).reshape(-1)

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """How they are widened: (first input, inputs, byte of the panel behind the last), in order."""
        for start, end in ((0, self.held_inputs), (self.held_inputs, self.depth)):
            at = start
            while at < end:
                size = next(size for size in (16, 4, 1) if end - at >= size)
                at += size
                yield at - size, size, 2 * (at - start)


@dataclass(frozen=True, slots=True)
class _Row:
    """Channels and how their sums become outputs. `bias` goes with inputs less their zero point.

    `rounding` has entries for all channels, or for a low and a high one where all are alike.
    """

    rows: Array
    bias: Array
    rounding: OneStep | TwoSteps
    is_shared: bool

    @property
    def shift(self) -> int:
        """That of `OneStep`, -1 for the double rounding."""
        return self.rounding.shift if isinstance(self.rounding, OneStep) else -1

    @property
    def is_narrow(self) -> bool:
        """Whether all biases fit 16 bits."""
        return bool(self.bias.min() >= -(2**15) and self.bias.max() < 2**15)

    @property
    def right(self) -> int:
        """The right shift of the double rounding where it is shared, else 0."""
        return int(self.rounding.right[0]) if isinstance(self.rounding, TwoSteps) and self.is_shared else 0

    def constants(self) -> Array:
        """int64 [channels or 2, numbers]."""
        fields = [self.rounding.multiplier, self.rounding.constant]
        if isinstance(self.rounding, TwoSteps) and not self.is_shared:
            fields.append(self.rounding.right)
        return np.stack(fields, axis=1)


def _row(op: Op, graph: Graph) -> _Row | None:
    """None where halfwords or accumulators are too small or no rounding is proved."""
    sums = Accumulators.of(op, graph)
    rows = weight_rows(op, graph).astype(np.int64)
    units = len(rows)
    highs = np.arange(units) % 2 == 1
    halves = _HIGH * rows[1::2] + rows[: 2 * (units // 2) : 2]
    if halves.min(initial=0) < -(2**15) or halves.max(initial=0) >= 2**15:
        return None
    factors = np.where(highs, _HIGH, 1)
    largest = np.maximum(np.abs(sums.lowest), np.abs(sums.highest))
    are_small = bool((largest[highs & ~sums.is_constant] < 2**23).all())
    zero_point = graph.operands(op)[0].zero_point * rows.sum(1)
    alike = _alike(sums)
    if alike is not None and (found := one_step(alike, np.array([1, _HIGH]))) is not None:
        return _Row(rows, sums.bias + found.bias[highs.astype(int)] + zero_point, found, True)
    if (found := one_step(sums, factors)) is not None:
        return _Row(rows, found.bias + zero_point, found, False)
    if alike is not None and (largest < 2**23).all() and (double := two_steps(alike)) is not None:
        return _Row(rows, sums.bias + zero_point, double, True)
    if are_small and (double := two_steps(sums)) is not None:
        return _Row(rows, double.bias + zero_point, double, False)
    return None


def _alike(sums: Accumulators) -> Accumulators | None:
    """A low and a high channel without bias whose accumulators reach as far as those of all others."""
    if (sums.multiplier != sums.multiplier[0]).any() or (sums.right != sums.right[0]).any():
        return None
    two = np.zeros(2, np.int64)
    return replace(
        sums,
        rows=np.ones((2, 1), np.int64),
        bias=two,
        multiplier=two + sums.multiplier[0],
        right=two + sums.right[0],
        lowest=two + sums.lowest.min(),
        highest=two + sums.highest.max(),
    )


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    """One row of inputs."""
    x, weights = graph.operands(op)[:2]
    return (
        portable_fully_connected.accepts(op, graph)
        and x.elements == weights.shape[1]
        and _row(op, graph) is not None
    )


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    """One output pixel whose window is the whole input."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    x, filters = operands[:2]
    (result,) = graph.results(op)
    return (
        portable_convolution.accepts(op, graph)
        and result.elements == filters.shape[0]
        and x.elements * filters.shape[0] == filters.elements
        and not any(op.window(operands).pads)
        and _row(op, graph) is not None
    )


def _required(op: Op, graph: Graph) -> tuple[_Row, _Steps]:
    row = _row(op, graph)
    assert row is not None
    return row, _Steps(row.rows.shape[1])


def _padded(values: Array) -> Array:
    """With zeros for channels behind the last, as [groups of four, 4, ...]."""
    missing = -len(values) % 4
    padded = np.concatenate([values, np.zeros((missing, *values.shape[1:]), np.int64)])
    return padded.reshape(-1, 4, *values.shape[1:])


def _packed(fours: Array) -> Array:
    """[groups, 4, ...] to [groups, ..., 2]: what the two pairs of a group have instead of four numbers."""
    low, high = fours[:, 0::2], fours[:, 1::2]
    return np.moveaxis(_HIGH * high + low, 1, -1)


def _records(row: _Row, steps: _Steps) -> Array:
    """int32 [groups, words], as tinyc_row.h describes them."""
    bias = _padded(row.bias)
    if row.is_narrow:
        sums = 2**16 * bias[:, 1::2] + bias[:, 0::2] % 2**16
    else:
        sums = np.stack([bias[:, 0], _packed(bias)[:, 0], bias[:, 2], _packed(bias)[:, 1]], axis=1)
    products = np.concatenate([row.rows, np.zeros((len(row.rows), 1), np.int64)], axis=1)
    halves = _packed(_padded(products[:, steps.order()])).astype(np.int16)
    # [groups, words, input of the word, pair] to [groups, words, pair, input of the word]
    words = halves.reshape(len(halves), -1, 2, 2).transpose(0, 1, 3, 2)
    columns = [
        (sums + 2**31) % 2**32 - 2**31,
        np.ascontiguousarray(words).view(np.int32).reshape(len(halves), -1),
    ]
    if not row.is_shared:
        columns.append(_padded(row.constants()).reshape(len(halves), -1))
    return np.concatenate(columns, axis=1).astype(np.int32)


def _lower(op: Op, graph: Graph) -> Lowered:
    row, steps = _required(op, graph)
    constants = row.constants() if row.is_shared else np.zeros((2, 2), np.int64)
    records = _records(row, steps)
    own = 8 if row.is_narrow else 16
    own += 0 if row.is_shared else 16 * row.constants().shape[1]
    return Lowered(
        "tinyc_row",
        {
            "weights": records.reshape(-1),
            "units": len(row.rows),
            "entry": 2 * (_STEPS - steps.held) + (steps.panel == 0),
            "panel": 16 * steps.panel,
            "held": steps.held_inputs,
            "rest": steps.depth - steps.held_inputs,
            "zero_points": graph.operands(op)[0].zero_point % 2**16 * 0x10001,
            "constants": tuple(int(value) for value in constants.reshape(-1)),
        },
        len(records) * own,
    )


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    row, _ = _required(op, graph)
    rounding = f"s{row.shift}" if row.shift >= 0 else f"double{row.right}" if row.is_shared else "double"
    return {
        "variant": f"{rounding}_{'layer' if row.is_shared else 'channel'}{'_narrow' * row.is_narrow}",
        "shift": row.shift,
        "right": row.right,
        "shared": row.is_shared,
        "narrow": row.is_narrow,
    }


def _scratch(op: Op, graph: Graph) -> int:
    """The panel; the steps that are held pass through it."""
    steps = _Steps(weight_rows(op, graph).shape[1])
    return max(_HELD_BYTES, 16 * steps.panel)


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The inputs are read once, piece by piece, while the panel is written, and before any output."""
    steps = _Steps(weight_rows(op, graph).shape[1])
    unread = [written - at - size for at, size, written in steps.pieces() if at + size < steps.depth]
    return (
        Overlap(0, "scratch", max(unread, default=-steps.depth)),
        Overlap(0, "output", -steps.depth),
    )


# Instructions and cycles of the assembly, in its order; a jump that is taken costs a cycle more, or two
# through a register.
_Cost = tuple[int, int]


def _sum(*costs: _Cost) -> _Cost:
    return sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)


def _loop(body: _Cost, times: int) -> _Cost:
    """A loop with its jump back counted as not taken in `body`."""
    return body[0] * times, body[1] * times + max(0, times - 1)


def _widen(count: int) -> _Cost:
    sixteens, fours, ones = count // 16, count % 16 // 4, count % 4
    heads = (2, 2 + (count < 16)), (2, 2 + (count % 16 < 4)), (2, 2 + (ones == 0))
    loops = _loop((20, 32), sixteens), _loop((8, 11), fours), _loop((5, 6), ones)
    return _sum(*heads, *loops, (1, 3))


def _work(op: Op, graph: Graph) -> Work:
    row, steps = _required(op, graph)
    units, is_one = len(row.rows), row.shift >= 0
    start = _sum((26, 78), _widen(steps.held_inputs), _widen(steps.depth - steps.held_inputs))
    panel = _sum((27 * steps.panel, 39 * steps.panel), _loop((3, 3), steps.panel // _STEPS))
    sums = _sum((4, 9), (28 * steps.held, 38 * steps.held), (1, 1 + (steps.panel == 0)), panel, (4, 6))
    outputs = {
        (True, True): (10, 12),
        (True, False): (9, 17),
        (False, True): (17, 18),
        (False, False): (22, 34),
    }[is_one, row.is_shared]
    group = _sum((7, 8) if row.is_narrow else (1, 4), (1, 2), sums, outputs, (3, 3))
    groups, rest = divmod(units, 4)
    whole = _loop((6, 8), groups) if rest == 0 else (6 * groups, 9 * groups)
    # The jump over the last outputs, or the outputs behind the last four.
    end = (1, 2) if rest == 0 else _sum((4, 6), _loop((4, 4), rest))
    done = (2, 23)
    calls = (units + 3) // 4
    total = _sum(start, (group[0] * calls, group[1] * calls), whole, end, done)
    return Work(*total)


def _code(op: Op, graph: Graph) -> int:
    """Code bytes of one variant; its loops are the header's."""
    row, _ = _required(op, graph)
    return (110 if row.shift >= 0 else 138) + 22 * row.is_narrow


KERNELS = tuple(
    Kernel(
        symbol=symbol,
        op=op,
        source="cortex_m4/fully_connected_s8_4x1.c.j2",
        headers=("include/tinyc_row.h",),
        requires=_REQUIRES,
        accepts=accepts,
        lower=_lower,
        scratch=_scratch,
        overlaps=_overlaps,
        work=_work,
        code=_code,
        specialize=_specialize,
    )
    for symbol, op, accepts in (
        ("tinyc_fully_connected_s8_4x1__cortex_m4", FullyConnected, _accepts_fully_connected),
        ("tinyc_fully_connected_s8_4x1__cortex_m4", Conv2D, _accepts_conv_2d),
    )
)
