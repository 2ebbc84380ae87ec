"""Trains the hello world of small models: y = sin(x) for x from 0 to 2 pi.

    python train.py

Writes sine.keras and calibration.npz. Needs `pip install "tinyc[keras]"`; takes about a minute.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
SEED = 7
SAMPLES = 2_000
CALIBRATION_SAMPLES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=300)
    arguments = parser.parse_args()

    tf.keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    x = rng.uniform(0, 2 * np.pi, (SAMPLES, 1)).astype(np.float32)
    y = np.sin(x)

    layers = tf.keras.layers
    inputs = tf.keras.Input((1,), name="x")
    # All inputs are positive: with zero biases half of the units would never be alive.
    spread = tf.keras.initializers.RandomUniform(-3, 3)
    hidden = layers.Dense(16, activation="relu", bias_initializer=spread, name="hidden_1")(inputs)
    hidden = layers.Dense(16, activation="relu", name="hidden_2")(hidden)
    outputs = layers.Dense(1, name="y")(hidden)
    model = tf.keras.Model(inputs, outputs, name="sine")
    steps = arguments.epochs * SAMPLES // 50
    model.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(5e-3, steps)), "mse")
    model.fit(x, y, batch_size=50, epochs=arguments.epochs, verbose=0)

    grid = np.linspace(0, 2 * np.pi, 1_000, dtype=np.float32)[:, None]
    error = np.abs(model.predict(grid, verbose=0) - np.sin(grid))
    print(f"mean error {error.mean():.4f}, largest {error.max():.4f}")

    # Without the optimizer's state the file is a tenth of the size.
    plain = tf.keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    plain.save(arguments.output / "sine.keras")
    np.savez_compressed(arguments.output / "calibration.npz", inputs=x[:CALIBRATION_SAMPLES])


if __name__ == "__main__":
    main()
