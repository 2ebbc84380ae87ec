"""Gradients by TensorFlow's tape of a transformer's tail, on the integers that the device has."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tinyc.ir.graph import Graph
from tinyc.learning.sparse.arithmetic import gain_steps
from tinyc.learning.sparse.head import Pass, SparseHead
from tinyc.learning.sparse.layers import CurveLayer, GainLayer, NormLayer, Weighted


def gradients(graph: Graph, head: SparseHead, done: Pass, label: int) -> dict[str, tuple[Any, ...]]:
    """Of real weights and biases, and of gains, by layer name, after the forward pass `done`."""
    layers = head.program.layers
    kinds = {op.name: op.kind.lower() for op in graph.ops}
    variables: dict[str, tuple[Any, ...]] = {}
    known: dict[str, Any] = {}

    def value(name: str, scale: float, zero: Any = 0) -> Any:
        return tf.constant((done.values[name].astype(np.float32) - np.float32(zero)) * np.float32(scale))

    def measured(real: Any, name: str, scale: float, zero: int, low: int, high: int) -> Any:
        """What the device has instead of `real`; its gradient passes where nothing is clamped."""
        steps = tf.round(real / np.float32(scale)) + float(zero)
        passes = tf.cast((steps >= low) & (steps <= high), tf.float32)

        @tf.custom_gradient
        def straight_through(x: Any) -> Any:
            return value(name, scale, zero), lambda upstream: upstream * passes

        return straight_through(real)

    y: Any = None
    with tf.GradientTape() as tape:
        for index, layer in enumerate(layers):
            if isinstance(layer, GainLayer):
                # As they are, rounded with their bases.
                steps = gain_steps(layer, head.gains(layer))
                gains = tf.Variable((steps / layer.bases).astype(np.float32))
                variables[layer.name] = (gains,)
                x = known.get(layer.input)
                if x is None:
                    x = value(layer.input, layer.scale, layer.zeros)
                step = layer.slope * layer.scale * 2**layer.shift
                beta = (layer.offsets - 2 ** (layer.shift - 1)) * layer.slope * layer.scale
                y = x * (layer.units / np.float32(layer.scale)) * gains + beta.astype(np.float32)
                known[layer.output] = measured(y, layer.output, step, 0, layer.low, layer.high)
            elif isinstance(layer, NormLayer):
                x = known.get(layer.input)
                if x is None:
                    x = value(layer.input, layer.scale)
                x = x - tf.reduce_mean(x) if layer.mean_multiplier else x
                epsilon = layer.row_scale.epsilon * layer.scale**2 / layer.x.channels
                y = x * tf.math.rsqrt(tf.reduce_mean(tf.square(x)) + np.float32(epsilon))
                scale = _scale(layers, index)
                known[layer.output] = measured(y, layer.output, scale, 0, layer.low, layer.high)
            elif isinstance(layer, CurveLayer):
                x = known[layer.input]
                y = tf.nn.gelu(x, approximate=False) if "gelu" in kinds[layer.name] else tf.nn.silu(x)
                tensor = graph[layer.output]
                scale, zero = tensor.scale, tensor.zero_point
                known[layer.output] = measured(y, layer.output, scale, zero, -128, 127)
            else:
                assert isinstance(layer, Weighted)
                weights, biases = head.parameters(layer)
                real = tf.Variable(weights.astype(np.float32) * layer.scales.reshape(-1, 1))
                offsets = tf.Variable(biases.astype(np.float32) * layer.scales * np.float32(layer.sum_scale))
                variables[layer.name] = (real, offsets)
                y = tf.linalg.matvec(real, known[layer.input]) + offsets
                if layer.residual is not None:
                    y = y + known[layer.residual.input]
                if not layer.is_logits:
                    scale, zero = graph[layer.output].scale, layer.output_zero
                    known[layer.output] = measured(y, layer.output, scale, zero, layer.low, layer.high)
        classes = head.design.factory_classes
        y = y + tf.stop_gradient(done.logits - y)
        loss = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(label, classes), y[:classes])
    found = tape.gradient(loss, variables)
    return {name: tuple(each.numpy() for each in parts) for name, parts in found.items()}


def _scale(layers: Any, index: int) -> float:
    """That of the output of a layer: its reader's input has it."""
    reader = next(each for each in layers[index + 1 :] if each.input == layers[index].output)
    return float(reader.scale)


def gradient_errors(graph: Graph, head: SparseHead, latents: np.ndarray) -> dict[str, tuple[float, float]]:
    """By layer: the largest difference from TensorFlow's gradient over the largest element of it, the worst
    over latents; and the largest element over all."""
    layers = {layer.name: layer for layer in head.program.layers}
    worst: dict[str, tuple[float, float]] = {}
    for index, latent in enumerate(latents):
        label = index % head.design.factory_classes
        done = head.forward(latent)
        expected = gradients(graph, head, done, label)
        for name, (rows, biases) in head.backward(done, label, learn=False).items():
            layer = layers[name]
            if isinstance(layer, GainLayer):
                pairs = [(rows[:, 0] * layer.units[: layer.rows], expected[name][0][: layer.rows])]
            else:
                assert isinstance(layer, Weighted)
                pairs = list(zip((rows * np.float32(layer.input_scale), biases), expected[name], strict=True))
            for mine, theirs in pairs:
                mine = mine[: len(theirs)]
                largest = float(np.abs(theirs).max())
                error = float(np.abs(mine - theirs).max()) / largest if largest else float(np.abs(mine).max())
                known = worst.get(name, (0.0, 0.0))
                worst[name] = max(known[0], error), max(known[1], largest)
    return worst
