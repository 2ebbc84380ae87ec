"""Networks over a stretch of time from Keras, quantized by TensorFlow's converter.

`python -m support.keras_stream OUT.npz`, a process of its own as `support.keras_zoo.convert`. A convolutional
one, trained for a few steps, has three outputs: classes per frame, for the last frame and for the mean of all
frames. A GRU takes one frame and keeps its state in a resource variable, or all frames at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, FEATURES = 16, 6


def network(keras: Any, batch: int | None = None) -> Any:
    """Causal convolutions, plain, depthwise and dilated, with what is beside and behind them in practice."""
    layers = keras.layers
    x = entry = keras.Input(batch_shape=(batch, FRAMES, FEATURES))
    x = layers.Conv1D(8, 3, padding="causal", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv1D(3)(layers.ZeroPadding1D((2, 0))(x))
    y = layers.BatchNormalization()(layers.Conv1D(8, 1, use_bias=False)(y))
    x = layers.Add()([x, layers.ReLU()(y)])
    y = layers.Conv1D(8, 3, padding="causal", dilation_rate=4, activation="relu")(x)
    x = layers.Add()([x, y])
    ends = (x, x[:, -1], layers.GlobalAveragePooling1D()(x))
    return keras.Model(entry, [layers.Dense(3, activation="softmax")(end) for end in ends])


def recurrent(keras: Any, frames: int, *, stateful: bool) -> Any:
    """A GRU over so many frames at once, three numbers for each."""
    entry = keras.Input(batch_shape=(1, frames, FEATURES))
    x = keras.layers.GRU(6, unroll=True, return_sequences=True, stateful=stateful)(entry)
    return keras.Model(entry, keras.layers.Dense(3)(x))


def convert(tf: Any, model: Any, samples: Any = None) -> bytes:
    """A .tflite file: int8 with `samples` to calibrate on, or else float32."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


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

    # Where the batch is open the file has a REDUCE_PROD, which TensorFlow Lite Micro has not.
    single = network(keras, 1)
    single.set_weights(model.get_weights())
    step, whole = recurrent(keras, 1, stateful=True), recurrent(keras, FRAMES, stateful=False)
    whole.set_weights(step.get_weights())
    files = {
        "int8": convert(tf, single, x),
        "float32": convert(tf, model),
        "gru_int8": convert(tf, step, x.reshape(-1, 1, FEATURES)[:100]),
        "gru_float32": convert(tf, step),
        "gru_whole_float32": convert(tf, whole),
    }
    np.savez(path, **{name: np.frombuffer(data, np.uint8) for name, data in files.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
