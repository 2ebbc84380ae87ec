"""Activations, and what is computed element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from support.keras_zoo.case import Case, between, operation

# Each with broadcasting of one side, of both, and of none.
BROADCASTS = (((4, 5, 6), (4, 5, 6)), ((4, 5, 6), (1, 1, 6)), ((4, 1, 6), (1, 5, 1)), ((7,), (7,)))


def activations(rng: np.random.Generator) -> Iterator[Case]:
    for name in (
        "relu", "relu6", "elu", "selu", "gelu", "silu", "hard_silu", "hard_sigmoid", "leaky_relu", "tanh",
        "sigmoid", "softmax", "log_softmax", "exponential", "softsign", "mish",
    ):  # fmt: skip
        shape = (between(rng, 2, 6), between(rng, 3, 12))
        yield Case(name, (shape,), lambda k, x, name=name: k.layers.Activation(name)(x))
    yield Case("prelu", ((5, 4, 3),), lambda k, x: k.layers.PReLU(alpha_initializer="uniform")(x))
    yield Case(
        "prelu-channels",
        ((5, 4, 3),),
        lambda k, x: k.layers.PReLU(alpha_initializer="uniform", shared_axes=[1, 2])(x),
    )
    yield Case("relu-negative-slope", ((5, 4),), lambda k, x: k.layers.ReLU(negative_slope=0.3)(x))
    yield Case("relu-threshold", ((5, 4),), lambda k, x: k.ops.clip(x, -1.0, 1.0))
    yield Case("gelu-exact", ((5, 4),), lambda k, x: k.activations.gelu(x, approximate=False))
    yield Case("softmax-axis", ((5, 4, 3),), lambda k, x: k.layers.Softmax(axis=2)(x))


def arithmetic(rng: np.random.Generator) -> Iterator[Case]:
    for name in ("add", "subtract", "multiply", "maximum", "minimum"):
        for index, shapes in enumerate(BROADCASTS):
            yield Case(f"{name}-{index}", shapes, lambda k, x, y, name=name: getattr(k.ops, name)(x, y))
    constant = rng.normal(0, 1, (1, 1, 6)).astype(np.float32)
    for name in ("add", "subtract", "multiply", "maximum"):
        yield Case(
            f"{name}-constant",
            ((3, 4, 6),),
            lambda k, x, name=name: getattr(k.ops, name)(x, constant),
        )
        yield Case(f"scalar-{name}", ((3, 4),), lambda k, x, name=name: getattr(k.ops, name)(0.7, x))
    yield Case("average", ((4, 5), (4, 5), (4, 5)), lambda k, *x: k.layers.Average()(list(x)))
    # Numerators of zero TensorFlow Lite shifts by more bits than C defines.
    yield Case(
        "divide",
        ((4, 5), (4, 5)),
        lambda k, x, y: k.ops.divide(k.ops.abs(x) + 1.0, k.ops.abs(y) + 0.5),
    )
    yield Case("add-n", ((4, 5), (4, 5), (4, 5)), lambda k, *x: operation(k, lambda tf, *x: tf.add_n(x), *x))
    yield Case("squared-difference", ((4, 5), (1, 5)), lambda k, x, y: k.ops.square(x - y))


def functions(rng: np.random.Generator) -> Iterator[Case]:
    shape = (between(rng, 2, 5), between(rng, 2, 9))
    for name in ("abs", "negative", "exp", "square"):
        yield Case(name, (shape,), lambda k, x, name=name: getattr(k.ops, name)(x))
    for name in ("sqrt", "rsqrt", "log"):
        yield Case(name, (shape,), lambda k, x, name=name: getattr(k.ops, name)(k.ops.add(k.ops.abs(x), 0.1)))


def choices(rng: np.random.Generator) -> Iterator[Case]:
    for name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
        yield Case(
            f"where-{name}",
            ((4, 5), (1, 5)),
            lambda k, x, y, name=name: k.ops.where(getattr(k.ops, name)(x, y), x, y),
        )
    yield Case(
        "logical",
        ((4, 5), (4, 5)),
        lambda k, x, y: k.ops.where(
            k.ops.logical_and(
                k.ops.logical_or(k.ops.greater(x, y), k.ops.less(x, 0.0)),
                k.ops.logical_not(k.ops.greater(x, 1.0)),
            ),
            x,
            y,
        ),
    )
