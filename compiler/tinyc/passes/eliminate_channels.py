"""Removes channels that nobody reads and channels that provably hold one constant.

A constant moves into the int32 bias of the layers that read it. That is exact where the input is not
padded, where the constant is the zero point, which is what padding holds, or where no weight of the
channel ever meets the padding; elsewhere the channel stays. Kept channels keep their values bit for bit.

What is removed adds nothing to the bounds of what stays, so that one round finds nearly everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Concatenation,
    DepthwiseConv2D,
    Op,
    Pad,
    Reshape,
    SequenceLength,
    Split,
    StridedSlice,
    Take,
)
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array, DType, Quantization, Tensor, TensorName
from tinyc.passes.channels import Link, channels, links
from tinyc.passes.drop_identities import drop_identities
from tinyc.passes.fuse_pads import fuse_pads
from tinyc.passes.intervals import Known, find_bounds
from tinyc.passes.products import Layer, Products, is_layer
from tinyc.passes.rewrite import fresh_name
from tinyc.quantize.fixed_point import INT32_MAX, INT32_MIN

Kept = Mapping[TensorName, Array]
# No network for a small chip has tensors this wide; analysing them would only take memory.
_MOST_CHANNELS = 1 << 16


def eliminate_channels(graph: Graph) -> Graph:
    """The graph without constant and unread channels. Inputs and outputs keep their shapes."""
    if any(channels(tensor) > _MOST_CHANNELS for tensor in graph.tensors.values()):
        return graph
    while (smaller := eliminate_once(graph)) is not graph:
        graph = smaller
    return graph


def eliminate_once(graph: Graph) -> Graph:
    """One round; the graph itself when nothing is left to do."""
    known = find_bounds(graph)
    smaller = with_known_values(graph, known)
    mixers = _mixers(smaller, known)
    kept = _kept_channels(smaller, mixers)
    if not all(mask.all() for mask in kept.values()):
        smaller = _shrunk(smaller, kept, mixers)
    # What is left of a concatenation, a slice or a pad may be less than that.
    return graph if smaller is graph else fuse_pads(drop_identities(smaller))


def kept_channels(graph: Graph) -> dict[TensorName, Array]:
    """[channels] of bool by activation: those that one round keeps. All False: the tensor goes."""
    known = find_bounds(graph)
    smaller = with_known_values(graph, known)
    return _kept_channels(smaller, _mixers(smaller, known))


# Tensors that are constant altogether


def with_known_values(graph: Graph, known: Known) -> Graph:
    """Activations with constant channels only become constants, where each reader can take one.

    Sums and products take one beside an activation. Other readers have to be constant themselves.
    """
    gone: set[TensorName] = set()
    values: dict[TensorName, Tensor] = {}
    for op in reversed(graph.ops):
        if not all(_is_known(name, known) and name not in graph.outputs for name in op.outputs):
            continue
        for name in op.outputs:
            readers = [reader for reader in graph.consumers(name) if not gone.issuperset(reader.outputs)]
            if not all(_takes_constant(reader, name, graph, known) for reader in readers):
                break
            if readers:
                data = known[name].low.astype(graph[name].dtype.numpy)
                values[name] = graph[name].with_(shape=data.shape, data=data)
        else:
            gone.update(op.outputs)
    if not gone:
        return graph
    ops = [op for op in graph.ops if not gone.issuperset(op.outputs)]
    return graph.rebuilt(ops=ops, tensors={**graph.tensors, **{n: t for n, t in values.items() if n in gone}})


def _is_known(name: TensorName, known: Known) -> bool:
    return name in known and bool(known[name].constant.all())


def _takes_constant(op: Op, name: TensorName, graph: Graph, known: Known) -> bool:
    """True for a sum or product whose other operand has the shape of the result and is not constant."""
    if not isinstance(op, Binary) or op.inputs[0] == op.inputs[1]:
        return False
    (other,) = (graph[operand] for operand in op.inputs if operand != name)
    varies = not other.is_constant and not _is_known(other.name, known)
    return varies and other.shape == graph.results(op)[0].shape


# Layers that mix channels


@dataclass(frozen=True, slots=True)
class Mixer:
    """What a layer that is not depthwise needs of its inputs.

    `needs` is [out, columns]: whether an output channel needs a column of the weights as long as it is
    kept. `settled` is [out]: outputs with one value for all inputs; their accumulator can be
    `accumulator` always. `values` is [columns]: what a column is multiplied with, where it is constant.
    """

    products: Products
    needs: Array
    settled: Array
    accumulator: Array
    values: Array

    @classmethod
    def of(cls, op: Layer, graph: Graph, known: Known) -> Mixer:
        products, x = Products.of(op, graph), known[op.inputs[0]]
        accumulator = products.accumulators(x.low, x.high)[0][0]
        settled = known[op.outputs[0]].constant
        settled &= (accumulator >= INT32_MIN) & (accumulator <= INT32_MAX)
        least, most = products.column_bounds(x.low, x.high)
        constant, weights = least == most, products.weights
        inside = products.patterns[0].astype(bool)
        moved = weights[inside].sum(axis=0) * np.where(constant, least, 0)
        # Whatever is moved into the bias, it stays within int32.
        fits = np.abs(products.bias) + np.abs(moved).sum(axis=1) <= INT32_MAX
        stuck = weights[products.at_borders].any(axis=0) & (least != 0)
        stuck |= ~fits[:, None] & (moved != 0)
        needs = weights.any(axis=0) & (stuck | ~constant) & ~settled[:, None]
        return cls(products, needs, settled, accumulator, np.where(constant, least, 0))

    def needed(self, outputs: Array, inputs: Array) -> Array:
        """[input channels]: those that the kept outputs need and those that share a column with them."""
        columns = self.needs[outputs].any(axis=0) | self.columns(inputs)
        found = np.zeros_like(inputs)
        np.logical_or.at(found, self.products.sources, columns[self.products.columns])
        return found

    def columns(self, inputs: Array) -> Array:
        """[columns]: those that read the kept inputs."""
        found = np.zeros(self.needs.shape[1], bool)
        np.logical_or.at(found, self.products.columns, inputs[self.products.sources])
        return found

    def bias(self, columns: Array) -> Array:
        """[out]: the bias, int32, that makes up for the columns that are not kept."""
        inside = self.products.patterns[0].astype(bool)
        weights = self.products.weights[inside].sum(axis=0)[:, ~columns]
        folded = self.products.bias + weights @ self.values[~columns]
        return np.where(self.settled, self.accumulator, folded)


def _mixers(graph: Graph, known: Known) -> dict[str, Mixer]:
    """By the name of the layer."""
    found = {}
    for op in graph.ops:
        if isinstance(op, Layer) and not isinstance(op, DepthwiseConv2D) and is_layer(op, graph):
            try:
                found[op.name] = Mixer.of(op, graph, known)
            except ValueError:
                continue
    return found


# Which channels stay


def _kept_channels(graph: Graph, mixers: Mapping[str, Mixer]) -> dict[TensorName, Array]:
    """The smallest set that holds what the outputs need and gives every op inputs that fit together."""
    active = [name for name, tensor in graph.tensors.items() if not tensor.is_constant]
    kept = {name: np.zeros(channels(graph[name]), bool) for name in active}
    lengths = [name for op in graph.ops if isinstance(op, SequenceLength) for name in op.outputs]
    states = [name for state in graph.states for name in (state.name, state.update)]
    for name in (*graph.inputs, *graph.outputs, *states, *lengths):
        if name in kept:
            kept[name][:] = True
    pairs = {op.name: None if op.name in mixers else links(op, graph) for op in graph.ops}
    count = -1
    while (now := sum(int(mask.sum()) for mask in kept.values())) != count:
        count = now
        for op in reversed(graph.ops):
            # An op without kept results goes, whatever else its inputs are needed for.
            if any(kept[name].any() for name in op.outputs):
                _extend(op, kept, mixers.get(op.name), pairs[op.name])
    return kept


def _extend(
    op: Op, kept: dict[TensorName, Array], mixer: Mixer | None, pairs: tuple[Link, ...] | None
) -> None:
    """Keeps what `op` needs for its kept results, and the results of what it is given."""
    inputs = [name for name in op.inputs if name in kept]
    if mixer is not None:
        kept[inputs[0]] |= mixer.needed(kept[op.outputs[0]], kept[inputs[0]])
    elif pairs is None:
        for name in (*inputs, *op.outputs):
            kept[name][:] = True
    else:
        for link in pairs:
            source, target = kept[link.source], kept[link.target]
            np.logical_or.at(target, link.target_channels, source[link.source_channels])
            np.logical_or.at(source, link.source_channels, target[link.target_channels])
    if not isinstance(op, Concatenation):
        for name in (*inputs, *op.outputs):
            # No op works on nothing.
            kept[name][:1] |= not kept[name].any()


# The rewrite


def _shrunk(graph: Graph, kept: Kept, mixers: Mapping[str, Mixer]) -> Graph:
    tensors = dict(graph.tensors)
    for name, mask in kept.items():
        if mask.any() and graph[name].shape:
            smaller = _selected(graph[name], mask, len(graph[name].shape) - 1)
            tensors[name] = _with_scales(smaller, mask)
    ops = []
    for op in graph.ops:
        if not any(kept[name].any() for name in op.outputs):
            continue
        ops.append(_with_channels(op, graph, kept, mixers.get(op.name), tensors))
    return graph.rebuilt(ops=ops, tensors=tensors)


def _selected(tensor: Tensor, mask: Array, axis: int) -> Tensor:
    """The tensor with the marked slices of one axis only."""
    shape = (*tensor.shape[:axis], int(mask.sum()), *tensor.shape[axis + 1 :])
    data = None if tensor.data is None else np.compress(mask, tensor.data, axis=axis)
    return tensor.with_(shape=shape, data=data)


def _with_scales(tensor: Tensor, mask: Array) -> Tensor:
    """The tensor with the marked scales only, where it has one per channel."""
    old = tensor.quantization
    if old is None or len(old.scale) != len(mask) or not old.per_channel:
        return tensor
    scales = tuple(scale for scale, keep in zip(old.scale, mask, strict=True) if keep)
    zero_points = tuple(zero for zero, keep in zip(old.zero_point, mask, strict=True) if keep)
    return tensor.with_(quantization=Quantization(scales, zero_points, old.axis))


def _with_channels(
    op: Op, graph: Graph, kept: Kept, mixer: Mixer | None, tensors: dict[TensorName, Tensor]
) -> Op:
    """The op on the kept channels. Constants that change are added to `tensors`."""
    if all(kept[name].all() for name in (*op.inputs, *op.outputs) if name in kept):
        return op
    results = kept[op.outputs[0]]
    count = int(results.sum())
    if mixer is not None:
        return _mixer_with_channels(op, graph, kept, mixer, tensors)
    if isinstance(op, DepthwiseConv2D):
        constants = []
        for role, tensor in zip(("filters", "bias"), graph.operands(op)[1:], strict=False):
            flat = tensor.with_(shape=(tensor.elements,), data=tensor.constant.reshape(-1))
            smaller = _selected(tensor, results, 3) if role == "filters" else _selected(flat, results, 0)
            constants.append(_added(_with_scales(smaller, results), role, op, tensors))
        return op.with_(inputs=(op.inputs[0], *constants))
    if isinstance(op, Binary):
        inputs = list(op.inputs)
        for position, operand in enumerate(graph.operands(op)):
            if operand.is_constant and channels(operand) > 1:
                smaller = _selected(operand, results, len(operand.shape) - 1)
                inputs[position] = _added(smaller, "operand", op, tensors)
        return op.with_(inputs=tuple(inputs))
    if isinstance(op, Concatenation):
        return op.with_(inputs=tuple(name for name in op.inputs if kept[name].any()))
    if isinstance(op, Reshape):
        return op.with_(shape=(*op.shape[:-1], count))
    if isinstance(op, Pad):
        before, _ = op.paddings[-1]
        inner = len(kept[op.inputs[0]])
        edges = int(results[:before].sum()), int(results[before + inner :].sum())
        return op.with_(paddings=(*op.paddings[:-1], edges))
    if isinstance(op, StridedSlice):
        begin = int(kept[op.inputs[0]][: op.begin[-1]].sum())
        return op.with_(
            begin=(*op.begin[:-1], begin),
            size=(*op.size[:-1], count),
            strides=(*op.strides[:-1], 1),
            shape=(*op.shape[:-1], count),
        )
    if isinstance(op, Take):
        place = np.cumsum(kept[op.inputs[0]]) - 1
        channels_left = place[np.array(op.indices[-1])[results]]
        return op.with_(indices=(*op.indices[:-1], tuple(map(int, channels_left))))
    if isinstance(op, Split) and op.axis == len(graph[op.inputs[0]].shape) - 1:
        return op.with_(sizes=tuple(int(kept[name].sum()) for name in op.outputs))
    return op


def _mixer_with_channels(
    op: Op, graph: Graph, kept: Kept, mixer: Mixer, tensors: dict[TensorName, Tensor]
) -> Op:
    _, weights, *rest = graph.operands(op)
    inputs, outputs = mixer.columns(kept[op.inputs[0]]), kept[op.outputs[0]]
    data = weights.constant.copy()
    data[mixer.settled] = 0
    smaller = _selected(weights.with_(data=data), outputs, 0)
    smaller = _with_scales(_selected(smaller, inputs, len(weights.shape) - 1), outputs)
    constants = [_added(smaller, "weights", op, tensors)]
    bias = mixer.bias(inputs)[outputs].astype(np.int32)
    if rest or bias.any():
        old = rest[0] if rest else Tensor("bias", (len(outputs),), DType.INT32)
        tensor = _with_scales(old, outputs).with_(shape=bias.shape, data=bias)
        constants.append(_added(tensor, "bias", op, tensors))
    return op.with_(inputs=(op.inputs[0], *constants))


def _added(tensor: Tensor, role: str, op: Op, tensors: dict[TensorName, Tensor]) -> TensorName:
    """The name of a new constant of `op`. The old one may have other readers."""
    name = fresh_name(tensors, f"{op.name}/kept_{role}")
    tensors[name] = tensor.with_(name=name)
    return name
