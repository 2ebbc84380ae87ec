"""The layers behind a tap in float32 with TensorFlow: what fine-tuning is without quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tinyc.learning.sparse.design import SparseDesign
from tinyc.learning.sparse.layers import PoolLayer, Weighted


class FloatSuffix:
    """The same layers, tensors and learning rate as `design`; weights and activations are real numbers.

    For layers with ReLU or no activation, and pools.
    """

    def __init__(self, design: SparseDesign) -> None:
        self.design = design
        self.layers = design.program.layers
        self._variables: dict[str, tuple[Any, Any]] = {}
        for layer in self.layers:
            if isinstance(layer, Weighted):
                weights = layer.weights.astype(np.float32) * layer.scales[:, None]
                biases = layer.biases.astype(np.float32) * layer.scales * np.float32(layer.input_scale)
                self._variables[layer.name] = (tf.Variable(weights), tf.Variable(biases))
        self._known = tf.Variable((design.factory["counts"] > 0).astype(np.float32))
        self._learning = [
            (variable, np.float32(design.rates[name]))
            for name in design.program.trained
            for variable in self._variables[name]
        ]
        whole = [tf.TensorSpec((None, design.latent), tf.float32)]
        one = [tf.TensorSpec((1, design.latent), tf.float32), tf.TensorSpec((1,), tf.int32)]
        self._scores = tf.function(self._logits, input_signature=whole)
        self._update = tf.function(self._step, input_signature=one)

    def scores(self, latents: np.ndarray) -> np.ndarray:
        """float32 (n, capacity); classes without samples score very little."""
        return np.asarray(self._scores(latents.astype(np.float32)).numpy())

    def update(self, latent: np.ndarray, label: int) -> None:
        """One step of stochastic gradient descent."""
        self._known.scatter_nd_update([[label]], [1.0])
        self._update(latent[None].astype(np.float32), np.array([label], np.int32))

    def _logits(self, latents: Any) -> Any:
        first = self.layers[0]
        values = {first.input: (latents - first.input_zero) * first.input_scale}
        for layer in self.layers:
            shape = (-1, layer.x.height, layer.x.width, layer.x.channels)
            x = tf.reshape(values[layer.input], shape)
            if isinstance(layer, PoolLayer):
                values[layer.output] = tf.reduce_mean(x, axis=(1, 2), keepdims=True)
            elif isinstance(layer, Weighted):
                values[layer.output] = self._weighted(layer, x)
        logits = tf.reshape(values[self.layers[-1].output], (-1, self.design.capacity))
        return logits + (1.0 - self._known) * -1e9

    def _weighted(self, layer: Weighted, x: Any) -> Any:
        weights, biases = self._variables[layer.name]
        window = layer.window
        top, bottom, left, right = window.pads
        x = tf.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
        kernel = tf.reshape(weights, (layer.rows, *window.kernel, -1))
        if layer.depthwise:
            strides = (1, *window.stride, 1)
            y = tf.nn.depthwise_conv2d(x, tf.transpose(kernel, (1, 2, 0, 3)), strides, "VALID")
        else:
            y = tf.nn.conv2d(x, tf.transpose(kernel, (1, 2, 3, 0)), window.stride, "VALID")
        # ReLU is a clamp at the zero point.
        return tf.nn.relu(y + biases) if layer.low == layer.output_zero else y + biases

    def _step(self, latent: Any, label: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label, self._logits(latent))
        gradients = tape.gradient(loss, [variable for variable, _ in self._learning])
        for (variable, rate), gradient in zip(self._learning, gradients, strict=True):
            variable.assign_sub(rate * gradient)
