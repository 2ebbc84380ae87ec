"""Portable kernels in float32 of FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import real_range
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.portable_float_each import all_float


def _accepts(op: Op, graph: Graph) -> bool:
    """float32, constant weights and bias."""
    return all_float(op, graph) and len(graph.activations(op)) == 1


def _bias(op: Op, graph: Graph, channels: int) -> Array:
    biases = graph.operands(op)[2:]
    return biases[0].constant.reshape(-1) if biases else np.zeros(channels, np.float32)


def clamps(activation: Activation) -> dict[str, FieldValue]:
    """The fields `low` and `high` of a fused activation."""
    low, high = real_range(activation)
    return {"low": low, "high": high}


def _lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    x, weights = graph.operands(op)[:2]
    units, depth = weights.shape
    return Lowered(
        "tinyc_fully_connected_f32",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "units": units,
            **clamps(op.activation),
            "weights": weights.constant,
            "bias": _bias(op, graph, units),
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_f32__portable",
        op=FullyConnected,
        source="portable/fully_connected_f32.c",
        headers=("include/fully_connected_f32.h",),
        accepts=_accepts,
        lower=_lower_fully_connected,
    ),
)
