"""Depthwise layers that bring the planar kernel to its corners: far rows, tiles, loops, every epilogue."""

from __future__ import annotations

import dataclasses

import numpy as np

from strategies.common import constant, single_op_graph
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, DepthwiseConv2D, Padding
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels import cortex_m4_depthwise
from tinyc.kernels.kernel import Kernel
from tinyc.memory.plan import MemoryPlan, Placement
from tinyc.program import Program

Pair = tuple[int, int]

# Input, kernel, stride, dilation, padding, activation.
_SAME, _VALID, _NONE, _RELU = Padding.SAME, Padding.VALID, Activation.NONE, Activation.RELU
LAYERS: tuple[tuple[tuple[int, int, int, int], Pair, Pair, Pair, Padding, Activation], ...] = (
    ((1, 25, 5, 64), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 25, 5, 12), (3, 3), (1, 1), (1, 1), _SAME, _NONE),
    ((1, 3, 3, 70), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 48, 48, 8), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 48, 48, 6), (3, 3), (2, 2), (1, 1), _SAME, _RELU),
    ((1, 31, 33, 5), (3, 3), (2, 2), (1, 1), _SAME, _NONE),
    ((2, 13, 12, 7), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 30, 1, 40), (3, 1), (1, 1), (1, 1), _VALID, _NONE),
    ((1, 24, 1, 21), (10, 1), (1, 1), (1, 1), _VALID, _NONE),
    ((1, 19, 1, 12), (15, 1), (1, 1), (1, 1), _VALID, _NONE),
    ((2, 1, 40, 3), (1, 9), (1, 2), (1, 1), _SAME, _RELU),
    ((1, 900, 1, 2), (5, 1), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 14, 15, 20), (5, 5), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 15, 14, 9), (5, 5), (2, 2), (1, 1), _SAME, _NONE),
    ((1, 9, 150, 3), (5, 5), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 9, 9, 4), (7, 7), (1, 1), (1, 1), _SAME, _NONE),
    ((1, 5, 28, 160), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 5, 28, 160), (3, 3), (1, 1), (1, 1), _SAME, _NONE),
    ((1, 5, 7, 961), (3, 3), (1, 1), (1, 1), _SAME, _RELU),
    ((1, 4, 70, 1021), (3, 3), (1, 1), (1, 1), _VALID, _RELU),
    ((1, 16, 17, 4), (3, 3), (1, 1), (2, 1), _SAME, _RELU),
    ((1, 16, 3, 4), (4, 1), (1, 1), (3, 1), _SAME, _NONE),
    ((1, 6, 19, 4), (1, 3), (1, 1), (1, 2), _SAME, _RELU),
    ((1, 17, 14, 9), (3, 3), (1, 1), (2, 2), _SAME, _RELU),
    ((1, 14, 17, 5), (3, 4), (1, 1), (1, 3), _VALID, _NONE),
    ((1, 11, 11, 1), (2, 2), (1, 1), (1, 1), _SAME, _NONE),
    ((1, 12, 13, 10), (4, 4), (3, 3), (1, 1), _VALID, _RELU),
    ((1, 10, 10, 5), (1, 1), (2, 2), (1, 1), _VALID, _NONE),
    ((1, 9, 9, 6), (7, 7), (1, 1), (1, 1), _SAME, _RELU),
)
# Of biases; the last is too large for 16 bits with a constant of 16 bits.
_LARGEST_BIAS = (*(4000 for _ in LAYERS[:-1]), 700_000)


def layer(index: int) -> Graph:
    """Layer `index` with weights and scales that spread its outputs over the whole range."""
    shape, kernel, stride, dilation, padding, activation = LAYERS[index]
    rng = np.random.default_rng(index)
    channels = shape[3]
    scales = tuple(float(np.float32(scale)) for scale in rng.uniform(0.002, 0.02, channels))
    weights = rng.integers(-127, 128, (1, *kernel, channels)).astype(np.int8)
    relu = activation is _RELU
    x = Tensor("x", shape, DType.INT8, Quantization((0.03125,), (-128 if relu else 5,)))
    filters = constant("filters", weights, Quantization(scales, (0,) * channels, 3))
    bias = constant(
        "bias",
        rng.integers(-_LARGEST_BIAS[index], _LARGEST_BIAS[index], channels).astype(np.int32),
        Quantization(tuple(0.03125 * s for s in scales), (0,) * channels, 0),
    )
    tensors = [x, filters, bias]
    op = DepthwiseConv2D(
        name="depthwise",
        inputs=("x", "filters", "bias"),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=activation,
    )
    (result,) = op.output_shapes(tensors)
    spread = 0.03125 * 0.02 * 73 * 73 * np.sqrt(kernel[0] * kernel[1])
    y = Tensor(
        "y", result, DType.INT8, Quantization((float(np.float32(spread / 60)),), (-128 if relu else -3,))
    )
    return single_op_graph(op, [*tensors, y])


def kernel_for(graph: Graph, *, shared: bool = False) -> Kernel:
    """The planar kernel that accepts the layer: the one for its shape, or the one that layers share."""
    kernels = [kernel for kernel in cortex_m4_depthwise.KERNELS if kernel.symbol.count("shared") == shared]
    return next(kernel for kernel in kernels if kernel.accepts(graph.ops[0], graph))


def overlapped(program: Program, closer: int = 0) -> Program:
    """The program with its output exactly `lead` - `closer` bytes before its input in one buffer."""
    (step,) = program.steps
    (overlap,) = step.kernel.overlaps(step.op, program.graph)
    lead = overlap.lead - closer
    end, placements = 0, []
    starts = {"x": max(0, lead), "y": max(0, -lead)}
    for placement in program.plan.placements:
        buffer = placement.buffer
        if not buffer.name.startswith("scratch"):
            placements.append(Placement(buffer, starts[buffer.tensors[0]]))
            end = max(end, placements[-1].end)
    for placement in program.plan.placements:
        if placement.buffer.name.startswith("scratch"):
            placements.append(Placement(placement.buffer, -(-end // 16) * 16))
            end = placements[-1].end
    plan = MemoryPlan(-(-end // 16) * 16, program.plan.lower_bound, tuple(placements))
    return dataclasses.replace(program, plan=plan)
