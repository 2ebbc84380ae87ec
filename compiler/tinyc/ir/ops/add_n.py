"""ADD_N: the sum of any number of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activate_float, quantization_mismatch
from tinyc.ir.ops.elementwise import SumScaling, limits, sum_scaling
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier

# The sum of so many times 128 steps, shifted by 19, stays below 2^31.
_MOST = 31


def sums_scaling(operands: Sequence[Tensor], result: Tensor) -> SumScaling:
    """Scaling of the sum: as for ADD of two tensors with the scale that all have.

    Raises ValueError for operands of several scales or zero points, a zero point other than 0 and a sum
    that may leave 32 bits. TensorFlow Lite Micro takes a zero point off once too often, so its answers
    are right for 0 only.
    """
    if mismatch := quantization_mismatch(operands, []):
        raise ValueError(mismatch)
    if operands[0].zero_point != 0:
        raise ValueError(f"sums of zero point {operands[0].zero_point}, only 0 is summed")
    if len(operands) > _MOST:
        raise ValueError(f"a sum of {len(operands)} tensors, at most {_MOST} in 32 bits")
    return sum_scaling(operands[0], operands[0], result)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddN(Op):
    """inputs: two or more of one shape, quantized alike with zero point 0; output in its own scale.

    Source: TensorFlow Lite Micro, `add_n.cc`.
    """

    kind: ClassVar[str] = "ADD_N"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        shapes = {operand.shape for operand in operands}
        if len(operands) < 2 or len(shapes) != 1:
            raise ValueError(f"needs 2 or more inputs of one shape, got {sorted(map(list, shapes))}")
        return (operands[0].shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (result,) = results
        if result.dtype is DType.FLOAT32:
            # TensorFlow Lite's ADD for each of them, with its clamp.
            y = values[0]
            for value in values[1:]:
                y = activate_float(y + value, Activation.NONE)
            return (y,)
        scaling = sums_scaling(operands, result)
        # Each term is exact: the multiplier is a half.
        total = sum(value.astype(np.int64) << scaling.left_shift - 1 for value in values)
        y = multiply_by_quantized_multiplier(
            np.asarray(total), scaling.output_multiplier, scaling.output_exponent
        )
        return (np.clip(y + result.zero_point, *limits(result.dtype)).astype(result.dtype.numpy),)
