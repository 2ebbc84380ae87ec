"""Layers that make one row of many."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tinyc")
class FirstToken(keras.layers.Layer):
    """The first row: [batch, time, d] -> [batch, d]."""

    def call(self, x: Any) -> Any:
        return x[:, 0]

    def compute_mask(self, x: Any, previous: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable(package="tinyc")
class RootMeanSquarePooling1D(keras.layers.Layer):
    """Root of the mean square of each column over the unmasked rows: [batch, time, d] -> [batch, d].

    `sqrt(sum of x^2 / count + epsilon)`.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, x: Any, mask: Any = None) -> Any:
        ops = keras.ops
        squares = ops.square(x)
        if mask is None:
            mean = ops.mean(squares, axis=1)
        else:
            weights = ops.expand_dims(ops.cast(mask, x.dtype), -1)
            mean = ops.sum(squares * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)
        return ops.sqrt(mean + self.epsilon)

    def compute_mask(self, x: Any, previous: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
