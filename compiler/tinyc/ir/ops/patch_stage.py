"""Layers over images that are computed together, patch by patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.block import Block
from tinyc.ir.tensor import Tensor, TensorName


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchStage(Block):
    """inputs: one activation [1, height, width, channels] and constants; output: one activation of rank 4.

    `tinyc.patches` makes it. The output is computed in patches of `rows` by `columns` pixels, from the top
    left to the bottom right, each with what it needs of the tensors `between` the parts. With `rolling` the
    rows that the next patch needs again are kept, and patches are as wide as the output; else what patches
    have in common is computed again. Lin et al., "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny
    Deep Learning" (2021, arXiv:2110.15352); rows that are kept: Alwani et al., "Fused-Layer CNN
    Accelerators" (2016).
    """

    kind: ClassVar[str] = "PATCH_STAGE"

    rows: int
    columns: int
    rolling: bool

    @classmethod
    def of(
        cls,
        parts: Sequence[Op],
        tensors: Mapping[TensorName, Tensor],
        rows: int,
        columns: int,
        rolling: bool,
    ) -> PatchStage:
        """The last of `parts` gives the output."""
        fields = cls.fields_of(parts, tensors, parts[-1].outputs)
        return cls(**fields, rows=rows, columns=columns, rolling=rolling)
