"""FLOOR_DIV and FLOOR_MOD in float32: C by integers against NumPy in double, where that is hard."""

from __future__ import annotations

import numpy as np
import pytest

from support.float_functions import PATTERNS
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import FloorDiv, FloorMod
from tinyc.ir.ops.floored import Floored
from tinyc.ir.tensor import Array, DType, Tensor, bits
from tinyc.pipeline import compile_graph
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host


def near_ties() -> tuple[Array, Array]:
    """a, b: a / b lies right above the middle of two float32 numbers, by a little less than 1.

    The double that it is rounded to is the whole number above that middle, which decides the rounding to
    24 bits. a = m 2^s with m = c 2^-s modulo the mantissa n of b, so a = t n + c for a t of 25 bits.
    """
    found = []
    for shift in range(5, 23):
        for c in range(1 << (23 - shift), (1 << (24 - shift)) - 1, max(1, (1 << (23 - shift)) // 60)):
            for more in (1, 3, (1 << shift) // 65 | 1):
                n = (c << shift) + more
                for s in (24, 25):
                    m = c * pow(2, -s, n) % n
                    if m >= 1 << 23 and (m << s) // n >> 24 == 1:
                        found.append((float(m << s) * 2.0**shift, float(n)))
    a, b = np.array(found, np.float32).T
    return a, b


def numbers() -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    a, b = near_ties()
    assert len(a) > 500
    # Of some quotients the exact whole part is rounded to another float32 than that of the double.
    exact = np.array([int(x) // int(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)], np.float64)
    in_double = np.floor(a.astype(np.float64) / b.astype(np.float64))
    assert (exact.astype(np.float32) != in_double.astype(np.float32)).sum() > 20
    usual = rng.normal(0, 100, (2, 4000)).astype(np.float32)
    powers = (rng.normal(0, 1, (2, 4000)) * 2.0 ** rng.integers(-30, 30, (2, 4000))).astype(np.float32)
    any_bits = rng.choice(PATTERNS, (2, 8000))
    whole = rng.integers(-50, 50, (2, 2000)).astype(np.float32)
    left, right = np.concatenate([usual, powers, any_bits, whole], axis=1)
    return np.concatenate([a, -a, left]), np.concatenate([b, b, right])


@pytest.mark.parametrize("op", [FloorDiv, FloorMod], ids=lambda op: op.kind)
def test_c_equals_double(op: type[Floored]) -> None:
    inputs = numbers()
    tensors = {name: Tensor(name, inputs[0].shape, DType.FLOAT32) for name in ("a", "b", "y")}
    layer = op(name="layer", inputs=("a", "b"), outputs=("y",))
    graph = verify(Graph("floored", tensors, (layer,), ("a", "b"), ("y",)))
    with np.errstate(all="ignore"):
        (expected,) = interpreter.run(graph, inputs)
    with HostModel(compile_graph(graph, load_board("host"), name="floored")) as model:
        (actual,) = model.run(inputs)
    wrong = np.flatnonzero((bits(expected) != bits(actual)).any(axis=-1))
    assert not len(wrong), [(x[wrong[0]], x.dtype) for x in (*inputs, expected, actual)]
