"""Kernels for weights of four bits, made from those for eight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork

LOWEST, HIGHEST = -8, 7


def fits(op: Op, graph: Graph) -> bool:
    """Whether the weights are a constant that fits four bits."""
    weights = graph.operands(op)[1]
    if not weights.is_constant:
        return False
    return bool(weights.constant.min() >= LOWEST and weights.constant.max() <= HIGHEST)


def _nothing(op: Op, graph: Graph) -> Features:
    return {}


def narrowed(
    base: Kernel,
    headers: tuple[str, ...],
    pack: Callable[[Op, Graph], Array],
    more: Callable[[Op, Graph], Features] = _nothing,
    **view: object,
) -> Kernel:
    """The kernel of `base`'s template with `nibbles`, for the same layers where their weights fit four bits.

    `pack` gives the weights as they lie in flash, `more` what the work is proportional to beside the features
    of `base`. `headers` and entries in `view` take the place of those of `base`.
    """
    assert isinstance(base.work, FittedWork)
    features = base.work.features

    def accepts(op: Op, graph: Graph) -> bool:
        return fits(op, graph) and base.accepts(op, graph)

    def lower(op: Op, graph: Graph) -> Lowered:
        found = base.lower(op, graph)
        return replace(found, fields={**found.fields, "weights": pack(op, graph)})

    symbol = base.symbol.replace("_s8", "_s4")
    return replace(
        base,
        symbol=symbol,
        headers=headers,
        view={**base.view, **view, "nibbles": True},
        accepts=accepts,
        lower=lower,
        weight_bits=4,
        work=FittedWork(symbol, lambda op, graph: {**features(op, graph), **more(op, graph)}),
    )
