"""ADD, SUB and MUL on the emulated chip: all 65,536 pairs of inputs, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.exhaustive import PAIRS, SUMS, all_pairs, binary_layer
from support.kernel_firmware import KernelFirmware, is_installed
from support.programs import fastest_kernel, program_of
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.ir.ops import Add, Mul, Sub
from tinyc.ir.ops.elementwise import Binary

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")
# Op, scales and zero points, instructions per element at most.
LAYERS = (
    pytest.param(Add, SUMS[0], 6.5, id="add, linear"),
    pytest.param(Sub, SUMS[1], 6.5, id="sub, linear with ties"),
    pytest.param(Add, SUMS[3], 11, id="add, table"),
    pytest.param(Mul, SUMS[0], 11, id="mul"),
)


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize(("op", "numbers", "most"), LAYERS)
def test_all_pairs_on_the_chip(
    op: type[Binary], numbers: tuple[tuple[float, int], ...], most: float, toolchain: str, tmp_path: Path
) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    graph = binary_layer(op, numbers)
    kernel = fastest_kernel(graph, BOARD)
    assert kernel.isa == "cortex_m4"
    firmware = KernelFirmware([program_of(graph, [kernel], "m0", BOARD)], tmp_path, toolchain)
    answer = firmware.run(0, all_pairs(), np.random.default_rng(0))
    np.testing.assert_array_equal(answer.outputs[0], interpreter.run(graph, all_pairs())[0])
    assert not answer.misdeed
    assert answer.instructions <= most * PAIRS
