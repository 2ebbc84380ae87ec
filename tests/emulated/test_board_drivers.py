"""Drivers of chips whose model is strict: they work, and without any one of their steps they do not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from support.driver_firmware import Edit, build_driver
from tinyc.boards import load_board
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chips import stm32l4r5

pytestmark = pytest.mark.emulated

SENT, ANSWERED = b"HAL8", b"IBM9"
SOC = "include/soc.h"
SHORTLY = 0.003  # seconds of the board


def folded(unique: tuple[int, int, int]) -> bytes:
    return struct.pack("<2I", unique[0] ^ unique[2], unique[1])


# What the boards call themselves.
NUMBERS = {"nucleo_l4r5zi": folded(stm32l4r5.UNIQUE_ID)}

# Board → what its driver leaves out → the fault that names it; empty where the chip is only silent.
STEPS: dict[str, dict[str, tuple[Edit, str]]] = {
    "nucleo_l4r5zi": {
        "boost mode": ((SOC, "PWR_CR5 &= ~PWR_CR5_R1MODE;", ""), "120000000 Hz without boost mode"),
        "wait states": ((SOC, "#define ACR_LATENCY 5u", "#define ACR_LATENCY 0u"), "60000000 Hz with 0 wait"),
        "half the speed": ((SOC, "CFGR_HALF_SPEED | CFGR_PLL;", "CFGR_PLL;"), "without a microsecond"),
        "a microsecond": ((SOC, "BOOST_TURNS 200u", "BOOST_TURNS 1u"), "without a microsecond"),
        "PLL factor": ((SOC, "BOARD_CLOCK_HZ / MSI_HZ * 2u", "8u"), "would run at 32000000 Hz"),
        "PLL output": ((SOC, "<< 8 | PLLCFGR_PLLREN;", "<< 8;"), "baud"),
        "VDDIO2": ((SOC, "PWR_CR2 |= PWR_CR2_IOSV;", ""), ""),
        "clock of PWR": ((SOC, "RCC_APB1ENR1 |= 1u << 28;", ""), "without boost mode"),
        "clock of the port": (
            (SOC, "RCC_AHB2ENR |= 1u << BOARD_UART_TX_PORT | 1u << BOARD_UART_RX_PORT;", ""),
            "",
        ),
        "clock of the UART": ((SOC, "RCC_APB1ENR2 |= 1u;", ""), ""),
        "divider of an LPUART": ((SOC, "BOARD_UART_BAUD / 256u", "BOARD_UART_BAUD"), "baud"),
        "function of the pins": ((SOC, "SOC_UART_FUNCTION 8u", "SOC_UART_FUNCTION 7u"), ""),
    },
}
CASES = [(board, step) for board, steps in STEPS.items() for step in steps]


@pytest.mark.parametrize("name", STEPS)
def test_driver(tmp_path: Path, name: str) -> None:
    """Bytes come back, the clock counts, the chip says its own number, and it starts again when asked."""
    board = load_board(name)
    machine = Machine(build_driver(board, tmp_path), board)
    line = machine.transport
    for _ in range(2):
        line.write(SENT)
        assert line.read(4, 1.0) == ANSWERED
        line.write(b"\xff")
        first = line.read(12, 1.0)
        line.write(b"\xff")
        second = line.read(12, 1.0)
        assert 0 < int.from_bytes(first[:4], "little") < int.from_bytes(second[:4], "little") < board.clock_hz
        assert second[4:] == first[4:] == NUMBERS[name]
        line.write(b"\xfe")
        assert line.read(1, SHORTLY) == b""


@pytest.mark.parametrize(("name", "step"), CASES)
def test_driver_without_a_step(tmp_path: Path, name: str, step: str) -> None:
    edit, fault = STEPS[name][step]
    board = load_board(name)
    machine = Machine(build_driver(board, tmp_path, [edit]), board)
    machine.transport.write(SENT)
    if fault:
        with pytest.raises(EmulatedFault, match=fault):
            machine.transport.read(4, SHORTLY)
    else:
        assert machine.transport.read(4, SHORTLY) == b""
