"""A network over a stretch of time, trained by Keras for a few steps, quantized by TensorFlow's converter.

`python -m support.keras_stream OUT.npz`, a process of its own as `support.keras_zoo.convert`. The three
outputs are classes per frame, for the last frame and for the mean of all frames.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, FEATURES = 16, 6


def network(keras: Any) -> Any:
    """Causal convolutions, plain, depthwise and dilated, with what is beside and behind them in practice."""
    layers = keras.layers
    x = entry = keras.Input((FRAMES, FEATURES))
    x = layers.Conv1D(8, 3, padding="causal", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv1D(3)(layers.ZeroPadding1D((2, 0))(x))
    y = layers.BatchNormalization()(layers.Conv1D(8, 1, use_bias=False)(y))
    x = layers.Add()([x, layers.ReLU()(y)])
    y = layers.Conv1D(8, 3, padding="causal", dilation_rate=4, activation="relu")(x)
    x = layers.Add()([x, y])
    ends = (x, x[:, -1], layers.GlobalAveragePooling1D()(x))
    return keras.Model(entry, [layers.Dense(3, activation="softmax")(end) for end in ends])


def main(path: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, (64, FRAMES, FEATURES)).astype(np.float32)
    x += np.repeat(rng.normal(0, 1, (64, FRAMES // 4, 1)), 4, axis=1)
    frames = np.digitize(x.mean(axis=2), (-0.5, 0.5))
    labels = [frames, frames[:, -1], np.digitize(x.mean(axis=(1, 2)), (-0.2, 0.2))]
    model = network(keras)
    model.compile("adam", loss=["sparse_categorical_crossentropy"] * 3)
    for _ in range(5):
        model.train_on_batch(x, labels)

    # A batch of one: with an open one the file leaves shapes to be computed.
    signature = [tf.TensorSpec((1, FRAMES, FEATURES), tf.float32)]
    concrete = tf.function(lambda x: model(x), input_signature=signature).get_concrete_function()
    floats = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    whole = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    whole.optimizations = [tf.lite.Optimize.DEFAULT]
    whole.representative_dataset = lambda: ([row[None]] for row in x)
    whole.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    whole.inference_input_type = whole.inference_output_type = tf.int8
    files = {"int8": whole.convert(), "float32": floats.convert()}
    np.savez(path, **{name: np.frombuffer(data, np.uint8) for name, data in files.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
