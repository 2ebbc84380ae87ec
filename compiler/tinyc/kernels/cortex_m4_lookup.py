"""Every operator with one 8-bit input and one 8-bit output on ARMv7E-M: a table, a word at a time."""

from __future__ import annotations

from tinyc.kernels import dsp_features, portable_lookup
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.work import FittedWork

KERNELS = tuple(
    Kernel(
        symbol="tinyc_lookup_s8__cortex_m4",
        op=op,
        source="cortex_m4/lookup_s8.c",
        headers=("include/tinyc_bytes.h", "include/lookup.h"),
        requires=frozenset({"dsp"}),
        accepts=portable_lookup.accepts,
        lower=portable_lookup.lower,
        in_place=(0,),
        work=FittedWork("tinyc_lookup_s8__cortex_m4", dsp_features.words),
    )
    for op in portable_lookup.OPS
)
