"""What takes many elements together: sums, extremes, norms, recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from support.keras_zoo.case import Case, operation

AXES = {"1": (1,), "2": (2,), "12": (1, 2), "last": (-1,)}


def _index(name: str) -> Any:
    # Keras corrects the sign of zeros with operations that TensorFlow Lite lacks.
    return lambda k, x: operation(k, lambda tf, x: getattr(tf.math, name)(x, 2, output_type=tf.int32), x)


def reductions(rng: np.random.Generator) -> Iterator[Case]:
    for name in ("mean", "sum", "max", "min"):
        for suffix, axes in AXES.items():
            yield Case(
                f"{name}-{suffix}",
                ((4, 5, 3),),
                lambda k, x, name=name, axes=axes: getattr(k.ops, name)(x, axes, keepdims=len(axes) > 1),
            )
    for name in ("argmax", "argmin"):
        yield Case(name, ((6, 5),), _index(name))
    yield Case("cumsum", ((6, 5),), lambda k, x: k.ops.cumsum(x, 1))


def norms(rng: np.random.Generator) -> Iterator[Case]:
    yield Case("batch-norm", ((4, 5, 3),), lambda k, x: k.layers.BatchNormalization()(x))
    yield Case("layer-norm", ((4, 6),), lambda k, x: k.layers.LayerNormalization()(x))
    yield Case("rms-norm", ((4, 6),), lambda k, x: k.layers.RMSNormalization()(x))
    yield Case("group-norm", ((4, 4, 6),), lambda k, x: k.layers.GroupNormalization(2)(x))
    yield Case("l2-norm", ((4, 6),), lambda k, x: operation(k, lambda tf, x: tf.math.l2_normalize(x, 2), x))
    yield Case("unit-norm", ((4, 6),), lambda k, x: k.layers.UnitNormalization()(x))


def recurrent(rng: np.random.Generator) -> Iterator[Case]:
    # The converter fails on Keras 3's loops, so these are unrolled.
    yield Case("lstm-unrolled", ((3, 3),), lambda k, x: k.layers.LSTM(4, unroll=True)(x))
    yield Case("gru-unrolled", ((3, 3),), lambda k, x: k.layers.GRU(4, unroll=True)(x))
    yield Case("rnn-unrolled", ((4, 3),), lambda k, x: k.layers.SimpleRNN(4, unroll=True)(x))
