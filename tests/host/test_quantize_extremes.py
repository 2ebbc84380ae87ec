"""QUANTIZE in C takes any float: infinities, NaN and huge values clamp, without undefined behaviour."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import single_op_graph
from support.programs import program_of
from tinyc.interpreter import run
from tinyc.ir.ops import Quantize
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels.catalogue import candidates
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

SPECIAL = [np.inf, -np.inf, np.nan, -np.nan, 3e38, -3e38, 2.0**31, -(2.0**31), 1e-45, -1e-45, 0.0, -0.0]
TYPES = (DType.INT8, DType.UINT8, DType.INT16)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 0.5, 1e30])
def test_every_float_is_clamped_as_the_reference_does(scale: float) -> None:
    scale32 = np.float32(scale)
    halves = (np.arange(-600, 600) / 2).astype(np.float32) * scale32
    ties = np.concatenate([halves, np.nextafter(halves, np.inf), np.nextafter(halves, -np.inf)])
    values = np.concatenate([np.array(SPECIAL, np.float32), ties])
    x = Tensor("x", values.shape, DType.FLOAT32)
    graphs = [
        single_op_graph(
            Quantize(name="layer", inputs=("x",), outputs=("y",)),
            [x, Tensor("y", x.shape, dtype, Quantization((float(scale32),), (zero_point,)))],
        )
        for dtype in TYPES
        for zero_point in ((0,) if dtype is DType.INT16 else (np.iinfo(dtype.numpy).min, 5, 100))
    ]
    programs = [program_of(g, [candidates(g.ops[0], g)[0]], f"m{i}") for i, g in enumerate(graphs)]
    answers = HostBundle(programs).run_all([(i, (values,)) for i in range(len(graphs))])
    for graph, (actual,) in zip(graphs, answers, strict=True):
        (expected,) = run(graph, [values])
        assert actual.tobytes() == expected.tobytes(), graph["y"]
