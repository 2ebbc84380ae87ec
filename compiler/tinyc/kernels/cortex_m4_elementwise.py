"""ADD, SUB and MUL of int8 for ARMv7E-M, four elements to the word.

A binary operator on int8 has 65,536 pairs of inputs, so what a kernel computes is worked out here for
all of them and compared with the reference: a layer is accepted when they agree, whatever its scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.add import Add
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.elementwise import Binary, sum_scaling
from tinyc.ir.ops.mul import Mul, product_multiplier
from tinyc.ir.ops.sub import Sub
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels import dsp_features
from tinyc.kernels.broadcast import walk
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import INT32_MAX, INT32_MIN, IntArray, multiply_by_quantized_multiplier

_REQUIRES = frozenset({"dsp"})
_SHORTEST_RUN = 4
_LONGEST_TILE = 64
# Fraction bits of the linear sum; its factors have eight more.
_FRACTION = 20
_ATTEMPTS = 64
_NEAR = 1 << 10
_CODES = np.arange(-128, 128, dtype=np.int64)

# (op class, left, right, result, low, high): all that the values of a layer depend on.
_Values: TypeAlias = tuple[type[Binary], Quantization, Quantization, Quantization, int, int]
# The numbers of `struct tinyc_binary` from `first` on, except for the clamp and the constant.
_Numbers: TypeAlias = dict[str, FieldValue]


def _values(op: Op, graph: Graph) -> _Values | None:
    """None unless all tensors are int8 with one scale each."""
    assert isinstance(op, Binary)
    tensors = (*graph.operands(op), *graph.results(op))
    found = [tensor.quantization for tensor in tensors if tensor.dtype is DType.INT8]
    left, right, result = (*found, None, None, None)[:3]
    if left is None or right is None or result is None:
        return None
    return type(op), left, right, result, *activation_range(op.activation, tensors[2])


def _tensor(quantization: Quantization) -> Tensor:
    return Tensor("", (256,), DType.INT8, quantization)


def _wanted(values: _Values) -> IntArray:
    """The reference for every pair, int64 [256 left, 256 right], clamped."""
    op, left, right, result, low, high = values
    layer = op(name="", inputs=("", ""), outputs=("",))
    operands = [_tensor(left), _tensor(right)]
    return np.clip(layer.quantized(_CODES[:, None], _CODES, operands, _tensor(result)), low, high)


def _in_range(x: IntArray) -> bool:
    return bool(x.min() >= INT32_MIN and x.max() <= INT32_MAX)


# One linear function for both operands


def _linear_sum(first: int, second: int, offset: int) -> IntArray | None:
    """What `tinyc_add_linear_run` shifts and saturates, for every pair; None when it overflows."""
    partial = offset + (first * (_CODES << 8) >> 16)
    total = partial[:, None] + (second * (_CODES << 8) >> 16)
    return total if _in_range(partial) and _in_range(total) else None


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the sum of each pair has to lie between; a clamped result has one bound only."""

    least: IntArray
    most: IntArray

    def missing(self, total: IntArray) -> IntArray:
        """How much must be added to each sum, 0 where it lies between its bounds."""
        missing: IntArray = np.maximum(self.least - total, 0) - np.maximum(total - self.most, 0)
        return missing


def _bounds(values: _Values) -> _Bounds:
    wanted, low, high = _wanted(values), *values[4:]
    least = np.where(wanted > low, wanted << _FRACTION, INT32_MIN)
    return _Bounds(least, np.where(wanted < high, (wanted + 1 << _FRACTION) - 1, INT32_MAX))


@cache
def _linear(values: _Values) -> _Numbers | None:
    """Factors and offset of a linear function that equals the reference for every pair.

    The real factors, rounded, are right for most layers. Enlarged a little, they push ties away from
    zero, which is where the reference rounds them.
    """
    op, left, right, result = values[:4]
    output = float(np.float32(result.scale[0]))
    ratios = [float(np.float32(q.scale[0])) / output for q in (left, right)]
    if op is Sub:
        ratios[1] = -ratios[1]
    zero = sum(ratio * q.zero_point[0] for ratio, q in zip(ratios, (left, right), strict=True))
    bounds = _bounds(values)
    for enlargement in (1.0, 1.0 + 2.0**-19):
        factors = [enlargement * ratio * 2.0 ** (_FRACTION + 8) for ratio in ratios]
        offset = (result.zero_point[0] + 0.5 - enlargement * zero) * 2.0**_FRACTION
        if max(map(abs, (*factors, offset))) < INT32_MAX:
            found = _projected((factors[0], factors[1], offset), bounds)
            if found is not None:
                numbers: _Numbers = dict(zip(("first", "second", "offset"), found, strict=True))
                return numbers | {"multiplier": 0, "shift": 0, "table": np.zeros(0, np.int32)}
    return None


