"""Kernels for ARMv7E-M of the layers of transformers, four rows at a time.

Four rows of activations are widened into a panel of int16, which pairs of rows of weights, of keys or, turned
into pairs, of values then meet: one SMLAD for two products. See `tinyc_tile_m4.h`.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.attention import Attention
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.curved import Gelu, Silu, SquaredRelu
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.linear import Linear
from tinyc.ir.ops.norm import LayerNorm, RmsNorm
from tinyc.ir.ops.token_pool import TokenPool
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.kernels import portable_rows, row_features
from tinyc.kernels.kernel import FieldValue
from tinyc.kernels.layer_constants import round_up
from tinyc.kernels.row_features import CHUNK
from tinyc.kernels.row_kernel import TILE_ROWS, RowKernel

_PANEL_BYTES = 2 * TILE_ROWS
_CORE, _FPU = frozenset({"dsp"}), frozenset({"dsp", "fpu"})


def _padded(depth: int) -> int:
    return round_up(depth, CHUNK)


def packed_rows(matrices: list[Array]) -> Array:
    """int8 [units, depth] side by side, depths padded to whole chunks, units to an even number."""
    units = matrices[0].shape[0]
    widths = [_padded(matrix.shape[1]) for matrix in matrices]
    packed = np.zeros((round_up(units, 2), sum(widths)), np.int8)
    at = 0
    for matrix, width in zip(matrices, widths, strict=True):
        packed[:units, at : at + matrix.shape[1]] = matrix
        at += width
    return packed


def _linear_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    assert isinstance(op, Linear)
    plain = portable_rows.linear_fields(op, graph)
    packed = packed_rows([weights.constant for _, weights in op.pairs(graph.operands(op))])
    plain |= {f"weights_{at}": np.zeros(0, np.int8) for at in range(3)}
    fields: dict[str, FieldValue] = {f"linear.{name}": value for name, value in plain.items()}
    return fields | {"chunks": packed.shape[1] // CHUNK, "weights": packed}


def _linear_scratch(op: Op, graph: Graph) -> int:
    assert isinstance(op, Linear)
    return _PANEL_BYTES * sum(_padded(x.shape[-1]) for x, _ in op.pairs(graph.operands(op)))


def _accepts_attention(op: Op, graph: Graph) -> bool:
    """Heads of whole chunks, values in fours."""
    assert isinstance(op, Attention)
    q, _, v = graph.operands(op)
    depth, width = q.shape[2] // op.heads, v.shape[2] // op.heads
    return portable_rows.accepts_attention(op, graph) and depth % CHUNK == 0 and width % 4 == 0


def _attention_scratch(op: Op, graph: Graph) -> int:
    """The queries of a head, the numerators, the scores or four channels of values."""
    assert isinstance(op, Attention)
    q, k, _ = graph.operands(op)
    keys = _padded(k.shape[1])
    return _PANEL_BYTES * (q.shape[2] // op.heads + keys) + 4 * TILE_ROWS * keys


def _accepts_norm(op: Op, graph: Graph) -> bool:
    """int16 rows of an even depth."""
    x = graph.operands(op)[0]
    return portable_rows.accepts_norm(op, graph) and x.dtype is DType.INT16 and x.shape[-1] % 2 == 0


def _accepts_depthwise(op: Op, graph: Graph) -> bool:
    """Channels in fours."""
    return portable_rows.accepts_depthwise(op, graph) and graph.operands(op)[0].shape[2] % 4 == 0


def _taps(taps: Tensor) -> int:
    return round_up(taps.shape[0], 4)


def _depthwise_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """The taps of a channel one after the other, in fours as 0 2 1 3, with zeros in front."""
    assert isinstance(op, DepthwiseConv1D)
    taps = graph.operands(op)[1]
    count, channels = taps.shape
    turned = np.zeros((channels, _taps(taps)), np.int8)
    turned[:, _taps(taps) - count :] = taps.constant.T
    ordered = turned.reshape(channels, -1, 4)[:, :, [0, 2, 1, 3]].reshape(channels, -1)
    return portable_rows.depthwise_fields(op, graph) | {"weights": ordered, "taps": _taps(taps)}


def _depthwise_scratch(op: Op, graph: Graph) -> int:
    """Four words for every row, and for one before the first and two behind the last."""
    return 16 * (_taps(graph.operands(op)[1]) - 1 + TILE_ROWS + 3)


def _accepts_embedding(op: Op, graph: Graph) -> bool:
    """Expanders of low rank."""
    assert isinstance(op, Embedding)
    return portable_rows.accepts_embedding(op, graph) and op.expanded


def _embedding_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    assert isinstance(op, Embedding)
    plain = portable_rows.embedding_fields(op, graph)
    packed = packed_rows([matrix.constant for matrix in op.matrices(graph.operands(op))])
    plain |= {"token_matrix": np.zeros(0, np.int8), "position_matrix": np.zeros(0, np.int8)}
    fields: dict[str, FieldValue] = {f"embedding.{name}": value for name, value in plain.items()}
    return fields | {"chunks": packed.shape[1] // CHUNK, "weights": packed}


def _embedding_scratch(op: Op, graph: Graph) -> int:
    """The panel, then the rows of the tokens; below 8 bits as int16, and those of positions after them."""
    assert isinstance(op, Embedding)
    tables = op.tables(graph.operands(op))
    rows = tables[0].shape[1] if op.bits == 8 else 2 * max(t.shape[1] for t in tables)
    return _PANEL_BYTES * sum(_padded(t.shape[1]) for t in tables) + TILE_ROWS * rows


def _accepts_pool(op: Op, graph: Graph) -> bool:
    """int16 rows of an even depth."""
    x = graph.operands(op)[0]
    return portable_rows.accepts_pool(op, graph) and x.dtype is DType.INT16 and x.shape[-1] % 2 == 0


def _curve_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Tables that begin with the entry of 0."""
    fields = portable_rows.curve_fields(op, graph)
    return fields | {
        name: np.roll(table, -128) for name, table in fields.items() if isinstance(table, np.ndarray)
    }


