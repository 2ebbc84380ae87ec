"""One small Keras model of the zoo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

Shape = tuple[int, ...]


class Numbers(Enum):
    """The integers of a quantized model."""

    INT8 = "int8"
    INT16 = "int16"
    """int16 activations, int8 weights."""
    INT4 = "int4"
    """int8 activations, int4 weights of convolutions and fully connected layers."""


@dataclass(frozen=True, slots=True)
class Case:
    """`build(keras, *inputs)` gives the outputs of a model whose inputs have `shapes`, batch left out."""

    name: str
    shapes: tuple[Shape, ...]
    build: Callable[..., Any]
    numbers: Numbers = Numbers.INT8
    open_batch: bool = False
    """Whether the converter is to leave the batch open, as it does with most models that it is given."""

    def model(self, keras: Any) -> Any:
        """The model, with random weights that are the same in every run."""
        # Layers are counted for their names, and what the converter does depends on names.
        keras.utils.clear_session()
        keras.utils.set_random_seed(7)
        batch = None if self.open_batch else 1
        inputs = [keras.Input(batch_shape=(batch, *shape)) for shape in self.shapes]
        model = keras.Model(inputs, self.build(keras, *inputs))
        rng = np.random.default_rng(7)
        for weight in model.weights:
            # Zero biases and unit gains would hide what is done with them.
            if weight.path.rsplit("/", 1)[-1] in ("bias", "beta", "moving_mean"):
                weight.assign(rng.normal(0, 0.2, weight.shape))
            elif weight.path.rsplit("/", 1)[-1] in ("gamma", "moving_variance", "alpha"):
                weight.assign(rng.uniform(0.3, 1.5, weight.shape))
        return model


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number of low..high."""
    return int(rng.integers(low, high + 1))


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def operation(keras: Any, function: Callable[..., Any], *inputs: Any) -> Any:
    """A function of TensorFlow, `function(tf, *inputs)`, where Keras has none or wraps it in others."""
    import tensorflow as tf

    if len(inputs) == 1:
        return keras.layers.Lambda(lambda x: function(tf, x))(inputs[0])
    return keras.layers.Lambda(lambda x: function(tf, *x))(list(inputs))
