"""Scales that belong together: of the sums of a layer, of its weights, and what its output needs at least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention, DepthwiseConv1D, Embedding, Linear, Op, TokenPool
from tinyc.ir.ops.norm import Norm
from tinyc.ir.ops.token_pool import Pooling
from tinyc.ir.tensor import Array, DType, Quantization, Tensor, TensorName
from tinyc.quantize.ranges import SMALLEST_SCALE
from tinyc.quantize.transformer.slots import Slot
from tinyc.quantize.transformer.tables import LIMIT, position_factor, value_scale

_BIAS_LIMIT = 2.0**30
# Sums of int32 may not exceed this; a little is left for the rounding of the weights.
_SUM_LIMIT = 2.0**31 - 2.0**16
# `high_multiplier` wants less than a half.
_HALF = 0.5 * (1.0 - 1e-6)

Quantizations = Mapping[TensorName, Quantization]
Types = Mapping[TensorName, DType]


def sum_scales(graph: Graph, op: Op, quantizations: Quantizations, types: Types) -> Array:
    """Scale of the int32 sum of each output of a layer with weights, float64.

    The source whose weights need most decides. It is raised for a bias that would not fit, and for
    channels whose sum could leave 32 bits.
    """
    operands = graph.operands(op)
    if isinstance(op, Linear):
        pairs = [(quantizations[x.name].scale[0], w.constant) for x, w in op.pairs(operands)]
        bias = operands[2 * op.sources].constant if op.bias else None
    elif isinstance(op, DepthwiseConv1D):
        pairs, bias = [(quantizations[op.inputs[0]].scale[0], operands[1].constant.T)], operands[2].constant
    elif isinstance(op, Embedding):
        scales = value_scales(op, operands)
        pairs = [
            (scale, matrix.constant) for scale, matrix in zip(scales, op.matrices(operands), strict=True)
        ]
        bias = operands[-1].constant if op.segments else None
    else:
        raise AssertionError(f"{op.kind} has no weights")
    found = np.zeros(len(pairs[0][1]))
    for scale, weights in pairs:
        found = np.maximum(found, scale * np.abs(weights.astype(np.float64)).max(axis=1, initial=0.0) / LIMIT)
    found = np.where(found > 0.0, found, found.max(initial=0.0) or pairs[0][0] / LIMIT)
    found = np.maximum(found, SMALLEST_SCALE * max(scale for scale, _ in pairs))
    largest = np.zeros(len(found))
    if bias is not None:
        largest = np.abs(bias.astype(np.float64).reshape(-1, len(found))).max(axis=0)
        found = np.maximum(found, largest / _BIAS_LIMIT)
    if isinstance(op, Linear):
        found = np.maximum(found, _fitting(op, operands, pairs, largest, quantizations, types))
    return np.asarray(found)


def value_scales(op: Embedding, operands: Sequence[Tensor]) -> tuple[float, ...]:
    """Scales of the integers that the sums of tokens and of positions are made of."""
    tables, matrices = op.tables(operands), op.matrices(operands)
    factor = position_factor(op, tables, matrices)
    return (value_scale(tables[0], op.bits), *(value_scale(table) / factor for table in tables[1:]))


def _fitting(
    op: Linear,
    operands: Sequence[Tensor],
    pairs: Sequence[tuple[float, Array]],
    bias: Array,
    quantizations: Quantizations,
    types: Types,
) -> Array:
    """The least scale of each sum for which it cannot leave 32 bits."""
    total, rounding = bias.copy(), 0.0
    for (x, weights), (scale, real) in zip(op.pairs(operands), pairs, strict=True):
        wide = types[x.name] is DType.INT16
        limit = 32768 if wide else 128 + abs(quantizations[x.name].zero_point[0])
        total += np.abs(real.astype(np.float64)).sum(axis=1) * scale * limit
        rounding += 0.5 * limit * weights.shape[1]
    return np.asarray(total / max(_SUM_LIMIT - rounding, 2.0**16))


def least_output(graph: Graph, op: Op, quantizations: Quantizations, types: Types) -> float:
    """The least scale of the output that fixed point can hold."""
    if isinstance(op, Linear | DepthwiseConv1D):
        least = float(sum_scales(graph, op, quantizations, types).max()) / _HALF
        if isinstance(op, Linear) and op.residual:
            least = max(least, quantizations[op.inputs[-1]].scale[0] * 2.0**-14)
        return least
    if isinstance(op, Embedding):
        if op.expanded:
            return float(sum_scales(graph, op, quantizations, types).max()) / _HALF
        return max(value_scales(op, graph.operands(op))) * 2.0**-14
    if isinstance(op, TokenPool):
        most = 8.0 if op.pooling is Pooling.MEAN else 128.0
        return quantizations[op.inputs[0]].scale[0] / (most * (1.0 - 1e-6))
    if isinstance(op, Attention):
        return quantizations[op.inputs[2]].scale[0] * 2.0**-19
    if isinstance(op, Norm):
        return math.sqrt(graph[op.inputs[0]].shape[-1]) * 2.0**-23
    return 0.0


def settle(
    graph: Graph, slots: Sequence[Slot], wanted: Sequence[Quantization], types: Types
) -> tuple[Quantization, ...]:
    """`wanted`, one per slot, with scales raised to what the integer layers can hold.

    Zero points stay where they are in real units. Raises TinycError where the type leaves no choice.
    """
    settled = list(wanted)
    index_of = {name: index for index, slot in enumerate(slots) for name in slot.tensors}
    problems = []
    for op in graph.ops:
        # In the order of the graph: a scale depends on those before it only.
        quantizations = {name: settled[index] for name, index in index_of.items()}
        for name in op.outputs:
            if name not in index_of:
                continue
            index = index_of[name]
            least, current = least_output(graph, op, quantizations, types), settled[index]
            if current.scale[0] >= least:
                continue
            if slots[index].fixed is not None:
                problems.append(Problem(f"{op.kind} {op.name}", "has weights too coarse for its output"))
                continue
            scale = float(np.nextafter(np.float32(least), np.float32(np.inf)))
            zero_point = round(current.zero_point[0] * current.scale[0] / scale)
            settled[index] = Quantization((scale,), (zero_point,))
    if problems:
        raise TinycError(
            "some layers cannot be computed in fixed point", where=f"model {graph.name}", problems=problems
        )
    return tuple(settled)
