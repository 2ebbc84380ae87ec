"""STREAM_WINDOW: the last frames of a stream, one after the other in memory."""

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


def check_frames(x: Tensor, held: Tensor, axis: int) -> None:
    """Raises ValueError unless both have frames of one shape along `axis`, each of them contiguous."""
    if not 0 <= axis < len(x.shape):
        raise ValueError(f"axis {axis} does not exist in an input of rank {len(x.shape)}")
    shapes = [(*tensor.shape[:axis], *tensor.shape[axis + 1 :]) for tensor in (x, held)]
    if x.dtype is not held.dtype or shapes[0] != shapes[1]:
        raise ValueError(f"frames of {list(x.shape)} do not fit into {list(held.shape)}")
    if math.prod(x.shape[:axis]) != 1:
        raise ValueError(f"frames along axis {axis} of {list(x.shape)} are not contiguous")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWindow(Op):
    """inputs: x with the newest frames along `axis`, and the state, the window before them, not shorter.

    Output: the window after them, which is the state after the inference: its oldest frames have gone.
    """

    kind: ClassVar[str] = "STREAM_WINDOW"
    state_outputs: ClassVar[tuple[int, ...]] = (0,)

    axis: int

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 2:
            raise ValueError(f"needs 2 inputs, got {len(operands)}")
        x, window = operands
        check_frames(x, window, self.axis)
        if x.shape[self.axis] > window.shape[self.axis]:
            raise ValueError(f"{x.shape[self.axis]} new frames in a window of {window.shape[self.axis]}")
        return (window.shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        x, window = values
        kept = np.take(window, range(x.shape[self.axis], window.shape[self.axis]), self.axis)
        return (np.concatenate([kept, x], axis=self.axis),)
