"""Portable kernels of STREAM_WINDOW and STREAM_TAPS. They move bytes, whatever the element type."""

from __future__ import annotations

import math

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.stream_taps import StreamTaps
from tinyc.ir.ops.stream_window import StreamWindow
from tinyc.ir.tensor import Tensor
from tinyc.kernels.features import Features, copied
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork


def updates_states(op: Op, graph: Graph) -> bool:
    """Whether what it writes are the states that it reads."""
    states = {state.name: state.update for state in graph.states}
    kept = tuple(op.outputs[position] for position in op.state_outputs)
    varying = not any(tensor.is_constant for tensor in graph.operands(op))
    return varying and tuple(states.get(name) for name in op.inputs[1:]) == kept


def _frame(x: Tensor, axis: int) -> int:
    """Bytes of a frame."""
    return x.dtype.size * math.prod(x.shape[axis + 1 :])


def _lower_window(op: Op, graph: Graph) -> Lowered:
    x, window = graph.operands(op)
    return Lowered("tinyc_stream_window", {"kept": window.bytes - x.bytes, "coming": x.bytes})


def _window_features(op: Op, graph: Graph) -> Features:
    x, window = graph.operands(op)
    kept = window.bytes - x.bytes
    return {"calls": 1, "kept_words": kept // 4, "kept_bytes": kept % 4, **copied(x.bytes)}


def _lower_taps(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, StreamTaps)
    x, ring, _ = graph.operands(op)
    return Lowered(
        "tinyc_stream_taps",
        {
            "frame": _frame(x, op.axis),
            "coming": x.shape[op.axis],
            "held": ring.shape[op.axis],
            "oldest": op.oldest,
            "apart": op.apart,
            "taps": op.taps,
        },
    )


def _taps_features(op: Op, graph: Graph) -> Features:
    assert isinstance(op, StreamTaps)
    x = graph.operands(op)[0]
    coming = x.shape[op.axis]
    copies = {name: (op.taps + coming) * count for name, count in copied(_frame(x, op.axis)).items()}
    return {"calls": 1, "taps": op.taps, "coming": coming, **copies}


KERNELS = (
    Kernel(
        symbol="tinyc_stream_window_x8__portable",
        op=StreamWindow,
        source="portable/stream_window_x8.c",
        headers=("include/streams.h",),
        accepts=updates_states,
        lower=_lower_window,
        work=FittedWork("tinyc_stream_window_x8__portable", _window_features),
    ),
    Kernel(
        symbol="tinyc_stream_taps_x8__portable",
        op=StreamTaps,
        source="portable/stream_taps_x8.c",
        headers=("include/streams.h",),
        accepts=updates_states,
        lower=_lower_taps,
        work=FittedWork("tinyc_stream_taps_x8__portable", _taps_features),
    ),
)
