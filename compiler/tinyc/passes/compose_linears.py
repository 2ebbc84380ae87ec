"""Makes one linear layer of several: sums, scalings and differences move into the layer beside them.

Front ends give a sum as a LINEAR with the identity and a residual, a scaling as one with a diagonal
matrix. Float32 only; equal up to rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import DepthwiseConv1D, Embedding, Linear, Op
from tinyc.ir.tensor import Array, TensorName
from tinyc.passes.linear_sums import LinearSum, LinearSums


def compose_linears(graph: Graph) -> Graph:
    """The graph with fewer LINEAR ops. A layer that is taken into its reader goes."""
    while any(isinstance(op, Linear) for op in graph.ops):
        state = LinearSums(graph)
        for op in graph.ops:
            state.put(op, _composed(state, op))
        if state.ops() == graph.ops:
            break
        # A layer may now have one reader where it had two.
        graph = graph.rebuilt(ops=state.ops(), tensors=state.tensors)
    return graph


def _composed(state: LinearSums, op: Op) -> Op:
    """`op` with everything taken in that stands in front of it."""
    first = parts = state.apart(op)
    if first is None or parts is None:
        return op
    while True:
        further = _source_taken(state, parts) or _residual_taken(state, parts)
        if further is None:
            break
        parts = further
    merged = _joined(parts)
    return _into_producer(state, merged) or (op if merged is first else state.whole(merged))


def _source_taken(state: LinearSums, parts: LinearSum) -> LinearSum | None:
    """A linear layer that is read by a source taken in: W (V z + b + r)."""
    for at, (x, weights) in enumerate(parts.sources):
        inner = state.apart(state.alone(x))
        if inner is None or not inner.bare:
            continue
        outer, single = parts.factors(at), inner.factors(0) if len(inner.sources) == 1 else None
        if outer is not None:
            if not _has_room(state, parts, outer, inner):
                continue
            residual = _residuals(state, parts, outer, inner)
            # Products with 1 would be new arrays, and constants of a new name.
            same = bool(np.all(outer == 1.0))
            sources = tuple((z, v if same else outer[:, None] * v) for z, v in inner.sources)
            bias = inner.bias if same or inner.bias is None else outer * inner.bias
            own = inner.op.name if len(parts.sources) == 1 else parts.op.name
        elif single is not None and inner.residual is None:
            residual = parts.residual
            sources = ((inner.sources[0][0], weights * single),)
            bias = None if inner.bias is None else weights @ inner.bias
            own = parts.op.name
        else:
            continue
        return LinearSum(
            parts.op.with_(name=own),
            (*parts.sources[:at], *sources, *parts.sources[at + 1 :]),
            _plus(parts.bias, bias),
            residual,
        )
    return None


def _has_room(state: LinearSums, parts: LinearSum, factors: Array, inner: LinearSum) -> bool:
    """True when `parts` can take the residual of `inner` times `factors`: one LINEAR has one."""
    if inner.residual is None or (parts.residual is None and bool(np.all(factors == 1.0))):
        return True
    given = [name for name in (inner.residual, parts.residual) if name is not None]
    return all(state.data(name) is not None for name in given)


def _residuals(state: LinearSums, parts: LinearSum, factors: Array, inner: LinearSum) -> TensorName | None:
    """The residual of `parts` plus `factors` times that of `inner`, for which there is room."""
    if inner.residual is None:
        return parts.residual
    data = state.data(inner.residual)
    if data is None or (parts.residual is None and bool(np.all(factors == 1.0))):
        return inner.residual
    other = None if parts.residual is None else state.data(parts.residual)
    total = factors * data if other is None else factors * data + other
    return state.constant(f"{parts.op.name}/rows", total)


def _residual_taken(state: LinearSums, parts: LinearSum) -> LinearSum | None:
    """A linear layer whose output is the residual taken in."""
    if parts.residual is None:
        return None
    inner = state.apart(state.alone(parts.residual))
    if inner is None or not inner.bare:
        return None
    bias = _plus(parts.bias, inner.bias)
    if parts.is_identity() and inner.residual is None:
        # x + (V z + b): x is the residual.
        op = parts.op.with_(name=inner.op.name)
        return LinearSum(op, inner.sources, bias, parts.sources[0][0])
    return replace(parts, sources=(*parts.sources, *inner.sources), bias=bias, residual=inner.residual)


def _joined(parts: LinearSum) -> LinearSum:
    """Sources that read the same activation as one."""
    found: dict[TensorName, Array] = {}
    for x, weights in parts.sources:
        found[x] = found[x] + weights if x in found else weights
    return parts if len(found) == len(parts.sources) else replace(parts, sources=tuple(found.items()))


def _plus(left: Array | None, right: Array | None) -> Array | None:
    if left is None or right is None:
        return right if left is None else left
    return np.asarray(left + right)


def _into_producer(state: LinearSums, parts: LinearSum) -> Op | None:
    """The op in front with a scaling taken in, None where it has no room for it."""
    factors = parts.factors(0) if len(parts.sources) == 1 and parts.bare else None
    if factors is None:
        return None
    before = state.alone(parts.sources[0][0])
    if isinstance(before, DepthwiseConv1D):
        return _into_convolution(state, parts, factors, before)
    if isinstance(before, Embedding) and not before.expanded:
        return _into_tables(state, parts, factors, before)
    if isinstance(before, Embedding) and parts.residual is None and parts.bias is None:
        first = 2 + before.positions
        scaled = _scaled_rows(state, before, before.inputs[first:], factors)
        return before.with_(inputs=(*before.inputs[:first], *scaled), outputs=parts.op.outputs)
    return None


def _scaled_rows(
    state: LinearSums, op: Embedding, names: tuple[TensorName, ...], factors: Array
) -> list[TensorName]:
    """Expanders [units, rank] and the segments [3, units] times `factors`."""
    found = []
    for at, name in enumerate(names):
        data = state.data(name)
        assert data is not None
        segments = op.segments and at == len(names) - 1
        found.append(state.constant(name, data * factors if segments else factors[:, None] * data))
    return found


def _into_convolution(state: LinearSums, parts: LinearSum, factors: Array, op: DepthwiseConv1D) -> Op | None:
    taps, bias = (state.data(name) for name in op.inputs[1:])
    if parts.residual is not None or taps is None or bias is None:
        return None
    offsets = _plus(factors * bias.reshape(-1), parts.bias)
    assert offsets is not None
    constants = (state.constant(op.inputs[1], taps * factors), state.constant(op.inputs[2], offsets))
    return op.with_(inputs=(op.inputs[0], *constants), outputs=parts.op.outputs)


def _into_tables(state: LinearSums, parts: LinearSum, factors: Array, op: Embedding) -> Op | None:
    """Full tables times the factors; what is added to every row is a table of positions."""
    rows = state.tensors[op.inputs[0]].shape[1]
    added = np.zeros((rows, len(factors)), np.float32)
    if parts.residual is not None:
        residual = state.data(parts.residual)
        if residual is None:
            return None
        added = added + residual[0]
    if parts.bias is not None:
        added = added + parts.bias
    names = list(op.inputs)
    plain = parts.residual is None and parts.bias is None
    if not np.all(factors == 1.0):
        for at, name in enumerate(names[1:], 1):
            data = state.data(name)
            assert data is not None
            names[at] = state.constant(name, data * factors)
    if not plain and op.positions:
        positions = state.data(names[2])
        assert positions is not None
        names[2] = state.constant(f"{op.name}/positions", positions[:rows] + added)
    elif not plain:
        names.insert(2, state.constant(f"{parts.op.name}/positions", added))
    return op.with_(inputs=tuple(names), outputs=parts.op.outputs, positions=op.positions or not plain)
