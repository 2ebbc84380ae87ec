"""Random .tflite files of one operator that moves elements and that the IR has no op of that name for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from strategies.movement import any_input, some_shape
from support.tflite_writer import Layer, write_layers
from tinyc.ir.tensor import Array, DType, Shape, Tensor

ROWS = 5
"""Of the table of EMBEDDING_LOOKUP."""
Drawn = tuple[Layer, list[Tensor]]


def _ints(name: str, values: Any) -> Tensor:
    data = np.array(values, dtype=np.int32)
    return Tensor(name, data.shape, DType.INT32, None, data)


def _layer(
    kind: str, tensors: list[Tensor], shape: Shape, options: str = "", like: int = 0, **fields: Any
) -> Drawn:
    """The operator on `tensors`; its result is like one of them."""
    y = tensors[like].with_(name="y", shape=shape, data=None)
    return Layer(kind, tuple(t.name for t in tensors), ("y",), options, fields), [*tensors, y]


def _input(rng: np.random.Generator, shape: Shape, name: str = "x") -> Tensor:
    """Of a type that all of LiteRT's operators for movement take."""
    x = any_input(rng, shape, name)
    return x if x.dtype in (DType.INT8, DType.INT32) else Tensor(name, shape, DType.INT32)


def _extents(rng: np.random.Generator, *, multiples: tuple[int, ...]) -> Shape:
    return tuple(int(rng.integers(1, 4)) * multiple for multiple in multiples)


def _mirror_pad(rng: np.random.Generator) -> Drawn:
    x, mode = _input(rng, some_shape(rng)), int(rng.integers(2))
    pairs = [rng.integers(0, extent + mode, 2) for extent in x.shape]
    shape = tuple(extent + int(sum(pair)) for extent, pair in zip(x.shape, pairs, strict=True))
    return _layer("MIRROR_PAD", [x, _ints("pads", pairs)], shape, "MirrorPadOptions", Mode=mode)


def _pack(rng: np.random.Generator) -> Drawn:
    first, count = _input(rng, some_shape(rng, 0, 3), "x0"), int(rng.integers(1, 4))
    axis = int(rng.integers(-len(first.shape) - 1, len(first.shape) + 1))
    place = axis % (len(first.shape) + 1)
    shape = (*first.shape[:place], count, *first.shape[place:])
    parts = [first.with_(name=f"x{index}") for index in range(count)]
    return _layer("PACK", parts, shape, "PackOptions", ValuesCount=count, Axis=axis)


def _unpack(rng: np.random.Generator) -> Drawn:
    x = _input(rng, some_shape(rng))
    axis = int(rng.integers(-len(x.shape), len(x.shape)))
    place, count = axis % len(x.shape), x.shape[axis]
    results = [
        x.with_(name=f"y{index}", shape=(*x.shape[:place], *x.shape[place + 1 :])) for index in range(count)
    ]
    names = tuple(result.name for result in results)
    return Layer("UNPACK", ("x",), names, "UnpackOptions", {"Num": count, "Axis": axis}), [x, *results]


def _broadcast_to(rng: np.random.Generator) -> Drawn:
    shape = some_shape(rng)
    rank = int(rng.integers(1, len(shape) + 1))
    own = tuple(1 if rng.random() < 0.5 else extent for extent in shape[len(shape) - rank :])
    return _layer("BROADCAST_TO", [_input(rng, own), _ints("shape", shape)], shape, "BroadcastToOptions")


def _tile(rng: np.random.Generator) -> Drawn:
    x = _input(rng, some_shape(rng))
    times = rng.integers(1, 4, len(x.shape))
    shape = tuple(int(extent * count) for extent, count in zip(x.shape, times, strict=True))
    return _layer("TILE", [x, _ints("times", times)], shape, "TileOptions")


def _reverse(rng: np.random.Generator) -> Drawn:
    x = _input(rng, some_shape(rng))
    # LiteRT turns neighbouring axes only.
    first = int(rng.integers(len(x.shape)))
    axes = list(range(first, int(rng.integers(first, len(x.shape))) + 1))
    return _layer("REVERSE_V2", [x, _ints("axes", axes)], x.shape, "ReverseV2Options")


