"""From the nodes of an ONNX file, in its order, to the ops of a graph."""

from __future__ import annotations

import contextlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from tinyc.errors import Problem, TinycError
from tinyc.frontends.names import printable
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.builder import Builder, Emitter
from tinyc.frontends.onnx.decoders import DECODERS
from tinyc.frontends.onnx.fold import constant_of, fold
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.layout import Order
from tinyc.frontends.onnx.node import Node
from tinyc.frontends.onnx.patterns import with_gelus
from tinyc.frontends.onnx.reader import MAX_ELEMENTS, Model
from tinyc.frontends.onnx.scales import CONTRIB, INTEGER_TYPES, REAL, Scale, find_scales
from tinyc.frontends.onnx.value import Value, constant
from tinyc.frontends.reject import Reject
from tinyc.ir.graph import Graph, GraphError, verify
from tinyc.ir.ops import Reshape, Source, Unsupported
from tinyc.ir.tensor import Array, DType, Quantization, Shape, TensorName

# Operators that want their input channels-last, and those that let its layout through to who reads them.
_SLIDING = {
    *("AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "QLinearConv"),
    *(f"{CONTRIB}QLinearAveragePool", f"{CONTRIB}QLinearGlobalAveragePool"),
}
_PASSING = {
    *("Add", "BatchNormalization", "Cast", "Clip", "DequantizeLinear", "Div", "Dropout", "Identity"),
    *("LeakyRelu", "Mul", "Pad", "QuantizeLinear", "Relu", "Sigmoid", "Sub", "Tanh"),
}

# All are float32 here, and int8 in the end.
_REAL_TYPES = ("float16", "float32", "float64")
# Stands in where an operator of a quantized file has no scale, so that those behind it are looked at.
_SOME = Scale(DType.INT8, Quantization((1.0,), (0,)))


@dataclass(frozen=True, slots=True)
class Converted:
    """The graph of a model, and how the axes of the file lie in each of its inputs and outputs."""

    graph: Graph
    inputs: tuple[Order, ...]
    outputs: tuple[Order, ...]


def convert(model: Model, name: str) -> Converted:
    """The graph of a model; `name` is its name and stands in errors. Raises TinycError."""
    return _Conversion(model, name).converted()


class _Conversion:
    def __init__(self, model: Model, name: str) -> None:
        self.model = model
        self.name = name
        constants = known_constants(model, name)
        self.alive = _alive(with_gelus(model.nodes, constants), model.outputs)
        types = {edge.name: edge.dtype for edge in model.inputs}
        self.scales = find_scales(self.alive, constants, types)
        self.build = Builder(name, self.scales)
        # Results that somebody reads.
        self.read = {*model.outputs, *(name for node in self.alive for name in node.inputs)} - {""}
        # None stands for what an operator gives that cannot be compiled and whose shape is not known.
        self.values: dict[str, Value | None] = {}
        self._inferred: dict[str, Shape] | None = None

    def converted(self) -> Converted:
        self._inputs(channels_last_inputs(self.model, self.alive))
        for node in self.alive:
            self._node(node)
        names = [name for name in self.model.outputs if self._operand(name) is not None]
        taken: set[TensorName] = set()
        values = [self._output(name, taken) for name in names]
        outputs = [value.tensor.name for value in values]
        # Behind what cannot be compiled there may be nothing, and legalize has to see it.
        lost = [op.outputs[0] for op in self.build.ops if isinstance(op, Unsupported)]
        given = [self._value(edge.name) for edge in self.model.inputs]
        inputs = tuple(value.tensor.name for value in given)
        graph = Graph(self.name, self.build.tensors, tuple(self.build.ops), inputs, (*outputs, *lost))
        try:
            graph = verify(_renamed(graph.rebuilt(), outputs, names))
            return Converted(graph, tuple(v.order for v in given), tuple(v.order for v in values))
        except GraphError as error:
            raise TinycError(f"not a valid .onnx: {error}", where=self.name) from error

    def _value(self, name: str) -> Value:
        value = self.values[name]
        assert value is not None
        return value

    def _inputs(self, last: frozenset[str]) -> None:
        problems = []
        for edge in self.model.inputs:
            if edge.dtype not in _REAL_TYPES and (
                edge.name not in self.scales or edge.dtype not in INTEGER_TYPES
            ):
                allowed = "float32, or int8, uint8 or int16 with one scale"
                problems.append(Problem(f"input {edge.name}", f"is {edge.dtype}", allowed))
                continue
            rank = len(edge.shape)
            order = layout.channels_last(rank) if edge.name in last else layout.plain(rank)
            self.values[edge.name] = self.build.input(edge.name, edge.shape, order)
        if problems:
            raise TinycError("the model has inputs of unsupported types", where=self.name, problems=problems)

    def _operand(self, name: str) -> Value | None:
        """What a node reads under `name`. Raises Reject for a constant of an unknown type."""
        if name not in self.values and name in self.model.constants:
            self.values[name] = constant(name, self.model.constants[name])
        return self.values[name]

    def _node(self, node: Node) -> None:
        layer = layer_name(node)
        try:
            folded = self._folded(node)
            if folded is None:
                operands = [self._operand(name) if name else None for name in node.inputs]
                if any(name and value is None for name, value in zip(node.inputs, operands, strict=True)):
                    self._after_unknown(node, layer)
                    return
                folded = self._decoded(Layer(self.build, node, operands, layer))
        except Reject as reject:
            self._unsupported(node, layer, reject.reason, reject.accepted)
            return
        except (ValueError, ArithmeticError) as error:
            # Attributes and constants that do not fit each other.
            self._unsupported(node, layer, str(error), "")
            return
        if any(name in self.read for name in node.outputs[len(folded) :]):
            reason = f"its result {len(folded) + 1} is read"
            self._unsupported(node, layer, reason, "no more results than are computed here")
            return
        for name, value in zip(node.outputs, folded, strict=False):
            self.values[name] = value

    def _decoded(self, layer: Layer) -> tuple[Value, ...]:
        """The results of a node in the scales that the file gives to them."""
        decoder = DECODERS.get(layer.node.op)
        if decoder is None:
            raise Reject("the operator is not supported")
        found = decoder(layer)
        values = found if isinstance(found, tuple) else (found,)
        return tuple(
            layer.requantized(value, self.scales[name]) if name in self.scales else value
            for name, value in zip(layer.node.outputs, values, strict=False)
        )

    def _folded(self, node: Node) -> tuple[Value, ...] | None:
        """The results of a node that are known now."""
        if node.op == "Constant":
            try:
                return (constant(node.outputs[0], constant_of(node, self.name)),)
            except ValueError as error:
                raise Reject(str(error), "numbers") from error
        if node.op in ("Shape", "Size"):
            x = self.values.get(node.inputs[0])
            if x is not None and not x.is_constant:
                return (constant(node.outputs[0], _shape_of(node, x.shape)),)
        arrays: list[Array | None] = []
        for name in node.inputs:
            value = self._operand(name) if name else None
            if name and (value is None or value.tensor.data is None or value.tensor.quantization):
                return None
            arrays.append(
                None
                if value is None
                else layout.arranged(value.tensor.constant, value.order, layout.plain(value.rank))
            )
        results = fold(node, arrays)
        if results is None:
            return None
        return tuple(constant(name, data) for name, data in zip(node.outputs, results, strict=False))

    def _after_unknown(self, node: Node, layer: str) -> None:
        """A node behind an operator that cannot be compiled: only whether it is known can be said."""
        if node.op not in DECODERS:
            self._unsupported(node, layer, "the operator is not supported", "")
            return
        for name in node.outputs:
            self.values[name] = None

    def _unsupported(self, node: Node, layer: str, reason: str, accepted: str) -> None:
        names = [name for name in node.outputs if name]
        shapes = [self._shape(name) for name in names]
        inputs = [self.values.get(name) for name in node.inputs]
        quantized = any(value is not None and value.tensor.dtype is DType.INT8 for value in inputs)
        results = []
        for name, shape in zip(names, shapes, strict=True):
            scale = self.scales.get(name, _SOME if quantized else REAL)
            results.append(self.build.result(layer, shape or (), scale.dtype, scale.quantization))
        self.build.ops.append(
            Unsupported(
                name=self.build.layer(layer),
                inputs=tuple(self.build.operand(value) for value in inputs if value is not None),
                outputs=tuple(tensor.name for tensor in results),
                source=Source(self.name, node.index),
                operator=node.op,
                reason=reason,
                accepted=accepted,
                shapes=tuple(tensor.shape for tensor in results),
                known=tuple(DECODERS),
            )
        )
        for name, shape, tensor in zip(names, shapes, results, strict=True):
            self.values[name] = None if shape is None else Value(tensor, layout.plain(len(shape)))

    def _shape(self, name: str) -> Shape | None:
        """The shape that ONNX infers for a result; None when it is open."""
        if self._inferred is None:
            self._inferred = _inferred_shapes(self.model.proto)
        return self._inferred.get(name)

    def _output(self, name: str, taken: set[TensorName]) -> Value:
        """An output: channels-last stays, any other order becomes the file's."""
        value = self._value(name)
        out = Emitter(self.build, printable(name) or "output", len(self.model.nodes))
        last = layout.channels_last(value.rank)
        wanted = last if layout.own_axes(value.order) == last else layout.plain(value.rank)
        value = out.arranged(value, wanted)
        computed = {result for op in self.build.ops for result in op.outputs}
        if value.tensor.name not in computed - taken:
            value = out.emit(Reshape, [value], wanted, shape=value.tensor.shape)
        taken.add(value.tensor.name)
        return value


def known_constants(model: Model, where: str) -> dict[str, Array]:
    """The initializers and what Constant nodes give, by name."""
    found = dict(model.constants)
    for node in model.nodes:
        if node.op == "Constant":
            with contextlib.suppress(ValueError):
                found[node.outputs[0]] = constant_of(node, where)
    return found


def _shape_of(node: Node, shape: Shape) -> Array:
    if node.op == "Size":
        return np.array(np.prod(shape), np.int64)
    return np.array(shape[slice(node.integer("start", 0), node.integer("end", len(shape)))], np.int64)


def layer_name(node: Node) -> str:
    """`/features/0/Conv` gives `features/0`, a node without a name the operator's."""
    operator = node.op.split(".")[-1]
    parts = [part for part in node.name.split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{operator}(_\d+)?", parts[-1]):
        parts.pop()
    return printable("/".join(parts)) or printable(operator.lower())


def _alive(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that the outputs depend on."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    return tuple(reversed(kept))


def channels_last_inputs(model: Model, nodes: Iterable[Node]) -> frozenset[str]:
    """The inputs whose elements reach an operator that wants channels last before any other that cares."""
    readers: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        for name in node.inputs:
            readers[name].append(node)
    found = set()
    for edge in model.inputs:
        waiting, seen = [edge.name], {edge.name}
        while waiting and 3 <= len(edge.shape) <= 4:
            for node in readers[waiting.pop()]:
                if node.op in _SLIDING:
                    found.add(edge.name)
                elif node.op in _PASSING:
                    waiting += [name for name in node.outputs if name not in seen]
                    seen.update(node.outputs)
    return frozenset(found)


def _inferred_shapes(proto: onnx.ModelProto) -> dict[str, Shape]:
    """The shapes of results as far as ONNX's inference knows them."""
    try:
        graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return {}
    found = {}
    for entry in (*graph.value_info, *graph.output):
        kind = entry.type.tensor_type
        shape = tuple(int(e.dim_value) for e in kind.shape.dim if e.HasField("dim_value") and e.dim_value > 0)
        if kind.HasField("shape") and len(shape) == len(kind.shape.dim) and math.prod(shape) <= MAX_ELEMENTS:
            found[entry.name] = shape
    return found


def _renamed(graph: Graph, tensors: Sequence[TensorName], names: Sequence[str]) -> Graph:
    """The graph with its outputs called as in the file, where no other tensor has the name."""
    wanted: dict[TensorName, TensorName] = {}
    for tensor, name in zip(tensors, map(printable, names), strict=True):
        if name and name not in graph.tensors and name not in wanted.values():
            wanted[tensor] = name

    def new(names: Iterable[TensorName]) -> tuple[TensorName, ...]:
        return tuple(wanted.get(name, name) for name in names)

    return Graph(
        graph.name,
        {new([name])[0]: tensor.with_(name=new([name])[0]) for name, tensor in graph.tensors.items()},
        tuple(op.with_(inputs=new(op.inputs), outputs=new(op.outputs)) for op in graph.ops),
        graph.inputs,
        new(graph.outputs),
    )
