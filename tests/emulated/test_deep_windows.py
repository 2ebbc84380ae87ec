"""Convolutions whose windows are deeper than the random layers of the kernel tests, on the emulated chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import activation, random_inputs, single_op_graph
from strategies.convolution import random_bias, random_filters, random_output
from support.kernel_firmware import KernelFirmware, is_installed
from support.programs import program_of
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Conv2D, Padding
from tinyc.kernels.catalogue import CATALOGUE

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")
WINDOWS = {"5x5x27": (5, 27), "3x3x60": (3, 60), "1x1x600": (1, 600)}


def layer(rng: np.random.Generator, kernel: int, depth: int) -> Graph:
    """A 3x4 map through 3 filters of kernel x kernel x depth."""
    x = activation(rng, "x", (1, 3, 4, depth))
    filters = random_filters(rng, (3, kernel, kernel, depth), 0)
    tensors = [x, filters, random_bias(rng, x, filters, 3)]
    names = tuple(tensor.name for tensor in tensors)
    op = Conv2D(name="conv_2d", inputs=names, outputs=("y",), padding=Padding.SAME)
    return single_op_graph(op, [*tensors, random_output(rng, (1, 3, 4, 3), x, filters, Activation.NONE)])


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_deep_window_on_the_chip_equals_the_reference(window: str, toolchain: str, tmp_path: Path) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    rng = np.random.default_rng(WINDOWS[window][1])
    graph = layer(rng, *WINDOWS[window])
    kernels = [
        kernel
        for kernel in CATALOGUE
        if kernel.isa == "cortex_m4" and kernel.op is Conv2D and kernel.accepts(graph.ops[0], graph)
    ]
    assert any("2x4" in kernel.symbol for kernel in kernels)
    programs = [program_of(graph, [kernel], f"m{i}", BOARD) for i, kernel in enumerate(kernels)]
    firmware = KernelFirmware(programs, tmp_path, toolchain)
    inputs = tuple(random_inputs(rng, graph))
    (expected,) = interpreter.run(graph, inputs)
    for case, kernel in enumerate(kernels):
        answer = firmware.run(case, inputs, rng)
        assert answer.outputs[0].tobytes() == expected.tobytes(), kernel.symbol
        assert not answer.misdeed, f"{kernel.symbol}: {answer.misdeed}"
