"""The MLPerf Tiny visual wake words model in patches on the emulated nRF52840: bytes, predicted work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyc import frontends, passes, pipeline, profiling
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine
from tinyc.ir.ops import PatchStage
from tinyc.objective import Objective
from tinyc.patches import patches_of, with_patches
from tinyc.program import Program
from tinyc.selection import choose, with_steps
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated


def test_the_stages_of_a_board_without_fused_kernels_on_one_with_them(shared: Path, tmp_path: Path) -> None:
    path = shared / "models" / "mlperf_tiny" / "vww_96_int8.tflite"
    graph = passes.legalize(passes.run(frontends.load(path)))
    portable = pipeline.compile_graph(graph, load_board("host"), name="vww", optimize=Objective.RAM)
    patched = with_patches(graph, patches_of(portable.graph))
    board = load_board("nrf52840")
    steps, plan = choose(patched, board, Objective.TIME)
    program = Program("vww", with_steps(patched, steps), steps, plan, board)
    firmware = pipeline.build(program, tmp_path / "vww")
    machine = Machine(firmware.elf, board)
    device = DeviceEngine(DeviceClient(machine.transport), program)
    assert verify(program, random_vectors(graph, 1, seed=3), {"device": device}).agrees
    machine.transport.close()
    stages = 0
    for step, (counted, _) in zip(steps, profiling.counts(program, firmware.elf), strict=False):
        if isinstance(step.op, PatchStage):
            assert step.kernel.work is not None and step.kernel.isa == "cortex_m4"
            predicted = step.kernel.work(step.op, program.graph).instructions
            assert abs(predicted - counted) <= 0.05 * counted, (step.op.name, predicted, counted)
            stages += 1
    assert stages == len(patches_of(portable.graph)) > 0
