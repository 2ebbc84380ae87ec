"""Machine code of kernels as it was measured, function by function.

The sizes lie in `code.toml`, one table per kernel: function = bytes, as Clang (toolchain `zig`) compiles it
for a Cortex-M4, or the core that the kernel is for. `benchmarks/measure_code.py` makes the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("code.toml")


@cache
def _table() -> Mapping[str, Mapping[str, int]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}


def code_sizes(symbol: str) -> Mapping[str, int]:
    """Function → bytes for a kernel; functions of one name are one. Empty where it was not measured."""
    return _table().get(symbol, {})
