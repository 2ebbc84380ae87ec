"""The assembly for one row on the emulated chip: its bytes, and exactly the work that it predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.kernel_firmware import KernelFirmware, is_installed
from support.programs import program_of
from support.row_layers import SHAPES, row_chain, row_graph
from tinyc import interpreter, pipeline, profiling
from tinyc.boards import load_board
from tinyc.kernels.cortex_m4_fully_connected import CORE_KERNELS, KERNELS
from tinyc.kernels.kernel import Kernel

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")
both = pytest.mark.parametrize("toolchain", ["zig", "gcc"])


@pytest.mark.parametrize("kernels", [KERNELS, CORE_KERNELS], ids=["fpu", "core"])
@both
def test_all_shapes_and_roundings_equal_the_reference(
    toolchain: str, kernels: tuple[Kernel, ...], tmp_path: Path
) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    graphs = [row_graph(seed, *shape) for seed, shape in enumerate(3 * SHAPES)]
    programs = []
    for index, graph in enumerate(graphs):
        (kernel,) = [kernel for kernel in kernels if type(graph.ops[0]) is kernel.op]
        programs.append(program_of(graph, [kernel], f"m{index}", BOARD))
    firmware = KernelFirmware(programs, tmp_path, toolchain)
    rng = np.random.default_rng(0)
    around = set()
    for index, program in enumerate(programs):
        (step,) = program.steps
        assert step.kernel.work is not None
        for _ in range(2):
            inputs = random_inputs(rng, program.graph)
            answer = firmware.run(index, inputs, rng)
            (expected,) = interpreter.run(program.graph, inputs)
            np.testing.assert_array_equal(answer.outputs[0], expected, err_msg=str(step.op))
            assert not answer.misdeed, f"{answer.misdeed}: {step.op}"
            around.add(answer.instructions - step.kernel.work(step.op, program.graph).instructions)
    # What calls the kernel depends on the compiler and the arena's address, by an instruction or two.
    assert min(around) > 0 and max(around) <= 40 and max(around) - min(around) <= 4


@both
def test_the_work_of_each_layer_is_predicted(toolchain: str, tmp_path: Path) -> None:
    graph = row_chain(4, (640, 128, 5, 37, 130, 9, 8, 65, 2))
    program = pipeline.compile_graph(graph, BOARD, name="chain")
    firmware = pipeline.build(program, tmp_path / "out", toolchain)
    layers = profiling.profile(program, firmware.elf)["layers"]
    for layer, step in zip(layers, program.steps, strict=True):
        assert step.kernel in KERNELS and step.kernel.work is not None
        work = step.kernel.work(step.op, graph)
        # The layer's own function passes four arguments.
        assert 4 <= layer["instructions"] - work.instructions <= 12
        assert 4 <= layer["cycles_estimated"] - work.cycles <= 20
