"""Resource variables of a .tflite as states: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and CALL_ONCE.

Reads before the first assignment give the state, later ones the value that was assigned last. The state is
updated at the end of the inference, when nobody reads it any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyc.frontends.tflite_node import Reject
from tinyc.frontends.tflite_reader import RawModel, RawOperator, RawTensor
from tinyc.ir.ops import AssignVariable, Op, Reshape, Source
from tinyc.ir.state import State
from tinyc.ir.tensor import Array, Tensor, TensorName

KINDS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})


@dataclass(slots=True)
class _Variable:
    """What is known so far: its initial value, the tensor it is read as, and what was assigned last."""

    initial: Array | None = None
    read: Tensor | None = None
    assigned: Tensor | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Layers and tensors that end an inference, its states, and tensors that turned out to be constants."""

    ops: tuple[Op, ...]
    tensors: tuple[Tensor, ...]
    states: tuple[State, ...]


@dataclass(slots=True)
class Variables:
    """The variables of a model, in the order of its operators."""

    _handles: dict[int, str] = field(default_factory=dict)
    _by_name: dict[str, _Variable] = field(default_factory=dict)

    def handle(self, operator: RawOperator) -> None:
        """VAR_HANDLE: its output stands for the variable."""
        self._handles[operator.outputs[0]] = operator.variable
        self._by_name.setdefault(operator.variable, _Variable())

    def initialize(self, called: RawModel | None) -> None:
        """CALL_ONCE. Raises Reject for a subgraph that does more than assign constants."""
        handles: dict[int, str] = {}
        for operator in () if called is None else called.operators:
            assert called is not None
            if operator.kind == "VAR_HANDLE" and operator.outputs:
                handles[operator.outputs[0]] = operator.variable
                continue
            value = called.tensors[operator.inputs[1]].data if len(operator.inputs) == 2 else None
            if operator.kind != "ASSIGN_VARIABLE" or value is None or operator.inputs[0] not in handles:
                raise Reject(f"runs {operator.kind} once", "variables that are assigned constants")
            self._by_name.setdefault(handles[operator.inputs[0]], _Variable()).initial = value

    def read(self, handle: int, raw: RawTensor, name: TensorName) -> Tensor:
        """READ_VARIABLE: the tensor of the value; a new one is called `name`."""
        variable = self._known(handle)
        if variable.assigned is not None:
            return variable.assigned
        if variable.read is not None:
            return variable.read
        if raw.dtype is None:
            raise Reject(f"a tensor has type {raw.type_name}")
        variable.read = Tensor(name, raw.shape, raw.dtype, raw.quantization)
        return variable.read

    def assign(self, handle: int, value: Tensor, source: Source) -> None:
        """ASSIGN_VARIABLE."""
        variable = self._known(handle)
        variable.assigned, variable.source = value, source

    def _known(self, handle: int) -> _Variable:
        name = self._handles.get(handle)
        if name is None:
            raise Reject("its variable is computed at run time", "the result of a VAR_HANDLE")
        return self._by_name[name]

    def settle(self, outputs: tuple[TensorName, ...]) -> Settled:
        """What is to be done at the end. Raises Reject when variables swap their values.

        A variable that is read and never assigned is a constant; one that is not read before it is assigned
        keeps nothing. `outputs` that are states are copied before the update.
        """
        ops: list[Op] = []
        tensors: list[Tensor] = []
        states: list[State] = []
        pending: dict[TensorName, _Variable] = {}
        for variable in self._by_name.values():
            if variable.read is None:
                continue
            if variable.assigned is None or variable.assigned.name == variable.read.name:
                tensors.append(variable.read.with_(data=_initial(variable.read, variable.initial)))
                continue
            pending[variable.read.name] = variable
        for name in dict.fromkeys(outputs):
            if name in pending:
                read = pending[name].read
                assert read is not None
                tensors.append(read.with_(name=f"{name}:out"))
                copy = f"{name}:out"
                ops.append(Reshape(name=copy, inputs=(name,), outputs=(copy,), shape=read.shape))
        while pending:
            awaited = {v.assigned.name for v in pending.values() if v.assigned is not None}
            free = next((name for name in pending if name not in awaited), None)
            if free is None:
                raise Reject("variables exchange their values")
            variable = pending.pop(free)
            assert variable.read is not None and variable.assigned is not None
            update = variable.read.with_(name=f"{free}:after")
            ops.append(
                AssignVariable(
                    name=update.name,
                    inputs=(variable.assigned.name,),
                    outputs=(update.name,),
                    source=variable.source,
                )
            )
            tensors.append(update)
            states.append(State(free, update.name, _initial(variable.read, variable.initial)))
        return Settled(tuple(ops), tuple(tensors), tuple(states))


def _initial(tensor: Tensor, value: Array | None) -> Array:
    """The real value 0 where nothing is assigned, as TensorFlow Lite Micro."""
    if value is not None:
        if value.shape != tensor.shape or value.dtype != tensor.dtype.numpy:
            raise Reject(f"{tensor.name!r} is initialized with {value.dtype}{list(value.shape)}")
        return value
    zero = 0 if tensor.quantization is None else tensor.zero_point
    return np.full(tensor.shape, zero, tensor.dtype.numpy)
