"""Numbers and constant arrays as C text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyc.ir.tensor import Array

_WIDTH = 100
_C_TYPES = {
    "bool": "uint8_t",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
}


def c_type(array: Array) -> str:
    """The C element type of a NumPy array. Raises ValueError for types that C99 code does not use."""
    name = array.dtype.name
    if name not in _C_TYPES:
        raise ValueError(f"no C type for dtype {name}; allowed: {', '.join(_C_TYPES)}")
    return _C_TYPES[name]


def literal(value: Any) -> str:
    """A C expression of one number; integers beyond 32 bits get a suffix, floats are float32.

    Raises ValueError for integers beyond 64 bits.
    """
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return "(0.0f / 0.0f)"
        if math.isinf(number):
            return "(1.0f / 0.0f)" if number > 0 else "(-1.0f / 0.0f)"
        text = f"{number:.9g}"
        return text + ("f" if any(mark in text for mark in ".e") else ".0f")
    number = int(value)
    if number == -(2**31):
        return "INT32_MIN"
    if number == -(2**63):
        return "INT64_MIN"
    if -(2**31) < number < 2**31:
        return str(number)
    if 0 < number < 2**32:
        return f"{number}u"
    if -(2**63) < number < 2**63:
        return f"INT64_C({number})"
    raise ValueError(f"{number} does not fit into 64 bits")


def initializer(values: Array, indent: str = "    ") -> str:
    """The lines between the braces of an array initializer, wrapped at about 100 columns."""
    if values.dtype.name == "int64":
        words = [f"INT64_C({v})" if v != -(2**63) else "INT64_MIN" for v in values.reshape(-1).tolist()]
    elif values.dtype.kind == "f":
        words = [literal(float(v)) for v in values.reshape(-1).tolist()]
    else:
        if values.dtype.kind == "b":
            values = values.astype(np.uint8)
        # Every 8, 16 and 32-bit value but INT32_MIN is its own decimal literal.
        words = [str(v) for v in values.reshape(-1).tolist()]
        if values.dtype.name == "int32":
            words = ["INT32_MIN" if word == "-2147483648" else word for word in words]
        elif values.dtype.name == "uint32":
            words = [word + "u" for word in words]
    return "\n".join(_wrap(words, indent))


def _wrap(words: list[str], indent: str) -> list[str]:
    lines: list[str] = []
    row: list[str] = []
    width = len(indent)
    for word in words:
        if row and width + len(word) + 2 > _WIDTH:
            lines.append(indent + ", ".join(row) + ",")
            row, width = [], len(indent)
        row.append(word)
        width += len(word) + 2
    if row:
        lines.append(indent + ", ".join(row) + ",")
    return lines
