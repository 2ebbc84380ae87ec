"""Every special kernel of the catalogue on the emulated chip: its outputs equal the reference.

Here the assembly runs that the host never compiles. For one kernel: `-k SYMBOL`, for one compiler
`-k "SYMBOL and gcc"`. A kernel must also leave alone what is not its output or scratch, and the
registers that a function preserves.
"""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from pathlib import Path

import numpy as np
import pytest

from support.kernel_cases import KERNELS, assert_equal, cases, described, records
from support.kernel_firmware import KernelFirmware, is_installed
from support.programs import program_of
from tinyc import interpreter
from tinyc.boards import load_board

pytestmark = pytest.mark.emulated

BOARD = load_board("nrf52840")
CASES = 20
RECORDS = 2
# All arenas lie in the chip's RAM together.
ARENAS = 220_000


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize(
    "key", [key for key, kernel in KERNELS.items() if kernel.isa not in ("portable", "helium")]
)
def test_a_special_kernel_on_the_chip_equals_the_reference(key: str, toolchain: str, tmp_path: Path) -> None:
    if not is_installed(toolchain):
        pytest.skip("arm-none-eabi-gcc is not installed")
    apart = dataclasses.replace(KERNELS[key], in_place=())
    programs = [
        program_of(graph, [(KERNELS[key], apart)[index % 2]], f"m{index}", BOARD)
        for index, graph in enumerate(cases(key)[:CASES])
    ]
    ends = itertools.accumulate(program.plan.arena_size for program in programs)
    programs = [program for program, end in zip(programs, ends, strict=True) if end <= ARENAS]
    firmware = KernelFirmware(programs, tmp_path, toolchain)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    for case, inputs in records(key, len(programs), RECORDS):
        answer = firmware.run(case, inputs, rng)
        assert_equal(key, case, interpreter.run(cases(key)[case], inputs), answer.outputs)
        assert not answer.misdeed, f"{key}, case {case}: {answer.misdeed}\n{described(key, case)}"
