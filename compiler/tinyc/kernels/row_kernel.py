"""Kernels of the parts of a TOKEN_BLOCK: functions that compute a few rows of one layer.

They share the C signature `void symbol(const struct *layer, const void *const *inputs, void *output,
void *scratch, const struct tinyc_tile *tile)`, see `tinyc_tile.h`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinyc.ir.graph import Graph
from tinyc.ir.ops.attention import Attention
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.token_pool import TokenPool
from tinyc.ir.tensor import Tensor
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, always, none

# Rows of a tile: TINYC_TILE_ROWS in tinyc_tile.h.
TILE_ROWS = 4

# Positions of the inputs that a layer reads as a whole; it reads the others at the rows it computes.
_WHOLE: Mapping[type[Op], tuple[int, ...]] = {
    Attention: (1, 2),
    DepthwiseConv1D: (0,),
    Embedding: (0,),
}


def whole_inputs(op: Op) -> tuple[int, ...]:
    """Positions of the inputs of which every row is needed for each row that is computed."""
    return _WHOLE.get(type(op), ())


def rows_of(tensor: Tensor) -> int:
    """Rows of a tensor [..., depth]."""
    return tensor.elements // tensor.shape[-1]


def rows_through(op: Op, graph: Graph) -> int:
    """Rows that an op goes through: those of its output, or of its input when it makes one row of them."""
    return rows_of(graph[op.inputs[0] if isinstance(op, TokenPool) else op.outputs[0]])


def _no_positions(op: Op, graph: Graph) -> tuple[int, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKernel:
    """One way to compute rows of an op. `source` and `headers` are files under `firmware_templates/kernels`.

    `fields` initialises the C struct `struct`, see `kernel.Lowered`. `scratch` is in bytes, for a tile.
    `early` gives the positions of the inputs that are read to the end before any output is written, `again`
    those of which a row is read again after a part of the output's row is written.
    `has_state`: the scratch stays as it was left until the next tile. `panel`: positions of inputs that lie
    repacked in the scratch after a call; where they are null pointers, they lie there already.
    `features` are those of all rows, see `kernels/row_features.py`; their costs lie in `work.toml`.
    """

    symbol: str
    op: type[Op]
    source: str
    struct: str
    fields: Callable[[Op, Graph], Mapping[str, FieldValue]]
    features: Callable[[Op, Graph], Features]
    headers: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    accepts: Callable[[Op, Graph], bool] = always
    scratch: Callable[[Op, Graph], int] = none
    has_state: bool = False
    panel: Callable[[Op, Graph], tuple[int, ...]] = _no_positions
    early: Callable[[Op, Graph], tuple[int, ...]] = _no_positions
    again: Callable[[Op, Graph], tuple[int, ...]] = _no_positions
