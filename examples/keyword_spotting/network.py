"""The keyword network, and what is done to its training batches."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def model_for(frames: int, coefficients: int, classes: int, name: str) -> tf.keras.Model:
    """A depthwise separable CNN after Zhang et al., "Hello Edge" (2017), as MLPerf Tiny sizes it."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((frames, coefficients, 1), name="features")

    def normalized(x: tf.Tensor, layer: str) -> tf.Tensor:
        x = layers.BatchNormalization(name=f"{layer}_norm")(x)
        return layers.ReLU(name=f"{layer}_relu")(x)

    decay = tf.keras.regularizers.L2(1e-4)
    x = layers.Conv2D(64, (10, 4), 2, padding="same", use_bias=False, kernel_regularizer=decay, name="conv")(
        inputs
    )
    x = normalized(x, "conv")
    for block in range(1, 5):
        layer = f"depthwise_{block}"
        x = normalized(layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=layer)(x), layer)
        layer = f"pointwise_{block}"
        x = layers.Conv2D(64, 1, use_bias=False, kernel_regularizer=decay, name=layer)(x)
        x = normalized(x, layer)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3)(x)
    outputs = layers.Dense(classes, activation="softmax", name="dense")(x)
    return tf.keras.Model(inputs, outputs, name=name)


def prepare(model: tf.keras.Model, steps: int, label_smoothing: float = 0.0) -> None:
    """AdamW with a warm-up and a cosine decay over all `steps`."""
    model.compile(
        tf.keras.optimizers.AdamW(
            tf.keras.optimizers.schedules.CosineDecay(
                1e-4, steps, warmup_target=2e-3, warmup_steps=steps // 20
            ),
            weight_decay=1e-4,
        ),
        tf.keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
    )


def masked(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A short stretch of every other clip is blanked (Park et al., "SpecAugment", 2019)."""
    features = features.copy()
    for clip in features:
        for _ in range(rng.integers(0, 2)):
            length = rng.integers(1, 6)
            start = rng.integers(0, len(clip) - length)
            clip[start : start + length] = clip.mean(axis=0)
    return features


def mixed(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some clips are blended with another one (Zhang et al., "mixup", 2018)."""
    share = np.where(rng.random(len(x)) < 0.3, rng.beta(0.3, 0.3, len(x)), 1.0).astype(np.float32)
    other = rng.permutation(len(x))
    blend = share[:, None, None, None]
    return (
        blend * x + (1 - blend) * x[other],
        share[:, None] * y + (1 - share[:, None]) * y[other],
    )
