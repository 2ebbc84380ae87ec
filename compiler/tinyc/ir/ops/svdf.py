"""SVDF: a dense layer over time whose weights have a low rank; it remembers its last inputs' features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops import recurrent_float
from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    Rounding,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    wrap32,
)

_INPUTS = 5


def svdf_multipliers(operands: Sequence[Tensor], result: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) from products with the input to the state, and from those with it to the output.

    TensorFlow Lite forms both ratios in float32.
    """
    x, features, times, _, state = (
        np.float32(t.scale) if t.quantization else np.float32(0) for t in operands
    )
    to_state = float(x * features / state)
    return quantize_multiplier(to_state), quantize_multiplier(float(state * times / np.float32(result.scale)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Svdf(Op):
    """inputs: x [n, in] int8, features [filters, in] int8, times [filters, memory], bias [units] int32 and
    the state [n, filters * memory]; times and state are int16, or both int8. There are units * rank filters.
    Or all of it is float32. Outputs: y [n, units] of the type of x, and the state after.

    Each filter keeps the products of its features with the last `memory` inputs. int8 has the activation RELU
    only.
    Source: Nakkiran et al., "Compressing Deep Neural Networks using a Rank-Constrained Topology" (2015);
    TensorFlow Lite Micro, `EvalIntegerSvdfReference` and `EvalFloatSvdfReference`.
    """

    kind: ClassVar[str] = "SVDF"
    state_outputs: ClassVar[tuple[int, ...]] = (1,)

    rank: int
    activation: Activation = Activation.RELU

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != _INPUTS:
            raise ValueError(f"needs {_INPUTS} inputs, got {len(operands)}")
        x, features, times, bias, state = operands
        real = x.dtype is DType.FLOAT32
        kept = DType.INT8 if state.dtype is DType.INT8 else DType.INT16
        types = (DType.INT8, DType.INT8, kept, DType.INT32, kept)
        for tensor, dtype in zip(operands, (DType.FLOAT32,) * _INPUTS if real else types, strict=True):
            if tensor.dtype is not dtype:
                raise ValueError(f"{tensor.name!r} is {tensor.dtype.value[0]}, not {dtype.value[0]}")
        if not real and any(tensor.quantization is None or tensor.zero_point for tensor in (features, times)):
            raise ValueError("weights need a scale and the zero point 0")
        filters, memory = times.shape
        if not real and self.activation is not Activation.RELU:
            raise ValueError(f"activation {self.activation.value}, int8 has RELU only")
        if self.rank < 1 or filters % self.rank or features.shape != (filters, x.shape[-1]):
            raise ValueError(f"{filters} filters of rank {self.rank} do not fit {list(features.shape)}")
        if bias.elements * self.rank != filters or state.elements != x.shape[0] * filters * memory:
            raise ValueError("bias or state do not fit the filters")
        return (x.shape[0], filters // self.rank), state.shape

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return operands[0].shape[0] * (operands[1].elements + operands[2].elements)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if operands[0].dtype is DType.FLOAT32:
            return recurrent_float.svdf(values, self.rank, self.activation, rounding)
        x, features, times, bias, state = (value.astype(np.int64) for value in values)
        to_state, to_output = svdf_multipliers(operands, results[0])
        batch, (filters, memory) = x.shape[0], times.shape
        products = multiply_by_quantized_multiplier((x - operands[0].zero_point) @ features.T, *to_state)
        zero = operands[4].zero_point
        # TensorFlow Lite adds the zero point after the clamp, so that the sum may wrap.
        newest = (np.clip(products, *limits(results[1].dtype)) + zero).astype(results[1].dtype.numpy)
        after = state.reshape(batch, filters, memory)
        after = np.concatenate([after[:, :, 1:], newest[:, :, None]], axis=2)
        sums = ((after - zero) * times).sum(axis=2).reshape(batch, -1, self.rank).sum(axis=2)
        y = multiply_by_quantized_multiplier(wrap32(sums + bias.reshape(-1)), *to_output)
        y = np.clip(y + results[0].zero_point, *limits(results[0].dtype))
        return y.astype(np.int8), after.reshape(results[1].shape).astype(results[1].dtype.numpy)
