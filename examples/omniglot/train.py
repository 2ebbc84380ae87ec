"""Trains a convolutional body whose latents of a handwritten character lie close together.

    python train.py --data DIR        # DIR holds omniglot_full_png.zip, see the README

Prototypical networks (Snell et al., 2017): in each step the body sees a few characters it has to tell
apart by the distance to the mean of a few drawings of each. Only the 964 characters of the background
set are trained on, each in four rotations as four characters (Santoro et al., 2016).
Writes omniglot.keras and .tflite (float32, 28 x 28), calibration.npz and results.json.
Needs `pip install "tinyc[keras]"`.
"""

from __future__ import annotations

import argparse
import json
import os
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
SEED = 2026
SIDE, LATENT = 28, 64
WAYS, SHOTS, QUERIES = 60, 5, 5
CALIBRATION_IMAGES = 128


def load_characters(archive: Path, part: str, side: int = SIDE) -> np.ndarray:
    """Drawings of `images_background` or `images_evaluation`, ink as 1: (characters, 20, side, side)."""
    drawings: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(archive) as entries:
        for name in sorted(entries.namelist()):
            if f"/{part}/" in name and name.endswith(".png"):
                pixels = tf.io.decode_png(entries.read(name), channels=1)
                small = tf.image.resize(tf.cast(pixels, tf.float32) / 255.0, (side, side), method="area")
                drawings.setdefault(name.rpartition("/")[0], []).append(1.0 - small.numpy()[..., 0])
    return np.stack([np.stack(images) for images in drawings.values()]).astype(np.float32)


def body() -> tf.keras.Model:
    """Four convolutions, 57,472 parameters."""
    layers = tf.keras.layers
    x = inputs = tf.keras.Input((SIDE, SIDE, 1), name="drawing")
    for index, channels in enumerate((32, 40, 48, LATENT)):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"conv_{index + 1}")(x)
        x = layers.BatchNormalization(name=f"norm_{index + 1}")(x)
        x = layers.ReLU(name=f"relu_{index + 1}")(x)
        if index < 3:
            x = layers.MaxPooling2D(2, padding="same", name=f"max_{index + 1}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return tf.keras.Model(inputs, x, name="omniglot")


def prototype_loss(latents: tf.Tensor, ways: int) -> tf.Tensor:
    """Cross-entropy of the squared distances to the means; `latents` are ways x (shots + queries) x d."""
    latents = tf.reshape(latents, (ways, SHOTS + QUERIES, LATENT))
    prototypes = tf.reduce_mean(latents[:, :SHOTS], axis=1)
    queries = tf.reshape(latents[:, SHOTS:], (ways * QUERIES, 1, LATENT))
    scores = -tf.reduce_sum((queries - prototypes[None]) ** 2, axis=2)
    labels = tf.repeat(tf.range(ways), QUERIES)
    return tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True))


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each drawing moved by up to two pixels."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    moves = rng.integers(0, 5, (len(images), 2))
    return np.stack([p[y : y + SIDE, x : x + SIDE] for p, (y, x) in zip(padded, moves, strict=True)])


def train(arguments: argparse.Namespace) -> None:
    tf.keras.utils.set_random_seed(SEED)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(SEED)
    background = load_characters(arguments.data / "omniglot_full_png.zip", "images_background")
    characters = np.concatenate([np.rot90(background, turns, axes=(2, 3)) for turns in range(4)])
    print(characters.shape, flush=True)
    model = body()
    print(model.count_params(), "parameters", flush=True)
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(2e-3, arguments.steps))

    @tf.function
    def step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = prototype_loss(model(images, training=True), WAYS)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    losses = []
    for index in range(arguments.steps):
        chosen = rng.choice(len(characters), WAYS, replace=False)
        drawers = np.stack([rng.permutation(20)[: SHOTS + QUERIES] for _ in chosen])
        images = characters[chosen[:, None], drawers].reshape(-1, SIDE, SIDE)
        losses.append(float(step(tf.constant(shifted(images, rng)[..., None]))))
        if index % 100 == 99:
            print(f"step {index + 1}: loss {np.mean(losses[-100:]):.4f}", flush=True)
            model.save(arguments.output / "omniglot.keras")
    plain = tf.keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    plain.save(arguments.output / "omniglot.keras")
    converted = tf.lite.TFLiteConverter.from_keras_model(plain).convert()
    (arguments.output / "omniglot.tflite").write_bytes(converted)
    flat = background.reshape(-1, SIDE, SIDE, 1)
    chosen = rng.choice(len(flat), CALIBRATION_IMAGES, replace=False)
    np.savez_compressed(
        arguments.output / "calibration.npz", inputs=np.round(flat[chosen] * 255) / np.float32(255)
    )
    results = {
        "parameters": int(plain.count_params()),
        "steps": arguments.steps,
        "loss": float(np.mean(losses[-100:])),
    }
    (arguments.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of omniglot_full_png.zip")
    parser.add_argument("--output", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--threads", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
