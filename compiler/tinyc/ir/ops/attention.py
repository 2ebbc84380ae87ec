"""ATTENTION: softmax(scale q k^T) v for each head. Vaswani et al., "Attention Is All You Need" (2017).

The integer softmax is ours: scores stay in 32 bits, exponentials are 15-bit numerators of a power of two
from a table of 256, and the division by their sum comes last, once per row and head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import IntArray, Rounding, high_multiplier, rounding_multiply_high

# A numerator is at most 32767 and a value at most 128: the sum of so many products has 31 bits.
MOST_KEYS = 512
_FRACTION_BITS = 8
# Differences of scores, below 2^24, are shifted by so much before they are multiplied.
SCORE_SHIFT = 6
MOST_DEPTH = 512


def power_table() -> IntArray:
    """32767 * 2^(-i / 256), rounded, uint16 [256]."""
    return np.rint(32767.0 * np.exp2(-np.arange(256) / 256.0)).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class ContextScale:
    """(multiplier in [2^14, 2^15), right shift) that take a normalised context to the output."""

    multiplier: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Op):
    """inputs: q [1, rows, heads * depth], k [1, keys, heads * depth], v [1, keys, heads * width].

    Output [1, rows, heads * width]. `k` and `v` may be one tensor, `q` too. Row i is that of key i: with
    `causal` it sees keys 0 .. i. `scale` multiplies the scores, 1 / sqrt(depth) usually.
    Quantized: int8 with zero point 0; the output int8 or int16 with zero point 0.
    """

    kind: ClassVar[str] = "ATTENTION"

    heads: int = 1
    causal: bool = False
    scale: float = 1.0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 3:
            raise ValueError(f"needs 3 inputs, got {len(operands)}")
        q, k, v = (operand.shape for operand in operands)
        if not len(q) == len(k) == len(v) == 3 or {q[0], k[0], v[0]} != {1}:
            raise ValueError(f"q {list(q)}, k {list(k)}, v {list(v)} need shapes [1, rows, depth]")
        if q[2] != k[2] or k[1] != v[1] or self.heads < 1 or q[2] % self.heads or v[2] % self.heads:
            raise ValueError(f"q {list(q)}, k {list(k)}, v {list(v)} do not fit {self.heads} heads")
        if q[1] > k[1]:
            raise ValueError(f"{q[1]} rows for {k[1]} keys")
        if operands[0].dtype is not DType.FLOAT32 and (k[1] > MOST_KEYS or q[2] // self.heads > MOST_DEPTH):
            raise ValueError(f"{k[1]} keys of {q[2] // self.heads}, at most {MOST_KEYS} of {MOST_DEPTH}")
        return ((1, q[1], v[2]),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        q, k, v = (operand.shape for operand in operands)
        return q[1] * k[1] * (q[2] + v[2])

    def score_multiplier(self, operands: Sequence[Tensor]) -> int:
        """Takes differences of scores to steps of 1/256 of a power of two. Raises ValueError out of range."""
        q, k = operands[0], operands[1]
        steps = q.scale * k.scale * self.scale * math.log2(math.e) * 2.0**_FRACTION_BITS
        return high_multiplier(steps, 32 - SCORE_SHIFT)

    def context_scale(self, operands: Sequence[Tensor], result: Tensor) -> ContextScale:
        """Raises ValueError for scales out of range."""
        fraction, exponent = math.frexp(operands[2].scale / result.scale)
        multiplier = min(round(fraction * 2**15), 2**15 - 1)
        if not -8 <= exponent <= 20:
            raise ValueError(
                f"the values' scale is {operands[2].scale / result.scale:.3g} times the output's"
            )
        return ContextScale(multiplier, 22 - exponent)

    def _split(self, x: Array) -> Array:
        """[1, n, heads * depth] as [heads, n, depth]."""
        return np.asarray(x[0].reshape(x.shape[1], self.heads, -1).transpose(1, 0, 2))

    def _seen(self, rows: int, keys: int) -> Array:
        """Which keys each row sees, bool [rows, keys]."""
        if not self.causal:
            return np.ones((rows, keys), bool)
        return np.arange(keys)[None, :] <= np.arange(rows)[:, None]

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (result,) = results
        wide = np.float32 if result.dtype is DType.FLOAT32 else np.int64
        q, k, v = (self._split(value.astype(wide)) for value in values)
        scores = q.astype(np.float64) @ k.transpose(0, 2, 1).astype(np.float64)
        seen = self._seen(scores.shape[1], scores.shape[2])
        if result.dtype is DType.FLOAT32:
            scores = np.where(seen, scores * self.scale, -np.inf)
            power = np.exp(scores - scores.max(axis=-1, keepdims=True))
            context = (power / power.sum(axis=-1, keepdims=True)) @ v
            return (context.transpose(1, 0, 2).reshape(result.shape).astype(np.float32),)
        # Products of int8 are exact in float64.
        context = self._integer(scores.astype(np.int64), seen, v, operands, result)
        return (context.transpose(1, 0, 2).reshape(result.shape).astype(result.dtype.numpy),)

    def _integer(
        self, scores: IntArray, seen: Array, v: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        largest = np.where(seen, scores, np.iinfo(np.int64).min).max(axis=-1, keepdims=True)
        below = np.maximum(largest - scores, 0)
        multiplier = self.score_multiplier(operands)
        steps = np.minimum(rounding_multiply_high(below << SCORE_SHIFT, multiplier), 4095)
        power = power_table().astype(np.int64)[steps & 255] >> (steps >> _FRACTION_BITS)
        power = np.where(seen, power, 0)
        total = power.sum(axis=-1, keepdims=True)
        context = (power.astype(np.float64) @ v.astype(np.float64)).astype(np.int64)
        # The sum is shifted to 24 bits, so that its upper 16 divide 2^31.
        left = 24 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
        reciprocal = 2**31 // ((total << left) >> 8)
        scale = self.context_scale(operands, result)
        product = ((context << left) * (reciprocal * scale.multiplier)) >> 32
        rounded = (product + (np.int64(1) << (scale.shift - 1))) >> scale.shift
        return np.asarray(np.clip(rounded, *limits(result.dtype)))
