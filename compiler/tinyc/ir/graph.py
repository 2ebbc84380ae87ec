"""The graph: tensors and operators in execution order, and the checks that hold after each pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.block import Block
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.unsupported import Unsupported
from tinyc.ir.state import State
from tinyc.ir.stream import Stream
from tinyc.ir.tensor import Tensor, TensorName


class GraphError(ValueError):
    """The graph is malformed: a bug of the pass or front end that made it."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A model. `ops` is a topological order; every tensor that an op names is in `tensors`."""

    name: str
    tensors: Mapping[TensorName, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[TensorName, ...]
    outputs: tuple[TensorName, ...]
    states: tuple[State, ...] = ()
    stream: Stream | None = None
    """Set where an inference takes some frames of a stream."""

    def __post_init__(self) -> None:
        if not isinstance(self.tensors, MappingProxyType):
            object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))

    def __getitem__(self, name: TensorName) -> Tensor:
        return self.tensors[name]

    def operands(self, op: Op) -> tuple[Tensor, ...]:
        """Input tensors of `op`, in order. Optional inputs that are absent are simply not listed."""
        return tuple(self.tensors[name] for name in op.inputs)

    def results(self, op: Op) -> tuple[Tensor, ...]:
        return tuple(self.tensors[name] for name in op.outputs)

    def activations(self, op: Op) -> tuple[Tensor, ...]:
        """Input tensors of `op` that are not constants."""
        return tuple(tensor for tensor in self.operands(op) if not tensor.is_constant)

    def producer(self, name: TensorName) -> Op | None:
        for op in self.ops:
            if name in op.outputs:
                return op
        return None

    def consumers(self, name: TensorName) -> tuple[Op, ...]:
        return tuple(op for op in self.ops if name in op.inputs)

    def constants(self) -> tuple[Tensor, ...]:
        return tuple(tensor for tensor in self.tensors.values() if tensor.is_constant)

    def state_bytes(self) -> int:
        """Bytes of all states."""
        return sum(self.tensors[state.name].bytes for state in self.states)

    def macs(self) -> int:
        return sum(op.macs(self.operands(op), self.results(op)) for op in self.ops)

    def rebuilt(
        self,
        *,
        ops: Iterable[Op] | None = None,
        tensors: Mapping[TensorName, Tensor] | Iterable[Tensor] | None = None,
        inputs: tuple[TensorName, ...] | None = None,
        outputs: tuple[TensorName, ...] | None = None,
    ) -> Graph:
        """A copy with changes, without the tensors that nothing names any more."""
        new_ops = self.ops if ops is None else tuple(ops)
        table: Mapping[TensorName, Tensor]
        if tensors is None:
            table = self.tensors
        elif isinstance(tensors, Mapping):
            table = tensors
        else:
            table = {**self.tensors, **{tensor.name: tensor for tensor in tensors}}
        new_inputs = self.inputs if inputs is None else inputs
        new_outputs = self.outputs if outputs is None else outputs
        used = set(new_inputs) | set(new_outputs)
        used.update(name for state in self.states for name in (state.name, state.update))
        for op in new_ops:
            used.update(op.inputs)
            used.update(op.outputs)
        kept = {name: tensor for name, tensor in table.items() if name in used}
        return replace(
            self, tensors=MappingProxyType(kept), ops=new_ops, inputs=new_inputs, outputs=new_outputs
        )

    def expanded(self) -> Graph:
        """The graph with the parts of fused ops, and the tensors between them, in their place."""
        if not any(isinstance(op, ConvDepthwise2D | Block) for op in self.ops):
            return self
        ops: list[Op] = []
        tensors: list[Tensor] = []
        for op in self.ops:
            if isinstance(op, ConvDepthwise2D):
                ops += op.parts
                tensors.append(op.intermediate)
            elif isinstance(op, Block):
                ops += op.parts
                tensors += op.between
            else:
                ops.append(op)
        return self.rebuilt(ops=ops, tensors=tensors)

    def digest(self) -> str:
        """SHA-256 (hex) over the canonical text of the graph and its constant bytes.

        Which ops are fused makes no difference.
        """
        from tinyc.ir.printer import format_graph

        found = hashlib.sha256(format_graph(self).encode())
        values = {
            name: tensor.constant for name, tensor in sorted(self.tensors.items()) if tensor.is_constant
        }
        values |= {state.name: state.initial for state in self.states}
        for name, data in values.items():
            found.update(name.encode() + b"\0")
            found.update(np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<")).tobytes())
        return found.hexdigest()


def verify(graph: Graph) -> Graph:
    """Check that `graph` is well formed and return it.

    Every op reads tensors that exist and are already computed, writes each tensor once, declares
    the output shapes its own shape rule gives, and layer names are unique.
    Raises GraphError that names the op.
    """
    ready = {*graph.inputs, *(state.name for state in graph.states)}
    ready.update(tensor.name for tensor in graph.tensors.values() if tensor.is_constant)
    for key, tensor in graph.tensors.items():
        if key != tensor.name:
            raise GraphError(f"tensor {tensor.name!r} is filed under {key!r}")
    for name in (*graph.inputs, *graph.outputs):
        if name not in graph.tensors:
            raise GraphError(f"graph {graph.name!r} names the unknown tensor {name!r}")
    seen: set[str] = set()
    for op in graph.ops:
        label = f"{op.kind} {op.name!r}"
        if op.name in seen:
            raise GraphError(f"two ops are called {op.name!r}")
        seen.add(op.name)
        for name in op.inputs:
            if name not in ready:
                raise GraphError(f"{label} reads {name!r} before it is computed")
        for name in op.outputs:
            if name not in graph.tensors:
                raise GraphError(f"{label} writes the unknown tensor {name!r}")
            if name in ready:
                raise GraphError(f"{label} writes {name!r} a second time")
            ready.add(name)
        try:
            expected = op.output_shapes(graph.operands(op))
        except (ValueError, IndexError) as error:
            raise GraphError(f"{label}: {error}") from error
        actual = tuple(tensor.shape for tensor in graph.results(op))
        if expected != actual:
            raise GraphError(f"{label} declares shapes {actual}, its rule gives {expected}")
    for name in graph.outputs:
        if name not in ready:
            raise GraphError(f"output {name!r} is never computed")
    for state in graph.states:
        _verify_state(graph, state)
    return graph


def _verify_state(graph: Graph, state: State) -> None:
    """The update is written once, over the old value, when nobody reads that any more."""
    old, new = graph.tensors.get(state.name), graph.tensors.get(state.update)
    writer = graph.producer(state.update)
    if state.name in graph.outputs:
        raise GraphError(f"state {state.name!r} is an output, but its update is written over it")
    if old is None or new is None or writer is None:
        raise GraphError(f"state {state.name!r} is never updated")
    can_write = writer.outputs.index(state.update) in writer.state_outputs
    if not can_write and not isinstance(writer, Unsupported):
        raise GraphError(f"{writer.kind} {writer.name!r} cannot update the state {state.name!r}")
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        raise GraphError(f"state {state.name!r} and its update {state.update!r} differ in shape or type")
    if (state.initial.shape, state.initial.dtype) != (old.shape, old.dtype.numpy):
        raise GraphError(f"the initial value of state {state.name!r} does not fit its tensor")
    for op in graph.ops[graph.ops.index(writer) + 1 :]:
        if state.name in op.inputs:
            raise GraphError(f"{op.kind} {op.name!r} reads state {state.name!r} after its update")
