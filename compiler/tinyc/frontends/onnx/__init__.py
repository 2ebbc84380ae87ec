""".onnx files: the graph as the file has it, channels-last where operators slide windows.

Inputs that only convolutions and the like read have their channels last in the graph, and so have outputs
that come from them; whatever else the file says about shapes stays. docs/reference/onnx.md has the rules.
"""

from __future__ import annotations

from pathlib import Path

from tinyc.errors import TinycError
from tinyc.ir.graph import Graph


def load_bytes(data: bytes, name: str, folder: Path | None = None) -> Graph:
    """The graph in the bytes of an .onnx; `name` is the graph's name and stands in errors.

    `folder` may hold the file's external data. Operators that tinyc cannot compile become `Unsupported` ops,
    which `passes.legalize` reports. An open batch is 1.
    Raises TinycError when the package `onnx` is absent and for a file that is damaged or has no usable graph.
    """
    try:
        from tinyc.frontends.onnx.conversion import convert
        from tinyc.frontends.onnx.reader import read
    except ImportError as error:
        raise TinycError(
            f"the package onnx is needed to read this model: {error}",
            where=name,
            allowed=".tflite files need nothing else",
            hint="pip install tinyc[onnx]",
        ) from error
    return convert(read(data, name, folder), name).graph
