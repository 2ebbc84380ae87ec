"""What moves elements and computes none: shapes, slices, paddings, resizing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from support.keras_zoo.case import Case, between, operation


def shapes(rng: np.random.Generator) -> Iterator[Case]:
    yield Case("reshape", ((4, 6, 2),), lambda k, x: k.layers.Reshape((8, 6))(x))
    yield Case("flatten", ((4, 3, 2),), lambda k, x: k.layers.Dense(3)(k.layers.Flatten()(x)))
    for index, order in enumerate(((2, 1), (3, 1, 2), (2, 3, 1), (3, 2, 1), (1, 3, 2))):
        shape = tuple(between(rng, 2, 6) for _ in order)
        yield Case(f"permute-{index}", (shape,), lambda k, x, order=order: k.layers.Permute(order)(x))
    yield Case("repeat-vector", ((7,),), lambda k, x: k.layers.RepeatVector(4)(x))
    yield Case("squeeze", ((4, 1, 6),), lambda k, x: k.ops.squeeze(x, 2))
    yield Case("expand-dims", ((4, 6),), lambda k, x: k.ops.expand_dims(x, 2))
    yield Case("broadcast-to", ((1, 6),), lambda k, x: k.ops.broadcast_to(x, (1, 5, 6)))
    yield Case("tile", ((3, 4),), lambda k, x: k.ops.tile(x, (1, 2, 3)))


def joins(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(4):
        axis = 1 + index % 3
        parts = [[4, 5, 3] for _ in range(2 + index % 2)]
        for part in parts:
            part[axis - 1] = between(rng, 1, 5)
        yield Case(
            f"concatenate-{index}",
            tuple((part[0], part[1], part[2]) for part in parts),
            lambda k, *x, axis=axis: k.layers.Concatenate(axis=axis)(list(x)),
        )
    yield Case("stack", ((4, 5), (4, 5)), lambda k, x, y: k.ops.stack([x, y], 1))
    yield Case("unstack", ((3, 5),), lambda k, x: list(k.ops.unstack(x, 3, 1)))
    yield Case("split", ((6, 5),), lambda k, x: list(k.ops.split(x, 3, 1)))
    yield Case("split-uneven", ((6, 5),), lambda k, x: list(k.ops.split(x, [1, 4], 1)))


def slices(rng: np.random.Generator) -> Iterator[Case]:
    yield Case("slice", ((8, 6),), lambda k, x: x[:, 2:7, 1:])
    yield Case("slice-strides", ((9, 6),), lambda k, x: x[:, 1:8:3, ::2])
    yield Case("slice-one", ((8, 6),), lambda k, x: x[:, 3])
    yield Case("flip", ((8, 6),), lambda k, x: k.ops.flip(x, 1))
    yield Case("take", ((8, 6),), lambda k, x: k.ops.take(x, np.array([3, 0, 7, 3]), 1))
    yield Case("roll", ((8, 6),), lambda k, x: k.ops.roll(x, 2, 1))
    for index in range(2):
        crop = ((between(rng, 0, 2), 1), (1, between(rng, 0, 2)))
        yield Case(f"crop-{index}", ((7, 8, 3),), lambda k, x, crop=crop: k.layers.Cropping2D(crop)(x))


def paddings(rng: np.random.Generator) -> Iterator[Case]:
    for index in range(2):
        pad = ((between(rng, 0, 2), 1), (1, between(rng, 0, 2)))
        yield Case(f"zero-pad-{index}", ((4, 5, 3),), lambda k, x, pad=pad: k.layers.ZeroPadding2D(pad)(x))
    yield Case("zero-pad-1d", ((4, 5),), lambda k, x: k.layers.ZeroPadding1D((1, 2))(x))
    for mode in ("reflect", "symmetric"):
        yield Case(
            f"pad-{mode}",
            ((4, 5),),
            lambda k, x, mode=mode: k.ops.pad(x, ((0, 0), (1, 2), (2, 1)), mode),
        )
    yield Case(
        "pad-constant",
        ((4, 5),),
        lambda k, x: k.ops.pad(x, ((0, 0), (1, 2), (2, 1)), "constant", constant_values=0.5),
    )


def resizing(rng: np.random.Generator) -> Iterator[Case]:
    for how in ("nearest", "bilinear"):
        for index in range(2):
            size = (between(rng, 1, 3), between(rng, 2, 3))
            yield Case(
                f"upsample-{how}-{index}",
                ((4, 5, 3),),
                lambda k, x, size=size, how=how: k.layers.UpSampling2D(size, interpolation=how)(x),
            )
        yield Case(
            f"resize-{how}",
            ((6, 5, 2),),
            lambda k, x, how=how: k.layers.Resizing(9, 4, interpolation=how)(x),
        )
    yield Case("upsample1d", ((6, 3),), lambda k, x: k.layers.UpSampling1D(2)(x))


def blocks(rng: np.random.Generator) -> Iterator[Case]:
    for size in (2, 3):
        yield Case(
            f"space-to-depth-{size}",
            ((6, 12, 2),),
            lambda k, x, size=size: operation(k, lambda tf, x: tf.nn.space_to_depth(x, size), x),
        )
        yield Case(
            f"depth-to-space-{size}",
            ((2, 3, 36),),
            lambda k, x, size=size: operation(k, lambda tf, x: tf.nn.depth_to_space(x, size), x),
        )
    yield Case(
        "gather-nd",
        ((4, 5),),
        lambda k, x: operation(k, lambda tf, x: tf.gather_nd(x, [[[0, 1], [0, 3], [0, 0]]]), x),
    )
