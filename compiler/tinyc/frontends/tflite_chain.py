"""Puts a `Chain` together: the ops that one operator of a .tflite stands for."""

from __future__ import annotations

from typing import Any

from tinyc.frontends.tflite_node import Chain, Node
from tinyc.ir.ops import Op, Reshape
from tinyc.ir.tensor import Shape, Tensor


class Steps:
    """The ops of `node`, one after the other; results between them have its name and a number."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ops: list[Op] = []
        self._between: list[Tensor] = []

    def add(self, op: type[Op], *inputs: Tensor, **fields: Any) -> Tensor:
        """The result of a further op, of the type and quantization of its first input."""
        name = f"{self._node.name}/{len(self._ops)}"
        common = {**self._node.common(*inputs), "name": name, "outputs": (name,)}
        step = op(**common, **fields)
        (shape,) = step.output_shapes(inputs)
        self._ops.append(step)
        self._between.append(inputs[0].with_(name=name, shape=shape, data=None))
        return self._between[-1]

    def constant(self, value: Tensor) -> Tensor:
        """A constant of the chain's own; its name becomes one of the node's."""
        self._between.append(value.with_(name=f"{self._node.name}/constant{len(self._between)}"))
        return self._between[-1]

    def viewed(self, x: Tensor, shape: Shape) -> Tensor:
        """`x` under another shape."""
        return x if x.shape == shape else self.add(Reshape, x, shape=shape)

    def last(self, op: type[Op], *inputs: Tensor, **fields: Any) -> Op | Chain:
        """The chain that ends with the op that gives the node's results; or that op alone."""
        final = op(**self._node.common(*inputs), **fields)
        return Chain((*self._ops, final), tuple(self._between)) if self._between else final
