"""GELU, SILU, SQUARED_RELU: activations that are tables when they are quantized.

GELU(x) = x * Phi(x), with Phi the normal distribution's (Hendrycks and Gimpel, 2016), or its form with
tanh; SILU(x) = x / (1 + exp(-x)); SQUARED_RELU(x) = max(x, 0)^2 (So et al., "Primer", 2021).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import IntArray
from tinyc.quantize.interpolation import function_table, interpolate
from tinyc.quantize.lookup_table import apply_real_function


@dataclass(frozen=True, slots=True, kw_only=True)
class Curved(Unary):
    """input: x; output of the same shape.

    Quantized: x int8, y int8 or int16, through a table of all codes; or both int16 with zero points 0,
    interpolated in a table.
    """

    @abstractmethod
    def function(self, x: float) -> float:
        """The activation of one real number."""

    def table(self, operand: Tensor, result: Tensor) -> IntArray:
        """y for x = -128 .. 127: int64 [256]."""
        return apply_real_function(
            self.function,
            np.arange(-128, 128),
            operand.scale,
            operand.zero_point,
            result.scale,
            result.zero_point,
            *limits(result.dtype),
        )

    def samples(self, operand: Tensor, result: Tensor) -> IntArray:
        """What `interpolate` takes for x of int16: int16 [513].

        Raises ValueError when the function leaves float32 within the range of the input.
        """
        return function_table(self.function, operand.scale, result.scale)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        if operand.dtype is DType.INT16:
            return interpolate(x, self.samples(operand, result))
        return np.asarray(self.table(operand, result)[x + 128])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gelu(Curved):
    kind: ClassVar[str] = "GELU"

    approximate: bool = False

    def function(self, x: float) -> float:
        # In float32 after each operation, as TensorFlow Lite fills its table (`gelu.h`).
        single = np.float32
        half = single(0.5) * single(x)
        if self.approximate:
            inner = single(x) + single(0.044715) * single(x) * single(x) * single(x)
            angle = single(math.sqrt(2.0 / math.pi)) * inner
            return float(half * (single(1) + single(math.tanh(angle))))
        return float(half * single(math.erfc(single(x) * single(-math.sqrt(0.5)))))

    def real(self, x: Array) -> Array:
        x = x.astype(np.float64)
        if self.approximate:
            return np.asarray(0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))))
        erf = np.vectorize(math.erf, otypes=[np.float64])
        return np.asarray(0.5 * x * (1.0 + erf(x / math.sqrt(2.0))))

    def rounded(self, x: Array) -> Array:
        if not self.approximate:
            return np.asarray(x * float_math.normal(x))
        single = np.float32
        angle = single(math.sqrt(2.0 / math.pi)) * (x + single(0.044715) * (x * x * x))
        return np.asarray(single(0.5) * x * (single(1) + float_math.tanh(angle)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Silu(Curved):
    kind: ClassVar[str] = "SILU"

    def function(self, x: float) -> float:
        return x / (1.0 + math.exp(-x)) if x > -700.0 else 0.0

    def real(self, x: Array) -> Array:
        x = x.astype(np.float64)
        return np.asarray(x / (1.0 + np.exp(-np.maximum(x, -700.0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class SquaredRelu(Curved):
    kind: ClassVar[str] = "SQUARED_RELU"

    def function(self, x: float) -> float:
        return max(x, 0.0) ** 2

    def real(self, x: Array) -> Array:
        return np.asarray(np.square(np.maximum(x.astype(np.float64), 0.0)))
