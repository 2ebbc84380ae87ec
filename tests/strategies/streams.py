"""Random layers of streams: a window over the last frames, taps of them out of a ring, and running sums."""

from __future__ import annotations

import numpy as np

from strategies.common import activation
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Finish, StreamSum, StreamTaps, StreamWindow
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


def _frames(rng: np.random.Generator, count: int) -> tuple[Tensor, int]:
    """x with `count` frames, and the axis along which they lie."""
    axis = int(rng.integers(0, 3))
    frame = tuple(int(extent) for extent in rng.integers(1, 7, 3 - axis))
    x = activation(rng, "x", (1,) * axis + (count, *frame))
    return (x.with_(dtype=DType.INT16) if rng.random() < 0.2 else x), axis


def _longer(x: Tensor, axis: int, count: int, name: str) -> Tensor:
    shape: Shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return x.with_(name=name, shape=shape)


def _any_value(rng: np.random.Generator, x: Tensor) -> State:
    low, high = x.dtype.limits
    return State(x.name, f"{x.name}:after", rng.integers(low, high, x.shape).astype(x.dtype.numpy))


def random_window(rng: np.random.Generator) -> Graph:
    coming = int(rng.integers(1, 4))
    x, axis = _frames(rng, coming)
    window = _longer(x, axis, coming + int(rng.integers(0, 9)), "window")
    op = StreamWindow(name="layer", inputs=("x", "window"), outputs=("window:after",), axis=axis)
    tensors = (x, window, window.with_(name="window:after"))
    table = {tensor.name: tensor for tensor in tensors}
    return verify(Graph("single", table, (op,), ("x",), ("window:after",), (_any_value(rng, window),)))


def random_taps(rng: np.random.Generator) -> Graph:
    coming, apart, taps = (int(extent) for extent in rng.integers(1, 5, 3))
    oldest = max((taps - 1) * apart + int(rng.integers(0, 4)), coming)
    x, axis = _frames(rng, coming)
    held = oldest - coming + 1
    ring, place = _longer(x, axis, held, "ring"), Tensor("place", (1,), DType.INT32)
    y = _longer(x, axis, taps, "y")
    op = StreamTaps(
        name="layer",
        inputs=("x", "ring", "place"),
        outputs=("y", "ring:after", "place:after"),
        axis=axis,
        oldest=oldest,
        apart=apart,
        taps=taps,
    )
    tensors = (x, ring, place, y, ring.with_(name="ring:after"), place.with_(name="place:after"))
    states = (
        _any_value(rng, ring),
        State("place", "place:after", rng.integers(0, held, 1).astype(np.int32)),
    )
    return verify(Graph("single", {t.name: t for t in tensors}, (op,), ("x",), ("y",), states))


def random_sum(rng: np.random.Generator) -> Graph:
    """A ring of a type that holds the sums, at times a wider one than it needs."""
    axis, coming = int(rng.integers(0, 3)), int(rng.integers(1, 4))
    held = coming + int(rng.integers(0, 9))
    frame = tuple(int(extent) for extent in rng.integers(1, 9, int(rng.integers(1, 5 - axis))))
    inside = int(rng.integers(0, len(frame) + 1))
    finish = list(Finish)[int(rng.integers(3))]
    x = activation(rng, "x", (1,) * axis + (coming, *frame))
    y = activation(rng, "y", (), low=0.01)
    if rng.random() < 0.2:
        wide = Quantization((x.scale,), (0,))
        x, y = (each.with_(dtype=DType.INT16, quantization=wide) for each in (x, y))
    op = StreamSum(
        name="layer",
        inputs=("x", "ring", "place", "total"),
        outputs=("y", "ring:after", "place:after", "total:after"),
        axis=axis,
        axes=tuple(range(int(rng.integers(0, axis + 1)), axis + 1 + inside)),
        keep_dims=bool(rng.integers(2)),
        finish=finish,
        activation=Activation.RELU if rng.random() < 0.2 else Activation.NONE,
    )
    elements, sums = op.frame(x.shape)
    low, high = (elements * limit for limit in x.dtype.limits)
    types = [each for each in (DType.INT8, DType.INT16, DType.INT32) if high <= each.limits[1]]
    ring = Tensor("ring", (held, sums), types[int(rng.integers(len(types)))])
    place, total = Tensor("place", (1,), DType.INT32), Tensor("total", (sums,), DType.INT32)
    (shape, *_) = op.output_shapes([x, ring, place, total])
    y = (x if finish is Finish.AVERAGE_POOL_2D else y).with_(name="y", shape=shape)
    kept = rng.integers(low, high + 1, ring.shape).astype(ring.dtype.numpy)
    states = {
        ring: kept,
        place: rng.integers(0, held, 1).astype(np.int32),
        total: kept.sum(axis=0, dtype=np.int32),
    }
    after = (state.with_(name=f"{state.name}:after") for state in states)
    return verify(
        Graph(
            "single",
            {tensor.name: tensor for tensor in (x, y, *states, *after)},
            (op,),
            ("x",),
            ("y",),
            tuple(State(state.name, f"{state.name}:after", initial) for state, initial in states.items()),
        )
    )
