"""Operators on shapes whose results are known before run time."""

from __future__ import annotations

import numpy as np

from tinyc.frontends.tflite_node import Chain, Node, Reject
from tinyc.frontends.tflite_ops import DECODERS
from tinyc.ir.tensor import Array, DType
from tinyc.quantize.fixed_point import Rounding

# Operators whose results are always constants.
CONSTANTS = ("BROADCAST_ARGS", "SHAPE")
_MOVEMENT = ("CONCATENATION", "GATHER", "RESHAPE", "SLICE", "STRIDED_SLICE")


def folded(node: Node) -> list[Array] | None:
    """The results of an operator on shapes that is known before run time, or None."""
    try:
        with np.errstate(all="ignore"):
            values = _fold(node)
    except (ValueError, IndexError, ArithmeticError, TypeError, Reject):
        return None
    if values is None or len(values) != len(node.results):
        return None
    fit = (v.shape == t.shape and v.dtype == t.dtype.numpy for v, t in zip(values, node.results, strict=True))
    return values if all(fit) else None


def _fold(node: Node) -> list[Array] | None:
    """The results, of any shape and type.

    These are the extents of a tensor and integer arithmetic on them.
    Converters leave SHAPE, STRIDED_SLICE and PACK before a RESHAPE when the batch is dynamic.
    """
    if node.kind == "SHAPE" and node.inputs and node.inputs[0] is not None:
        return [np.array(node.inputs[0].shape, dtype=node.results[0].dtype.numpy)]
    integers = (DType.INT32, DType.INT64)
    tensors = [tensor for tensor in node.inputs if tensor is not None]
    if not tensors or any(t.data is None or t.dtype not in integers or t.elements > 64 for t in tensors):
        return None
    values = [tensor.constant for tensor in tensors]
    if node.kind == "BROADCAST_ARGS" and len(values) == 2:
        shapes = (tuple(map(int, value)) for value in values)
        return [np.array(np.broadcast_shapes(*shapes), dtype=node.results[0].dtype.numpy)]
    if node.kind == "FILL" and node.results[0].elements <= 64:
        return [np.full(node.results[0].shape, values[1].item(), node.results[0].dtype.numpy)]
    if node.kind == "PACK" and len({value.shape for value in values}) == 1:
        return [np.stack(values, axis=int(node.option("PackOptions", "Axis", 0)))]
    if node.kind == "CAST" and node.results[0].dtype in integers:
        return [values[0].astype(node.results[0].dtype.numpy)]
    fused = (node.options or {}).get("FusedActivationFunction", 0)
    if node.kind in ("MUL", "ADD", "SUB") and len(values) == 2 and not fused:
        operation = {"MUL": np.multiply, "ADD": np.add, "SUB": np.subtract}[node.kind]
        return [np.asarray(operation(*values))]
    if node.kind in _MOVEMENT:
        decoded = DECODERS[node.kind](node)
        ops = decoded.ops if isinstance(decoded, Chain) else (decoded,)
        if len(ops) == 1:
            known = {tensor.name: tensor for tensor in tensors}
            operands = [known[name] for name in ops[0].inputs]
            operand_values = [operand.constant for operand in operands]
            return list(ops[0].reference(operand_values, operands, node.results, Rounding.DOUBLE))
    if node.kind == "REDUCE_PROD" and len(values) == 2:
        keep = bool(node.option("ReducerOptions", "KeepDims", False))
        axes, dtype = tuple(values[1].reshape(-1)), values[0].dtype
        return [np.asarray(np.prod(values[0], axis=axes, keepdims=keep, dtype=dtype))]
    return None
