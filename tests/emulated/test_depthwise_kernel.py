"""The planar depthwise kernel's assembly in its corners, on the emulated chip, and its predicted cost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.depthwise_layers import LAYERS, kernel_for, layer, overlapped
from support.kernel_firmware import KernelFirmware, is_installed
from support.programs import program_of
from tinyc import interpreter
from tinyc.boards import load_board

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")


@pytest.mark.parametrize("shared", [False, True], ids=["by shape", "shared"])
@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_the_reference_equals_the_chip(toolchain: str, shared: bool, tmp_path: Path) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    small = [n for n, (shape, *_) in enumerate(LAYERS) if np.prod(shape) <= 32_000]
    kernels = [kernel_for(layer(n), shared=shared) for n in small]
    apart = [dataclasses.replace(kernel, in_place=()) for kernel in kernels]
    programs = [program_of(layer(n), [k], f"m{n}", BOARD) for n, k in zip(small, apart, strict=True)]
    programs = [overlapped(program) if n % 2 else program for n, program in zip(small, programs, strict=True)]
    firmware = KernelFirmware(programs, tmp_path, toolchain)
    rng = np.random.default_rng(9)
    for index, n in enumerate(small):
        graph, where = layer(n), f"{LAYERS[n]}"
        inputs = random_inputs(rng, graph)
        answer = firmware.run(index, inputs, rng)
        (expected,) = interpreter.run(graph, inputs)
        assert expected.tobytes() == answer.outputs[0].tobytes(), where
        assert not answer.misdeed or n % 2, f"{where}: {answer.misdeed}"
        predict = kernel_for(graph, shared=shared).work
        assert predict is not None
        predicted = predict(graph.ops[0], graph).instructions
        assert abs(predicted - answer.instructions) <= 0.05 * answer.instructions + 60, (
            f"{where}: {predicted} instructions predicted, {answer.instructions} executed"
        )