KERNELS: tuple[RowKernel, ...] = (
    RowKernel(
        symbol="tinyc_linear__cortex_m4",
        op=Linear,
        source="cortex_m4/linear.c",
        struct="tinyc_linear_rows",
        headers=("include/linear_m4.h",),
        requires=_FPU,
        accepts=portable_rows.accepts_linear,
        fields=_linear_fields,
        features=row_features.linear_panel,
        scratch=_linear_scratch,
        early=portable_rows.linear_sources,  # all in the panel before the first output is written
        panel=portable_rows.linear_sources,
    ),
    RowKernel(
        symbol="tinyc_attention__cortex_m4",
        op=Attention,
        source="cortex_m4/attention.c",
        struct="tinyc_attention",
        headers=("include/attention_m4.h",),
        requires=_FPU,
        accepts=_accepts_attention,
        fields=portable_rows.attention_fields,
        features=row_features.attention_panel,
        scratch=_attention_scratch,
    ),
    *(
        RowKernel(
            symbol="tinyc_norm_s16__cortex_m4",
            op=op,
            source="cortex_m4/norm.c",
            struct="tinyc_norm",
            headers=("include/norm.h", "include/tinyc_dsp.h"),
            requires=_CORE,
            accepts=_accepts_norm,
            fields=portable_rows.norm_fields,
            features=row_features.norm,
        )
        for op in (LayerNorm, RmsNorm)
    ),
    RowKernel(
        symbol="tinyc_depthwise_conv_1d__cortex_m4",
        op=DepthwiseConv1D,
        source="cortex_m4/depthwise_conv_1d.c",
        struct="tinyc_depthwise_conv_1d",
        headers=("include/token_layers.h", "include/tinyc_dsp.h"),
        requires=_CORE,
        accepts=_accepts_depthwise,
        fields=_depthwise_fields,
        features=row_features.depthwise_pairs,
        scratch=_depthwise_scratch,
    ),
    RowKernel(
        symbol="tinyc_embedding_expanded__cortex_m4",
        op=Embedding,
        source="cortex_m4/embedding.c",
        struct="tinyc_embedding_rows",
        headers=("include/token_layers_m4.h",),
        requires=_FPU,
        accepts=_accepts_embedding,
        fields=_embedding_fields,
        features=row_features.embedding_panel,
        scratch=_embedding_scratch,
    ),
    *(
        RowKernel(
            symbol="tinyc_curve__cortex_m4",
            op=op,
            source="cortex_m4/curve.c",
            struct="tinyc_curve",
            headers=("include/token_layers.h", "include/tinyc_bytes.h"),
            requires=_CORE,
            accepts=portable_rows.accepts_curve,
            fields=_curve_fields,
            features=row_features.curve,
        )
        for op in (Gelu, Silu, SquaredRelu)
    ),
    RowKernel(
        symbol="tinyc_token_pool_s16__cortex_m4",
        op=TokenPool,
        source="cortex_m4/token_pool.c",
        struct="tinyc_token_pool",
        headers=("include/token_layers.h", "include/tinyc_dsp.h"),
        requires=_CORE,
        accepts=_accepts_pool,
        fields=portable_rows.pool_fields,
        features=row_features.pool,
        scratch=portable_rows.pool_state,
        has_state=True,
    ),
)
