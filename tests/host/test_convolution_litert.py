"""Convolutions and fully connected layers against TensorFlow Lite's reference kernels.

int8, int16 activations with a 64-bit bias, and float32; fully connected layers with the single
rounding of TensorFlow Lite's host kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from strategies import STRATEGIES
from strategies.common import random_inputs
from strategies.int16 import with_int16_activations
from support.litert import reference_outputs
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Padding
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType, Tensor
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.host

KINDS = (Conv2D, DepthwiseConv2D, FullyConnected)
CASES = 40


def as_float(tensor: Tensor) -> Tensor:
    data = None if tensor.data is None else (tensor.data / 100).astype(np.float32)
    return tensor.with_(dtype=DType.FLOAT32, data=data, quantization=None)


def as_int8(tensor: Tensor) -> Tensor:
    return tensor


@pytest.mark.parametrize("variant", [as_int8, with_int16_activations, as_float])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_equals_tensorflow_lite(kind: type[Op], variant: Callable[[Tensor], Tensor]) -> None:
    rng = np.random.default_rng(17)
    seen = 0
    while seen < CASES:
        graph = STRATEGIES[kind](rng)
        if getattr(graph.ops[0], "padding", None) is Padding.EXPLICIT:
            continue  # TensorFlow Lite has no such layer; padding has a test of its own
        if graph[graph.inputs[0]].dtype is not DType.INT8:
            continue
        seen += 1
        tensors = {name: variant(tensor) for name, tensor in graph.tensors.items()}
        graph = Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs)
        inputs = random_inputs(rng, graph)
        (expected,) = reference_outputs(graph, inputs)
        (actual,) = interpreter.run(graph, inputs, Rounding.SINGLE)
        if variant is as_float:
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4, err_msg=str(graph.ops[0]))
        else:
            assert np.array_equal(actual, expected), graph.ops[0]
