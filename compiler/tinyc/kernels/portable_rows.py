"""Portable kernels of the layers of transformers, a few rows at a time."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.attention import Attention, power_table
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.curved import Curved, Gelu, Silu, SquaredRelu
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.linear import Linear
from tinyc.ir.ops.norm import LayerNorm, Norm, RmsNorm
from tinyc.ir.ops.token_pool import Pooling, TokenPool
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.kernels import row_features
from tinyc.kernels.kernel import FieldValue
from tinyc.kernels.row_kernel import RowKernel
from tinyc.quantize.fixed_point import high_multiplier

_SOURCES = 3
_NOTHING: Array = np.zeros(0, np.int8)
_NARROW = frozenset({DType.INT8, DType.INT16})


def is_wide(tensor: Tensor) -> int:
    """1 for int16, 0 for int8."""
    return int(tensor.dtype is DType.INT16)


def symmetric(tensor: Tensor) -> bool:
    """int8 or int16 with zero point 0."""
    return tensor.dtype in _NARROW and tensor.quantization is not None and tensor.zero_point == 0


def accepts_linear(op: Op, graph: Graph) -> bool:
    assert isinstance(op, Linear)
    operands, (result,) = graph.operands(op), graph.results(op)
    return (
        op.sources <= _SOURCES
        and result.dtype in _NARROW
        and all(x.dtype in _NARROW and not x.is_constant for x, _ in op.pairs(operands))
        and all(w.is_constant and w.dtype is DType.INT8 for _, w in op.pairs(operands))
        and (not op.residual or operands[-1].dtype in _NARROW)
    )


def linear_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, Linear)
    operands, (result,) = graph.operands(op), graph.results(op)
    op.check_sums(operands)
    pairs = op.pairs(operands)
    units = operands[1].shape[0]
    bias = np.zeros(units, np.int64)
    if op.bias:
        bias += operands[2 * op.sources].constant.reshape(-1)
    for x, weights in pairs:
        bias -= x.zero_point * weights.constant.astype(np.int64).sum(axis=1)
    multipliers, other = op.multipliers(operands, result)
    low, high = activation_range(op.activation, result)
    padding = [0] * (_SOURCES - op.sources)
    fields: dict[str, FieldValue] = {
        "sources": op.sources,
        "units": units,
        "depth": (*(x.shape[-1] for x, _ in pairs), *padding),
        "input_wide": (*(is_wide(x) for x, _ in pairs), *padding),
        "output_wide": is_wide(result),
        "output_offset": result.zero_point,
        "low": low,
        "high": high,
        "has_residual": int(op.residual),
        "residual_wide": is_wide(operands[-1]) if op.residual else 0,
        "residual_offset": operands[-1].zero_point if op.residual else 0,
        "residual_multiplier": other,
    }
    for at in range(_SOURCES):
        fields[f"weights_{at}"] = pairs[at][1].constant if at < op.sources else _NOTHING
    # What the zero points add wraps around with the sum, which fits.
    fields["bias"] = (bias & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    fields["multiplier"] = multipliers
    constant = operands[-1].constant.reshape(-1) if op.residual and operands[-1].is_constant else None
    for bits, dtype in ((8, np.int8), (16, np.int16)):
        fits = constant is not None and constant.dtype == dtype
        fields[f"residual_{bits}"] = constant if fits and constant is not None else _NOTHING.astype(dtype)
    return fields


def linear_sources(op: Op, graph: Graph) -> tuple[int, ...]:
    """Positions of the activations that meet weights."""
    assert isinstance(op, Linear)
    return tuple(range(0, 2 * op.sources, 2))


def accepts_norm(op: Op, graph: Graph) -> bool:
    return symmetric(graph.operands(op)[0]) and symmetric(graph.results(op)[0])


def norm_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, Norm)
    operands, (result,) = graph.operands(op), graph.results(op)
    x = operands[0]
    scale = op.row_scale(x, result)
    gains, offsets, shift = (np.zeros(0, np.int16), np.zeros(0, np.int32), 0)
    if op.gain:
        gains, offsets, shift = op.gains(operands, result)
    return {
        "depth": x.shape[-1],
        "input_wide": is_wide(x),
        "output_wide": is_wide(result),
        "centred": int(op.centred),
        "mean_multiplier": high_multiplier(1.0 / x.shape[-1]),
        "epsilon": scale.epsilon,
        "constant": scale.constant,
        "exponent": scale.exponent,
        "has_gains": int(op.gain),
        "gain_shift": shift,
        "gains": gains,
        "offsets": offsets,
    }


def accepts_attention(op: Op, graph: Graph) -> bool:
    """int8 queries, keys and values."""
    return symmetric(graph.results(op)[0]) and all(
        tensor.dtype is DType.INT8 and symmetric(tensor) and not tensor.is_constant
        for tensor in graph.operands(op)
    )


def attention_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, Attention)
    operands, (result,) = graph.operands(op), graph.results(op)
    scale = op.context_scale(operands, result)
    return {
        "heads": op.heads,
        "depth": operands[0].shape[2] // op.heads,
        "width": operands[2].shape[2] // op.heads,
        "causal": int(op.causal),
        "output_wide": is_wide(result),
        "score_multiplier": op.score_multiplier(operands),
        "context_multiplier": scale.multiplier,
        "context_shift": scale.shift,
        "powers": power_table(),
    }


def _row_of_scores(op: Op, graph: Graph) -> int:
    return 4 * graph.operands(op)[1].shape[1]


def packed_codes(codes: Array, bits: int) -> Array:
    """int8 [rows, bytes]: codes one behind the other, the first one's low bit first; rows end at a byte."""
    shifts = np.arange(bits)
    flat = ((codes.astype(np.int64)[:, :, None] >> shifts) & 1).astype(np.uint8).reshape(len(codes), -1)
    return np.packbits(flat, axis=1, bitorder="little").view(np.int8)


