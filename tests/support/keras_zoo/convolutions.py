"""Convolutions, pools and dense layers with random extents, strides, paddings and activations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from support.keras_zoo.case import Case, between, pick

ACTIVATIONS = (None, "relu", "relu6", "tanh", "sigmoid")


def _image(rng: np.random.Generator) -> tuple[int, int, int]:
    return between(rng, 5, 12), between(rng, 5, 12), between(rng, 1, 9)


def _same(index: int) -> str:
    return ("same", "valid")[index % 2]


def conv_2d(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(12):
        how = {
            "filters": between(rng, 1, 12),
            "kernel_size": (between(rng, 1, 4), between(rng, 1, 4)),
            "strides": (between(rng, 1, 3), between(rng, 1, 3)),
            "padding": _same(index),
            "activation": pick(rng, *ACTIVATIONS),
            "use_bias": index % 3 > 0,
        }
        yield Case(f"conv2d-{index}", (_image(rng),), lambda k, x, how=how: k.layers.Conv2D(**how)(x))
    for index in range(4):
        how = {
            "filters": between(rng, 2, 6),
            "kernel_size": between(rng, 2, 3),
            "dilation_rate": between(rng, 2, 3),
            "padding": _same(index),
        }
        shape = (between(rng, 9, 14), between(rng, 9, 14), between(rng, 1, 4))
        yield Case(f"conv2d-dilated-{index}", (shape,), lambda k, x, how=how: k.layers.Conv2D(**how)(x))
    for groups in (2, 3):
        yield Case(
            f"conv2d-groups-{groups}",
            ((7, 6, 6),),
            lambda k, x, groups=groups: k.layers.Conv2D(12, 3, groups=groups, activation="relu")(x),
        )


def depthwise(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(8):
        how = {
            "kernel_size": (between(rng, 1, 4), between(rng, 1, 4)),
            "strides": between(rng, 1, 2),
            "padding": _same(index),
            "depth_multiplier": (1, 1, 2, 3)[index % 4],
            "activation": pick(rng, *ACTIVATIONS),
        }
        yield Case(
            f"depthwise-{index}", (_image(rng),), lambda k, x, how=how: k.layers.DepthwiseConv2D(**how)(x)
        )
    for rate in (2, 3):
        yield Case(
            f"depthwise-dilated-{rate}",
            ((11, 12, 3),),
            lambda k, x, rate=rate: k.layers.DepthwiseConv2D(3, dilation_rate=rate, padding="same")(x),
        )
    for index in range(3):
        how = {"filters": between(rng, 2, 9), "kernel_size": 3, "padding": _same(index)}
        yield Case(
            f"separable-{index}", (_image(rng),), lambda k, x, how=how: k.layers.SeparableConv2D(**how)(x)
        )


def conv_transpose(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(6):
        how = {
            "filters": between(rng, 1, 6),
            "kernel_size": (between(rng, 1, 4), between(rng, 1, 4)),
            "strides": (between(rng, 1, 3), between(rng, 1, 3)),
            "padding": _same(index),
            "activation": (None, "relu")[index % 2],
            "use_bias": index % 3 > 0,
        }
        shape = (between(rng, 3, 6), between(rng, 3, 6), between(rng, 1, 5))
        yield Case(
            f"conv2d-transpose-{index}", (shape,), lambda k, x, how=how: k.layers.Conv2DTranspose(**how)(x)
        )


def conv_1d(rng: np.random.Generator) -> Iterator[Case]:
    for index, padding in enumerate(("same", "valid", "causal", "same", "valid", "causal")):
        how = {
            "filters": between(rng, 1, 8),
            "kernel_size": between(rng, 2, 5),
            "padding": padding,
            # Either strides or a dilation.
            **({"strides": 2} if index < 3 else {"dilation_rate": between(rng, 1, 3)}),
            "activation": pick(rng, *ACTIVATIONS),
        }
        shape = (between(rng, 14, 20), between(rng, 1, 6))
        yield Case(f"conv1d-{index}", (shape,), lambda k, x, how=how: k.layers.Conv1D(**how)(x))
    yield Case("depthwise1d", ((15, 4),), lambda k, x: k.layers.DepthwiseConv1D(3, padding="same")(x))
    yield Case("separable1d", ((15, 4),), lambda k, x: k.layers.SeparableConv1D(6, 3)(x))


def pools(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(8):
        kind = ("AveragePooling2D", "MaxPooling2D")[index % 2]
        how = {
            "pool_size": (between(rng, 1, 4), between(rng, 1, 4)),
            "strides": (between(rng, 1, 3), between(rng, 1, 3)),
            "padding": _same(index // 2),
        }
        yield Case(
            f"{kind.lower()}-{index}",
            (_image(rng),),
            lambda k, x, kind=kind, how=how: getattr(k.layers, kind)(**how)(x),
        )
    for kind in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        for keep in (True, False):
            yield Case(
                f"{kind.lower()}-{keep}",
                (_image(rng),),
                lambda k, x, kind=kind, keep=keep: getattr(k.layers, kind)(keepdims=keep)(x),
            )
    for kind in ("AveragePooling1D", "MaxPooling1D"):
        yield Case(kind.lower(), ((12, 5),), lambda k, x, kind=kind: getattr(k.layers, kind)(3, 2)(x))
    for kind in ("GlobalAveragePooling1D", "GlobalMaxPooling1D"):
        yield Case(kind.lower(), ((12, 5),), lambda k, x, kind=kind: getattr(k.layers, kind)()(x))


def dense(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(6):
        shape = tuple(between(rng, 2, 9) for _ in range(1 + index % 3))
        how: dict[str, Any] = {
            "units": between(rng, 1, 20),
            "activation": pick(rng, *ACTIVATIONS),
            "use_bias": index % 2 > 0,
        }
        yield Case(f"dense-{index}", (shape,), lambda k, x, how=how: k.layers.Dense(**how)(x))
    for name, left, right in (
        ("plain", (4, 6), (6, 5)),
        ("batched", (3, 4, 6), (3, 6, 2)),
        ("vectors", (1, 9), (9, 1)),
    ):
        yield Case(f"matmul-{name}", (left, right), lambda k, x, y: k.ops.matmul(x, y))
    yield Case("dot", ((5, 4), (7, 4)), lambda k, x, y: k.layers.Dot(axes=2)([x, y]))
