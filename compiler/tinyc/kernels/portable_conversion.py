"""Portable kernels of QUANTIZE and DEQUANTIZE; between 8-bit types a lookup table does it.

The pairs of integers are those of TensorFlow Lite Micro (`quantize_common.cc`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.dequantize import Dequantize
from tinyc.ir.ops.quantize import Quantize
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import quantize_multiplier

_SUFFIX = {
    DType.FLOAT32: "f32",
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
}


def _lower_real(op: Op, graph: Graph) -> Lowered:
    """From or to float32: the scale is that of the quantized tensor."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    quantized = result if x.dtype is DType.FLOAT32 else x
    return Lowered(
        "tinyc_quantize",
        {
            "count": x.elements,
            "scale": float(np.float32(quantized.scale)),
            "zero_point": quantized.zero_point,
        },
    )


def _lower_integer(op: Op, graph: Graph) -> Lowered:
    (x,), (result,) = graph.operands(op), graph.results(op)
    multiplier, shift = quantize_multiplier(float(np.float32(x.scale)) / float(np.float32(result.scale)))
    return Lowered(
        "tinyc_requantize_layer",
        {
            "count": x.elements,
            "input_offset": -x.zero_point,
            "output_offset": result.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        },
    )


def _between(source: DType, target: DType) -> Callable[[Op, Graph], bool]:
    def accepts(op: Op, graph: Graph) -> bool:
        (x,), (result,) = graph.operands(op), graph.results(op)
        return not x.is_constant and x.dtype is source and result.dtype is target

    return accepts


def _types(op: Op, graph: Graph) -> Mapping[str, object]:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return {
        "variant": f"{_SUFFIX[x.dtype]}_{_SUFFIX[result.dtype]}",
        "source": x.dtype.c_type,
        "target": result.dtype.c_type,
        "limits": result.dtype.value[0].upper(),
    }


def _kernel(op: type[Op], source: DType, target: DType) -> Kernel:
    real = DType.FLOAT32 in (source, target)
    name = f"{op.kind.lower()}_{_SUFFIX[source]}_{_SUFFIX[target]}"
    return Kernel(
        symbol=f"tinyc_{name}__portable",
        op=op,
        source=f"portable/{name}.c" if real else "portable/quantize.c.j2",
        headers=("include/quantize.h" if real else "include/requantize.h",),
        accepts=_between(source, target),
        lower=_lower_real if real else _lower_integer,
        work=FittedWork(f"tinyc_{name}__portable", features.elements),
        specialize=None if real else _types,
    )


KERNELS = (
    *(_kernel(Quantize, DType.FLOAT32, dtype) for dtype in (DType.INT8, DType.UINT8, DType.INT16)),
    *(_kernel(Dequantize, dtype, DType.FLOAT32) for dtype in (DType.INT8, DType.UINT8, DType.INT16)),
    *(
        _kernel(Quantize, source, target)
        for source, target in (
            (DType.INT8, DType.INT16),
            (DType.INT8, DType.INT32),
            (DType.INT16, DType.INT8),
            (DType.INT16, DType.INT16),
            (DType.INT16, DType.INT32),
            (DType.INT32, DType.INT8),
            (DType.INT32, DType.INT16),
        )
    ),
)
