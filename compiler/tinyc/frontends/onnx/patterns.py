"""Groups of nodes that are one operator.

Before operator set 20 PyTorch writes GELU as x * 0.5 * (1 + erf(x / sqrt(2))), its factors in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from tinyc.frontends.onnx.node import Node
from tinyc.ir.tensor import Array


def with_gelus(nodes: Sequence[Node], constants: Mapping[str, Array]) -> tuple[Node, ...]:
    """The nodes with a Gelu in place of the last of each such group; nobody has to read the others."""
    search = _Search({name: node for node in nodes for name in node.outputs}, constants)
    found = []
    for node in nodes:
        x = search.argument(node)
        found.append(node if x is None else replace(node, op="Gelu", inputs=(x,), attributes={}))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Search:
    makers: Mapping[str, Node]
    constants: Mapping[str, Array]

    def argument(self, node: Node) -> str | None:
        """What the function is applied to, when the node is the last product of it."""
        for product, other in self._pairs(node, "Mul"):
            for first, second in self._pairs(self.makers.get(product), "Mul"):
                for half, gate, x in permutations((other, first, second)):
                    if self._is(half, 0.5) and self._gated(gate) == x:
                        return x
        return None

    def _gated(self, name: str) -> str | None:
        """x where `name` is 1 + erf(x / sqrt(2))."""
        for one, curve in self._pairs(self.makers.get(name), "Add"):
            maker = self.makers.get(curve)
            if self._is(one, 1.0) and maker is not None and maker.op == "Erf":
                return self._unscaled(maker.inputs[0])
        return None

    def _unscaled(self, name: str) -> str | None:
        """x where `name` is x / sqrt(2)."""
        maker = self.makers.get(name)
        if maker is not None and maker.op == "Div" and self._is(maker.inputs[1], math.sqrt(2.0)):
            return maker.inputs[0]
        for x, root in self._pairs(maker, "Mul"):
            if self._is(root, math.sqrt(0.5)):
                return x
        return None

    @staticmethod
    def _pairs(node: Node | None, op: str) -> tuple[tuple[str, str], ...]:
        """The two inputs of a node in both orders, none when it is another operator."""
        if node is None or node.op != op:
            return ()
        first, second = node.inputs
        return (first, second), (second, first)

    def _is(self, name: str, number: float) -> bool:
        data = self.constants.get(name)
        return data is not None and data.size == 1 and math.isclose(data.item(), number, rel_tol=1e-3)
