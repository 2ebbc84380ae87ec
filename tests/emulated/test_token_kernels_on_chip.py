"""Every row kernel on the emulated chip, where its assembly runs: outputs equal the reference."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from support.kernel_firmware import KernelFirmware, is_installed
from support.token_cases import FAMILIES, ISAS, assert_same, expected, graphs, inputs_of, program
from tinyc.boards import load_board

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")
# All arenas lie in the chip's RAM together.
ARENAS = 220_000


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("isa", ISAS)
def test_blocks_on_the_chip_equal_the_reference(isa: str, toolchain: str, tmp_path: Path) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    cases = [(f"{family} {at}", graph) for family in FAMILIES for at, graph in enumerate(graphs(family))]
    programs = [program(graph, isa, f"m{at}", BOARD) for at, (_, graph) in enumerate(cases)]
    ends = itertools.accumulate(each.plan.arena_size for each in programs)
    programs = [each for each, end in zip(programs, ends, strict=True) if end <= ARENAS]
    assert len(programs) == len(cases)
    firmware = KernelFirmware(programs, tmp_path, toolchain)
    rng = np.random.default_rng(len(isa))
    for at, (name, graph) in enumerate(cases):
        for inputs in inputs_of(graph, at)[-3:]:
            answer = firmware.run(at, inputs, rng)
            assert_same(f"{isa}: {name}", expected(graph, inputs), answer.outputs)
            assert not answer.misdeed, f"{isa}: {name}: {answer.misdeed}"
