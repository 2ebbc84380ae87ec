"""Which activations share a quantization, and whether it has 8 or 16 bits, with or without a zero point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Linear, Op
from tinyc.ir.ops.base import Activation
from tinyc.ir.tensor import DType, Quantization, Tensor, TensorName

MOVES = frozenset({"PAD", "RESHAPE", "SPLIT", "STRIDED_SLICE", "TRANSPOSE"})
CURVES = frozenset({"GELU", "SILU", "SQUARED_RELU"})
NORMS = frozenset({"LAYER_NORM", "RMS_NORM"})
# Layers whose output has a quantization of its own: by type.
FIXED = {
    "TANH": {DType.INT8: Quantization((2.0**-7,), (0,)), DType.INT16: Quantization((2.0**-15,), (0,))},
    "LOGISTIC": {DType.INT8: Quantization((2.0**-8,), (-128,)), DType.INT16: Quantization((2.0**-15,), (0,))},
    "SOFTMAX": {DType.INT8: Quantization((2.0**-8,), (-128,)), DType.INT16: Quantization((2.0**-15,), (0,))},
}
KINDS = frozenset(
    {
        "ATTENTION",
        "DEPTHWISE_CONV_1D",
        "EMBEDDING",
        "LINEAR",
        "SEQUENCE_LENGTH",
        "TOKEN_POOL",
        *CURVES,
        *FIXED,
        *MOVES,
        *NORMS,
    }
)


@dataclass(frozen=True, slots=True)
class Slot:
    """Tensors that share one quantization, in the order of the graph.

    `fixed` is set where the op leaves no choice. `promotable`: int8, and int16 would do as well.
    """

    tensors: tuple[TensorName, ...]
    dtype: DType
    symmetric: bool
    fixed: Quantization | None = None
    promotable: bool = False


def check_layers(graph: Graph) -> None:
    """Raises TinycError that lists layers without a rule, weights that are no constants or not finite."""
    problems = []
    for index, op in enumerate(graph.ops):
        if op.kind not in KINDS:
            problems.append(Problem(f"#{index} {op.kind} {op.name}", "has no quantization rule here"))
            continue
        try:
            # Fixed point has limits of its own.
            op.output_shapes([_as_int8(tensor) for tensor in graph.operands(op)])
        except ValueError as error:
            problems.append(Problem(f"#{index} {op.kind} {op.name}", str(error)))
        for name in constants_of(op):
            if not graph[name].is_constant:
                problems.append(Problem(f"#{index} {op.kind} {op.name}", f"computes {name} at run time"))
    for tensor in graph.constants():
        if tensor.dtype is DType.FLOAT32 and not np.isfinite(tensor.constant).all():
            problems.append(Problem(f"tensor {tensor.name}", "holds NaN or infinite values"))
    if problems:
        raise TinycError(
            "the model cannot be quantized",
            where=f"model {graph.name}",
            problems=problems,
            allowed=f"finite weights, and layers of {', '.join(sorted(KINDS))}",
        )


def _as_int8(tensor: Tensor) -> Tensor:
    return tensor.with_(dtype=DType.INT8, data=None) if tensor.dtype is DType.FLOAT32 else tensor


def constants_of(op: Op) -> tuple[TensorName, ...]:
    """Weights, biases, tables, gains: the operands that are no activations, whatever the graph holds."""
    if isinstance(op, Linear):
        weights = op.inputs[1 : 2 * op.sources : 2]
        return (*weights, *op.inputs[2 * op.sources : 2 * op.sources + op.bias])
    return () if op.kind == "ATTENTION" else op.inputs[1:]


def activations_of(op: Op) -> tuple[TensorName, ...]:
    """The operands that have a slot: a residual that is a constant too."""
    constants = constants_of(op)
    return tuple(name for name in op.inputs if name not in constants)


def make_slots(graph: Graph) -> tuple[Slot, ...]:
    """A slot for every activation but token ids and lengths, in the order of the graph.

    Raises TinycError for tensors that one layer needs in 8 and another in 16 bits.
    """
    parent: dict[TensorName, TensorName] = {}

    def root(name: TensorName) -> TensorName:
        while parent[name] != name:
            name = parent[name]
        return name

    for name in graph.inputs:
        parent[name] = name
    for op in graph.ops:
        for name in (*activations_of(op), *op.outputs):
            parent.setdefault(name, name)
        if op.kind in MOVES:
            for name in op.outputs:
                parent[root(name)] = root(op.inputs[0])
    together: dict[TensorName, list[TensorName]] = {}
    for name in parent:
        if graph[name].dtype is DType.FLOAT32:
            together.setdefault(root(name), []).append(name)
    types: dict[TensorName, DType] = {}
    slots = []
    problems: list[Problem] = []
    for tensors in together.values():
        slot = _slot(graph, tensors, types, problems)
        types.update(dict.fromkeys(tensors, slot.dtype))
        slots.append(slot)
    if problems:
        raise TinycError(
            "some tensors have no type that all their layers accept",
            where=f"model {graph.name}",
            problems=problems,
        )
    return tuple(slots)


def _slot(
    graph: Graph, tensors: Sequence[TensorName], types: dict[TensorName, DType], problems: list[Problem]
) -> Slot:
    members = set(tensors)
    made = [op for op in graph.ops if op.kind not in MOVES and members & set(op.outputs)]
    reads = [
        (op, position)
        for op in graph.ops
        if op.kind not in MOVES
        for position, name in enumerate(op.inputs)
        if name in members
    ]
    narrow = [op for op, _ in reads if op.kind in {"ATTENTION", "DEPTHWISE_CONV_1D", *CURVES}]
    narrow += [op for op in made if op.kind in FIXED and types[op.inputs[0]] is DType.INT8]
    wide = [op for op in made if op.kind == "TOKEN_POOL"]
    wide += [op for op in made if op.kind in FIXED and types[op.inputs[0]] is DType.INT16]
    if narrow and wide:
        what = f"{wide[0].kind} {wide[0].name} gives int16, {narrow[0].kind} {narrow[0].name} needs int8"
        problems.append(Problem(f"tensor {tensors[0]}", what))
    wanted = bool(members & set(graph.outputs)) or any(op.kind == "EMBEDDING" for op in made)
    wanted |= any(
        op.kind in {"TOKEN_POOL", *NORMS, *FIXED} or is_residual(op, position) for op, position in reads
    )
    given = bool(members & set(graph.inputs))
    wanted |= _is_single_row(graph, tensors[0], made, reads)
    int16 = bool(wide) or (wanted and not narrow and not given)
    fixed = [FIXED[op.kind][DType.INT16 if int16 else DType.INT8] for op in made if op.kind in FIXED]
    offset = all(op.kind in {*CURVES, *FIXED, "DEPTHWISE_CONV_1D", "LINEAR"} for op in made) and all(
        op.kind in {*CURVES, *FIXED} or (op.kind == "LINEAR" and not is_residual(op, position))
        for op, position in reads
    )
    return Slot(
        tuple(tensors),
        DType.INT16 if int16 else DType.INT8,
        symmetric=int16 or not offset or (_straight(made) and any(op.kind == "LINEAR" for op, _ in reads)),
        fixed=fixed[0] if fixed else None,
        promotable=bool(made) and not (int16 or narrow or given or fixed),
    )


def _is_single_row(
    graph: Graph, name: TensorName, made: Sequence[Op], reads: Sequence[tuple[Op, int]]
) -> bool:
    """True for one row between linear layers, or a norm and one: 16 bits cost no memory to speak of."""
    return (
        graph[name].elements == graph[name].shape[-1]
        and all(op.kind in {"LINEAR", *NORMS} for op in made)
        and all(isinstance(op, Linear) and op.sources == 1 for op, _ in reads)
    )


def _straight(made: Sequence[Op]) -> bool:
    """True for linear layers without an activation: their output is as often negative as positive."""
    return any(isinstance(op, Linear) and op.activation is Activation.NONE for op in made)


def is_residual(op: Op, position: int) -> bool:
    """Is operand `position` the residual of a linear layer?"""
    return isinstance(op, Linear) and op.residual and position == len(op.inputs) - 1
