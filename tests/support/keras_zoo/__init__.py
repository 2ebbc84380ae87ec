"""Small Keras models that cover what TensorFlow Lite's converter writes, in families.

Extents, strides and paddings are drawn at random, the same ones in every run.
"""

from __future__ import annotations

import zlib

import numpy as np

from support.keras_zoo import convolutions, elementwise, movement, networks, reductions
from support.keras_zoo.case import Case, Numbers
from support.keras_zoo.open_batch import with_open_batch
from support.keras_zoo.other_numbers import with_other_numbers

__all__ = ["FAMILIES", "Case", "Numbers"]

_DRAWN: dict[str, tuple[Case, ...]] = {
    family.__name__: tuple(family(np.random.default_rng(zlib.crc32(family.__name__.encode()))))
    for family in (
        convolutions.conv_2d,
        convolutions.depthwise,
        convolutions.conv_transpose,
        convolutions.conv_1d,
        convolutions.pools,
        convolutions.dense,
        elementwise.activations,
        elementwise.arithmetic,
        elementwise.functions,
        elementwise.choices,
        movement.shapes,
        movement.joins,
        movement.slices,
        movement.paddings,
        movement.resizing,
        movement.blocks,
        reductions.reductions,
        reductions.norms,
        reductions.recurrent,
        networks.networks,
    )
}
FAMILIES = {**_DRAWN, **with_other_numbers(_DRAWN), **with_open_batch(_DRAWN)}