def _fill(rng: np.random.Generator) -> Drawn:
    shape, value = some_shape(rng), _input(rng, (), "x")
    return _layer("FILL", [_ints("dims", shape), value], shape, "FillOptions", like=1)


def _gather(rng: np.random.Generator) -> Drawn:
    x = _input(rng, some_shape(rng))
    axis = int(rng.integers(len(x.shape)))
    batch = int(rng.integers(axis + 1))
    indices = _ints("i", rng.integers(0, x.shape[axis], (*x.shape[:batch], *some_shape(rng, 0, 2))))
    shape = (*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :])
    return _layer("GATHER", [x, indices], shape, "GatherOptions", Axis=axis, BatchDims=batch)


def _gather_nd(rng: np.random.Generator) -> Drawn:
    x = _input(rng, some_shape(rng))
    depth = int(rng.integers(1, len(x.shape) + 1))
    indices = _ints("i", rng.integers(0, x.shape[:depth], (*some_shape(rng, 0, 2), depth)))
    return _layer("GATHER_ND", [x, indices], (*indices.shape[:-1], *x.shape[depth:]), "GatherNdOptions")


def _space_to_depth(rng: np.random.Generator) -> Drawn:
    size = int(rng.integers(1, 4))
    x = _input(rng, _extents(rng, multiples=(1, size, size, 1)))
    batch, height, width, channels = x.shape
    shape = (batch, height // size, width // size, channels * size**2)
    return _layer("SPACE_TO_DEPTH", [x], shape, "SpaceToDepthOptions", BlockSize=size)


def _depth_to_space(rng: np.random.Generator) -> Drawn:
    size = int(rng.integers(1, 4))
    x = _input(rng, _extents(rng, multiples=(1, 1, 1, size**2)))
    batch, height, width, channels = x.shape
    shape = (batch, height * size, width * size, channels // size**2)
    return _layer("DEPTH_TO_SPACE", [x], shape, "DepthToSpaceOptions", BlockSize=size)


def _resize_nearest(rng: np.random.Generator) -> Drawn:
    x, size = any_input(rng, _extents(rng, multiples=(1, 2, 1, 1))), rng.integers(1, 12, 2)
    if x.dtype is not DType.INT8:
        x = Tensor("x", x.shape, DType.FLOAT32)
    options = ({}, {"AlignCorners": True}, {"HalfPixelCenters": True})[int(rng.integers(3))]
    shape = (x.shape[0], int(size[0]), int(size[1]), x.shape[3])
    kind = "RESIZE_NEAREST_NEIGHBOR"
    return _layer(kind, [x, _ints("size", size)], shape, "ResizeNearestNeighborOptions", **options)


def _embedding_lookup(rng: np.random.Generator) -> Drawn:
    table = _input(rng, (ROWS, *some_shape(rng, 1, 2)), "table")
    table = table.with_(data=rng.integers(-100, 100, table.shape).astype(table.dtype.numpy))
    ids = Tensor("ids", some_shape(rng, 1, 1), DType.INT32)
    return _layer("EMBEDDING_LOOKUP", [ids, table], (*ids.shape, *table.shape[1:]), like=1)


DRAWS: dict[str, Callable[[np.random.Generator], Drawn]] = {
    "BROADCAST_TO": _broadcast_to,
    "DEPTH_TO_SPACE": _depth_to_space,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "REVERSE_V2": _reverse,
    "SPACE_TO_DEPTH": _space_to_depth,
    "TILE": _tile,
    "UNPACK": _unpack,
}


def draw(kind: str, rng: np.random.Generator) -> tuple[bytes, list[Array]]:
    """(a file of one such operator, values of its inputs)."""
    layer, tensors = DRAWS[kind](rng)
    inputs = [tensor for tensor in tensors if tensor.name in layer.inputs and tensor.data is None]
    data = write_layers([layer], tensors, [tensor.name for tensor in inputs], layer.outputs)
    limits = [(0, ROWS) if tensor.name == "ids" else (-100, 100) for tensor in inputs]
    pairs = zip(limits, inputs, strict=True)
    return data, [rng.integers(*limit, x.shape).astype(x.dtype.numpy) for limit, x in pairs]
