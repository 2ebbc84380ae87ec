"""Trains a small network that tells six gestures apart by an accelerometer.

    python train.py

Writes gesture.tflite (float32), calibration.npz, evaluation.npz and inputs/. Needs
`pip install "tinyc[keras]"`; takes about a minute.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from gestures import AXES, LABELS, SAMPLES, window, windows

HERE = Path(__file__).parent
SEED = 23
TRAINING, CALIBRATION, EVALUATION, FRESH = 6000, 36, 120, 3000


def network() -> tf.keras.Model:
    """Three convolutions along time, each of which halves it, and one layer of answers."""
    layers = tf.keras.layers
    hidden = inputs = tf.keras.Input((SAMPLES, AXES), name="window")
    for filters, width in ((8, 5), (12, 5), (16, 3)):
        hidden = layers.Conv1D(filters, width, strides=2, padding="same", activation="relu")(hidden)
    hidden = layers.Flatten()(hidden)
    outputs = layers.Dense(len(LABELS), activation="softmax", name="gesture")(hidden)
    return tf.keras.Model(inputs, outputs, name="gesture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    tf.keras.utils.set_random_seed(SEED)
    x, y = windows(TRAINING, SEED)
    fresh_x, fresh_y = windows(FRESH, SEED + 1)
    model = network()
    steps = arguments.epochs * (len(x) // 50)
    rate = tf.keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(tf.keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=50, epochs=arguments.epochs, verbose=0)
    print(f"{model.count_params()} parameters")
    print(f"right answers on {FRESH} fresh windows: {model.evaluate(fresh_x, fresh_y, verbose=0)[1]:.4f}")

    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (arguments.output / "gesture.tflite").write_bytes(converted)
    np.savez_compressed(arguments.output / "calibration.npz", inputs=x[:CALIBRATION], labels=y[:CALIBRATION])
    np.savez_compressed(
        arguments.output / "evaluation.npz", inputs=fresh_x[:EVALUATION], labels=fresh_y[:EVALUATION]
    )
    inputs = arguments.output / "inputs"
    inputs.mkdir(exist_ok=True)
    for number, name in enumerate(LABELS):
        np.save(inputs / f"{name}.npy", window(number, np.random.default_rng(SEED + 2 + number))[None])


if __name__ == "__main__":
    main()
