"""LINEAR ops taken apart into sources, bias and residual, and put together again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Linear, Op
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.passes.rewrite import fresh_name, uses


@dataclass(frozen=True, slots=True)
class LinearSum:
    """The parts of a LINEAR: (activation, weights) of each source, bias and residual."""

    op: Linear
    sources: tuple[tuple[TensorName, Array], ...]
    bias: Array | None
    residual: TensorName | None

    @property
    def bare(self) -> bool:
        return self.op.activation is Activation.NONE

    def factors(self, at: int) -> Array | None:
        """[units] of a source that is only scaled, None for one that is mixed."""
        weights = self.sources[at][1]
        if weights.shape[0] != weights.shape[1]:
            return None
        diagonal = np.diagonal(weights)
        return diagonal if np.count_nonzero(weights) == np.count_nonzero(diagonal) else None

    def is_identity(self) -> bool:
        """True when the only source is added as it is."""
        factors = self.factors(0) if len(self.sources) == 1 else None
        return factors is not None and bool(np.all(factors == 1.0))


class LinearSums:
    """A graph while its LINEAR ops are rewritten: constants are added, producers and reads follow."""

    def __init__(self, graph: Graph) -> None:
        self.tensors = dict(graph.tensors)
        self.reads: Counter[TensorName] = uses(graph)
        self._ops: dict[TensorName, Op] = {}
        self._names: dict[int, TensorName] = {}

    def ops(self) -> tuple[Op, ...]:
        return tuple(dict.fromkeys(self._ops.values()))

    def constant(self, stem: str, data: Array) -> TensorName:
        """The name of a constant that holds `data`, which may be that of one there is."""
        if id(data) in self._names:
            return self._names[id(data)]
        name = fresh_name(self.tensors, stem)
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    def apart(self, op: Op | None) -> LinearSum | None:
        """A float32 LINEAR with constant weights, None for anything else."""
        if not isinstance(op, Linear) or self.tensors[op.outputs[0]].dtype is not DType.FLOAT32:
            return None
        count = 2 * op.sources
        names = (*op.inputs[1:count:2], *op.inputs[count : count + op.bias])
        data = [self.tensors[name].data for name in names]
        for name, array in zip(names, data, strict=True):
            self._names[id(array)] = name
        found = [array for array in data if array is not None]
        if len(found) != len(data) or any(array.ndim > 1 for array in found[op.sources :]):
            return None
        sources = tuple(zip(op.inputs[0:count:2], found[: op.sources], strict=True))
        return LinearSum(op, sources, found[-1] if op.bias else None, op.inputs[-1] if op.residual else None)

    def whole(self, parts: LinearSum) -> Linear:
        """The op for `parts`. Constants that did not change keep their names."""
        name = parts.op.name
        inputs: list[TensorName] = []
        for x, weights in parts.sources:
            inputs += [x, self.constant(f"{name}/kernel", weights)]
        if parts.bias is not None:
            inputs.append(self.constant(f"{name}/bias", parts.bias))
        if parts.residual is not None:
            inputs.append(parts.residual)
        return parts.op.with_(
            inputs=tuple(inputs),
            sources=len(parts.sources),
            bias=parts.bias is not None,
            residual=parts.residual is not None,
        )

    def alone(self, name: TensorName) -> Op | None:
        """The producer of a tensor that is read once and is no output of the graph."""
        return self._ops.get(name) if self.reads[name] == 1 else None

    def data(self, name: TensorName) -> Array | None:
        return self.tensors[name].data

    def put(self, old: Op, new: Op) -> None:
        """Appends `new` in the place of `old`, and drops what nobody reads any more."""
        self._ops.update(dict.fromkeys(new.outputs, new))
        if old is new:
            return
        self.reads.subtract(old.inputs)
        self.reads.update(new.inputs)
        pending = list(old.inputs)
        while pending:
            producer = self._ops.get(pending.pop())
            if producer is None or any(self.reads[result] > 0 for result in producer.outputs):
                continue
            for result in producer.outputs:
                del self._ops[result]
            self.reads.subtract(producer.inputs)
            pending += producer.inputs
