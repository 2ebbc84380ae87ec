"""STRIDED_SLICE: every n-th element of a range along each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class StridedSlice(Op):
    """input: x; output of `shape`, which is `size` with axes of extent 1 added or taken away.

    Along axis i the elements begin[i] + k * strides[i] for k in 0 .. size[i] - 1 are taken; strides
    may be negative. TensorFlow Lite's masks are resolved by the front end.
    """

    kind: ClassVar[str] = "STRIDED_SLICE"

    begin: tuple[int, ...]
    size: tuple[int, ...]
    strides: tuple[int, ...]
    shape: Shape

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if not len(self.begin) == len(self.size) == len(self.strides) == len(shape):
            raise ValueError(f"begin, size and strides need {len(shape)} entries each")
        for axis, (first, count, step) in enumerate(zip(self.begin, self.size, self.strides, strict=True)):
            last = first + (count - 1) * step
            if count < 1 or step == 0 or not 0 <= first < shape[axis] or not 0 <= last < shape[axis]:
                raise ValueError(
                    f"axis {axis} of extent {shape[axis]} has no {count} elements "
                    f"from {first} in steps of {step}"
                )
        if math.prod(self.size) != math.prod(self.shape) or min(self.shape, default=1) < 1:
            raise ValueError(f"a slice of {list(self.size)} cannot have shape {list(self.shape)}")
        return (self.shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        axes = zip(self.begin, self.size, self.strides, strict=True)
        picked = values[0][np.ix_(*(first + step * np.arange(count) for first, count, step in axes))]
        return (picked.reshape(self.shape),)
