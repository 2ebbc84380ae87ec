"""What every operator is: typed fields, a shape rule, its MACs and a NumPy reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Self

from tinyc.ir.tensor import Array, Shape, Tensor, TensorName
from tinyc.quantize.fixed_point import Rounding


class Activation(Enum):
    """Activation fused into an operator."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"
    RELU_N1_TO_1 = "RELU_N1_TO_1"


class Padding(Enum):
    SAME = "SAME"
    VALID = "VALID"
    EXPLICIT = "EXPLICIT"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an op came from, so that every error can say so."""

    file: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Op(ABC):
    """One operator. Subclasses add typed fields and set `kind` to TFLite's name.

    `name` is the layer name, unique in the graph. `inputs` lists activations and constants in
    TFLite's order, without absent optional inputs.
    """

    kind: ClassVar[str]
    state_outputs: ClassVar[tuple[int, ...]] = ()
    """Positions of the outputs that are updates of states; the kernel writes them over the old values."""

    name: str
    inputs: tuple[TensorName, ...]
    outputs: tuple[TensorName, ...]
    source: Source | None = None

    @abstractmethod
    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Shape rule. Raises ValueError when the operands do not fit the op."""

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        """Multiply-accumulates of one inference (0 for ops that only move or map elements)."""
        return 0

    @abstractmethod
    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        """Evaluate on NumPy arrays.

        `values` are the arrays of `operands` (constants included), in the dtype and shape the
        tensors declare; the answer has one array per tensor of `results`. int8 and int16 graphs
        are computed in integers exactly as the C kernels do; float32 tensors in float32.
        `rounding` is the rule for the fully connected layer (see `fixed_point.Rounding`).
        """

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced."""
        return replace(self, **changes)
