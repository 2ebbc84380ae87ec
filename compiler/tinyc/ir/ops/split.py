"""SPLIT: the parts of a tensor along one axis, one output each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Op):
    """input: x; output i has extent sizes[i] along `axis`, which counts from 0.

    TensorFlow Lite's SPLIT has equal sizes, its SPLIT_V any. Where x has no quantization the outputs may have
    one each, see `Concatenation`.
    """

    kind: ClassVar[str] = "SPLIT"

    axis: int
    sizes: tuple[int, ...]

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if not 0 <= self.axis < len(shape):
            raise ValueError(f"axis {self.axis} does not exist in an input of rank {len(shape)}")
        if min(self.sizes, default=0) < 1 or sum(self.sizes) != shape[self.axis]:
            raise ValueError(
                f"an extent of {shape[self.axis]} cannot be split into parts of {list(self.sizes)}"
            )
        return tuple((*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if operands[0].quantization is not None:
            check_same_quantization(self.kind, operands, results)
        ends = list(accumulate(self.sizes))[:-1]
        return tuple(np.ascontiguousarray(part) for part in np.split(values[0], ends, axis=self.axis))
