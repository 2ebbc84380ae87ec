"""Front ends: a model file in, a graph out. `load` chooses by suffix and contents."""

from __future__ import annotations

import re
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.ir.graph import Graph

_SUFFIXES = (".tflite", ".onnx", ".keras", ".h5", ".hdf5")
ACCEPTED = f"{', '.join(_SUFFIXES)}, or a SavedModel folder"
# No model for a microcontroller is anywhere near.
MAX_FILE_BYTES = 1 << 28


def load(path: Path) -> Graph:
    """The graph of a model file or SavedModel folder, op by op as the file has it.

    Keras and SavedModel files need TensorFlow and give a float32 graph, .onnx files the package onnx.
    Raises TinycError for a path or a file that cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    require_model(path)
    if suffix not in (".tflite", ".onnx") or path.is_dir():
        from tinyc.frontends import keras

        return keras.load(path)
    data = _bytes(path)
    try:
        if suffix == ".onnx":
            from tinyc.frontends import onnx

            return onnx.load_bytes(data, graph_name(path), path.parent)
        from tinyc.frontends import tflite

        return tflite.load_bytes(data, graph_name(path))
    except TinycError as error:
        # The graph is called by its stem; the user wants the path.
        error.where = str(path)
        raise


def require_model(path: Path) -> None:
    """Raise TinycError unless there is a file or folder that may be a model, by its name alone."""
    if not path.exists():
        raise TinycError("there is no such file", where=str(path), allowed=ACCEPTED)
    if path.is_dir():
        if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise TinycError(
                "the folder holds no build, no tinyc.toml and no SavedModel",
                where=str(path),
                allowed=ACCEPTED,
            )
    elif path.suffix.lower() not in _SUFFIXES:
        found = f"unknown suffix `{path.suffix}`" if path.suffix else "the file has no suffix"
        raise TinycError(f"{found}, so the kind of model is not known", where=str(path), allowed=ACCEPTED)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise TinycError(
                f"the file has {size} bytes", where=str(path), allowed=f"up to {MAX_FILE_BYTES} bytes"
            )
        return path.read_bytes()
    except OSError as error:
        raise TinycError(f"the file cannot be read: {error.strerror}", where=str(path)) from error


def graph_name(path: Path) -> str:
    """A name for the graph: the file's stem, printable."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("_.") or "model"