def _row_of_codes(op: Op, graph: Graph) -> int:
    """A row of tokens of fewer than 8 bits, as int16."""
    assert isinstance(op, Embedding)
    return 2 * graph.operands(op)[1].shape[1] if op.bits < 8 else 0


def accepts_embedding(op: Op, graph: Graph) -> bool:
    """Constant int8 tables."""
    ids, *constants = graph.operands(op)
    return (
        ids.dtype in (DType.INT16, DType.INT32)
        and symmetric(graph.results(op)[0])
        and all(tensor.is_constant and tensor.dtype in (DType.INT8, DType.INT32) for tensor in constants)
    )


def embedding_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, Embedding)
    operands, (result,) = graph.operands(op), graph.results(op)
    tables, matrices = op.tables(operands), op.matrices(operands)
    op.check_sums(operands)
    codes, rows = op.token_values(operands)
    packed = op.bits < 8
    return {
        "vocabulary": tables[0].shape[0],
        "units": result.shape[-1],
        "rank": tables[0].shape[1],
        "position_rank": tables[1].shape[1] if op.positions else 0,
        "ids_wide": int(operands[0].dtype is DType.INT32),
        "output_wide": is_wide(result),
        "separator": op.separator,
        "token_bits": op.bits,
        "position_multiplier": op.position_multiplier(operands),
        "tokens": packed_codes(codes, op.bits) if packed else tables[0].constant,
        "row_multiplier": (rows if packed else rows[:0]).astype(np.uint8),
        "positions": tables[1].constant[: operands[0].shape[1]] if op.positions else _NOTHING,
        "token_matrix": matrices[0].constant if op.expanded else _NOTHING,
        "position_matrix": matrices[1].constant if op.expanded and op.positions else _NOTHING,
        "segments": operands[-1].constant if op.segments else np.zeros(0, np.int32),
        "multiplier": op.multipliers(operands, result),
    }


def accepts_depthwise(op: Op, graph: Graph) -> bool:
    """int8 rows and taps."""
    x, taps, bias = graph.operands(op)
    return (
        (x.dtype, taps.dtype, bias.dtype) == (DType.INT8, DType.INT8, DType.INT32)
        and not x.is_constant
        and taps.is_constant
        and bias.is_constant
        and graph.results(op)[0].dtype in _NARROW
    )


