"""Small networks of the usual kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from support.keras_zoo.case import Case


def _residual(k: Any, x: Any) -> Any:
    y = k.layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = k.layers.ReLU()(k.layers.BatchNormalization()(y))
    y = k.layers.BatchNormalization()(k.layers.Conv2D(8, 3, padding="same")(y))
    x = k.layers.ReLU()(k.layers.Add()([k.layers.Conv2D(8, 1)(x), y]))
    return k.layers.Dense(4, activation="softmax")(k.layers.GlobalAveragePooling2D()(x))


def _inverted_residual(k: Any, x: Any) -> Any:
    y = k.layers.ReLU(6.0)(k.layers.Conv2D(18, 1)(x))
    y = k.layers.ReLU(6.0)(k.layers.DepthwiseConv2D(3, padding="same")(y))
    return k.layers.Add()([x, k.layers.Conv2D(6, 1)(y)])


def _squeeze_excite(k: Any, x: Any) -> Any:
    gate = k.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = k.layers.Conv2D(2, 1, activation="relu")(gate)
    return k.layers.Multiply()([x, k.layers.Conv2D(8, 1, activation="sigmoid")(gate)])


def _mobile_net_v3(k: Any, x: Any) -> Any:
    x = k.layers.Activation("hard_silu")(k.layers.Conv2D(8, 3, strides=2, padding="same")(x))
    return k.layers.Activation("hard_silu")(_squeeze_excite(k, x))


def _inception(k: Any, x: Any) -> Any:
    branches = [
        k.layers.Conv2D(3, 1, activation="relu")(x),
        k.layers.Conv2D(4, 3, padding="same", activation="relu")(x),
        k.layers.Conv2D(2, 1)(k.layers.MaxPooling2D(3, 1, padding="same")(x)),
    ]
    return k.layers.Concatenate()(branches)


def _dense_net(k: Any, x: Any) -> Any:
    for _ in range(2):
        y = k.layers.Conv2D(3, 3, padding="same")(k.layers.ReLU()(k.layers.BatchNormalization()(x)))
        x = k.layers.Concatenate()([x, y])
    return k.layers.AveragePooling2D(2)(x)


def _auto_encoder(k: Any, x: Any) -> Any:
    for units in (16, 4, 16):
        x = k.layers.ReLU()(k.layers.BatchNormalization()(k.layers.Dense(units)(x)))
    return k.layers.Dense(20)(x)


def _unet(k: Any, x: Any) -> Any:
    down = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    middle = k.layers.Conv2D(6, 3, padding="same", activation="relu")(k.layers.MaxPooling2D(2)(down))
    up = k.layers.Conv2DTranspose(4, 2, strides=2)(middle)
    return k.layers.Conv2D(1, 1, activation="sigmoid")(k.layers.Concatenate()([down, up]))


def _temporal(k: Any, x: Any) -> Any:
    for rate in (1, 2, 4):
        y = k.layers.Conv1D(6, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
        x = k.layers.Add()([k.layers.Conv1D(6, 1)(x), y])
    return k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling1D()(x))


def _attention(k: Any, x: Any) -> Any:
    return k.layers.Add()([x, k.layers.MultiHeadAttention(2, 4)(x, x)])


def _encoder(k: Any, x: Any) -> Any:
    x = k.layers.LayerNormalization()(_attention(k, x))
    y = k.layers.Dense(8)(k.layers.Dense(16, activation="gelu")(x))
    return k.layers.Dense(3)(k.layers.Flatten()(k.layers.Add()([x, y])))


def _two_heads(k: Any, image: Any, extra: Any) -> Any:
    x = k.layers.Flatten()(k.layers.Conv2D(3, 3, strides=2, activation="relu")(image))
    x = k.layers.Concatenate()([x, k.layers.Dense(4, activation="relu")(extra)])
    return [k.layers.Dense(3, activation="softmax")(x), k.layers.Dense(1)(x)]


def _channel_shuffle(k: Any, x: Any) -> Any:
    x = k.layers.Conv2D(8, 1)(x)
    x = k.ops.reshape(k.ops.transpose(k.ops.reshape(x, (1, 6, 6, 2, 4)), (0, 1, 2, 4, 3)), (1, 6, 6, 8))
    return k.layers.DepthwiseConv2D(3)(x)


def networks(rng: np.random.Generator) -> Iterator[Case]:
    yield Case("residual", ((8, 8, 3),), _residual)
    yield Case("inverted-residual", ((7, 7, 6),), _inverted_residual)
    yield Case("squeeze-excite", ((6, 6, 8),), _squeeze_excite)
    yield Case("mobilenet-v3", ((9, 9, 3),), _mobile_net_v3)
    yield Case("inception", ((7, 7, 4),), _inception)
    yield Case("densenet", ((6, 6, 4),), _dense_net)
    yield Case("auto-encoder", ((20,),), _auto_encoder)
    yield Case("u-net", ((8, 8, 2),), _unet)
    yield Case("temporal", ((16, 4),), _temporal)
    yield Case("attention", ((5, 8),), _attention)
    yield Case("encoder", ((4, 8),), _encoder)
    yield Case("two-heads", ((7, 7, 2), (5,)), _two_heads)
    yield Case("channel-shuffle", ((6, 6, 4),), _channel_shuffle)
