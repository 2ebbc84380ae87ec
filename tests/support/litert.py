"""TensorFlow Lite's own answer for a graph: LiteRT with the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from support.tflite_writer import write
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array


def reference_interpreter(model: bytes, *, plain: bool = True) -> Any:
    """An interpreter of the model's bytes with BUILTIN_REF kernels. Skips where LiteRT is absent.

    Without `plain` it has the kernels for speed, of which there are some more.
    """
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    kinds = litert.OpResolverType
    kernels = kinds.BUILTIN_REF if plain else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def run_interpreter(interpreter: Any, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """One inference; inputs and outputs in the order of the model."""
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return tuple(np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details())


def reference_outputs(graph: Graph, inputs: Sequence[Array], *, plain: bool = True) -> tuple[Array, ...]:
    """The outputs of `graph` as TensorFlow Lite's reference kernels compute them, unless not `plain`."""
    return run_interpreter(reference_interpreter(write(graph), plain=plain), inputs)
