"""All kernels. `tinyc.selection` chooses one per layer."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels import (
    cortex_m4,
    cortex_m4_batch_matmul,
    cortex_m4_blocks,
    cortex_m4_conv_depthwise,
    cortex_m4_dense,
    cortex_m4_depthwise,
    cortex_m4_elementwise,
    cortex_m4_fully_connected,
    cortex_m4_int4,
    cortex_m4_lookup,
    cortex_m4_pooling,
    cortex_m4_sliding,
    cortex_m4_softmax,
    cortex_m4_winograd,
    helium,
    helium_depthwise,
    helium_elementwise,
    patch_stage,
    portable_batch_matmul,
    portable_choice,
    portable_conversion,
    portable_convolution,
    portable_elementwise,
    portable_float,
    portable_float_each,
    portable_float_recurrent,
    portable_float_reductions,
    portable_float_rows,
    portable_fully_connected,
    portable_int4,
    portable_int16,
    portable_interpolation,
    portable_lookup,
    portable_movement,
    portable_norms,
    portable_pairwise,
    portable_pooling,
    portable_recurrent,
    portable_reductions,
    portable_resize,
    portable_slopes,
    portable_softmax,
    portable_stream_sums,
    portable_streams,
    portable_take,
    portable_transpose_conv,
    scalar,
    token_block,
)
from tinyc.kernels.kernel import Kernel

# Kernels that do not state their work are ranked in this order, so specialised sets come before the
# portable one.
_OF_LAYERS: tuple[Kernel, ...] = (
    *helium.KERNELS,
    *helium_depthwise.KERNELS,
    *helium_elementwise.KERNELS,
    *cortex_m4_winograd.KERNELS,
    *cortex_m4_blocks.KERNELS,
    *cortex_m4_dense.KERNELS,
    *cortex_m4_depthwise.KERNELS,
    *cortex_m4_sliding.KERNELS,
    *cortex_m4_conv_depthwise.KERNELS,
    *cortex_m4_fully_connected.KERNELS,
    *cortex_m4_fully_connected.CORE_KERNELS,
    *cortex_m4.KERNELS,
    *cortex_m4_int4.KERNELS,
    *cortex_m4_batch_matmul.KERNELS,
    *cortex_m4_lookup.KERNELS,
    *cortex_m4_elementwise.KERNELS,
    *cortex_m4_pooling.KERNELS,
    *cortex_m4_softmax.KERNELS,
    *scalar.KERNELS,
    *portable_convolution.KERNELS,
    *portable_fully_connected.KERNELS,
    *portable_int4.KERNELS,
    *portable_int16.KERNELS,
    *portable_batch_matmul.KERNELS,
    *portable_lookup.KERNELS,
    *portable_movement.KERNELS,
    *portable_take.KERNELS,
    *portable_resize.KERNELS,
    *portable_elementwise.KERNELS,
    *portable_pairwise.KERNELS,
    *portable_choice.KERNELS,
    *portable_conversion.KERNELS,
    *portable_pooling.KERNELS,
    *portable_softmax.KERNELS,
    *portable_interpolation.KERNELS,
    *portable_slopes.KERNELS,
    *portable_reductions.KERNELS,
    *portable_recurrent.KERNELS,
    *portable_streams.KERNELS,
    *portable_stream_sums.KERNELS,
    *portable_norms.KERNELS,
    *portable_transpose_conv.KERNELS,
    *portable_float.KERNELS,
    *portable_float_each.KERNELS,
    *portable_float_recurrent.KERNELS,
    *portable_float_reductions.KERNELS,
    *portable_float_rows.KERNELS,
    *token_block.KERNELS,
)
CATALOGUE = (*_OF_LAYERS, *patch_stage.kernels(_OF_LAYERS))

# The features of a board that decide which kernels it has.
FEATURES = frozenset[str]().union(*(kernel.requires | kernel.superseded for kernel in CATALOGUE))


def candidates(op: Op, graph: Graph, features: frozenset[str] | None = None) -> tuple[Kernel, ...]:
    """Kernels that accept this layer, in catalogue order: on some board, or on one with `features`."""
    return tuple(
        kernel
        for kernel in CATALOGUE
        if type(op) is kernel.op
        and (features is None or kernel.suits(features))
        and kernel.accepts(op, graph)
    )
