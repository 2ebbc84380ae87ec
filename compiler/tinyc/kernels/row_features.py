"""What the work of the row kernels is proportional to: how often their loops run for all rows of a layer.

As `features.py`, for the parts of TOKEN_BLOCKs: all the rows that a tensor has room for, in tiles of four.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.graph import Graph
from tinyc.ir.ops.attention import Attention
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.linear import Linear
from tinyc.ir.ops.norm import Norm
from tinyc.ir.ops.token_pool import Pooling, TokenPool
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.features import Features
from tinyc.kernels.layer_constants import round_up
from tinyc.kernels.row_kernel import TILE_ROWS, rows_through

# TINYC_CHUNK: depths are padded to multiples of it.
CHUNK = 16
# Features that begin so belong to a panel, which a layer may find where the one before left it.
PANEL = "packed"


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tiles of a layer: those of two and more rows, and those of one, which go another way."""

    rows: int
    several: int
    single: int

    @property
    def count(self) -> int:
        return self.several + self.single


def tiles(op: Op, graph: Graph) -> Tiles:
    rows = rows_through(op, graph)
    whole, rest = divmod(rows, TILE_ROWS)
    return Tiles(rows, whole + (rest > 1), int(rest == 1))


def _suffix(tensor: Tensor) -> str:
    return "16" if tensor.dtype is DType.INT16 else "8"


def linear(op: Op, graph: Graph) -> Features:
    """Plain loops over rows, units and depths."""
    assert isinstance(op, Linear)
    found, operands, (result,) = tiles(op, graph), graph.operands(op), graph.results(op)
    outputs = found.rows * result.shape[-1]
    counts: dict[str, float] = {"tiles": found.count, "rows": found.rows, "outputs": outputs}
    counts["sources"] = outputs * op.sources
    for x, _ in op.pairs(operands):
        name = f"macs_{_suffix(x)}"
        counts[name] = counts.get(name, 0) + outputs * x.shape[-1]
    counts["residuals"] = outputs * op.residual
    return counts


