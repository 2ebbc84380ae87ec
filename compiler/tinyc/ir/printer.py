"""The canonical text of a graph: what `inspect` shows, goldens store and the digest hashes."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import TYPE_CHECKING, Any

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Tensor

if TYPE_CHECKING:
    from tinyc.ir.graph import Graph

_COMMON_FIELDS = frozenset({"name", "inputs", "outputs", "source"})


def format_tensor(tensor: Tensor) -> str:
    """`name: int8[1, 49, 10] scale=0.5 zero_point=-3`; per channel: the count and the axis."""
    text = f"{tensor.name}: {tensor.dtype.value[0]}{list(tensor.shape)}"
    quantization = tensor.quantization
    if quantization is not None:
        if quantization.per_channel:
            scales = ", ".join(float(scale).hex() for scale in quantization.scale)
            zero_points = sorted(set(quantization.zero_point))
            text += f" per_channel axis={quantization.axis} zero_point={zero_points} scale=[{scales}]"
        else:
            scale = float(quantization.scale[0])
            text += f" scale={scale!r} zero_point={quantization.zero_point[0]}"
    return text + (" const" if tensor.is_constant else "")


def _value(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.name)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Op):
        return f"({format_op(value)})"
    if isinstance(value, Tensor):
        return f"({format_tensor(value)})"
    return str(value)


def own_fields(op: Op) -> dict[str, str]:
    """Name → text of the fields that ops of this kind add to those that all ops have."""
    return {
        field.name: _value(getattr(op, field.name))
        for field in dataclasses.fields(op)
        if field.name not in _COMMON_FIELDS
    }


def format_op(op: Op) -> str:
    """`outputs = KIND(inputs) field=value ... "layer name"`."""
    fields = " ".join(f"{name}={text}" for name, text in own_fields(op).items())
    left, right = ", ".join(op.outputs), ", ".join(op.inputs)
    return f"{left} = {op.kind}({right}){' ' + fields if fields else ''} # {op.name}"


def format_graph(graph: Graph) -> str:
    """All of a graph, with the parts of fused ops in their place."""
    graph = graph.expanded()
    lines = [f"graph {graph.name}"]
    lines += [f"  input {name}" for name in graph.inputs]
    if graph.stream is not None:
        told = dataclasses.asdict(graph.stream)
        lines.append("  stream " + " ".join(f"{name}={value}" for name, value in told.items()))
    lines += [f"  {format_tensor(graph.tensors[name])}" for name in sorted(graph.tensors)]
    lines += [f"  state {state.name} -> {state.update}" for state in graph.states]
    lines += [f"  {format_op(op)}" for op in graph.ops]
    lines += [f"  output {name}" for name in graph.outputs]
    return "\n".join(lines) + "\n"
