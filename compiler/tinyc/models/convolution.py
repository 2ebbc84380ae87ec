"""A depthwise convolution over time that sees only the past."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

# Up to this many rows a convolution is computed as a matrix product.
MATRIX_TIME = 64


@keras.saving.register_keras_serializable(package="tinyc")
class CausalDepthwiseConv1D(keras.layers.Layer):
    """One filter per column, left padded with zeros: [batch, time, d] -> [batch, time, d].

    `y[t] = activation(sum over j of kernel[j] * x[t - (kernel_size - 1) + j] + bias)`: the last tap
    meets the row itself. Rows that a mask switches off must come last, as padding does.

    Weights: kernel [kernel_size, d], bias [d].
    """

    def __init__(
        self, kernel_size: int, activation: Any = None, use_bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        units = input_shape[-1]
        limit = self.kernel_size**-0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, units),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )
        self.bias = (
            self.add_weight(name="bias", shape=(units,), initializer="zeros") if self.use_bias else None
        )

    def call(self, x: Any) -> Any:
        ops = keras.ops
        if x.shape[1] is not None and x.shape[1] <= MATRIX_TIME:
            result = self._product(x)
        else:
            padded = ops.pad(x, ((0, 0), (self.kernel_size - 1, 0), (0, 0)))
            result = ops.depthwise_conv(padded, ops.expand_dims(self.kernel, -1), padding="valid")
        if self.bias is not None:
            result = result + self.bias
        return self.activation(result)

    def _product(self, x: Any) -> Any:
        """The convolution as one matrix [time, time] for each column: the fastest to train on a CPU."""
        ops = keras.ops
        now = np.arange(x.shape[1])
        lag = now[None, :] - now[:, None]
        seen = (lag >= 0) & (lag < self.kernel_size)
        # Row `kernel_size` of the padded kernel is the zero of pairs that do not meet.
        tap = np.where(seen, self.kernel_size - 1 - lag, self.kernel_size)
        taps = ops.take(ops.pad(self.kernel, ((0, 1), (0, 0))), tap, axis=0)
        columns = ops.matmul(ops.transpose(x, (2, 0, 1)), ops.transpose(taps, (2, 0, 1)))
        return ops.transpose(columns, (1, 2, 0))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
