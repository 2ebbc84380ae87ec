"""Evaluates ops whose inputs are all constants."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Unsupported
from tinyc.quantize.fixed_point import Rounding

# Nobody keeps more than this in flash; folding it would only cost time and memory.
_MOST_ELEMENTS = 1 << 24
_MOST_MACS = 1 << 28


def fold_constants(graph: Graph) -> Graph:
    """Ops on constants become constants. Outputs of the graph stay computed."""
    tensors = dict(graph.tensors)
    ops = []
    elements, macs = _MOST_ELEMENTS, _MOST_MACS
    for op in graph.ops:
        operands = [tensors[name] for name in op.inputs]
        results = [tensors[name] for name in op.outputs]
        foldable = (
            operands
            and all(tensor.is_constant for tensor in operands)
            and not isinstance(op, Unsupported)
            and not op.state_outputs
            and not set(op.outputs) & set(graph.outputs)
            and sum(tensor.elements for tensor in results) <= elements
            and op.macs(operands, results) <= macs
        )
        if foldable:
            elements -= sum(tensor.elements for tensor in results)
            macs -= op.macs(operands, results)
            try:
                with np.errstate(all="ignore"):
                    values = op.reference(
                        [tensor.constant for tensor in operands], operands, results, Rounding.DOUBLE
                    )
            except (ValueError, KeyError):
                # The op cannot be computed; legalize says why.
                ops.append(op)
                continue
            for tensor, value in zip(results, values, strict=True):
                tensors[tensor.name] = tensor.with_(data=value)
            continue
        ops.append(op)
    return graph.rebuilt(ops=ops, tensors=tensors)
