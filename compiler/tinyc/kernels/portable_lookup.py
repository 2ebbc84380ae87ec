"""One portable kernel for every operator with one 8-bit input and one 8-bit output: a table."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.abs import Abs
from tinyc.ir.ops.add import Add
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.comparison import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual
from tinyc.ir.ops.curved import Gelu
from tinyc.ir.ops.div import Div
from tinyc.ir.ops.elementwise import on_row
from tinyc.ir.ops.elu import Elu
from tinyc.ir.ops.exp import Exp
from tinyc.ir.ops.extremes import Maximum, Minimum
from tinyc.ir.ops.hard_swish import HardSwish
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.ops.log import Log
from tinyc.ir.ops.logical_not import LogicalNot
from tinyc.ir.ops.logistic import Logistic
from tinyc.ir.ops.lookup import Lookup
from tinyc.ir.ops.mul import Mul
from tinyc.ir.ops.neg import Neg
from tinyc.ir.ops.prelu import Prelu
from tinyc.ir.ops.quantize import Quantize
from tinyc.ir.ops.relu import Relu
from tinyc.ir.ops.relu6 import Relu6
from tinyc.ir.ops.relu_0_to_1 import Relu0To1
from tinyc.ir.ops.relu_n1_to_1 import ReluN1To1
from tinyc.ir.ops.rsqrt import Rsqrt
from tinyc.ir.ops.sqrt import Sqrt
from tinyc.ir.ops.squared_difference import SquaredDifference
from tinyc.ir.ops.sub import Sub
from tinyc.ir.ops.tanh import Tanh
from tinyc.ir.tensor import Array, DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import IntArray
from tinyc.quantize.lookup_table import tabulate

OPS: tuple[type[Op], ...] = (
    *(Relu, Relu6, Relu0To1, ReluN1To1, LeakyRelu, HardSwish, Logistic, Tanh, Elu, Gelu),
    *(Abs, Neg, Exp, Log, Lookup, Rsqrt, Sqrt, Quantize),
    *(Add, Sub, Mul, Div, SquaredDifference, Prelu, Maximum, Minimum),
    *(Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual, LogicalNot),
)
_BYTES = frozenset({DType.INT8, DType.UINT8, DType.BOOL})


def table_of(op: Op, graph: Graph) -> Array:
    """The op's reference for all 256 values of its one activation: uint8 [256] in byte order.

    Other operands are constants of one element.
    """
    (x,) = graph.activations(op)

    def reference(codes: IntArray) -> IntArray:
        row = codes.astype(x.dtype.numpy)
        return on_row(op, graph.operands(op), graph.results(op), row).astype(np.int64)

    return tabulate(reference, signed=x.dtype is DType.INT8)


def lower(op: Op, graph: Graph) -> Lowered:
    """C parameters: the elements and the table."""
    (result,) = graph.results(op)
    return Lowered("tinyc_lookup", {"count": result.elements, "table": table_of(op, graph)})


def accepts(op: Op, graph: Graph) -> bool:
    """One 8-bit activation; every other operand is a constant of one element."""
    activations = graph.activations(op)
    others = [tensor for tensor in graph.operands(op) if tensor.is_constant]
    return (
        len(activations) == 1
        and activations[0].dtype in _BYTES
        and graph.results(op)[0].dtype in _BYTES
        and all(tensor.elements == 1 for tensor in others)
    )


KERNELS = tuple(
    Kernel(
        symbol="tinyc_lookup_s8__portable",
        op=op,
        source="portable/lookup_s8.c",
        headers=("include/lookup.h",),
        accepts=accepts,
        lower=lower,
        in_place=(0,),
        work=FittedWork("tinyc_lookup_s8__portable", features.elements),
    )
    for op in OPS
)
