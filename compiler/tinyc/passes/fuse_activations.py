"""Moves a RELU, RELU6 or RELU_N1_TO_1 into the layer before it."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Activation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Linear,
    Op,
    Relu,
    Relu6,
    ReluN1To1,
)
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.ops.pooling import Pool2D
from tinyc.passes.rewrite import uses

# What becomes the fused activation, and those of the layer after which it does alone what both do.
_ACTIVATION = {
    Relu: (Activation.RELU, (Activation.NONE, Activation.RELU)),
    Relu6: (Activation.RELU6, (Activation.NONE, Activation.RELU)),
    ReluN1To1: (Activation.RELU_N1_TO_1, (Activation.NONE,)),
}


def fuse_activations(graph: Graph) -> Graph:
    """The layer clamps by itself where that gives the same result bit for bit.

    A quantized RELU that also changes the scale rounds a second time and stays.
    """
    reads = uses(graph)
    writers: dict[str, int] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Relu | Relu6 | ReluN1To1):
            position = writers.get(op.inputs[0])
            (x,), (y,) = graph.operands(op), graph.results(op)
            same = (x.dtype, x.quantization) == (y.dtype, y.quantization)
            if position is not None and reads[x.name] == 1 and same:
                layer = ops[position]
                assert isinstance(layer, Conv2D | DepthwiseConv2D | FullyConnected | Linear | Binary | Pool2D)
                activation, before = _ACTIVATION[type(op)]
                if layer.activation in before:
                    ops[position] = layer.with_(outputs=op.outputs, activation=activation)
                    writers[op.outputs[0]] = position
                    continue
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected | Linear | Binary | Pool2D):
            writers[op.outputs[0]] = len(ops)
        ops.append(op)
    return graph.rebuilt(ops=ops)