def _projected(start: tuple[float, float, float], bounds: _Bounds) -> tuple[int, int, int] | None:
    """First factor, second factor and offset near `start` whose sums lie between the bounds.

    Where the reference's own roundings turn a near tie the other way, the function is moved by the
    least amount that puts the worst pair right (projection onto its half space), until all are right.
    """
    guess = start
    total = _linear_sum(*map(round, guess))
    if total is None:
        return None
    # Only pairs near a tie can become wrong by a small move.
    near = np.minimum(total - bounds.least, bounds.most - total) < _NEAR
    pairs, near_bounds = _CODES[np.argwhere(near)], _Bounds(bounds.least[near], bounds.most[near])
    for _ in range(_ATTEMPTS):
        missing = near_bounds.missing(total[near])
        if not missing.any():
            break
        at = int(np.abs(missing).argmax())
        step = float(missing[at]) + 2 * np.sign(missing[at])
        # The gradient, with the factors in units that make a step of each count alike.
        gradient = np.array([pairs[at, 0] / 32, pairs[at, 1] / 32, 1.0])
        move = step * gradient / (gradient @ gradient) * (8, 8, 1)
        guess = (guess[0] + float(move[0]), guess[1] + float(move[1]), guess[2] + float(move[2]))
        total = _linear_sum(*map(round, guess))
        if total is None:
            return None
    if bounds.missing(total).any():
        return None
    return round(guess[0]), round(guess[1]), round(guess[2])


# A requantized product or sum


def _requantized(
    x: IntArray, multiplier: int, right: int, zero_point: int, values: _Values
) -> _Numbers | None:
    """The numbers of `tinyc_binary_output` when it is right for every `x`, [256, 256]; else None."""
    if right < 1 or not _in_range(x):
        return None
    offset = (zero_point << right) + (1 << (right - 1))
    high = (x * multiplier + (1 << 31) >> 32) + offset
    if not (_in_range(high - 1) and _in_range(high)):
        return None
    low, limit = values[4:]
    if not np.array_equal(np.clip(high + (x >> 31) >> right, low, limit), _wanted(values)):
        return None
    return {"offset": offset, "multiplier": multiplier, "shift": right}


@cache
def _table(values: _Values) -> _Numbers | None:
    """ADD and SUB: the operand of the larger scale is linear, the other one a table."""
    op, left, right, result = values[:4]
    scaling = sum_scaling(_tensor(left), _tensor(right), _tensor(result), negate_right=op is Sub)
    shifted = _CODES << scaling.left_shift
    coarse_is_right = _coarse_is_right(values)
    if coarse_is_right:
        coarse, fine, half = right, left, scaling.right_multiplier
        multiplier, exponent = scaling.left_multiplier, scaling.left_exponent
    else:
        coarse, fine, half = left, right, scaling.left_multiplier
        multiplier, exponent = scaling.right_multiplier, scaling.right_exponent
    factor = (1 if half > 0 else -1) << scaling.left_shift
    fines = shifted - (fine.zero_point[0] << scaling.left_shift)
    table = 2 * multiply_by_quantized_multiplier(fines, multiplier, exponent) - factor * coarse.zero_point[0]
    x = factor * _CODES[:, None] + table
    x = x.T if coarse_is_right else x
    found = _requantized(x, scaling.output_multiplier, -scaling.output_exponent, result.zero_point[0], values)
    if found is None or not _in_range(table):
        return None
    by_byte = np.roll(table, 128).astype(np.int32)
    return {"first": factor, "second": 0, **found, "table": by_byte}


def _coarse_is_right(values: _Values) -> bool:
    return values[2].scale[0] > values[1].scale[0]


@cache
def _product(values: _Values) -> _Numbers | None:
    left, right, result = values[1:4]
    multiplier, shift = product_multiplier(_tensor(left), _tensor(right), _tensor(result))
    first, second = -left.zero_point[0], -right.zero_point[0]
    x = (_CODES[:, None] + first) * 2 * (_CODES + second)
    found = _requantized(x, multiplier, -shift, result.zero_point[0], values)
    if found is None:
        return None
    return {"first": first, "second": second, **found, "table": np.zeros(0, np.int32)}


