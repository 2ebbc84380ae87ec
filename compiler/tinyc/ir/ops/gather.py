"""GATHER and GATHER_ND: slices picked by indices that another layer, or an input, gives at run time.

TensorFlow Lite fails an inference with an index out of range; here it stands for the nearest one in range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


def _pair(operands: Sequence[Tensor]) -> tuple[Shape, Shape]:
    """The shapes of data and indices."""
    if len(operands) != 2:
        raise ValueError(f"needs 2 inputs, got {len(operands)}")
    data, indices = operands
    if indices.dtype is not DType.INT32:
        raise ValueError(f"indices are {indices.dtype.value[0]}, int32 is needed")
    if not data.elements:
        raise ValueError("takes slices of nothing")
    return data.shape, indices.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather(Op):
    """inputs: data, int32 indices; the slices of `data` along `axis`, in the order of the indices.

    The first `batch_dims` axes belong together: data [batch, outer, axis, inner] and indices [batch, any]
    give [batch, outer, any, inner]. `axis` counts from 0 and is at least `batch_dims`.
    """

    kind: ClassVar[str] = "GATHER"

    axis: int
    batch_dims: int = 0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        data, indices = _pair(operands)
        if not 0 <= self.batch_dims <= min(self.axis, len(indices)) or self.axis >= len(data):
            raise ValueError(
                f"axis {self.axis} and {self.batch_dims} batch axes for data of rank {len(data)}, "
                f"indices of rank {len(indices)}"
            )
        if data[: self.batch_dims] != indices[: self.batch_dims]:
            raise ValueError(f"{list(data)} and {list(indices)} differ in the first {self.batch_dims} axes")
        return ((*data[: self.axis], *indices[self.batch_dims :], *data[self.axis + 1 :]),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands[:1], results)
        shape, (data, indices) = operands[0].shape, values
        batch, extent = math.prod(shape[: self.batch_dims]), shape[self.axis]
        rows = np.clip(indices, 0, extent - 1).reshape(batch, -1)
        outer = math.prod(shape[self.batch_dims : self.axis])
        planes = data.reshape(batch, outer, extent, -1)
        taken = [plane[:, row] for plane, row in zip(planes, rows, strict=True)]
        return (np.stack(taken).reshape(results[0].shape),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherNd(Op):
    """inputs: data, int32 indices [..., depth]; the slices of `data` at these places along its first axes."""

    kind: ClassVar[str] = "GATHER_ND"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        data, indices = _pair(operands)
        if not indices or not 1 <= indices[-1] <= len(data):
            raise ValueError(f"indices of shape {list(indices)} for data of rank {len(data)}")
        return ((*indices[:-1], *data[indices[-1] :]),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands[:1], results)
        data, indices = values
        extents = data.shape[: indices.shape[-1]]
        inside = np.clip(indices, 0, np.array(extents) - 1)
        return (np.asarray(data[tuple(np.moveaxis(inside, -1, 0))]),)
