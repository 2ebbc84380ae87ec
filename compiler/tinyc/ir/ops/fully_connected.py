"""FULLY_CONNECTED: y = activation(x W^T + b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activate_float, activation_range, channel_multipliers
from tinyc.ir.ops.convolution import exact_matmul
from tinyc.ir.ops.float_order import product_sums
from tinyc.ir.ops.wide_sums import has_wide_sums
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    Rounding,
    multiply_by_quantized_multiplier,
    multiply_int64_by_quantized_multiplier,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnected(Op):
    """inputs: x [..., in], weights [out, in], optional bias [out]; output [rows, out].

    The rows are the elements of x over `in`; `keep_num_dims` keeps the leading axes of x.
    With int16 activations, unless the bias is int32, TensorFlow Lite Micro uses the rule for 64-bit
    accumulators (here: DOUBLE), TensorFlow Lite on the host the full 32-bit multiplier with one
    rounding (SINGLE).
    """

    kind: ClassVar[str] = "FULLY_CONNECTED"

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        x, weights = operands[0], operands[1]
        if len(weights.shape) != 2 or min(weights.shape) < 1:
            raise ValueError(f"weights need shape [out, in], got {list(weights.shape)}")
        units, depth = weights.shape
        if x.elements % depth:
            raise ValueError(f"{x.elements} input elements are not a multiple of {depth} weight columns")
        if len(operands) > 2 and operands[2].elements != units:
            raise ValueError(f"bias has {operands[2].elements} elements for {units} units")
        if self.keep_num_dims:
            if x.shape[-1:] != (depth,):
                raise ValueError(f"the last axis of {list(x.shape)} needs {depth} elements to be kept apart")
            return ((*x.shape[:-1], units),)
        return ((x.elements // depth, units),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return results[0].elements * operands[1].shape[1]

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, weights, result = operands[0], operands[1], results[0]
        rows = values[0].reshape(-1, weights.shape[1])
        bias = values[2] if len(values) > 2 else None
        if x.dtype is DType.FLOAT32:
            y = product_sums(rows, values[1].T, rounding)
            if bias is not None:
                y = y + bias.reshape(-1)
            return (activate_float(y, self.activation).reshape(result.shape).astype(np.float32),)
        weights_zero_point = 0 if weights.quantization is None else weights.quantization.zero_point[0]
        acc = exact_matmul(
            rows.astype(np.int32) - x.zero_point, values[1].astype(np.int32).T - weights_zero_point
        )
        if bias is not None:
            acc = acc + bias.astype(np.int64).reshape(-1)
        multiplier, shift = channel_multipliers(x, weights, result, fused_product=True)
        if rounding is not Rounding.SINGLE and has_wide_sums(operands):
            scaled = multiply_int64_by_quantized_multiplier(acc, multiplier, shift)
        else:
            scaled = multiply_by_quantized_multiplier(acc, multiplier, shift, rounding)
        low, high = activation_range(self.activation, result)
        y = np.clip(scaled + result.zero_point, low, high)
        return (y.reshape(result.shape).astype(result.dtype.numpy),)
