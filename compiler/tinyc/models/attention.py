"""Attention with two weight matrices, and the difference skip that joins it with a convolution."""

from __future__ import annotations

from typing import Any

import keras

# Scores of masked keys: far below any real score, still finite in float32.
MASKED_SCORE = -1e9


@keras.saving.register_keras_serializable(package="tinyc")
class EfficientAttention(keras.layers.Layer):
    """Attention whose keys and values are the input itself: [batch, time, d] -> [batch, time, d].

    `softmax((x @ query_kernel + query_bias) @ x^T / sqrt(d / heads) + mask) @ x`, then
    `@ output_kernel + output_bias`. With several heads, head h takes columns h*d/heads to (h+1)*d/heads
    of the queries and of x. A mask [batch, time] switches keys off. `dropout` acts on the probabilities.

    Weights: query_kernel [d, d], query_bias [d], output_kernel [d, d], output_bias [d].
    """

    def __init__(self, heads: int = 1, dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.dropout = dropout
        self.supports_masking = True
        self.drop = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        units = input_shape[-1]
        if units is None or units % self.heads:
            raise ValueError(f"{units} columns do not split into {self.heads} heads")
        self.query_kernel = self.add_weight(
            name="query_kernel", shape=(units, units), initializer="glorot_uniform"
        )
        self.query_bias = self.add_weight(name="query_bias", shape=(units,), initializer="zeros")
        self.output_kernel = self.add_weight(
            name="output_kernel", shape=(units, units), initializer="glorot_uniform"
        )
        self.output_bias = self.add_weight(name="output_bias", shape=(units,), initializer="zeros")

    def call(self, x: Any, mask: Any = None, training: bool | None = None) -> Any:
        ops = keras.ops
        units = x.shape[-1]
        queries = ops.matmul(x, self.query_kernel) + self.query_bias
        queries = queries * (units / self.heads) ** -0.5
        queries, keys = self._split(queries), self._split(x)
        scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        if mask is not None:
            allowed = ops.expand_dims(mask, 1)
            if self.heads > 1:
                allowed = ops.expand_dims(allowed, 1)
            scores = ops.where(allowed, scores, ops.cast(MASKED_SCORE, scores.dtype))
        probabilities = self.drop(ops.softmax(scores, axis=-1), training=training)
        context = self._join(ops.matmul(probabilities, keys), units)
        return ops.matmul(context, self.output_kernel) + self.output_bias

    def _split(self, x: Any) -> Any:
        """[batch, time, d] -> [batch, heads, time, d / heads]; one head stays as it is."""
        if self.heads == 1:
            return x
        ops = keras.ops
        width = x.shape[-1] // self.heads
        return ops.transpose(ops.reshape(x, (-1, ops.shape(x)[1], self.heads, width)), (0, 2, 1, 3))

    def _join(self, x: Any, units: int) -> Any:
        if self.heads == 1:
            return x
        ops = keras.ops
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, ops.shape(x)[2], units))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, x: Any, mask: Any = None, training: bool | None = None) -> Any:
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads, "dropout": self.dropout}


@keras.saving.register_keras_serializable(package="tinyc")
class DifferenceSkip(keras.layers.Layer):
    """Weighted difference of two branches: [a, c], both [batch, time, d] -> [batch, time, d].

    `exp(query_1 . key_1) * a - exp(query_2 . key_2) * c`: two numbers, constant once trained.

    Weights: query_1, key_1, query_2, key_2, each [d].
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        units = input_shape[0][-1]

        def vector(name: str) -> Any:
            return self.add_weight(
                name=name, shape=(units,), initializer=keras.initializers.RandomNormal(stddev=0.1)
            )

        self.query_1, self.key_1 = vector("query_1"), vector("key_1")
        self.query_2, self.key_2 = vector("query_2"), vector("key_2")

    def call(self, inputs: Any) -> Any:
        ops = keras.ops
        attended, convolved = inputs
        gain_1 = ops.exp(ops.sum(self.query_1 * self.key_1))
        gain_2 = ops.exp(ops.sum(self.query_2 * self.key_2))
        return gain_1 * attended - gain_2 * convolved

    def compute_mask(self, inputs: Any, previous: Any = None) -> Any:
        return None if previous is None else previous[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]
