"""What a decoder of TensorFlow Lite operators gets, a node of the file, and what decoders share.

A decoder gives the op of the IR or a `Chain` of them, or raises `Reject` for a variant that tinyc does not
compile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tinyc.frontends.reject import Reject as Reject
from tinyc.ir.ops.base import Activation, Op, Padding, Source
from tinyc.ir.tensor import DType, Tensor

_ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU_N1_TO_1, Activation.RELU6)
_ACTIVATION_NAMES = {4: "TANH", 5: "SIGN_BIT"}
_PADDINGS = (Padding.SAME, Padding.VALID)


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of the file with its tensors; absent optional inputs are None."""

    kind: str
    name: str
    inputs: tuple[Tensor | None, ...]
    results: tuple[Tensor, ...]
    options: Mapping[str, int | float] | None
    options_type: str
    source: Source
    updates: tuple[Tensor, ...] = ()
    """What the operator leaves in the variable tensors among its inputs, in their order."""
    open_axes: tuple[frozenset[int], ...] = ()
    """Of each result, the axes whose extents the file leaves open."""

    def operand(self, position: int) -> Tensor:
        """An input that must be there."""
        if position >= len(self.inputs) or (tensor := self.inputs[position]) is None:
            raise Reject(f"input {position} is absent")
        return tensor

    def integers(self, position: int, what: str) -> tuple[int, ...]:
        """The values of a constant integer input."""
        tensor = self.operand(position)
        if tensor.data is None:
            raise Reject(f"{what} is computed at run time", f"a constant {what}")
        if tensor.dtype not in (DType.INT32, DType.INT64) or tensor.elements > 64:
            raise Reject(f"{what} is {tensor.dtype.value[0]}{list(tensor.shape)}", f"a few int32 for {what}")
        return tuple(int(value) for value in tensor.data.reshape(-1))

    def option(self, options_type: str, field: str, default: Any) -> Any:
        """A field of the options table, or the schema's default when the file has no table."""
        if self.options is None:
            return default
        if self.options_type != options_type:
            raise Reject(f"options are {self.options_type}", options_type)
        return self.options[field]

    def common(self, *inputs: Tensor) -> dict[str, Any]:
        """The fields that every op has."""
        return {
            "name": self.name,
            "inputs": tuple(tensor.name for tensor in inputs),
            "outputs": tuple(tensor.name for tensor in (*self.results, *self.updates)),
            "source": self.source,
        }

    def activation(self, options_type: str) -> Activation:
        code = int(self.option(options_type, "FusedActivationFunction", 0))
        if not 0 <= code < len(_ACTIVATIONS):
            name = _ACTIVATION_NAMES.get(code, str(code))
            raise Reject(f"fused activation {name}", ", ".join(a.value for a in _ACTIVATIONS))
        return _ACTIVATIONS[code]

    def padding(self, options_type: str) -> Padding:
        code = int(self.option(options_type, "Padding", 0))
        if not 0 <= code < len(_PADDINGS):
            raise Reject(f"padding {code}", "SAME, VALID")
        return _PADDINGS[code]


@dataclass(frozen=True, slots=True)
class Chain:
    """The ops that one operator of the file stands for, in order, and the tensors between them.

    The op that gives the operator's results has its name; the names of the others are made unique later.
    """

    ops: tuple[Op, ...]
    between: tuple[Tensor, ...]


Decoder: TypeAlias = Callable[[Node], Op | Chain]


def present(node: Node, least: int, most: int) -> tuple[Tensor, ...]:
    """The inputs, without absent ones at the end. Rejects a wrong number."""
    tensors = list(node.inputs)
    while tensors and tensors[-1] is None:
        tensors.pop()
    found = tuple(tensor for tensor in tensors if tensor is not None)
    if len(found) != len(tensors) or not least <= len(found) <= most:
        raise Reject(f"has {len(found)} inputs", str(least) if least == most else f"{least} to {most}")
    return found


def bounded(value: int, what: str) -> int:
    if not 1 <= value <= 1 << 16:
        raise Reject(f"{what} is {value}", f"1 .. {1 << 16}")
    return int(value)


def pair(node: Node, options_type: str, fields: tuple[str, str], what: str) -> tuple[int, int]:
    height, width = (bounded(node.option(options_type, field, 1), what) for field in fields)
    return height, width


def finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise Reject(f"{what} is {value}", f"a finite {what}")
    return float(value)


def plain(op: Callable[..., Op], inputs: int = 1) -> Decoder:
    """Ops without options."""

    def decode(node: Node) -> Op:
        return op(**node.common(*present(node, inputs, inputs)))

    return decode


def binary(op: Callable[..., Op], options_type: str) -> Decoder:
    def decode(node: Node) -> Op:
        return op(**node.common(*present(node, 2, 2)), activation=node.activation(options_type))

    return decode


def normal_axis(value: int, rank: int) -> int:
    if not -rank <= value < rank:
        raise Reject(f"axis {value} of an input of rank {rank}", f"an axis in {-rank} .. {rank - 1}")
    return value % rank