# Descriptors


@dataclass(frozen=True, slots=True)
class _Runs:
    """Three loops over runs along which both operands are contiguous.

    Each row of a constant operand stands `repeat` times in a row, which makes its short runs longer.
    """

    extents: tuple[int, ...]
    left_strides: tuple[int, ...]
    right_strides: tuple[int, ...]
    run: int
    repeat: int


def runs(op: Op, graph: Graph) -> _Runs | None:
    """None when operands are not contiguous along the innermost axis, or only for a few elements."""
    left, right = graph.operands(op)
    loops = walk(left.shape, right.shape)
    if loops is None or not loops.left_strides[3] == loops.right_strides[3] == 1:
        return None
    (*outer, count, run), repeat = loops.extents, 1
    strides = [loops.left_strides[:3], loops.right_strides[:3]]
    if left.is_constant or right.is_constant:
        constant = 0 if left.is_constant else 1
        if strides[constant][2] == 0:
            repeat = max((n for n in range(1, _LONGEST_TILE // run + 1) if count % n == 0), default=1)
        strides[constant] = tuple(stride * repeat for stride in strides[constant])
        strides[1 - constant] = (*strides[1 - constant][:2], strides[1 - constant][2] * repeat)
    run *= repeat
    extents = (*outer, count // repeat)
    return None if run < _SHORTEST_RUN else _Runs(extents, strides[0], strides[1], run, repeat)


_Find: TypeAlias = Callable[[_Values], "_Numbers | None"]


def _accepts(find: _Find, constants: int) -> Callable[[Op, Graph], bool]:
    def accepts(op: Op, graph: Graph) -> bool:
        if sum(tensor.is_constant for tensor in graph.operands(op)) != constants:
            return False
        values = _values(op, graph)
        return values is not None and runs(op, graph) is not None and find(values) is not None

    return accepts


def _lower(find: _Find) -> Callable[[Op, Graph], Lowered]:
    def lower(op: Op, graph: Graph) -> Lowered:
        values, loops = _values(op, graph), runs(op, graph)
        assert values is not None and loops is not None
        numbers = find(values)
        assert numbers is not None
        left, right = graph.operands(op)
        strides = [loops.left_strides, loops.right_strides]
        # The kernels for constants get the constant as their right operand.
        swapped = left.is_constant
        if find is _table and _coarse_is_right(values):
            strides.reverse()
            swapped = not swapped
        rows = [t.constant.reshape(-1, loops.run // loops.repeat) for t in (left, right) if t.is_constant]
        constants = [np.tile(row, (1, loops.repeat)).reshape(-1) for row in rows]
        return Lowered(
            "tinyc_binary",
            {
                "extents": loops.extents,
                "first_strides": strides[0],
                "second_strides": strides[1],
                "run": loops.run,
                "swapped": int(swapped),
                **numbers,
                "low": values[4],
                "high": values[5],
                "constant": constants[0] if constants else np.zeros(0, np.int8),
            },
        )

    return lower


def _features(op: Op, graph: Graph) -> Features:
    values, loops = _values(op, graph), runs(op, graph)
    assert values is not None and loops is not None
    return dsp_features.word_runs(math.prod(loops.extents), loops.run, values[4:] != (-128, 127))


def _kernels(op: type[Binary], function: str, variant: str, header: str, find: _Find) -> tuple[Kernel, ...]:
    """For two activations, and for an activation and a constant; SUB shares the functions of ADD."""
    return tuple(
        Kernel(
            symbol=f"tinyc_{function}{constant}_s8{variant}__cortex_m4",
            op=op,
            source=f"cortex_m4/{function}{constant}_s8{variant}.c",
            headers=(f"include/{header}.h",),
            requires=_REQUIRES,
            accepts=_accepts(find, len(in_place) % 2),
            lower=_lower(find),
            in_place=in_place,
            work=FittedWork(f"tinyc_{function}{constant}_s8{variant}__cortex_m4", _features),
        )
        for constant, in_place in (("", (0, 1)), ("_constant", (0,)))
    )


KERNELS = (
    *_kernels(Add, "add", "_linear", "tinyc_add_linear", _linear),
    *_kernels(Add, "add", "_table", "tinyc_add_table", _table),
    *_kernels(Sub, "add", "_linear", "tinyc_add_linear", _linear),
    *_kernels(Sub, "add", "_table", "tinyc_add_table", _table),
    *_kernels(Mul, "mul", "", "tinyc_mul_words", _product),
)
