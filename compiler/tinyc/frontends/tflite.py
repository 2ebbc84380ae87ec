""".tflite files: the graph as the file has it, op by op, with short and unique names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.frontends.names import Names, common_scope, input_name, layer_name
from tinyc.frontends.tflite_loops import unrolled
from tinyc.frontends.tflite_node import Chain, Node, Reject
from tinyc.frontends.tflite_open import fits
from tinyc.frontends.tflite_ops import DECODERS
from tinyc.frontends.tflite_reader import RawModel, RawOperator, RawTensor, read
from tinyc.frontends.tflite_refused import why
from tinyc.frontends.tflite_shapes import folded
from tinyc.frontends.tflite_variables import KINDS, Variables
from tinyc.ir.graph import Graph, GraphError, verify
from tinyc.ir.ops import Op, Reshape, Source, Unsupported
from tinyc.ir.state import State
from tinyc.ir.tensor import Array, DType, Shape, Tensor

# Names of the constants of a layer, by input position.
_ROLES = {
    "CONV_2D": ("input", "filters", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "filters", "bias"),
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "SVDF": ("input", "features", "times", "bias"),
    "TRANSPOSE_CONV": ("output_shape", "filters", "input", "bias"),
}


def load_bytes(data: bytes, name: str) -> Graph:
    """The graph in the bytes of a .tflite; `name` is the graph's name and stands in errors.

    Operators that tinyc cannot compile become `Unsupported` ops, which `passes.legalize` reports.
    A dynamic batch is 1. Raises TinycError for a file that is damaged or has no usable graph.
    """
    raw = unrolled(read(data, name))
    if not raw.operators:
        raise TinycError("the model has no operators", where=name)
    if not raw.inputs or not raw.outputs:
        raise TinycError("the model has no inputs or no outputs", where=name)
    builder = _Builder(name, raw)
    builder.build()
    states = (*builder.states.values(), *builder.kept)
    graph = Graph(name, builder.tensors, tuple(builder.ops), builder.inputs, builder.outputs, states)
    graph = graph.rebuilt()
    try:
        return verify(graph)
    except GraphError as error:
        raise TinycError(f"not a valid .tflite: {error}", where=name) from error


@dataclass(slots=True)
class _Builder:
    """Turns indices into names and operators into ops, in file order."""

    file: str
    raw: RawModel
    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    states: dict[int, State] = field(default_factory=dict)
    kept: tuple[State, ...] = ()
    _variables: Variables = field(default_factory=Variables)
    _by_index: dict[int, Tensor] = field(default_factory=dict)
    _widened: dict[int, Tensor] = field(default_factory=dict)
    _tensor_names: Names = field(default_factory=Names)
    _layer_names: Names = field(default_factory=Names)

    _scope: str = ""

    def build(self) -> None:
        raws = self.raw.tensors
        self._scope = common_scope([raws[op.outputs[0]].name for op in self.raw.operators if op.outputs])
        self._check_edges()
        for index in self.raw.inputs:
            if index not in self._by_index:
                self._add(index, input_name(self.raw.tensors[index].name))
        self.inputs = tuple(self._by_index[index].name for index in dict.fromkeys(self.raw.inputs))
        if any(self._by_index[index].is_constant for index in self.raw.inputs):
            raise TinycError("not a valid .tflite: an input of the model is a constant", where=self.file)
        for operator in self.raw.operators:
            self._operator(operator)
        missing = [index for index in self.raw.outputs if index not in self._by_index]
        for index in missing:
            if self.raw.tensors[index].data is None:
                raise TinycError(
                    f"not a valid .tflite: output tensor {index} is never computed", where=self.file
                )
            self._add(index, f"constant{index}")
        self.outputs = tuple(self._by_index[index].name for index in self.raw.outputs)
        self._settle_variables()

    def _settle_variables(self) -> None:
        try:
            settled = self._variables.settle(self.outputs)
        except Reject as reject:
            raise TinycError(reject.reason, where=self.file) from reject
        self.tensors |= {tensor.name: tensor for tensor in settled.tensors}
        copied = {op.inputs[0]: op.outputs[0] for op in settled.ops if isinstance(op, Reshape)}
        self.outputs = tuple(copied.get(name, name) for name in self.outputs)
        self.ops += settled.ops
        self.kept = settled.states

    def _variable(self, operator: RawOperator, name: str) -> None:
        """An operator on resource variables; none of them computes anything."""
        source = Source(self.file, operator.index)
        try:
            if operator.kind == "VAR_HANDLE":
                self._variables.handle(operator)
            elif operator.kind == "CALL_ONCE":
                self._variables.initialize(operator.called)
            elif operator.kind == "READ_VARIABLE":
                (index,) = operator.outputs
                unique = self._tensor_names.unique(name)
                tensor = self._variables.read(operator.inputs[0], self.raw.tensors[index], unique)
                self._by_index[index] = self.tensors[tensor.name] = tensor
            else:
                self._variables.assign(operator.inputs[0], self._by_index[operator.inputs[1]], source)
        except (KeyError, IndexError, ValueError) as error:
            raise TinycError(
                f"not a valid .tflite: operator {operator.index}, {operator.kind}", where=self.file
            ) from error
        except Reject as reject:
            node = Node(operator.kind, name, (), (), None, "", source)
            self._unsupported(node, reject.reason, reject.accepted)

    def _check_edges(self) -> None:
        problems = [
            Problem(f"{edge} {self.raw.tensors[index].name or index}", f"has type {tensor.type_name}")
            for edge, indices in (("input", self.raw.inputs), ("output", self.raw.outputs))
            for index in indices
            if (tensor := self.raw.tensors[index]).dtype is None
        ]
        if problems:
            allowed = "int8, int16, int32, uint8, bool or float32, stored densely"
            raise TinycError(
                "the model has inputs or outputs of unsupported types",
                where=self.file,
                problems=problems,
                allowed=allowed,
            )

    def _add(self, index: int, name: str) -> Tensor:
        raw = self.raw.tensors[index]
        assert raw.dtype is not None
        tensor = Tensor(self._tensor_names.unique(name), raw.shape, raw.dtype, raw.quantization, raw.data)
        self._by_index[index] = self.tensors[tensor.name] = tensor
        return tensor

    def _name(self, operator: RawOperator, output: str) -> str:
        """A name from the output's, or from the weights' where the output is called `Identity`."""
        kind = operator.kind.split(" ")[0]
        name = layer_name(output, kind, self._scope)
        if name == kind.lower() and kind in _ROLES and len(operator.inputs) > 1 and operator.inputs[1] >= 0:
            return layer_name(self.raw.tensors[operator.inputs[1]].name, kind, self._scope)
        return name

    def _operator(self, operator: RawOperator) -> None:
        raws = self.raw.tensors
        first = raws[operator.outputs[0]].name if operator.outputs else ""
        name = self._layer_names.unique(self._name(operator, first))
        if operator.kind in KINDS:
            self._variable(operator, name)
            return
        strange = [
            raws[index]
            for index in (*operator.inputs, *operator.outputs)
            if index >= 0 and raws[index].dtype is None
        ]
        roles = _ROLES.get(operator.kind, ())
        inputs: list[Tensor | None] = []
        for position, index in enumerate(operator.inputs):
            if index < 0 or raws[index].dtype is None:
                inputs.append(None)
                continue
            if index not in self._by_index:
                if raws[index].data is None and not raws[index].stateful:
                    detail = f"operator {operator.index} reads tensor {index} before it is computed"
                    raise TinycError(f"not a valid .tflite: {detail}", where=self.file)
                role = roles[position] if position < len(roles) else f"input{position}"
                role = "state" if raws[index].stateful else role
                self._add(index, f"{name}/{role}")
            inputs.append(self._by_index[index])
        if roles:
            self._widen_weights(operator, inputs)
        results = self._results(operator, name)
        updates = tuple(
            self._update(index) for index in operator.inputs if index >= 0 and raws[index].stateful
        )
        source, options = Source(self.file, operator.index), operator.options
        node = Node(
            operator.kind,
            name,
            tuple(inputs),
            results,
            options,
            operator.options_type,
            source,
            updates,
            tuple(raws[index].open_axes for index in operator.outputs),
        )
        if strange:
            self._unsupported(node, _strange(strange), "")
            return
        if self._folded(node, operator):
            return
        self.ops += self._decoded(node, operator)

    def _widen_weights(self, operator: RawOperator, inputs: list[Tensor | None]) -> None:
        """Dynamic-range models keep int8 weights in float layers: give the reals that they stand for."""
        if len(inputs) < 2 or inputs[0] is None or inputs[0].dtype is not DType.FLOAT32:
            return
        weights, index = inputs[1], operator.inputs[1]
        if weights is None or weights.dtype not in (DType.INT8, DType.UINT8) or weights.quantization is None:
            return
        if weights.data is None:
            return
        if index not in self._widened:
            name = self._tensor_names.unique(f"{weights.name}/real")
            tensor = Tensor(name, weights.shape, DType.FLOAT32, None, dequantize(weights))
            self._widened[index] = self.tensors[name] = tensor
        inputs[1] = self._widened[index]

    def _results(self, operator: RawOperator, name: str) -> tuple[Tensor, ...]:
        results = []
        for position, index in enumerate(operator.outputs):
            if index in self._by_index or self.raw.tensors[index].data is not None:
                detail = f"operator {operator.index} writes tensor {index} a second time"
                raise TinycError(f"not a valid .tflite: {detail}", where=self.file)
            if self.raw.tensors[index].dtype is not None:
                suffix = f":{position}" if len(operator.outputs) > 1 else ""
                results.append(self._add(index, name + suffix))
        return tuple(results)

    def _update(self, index: int) -> Tensor:
        """The tensor for what an operator leaves in a variable one, which it may do once."""
        old = self._by_index[index]
        if index in self.states:
            raise TinycError(f"not a valid .tflite: two operators share the state {index}", where=self.file)
        new = old.with_(name=self._tensor_names.unique(f"{old.name}:after"))
        self.tensors[new.name] = new
        # As TensorFlow Lite resets variable tensors: to the real value 0.
        zero = 0 if old.quantization is None else old.zero_point
        self.states[index] = State(old.name, new.name, np.full(old.shape, zero, old.dtype.numpy))
        return new

    def _folded(self, node: Node, operator: RawOperator) -> bool:
        """True when the results are known already and were stored as constants."""
        values = folded(node)
        if values is None:
            return False
        for index, value, tensor in zip(operator.outputs, values, node.results, strict=True):
            self._by_index[index] = self.tensors[tensor.name] = tensor.with_(data=np.array(value))
        return True

    def _decoded(self, node: Node, operator: RawOperator) -> tuple[Op, ...]:
        """The ops that the node stands for. Tensors between them are added."""
        decoder = DECODERS.get(node.kind)
        if decoder is None:
            return (self._unsupported_op(node, why(node.kind), ""),)
        if not node.results:
            return (self._unsupported_op(node, "it has no outputs", ""),)
        try:
            decoded = decoder(node)
            chain = decoded if isinstance(decoded, Chain) else Chain((decoded,), ())
            self._check_shapes(chain, operator)
        except Reject as reject:
            return (self._unsupported_op(node, reject.reason, reject.accepted),)
        except (ValueError, IndexError, ArithmeticError) as error:
            return (self._unsupported_op(node, str(error), ""),)
        return self._named(chain, node.name)

    def _check_shapes(self, chain: Chain, operator: RawOperator) -> None:
        """Raises Reject where shapes of the file are not those of the rules; open extents become so."""
        tensors = {**self.tensors, **{tensor.name: tensor for tensor in chain.between}}
        indices = {self._by_index[index].name: index for index in operator.outputs if index in self._by_index}
        for op in chain.ops:
            shapes = op.output_shapes([tensors[name] for name in op.inputs])
            for name, shape in zip(op.outputs, shapes, strict=True):
                if name in indices and shape != tensors[name].shape:
                    tensors[name] = self._settled(indices[name], shape)
            declared: tuple[Shape, ...] = tuple(tensors[name].shape for name in op.outputs)
            if shapes != declared:
                expected = ", ".join(str(list(shape)) for shape in shapes)
                found = ", ".join(str(list(shape)) for shape in declared)
                raise Reject(f"the file declares shape {found}", f"shape {expected}")

    def _settled(self, index: int, shape: Shape) -> Tensor:
        """The tensor with this shape, if the file leaves open what it stores otherwise."""
        tensor = self._by_index[index]
        if fits(shape, tensor.shape, self.raw.tensors[index].open_axes):
            tensor = tensor.with_(shape=shape)
            self._by_index[index] = self.tensors[tensor.name] = tensor
        return tensor

    def _named(self, chain: Chain, layer: str) -> tuple[Op, ...]:
        """The ops with names that nothing else has: those of the file come first."""
        names = {tensor.name: self._tensor_names.unique(tensor.name) for tensor in chain.between}
        for tensor in chain.between:
            self.tensors[names[tensor.name]] = tensor.with_(name=names[tensor.name])
        return tuple(
            op.with_(
                name=op.name if op.name == layer else self._layer_names.unique(op.name),
                inputs=tuple(names.get(name, name) for name in op.inputs),
                outputs=tuple(names.get(name, name) for name in op.outputs),
            )
            for op in chain.ops
        )

    def _unsupported(self, node: Node, reason: str, accepted: str) -> None:
        self.ops.append(self._unsupported_op(node, reason, accepted))

    def _unsupported_op(self, node: Node, reason: str, accepted: str) -> Op:
        present = tuple(tensor for tensor in node.inputs if tensor is not None)
        return Unsupported(
            **node.common(*present),
            operator=node.kind,
            reason=reason,
            accepted=accepted,
            shapes=tuple(tensor.shape for tensor in (*node.results, *node.updates)),
            known=tuple(DECODERS),
        )


def _strange(tensors: Iterable[RawTensor]) -> str:
    return ", ".join(dict.fromkeys(f"a tensor has type {tensor.type_name}" for tensor in tensors))


def dequantize(tensor: Tensor) -> Array:
    """The real values of a quantized constant, float32."""
    quantization = tensor.quantization
    assert quantization is not None
    extents = [1] * len(tensor.shape)
    if quantization.axis is not None:
        extents[quantization.axis] = len(quantization.scale)
    scale = np.array(quantization.scale, dtype=np.float32).reshape(extents)
    zero_point = np.array(quantization.zero_point, dtype=np.int32).reshape(extents)
    return np.asarray(scale * (tensor.constant.astype(np.int32) - zero_point).astype(np.float32))
