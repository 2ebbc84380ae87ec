"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN of int8 for ARMv7E-M, four channels to the word."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.mean import Mean
from tinyc.ir.tensor import DType
from tinyc.kernels import dsp_features, portable_elementwise, portable_pooling
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.work import FittedWork

_REQUIRES = frozenset({"dsp"})
# Of int8 elements whose sum fits in int16.
_MOST_SUMMANDS = 256
_ACCUMULATOR_LIMIT = 2**30


def _accepts_words(op: Op, graph: Graph) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is result.dtype is DType.INT8 and x.shape[3] >= 4


def _accepts_average_pool(op: Op, graph: Graph) -> bool:
    assert isinstance(op, AveragePool2D)
    (x,) = graph.operands(op)
    window = min(op.filter_height, x.shape[1]) * min(op.filter_width, x.shape[2])
    return window <= _MOST_SUMMANDS and _accepts_words(op, graph)


def _mean_fields(op: Op, graph: Graph) -> dict[str, int] | None:
    """The C parameters, when one SMMULR requantizes all sums exactly."""
    if not portable_elementwise.mean_int8(op, graph):
        return None
    lowered = portable_elementwise.lower_mean(op, graph)
    fields = {name: value for name, value in lowered.fields.items() if isinstance(value, int)}
    largest = 255 * fields["reduced"] * fields["inner_reduced"]
    return fields if -31 <= fields["shift"] <= -1 and largest < _ACCUMULATOR_LIMIT else None


def _mean_features(op: Op, graph: Graph) -> Features:
    fields = _mean_fields(op, graph)
    assert fields is not None
    return dsp_features.word_sums(
        *(fields[name] for name in ("outer", "reduced", "middle", "inner_reduced", "inner"))
    )


def _accepts_mean(op: Op, graph: Graph) -> bool:
    fields = _mean_fields(op, graph)
    return fields is not None and fields["inner"] >= 4


def _accepts_mean_rows(op: Op, graph: Graph) -> bool:
    fields = _mean_fields(op, graph)
    return fields is not None and fields["inner"] == 1


KERNELS = (
    *(
        Kernel(
            symbol=f"tinyc_{name}__cortex_m4",
            op=op,
            source=f"cortex_m4/{name}.c",
            headers=("include/tinyc_pool.h",),
            requires=_REQUIRES,
            accepts=accepts,
            lower=portable_pooling.lower,
            work=FittedWork(f"tinyc_{name}__cortex_m4", dsp_features.word_pooling),
        )
        for name, op, accepts in (
            ("average_pool_2d_s8", AveragePool2D, _accepts_average_pool),
            ("average_pool_2d_s8_wide", AveragePool2D, _accepts_words),
            ("max_pool_2d_s8", MaxPool2D, _accepts_words),
        )
    ),
    *(
        Kernel(
            symbol=f"tinyc_{name}__cortex_m4",
            op=Mean,
            source=f"cortex_m4/{name}.c",
            headers=("include/tinyc_pool.h", "include/mean.h"),
            requires=_REQUIRES,
            accepts=accepts,
            lower=portable_elementwise.lower_mean,
            work=FittedWork(f"tinyc_{name}__cortex_m4", _mean_features),
        )
        for name, accepts in (("mean_s8", _accepts_mean), ("mean_s8_rows", _accepts_mean_rows))
    ),
)
