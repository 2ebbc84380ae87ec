"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: pixels that lie a block apart become an image of their own."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks(Op):
    """What both share: a block of one or two extents, and the margins (before, after) of each spatial axis.

    The axes are [batch, spatial axes, channels].
    """

    block: tuple[int, ...]
    margins: tuple[tuple[int, int], ...]

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1 or len(operands[0].shape) != len(self.block) + 2:
            raise ValueError(f"needs 1 input of rank {len(self.block) + 2}")
        if not 1 <= len(self.block) <= 2 or len(self.margins) != len(self.block):
            raise ValueError(f"block {list(self.block)} and {len(self.margins)} margins")
        if min(self.block) < 1 or min(min(pair) for pair in self.margins) < 0:
            raise ValueError(f"block {list(self.block)}, margins {[list(pair) for pair in self.margins]}")
        return (self._shape(operands[0].shape),)

    @abstractmethod
    def _shape(self, shape: Shape) -> Shape:
        """The result's shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceToBatchNd(Blocks):
    """input: x; output [block * batch, (margins + spatial) / block, channels]. Margins are real zeros."""

    kind: ClassVar[str] = "SPACE_TO_BATCH_ND"

    def _shape(self, shape: Shape) -> Shape:
        padded = [e + sum(pair) for e, pair in zip(shape[1:-1], self.margins, strict=True)]
        if any(extent % size for extent, size in zip(padded, self.block, strict=True)):
            raise ValueError(f"{padded} pixels with margins are no multiple of the block {list(self.block)}")
        spatial = (extent // size for extent, size in zip(padded, self.block, strict=True))
        return (math.prod(self.block) * shape[0], *spatial, shape[-1])

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        fill = 0 if results[0].quantization is None else results[0].zero_point
        x = np.pad(values[0], ((0, 0), *self.margins, (0, 0)), constant_values=fill)
        count, images, extents = len(self.block), operands[0].shape[0], results[0].shape[1:-1]
        pairs = [part for pair in zip(extents, self.block, strict=True) for part in pair]
        inside = [2 + 2 * axis for axis in range(count)]
        order = (*inside, 0, *(1 + 2 * axis for axis in range(count)), 2 * count + 1)
        parts = x.reshape(images, *pairs, x.shape[-1]).transpose(order)
        return (parts.reshape(results[0].shape),)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchToSpaceNd(Blocks):
    """input: x; output [batch / block, block * spatial - margins, channels]: the inverse."""

    kind: ClassVar[str] = "BATCH_TO_SPACE_ND"

    def _shape(self, shape: Shape) -> Shape:
        whole = [extent * size for extent, size in zip(shape[1:-1], self.block, strict=True)]
        spatial = tuple(extent - sum(pair) for extent, pair in zip(whole, self.margins, strict=True))
        if shape[0] % math.prod(self.block) or min(spatial) < 1:
            raise ValueError(f"block {list(self.block)} and margins do not fit the shape {list(shape)}")
        return (shape[0] // math.prod(self.block), *spatial, shape[-1])

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        shape, count = operands[0].shape, len(self.block)
        images = results[0].shape[0]
        pairs = [axis for i in range(count) for axis in (count + 1 + i, i)]
        parts = values[0].reshape(*self.block, images, *shape[1:]).transpose((count, *pairs, 2 * count + 1))
        spatial = [extent * size for extent, size in zip(shape[1:-1], self.block, strict=True)]
        whole = parts.reshape(images, *spatial, shape[-1])
        kept = (slice(b, e - a) for (b, a), e in zip(self.margins, spatial, strict=True))
        return (np.ascontiguousarray(whole[(slice(None), *kept)]),)
