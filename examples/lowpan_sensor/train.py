"""Trains a small network that tells four motions apart from a window of an accelerometer.

    python train.py

Writes motion.tflite (float32), calibration.npz and evaluation.npz. Needs `pip install "tinyc[keras]"`;
takes about half a minute.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from motions import AXES, LABELS, SAMPLES, windows

HERE = Path(__file__).parent
SEED = 11
TRAINING, CALIBRATION, EVALUATION = 4000, 64, 400


def network() -> tf.keras.Model:
    """Three convolutions along time, a mean over what is left of it, one layer of answers."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((SAMPLES, 1, AXES), name="window")
    hidden = inputs
    for filters, width in ((8, 7), (12, 5), (16, 5)):
        hidden = layers.Conv2D(filters, (width, 1), (2, 1), padding="same", activation="relu")(hidden)
    hidden = layers.GlobalAveragePooling2D()(hidden)
    return tf.keras.Model(inputs, layers.Dense(len(LABELS), name="motion")(hidden), name="motion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    tf.keras.utils.set_random_seed(SEED)
    x, y = windows(TRAINING, SEED)
    fresh_x, fresh_y = windows(EVALUATION, SEED + 1)
    x, fresh_x = x[:, :, None, :], fresh_x[:, :, None, :]
    model = network()
    steps = arguments.epochs * (len(x) // 50)
    model.compile(
        tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(5e-3, steps)),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=50, epochs=arguments.epochs, verbose=0)
    model.summary()
    print(f"right answers on fresh windows: {model.evaluate(fresh_x, fresh_y, verbose=0)[1]:.3f}")

    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (arguments.output / "motion.tflite").write_bytes(converted)
    np.savez_compressed(arguments.output / "calibration.npz", inputs=x[:CALIBRATION])
    np.savez_compressed(
        arguments.output / "evaluation.npz", inputs=fresh_x[:64], labels=fresh_y[:64].astype(np.int64)
    )


if __name__ == "__main__":
    main()
