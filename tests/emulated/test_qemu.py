"""The same ELF in QEMU and on the emulated chip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.small_firmware import build
from tinyc.boards import load_board
from tinyc.emulator import Machine, qemu
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    if qemu.find_qemu() is None:
        pytest.skip("qemu-system-arm is not installed")


@pytest.mark.parametrize("name", ["mps2_an386", "mps2_an500", "netduinoplus2"])
def test_arithmetic_agrees_with_qemu(tmp_path: Path, name: str) -> None:
    """Saturating, SIMD, multiply, divide and FPU instructions on the same random operands."""
    board = load_board(name)
    elf = build("arithmetic", board, tmp_path, "STM32" if name == "netduinoplus2" else "CMSDK")
    # Around its Cortex-M7 the AN500 has what the AN386 has.
    machine = Machine(elf, replace(board, soc="mps2_an386") if name == "mps2_an500" else board)
    operands = np.random.default_rng(5).integers(0, 2**32, (100, 3), dtype=np.uint32)
    operands[0], operands[1] = 0, 0x80000000
    with qemu.QemuMachine(elf, board) as second:
        lines = (machine.transport, second.transport)
        assert all(line.read(4, 60.0) == b"REDY" for line in lines)
        for row in operands:
            answers = []
            for line in lines:
                line.write(row.tobytes())
                answers.append(np.frombuffer(line.read(4 * 24, 20.0), np.uint32))
            assert answers[0].size == 24
            np.testing.assert_array_equal(answers[0], answers[1])


def test_instruction_counts_agree_with_qemu(tmp_path: Path) -> None:
    """QEMU executes an instruction a nanosecond here, its timer ticks at 25 MHz: 40 instructions a tick."""
    board = load_board("mps2_an386")
    elf = build("timed", board, tmp_path)
    machine = Machine(elf, board)
    with qemu.QemuMachine(elf, board) as second:
        for command, function in ((1, "work_loop"), (2, "work_loop"), (3, "work_mixed")):
            machine.watch([function])
            answers = []
            for line in (machine.transport, second.transport):
                line.write(bytes([command]))
                answers.append(np.frombuffer(line.read(8, 60.0), np.uint32))
            counted = machine.profile().watched[function].instructions
            assert counted > 1_000_000
            # one tick of the timer, and the instructions around the call
            assert abs(int(answers[1][0]) * 40 - counted) <= 2 * 40
            assert answers[0][1] == answers[1][1]


def test_qemu_that_cannot_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.elf"
    broken.write_bytes(b"no image")
    with (
        qemu.QemuMachine(broken, load_board("netduinoplus2")) as second,
        pytest.raises(TinycError, match="QEMU ended"),
    ):
        second.transport.read(1, 20.0)


def test_board_that_qemu_lacks(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="QEMU has no machine for `nrf52840`"):
        qemu.QemuMachine(tmp_path / "any.elf", load_board("nrf52840"))