def linear_panel(op: Op, graph: Graph) -> Features:
    """A panel of four rows; pairs of units meet it, chunk by chunk."""
    assert isinstance(op, Linear)
    found, operands, (result,) = tiles(op, graph), graph.operands(op), graph.results(op)
    units = result.shape[-1]
    counts: dict[str, float] = {"tiles": found.count, f"{PANEL}_sources": found.count * op.sources}
    chunks = 0
    for x, _ in op.pairs(operands):
        depth = x.shape[-1]
        padded = round_up(depth, CHUNK)
        chunks += padded // CHUNK
        name = f"{PANEL}_{_suffix(x)}"
        counts[name] = counts.get(name, 0) + found.count * (depth // 4)
        tail = f"{PANEL}_tails"
        counts[tail] = counts.get(tail, 0) + found.count * (padded // 4 - depth // 4)
    counts |= _dots((units + 1) // 2, chunks, found)
    plain = not op.residual and activation_range(op.activation, result) == limits(result.dtype)
    kind = "plain" if plain else ("added" if op.residual else "clamped")
    counts["units"] = found.count * units
    counts[f"{kind}_{_suffix(result)}"] = found.rows * units
    return counts


def _dots(pairs: int, chunks: int, found: Tiles) -> dict[str, float]:
    """`tinyc_dot_rows` for pairs of rows of weights of so many chunks."""
    return {
        "dots": found.several * pairs,
        "dot_chunks": found.several * pairs * chunks,
        "row_dots": found.single * pairs,
        "row_dot_chunks": found.single * pairs * chunks,
    }


def norm(op: Op, graph: Graph) -> Features:
    """Loops over the elements of each row: the mean, the squares, the results."""
    assert isinstance(op, Norm)
    found, x, (result,) = tiles(op, graph), graph.operands(op)[0], graph.results(op)
    elements = found.rows * x.shape[-1]
    kind = f"{_suffix(x)}_{_suffix(result)}{'_gains' if op.gain else ''}"
    return {
        "tiles": found.count,
        "rows": found.rows,
        "centred_rows": found.rows * op.centred,
        f"means_{_suffix(x)}": elements * op.centred,
        f"squares_{_suffix(x)}": elements,
        f"elements_{kind}": elements,
    }


def _seen(op: Attention, rows: int, keys: int) -> int:
    """Keys of all rows together; a row of a causal attention sees those up to its own."""
    return sum(min(row + 1, keys) for row in range(rows)) if op.causal else rows * keys


def attention(op: Op, graph: Graph) -> Features:
    """Plain loops over rows, heads and keys."""
    assert isinstance(op, Attention)
    found, (q, k, v) = tiles(op, graph), graph.operands(op)
    seen = _seen(op, found.rows, k.shape[1])
    return {
        "tiles": found.count,
        "heads": found.rows * op.heads,
        "keys": op.heads * seen,
        "score_macs": q.shape[2] * seen,
        "outputs": found.rows * v.shape[2],
        "value_macs": v.shape[2] * seen,
    }


def attention_panel(op: Op, graph: Graph) -> Features:
    """A panel of queries meets pairs of keys; one of numerators meets values, four columns at a time."""
    assert isinstance(op, Attention)
    found, (q, k, v) = tiles(op, graph), graph.operands(op)
    keys, depth = k.shape[1], q.shape[2] // op.heads
    padded = round_up(keys, CHUNK)
    heads, columns = found.count * op.heads, found.count * v.shape[2]
    dots = _dots(op.heads * ((keys + 1) // 2), depth // CHUNK, found)
    return {
        "tiles": found.count,
        "heads": heads,
        "packed": heads * (depth // 4),
        **dots,
        "rows": found.rows * op.heads,
        "scores": found.rows * op.heads * keys,
        "numerators": op.heads * _seen(op, found.rows, keys),
        "value_columns": columns / 4,
        "value_pairs": columns / 4 * (keys // 2),
        "value_odd": columns / 4 * (keys % 2),
        "value_padding": columns / 4 * (padded - round_up(keys, 2)) / 2,
        "value_dots": columns / 2,
        "value_chunks": columns / 2 * (padded // CHUNK),
        "outputs": found.rows * v.shape[2],
    }


def embedding(op: Op, graph: Graph) -> Features:
    """Plain loops over units, and over the ranks of both tables."""
    assert isinstance(op, Embedding)
    found, operands, (result,) = tiles(op, graph), graph.operands(op), graph.results(op)
    ranks = [table.shape[1] for table in op.tables(operands)]
    outputs = found.rows * result.shape[-1]
    counts: dict[str, float] = {**_embedded(op, graph, found, ranks[0]), "outputs": outputs}
    kind = "8" if op.bits == 8 else "16"
    if op.expanded:
        counts[f"expanded_{kind}"] = outputs
        for name, rank in zip((f"token_macs_{kind}", "position_macs"), ranks, strict=False):
            counts[name] = outputs * rank
    else:
        counts[f"copied_{kind}"] = outputs
        counts["placed"] = outputs * op.positions
    counts["segments"] = outputs * op.segments
    return counts


def sequence_length(op: Op, graph: Graph) -> Features:
    """One loop over the ids of a sentence that fills its room."""
    return {"calls": 1, "ids": graph.operands(op)[0].elements}


def embedding_panel(op: Op, graph: Graph) -> Features:
    """As a linear layer whose rows are copied out of the tables."""
    assert isinstance(op, Embedding)
    found, operands, (result,) = tiles(op, graph), graph.operands(op), graph.results(op)
    ranks = [table.shape[1] for table in op.tables(operands)]
    units = result.shape[-1]
    padded = sum(round_up(rank, CHUNK) for rank in ranks)
    fours = found.count * sum(rank // 4 for rank in ranks)
    return {
        **_embedded(op, graph, found, ranks[0]),
        f"{PANEL}_{'8' if op.bits == 8 else '16'}": fours,
        "tails": found.count * padded // 4 - fours,
        "scaled": found.rows * sum(ranks[1:]) * (op.bits < 8),
        **_dots((units + 1) // 2, padded // CHUNK, found),
        "units": found.count * units,
        "outputs": found.rows * units,
        "segments": found.rows * units * op.segments,
    }


def _embedded(op: Embedding, graph: Graph, found: Tiles, rank: int) -> dict[str, float]:
    """Tiles and rows; the search for the separator goes through all rows where there is none."""
    searched = found.count * found.rows if op.segments else 0
    return {
        "tiles": found.count,
        "rows": found.rows,
        "searched": searched,
        "unpacked": found.rows * rank * (op.bits < 8),
    }


def _taps_in_front(rows: int, taps: int) -> int:
    """Taps of all rows together that lie before the first row."""
    return sum(max(taps - 1 - row, 0) for row in range(rows))


def depthwise(op: Op, graph: Graph) -> Features:
    """Plain loops over rows, channels and the taps that lie inside."""
    assert isinstance(op, DepthwiseConv1D)
    found, taps, (result,) = tiles(op, graph), graph.operands(op)[1], graph.results(op)
    channels = result.shape[-1]
    inside = found.rows * taps.shape[0] - _taps_in_front(found.rows, taps.shape[0])
    return {
        "tiles": found.count,
        "rows": found.rows,
        f"outputs_{_suffix(result)}": found.rows * channels,
        "taps": inside * channels,
    }


def depthwise_pairs(op: Op, graph: Graph) -> Features:
    """Pairs of rows for four channels, then four rows of each with pairs of taps."""
    assert isinstance(op, DepthwiseConv1D)
    found, weights, (result,) = tiles(op, graph), graph.operands(op)[1], graph.results(op)
    channels, taps = result.shape[-1], round_up(weights.shape[0], 4)
    before, pairs = 0, 0
    for first in range(0, found.rows, TILE_ROWS):
        count = min(TILE_ROWS, found.rows - first)
        missing = max(taps - 1 - first, 0)
        before += missing
        pairs += taps - 1 + count - missing
    return {
        "tiles": found.count,
        "fours": found.count * channels / 4,
        "missing": before * channels / 4,
        "pairs": pairs * channels / 4,
        "channels": found.count * channels,
        "taps": found.count * channels * taps / 4,
        f"outputs_{_suffix(result)}": found.rows * channels,
    }


def curve(op: Op, graph: Graph) -> Features:
    found, (result,) = tiles(op, graph), graph.results(op)
    return {"tiles": found.count, f"elements_{_suffix(result)}": result.elements}


def pool(op: Op, graph: Graph) -> Features:
    """A sum of each column, from tile to tile."""
    assert isinstance(op, TokenPool)
    found, x = tiles(op, graph), graph.operands(op)[0]
    kind = "squares" if op.pooling is Pooling.RMS else "means"
    columns = x.shape[2]
    return {
        "tiles": found.count,
        f"{kind}_tiles": found.count * columns,
        f"{kind}_{_suffix(x)}": found.rows * columns,
        f"{kind}": columns,
    }
