"""The float32 functions of the firmware: compiled, and measured against float64."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.quantize import float_math
from tinyc.quantize.float_math import Floats
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

Doubles = npt.NDArray[np.float64]
# Of all bit patterns every 2047th: each exponent and sign a few thousand times, NaNs and infinities too.
PATTERNS = np.arange(0, 2**32, 2047, dtype=np.uint64).astype(np.uint32).view(np.float32)
_EACH = """
void each_{name}(float *x, uint32_t n);
void each_{name}(float *x, uint32_t n) {{
    for (uint32_t i = 0; i < n; i++) x[i] = {prefix}{name}(x[i]);
}}
"""
_HEADERS = {
    "tinyc_float_math.h": "kernels/include",
    "tinyc_float_rounding.h": "kernels/include",
    "learn_math.h": "learning",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A function, its exact values, the arguments that count, and the error that it keeps, in ulp.

    `ranges`: ends of one sign. Beyond them the result is a constant or the argument.
    """

    name: str
    exact: Callable[[Doubles], Doubles]
    ranges: tuple[tuple[float, float], ...]
    ulp: float

    def function(self, x: Floats) -> Floats:
        result: Floats = getattr(float_math, self.name)(x)
        return result

    def arguments(self, step: int) -> Iterator[Floats]:
        """Every `step`th float32 of the ranges, a few million at a time."""
        for ends in self.ranges:
            first, last = np.array(ends, np.float32).view(np.uint32).tolist()
            for start in range(first, last + 1, step << 21):
                bits = np.arange(start, min(start + (step << 21), last + 1), step, dtype=np.uint32)
                yield bits.view(np.float32)

    def error(self, step: int) -> tuple[float, float]:
        """(the largest error in ulp, the argument where it is)."""
        worst, where = 0.0, 0.0
        for x in self.arguments(step):
            with np.errstate(all="ignore"):
                errors = ulps(self.function(x), self.exact(x.astype(np.float64)))
            at = int(np.argmax(errors))
            if errors[at] > worst:
                worst, where = float(errors[at]), float(x[at])
        return worst, where


def _normal(x: Doubles) -> Doubles:
    return np.asarray([0.5 * math.erfc(-value * math.sqrt(0.5)) for value in x.tolist()])


def _both(low: float, high: float) -> tuple[tuple[float, float], ...]:
    return ((low, high), (-low, -high))


MEASURED = (
    Measured("exp", np.exp, ((1e-8, 88.72), (-1e-8, -103.9)), 1.0),
    Measured("expm1", np.expm1, ((-1e-30, -18),), 1.2),
    Measured("log", np.log, ((1e-45, 3.4e38),), 0.9),
    Measured("tanh", np.tanh, _both(1e-20, 12), 1.4),
    Measured("logistic", lambda x: 1.0 / (1.0 + np.exp(-x)), ((1e-8, 20), (-1e-8, -103.9)), 2.5),
    Measured("normal", _normal, ((1e-8, 6), (-1e-8, -14.2)), 2.7),
    Measured("sin", np.sin, _both(1e-20, 1e6), 1.6),
    Measured("cos", np.cos, _both(1e-8, 1e6), 1.6),
    Measured("sqrt", np.sqrt, ((1e-45, 3.4e38),), 0.5),
)


def ulps(y: Floats, exact: Doubles) -> Doubles:
    """How far y lies from the exact values, in units of the last place of a float32 there."""
    exponent = np.frexp(exact)[1]
    return np.asarray(np.abs(y.astype(np.float64) - exact) / np.exp2(np.maximum(exponent, -125) - 24.0))


def library_of(
    compiler: HostCompiler, header: str, prefix: str, names: Sequence[str], more: str = ""
) -> ctypes.CDLL:
    """Functions `<prefix><name>` of a header of the firmware, each over an array as `each_<name>`."""
    templates = data_folder("firmware_templates")
    texts = {name: (templates / folder / name).read_text("utf-8") for name, folder in _HEADERS.items()}
    each = "".join(_EACH.format(name=name, prefix=prefix) for name in names)
    texts["each.c"] = f'#include "{header}"\n{each}{more}'
    flags = (*WARNINGS, "-Wconversion", "-Wdouble-promotion", "-O2", "-shared", "-fPIC")
    return ctypes.CDLL(str(compile_cached(compiler, texts, flags, "each.so")))


def in_c(library: ctypes.CDLL, name: str, x: Floats) -> npt.NDArray[np.uint32]:
    """The bits of a function of x."""
    values = x.copy()
    function: Any = library[f"each_{name}"]
    function(values.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint32(len(values)))
    return values.view(np.uint32)
