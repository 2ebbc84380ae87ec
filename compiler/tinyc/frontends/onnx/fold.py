"""Results that are known before run time: shape arithmetic and operators on constants.

ONNX's own reference implementation computes them, after shape inference has said how large they get.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from tinyc.frontends.onnx.node import Node
from tinyc.frontends.onnx.reader import to_array
from tinyc.ir.tensor import Array

_MOST_ELEMENTS = 1 << 22
FOLDABLE = frozenset(
    {
        *("Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "ConstantOfShape"),
        *("Div", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather", "Greater", "GreaterOrEqual"),
        *("Identity", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or"),
        *("Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin"),
        *("ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "Shape", "Size", "Slice", "Split", "Sqrt"),
        *("Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where"),
    }
)


def constant_of(node: Node, where: str) -> Array:
    """The value of a Constant node. Raises ValueError for strings and sparse tensors."""
    ((name, attribute),) = node.attributes.items()
    if name == "value":
        return to_array(attribute.t, where)
    if name in ("value_float", "value_floats"):
        return np.asarray(onnx.helper.get_attribute_value(attribute), np.float32)
    if name in ("value_int", "value_ints"):
        return np.asarray(onnx.helper.get_attribute_value(attribute), np.int64)
    raise ValueError(f"is a constant given by {name}")


def fold(node: Node, inputs: Sequence[Array | None]) -> tuple[Array, ...] | None:
    """What the node gives for constant inputs (None: absent), or None when tinyc does not compute it here."""
    if node.op not in FOLDABLE or not inputs:
        return None
    names = [f"x{place}" if value is not None else "" for place, value in enumerate(inputs)]
    given = {name: value for name, value in zip(names, inputs, strict=True) if value is not None}
    own = onnx.helper.make_node(node.op, names, list(node.outputs))
    own.attribute.extend(node.attributes.values())
    try:
        graph = onnx.helper.make_graph(
            [own],
            "folded",
            [],
            [onnx.ValueInfoProto(name=name) for name in node.outputs if name],
            [onnx.numpy_helper.from_array(value, name) for name, value in given.items()],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", node.opset)])
        if not _is_small(model):
            return None
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, {})
    except Exception:
        # The implementation raises whatever NumPy raises. The operator stays, and is looked at as any other.
        return None
    return tuple(np.asarray(result) for result in results)


def _is_small(model: onnx.ModelProto) -> bool:
    """True when every result has a known and reasonable number of elements."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for entry in inferred.graph.output:
        kind = entry.type.tensor_type
        extents = [extent.dim_value for extent in kind.shape.dim if extent.HasField("dim_value")]
        known = kind.HasField("shape") and len(extents) == len(kind.shape.dim)
        if not known or math.prod(extents) > _MOST_ELEMENTS:
            return False
    return True
