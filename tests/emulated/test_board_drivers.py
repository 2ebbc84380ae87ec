"""Drivers of chips whose model is strict: they work, and without any one of their steps they do not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from support.driver_firmware import Edit, build_driver
from tinyc.boards import load_board
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chips import esp32c3, nrf5340, stm32h743, stm32l4r5

pytestmark = pytest.mark.emulated

SENT, ANSWERED = b"HAL8", b"IBM9"
HAL, SOC, PORTS = "src/hal.c", "include/soc.h", "1u << BOARD_UART_TX_PORT | 1u << BOARD_UART_RX_PORT"
SHORTLY = 0.001  # seconds of the board


def folded(unique: tuple[int, int, int]) -> bytes:
    return struct.pack("<2I", unique[0] ^ unique[2], unique[1])


# What the boards call themselves.
NUMBERS = {
    "esp32c3": esp32c3.DEVICE_ID,
    "nrf5340": struct.pack("<2I", *nrf5340.DEVICE_ID),
    "nucleo_h743zi": folded(stm32h743.UNIQUE_ID),
    "nucleo_l4r5zi": folded(stm32l4r5.UNIQUE_ID),
}

# Board → what its driver leaves out → the fault that names it; empty where the chip is only silent.
STEPS: dict[str, dict[str, tuple[Edit, str]]] = {
    "esp32c3": {
        "RTC watchdog": ((HAL, "RTC_CNTL_WDTCONFIG0 = 0u;", ""), "while the RTC watchdog runs"),
        "its key": ((HAL, "RTC_CNTL_WDTWPROTECT = WDT_KEY;", ""), "while the RTC watchdog runs"),
        "super watchdog": ((HAL, "RTC_CNTL_SWD_CONF |= SWD_AUTO_FEED_EN;", ""), "while the super watchdog"),
        "key of the super watchdog": ((HAL, "SWD_WPROTECT = SWD_KEY;", "SWD_WPROTECT = 0u;"), "the super"),
        "watchdog of the timers": (
            (HAL, "TIMG_WDTCONFIG0 = TIMG_WDT_CONF_UPDATE_EN;", ""),
            "while the watchdog of TIMG0",
        ),
        "its update": ((HAL, "WDTCONFIG0 = TIMG_WDT_CONF_UPDATE_EN;", "WDTCONFIG0 = 0u;"), "of TIMG0"),
        "key of the timers": ((HAL, "TIMG_WDTWPROTECT = WDT_KEY;", ""), "while the watchdog of TIMG0"),
        "speed": ((HAL, "SYSTEM_SYSCLK_CONF = 0u;", ""), "the core runs at 20000000 Hz"),
        "rate": ((HAL, "UART_CLKDIV = divider >> 4 | (divider & 15u) << 20;", "(void)divider;"), "baud"),
        "clock of the UART": ((HAL, "UART_CLK_CONF = CLOCKS_ON | FROM", "UART_CLK_CONF = FROM"), ""),
        "undivided clock of the UART": (
            (HAL, "UART_CLK_CONF = CLOCKS_ON", "UART_CLK_CONF = 1u << 12 | CLOCKS_ON"),
            "baud",
        ),
        "UART out of reset": ((HAL, "UART_CLK_CONF = CLOCKS_ON | FROM_CRYSTAL;", ""), ""),
        "registers of the UART out of reset": (
            (HAL, "&= ~UART_RST;\n    UART_CLK_CONF =", "|= UART_RST;\n    UART_CLK_CONF ="),
            "",
        ),
        "update of the UART": ((HAL, "REG32(UART_ID) |= REG_UPDATE;", ""), "baud"),
        "frame": ((HAL, "ONE_STOP_BIT | EIGHT_BITS", "ONE_STOP_BIT"), "eight bits"),
        "pin that sends": (
            (HAL, "(BOARD_UART_TX_PIN) = SIGNAL_UART0", "(BOARD_UART_TX_PIN) = 0u"),
            "its pin is not",
        ),
        "pin that receives": ((HAL, "BY_MATRIX | BOARD_UART_RX_PIN", "BY_MATRIX"), ""),
        "input": ((HAL, "| INPUT_ON", ""), ""),
        "place of the traps": (("board.ld", "ALIGN(256)", "ALIGN(4)"), "mtvec is no multiple of 256"),
        "mie left alone": ((SOC, "SOC_HAS_MIE 0", "SOC_HAS_MIE 1"), "no control register 0x304"),
    },
    "nrf5340": {
        "trim values": (
            (SOC, "REG32(FICR_TRIM_ADDRESS(n)) = FICR_TRIM_DATA(n);", ""),
            "without the trim values",
        ),
        "full speed": ((SOC, "HFCLKCTRL = 0u;", ""), "the core runs at 64000000 Hz"),
        "crystal": ((HAL, "CLOCK_TASKS_HFCLKSTART = 1u;", ""), "the oscillator inside"),
        "rate": ((HAL, "UART_BAUDRATE = BAUDRATE;", ""), "baud"),
        "pin": ((HAL, "UART_PSEL_TXD = PSEL", "(void)PSEL"), "its line is not"),
    },
    "nucleo_h743zi": {
        "supply": ((SOC, "PWR_CR3 = PWR_CR3_LDO;", ""), "the core runs at 64000000 Hz"),
        "voltage": ((SOC, "D3CR_SCALE_1 (3u", "D3CR_SCALE_1 (2u"), "the core at 400000000 Hz with voltage"),
        "wait states": ((SOC, "ACR_TWO_WAIT_STATES 0x22u", "ACR_TWO_WAIT_STATES 0x11u"), "with 1 wait"),
        "memory by 2": ((SOC, "RCC_D1CFGR = 8u | 4u << 4;", ""), "the memory bus at 400000000 Hz"),
        "APB1 by 2": ((SOC, "RCC_D2CFGR = 4u << 4 | 4u << 8;", ""), "APB1 at 200000000 Hz"),
        "PLL input": ((SOC, "PLL_BEFORE << 4;", "1u << 4;"), "the PLL gets 64000000 Hz"),
        "PLL output": ((SOC, "| PLLCFGR_DIVP1EN;", ";"), "the core runs at 0 Hz"),
        "PLL factor": ((SOC, "PLL_AFTER))", "PLL_AFTER) - 1u)"), "the core runs at 396800000 Hz"),
        "clock of the port": ((SOC, PORTS, "0u"), ""),
        "clock of the UART": ((SOC, "RCC_APB1LENR |= 1u << 18;", ""), ""),
        "clock that the UART gets": ((SOC, "BOARD_CLOCK_HZ / 4u", "BOARD_CLOCK_HZ / 2u"), "baud"),
        "function of the pins": ((SOC, "SOC_UART_FUNCTION 7u", "SOC_UART_FUNCTION 8u"), ""),
    },
    "nucleo_l4r5zi": {
        "boost mode": ((SOC, "PWR_CR5 &= ~PWR_CR5_R1MODE;", ""), "120000000 Hz without boost mode"),
        "wait states": ((SOC, "#define ACR_LATENCY 5u", "#define ACR_LATENCY 0u"), "60000000 Hz with 0 wait"),
        "half the speed": ((SOC, "CFGR_HALF_SPEED | CFGR_PLL;", "CFGR_PLL;"), "without a microsecond"),
        "a microsecond": ((SOC, "BOOST_TURNS 200u", "BOOST_TURNS 1u"), "without a microsecond"),
        "PLL factor": ((SOC, "BOARD_CLOCK_HZ / (MSI_HZ / 2u)", "8u"), "would run at 32000000 Hz"),
        "PLL output": ((SOC, "<< 8 | PLLCFGR_PLLREN;", "<< 8;"), "the core runs at 0 Hz"),
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
            machine.transport.read(4, 10 * SHORTLY)
    else:
        assert machine.transport.read(4, SHORTLY) == b""
