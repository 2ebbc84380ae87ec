"""RSQRT: y = 1 / sqrt(x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier
from tinyc.quantize.fixed_point_functions import inverse_square_root

_FRACTION_BITS = 20


def root_multiplier(operand: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) from an inverse root in steps of 2^-20 to the output.

    Raises ValueError when the output scale is so fine that an inverse root could leave 32 bits.
    """
    product = np.sqrt(np.float32(operand.scale)) * np.float32(result.scale)
    try:
        multiplier, shift = quantize_multiplier(1.0 / float(product))
    except ValueError:
        raise ValueError(
            f"output scale {result.scale:g} is too fine for an input of {operand.scale:g}"
        ) from None
    return multiplier, shift - _FRACTION_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsqrt(Unary):
    """input: x; output of the same shape, in its own scale.

    Of integers 0 gives the largest code (TensorFlow Lite: `RsqrtEvalQuantized`). TensorFlow Lite stops an
    inference that meets a negative input; here it gives the largest code, too.
    """

    kind: ClassVar[str] = "RSQRT"

    def real(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.float32(1) / np.sqrt(x))

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        scaling = root_multiplier(operand, result)
        low, high = limits(result.dtype)
        centred = x - operand.zero_point
        root, exponent = inverse_square_root(np.maximum(centred, 1))
        fraction = multiply_by_quantized_multiplier(np.ones_like(centred), root, exponent + _FRACTION_BITS)
        y = multiply_by_quantized_multiplier(fraction, *scaling)
        return np.where(centred > 0, np.clip(y + result.zero_point, low, high), high)
