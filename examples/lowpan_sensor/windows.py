"""Writes windows.h: what the sensor measures, as the int8 input of the model.

    python windows.py build/windows.h

The first windows of evaluation.npz, quantized as tinyc.toml says. Needs nothing but tinyc.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyc.cli import target
from tinyc.execution import quantize_input

HERE = Path(__file__).parent
COUNT = 16


def quantized(count: int = COUNT) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """The windows as the model takes them, [count, bytes], and their classes."""
    program = target.compiled(HERE, "nrf52840")[2]
    tensor = program.graph[program.graph.inputs[0]]
    with np.load(HERE / "evaluation.npz") as arrays:
        real, labels = arrays["inputs"][:count], arrays["labels"][:count]
    return quantize_input(tensor, real).reshape(count, -1), labels


def header(windows: npt.NDArray[np.int8]) -> str:
    """A C header with these windows."""
    count, size = windows.shape
    rows = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row in windows.tolist())
    return (
        "/* Made by windows.py, do not edit. */\n#ifndef WINDOWS_H\n#define WINDOWS_H\n\n"
        "#include <stdint.h>\n\n"
        f"#define WINDOW_COUNT {count}u\n#define WINDOW_BYTES {size}u\n\n"
        f"static const int8_t windows[WINDOW_COUNT][WINDOW_BYTES] = {{\n{rows}}};\n\n#endif\n"
    )


if __name__ == "__main__":
    target_file = Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "build" / "windows.h")
    target_file.parent.mkdir(parents=True, exist_ok=True)
    target_file.write_text(header(quantized()[0]), encoding="utf-8")
