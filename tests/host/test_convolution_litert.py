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
from support.litert import reference_outputs
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Padding
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.host

KINDS = (Conv2D, DepthwiseConv2D, FullyConnected)
CASES = 40


def rescaled(quantization: Quantization | None, factor: float) -> Quantization:
    assert quantization is not None
    scales = tuple(float(np.float32(scale * factor)) for scale in quantization.scale)
    return Quantization(scales, (0,) * len(scales), quantization.axis)


def as_int16(tensor: Tensor) -> Tensor:
    """Activations with 1/256 of the scale and no zero point, the bias in 64 bits."""
    if tensor.dtype is DType.INT32:
        # TensorFlow Lite narrows the scaled sum to 32 bits, which wraps for biases near the limits.
        data = np.clip(tensor.constant, -(2**20), 2**20).astype(np.int64) * 256
        return tensor.with_(dtype=DType.INT64, data=data, quantization=rescaled(tensor.quantization, 1 / 256))
    if tensor.is_constant:
        return tensor
    return tensor.with_(dtype=DType.INT16, quantization=rescaled(tensor.quantization, 1 / 256))


def as_float(tensor: Tensor) -> Tensor:
    data = None if tensor.data is None else (tensor.data / 100).astype(np.float32)
    return tensor.with_(dtype=DType.FLOAT32, data=data, quantization=None)


def as_int8(tensor: Tensor) -> Tensor:
    return tensor


@pytest.mark.parametrize("variant", [as_int8, as_int16, as_float])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_equals_tensorflow_lite(kind: type[Op], variant: Callable[[Tensor], Tensor]) -> None:
    rng = np.random.default_rng(17)
    seen = 0
    while seen < CASES:
        graph = STRATEGIES[kind](rng)
        if getattr(graph.ops[0], "padding", None) is Padding.EXPLICIT:
            continue  # TensorFlow Lite has no such layer; padding has a test of its own
        if variant is as_int16 and kind is DepthwiseConv2D and len(graph.ops[0].inputs) < 3:
            continue  # the writer would give it a 32-bit bias, which TensorFlow Lite refuses here
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
