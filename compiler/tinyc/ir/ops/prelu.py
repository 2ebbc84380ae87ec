"""PRELU: y = x where x >= 0, else alpha * x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Pairwise, broadcast_shape, limits
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier, quantize_multiplier


def slopes(x: Tensor, alpha: Tensor, result: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) of x from 0 on, and of x * alpha; the ratios are formed in float32."""
    input_scale, output_scale = np.float32(x.scale), np.float32(result.scale)
    product = input_scale * np.float32(alpha.scale)
    return quantize_multiplier(float(input_scale / output_scale)), quantize_multiplier(
        float(product / output_scale)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prelu(Pairwise):
    """inputs: x, alpha (broadcast to the shape of x, mostly a constant); output: as x, in its own scale.

    alpha has the type of x, but int8 with int16 x, as TensorFlow Lite reads it.
    """

    kind: ClassVar[str] = "PRELU"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        types = tuple(operand.dtype for operand in operands)
        if types == (DType.INT16, DType.INT8):
            shape = broadcast_shape(*(operand.shape for operand in operands))
        elif types == (DType.INT16, DType.INT16):
            raise ValueError("slopes are int16, int8 ones are known")
        else:
            (shape,) = Pairwise.output_shapes(self, operands)
        if shape != operands[0].shape:
            x, alpha = (list(operand.shape) for operand in operands)
            raise ValueError(f"slopes of shape {alpha} do not broadcast to {x}")
        return (shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, alpha = values
        result = results[0]
        if result.dtype is DType.FLOAT32:
            return (np.where(x >= 0, x, x * alpha),)
        positive, negative = slopes(operands[0], operands[1], result)
        centred = x.astype(np.int64) - operands[0].zero_point
        product = centred * (alpha.astype(np.int64) - operands[1].zero_point)
        y = np.where(
            centred >= 0,
            multiply_by_quantized_multiplier(centred, *positive),
            multiply_by_quantized_multiplier(product, *negative),
        )
        return (np.clip(y + result.zero_point, *limits(result.dtype)).astype(result.dtype.numpy),)
