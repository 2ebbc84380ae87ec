"""What models cost that go through a stream frame by frame, beside the same ones over all of their time.

    python benchmarks/streaming.py

The networks have shapes as for keywords, and random weights. Instructions of one inference are counted on
the emulated nRF52840: the batch model takes all frames, the streaming one the newest. The second table has
what two buffers cost for a depthwise layer of three taps, by their fitted work.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyc import pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, Op, StreamTaps, StreamWindow
from tinyc.kernels.portable_streams import KERNELS
from tinyc.passes.stream import stream
from tinyc.program import Program

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from strategies.common import activation
from support.stream_networks import Network

_BOARD = load_board("nrf52840_bare")


def ds_cnn() -> Graph:
    """49 frames of 10 coefficients, a convolution of 10x4 and four separable ones, 64 channels (Zhang et al.,
    "Hello Edge", 2017), all of them causal and without strides along time."""
    rng = np.random.default_rng(0)
    net = Network(rng, activation(rng, "x", (1, 49, 10, 1)))
    net.convolution(Conv2D, 64, 10, across=4)
    for _ in range(4):
        net.convolution(DepthwiseConv2D, 64, 3, across=3)
        net.convolution(Conv2D, 64, 1, across=1)
    net.mean()
    graph: Graph = net.graph()
    return graph


def tc_resnet() -> Graph:
    """98 frames of 40 coefficients as channels, blocks of two convolutions of 9 taps, the first with a stride
    (Choi et al., "Temporal convolution for real-time keyword spotting", 2019)."""
    rng = np.random.default_rng(1)
    net = Network(rng, activation(rng, "x", (1, 1, 98, 40)), 2)
    net.convolution(Conv2D, 16, 3)
    for channels in (24, 32, 48):
        net.convolution(Conv2D, channels, 9, 2)
        net.convolution(Conv2D, channels, 9)
    net.mean()
    graph: Graph = net.graph()
    return graph


def tcn() -> Graph:
    """64 frames of 32 channels, six residual depthwise layers of three taps with dilation 1 to 32, as many
    pointwise ones (Bai et al., "An empirical evaluation of generic convolutional and recurrent networks for
    sequence modeling", 2018)."""
    rng = np.random.default_rng(2)
    net = Network(rng, activation(rng, "x", (1, 1, 64, 32)), 2)
    for apart in (1, 2, 4, 8, 16, 32):
        net.residual(3, apart)
        net.convolution(Conv2D, 32, 1)
    net.dense(4, over_time=False)
    graph: Graph = net.graph()
    return graph


def _program(graph: Graph, name: str) -> tuple[Program, int]:
    """(the program, instructions of an inference)."""
    program = pipeline.compile_graph(graph, _BOARD, name=name)
    with tempfile.TemporaryDirectory() as folder:
        *layers, _ = profiling.counts(program, pipeline.build(program, Path(folder)).elf)
    return program, sum(instructions for instructions, _ in layers)


def rows() -> Iterator[tuple[object, ...]]:
    for name, batch, axis in (("DS-CNN", ds_cnn(), 1), ("TC-ResNet", tc_resnet(), 2), ("TCN", tcn(), 2)):
        streaming = stream(batch, axis)
        assert streaming.stream is not None
        for form, graph in (("batch", batch), ("streaming", streaming)):
            program, instructions = _program(graph, form)
            told = graph.stream
            yield (
                name,
                form,
                told.frames if told else streaming.stream.batch_frames,
                told.warm_up if told else "",
                f"{graph.macs():,}",
                f"{program.plan.arena_size:,}",
                f"{graph.state_bytes():,}",
                f"{instructions:,}",
            )


def buffers() -> Iterator[tuple[object, ...]]:
    """Cycles and bytes of both buffers for 64 channels, three taps so far apart, one frame an inference."""
    work = {kernel.op: kernel.work for kernel in KERNELS}
    for apart in (1, 2, 3, 4, 8, 16):
        rng = np.random.default_rng(0)
        net = Network(rng, activation(rng, "x", (1, 1, 64, 64)), 2)
        net.convolution(DepthwiseConv2D, 64, 3, 1, apart)
        graph = stream(net.graph(), 2)
        chosen: Op = graph.ops[0]
        found: list[object] = [apart, chosen.kind]
        for kind, single in ((StreamWindow, _window(graph, apart)), (StreamTaps, _taps(graph, apart))):
            cost = work[kind]
            assert cost is not None
            found.append(f"{cost(single.ops[0], single).cycles:,}")
        yield tuple(found)


def _window(graph: Graph, apart: int) -> Graph:
    x = graph["x"]
    state = x.with_(name="window", shape=(1, 1, 2 * apart + 1, 64))
    op = StreamWindow(name="layer", inputs=("x", "window"), outputs=("after",), axis=2)
    return graph.rebuilt(ops=[op], tensors=[state, state.with_(name="after")], outputs=("after",))


def _taps(graph: Graph, apart: int) -> Graph:
    x = graph["x"]
    ring = x.with_(name="ring", shape=(1, 1, 2 * apart, 64))
    place = x.with_(name="place", shape=(1,))
    taps = x.with_(name="taps", shape=(1, 1, 3, 64))
    after = (ring.with_(name="ring_after"), place.with_(name="place_after"))
    op = StreamTaps(
        name="layer",
        inputs=("x", "ring", "place"),
        outputs=("taps", "ring_after", "place_after"),
        axis=2,
        oldest=2 * apart,
        apart=apart,
        taps=3,
    )
    return graph.rebuilt(ops=[op], tensors=[ring, place, taps, *after], outputs=("taps",))


def main() -> None:
    output.table(
        "",
        ("model", "form", "frames>", "warm-up>", "MACs>", "arena>", "state>", "instructions>"),
        rows(),
    )
    output.table("", ("taps apart", "chosen", "window cycles>", "ring cycles>"), buffers())


if __name__ == "__main__":
    main()
