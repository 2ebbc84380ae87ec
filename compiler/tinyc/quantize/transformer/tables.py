"""Tables of embeddings as integers: 8 bits with one scale, or 4 or 6 bits with one for each row."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Embedding
from tinyc.ir.ops.embedding import ROW_LIMIT
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor
from tinyc.quantize.ranges import SMALLEST_SCALE

LIMIT = 127
# Scales that are tried for a row, in parts of the one that holds its largest value.
_PARTS = np.linspace(0.5, 1.1, 31)


def single(values: Array) -> Array:
    """float64 that hold float32 values."""
    return np.asarray(values, np.float64).astype(np.float32).astype(np.float64)


def with_bits(graph: Graph, bits: int) -> Graph:
    """The graph with token tables of `bits` in every EMBEDDING.

    Raises TinycError where bits other than 8 are asked for and there is none.
    """
    if bits == 8:
        return graph
    if not any(isinstance(op, Embedding) for op in graph.ops):
        raise TinycError(
            f"there is no EMBEDDING layer that could have {bits} bits",
            where=f"model {graph.name}",
            hint="leave out --embedding-bits, and embedding_bits of tinyc.toml",
        )
    return graph.rebuilt(
        ops=tuple(op.with_(bits=bits) if isinstance(op, Embedding) else op for op in graph.ops)
    )


def value_scale(table: Tensor, bits: int = 8) -> float:
    """Scale of the integers that a table's codes stand for."""
    if bits < 8:
        return max(_rows(table, bits)[1]) / ROW_LIMIT
    largest = float(np.abs(table.constant.astype(np.float64)).max(initial=0.0))
    return float(single(np.array(max(largest / LIMIT, SMALLEST_SCALE) if largest else 1.0 / LIMIT)))


def rounded(table: Tensor, bits: int = 8) -> Tensor:
    """The table as codes, below 8 bits with a scale for each row."""
    if bits < 8:
        codes, scales = _rows(table, bits)
        quantization = Quantization(scales, (0,) * len(scales), 0)
        return Tensor(table.name, table.shape, DType.INT8, quantization, codes)
    scale = value_scale(table)
    steps = np.rint(table.constant.astype(np.float64) / scale)
    data = np.clip(steps, -LIMIT, LIMIT).astype(np.int8)
    return Tensor(table.name, table.shape, DType.INT8, Quantization((scale,), (0,)), data)


def position_factor(op: Embedding, tables: tuple[Tensor, ...], matrices: tuple[Tensor, ...]) -> int:
    """By what the codes of positions are multiplied, so that neither product lacks steps.

    The median over the units of what the largest products of positions and tokens differ by.
    """
    if op.bits == 8 or len(matrices) < 2:
        return 1
    scales = (value_scale(tables[0], op.bits), value_scale(tables[1]))
    tokens, positions = (
        scale * np.abs(matrix.constant.astype(np.float64)).max(axis=1, initial=0.0)
        for scale, matrix in zip(scales, matrices, strict=True)
    )
    live = tokens > 0.0
    if not live.any():
        return 1
    return int(np.clip(np.ceil(np.median(positions[live] / tokens[live])), 1, ROW_LIMIT))


def _rows(table: Tensor, bits: int) -> tuple[Array, tuple[float, ...]]:
    data = np.ascontiguousarray(table.constant, np.float32)
    return _searched(data.tobytes(), data.shape, bits)


# The table is rounded anew in every trial of the activations' ranges.
@lru_cache(maxsize=4)
def _searched(data: bytes, shape: Shape, bits: int) -> tuple[Array, tuple[float, ...]]:
    """(int8 codes, scales), per row those of the least squared error."""
    rows = np.frombuffer(data, np.float32).reshape(shape).astype(np.float64)
    limit = 2 ** (bits - 1) - 1
    full = np.abs(rows).max(axis=1, initial=0.0) / limit
    if not full.max(initial=0.0) > 0.0:
        full = np.full(len(rows), 1.0 / limit)
    free = _best(rows, [full * part for part in _PARTS], limit)
    unit = max(float(free.max()) / ROW_LIMIT, SMALLEST_SCALE)
    # Whole multiples of the unit: the row with the largest scale defines it.
    tried = [np.clip(np.rint(full * part / unit), 1, ROW_LIMIT) * unit for part in _PARTS]
    scales = _best(rows, tried, limit)
    scales[int(np.argmax(free))] = ROW_LIMIT * unit
    codes = _codes(rows, scales, limit).astype(np.int8)
    codes.flags.writeable = False
    return codes, tuple(float(scale) for scale in single(scales))


def _codes(rows: Array, scales: Array, limit: int) -> Array:
    steps = rows / np.maximum(scales, SMALLEST_SCALE)[:, None]
    return np.asarray(np.clip(np.rint(steps), -limit, limit))


def _best(rows: Array, tried: list[Array], limit: int) -> Array:
    """Of the scales that are tried for each row the first one with the least squared error."""
    best, least = np.zeros(len(rows)), np.full(len(rows), np.inf)
    for scales in tried:
        error = np.square(_codes(rows, scales, limit) * scales[:, None] - rows).sum(axis=1)
        better = error < least
        best[better], least[better] = scales[better], error[better]
    return best
