"""Operators of ONNX by name, and what decodes each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tinyc.frontends.onnx import (
    elementwise,
    extremes,
    matrices,
    movement,
    quantized,
    reductions,
    resampling,
    transposed,
    windows,
)
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value

Decoder: TypeAlias = Callable[[Layer], Value | tuple[Value, ...]]

DECODERS: dict[str, Decoder] = {
    **elementwise.DECODERS,
    **extremes.DECODERS,
    **matrices.DECODERS,
    **movement.DECODERS,
    **quantized.DECODERS,
    **reductions.DECODERS,
    **resampling.DECODERS,
    **transposed.DECODERS,
    **windows.DECODERS,
}
