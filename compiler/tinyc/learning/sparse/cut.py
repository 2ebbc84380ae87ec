"""Splits an int8 graph at the tap: the body in front of it, and the suffix that learns."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.errors import TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Concatenation, Linear, Op, Split
from tinyc.ir.tensor import DType, Tensor, TensorName


@dataclass(frozen=True, slots=True)
class Cut:
    """`body` ends in the tensor `tap`; `suffix` starts with it and ends where the graph ended."""

    body: Graph
    suffix: Graph
    tap: TensorName


def cut(graph: Graph, tap: TensorName) -> Cut:
    """Split `graph` at the tensor `tap`.

    `LAYER/sources` is the tensor that holds all int8 rows that a layer of several sources reads.
    Raises TinycError when there is no such activation, when it is not int8 or int16 with one scale, when it
    has as many rows as a sentence, or when a layer behind it reads something else from in front of it.
    """
    graph = graph.expanded()
    joint = _joints(graph).get(tap)
    if joint is not None:
        graph = _joined(graph, joint, tap)
    if tap not in graph.tensors or graph[tap].is_constant:
        raise TinycError(
            f"the model has no activation {tap!r} to learn from",
            where=f"graph {graph.name}",
            allowed=", ".join(possible_taps(graph)) or "none",
        )
    if joint is None:
        _check_tensor(graph, graph[tap])
    behind = _behind(graph, tap)
    if not behind:
        raise TinycError(f"no layer lies behind {tap!r}", where=f"graph {graph.name}")
    names = {name for op in behind for name in op.outputs}
    for op in behind:
        for tensor in graph.activations(op):
            if tensor.name != tap and tensor.name not in names:
                raise TinycError(
                    f"{op.kind} {op.name!r} lies behind {tap!r} but also reads {tensor.name!r}",
                    where=f"graph {graph.name}",
                    allowed=", ".join(possible_taps(graph)) or "none",
                    hint="learn from a tensor that everything behind it goes through",
                )
    kept = {op.name for op in behind}
    suffix = graph.rebuilt(ops=behind, inputs=(tap,))
    body = graph.rebuilt(ops=(op for op in graph.ops if op.name not in kept), outputs=(tap,))
    return Cut(verify(body), verify(suffix), tap)


def possible_taps(graph: Graph) -> tuple[TensorName, ...]:
    """The int8 and int16 activations that split the graph, in order."""
    found: list[TensorName] = []
    varying = sequence.varying(graph)
    joints = {name: op for name, op in _joints(graph).items() if _splits(_joined(graph, op, name), name)}
    for op in graph.ops:
        found += [name for name, joint in joints.items() if joint is op]
        for tensor in graph.activations(op):
            if tensor.name in found or tensor.name in varying or not _is_latent(tensor):
                continue
            if _splits(graph, tensor.name):
                found.append(tensor.name)
    return tuple(found)


def _splits(graph: Graph, name: TensorName) -> bool:
    """Whether all behind a tensor reads nothing else from in front of it, and gives all outputs."""
    behind = _behind(graph, name)
    inside = {name, *(other for op in behind for other in op.outputs)}
    reads = {read.name for op in behind for read in graph.activations(op)}
    return reads <= inside and set(graph.outputs) <= inside


def _joints(graph: Graph) -> dict[TensorName, Linear]:
    """The layers over one row that read several int8 rows, by the name of the tap that holds these rows one
    behind the other."""
    varying = sequence.varying(graph)
    found = {}
    for op in graph.ops:
        if not isinstance(op, Linear) or op.sources == 1:
            continue
        sources = [x for x, _ in op.pairs(graph.operands(op))]
        if len({x.name for x in sources}) == len(sources) and all(
            x.dtype is DType.INT8 and x.elements == x.shape[-1] and x.name not in varying for x in sources
        ):
            found[f"{op.name}/sources"] = op
    return found


def _joined(graph: Graph, op: Linear, tap: TensorName) -> Graph:
    """`graph` with the sources of `op` in one tensor, which it reads the parts of."""
    sources = [x for x, _ in op.pairs(graph.operands(op))]
    parts = [x.with_(name=f"{tap}/{at}") for at, x in enumerate(sources)]
    axis = len(sources[0].shape) - 1
    sizes = tuple(x.elements for x in sources)
    whole = Tensor(tap, (*sources[0].shape[:-1], sum(sizes)), DType.INT8)
    names = tuple(part.name for part in parts)
    inputs = list(op.inputs)
    inputs[0 : 2 * op.sources : 2] = names
    at = graph.ops.index(op)
    join = Concatenation(name=tap, inputs=tuple(x.name for x in sources), outputs=(tap,), axis=axis)
    split = Split(name=f"{tap}/parts", inputs=(tap,), outputs=names, axis=axis, sizes=sizes)
    ops = (*graph.ops[:at], join, split, op.with_(inputs=tuple(inputs)), *graph.ops[at + 1 :])
    return graph.rebuilt(ops=ops, tensors=[whole, *parts])


def _behind(graph: Graph, tap: TensorName) -> list[Op]:
    """The ops that depend on `tap`, in order."""
    reached = {tap}
    found = []
    for op in graph.ops:
        if reached & set(op.inputs):
            found.append(op)
            reached |= set(op.outputs)
    return found


def _is_latent(tensor: Tensor) -> bool:
    """int8 with one scale, or int16, which has no zero point."""
    quantization = tensor.quantization
    return (
        tensor.dtype in (DType.INT8, DType.INT16)
        and quantization is not None
        and len(quantization.scale) == 1
    )


def _check_tensor(graph: Graph, tensor: Tensor) -> None:
    problem = ""
    if not _is_latent(tensor):
        problem = f"is {tensor.dtype.value[0]}, a head learns from int8 or int16 with one scale"
    elif tensor.name in sequence.varying(graph):
        problem = "has as many rows as the sentence has tokens"
    if problem:
        raise TinycError(
            f"{tensor.name!r} {problem}",
            where=f"graph {graph.name}",
            allowed=", ".join(possible_taps(graph)) or "none",
        )
