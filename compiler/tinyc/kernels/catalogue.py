"""All kernels, best first, and the choice of one per layer at compile time."""

from __future__ import annotations

from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels import (
    cortex_m4,
    portable_conversion,
    portable_convolution,
    portable_elementwise,
    portable_fully_connected,
    portable_lookup,
    portable_movement,
    portable_pooling,
    portable_sigmoid,
    portable_softmax,
    scalar,
)
from tinyc.kernels.kernel import Kernel

# Within an op the first kernel that the board supports and that accepts the layer is taken, so
# specialised sets come before the portable one.
CATALOGUE: tuple[Kernel, ...] = (
    *cortex_m4.KERNELS,
    *scalar.KERNELS,
    *portable_convolution.KERNELS,
    *portable_fully_connected.KERNELS,
    *portable_lookup.KERNELS,
    *portable_movement.KERNELS,
    *portable_elementwise.KERNELS,
    *portable_conversion.KERNELS,
    *portable_pooling.KERNELS,
    *portable_softmax.KERNELS,
    *portable_sigmoid.KERNELS,
)


def candidates(op: Op, graph: Graph) -> tuple[Kernel, ...]:
    """Kernels that accept this layer on some board, best first."""
    return tuple(kernel for kernel in CATALOGUE if type(op) is kernel.op and kernel.accepts(op, graph))


def choose(op: Op, graph: Graph, board: Board) -> Kernel | None:
    """The kernel for one layer on `board`, or None when there is none."""
    for kernel in candidates(op, graph):
        if kernel.requires <= board.features:
            return kernel
    return None


def select(graph: Graph, board: Board) -> tuple[Kernel, ...]:
    """One kernel per op, in op order. Raises TinycError that lists every layer without one."""
    chosen, problems = [], []
    for index, op in enumerate(graph.ops):
        kernel = choose(op, graph, board)
        if kernel is None:
            types = ", ".join(tensor.dtype.value[0] for tensor in graph.operands(op))
            problems.append(Problem(f"#{index} {op.kind} {op.name}", f"no kernel for ({types})"))
        else:
            chosen.append(kernel)
    if problems:
        raise TinycError(
            f"{len(problems)} of {len(graph.ops)} layers have no kernel for board `{board.name}`",
            problems=problems,
            hint="docs/reference/operators.md lists the kernels; most layers need int8 activations",
        )
    return tuple(chosen)
