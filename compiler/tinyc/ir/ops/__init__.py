"""The operators. `OPS` maps TFLite's names to classes; a new op file is listed here once."""

from __future__ import annotations

from tinyc.ir.ops.base import Activation, Op, Padding, Source
from tinyc.ir.ops.fully_connected import FullyConnected

OPS: dict[str, type[Op]] = {op.kind: op for op in (FullyConnected,)}

__all__ = ["OPS", "Activation", "FullyConnected", "Op", "Padding", "Source"]
