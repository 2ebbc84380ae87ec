"""Moves a RELU or RELU6 into the layer before it."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Conv2D, DepthwiseConv2D, FullyConnected, Linear, Op, Relu, Relu6
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.ops.pooling import Pool2D
from tinyc.passes.rewrite import uses

_ACTIVATION = {Relu: Activation.RELU, Relu6: Activation.RELU6}


def fuse_activations(graph: Graph) -> Graph:
    """The layer clamps by itself where that gives the same result bit for bit.

    A quantized RELU that also changes the scale rounds a second time and stays.
    """
    reads = uses(graph)
    writers: dict[str, int] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Relu | Relu6):
            position = writers.get(op.inputs[0])
            (x,), (y,) = graph.operands(op), graph.results(op)
            same = (x.dtype, x.quantization) == (y.dtype, y.quantization)
            if position is not None and reads[x.name] == 1 and same:
                layer = ops[position]
                assert isinstance(layer, Conv2D | DepthwiseConv2D | FullyConnected | Linear | Binary | Pool2D)
                # After RELU, RELU and RELU6 are what they are alone; other pairs need both.
                if layer.activation in (Activation.NONE, Activation.RELU):
                    ops[position] = layer.with_(outputs=op.outputs, activation=_ACTIVATION[type(op)])
                    writers[op.outputs[0]] = position
                    continue
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected | Linear | Binary | Pool2D):
            writers[op.outputs[0]] = len(ops)
        ops.append(op)
    return graph.rebuilt(ops=ops)
