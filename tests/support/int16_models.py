"""Small Keras networks as TensorFlow quantizes them with int16 activations and int8 weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np


def networks() -> dict[str, Any]:
    """Ten Keras models with the same random weights in every run, by name."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    layers, found = tf.keras.layers, dict[str, Any]()

    def add(name: str, x: Any, y: Any) -> None:
        found[name] = tf.keras.Model(x, y)

    x = tf.keras.Input((8, 8, 3))
    add("convolution", x, layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    add("depthwise", x, layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(x))
    x = tf.keras.Input((12,))
    add("dense", x, layers.Dense(5)(layers.Dense(8, activation="relu")(x)))
    add("softmax", x, layers.Softmax()(layers.Dense(4)(x)))
    gate = layers.Dense(6, activation="sigmoid")(x)
    add("gates", x, layers.Multiply()([layers.Dense(6, activation="tanh")(x), gate]))
    x = tf.keras.Input((8, 8, 4))
    add("residual", x, layers.ReLU()(layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])))
    pooled = layers.AveragePooling2D(2)(layers.MaxPooling2D(2)(x))
    add("pools", x, layers.GlobalAveragePooling2D()(pooled))
    both = layers.Concatenate()([layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(3, 1)(x)), x])
    add("moves", x, layers.Permute((2, 1, 3))(layers.ZeroPadding2D(1)(both)))
    y = layers.Conv2D(4, 1, activation="relu6")(x)
    halves = [layers.Reshape((32, 4))(part) for part in (y[:, ::2], y[:, 1::2])]
    add("slices", x, layers.Subtract()(halves))
    x = tf.keras.Input((12, 6, 1))
    y = layers.Conv2D(6, (5, 3), strides=2, padding="same", activation="relu")(x)
    for _ in range(2):
        y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
        y = layers.Conv2D(6, 1, activation="relu")(y)
    y = layers.Dense(4)(layers.Flatten()(layers.AveragePooling2D((6, 3))(y)))
    add("keywords", x, layers.Softmax()(y))
    return found


def converter_of(model: Any) -> Any:
    """TensorFlow's converter of a Keras model, for one input at a time."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (1, *model.input_shape[1:])
    function = tf.function(model).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])


def converted(model: Any) -> bytes:
    """The .tflite of a Keras model; inputs and outputs are int16 too."""
    import tensorflow as tf

    rng = np.random.default_rng(3)
    shape = (1, *model.input_shape[1:])
    samples = [rng.normal(0, 1, shape).astype(np.float32) for _ in range(8)]
    converter = converter_of(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    with warnings.catch_warnings():
        # It warns that the statistics it is about to measure were not given.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())
