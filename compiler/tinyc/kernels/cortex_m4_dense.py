"""Grouped convolutions, and depthwise ones of several filters a channel, as dense ones for ARMv7E-M.

The filters are filled up with zeros, which changes no sum. That multiplies the products by the number of
groups, yet with few of them the blocks of `cortex_m4_blocks` are faster than a kernel that knows groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.kernels import cortex_m4_blocks, portable_convolution
from tinyc.kernels.kernel import Kernel

T = TypeVar("T")

# Bytes of filters: beyond these there are so many groups that zeros are most of the work.
_MOST_WEIGHTS = 16384


def dense(op: Op, graph: Graph) -> tuple[Conv2D, Graph]:
    """The same layer as a CONV_2D of one group, in a graph that has its filters."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    x, filters = graph.operands(op)[:2]
    grouped = filters.constant
    if isinstance(op, DepthwiseConv2D):
        grouped = grouped.transpose(3, 1, 2, 0)
    units, height, width, depth = grouped.shape
    unit = np.arange(units)
    first = unit // (units // portable_convolution.groups(op, graph)) * depth
    whole = np.zeros((units, height, width, x.shape[3]), np.int8)
    for i in range(depth):
        whole[unit, :, :, first + i] = grouped[..., i]
    assert filters.quantization is not None
    per_channel = len(filters.quantization.scale) > 1
    quantization = replace(filters.quantization, axis=0) if per_channel else filters.quantization
    name = f"{filters.name}_dense"
    tensor = filters.with_(name=name, shape=whole.shape, data=whole, quantization=quantization)
    convolution = Conv2D(
        name=op.name,
        inputs=(op.inputs[0], name, *op.inputs[2:]),
        outputs=op.outputs,
        stride=op.stride,
        dilation=op.dilation,
        padding=op.padding,
        pads=op.pads,
        activation=op.activation,
    )
    return convolution, replace(graph, tensors={**graph.tensors, name: tensor}, ops=(convolution,))


def _few_groups(op: Op, graph: Graph) -> bool:
    """Groups of more than one output channel, few enough of them."""
    if not portable_convolution.accepts(op, graph):
        return False
    (x, filters), (result,) = graph.operands(op)[:2], graph.results(op)
    groups, window = portable_convolution.groups(op, graph), filters.shape[1] * filters.shape[2]
    return (
        result.shape[3] > groups
        and (groups > 1 or isinstance(op, DepthwiseConv2D))
        and result.shape[3] * window * x.shape[3] <= _MOST_WEIGHTS
    )


def _of_dense(function: Callable[[Op, Graph], T] | None) -> Callable[[Op, Graph], T]:
    assert function is not None
    return lambda op, graph: function(*dense(op, graph))


def _kernel(op: type[Op], base: Kernel) -> Kernel:
    tile = base.symbol.removeprefix("tinyc_conv_2d_s8_").removesuffix("__cortex_m4")
    return replace(
        base,
        symbol=f"tinyc_{op.kind.lower()}_s8_{tile}_dense__cortex_m4",
        op=op,
        superseded=frozenset(),
        accepts=lambda op, graph: _few_groups(op, graph) and base.accepts(*dense(op, graph)),
        lower=_of_dense(base.lower),
        scratch=_of_dense(base.scratch),
        specialize=_of_dense(base.specialize),
        overlaps=_of_dense(base.overlaps),
        work=_of_dense(base.work),
        code=_of_dense(base.code),
    )


KERNELS = tuple(_kernel(op, base) for op in (Conv2D, DepthwiseConv2D) for base in cortex_m4_blocks.ANY_WINDOW)
