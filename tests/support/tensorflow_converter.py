"""The same float graph through TensorFlow's own post-training quantizer, to compare with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation
from tinyc.ir.tensor import Array


def tensorflow_function(graph: Graph) -> Callable[..., Any]:
    """`graph` (convolutions, FULLY_CONNECTED, pools, ADD, RESHAPE, SOFTMAX) as TensorFlow operations."""
    import tensorflow as tf

    activations = {Activation.NONE: lambda y: y, Activation.RELU: tf.nn.relu, Activation.RELU6: tf.nn.relu6}

    def step(op: Any, x: list[Any]) -> Any:
        if op.kind == "CONV_2D":
            filters = np.transpose(x[1], (1, 2, 3, 0))
            y = tf.nn.conv2d(x[0], filters, op.stride, op.padding.value) + x[2].reshape(-1)
        elif op.kind == "DEPTHWISE_CONV_2D":
            channels = x[0].shape[3]
            filters = np.reshape(x[1], (*x[1].shape[1:3], channels, -1))
            y = tf.nn.depthwise_conv2d(x[0], filters, (1, *op.stride, 1), op.padding.value) + x[2].reshape(-1)
        elif op.kind == "FULLY_CONNECTED":
            y = tf.matmul(tf.reshape(x[0], (-1, x[1].shape[1])), x[1].T) + x[2].reshape(-1)
        elif op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            pool = tf.nn.avg_pool2d if op.kind == "AVERAGE_POOL_2D" else tf.nn.max_pool2d
            size, stride = (op.filter_height, op.filter_width), (op.stride_height, op.stride_width)
            y = pool(x[0], size, stride, op.padding.value)
        elif op.kind == "ADD":
            y = x[0] + x[1]
        elif op.kind == "RESHAPE":
            return tf.reshape(x[0], graph[op.outputs[0]].shape)
        elif op.kind == "SOFTMAX":
            return tf.nn.softmax(x[0])
        else:
            raise NotImplementedError(op.kind)
        return activations[op.activation](y)

    signature = [
        tf.TensorSpec(graph[name].shape, tf.float32, name=f"input_{i}") for i, name in enumerate(graph.inputs)
    ]

    @tf.function(input_signature=signature)
    def function(*inputs: Any) -> Any:
        values: dict[str, Any] = {tensor.name: tensor.constant for tensor in graph.constants()}
        values.update(zip(graph.inputs, inputs, strict=True))
        for op in graph.ops:
            values[op.outputs[0]] = step(op, [values[name] for name in op.inputs])
        return [values[name] for name in graph.outputs]

    return function


def converted(graph: Graph, samples: Sequence[tuple[Array, ...]]) -> bytes:
    """An int8 .tflite of `graph`, quantized by TensorFlow with `samples`."""
    import tensorflow as tf

    function = tensorflow_function(graph).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([*sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # It warns that the statistics it is about to measure were not given.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())
