"""Sums in 64 bits, of int16 activations times int8 weights or int16: how large they and their shifts may get.

Source: TensorFlow Lite Micro, `conv.cc`, `depthwise_conv.cc`, `fully_connected.cc` (int16).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.ir.tensor import DType, Tensor
from tinyc.quantize.fixed_point import IntArray

# TensorFlow Lite's own bounds for 64-bit sums and their shifts.
LARGEST_SUM = 2**47
_LARGEST_SHIFT = 7
# -2^15 * -2^7
_LARGEST_PRODUCT = 2**22


def has_wide_sums(operands: Sequence[Tensor]) -> bool:
    """Whether a layer (x, weights, optional bias) adds up in 64 bits: int16 x, and no bias of int32."""
    return operands[0].dtype is DType.INT16 and not any(bias.dtype is DType.INT32 for bias in operands[2:])


def check_wide_sums(operands: Sequence[Tensor], shift: IntArray) -> None:
    """Raises ValueError where sums, or the `shift` of a multiplier, leave what TensorFlow Lite defines."""
    if not has_wide_sums(operands):
        return
    biases = [abs(int(end)) for bias in operands[2:] for end in (bias.constant.min(), bias.constant.max())]
    if max(biases, default=0) + _LARGEST_PRODUCT * operands[1].elements >= LARGEST_SUM:
        raise ValueError("sums could leave 48 bits")
    check_wide_shift(shift)


def check_wide_shift(shift: IntArray | int) -> None:
    """Raises ValueError for the `shift` of a multiplier that TensorFlow Lite does not define."""
    if np.max(shift) > _LARGEST_SHIFT:
        raise ValueError(
            f"a multiplier of 2^{int(np.max(shift)) - 1} or more, below 2^{_LARGEST_SHIFT} can be"
        )
