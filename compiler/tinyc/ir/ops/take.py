"""TAKE: elements picked along each axis by positions that are known when compiling."""

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
class Take(Op):
    """input: x; y[i, j, ...] = x[indices[0][i], indices[1][j], ...], one tuple of positions per axis.

    TensorFlow Lite's GATHER by constant indices, MIRROR_PAD, RESIZE_NEAREST_NEIGHBOR, BROADCAST_TO and TILE
    are this.
    """

    kind: ClassVar[str] = "TAKE"

    indices: tuple[tuple[int, ...], ...]

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if len(self.indices) != len(shape):
            raise ValueError(f"{len(self.indices)} lists of positions for an input of rank {len(shape)}")
        for axis, (positions, extent) in enumerate(zip(self.indices, shape, strict=True)):
            if not positions:
                raise ValueError(f"takes nothing along axis {axis}")
            if min(positions) < 0 or max(positions) >= extent:
                wrong = next(at for at in positions if not 0 <= at < extent)
                raise ValueError(f"position {wrong} along axis {axis}, which has {extent}")
        return (tuple(len(positions) for positions in self.indices),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        return (np.asarray(values[0][np.ix_(*self.indices)]).reshape(results[0].shape),)
