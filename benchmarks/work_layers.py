"""Random layers of every size for the fit of `work.toml`, many of them in one graph."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    AveragePool2D,
    Conv2D,
    ConvDepthwise2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Op,
    Padding,
    PatchStage,
    Quantize,
)
from tinyc.ir.ops.block import Block
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels.kernel import Kernel

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from strategies import patch_stage, strategy_of
from strategies.common import activation, single_op_graph
from strategies.convolution import random_bias, random_filters, random_output
from strategies.int4 import for_kernel
from support.token_layers import embbert

_TRIES = 20_000
# The range that holds all of a normal draw.
_DRAWN = 10.0
_LARGE: dict[type[Op], Callable[[np.random.Generator], Graph]]


def _one_of(rng: np.random.Generator, *choices: int) -> int:
    return int(rng.choice(choices))


def _window(rng: np.random.Generator) -> dict[str, object]:
    stride = _one_of(rng, 1, 1, 2)
    return {
        "stride": (stride, stride),
        "padding": Padding.SAME if rng.random() < 0.8 else Padding.VALID,
        "activation": Activation.RELU if rng.random() < 0.6 else Activation.NONE,
    }


def _large_conv_2d(rng: np.random.Generator) -> Graph:
    """Shapes as networks have them: 1x1 and k x k, 1 to 96 channels."""
    extent = int(rng.integers(5, 16))
    depth, units = _one_of(rng, 1, 2, 3, 8, 15, 16, 32, 64, 96), _one_of(rng, 5, 8, 16, 32, 61, 64)
    kernel = (1, 1) if rng.random() < 0.5 else (_one_of(rng, 2, 3, 3, 5, 10), _one_of(rng, 2, 3, 3, 4))
    if depth <= 3 and kernel != (1, 1):  # first layers look far
        kernel = (_one_of(rng, 3, 3, 5, 7, 10), _one_of(rng, 3, 4, 5, 7, 8))
    extent = max(extent, *kernel) if depth * kernel[0] * kernel[1] < 200 else max(6, *kernel)
    x = activation(rng, "x", (1, extent, max(kernel[1], extent - 2), depth))
    filters = random_filters(rng, (units, *kernel, depth), 0)
    tensors = [x, filters, random_bias(rng, x, filters, units)]
    names = tuple(tensor.name for tensor in tensors)
    op = Conv2D(name="layer", inputs=names, outputs=("y",), **_window(rng))  # type: ignore[arg-type]
    return _closed(rng, op, tensors)


def _large_depthwise(rng: np.random.Generator) -> Graph:
    """One filter a channel, or several as first layers have them."""
    channels, extent, multiplier = _one_of(rng, 3, 8, 16, 31, 64, 96), int(rng.integers(5, 14)), 1
    kernel = (_one_of(rng, 1, 3, 3, 3, 5), _one_of(rng, 1, 3, 3, 3, 5))
    if rng.random() < 0.3:
        channels, extent, multiplier = (
            _one_of(rng, 1, 1, 2, 3, 4),
            int(rng.integers(10, 26)),
            _one_of(rng, 2, 3, 8),
        )
        kernel = (_one_of(rng, 3, 5, 10), _one_of(rng, 3, 4, 8))
    units = channels * multiplier
    x = activation(rng, "x", (1, extent, extent + 1, channels))
    filters = random_filters(rng, (1, *kernel, units), 3)
    tensors = [x, filters, random_bias(rng, x, filters, units)]
    names = tuple(tensor.name for tensor in tensors)
    op = DepthwiseConv2D(name="layer", inputs=names, outputs=("y",), **_window(rng))  # type: ignore[arg-type]
    return _closed(rng, op, tensors)


def _large_conv_depthwise(rng: np.random.Generator) -> Graph:
    """As in MobileNets: 3x3, at times 5x5, after 8 to 96 input channels, or behind the image."""
    depth, channels, extent = (
        _one_of(rng, 8, 16, 31, 32, 64, 66, 96),
        _one_of(rng, 8, 16, 31, 32, 64),
        int(rng.integers(5, 17)),
    )
    taps = _one_of(rng, 3, 3, 3, 5)
    x = activation(rng, "x", (1, extent, _one_of(rng, extent, 8, 12, 16), depth))
    kernel, stride = (1, 1), (1, 1)
    if rng.random() < 0.4:
        kernel = (_one_of(rng, 3, 3, 5, 7), _one_of(rng, 3, 3, 4, 5))
        stride = (1, 1) if rng.random() < 0.5 else (2, 2)
        height, width = (2 * extent if stride[0] == 2 else extent for extent in x.shape[1:3])
        x = activation(rng, "x", (1, height, width, _one_of(rng, 1, 2, 3, 3)))
    filters = random_filters(rng, (channels, *kernel, x.shape[3]), 0)
    bias = random_bias(rng, x, filters, channels)
    names, relu = ("x", "filters", "bias"), Activation.RELU if rng.random() < 0.6 else Activation.NONE
    first = Conv2D(
        name="first", inputs=names, outputs=("between",), stride=stride, padding=Padding.SAME, activation=relu
    )
    (shape,) = first.output_shapes([x, filters, bias])
    between = random_output(rng, shape, x, filters, first.activation).with_(name="between")
    taps_of = random_filters(rng, (1, taps, taps, channels), 3).with_(name="taps")
    offsets = random_bias(rng, between, taps_of, channels).with_(name="offsets")
    second = DepthwiseConv2D(
        name="second",
        inputs=("between", "taps", "offsets"),
        outputs=("y",),
        **_window(rng),  # type: ignore[arg-type]
    )
    (result,) = second.output_shapes([between, taps_of, offsets])
    y = random_output(rng, result, between, taps_of, second.activation)
    op = ConvDepthwise2D.of(first, second, between)
    graph: Graph = single_op_graph(op, [x, filters, bias, taps_of, offsets, y])
    return graph


def _large_fully_connected(rng: np.random.Generator) -> Graph:
    rows, depth, units = _one_of(rng, 1, 1, 1, 2, 3), int(rng.integers(8, 500)), int(rng.integers(2, 130))
    x = activation(rng, "x", (rows, depth))
    filters = random_filters(rng, (units, depth), 0)
    tensors = [x, filters, random_bias(rng, x, filters, units)]
    names = tuple(tensor.name for tensor in tensors)
    activations = (Activation.NONE, Activation.RELU)
    op = FullyConnected(
        name="layer", inputs=names, outputs=("y",), activation=activations[int(rng.integers(2))]
    )
    return _closed(rng, op, tensors)


def _large_pool(op: type[Pool2D]) -> Callable[[np.random.Generator], Graph]:
    """Global pools and small windows."""

    def random_graph(rng: np.random.Generator) -> Graph:
        height, width = int(rng.integers(2, 26)), int(rng.integers(2, 12))
        x = activation(rng, "x", (1, height, width, _one_of(rng, 8, 10, 31, 32, 64)))
        rows, columns = (height, width) if rng.random() < 0.5 else (min(height, 3), 2)
        layer = op(
            name="layer",
            inputs=("x",),
            outputs=("y",),
            filter_height=rows,
            filter_width=columns,
            stride_height=2,
            stride_width=2,
            padding=Padding.VALID,
        )
        (shape,) = layer.output_shapes([x])
        graph: Graph = single_op_graph(layer, [x, x.with_(name="y", shape=shape)])
        return graph

    return random_graph


def _closed(rng: np.random.Generator, op: Op, tensors: Sequence[Tensor]) -> Graph:
    (shape,) = op.output_shapes(tensors)
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    result = random_output(rng, shape, tensors[0], tensors[1], op.activation)
    graph: Graph = single_op_graph(op, [*tensors, result])
    return graph


def _large_patch_stage(rng: np.random.Generator) -> Graph:
    """A convolution, a depthwise and a pointwise layer over an image, in patches as a search tries them."""
    extent, channels = _one_of(rng, 16, 24, 32), _one_of(rng, 4, 8, 16)
    chain = patch_stage.Chain(rng, activation(rng, "x", (1, extent, extent, _one_of(rng, 3, 4, 8))))
    chain.convolution(Conv2D, channels, alike=True)
    chain.convolution(DepthwiseConv2D, channels, alike=bool(rng.integers(2)))
    chain.convolution(Conv2D, 2 * channels, alike=True)
    _, rows, columns, _ = chain.last.shape
    rolling = bool(rng.integers(2))
    across = 1 if rolling else _one_of(rng, 1, 2, 4)
    graph: Graph = chain.stage(min(rows, _one_of(rng, 1, 2, 4)), -(-columns // across), rolling)
    return graph


_LARGE = {
    Conv2D: _large_conv_2d,
    ConvDepthwise2D: _large_conv_depthwise,
    DepthwiseConv2D: _large_depthwise,
    FullyConnected: _large_fully_connected,
    PatchStage: _large_patch_stage,
    AveragePool2D: _large_pool(AveragePool2D),
    MaxPool2D: _large_pool(MaxPool2D),
}


def _within_range(graph: Graph) -> Graph:
    """Where float32 is quantized, with a scale that holds a normal draw: values outside take less work."""
    (op,) = graph.ops
    (x, *_), (y, *_) = graph.operands(op), graph.results(op)
    if not isinstance(op, Quantize) or x.dtype is not DType.FLOAT32:
        return graph
    low, high = y.dtype.limits
    quantization = Quantization((max(y.scale, _DRAWN / (high - low)),), ((low + high + 1) // 2,))
    return graph.rebuilt(tensors={**graph.tensors, y.name: y.with_(quantization=quantization)})


def layers_of(kernel: Kernel, count: int, seed: int) -> list[Graph]:
    """`count` single-op graphs that `kernel` accepts; fewer when random draws hardly meet any."""
    # Its own draws, whatever those of other kernels are.
    rng = np.random.default_rng([seed, zlib.crc32(kernel.symbol.encode())])
    found: list[Graph] = []
    for _ in range(_TRIES):
        strategies = [strategy_of(kernel), *filter(None, [_LARGE.get(kernel.op)])]
        graph = _within_range(for_kernel(kernel, strategies[int(rng.integers(len(strategies)))](rng)))
        (op,) = graph.ops
        if kernel.accepts(op, graph):
            found.append(graph)
        if len(found) == count:
            break
    return found


def side_by_side(graphs: Sequence[Graph]) -> Graph:
    """One graph with the op of each of `graphs`, which share nothing. Results may die at once."""
    tensors: dict[str, Tensor] = {}
    ops: list[Op] = []
    inputs: list[str] = []
    states: list[State] = []
    for index, graph in enumerate(graphs):
        (op,) = graph.ops

        def named(name: str, index: int = index) -> str:
            return f"{name}_{index}"

        def renamed(op: Op, name: str) -> Op:
            inputs, outputs = map(named, op.inputs), map(named, op.outputs)
            return op.with_(name=name, inputs=tuple(inputs), outputs=tuple(outputs))

        for tensor in graph.tensors.values():
            tensors[named(tensor.name)] = tensor.with_(name=named(tensor.name))
        if isinstance(op, Block):
            parts = tuple(renamed(part, named(part.name)) for part in op.parts)
            between = tuple(tensor.with_(name=named(tensor.name)) for tensor in op.between)
            op = op.with_(parts=parts, between=between)
        ops.append(renamed(op, named("layer")))
        inputs += map(named, graph.inputs)
        states += [State(named(s.name), named(s.update), s.initial) for s in graph.states]
    return verify(Graph("layers", tensors, tuple(ops), tuple(inputs), ops[-1].outputs, tuple(states)))


def sentence_layers() -> Graph:
    """A small sentence encoder that has a layer of every kind."""
    graph: Graph = embbert(0, rows=20, units=32)
    return graph
