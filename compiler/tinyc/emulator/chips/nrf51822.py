"""Nordic nRF51822, from the nRF51 Series Reference Manual: the peripherals our firmware touches."""

from __future__ import annotations

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.chips.nordic import RandomNumbers, RealTimeCounter, Timer
from tinyc.emulator.chips.nordic_power import Power
from tinyc.emulator.chips.nordic_uart import Uart
from tinyc.emulator.chips.nrf52840 import Gpio
from tinyc.emulator.peripheral import Constants, Peripheral

DEVICE_ID = (0x51822A0F, 0x0DDBA115)  # the emulated part's own number

_FICR = {
    0x010: 1024,  # CODEPAGESIZE
    0x014: 256,  # CODESIZE in pages
    0x060: DEVICE_ID[0],
    0x064: DEVICE_ID[1],
}


class Erased(Peripheral):
    """UICR: reads as erased flash."""

    empty = 0xFFFFFFFF


# Plain registers: RADIO, serial boxes, GPIOTE, ADC, TEMP, ECB, CCM, WDT, QDEC, LPCOMP, SWI, NVMC and PPI.
# They keep what is written and do nothing; stores to flash fault.
_PLAIN = (0x1, 0x3, 0x4, 0x6, 0x7, 0xC, 0xE, 0xF, 0x10, 0x12, 0x13, 0x14, 0x1E, 0x1F)


def _build(chip: FlashSystem) -> Parts:
    peripherals = (
        Constants(chip, 0x10000000, _FICR),
        Erased(chip, 0x10001000),
        Power(chip, 0x40000000, 0),
        Uart(chip, 0x40002000, 2),
        *(Timer(chip, 0x40008000 + 0x1000 * i, 8 + i) for i in range(3)),
        RealTimeCounter(chip, 0x4000B000, 11),
        RandomNumbers(chip, 0x4000D000, 13),
        RealTimeCounter(chip, 0x40011000, 17),
        Gpio(chip, 0x50000000),
        *(Peripheral(chip, 0x40000000 + 0x1000 * number) for number in _PLAIN),
    )
    return Parts(peripherals)


CHIP = Chip("nrf51822", interrupts=32, priority_bits=2, build=_build, timed_line=True)
