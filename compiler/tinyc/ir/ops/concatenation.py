"""CONCATENATION: tensors one after the other along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation(Op):
    """inputs: one or more tensors whose shapes differ along `axis` only; `axis` counts from 0.

    All inputs and the output have one type and one quantization, as TensorFlow Lite demands; or the output
    has none, and holds the elements of its parts as they are.
    """

    kind: ClassVar[str] = "CONCATENATION"

    axis: int

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if not operands:
            raise ValueError("needs at least 1 input")
        first = operands[0].shape
        if not 0 <= self.axis < len(first):
            raise ValueError(f"axis {self.axis} does not exist in an input of rank {len(first)}")
        for tensor in operands:
            if tensor.dtype is not operands[0].dtype:
                raise ValueError("inputs need one type")
            rest = [shape[: self.axis] + shape[self.axis + 1 :] for shape in (first, tensor.shape)]
            if len(tensor.shape) != len(first) or rest[0] != rest[1]:
                raise ValueError(
                    f"{list(first)} and {list(tensor.shape)} differ in more than axis {self.axis}"
                )
        total = sum(tensor.shape[self.axis] for tensor in operands)
        return ((*first[: self.axis], total, *first[self.axis + 1 :]),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if results[0].quantization is not None:
            check_same_quantization(self.kind, operands, results)
        return (np.concatenate(values, axis=self.axis),)
