"""SOFTMAX of int8 for ARMv7E-M."""

from __future__ import annotations

from tinyc.ir.ops.softmax import Softmax
from tinyc.kernels import portable_softmax
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.work import FittedWork

KERNELS = (
    Kernel(
        symbol="tinyc_softmax_s8__cortex_m4",
        op=Softmax,
        source="cortex_m4/softmax_s8.c",
        headers=("include/tinyc_bytes.h", "include/softmax.h"),
        requires=frozenset({"dsp"}),
        accepts=portable_softmax.int8,
        lower=portable_softmax.lower,
        in_place=(0,),
        work=FittedWork("tinyc_softmax_s8__cortex_m4", portable_softmax.int8_features),
    ),
)
