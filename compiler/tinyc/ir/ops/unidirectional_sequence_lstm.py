"""UNIDIRECTIONAL_SEQUENCE_LSTM: long short-term memory over a sequence.

It is int8 or int16, with an int16 cell, or float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from tinyc.ir.ops import recurrent_float
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.wide_sums import check_wide_sums, has_wide_sums
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    multiply_by_quantized_multiplier,
    multiply_int64_by_quantized_multiplier,
    quantize_multiplier,
    wrap32,
)
from tinyc.quantize.interpolation import logistic, logistic_table, tanh

Scaling: TypeAlias = tuple[int, int]
GATES = ("input", "forget", "cell", "output")
_GATE_INPUT_SCALE, _GATE_OUTPUT_SCALE = 2.0**-12, 2.0**-15


@dataclass(frozen=True, slots=True)
class LstmScaling:
    """(multiplier, shift) of each step; `input` and `recurrent` have one for each of `GATES`.

    `tanh` is (multiplier, right shift) of the cell's; `clip` bounds the cell, 0 where nothing does.
    """

    input: tuple[Scaling, ...]
    recurrent: tuple[Scaling, ...]
    forget: Scaling
    update: Scaling
    hidden: Scaling
    tanh: tuple[int, int]
    clip: int


def _ratio(first: float, second: float, result: float) -> Scaling:
    product = float(np.float32(first)) * float(np.float32(second))
    return quantize_multiplier(product / float(np.float32(result)))


def _scaled(sums: IntArray, multiplier: int, shift: int) -> IntArray:
    return multiply_by_quantized_multiplier(wrap32(sums), multiplier, shift)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnidirectionalSequenceLstm(Op):
    """inputs: x [n, time, in], or [time, n, in] when `time_major`; four weights [units, in] and four
    recurrent ones [units, units], int8; four biases [units]; the hidden state [n, units] and the cell
    [n, units] int16, whose scale is a power of two. The four are the gates in the order of `GATES`.
    x and the hidden state are int8 and the biases int32, or int16 with zero point 0 and int64. Or all of it
    is float32.

    Outputs: the hidden state of every step, and both states after the last. Gates of integers are rounded to
    steps of 2^-12, their activations to 2^-15; `cell_clip` bounds the cell (real units), 0 does not.
    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997); TensorFlow Lite Micro, `lstm_eval`.
    """

    kind: ClassVar[str] = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    state_outputs: ClassVar[tuple[int, ...]] = (1, 2)

    time_major: bool = False
    cell_clip: float = 0.0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 15:
            raise ValueError(f"needs 15 inputs, got {len(operands)}")
        x, weights, biases, (hidden, cell) = operands[0], operands[1:9], operands[9:13], operands[13:]
        self._check_types(operands)
        if len(x.shape) != 3:
            raise ValueError(f"input needs shape [batch, time, channels], got {list(x.shape)}")
        batch, units = x.shape[1 if self.time_major else 0], biases[0].elements
        shapes = [(units, x.shape[2])] * 4 + [(units, units)] * 4
        fits = [tensor.shape for tensor in weights] == shapes and all(b.elements == units for b in biases)
        if not fits or hidden.elements != batch * units or cell.elements != batch * units:
            raise ValueError(f"weights, biases and states do not fit {units} units")
        return (*x.shape[:2], units), hidden.shape, cell.shape

    def _check_types(self, operands: Sequence[Tensor]) -> None:
        x, weights, (hidden, cell) = operands[0], operands[1:9], operands[13:]
        real = x.dtype is DType.FLOAT32
        kept, summed = (DType.INT16, DType.INT64) if x.dtype is DType.INT16 else (DType.INT8, DType.INT32)
        types = (kept,) + (DType.INT8,) * 8 + (summed,) * 4 + (kept, DType.INT16)
        for tensor, dtype in zip(operands, (DType.FLOAT32,) * 15 if real else types, strict=True):
            if tensor.dtype is not dtype:
                raise ValueError(f"{tensor.name!r} is {tensor.dtype.value[0]}, not {dtype.value[0]}")
        if real:
            return
        for tensor in (*weights, cell, *((x, hidden) if kept is DType.INT16 else ())):
            if tensor.quantization is None or tensor.quantization.per_channel or tensor.zero_point:
                raise ValueError(f"{tensor.name!r} needs one scale and the zero point 0")
        if math.frexp(cell.scale)[0] != 0.5 or not 2.0**-27 <= cell.scale <= 1.0:
            raise ValueError(f"the cell's scale {cell.scale:g} is no power of two up to 1")

    def scaling(self, operands: Sequence[Tensor]) -> LstmScaling:
        """Fixed-point parameters. Raises ValueError for scales that cannot be represented."""
        x, hidden, cell = operands[0], operands[13], operands[14]

        def gate(source: Tensor, weights: Tensor, *bias: Tensor) -> Scaling:
            product = np.float32(source.scale) * np.float32(weights.scale)
            found = quantize_multiplier(float(product) / _GATE_INPUT_SCALE)
            check_wide_sums((source, weights, *bias), np.array(found[1]))
            return found

        # TANH takes steps of 2^-12 times 3.
        power = math.frexp(cell.scale)[1] - 1 + 12
        clip = min(self.cell_clip / cell.scale, 32767.0)
        return LstmScaling(
            tuple(gate(x, *both) for both in zip(operands[1:5], operands[9:13], strict=True)),
            tuple(gate(hidden, weights) for weights in operands[5:9]),
            _ratio(_GATE_OUTPUT_SCALE, cell.scale, cell.scale),
            _ratio(_GATE_OUTPUT_SCALE, _GATE_OUTPUT_SCALE, cell.scale),
            _ratio(_GATE_OUTPUT_SCALE, _GATE_OUTPUT_SCALE, hidden.scale),
            (3 << power, 0) if power >= 0 else (3, -power),
            max(int(clip), 0),
        )

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return math.prod(operands[0].shape[:2]) * sum(tensor.elements for tensor in operands[1:9])

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if operands[0].dtype is DType.FLOAT32:
            return recurrent_float.lstm(values, self.time_major, self.cell_clip, rounding)
        wide = [value.astype(np.int64) for value in values]
        x = wide[0] if self.time_major else wide[0].swapaxes(0, 1)
        scaling, table, units = self.scaling(operands), logistic_table(), operands[9].elements
        hidden, cell = (value.reshape(-1, units) for value in wide[13:])
        low, high = limits(DType.INT16)
        scaled = multiply_int64_by_quantized_multiplier if has_wide_sums(operands[:1]) else _scaled

        def gate(index: int, step: IntArray, hidden: IntArray) -> IntArray:
            inner = (step - operands[0].zero_point) @ wide[1 + index].T + wide[9 + index].reshape(-1)
            outer = (hidden - operands[13].zero_point) @ wide[5 + index].T
            parts = ((inner, scaling.input[index]), (outer, scaling.recurrent[index]))
            both = [np.clip(scaled(sums, *by), low, high) for sums, by in parts]
            total = np.clip(both[0] + both[1], low, high)
            return tanh(total, 3, 0, table) if GATES[index] == "cell" else logistic(total, 3, 0, table)

        found = []
        for step in x:
            update, forget, new, opened = (gate(index, step, hidden) for index in range(4))
            kept = np.clip(multiply_by_quantized_multiplier(forget * cell, *scaling.forget), low, high)
            added = np.clip(multiply_by_quantized_multiplier(update * new, *scaling.update), low, high)
            cell = np.clip(kept + added, low, high)
            if scaling.clip:
                cell = np.clip(cell, -scaling.clip, scaling.clip)
            shown = tanh(cell, *scaling.tanh, table) * opened
            hidden = multiply_by_quantized_multiplier(shown, *scaling.hidden) + operands[13].zero_point
            hidden = np.clip(hidden, *limits(operands[13].dtype))
            found.append(hidden)
        y = np.stack(found, axis=0 if self.time_major else 1)
        return tuple(
            value.reshape(result.shape).astype(result.dtype.numpy)
            for value, result in zip((y, hidden, cell), results, strict=True)
        )
