"""LINEAR: y = W1 x1 + W2 x2 + ... + b + r, row by row: the linear layer of a transformer.

Unlike FULLY_CONNECTED, which is TensorFlow Lite's, it reads several activations at once (a matrix for
each), adds a residual before it rounds to the output type, takes and gives int8 or int16, and
requantizes with one multiplication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activate_float, activation_range
from tinyc.ir.ops.convolution import exact_matmul
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    high_multiplier,
    high_multipliers,
    rounding_multiply_high,
)

# A residual is scaled by a multiplier in steps of 2^-16.
RESIDUAL_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(Op):
    """inputs: `sources` pairs of x [..., rows, in_i] and weights [out, in_i]; bias [out] if `bias`;
    a residual [..., rows, out] if `residual`. Output [..., rows, out].

    Quantized: x int8, or int16 with zero point 0; weights symmetric int8, per channel, whose scales
    times that of their x are the same for all sources; bias int32 in that scale; the residual int8 or
    int16, constant or not; the output int8 or int16.
    y = clamp(high(sum, m) + high(residual << 16, n) + zero point), `high` rounding.
    """

    kind: ClassVar[str] = "LINEAR"

    sources: int = 1
    bias: bool = True
    residual: bool = False
    activation: Activation = Activation.NONE

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        wanted = 2 * self.sources + self.bias + self.residual
        if self.sources < 1 or len(operands) != wanted:
            raise ValueError(f"needs {wanted} inputs, got {len(operands)}")
        leading, units = operands[0].shape[:-1], operands[1].shape[0]
        for x, weights in self.pairs(operands):
            if len(weights.shape) != 2 or weights.shape != (units, x.shape[-1]) or min(weights.shape) < 1:
                raise ValueError(f"weights {list(weights.shape)} for {list(x.shape)} and {units} outputs")
            if x.shape[:-1] != leading:
                raise ValueError(f"{list(x.shape)} has other rows than {list(operands[0].shape)}")
        result = (*leading, units)
        if self.bias and operands[2 * self.sources].elements != units:
            raise ValueError(f"bias has {operands[2 * self.sources].elements} elements for {units} outputs")
        if self.residual and operands[-1].shape != result:
            raise ValueError(f"the residual is {list(operands[-1].shape)}, the output {list(result)}")
        return (result,)

    def pairs(self, operands: Sequence[Tensor]) -> tuple[tuple[Tensor, Tensor], ...]:
        """(activation, weights) of each source."""
        return tuple((operands[2 * at], operands[2 * at + 1]) for at in range(self.sources))

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return results[0].elements * sum(x.shape[-1] for x, _ in self.pairs(operands))

    def accumulator_scales(self, operands: Sequence[Tensor]) -> tuple[float, ...]:
        """Scale of the sum of each output. Raises ValueError where the sources do not agree."""
        found: list[IntArray] = []
        for x, weights in self.pairs(operands):
            if weights.quantization is None or any(weights.quantization.zero_point):
                raise ValueError(f"weights {weights.name!r} are not symmetric")
            scales = np.asarray(weights.quantization.scale, dtype=np.float64) * x.scale
            found.append(np.broadcast_to(scales, (weights.shape[0],)))
        for other in found[1:]:
            if not np.allclose(found[0], other, rtol=1e-5, atol=0.0):
                raise ValueError("the sums of the sources have different scales")
        return tuple(float(scale) for scale in found[0])

    def multipliers(self, operands: Sequence[Tensor], result: Tensor) -> tuple[IntArray, int]:
        """(int32 multiplier of each output, that of the residual). Raises ValueError out of range."""
        own = high_multipliers(np.array(self.accumulator_scales(operands)) / result.scale)
        other = high_multiplier(operands[-1].scale / result.scale, RESIDUAL_BITS) if self.residual else 0
        return own, other

    def check_sums(self, operands: Sequence[Tensor]) -> None:
        """Raises ValueError when a sum could leave 32 bits."""
        units = operands[1].shape[0]
        largest = np.zeros(units)
        for x, weights in self.pairs(operands):
            limit = 32768 if x.dtype is DType.INT16 else 128 + abs(x.zero_point)
            largest += np.abs(weights.constant.astype(np.float64)).sum(axis=1) * limit
        if self.bias:
            largest += np.abs(operands[2 * self.sources].constant.astype(np.float64).reshape(-1))
        if largest.max(initial=0.0) >= 2.0**31:
            raise ValueError(f"a sum of up to {largest.max():.3g} does not fit 32 bits")

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (result,) = results
        bias = values[2 * self.sources].reshape(-1) if self.bias else np.zeros(1, np.int64)
        if result.dtype is DType.FLOAT32:
            y = np.asarray(bias, np.float32)
            for at in range(self.sources):
                y = y + values[2 * at] @ values[2 * at + 1].T
            if self.residual:
                y = y + values[-1]
            return (activate_float(y, self.activation).astype(np.float32),)
        self.check_sums(operands)
        acc = np.asarray(bias, np.int64)
        for at, (x, _) in enumerate(self.pairs(operands)):
            rows = values[2 * at].astype(np.int32) - x.zero_point
            product = exact_matmul(rows.reshape(-1, rows.shape[-1]), values[2 * at + 1].astype(np.int32).T)
            acc = acc + product
        own, other = self.multipliers(operands, result)
        y = rounding_multiply_high(acc, own).reshape(result.shape)
        if self.residual:
            offset = operands[-1].zero_point
            y = y + rounding_multiply_high((values[-1].astype(np.int64) - offset) << RESIDUAL_BITS, other)
        low, high = activation_range(self.activation, result)
        y = np.clip(y + result.zero_point, low, high)
        return (y.astype(result.dtype.numpy),)