def depthwise_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, DepthwiseConv1D)
    x, taps, bias = operands = graph.operands(op)
    (result,) = graph.results(op)
    return {
        "channels": x.shape[2],
        "taps": taps.shape[0],
        "input_offset": -x.zero_point,
        "output_wide": is_wide(result),
        "output_offset": result.zero_point,
        "weights": taps.constant,
        "bias": bias.constant.reshape(-1),
        "multiplier": op.multipliers(operands, result),
    }


def accepts_curve(op: Op, graph: Graph) -> bool:
    return graph.operands(op)[0].dtype is DType.INT8 and graph.results(op)[0].dtype in _NARROW


def curve_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    assert isinstance(op, Curved)
    (x,), (result,) = graph.operands(op), graph.results(op)
    table = op.table(x, result)
    wide = result.dtype is DType.INT16
    return {
        "units": x.shape[-1],
        "table_8": _NOTHING if wide else table.astype(np.int8),
        "table_16": table.astype(np.int16) if wide else np.zeros(0, np.int16),
    }


def accepts_pool(op: Op, graph: Graph) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return symmetric(x) and symmetric(result) and result.dtype is DType.INT16


def pool_fields(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """Raises ValueError for scales out of range."""
    assert isinstance(op, TokenPool)
    (x,), (result,) = graph.operands(op), graph.results(op)
    return {
        "depth": x.shape[2],
        "input_wide": is_wide(x),
        "is_rms": int(op.pooling is Pooling.RMS),
        "ratio": op.ratio(x, result),
    }


def pool_state(op: Op, graph: Graph) -> int:
    """A sum of each column: 32 bits, or 64 of squares."""
    assert isinstance(op, TokenPool)
    return (8 if op.pooling is Pooling.RMS else 4) * graph.results(op)[0].shape[2]


KERNELS: tuple[RowKernel, ...] = (
    RowKernel(
        symbol="tinyc_linear__portable",
        op=Linear,
        source="portable/linear.c",
        struct="tinyc_linear",
        headers=("include/linear.h",),
        accepts=accepts_linear,
        fields=linear_fields,
        features=row_features.linear,
        again=linear_sources,
    ),
    *(
        RowKernel(
            symbol="tinyc_norm__portable",
            op=op,
            source="portable/norm.c",
            struct="tinyc_norm",
            headers=("include/norm.h",),
            accepts=accepts_norm,
            fields=norm_fields,
            features=row_features.norm,
        )
        for op in (LayerNorm, RmsNorm)
    ),
    RowKernel(
        symbol="tinyc_attention__portable",
        op=Attention,
        source="portable/attention.c",
        struct="tinyc_attention",
        headers=("include/attention.h",),
        accepts=accepts_attention,
        fields=attention_fields,
        features=row_features.attention,
        scratch=_row_of_scores,
    ),
    RowKernel(
        symbol="tinyc_embedding__portable",
        op=Embedding,
        source="portable/embedding.c",
        struct="tinyc_embedding",
        headers=("include/token_layers.h",),
        accepts=accepts_embedding,
        fields=embedding_fields,
        features=row_features.embedding,
        scratch=_row_of_codes,
    ),
    RowKernel(
        symbol="tinyc_depthwise_conv_1d__portable",
        op=DepthwiseConv1D,
        source="portable/depthwise_conv_1d.c",
        struct="tinyc_depthwise_conv_1d",
        headers=("include/token_layers.h",),
        accepts=accepts_depthwise,
        fields=depthwise_fields,
        features=row_features.depthwise,
    ),
    *(
        RowKernel(
            symbol="tinyc_curve__portable",
            op=op,
            source="portable/curve.c",
            struct="tinyc_curve",
            headers=("include/token_layers.h",),
            accepts=accepts_curve,
            fields=curve_fields,
            features=row_features.curve,
        )
        for op in (Gelu, Silu, SquaredRelu)
    ),
    RowKernel(
        symbol="tinyc_token_pool__portable",
        op=TokenPool,
        source="portable/token_pool.c",
        struct="tinyc_token_pool",
        headers=("include/token_layers.h",),
        accepts=accepts_pool,
        fields=pool_fields,
        features=row_features.pool,
        scratch=pool_state,
        has_state=True,
    ),
)
