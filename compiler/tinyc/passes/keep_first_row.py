"""Computes only row 0 of what is read at row 0 alone: in a classifier by the first token, the last block.

Works backwards through everything that treats rows apart, through the queries of an attention and through
a causal convolution, up to tensors that are needed whole.
"""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention, DepthwiseConv1D, Linear, Op, Reshape, StridedSlice
from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import Tensor, TensorName
from tinyc.passes.drop_identities import drop_identities
from tinyc.passes.rewrite import fresh_name


def keep_first_row(graph: Graph) -> Graph:
    """The graph with one row in place of many where one is enough."""
    rows = _single_rows(graph)
    if not rows:
        return graph
    tensors = dict(graph.tensors)
    for name in rows:
        tensors[name] = _row(graph[name])
    slices: dict[TensorName, TensorName] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if _takes_first(op, graph) and op.inputs[0] in rows:
            assert isinstance(op, StridedSlice)
            ops.append(Reshape(name=op.name, inputs=op.inputs, outputs=op.outputs, shape=op.shape))
            continue
        if rows.isdisjoint(op.outputs):
            ops.append(op)
            continue
        inputs = list(op.inputs)
        for at in _row_operands(op):
            x = graph[inputs[at]]
            if x.name in rows or x.shape[1] == 1:
                continue
            if x.name not in slices:
                slices[x.name] = fresh_name(tensors, f"{x.name}/row_0")
                tensors[slices[x.name]] = _row(x).with_(name=slices[x.name])
                if not x.is_constant:
                    ops.append(_slice(x, slices[x.name], ops))
            inputs[at] = slices[x.name]
        ops.append(_shortened(op.with_(inputs=tuple(inputs)), tensors))
    return drop_identities(graph.rebuilt(ops=ops, tensors=tensors))


def _takes_first(op: Op, graph: Graph) -> bool:
    """True for a slice that takes the first of several rows."""
    if not isinstance(op, StridedSlice):
        return False
    shape = graph[op.inputs[0]].shape
    return (
        len(shape) == 3
        and shape[0] == 1
        and shape[1] > 1
        and op.begin == (0, 0, 0)
        and op.size == (1, 1, shape[2])
        and op.strides[2] == 1
    )


def _single_rows(graph: Graph) -> frozenset[TensorName]:
    """The results of which only row 0 is read, and that can be computed alone."""
    whole, first = set(graph.outputs), set[TensorName]()
    for op in reversed(graph.ops):
        if _takes_first(op, graph):
            first.update(op.inputs)
        elif _can_be_row(op, graph) and first.issuperset(op.outputs) and whole.isdisjoint(op.outputs):
            at_row = {op.inputs[at] for at in _row_operands(op)}
            first.update(at_row)
            whole.update(
                name
                for at, name in enumerate(op.inputs)
                if at not in _row_operands(op) and not (isinstance(op, DepthwiseConv1D) and at == 0)
            )
            if isinstance(op, DepthwiseConv1D):
                first.add(op.inputs[0])
        else:
            whole.update(op.inputs)
    computed = {name for op in graph.ops if _can_be_row(op, graph) for name in op.outputs}
    return frozenset((first - whole) & computed)


def _can_be_row(op: Op, graph: Graph) -> bool:
    shape = graph[op.outputs[0]].shape
    rowwise = isinstance(op, Attention | DepthwiseConv1D | Linear | Norm | Unary)
    return rowwise and len(shape) == 3 and shape[0] == 1 and shape[1] > 1


def _row_operands(op: Op) -> tuple[int, ...]:
    """Positions of the inputs of which row 0 of the result needs row 0 alone, as a tensor of its own."""
    if isinstance(op, Linear):
        return (*range(0, 2 * op.sources, 2), *([len(op.inputs) - 1] if op.residual else []))
    return () if isinstance(op, DepthwiseConv1D) else (0,)


def _row(tensor: Tensor) -> Tensor:
    data = None if tensor.data is None else tensor.data[:, :1]
    return tensor.with_(shape=(1, 1, tensor.shape[2]), data=data)


def _slice(x: Tensor, name: TensorName, ops: list[Op]) -> StridedSlice:
    size = (1, 1, x.shape[2])
    own = fresh_name({op.name: op for op in ops}, name)
    return StridedSlice(
        name=own, inputs=(x.name,), outputs=(name,), begin=(0, 0, 0), size=size, strides=(1, 1, 1), shape=size
    )


def _shortened(op: Op, tensors: dict[TensorName, Tensor]) -> Op:
    """A convolution as the tap that row 0 meets; any other op as it is."""
    if not isinstance(op, DepthwiseConv1D):
        return op
    x, taps, bias = op.inputs
    data = tensors[taps].data
    if data is not None and len(data) > 1:
        name = fresh_name(tensors, taps)
        tensors[name] = tensors[taps].with_(name=name, shape=(1, data.shape[1]), data=data[-1:])
        taps = name
    return op.with_(inputs=(x, taps, bias), rows=1)
