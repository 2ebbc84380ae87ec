"""Raspberry Pi RP2350 with its Cortex-M33, from its datasheet: boot ROM, clocks, UART0, watchdog."""

from __future__ import annotations

import struct

from tinyc.emulator.chip import Chip, Entry, FlashSystem, Parts
from tinyc.emulator.chips.pl011 import Uart
from tinyc.emulator.chips.rp2 import Block, Clocks, Crystal, Generator, Pads, Pins, Pll, Resets, Watchdog
from tinyc.emulator.peripheral import Constants

CHIP_ID = bytes.fromhex("1c5f0a9e63b2d847")  # the emulated part's own number, in its OTP memory

_SEARCHED = 4096
_FIRST, _LAST, _MARK_END = 0xFFFFDED3, 0xFF, 0xAB123579
_IMAGE_TYPE, _SECURE_ARM_EXECUTABLE = 0x42, 0x1021

_BLOCKS = (
    *(
        "ADC",
        "BUSCTRL",
        "DMA",
        "HSTX",
        "I2C0",
        "I2C1",
        "IO_BANK0",
        "IO_QSPI",
        "JTAG",
        "PADS_BANK0",
        "PADS_QSPI",
    ),
    *(
        "PIO0",
        "PIO1",
        "PIO2",
        "PLL_SYS",
        "PLL_USB",
        "PWM",
        "SHA256",
        "SPI0",
        "SPI1",
        "SYSCFG",
        "SYSINFO",
        "TBMAN",
    ),
    *("TIMER0", "TIMER1", "TRNG", "UART0", "UART1", "USBCTRL"),
)
_CLOCKS = {
    "ref": Generator(0x30, ("rosc", "", "xosc", "lposc"), ("pll_usb", "gpin0", "gpin1")),
    "sys": Generator(
        0x3C, ("ref", "", "ref", "ref"), ("pll_sys", "pll_usb", "rosc", "xosc", "gpin0", "gpin1")
    ),
    "peri": Generator(0x48, None, ("sys", "pll_sys", "pll_usb", "rosc", "xosc", "gpin0", "gpin1")),
}
_ALL_BUT_OSCILLATORS = 0x1FFFFF3


def image_definition(flash: bytes) -> int | None:
    """Offset of the block that defines an executable for this core, within the first 4096 bytes (5.9).

    Words: the mark, items, an item LAST with the words of the items before, the distance to the next block of
    the loop, the closing mark. Only loops of one block are modelled.
    """
    words = struct.unpack_from(f"<{_SEARCHED // 4}I", flash)
    for start, word in enumerate(words):
        if word == _FIRST and _defines(words[start + 1 :]):
            return 4 * start
    return None


def _defines(words: tuple[int, ...]) -> bool:
    at, found = 0, False
    while at + 2 < len(words) and words[at] & 0xFF != _LAST:
        size = words[at] >> 8 & 0xFF
        if not size:
            return False
        found |= words[at] == _SECURE_ARM_EXECUTABLE << 16 | size << 8 | _IMAGE_TYPE
        at += size
    return found and words[at : at + 3] == (at << 8 | _LAST, 0, _MARK_END)


def _boot(chip: FlashSystem) -> Entry:
    """What the ROM does: it looks for the definition of an image, which begins with its vector table."""
    flash, origin = chip.flash_array.image().content, chip.memory.flash_origin
    if image_definition(flash) is None:
        hint = "the chip shows its drive RP2350 now"
        raise chip.fault("no image for this chip is defined in the first 4096 bytes of flash", origin, hint)
    stack, entry = struct.unpack_from("<2I", flash)
    return Entry(stack, entry)


def _build(chip: FlashSystem) -> Parts:
    blocks = {name: bit for bit, name in enumerate(_BLOCKS)}
    resets = Resets(chip, 0x40020000, blocks, by_rom=("IO_QSPI", "PADS_QSPI"))
    crystal = Crystal(chip, 0x40048000)
    pll = Pll(chip, 0x40050000, resets, "PLL_SYS", crystal)
    clocks = Clocks(chip, 0x40010000, _CLOCKS, crystal, pll, at_reset={0x3C: 0x41})
    pads = Pads(chip, 0x40038000, resets, at_reset=0x116, isolated=0x100)
    pins = Pins(chip, 0x40028000, resets, pads)
    power = Block(chip, 0x40018000)
    watchdog = Watchdog(chip, 0x400D8000, lambda: power[0x8], _ALL_BUT_OSCILLATORS)
    uart = Uart(chip, 0x40070000, resets, pins, lambda: clocks.hz("peri"))
    number = dict(zip((0, 4), struct.unpack("<2I", CHIP_ID), strict=True))
    otp = Constants(chip, 0x40130000, number)
    return Parts(
        (resets, crystal, pll, clocks, pads, pins, power, watchdog, uart, otp), boot=lambda: _boot(chip)
    )


CHIP = Chip(
    "rp2350",
    interrupts=52,
    priority_bits=4,
    build=_build,
    flash_aliases=(0x14000000,),  # past the cache
)
