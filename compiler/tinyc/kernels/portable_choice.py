"""Portable kernels of SELECT_V2 and ADD_N: a template with one argument per activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.add_n import AddN, sums_scaling
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.select_v2 import SelectV2
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features
from tinyc.kernels.broadcast import walk
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_pairwise import AXES, loop_counts, loops, operand_views
from tinyc.kernels.work import FittedWork

_ROLES = ("condition", "left", "right")
# The bytes of an element: only they matter.
_ELEMENTS = {1: "uint8_t", 2: "uint16_t", 4: "uint32_t"}


def _select_accepts(size: int) -> Callable[[Op, Graph], bool]:
    def accepts(op: Op, graph: Graph) -> bool:
        operands, results = graph.operands(op), graph.results(op)
        return (
            results[0].dtype.size == size
            and not quantization_mismatch(operands[1:], results)
            and not all(operand.is_constant for operand in operands)
            and walk(*(operand.shape for operand in operands), axes=AXES) is not None
        )

    return accepts


def _lower_select(op: Op, graph: Graph) -> Lowered:
    return Lowered("tinyc_select", loops(op, graph, _ROLES))


def _specialize_select(op: Op, graph: Graph) -> Mapping[str, object]:
    element = _ELEMENTS[graph.results(op)[0].dtype.size]
    return {**operand_views(op, graph, _ROLES), "element": element}


def _add_n_accepts(op: Op, graph: Graph) -> bool:
    tensors = (*graph.operands(op), *graph.results(op))
    return all(tensor.dtype is DType.INT8 and not tensor.is_constant for tensor in tensors)


def _lower_add_n(op: Op, graph: Graph) -> Lowered:
    operands, (result,) = graph.operands(op), graph.results(op)
    scaling = sums_scaling(operands, result)
    low, high = limits(result.dtype)
    return Lowered(
        "tinyc_add_n",
        {
            "count": result.elements,
            "factor": 1 << (scaling.left_shift - 1),
            "output_offset": result.zero_point,
            "multiplier": scaling.output_multiplier,
            "shift": scaling.output_exponent,
            "low": low,
            "high": high,
        },
    )


def _specialize_add_n(op: Op, graph: Graph) -> Mapping[str, object]:
    return {"inputs": len(op.inputs), "variant": f"of_{len(op.inputs)}"}


KERNELS = (
    *(
        Kernel(
            symbol=f"tinyc_select_v2_x{8 * size}__portable",
            op=SelectV2,
            source="portable/select_v2.c.j2",
            headers=("include/select.h",),
            accepts=_select_accepts(size),
            lower=_lower_select,
            in_place=(0, 1, 2) if size == 1 else (),
            specialize=_specialize_select,
            work=FittedWork(f"tinyc_select_v2_x{8 * size}__portable", loop_counts),
        )
        for size in _ELEMENTS
    ),
    Kernel(
        symbol="tinyc_add_n_s8__portable",
        op=AddN,
        source="portable/add_n_s8.c.j2",
        headers=("include/add_n.h",),
        accepts=_add_n_accepts,
        lower=_lower_add_n,
        specialize=_specialize_add_n,
        work=FittedWork("tinyc_add_n_s8__portable", loop_features.terms),
    ),
)
