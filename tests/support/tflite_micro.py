"""TensorFlow Lite Micro's own answer for a file: its Python package, which has the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tinyc.ir.tensor import Array

ARENA = 400_000


def micro_interpreter(model: bytes) -> Any:
    """An interpreter of the model's bytes. Skips where the package is absent."""
    package = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed"
    )
    return package.Interpreter.from_bytes(model, arena_size=ARENA)


def run_micro(interpreter: Any, inputs: Sequence[Array], outputs: int) -> tuple[Array, ...]:
    """One inference; inputs and the first `outputs` outputs in the order of the model."""
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    return tuple(np.array(interpreter.get_output(index)) for index in range(outputs))
