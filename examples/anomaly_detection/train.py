"""Trains an auto-encoder on the vibration of healthy machines; it rebuilds that of faulty ones badly.

    python train.py

The network is the one of MLPerf Tiny's anomaly detection: 640 inputs, four layers of 128 units, 8 units, four
layers of 128 units, 640 outputs. Features are those that the firmware computes. Writes results.json and
anomaly_detection.tflite (int8). Needs `pip install "tinyc[keras]"`; takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from machine import RATE, SAMPLES, recording, test_recordings
from scores import Array, areas, mean_scores

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings

HERE = Path(__file__).parent
SEED = 5
TRAINING, CALIBRATION = 300, 400
WIDTHS = (128, 128, 128, 128, 8, 128, 128, 128, 128)


def network(values: int) -> tf.keras.Model:
    """The auto-encoder: batch norm and ReLU behind every layer but the last."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((values,), name="features")
    hidden = inputs
    for index, width in enumerate(WIDTHS):
        hidden = layers.Dense(width, name=f"dense_{index}")(hidden)
        hidden = layers.BatchNormalization(name=f"norm_{index}")(hidden)
        hidden = layers.ReLU(name=f"relu_{index}")(hidden)
    return tf.keras.Model(inputs, layers.Dense(values, name="rebuilt")(hidden), name="anomaly_detection")


def train(inputs: Array, epochs: int) -> tf.keras.Model:
    """An auto-encoder of `inputs`, float32 [samples, values], which keep their own units."""
    center, spread = inputs.mean(axis=0), float(inputs.std(axis=0).mean())
    scaled = (inputs - center) / spread
    model = network(inputs.shape[1])
    steps = epochs * -(-len(inputs) // 256)
    model.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(2e-3, steps)), "mse")
    model.fit(scaled, scaled, batch_size=256, epochs=epochs, verbose=2)
    # What scales the data becomes a part of the first and the last layer.
    first, last = model.get_layer("dense_0"), model.get_layer("rebuilt")
    weights, bias = first.get_weights()
    first.set_weights([weights / spread, bias - center @ weights / spread])
    weights, bias = last.get_weights()
    last.set_weights([weights * spread, bias * spread + center])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    tf.keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    with (HERE / "tinyc.toml").open("rb") as stream:
        settings = AudioSettings.from_toml(tomllib.load(stream)["audio"])
    front_end = AudioFrontEnd(settings)
    frames = front_end.real(np.stack([recording(rng) for _ in range(TRAINING)]))
    # Every run of five frames, with all the overlap there is.
    runs = np.lib.stride_tricks.sliding_window_view(frames, settings.frames, axis=1)
    inputs = runs.transpose(0, 1, 3, 2).reshape(-1, settings.features)
    model = train(inputs, arguments.epochs)

    recordings, faults = test_recordings()
    clips = recordings.reshape(len(recordings), -1, settings.clip_samples)
    features = front_end.real(clips).reshape(-1, settings.features)
    rebuilt = model.predict(features, batch_size=1_000, verbose=0)
    found = areas(mean_scores(features, rebuilt, len(recordings)), faults)
    print(f"{len(inputs):,} inputs of {TRAINING * SAMPLES / RATE:.0f} s; AUC of the float model: {found}")

    chosen = inputs[rng.choice(len(inputs), CALIBRATION, replace=False)]
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in chosen)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (arguments.output / "anomaly_detection.tflite").write_bytes(converter.convert())
    kept = {"auc_float": {kind: round(area, 4) for kind, area in found.items()}}
    (arguments.output / "results.json").write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
