"""One operator of an ONNX file with typed access to its attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import AttributeProto

from tinyc.frontends.reject import Reject

# No attribute of an operator that can be compiled has more numbers.
_MOST_NUMBERS = 1024


@dataclass(frozen=True, slots=True)
class Node:
    """`op` is the operator's name, with its domain in front when it is not ONNX's own.

    An absent optional input is "". `opset` is the version of the operator set that the node belongs to.
    """

    op: str
    name: str
    index: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeProto]
    opset: int

    def integer(self, name: str, default: int) -> int:
        attribute = self._typed(name, AttributeProto.INT)
        return default if attribute is None else int(attribute.i)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """None when the attribute is absent."""
        attribute = self._typed(name, AttributeProto.INTS)
        if attribute is None:
            return None
        if len(attribute.ints) > _MOST_NUMBERS:
            raise Reject(f"{name} has {len(attribute.ints)} numbers", f"at most {_MOST_NUMBERS}")
        return tuple(int(value) for value in attribute.ints)

    def real(self, name: str, default: float) -> float:
        attribute = self._typed(name, AttributeProto.FLOAT)
        value = default if attribute is None else float(attribute.f)
        if not math.isfinite(value):
            raise Reject(f"{name} is {value}", f"a finite {name}")
        return value

    def text(self, name: str, default: str) -> str:
        attribute = self._typed(name, AttributeProto.STRING)
        return default if attribute is None else attribute.s.decode("utf-8", errors="replace")

    def _typed(self, name: str, kind: int) -> AttributeProto | None:
        attribute = self.attributes.get(name)
        if attribute is not None and attribute.type != kind:
            wanted = onnx.AttributeProto.AttributeType.Name(kind)
            raise Reject(f"the attribute {name} has another type", wanted)
        return attribute
