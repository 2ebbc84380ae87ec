"""Collects the ops and constants of a graph as the layers of a Keras model are converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tinyc.frontends.keras_walk import Call, Ref
from tinyc.frontends.names import Names, printable
from tinyc.ir.ops import Activation, Linear, Op
from tinyc.ir.tensor import Array, DType, Shape, Tensor, TensorName

# An activation of the graph by its name, or a constant.
Value: TypeAlias = TensorName | Array


class Refused(ValueError):  # noqa: N818
    """A layer that cannot be converted, and what would be accepted."""

    def __init__(self, what: str, allowed: str = "") -> None:
        super().__init__(what)
        self.allowed = allowed


class Builder:
    """The graph under construction. `add` names tensors and ops by the layer that they come from."""

    def __init__(self) -> None:
        self.tensors: dict[TensorName, Tensor] = {}
        self.ops: list[Op] = []
        self.values: dict[int, Value] = {}
        # Layers that look at all rows of a sentence, and whether Keras hides the padding from them.
        self.readers: list[tuple[str, bool]] = []
        # Results that stay although no op reads them.
        self.kept: set[TensorName] = set()
        # What a clamp was applied to, by its result.
        self.clamped: dict[TensorName, TensorName] = {}
        # Tensors that hold the padding mask, by number.
        self.masks: set[int] = set()
        self._names = Names()
        self._owners: dict[TensorName, Op] = {}

    def value(self, ref: Any) -> Value:
        """What stands for an argument of a layer. Raises Refused for a mask."""
        if isinstance(ref, Ref) and ref.number in self.masks:
            raise Refused("computes with a mask", "masks that Keras carries along")
        return self.values[ref.number] if isinstance(ref, Ref) else np.asarray(ref, np.float32)

    def activation(self, ref: Any) -> TensorName:
        """Raises Refused for a constant."""
        value = self.value(ref)
        if not isinstance(value, str):
            raise Refused("is applied to a constant")
        return value

    def reads_all_rows(self, call: Call, x: Ref) -> None:
        """Notes that a layer looks at all rows of x. Raises Refused for a mask other than the padding's."""
        masked = x.masked
        for key in ("mask", "query_mask", "value_mask", "key_mask"):
            given = call.kwargs.get(key)
            if given is None:
                continue
            if not isinstance(given, Ref) or given.number not in self.masks:
                raise Refused(
                    f"is called with a {key} of its own", "the padding mask that Keras carries along"
                )
            masked = True
        self.readers.append((call.name, masked))

    def shape(self, name: TensorName) -> Shape:
        return self.tensors[name].shape

    def producer(self, name: TensorName) -> Op | None:
        return self._owners.get(name)

    def needed(self, output: TensorName) -> list[Op]:
        """The ops that `output` depends on, and those that are kept."""
        wanted, found = {output, *self.kept}, []
        for op in reversed(self.ops):
            if wanted.intersection(op.outputs):
                found.append(op)
                wanted.update(op.inputs)
        return found[::-1]

    def input(self, name: str, shape: Shape, dtype: DType) -> TensorName:
        own = self._names.unique(printable(name) or "input")
        self.tensors[own] = Tensor(own, shape, dtype)
        return own

    def constant(self, name: str, data: Array) -> TensorName:
        own = self._names.unique(printable(name) or "constant")
        self.tensors[own] = Tensor(own, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return own

    def weight(self, name: str, variable: Any) -> Array:
        """The values of a weight. Raises Refused for one that is not finite."""
        data = np.asarray(variable, dtype=np.float32)
        if not np.isfinite(data).all():
            raise Refused(f"weight `{name}` holds NaN or infinity", "finite weights")
        return data

    def add(
        self,
        cls: type[Op],
        name: str,
        inputs: Sequence[TensorName],
        dtype: DType = DType.FLOAT32,
        **fields: Any,
    ) -> TensorName:
        """Append an op; returns its only output. Raises ValueError for operands that do not fit."""
        own = self._names.unique(printable(name) or cls.kind.lower())
        op = cls(name=own, inputs=tuple(inputs), outputs=(own,), **fields)
        (shape,) = op.output_shapes([self.tensors[operand] for operand in inputs])
        self.tensors[own] = Tensor(own, shape, dtype)
        self.ops.append(op)
        self._owners[own] = op
        return own

    def linear(
        self,
        name: str,
        sources: Sequence[tuple[TensorName, Array]],
        bias: Array | None = None,
        residual: TensorName | None = None,
        activation: Activation = Activation.NONE,
    ) -> TensorName:
        """W1 x1 + W2 x2 + ... + bias + residual, the weights as [out, in]."""
        inputs: list[TensorName] = []
        for index, (x, weights) in enumerate(sources):
            suffix = f"_{index + 1}" if len(sources) > 1 else ""
            inputs += [x, self.constant(f"{name}/kernel{suffix}", weights)]
        if bias is not None:
            inputs.append(self.constant(f"{name}/bias", bias))
        if residual is not None:
            inputs.append(residual)
        return self.add(
            Linear,
            name,
            inputs,
            sources=len(sources),
            bias=bias is not None,
            residual=residual is not None,
            activation=activation,
        )

    def scaled(self, name: str, x: TensorName, scale: Array | float, bias: Array | None = None) -> TensorName:
        """x times a number for each unit, as a linear layer with a diagonal matrix."""
        units = self.shape(x)[-1]
        diagonal = np.diag(np.broadcast_to(np.asarray(scale, np.float32).reshape(-1), (units,)))
        return self.linear(name, [(x, diagonal)], bias)

    def clamp(self, name: str, x: TensorName, activation: Activation) -> TensorName:
        """x through a ReLU, as a linear layer with the identity: the one before it will take it in."""
        y = self.linear(name, [(x, np.eye(self.shape(x)[-1]))], None, None, activation)
        self.clamped[y] = x
        return y

    def plus(self, name: str, left: Value, right: Value) -> Value:
        """The sum of two values, as a linear layer with the identity and a residual."""
        if isinstance(left, str) and isinstance(right, str):
            return self.linear(name, [(left, np.eye(self.shape(left)[-1]))], None, right)
        if not isinstance(left, str):
            left, right = right, left
        if not isinstance(left, str):
            return np.asarray(left + right, np.float32)
        shape = self.shape(left)
        offset = np.asarray(right, np.float32)
        if np.broadcast_shapes(offset.shape, shape) != shape:
            raise Refused(
                f"adds a constant {list(offset.shape)} to {list(shape)}", "a constant of that shape"
            )
        if offset.size in (1, shape[-1]) and (offset.size == 1 or offset.shape[-1] == shape[-1]):
            bias = np.broadcast_to(offset.reshape(-1), shape[-1:])
            return self.scaled(name, left, 1.0, bias)
        rows = self.constant(f"{name}/rows", np.broadcast_to(offset, shape).copy())
        return self.linear(name, [(left, np.eye(shape[-1]))], None, rows)
