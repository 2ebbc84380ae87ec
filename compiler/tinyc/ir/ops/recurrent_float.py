"""SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM in float32: the operands of the ops to their results.

Sums have the order of TensorFlow Lite Micro's reference kernels, `EvalFloatSvdfReference` and `lstm_eval`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.ir.ops.base import Activation
from tinyc.ir.ops.common import REAL_RANGES
from tinyc.ir.ops.float_order import clamp, product_sums, running_sums, sum_of
from tinyc.ir.tensor import Array
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import Rounding


def svdf(
    values: Sequence[Array], rank: int, activation: Activation, rounding: Rounding
) -> tuple[Array, Array]:
    """(y, state) of SVDF's x, features, times, bias and state; shapes as in `Svdf`."""
    x, features, times, bias, state = values
    batch, (filters, memory) = len(x), times.shape
    newest = product_sums(x, features.T, rounding)
    kept = state.reshape(batch, filters, memory)[:, :, 1:]
    after = np.concatenate([kept, newest[:, :, None]], axis=2)
    found = sum_of(np.moveaxis(times * after, 2, 0)).reshape(batch, -1, rank)
    first = np.broadcast_to(bias.reshape(-1), found.shape[:2])
    sums = running_sums(np.concatenate([first[None], np.moveaxis(found, 2, 0)]))[-1]
    return clamp(sums, *REAL_RANGES[activation]), after.reshape(state.shape)


def lstm(
    values: Sequence[Array], time_major: bool, cell_clip: float, rounding: Rounding
) -> tuple[Array, Array, Array]:
    """(y, hidden state, cell) of the 15 operands; shapes as in `UnidirectionalSequenceLstm`."""
    x = values[0] if time_major else values[0].swapaxes(0, 1)
    inputs, recurrent, biases = values[1:5], values[5:9], values[9:13]
    hidden, cell = (value.reshape(-1, biases[0].size) for value in values[13:])
    clip = cell_clip if cell_clip > 0 else math.inf
    found = []
    for step in x:
        update, forget, new, opened = (
            product_sums(step, weights.T, rounding)
            + bias.reshape(-1)
            + product_sums(hidden, again.T, rounding)
            for weights, again, bias in zip(inputs, recurrent, biases, strict=True)
        )
        kept = float_math.logistic(forget) * cell
        cell = clamp(kept + float_math.logistic(update) * float_math.tanh(new), -clip, clip)
        hidden = float_math.logistic(opened) * float_math.tanh(cell)
        found.append(hidden)
    y = np.stack(found, axis=0 if time_major else 1)
    return y, hidden.reshape(values[13].shape), cell.reshape(values[14].shape)
