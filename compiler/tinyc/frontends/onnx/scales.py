"""Which values of a quantized ONNX file are integers, of what scale and zero point.

QuantizeLinear and DequantizeLinear around an operator on real numbers (QDQ), and operators that are given
scales (QLinearConv and the like), mean the same. Both give a scale to values by name: those that they read
and write, and through operators that only move or clamp elements those next to them.

uint8 becomes int8: values and zero point are less by 128, which changes no real number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tinyc.frontends.onnx.node import Node
from tinyc.ir.tensor import Array, DType, Quantization

# (value, scale, zero point) as positions of inputs.
_Operand: TypeAlias = tuple[int, int, int]

CONTRIB = "com.microsoft."
INTEGER_TYPES = ("int8", "uint8", "int16")
_UNARY: tuple[tuple[_Operand, ...], tuple[int, int]] = (((0, 1, 2),), (3, 4))
_BINARY: tuple[tuple[_Operand, ...], tuple[int, int]] = (((0, 1, 2), (3, 4, 5)), (6, 7))
# Operators that are given scales: operands that are activations, scale and zero point of the result.
_GIVEN: Mapping[str, tuple[tuple[_Operand, ...], tuple[int, int]]] = {
    "QLinearConv": (((0, 1, 2),), (6, 7)),
    "QLinearMatMul": _BINARY,
    f"{CONTRIB}QGemm": (((0, 1, 2), (3, 4, 5)), (7, 8)),
    f"{CONTRIB}QLinearAdd": _BINARY,
    f"{CONTRIB}QLinearAveragePool": _UNARY,
    f"{CONTRIB}QLinearGlobalAveragePool": _UNARY,
    f"{CONTRIB}QLinearLeakyRelu": _UNARY,
    f"{CONTRIB}QLinearMul": _BINARY,
    f"{CONTRIB}QLinearReduceMean": _UNARY,
    f"{CONTRIB}QLinearSigmoid": _UNARY,
    f"{CONTRIB}QLinearSoftmax": _UNARY,
}
# Every element of the result is one of the input, or a bound within its range.
_KEEPING = {
    *("Clip", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GlobalMaxPool"),
    *("Identity", "Max", "MaxPool", "Min", "Pad", "ReduceMax", "ReduceMin", "Relu", "Reshape", "Resize"),
    *("Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample"),
}
_SMALLEST, _LARGEST = 1e-30, 1e30


@dataclass(frozen=True, slots=True)
class Scale:
    """One quantization for a whole value, none for real numbers, and the type that its elements have here."""

    dtype: DType
    quantization: Quantization | None


REAL = Scale(DType.FLOAT32, None)


def parameters(scale: Array, zero_point: Array | None, dtype: str, axis: int | None) -> Quantization | None:
    """Scales and zero points as tinyc has them; None when they are not usable numbers.

    `dtype` is the NumPy name of the stored type; `axis` counts only where there are several scales.
    """
    scales = np.asarray(scale, np.float64).reshape(-1)
    zeros = np.zeros(len(scales), np.int64)
    if zero_point is not None:
        zeros = np.broadcast_to(np.asarray(zero_point, np.int64).reshape(-1), scales.shape)
    if not len(scales) or not ((scales >= _SMALLEST) & (scales <= _LARGEST)).all():
        return None
    if dtype == "uint8":
        zeros = zeros - 128
    return Quantization(tuple(map(float, scales)), tuple(map(int, zeros)), axis if len(scales) > 1 else None)


def find_scales(
    nodes: Sequence[Node], constants: Mapping[str, Array], inputs: Mapping[str, str]
) -> dict[str, Scale]:
    """The scale of each value that has one, by its name. `inputs` are the types of the model's inputs."""
    search = _Search(constants, inputs)
    for node in nodes:
        search.state(node)
    for node in nodes:
        search.take_over(node)
    search.spread(nodes)
    return search.found


@dataclass(slots=True)
class _Search:
    constants: Mapping[str, Array]
    inputs: Mapping[str, str]
    found: dict[str, Scale] = field(default_factory=dict)

    def state(self, node: Node) -> None:
        """What a node says about the integers that it reads and writes."""
        if node.op == "QuantizeLinear":
            self._note(node.outputs[0], self._scale(node, (-1, 1, 2), self._output_type(node)))
        elif node.op == "DequantizeLinear":
            self._note(node.inputs[0], self._scale(node, (0, 1, 2)))
            self._note(node.outputs[0], self.found.get(node.inputs[0]))
        elif node.op in _GIVEN:
            operands, result = _GIVEN[node.op]
            for operand in operands:
                self._note(node.inputs[operand[0]], self._scale(node, operand))
            self._note(node.outputs[0], self._scale(node, (0, *result)))
        elif node.op == f"{CONTRIB}QLinearConcat":
            for place in range(2, len(node.inputs) - 2, 3):
                self._note(node.inputs[place], self._scale(node, (place, place + 1, place + 2)))
            self._note(node.outputs[0], self._scale(node, (2, 0, 1)))

    def take_over(self, node: Node) -> None:
        """A real value that is quantized next has the scale that it gets then."""
        if node.op == "QuantizeLinear" and node.outputs[0] in self.found:
            self._note(node.inputs[0], self.found[node.outputs[0]])

    def spread(self, nodes: Sequence[Node]) -> None:
        """Scales go through operators that keep elements, first against their direction."""
        if not self.found:
            return
        keeping = [node for node in nodes if node.op in _KEEPING]
        for node in reversed(keeping):
            self._pass(node.outputs, self._values(node))
        for node in keeping:
            self._pass(self._values(node), node.outputs)

    def _pass(self, sources: Iterable[str], targets: Iterable[str]) -> None:
        scale = next((self.found[name] for name in sources if name in self.found), None)
        for name in targets:
            self._note(name, scale)

    @staticmethod
    def _values(node: Node) -> tuple[str, ...]:
        """The inputs that hold elements of the result."""
        return node.inputs if node.op == "Concat" else node.inputs[:1]

    def _note(self, name: str, scale: Scale | None) -> None:
        if scale is not None and name and name not in self.constants:
            self.found.setdefault(name, scale)

    def _output_type(self, node: Node) -> str:
        """The type of QuantizeLinear without a zero point (21 is that of uint16, which is refused later)."""
        attribute = node.attributes.get("output_dtype")
        return {0: "uint8", 2: "uint8", 3: "int8", 5: "int16"}.get(attribute.i if attribute else 0, "")

    def _scale(self, node: Node, operand: _Operand, default: str = "") -> Scale | None:
        """The scale that a node gives to an operand; None unless it is one number and the type is known."""
        value, scale, zero_point = (
            node.inputs[place] if 0 <= place < len(node.inputs) else "" for place in operand
        )
        scales, zeros = self.constants.get(scale), self.constants.get(zero_point)
        if scales is None or scales.size != 1 or (zero_point and (zeros is None or zeros.size != 1)):
            return None
        known = zeros.dtype.name if zeros is not None else default or self._type(value)
        if known not in INTEGER_TYPES:
            return None
        quantization = parameters(scales, zeros, known, None)
        dtype = DType.INT16 if known == "int16" else DType.INT8
        return None if quantization is None else Scale(dtype, quantization)

    def _type(self, name: str) -> str:
        """The type of integers that nobody gave a zero point, from where they come."""
        if name in self.constants:
            return self.constants[name].dtype.name
        return self.inputs.get(name, "")
