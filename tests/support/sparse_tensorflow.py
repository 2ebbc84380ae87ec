"""Gradients by TensorFlow's tape of the layers behind a tap, on the int8 values that the device has."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from support.sparse import Network
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.learning.sparse.cut import Cut, cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.head import SparseHead
from tinyc.learning.sparse.layers import AddLayer, PoolLayer, Weighted
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers


def separable(seed: int) -> Graph:
    return (
        Network(seed, 9, 5, 16)
        .depthwise()
        .conv(24)
        .depthwise(3, 2)
        .conv(32)
        .pool()
        .dense(5, size=0.3)
        .graph()
    )


def wide(seed: int) -> Graph:
    return (
        Network(seed, 8, 6, 6)
        .conv(12, 3, 2)
        .conv(10, 3)
        .flatten()
        .dense(12, relu=True)
        .dense(4, size=0.02)
        .graph()
    )


def residual(seed: int) -> Graph:
    net = Network(seed, 5, 4, 8).conv(16)
    start = net.last
    return (
        net.depthwise()
        .conv(16, relu=False)
        .residual(start)
        .conv(12, 3)
        .pool(mean=True)
        .dense(4, size=0.1)
        .graph()
    )


NETWORKS = (separable, wide, residual)


def quantized(real: Any, tensor: Any, low: int, high: int, value: np.ndarray) -> Any:
    """`value`, the int8 result in real units; its gradient passes where TensorFlow's own does not clamp."""
    steps = tf.round(real / np.float32(tensor.scale)) + float(tensor.zero_point)
    passes = tf.cast((steps >= low) & (steps <= high), tf.float32)

    @tf.custom_gradient
    def straight_through(x: Any) -> Any:
        return tf.constant(value), lambda upstream: upstream * passes

    return straight_through(real)


def tensorflow_gradients(split: Cut, design: SparseDesign, latent: np.ndarray, label: int) -> dict[str, Any]:
    """Gradients of real weights and biases by TensorFlow's tape, in the layout of the graph."""
    suffix, layers = split.suffix, design.program.layers
    values = interpreter.trace(suffix, [latent.reshape(suffix[split.tap].shape)])

    def real(name: str) -> np.ndarray:
        tensor = suffix[name]
        return np.asarray((values[name].astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale))

    variables: dict[str, tuple[Any, Any]] = {}
    known: dict[str, Any] = {split.tap: tf.constant(real(split.tap))}
    y: Any = None
    with tf.GradientTape() as tape:
        for layer in layers:
            x = known[layer.input]
            if isinstance(layer, PoolLayer):
                y = tf.reduce_mean(x, axis=(1, 2), keepdims=True)
            elif isinstance(layer, AddLayer):
                y = x + known[layer.other]
            else:
                window = layer.window
                scales = layer.scales.reshape(-1, 1)
                weights = tf.Variable(layer.weights.astype(np.float32) * scales)
                biases = tf.Variable(layer.biases.astype(np.float32) * layer.scales * layer.input_scale)
                variables[layer.name] = (weights, biases)
                kernel = tf.reshape(weights, (layer.rows, *window.kernel, -1))
                top, bottom, left, right = window.pads
                plane = tf.reshape(x, (1, layer.x.height, layer.x.width, layer.x.channels))
                plane = tf.pad(plane, [(0, 0), (top, bottom), (left, right), (0, 0)])
                if layer.depthwise:
                    y = tf.nn.depthwise_conv2d(
                        plane, tf.transpose(kernel, (1, 2, 0, 3)), (1, *window.stride, 1), "VALID"
                    )
                else:
                    y = tf.nn.conv2d(plane, tf.transpose(kernel, (1, 2, 3, 0)), window.stride, "VALID")
                y = y + biases
                if layer.is_logits:
                    break
            tensor = suffix[layer.output]
            shape = (1, layer.y.height, layer.y.width, layer.y.channels)
            value = real(layer.output).reshape(shape)
            known[layer.output] = quantized(tf.reshape(y, shape), tensor, layer.low, layer.high, value)
        classes = design.factory_classes
        loss = tf.nn.softmax_cross_entropy_with_logits(
            tf.one_hot([label], classes), tf.reshape(y, (1, -1))[:, :classes]
        )
    gradients = tape.gradient(loss, variables)
    return {name: tuple(gradient.numpy() for gradient in pair) for name, pair in gradients.items()}


def gradient_errors(graph: Graph, samples: int = 6) -> dict[str, tuple[float, float]]:
    """By layer: the largest difference from TensorFlow's gradient over the largest element of it, the worst
    over samples, weights and biases; and the largest element over all samples."""
    split = cut(graph, "x")
    rng = np.random.default_rng(0)
    latents = rng.integers(-128, 128, (samples, graph["x"].elements)).astype(np.int8)
    layers = [layer for layer in read_layers(split.suffix) if isinstance(layer, Weighted)]
    trained = {layer.name: Trained(tuple(range(layer.rows))) for layer in layers}
    design = design_sparse(split, trained, capacity=layers[-1].rows, latents=latents)
    head = SparseHead(design)
    worst = {layer.name: (0.0, 0.0) for layer in layers}
    for index, latent in enumerate(latents):
        label = index % design.factory_classes
        found = head.backward(head.forward(latent), label, learn=False)
        expected = tensorflow_gradients(split, design, latent, label)
        assert set(found) == set(expected) == set(worst)
        for layer in layers:
            ours = (found[layer.name][0] * np.float32(layer.input_scale), found[layer.name][1])
            for mine, theirs in zip(ours, expected[layer.name], strict=True):
                largest = float(np.abs(theirs).max())
                error = float(np.abs(mine - theirs).max()) / largest if largest else float(np.abs(mine).max())
                known = worst[layer.name]
                worst[layer.name] = max(known[0], error), max(known[1], largest)
    return worst
