"""Raspberry Pi RP2040, from its datasheet: the boot ROM's way to flash, clocks, UART0, timer, watchdog."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from tinyc.emulator.chip import Chip, Entry, FlashSystem, Parts
from tinyc.emulator.chips.pl011 import Uart
from tinyc.emulator.chips.rp2 import (
    Block,
    Clocks,
    Crystal,
    Generator,
    Pads,
    Pins,
    Pll,
    Resets,
    Timer,
    Watchdog,
)
from tinyc.emulator.peripheral import Peripheral, on_read, on_write

FLASH_ID = bytes.fromhex("e660583883724a2f")  # the emulated flash chip's own number
BOOT_STAGE_BYTES = 256

_BLOCKS = (
    *(
        "ADC",
        "BUSCTRL",
        "DMA",
        "I2C0",
        "I2C1",
        "IO_BANK0",
        "IO_QSPI",
        "JTAG",
        "PADS_BANK0",
        "PADS_QSPI",
        "PIO0",
    ),
    *(
        "PIO1",
        "PLL_SYS",
        "PLL_USB",
        "PWM",
        "RTC",
        "SPI0",
        "SPI1",
        "SYSCFG",
        "SYSINFO",
        "TBMAN",
        "TIMER",
        "UART0",
    ),
    *("UART1", "USBCTRL"),
)
_CLOCKS = {
    "ref": Generator(0x30, ("rosc", "", "xosc", "rosc"), ("pll_usb", "gpin0", "gpin1")),
    "sys": Generator(
        0x3C, ("ref", "", "ref", "ref"), ("pll_sys", "pll_usb", "rosc", "xosc", "gpin0", "gpin1")
    ),
    "peri": Generator(0x48, None, ("sys", "pll_sys", "pll_usb", "rosc", "xosc", "gpin0", "gpin1")),
}
_ALL_BUT_OSCILLATORS = 0x1FFFC


def checksum(data: bytes) -> int:
    """CRC-32 of the boot ROM (2.8.1.3.1): polynomial 0x04C11DB7, begun with all ones, neither mirrored nor
    inverted.
    """
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
    return value


class FlashPort(Peripheral):
    """XIP_SSI with a W25Q16JV: single commands, and reads of flash by address while it is set up for them.

    Of the chip's commands it knows 03h, 4Bh and BBh, of the port's formats those that these take.
    """

    CTRLR0, CTRLR1, SSIENR, SER, BAUDR, SR, DR0 = 0x00, 0x04, 0x08, 0x10, 0x14, 0x28, 0x60
    TXFLR, RXFLR, SPI_CTRLR0 = 0x20, 0x24, 0xF4
    resets: ClassVar = {SPI_CTRLR0: 0x03000000}
    _TFE, _TFNF, _RFNE = 4, 2, 8
    _DEPTH = 16
    _SERIAL = 7 << 16  # CTRLR0: frames of 8 bits, both directions
    _READ, _DUAL_READ = 31 << 16 | 3 << 8, 1 << 21 | 31 << 16 | 3 << 8
    _PLAIN_READ = 0x03 << 24 | 2 << 8 | 6 << 2  # SPI_CTRLR0: command 03h, 24 bits of address
    _DUAL_COMMAND = 2 << 8 | 8 << 2 | 1
    _DUAL_CONTINUED = 8 << 2 | 2  # the mode bits come from XIP_CMD

    def __init__(self, system: FlashSystem, base: int) -> None:
        self._chip = system
        super().__init__(system, base)

    def reset(self) -> None:
        super().reset()
        self._received: deque[int] = deque()
        self._command = bytearray()  # of the transfer that is under way
        self._continues = False  # the flash chip takes an address without a command next
        self._chip.show_flash(False)

    @on_write(SSIENR)
    def _write_enable(self, value: int) -> int:
        self._received.clear()
        self._command.clear()
        self._chip.show_flash(bool(value & 1) and self._reads_by_address())
        return value & 1

    def _reads_by_address(self) -> bool:
        if not self[self.SER] & 1 or self[self.BAUDR] < 2 or self[self.BAUDR] % 2 or self[self.CTRLR1]:
            return False
        control, command = self[self.CTRLR0], self[self.SPI_CTRLR0]
        if self._continues:
            mode = command >> 24
            fits = command & 0xFFFFFF == self._DUAL_CONTINUED and mode & 0x30 == 0x20
            return control == self._DUAL_READ and fits
        return control == self._READ and command == self._PLAIN_READ

    @on_write(CTRLR0)
    @on_write(CTRLR1)
    @on_write(BAUDR)
    @on_write(SPI_CTRLR0)
    def _write_format(self, value: int) -> int:
        if self[self.SSIENR]:
            raise self.system.fault("the SSI is set up while it is on, which it ignores", self.base)
        return value

    @on_write(DR0)
    def _send(self, value: int) -> None:
        if not self[self.SSIENR] or not self[self.SER] & 1 or self[self.BAUDR] < 2:
            raise self.system.fault(
                "data for the SSI, which is off or has no clock or chip", self.base + self.DR0
            )
        if self[self.CTRLR0] == self._SERIAL:
            self._exchange(value & 0xFF)
        elif self[self.CTRLR0] == self._DUAL_READ and self[self.SPI_CTRLR0] & 0xFFFFFF == self._DUAL_COMMAND:
            self._read_dual(value)
        else:
            raise self.system.fault("a format of the SSI that is not modelled", self.base + self.DR0)

    def _exchange(self, byte: int) -> None:
        """A byte to the flash chip, a byte from it."""
        self._command.append(byte)
        if self._command[0] != 0x4B or self._continues:
            what = f"the flash chip does not know the command 0x{self._command[0]:02x} here"
            raise self.system.fault(what, self.base + self.DR0)
        if len(self._received) == self._DEPTH:
            raise self.system.fault("the receive FIFO of the SSI is full", self.base + self.DR0)
        at = len(self._command) - 6
        self._received.append(FLASH_ID[at] if 0 <= at < len(FLASH_ID) else 0xFF)

    def _read_dual(self, value: int) -> None:
        """Command, then address and mode bits: BBh answers with a word."""
        self._command.append(value & 0xFF)
        if self._command[0] != 0xBB or self._continues:
            raise self.system.fault(
                "the flash chip knows no such command for two lines", self.base + self.DR0
            )
        if len(self._command) == 2:
            word = self._chip.flash_array.image().content[value >> 8 : (value >> 8) + 4]
            self._received.append(int.from_bytes(word, "big"))
            self._continues = value & 0x30 == 0x20
            self._command.clear()

    @on_read(DR0)
    def _take(self) -> int:
        if not self._received:
            raise self.system.fault("a read of the SSI's receive FIFO, which is empty", self.base + self.DR0)
        return self._received.popleft()

    @on_read(SR)
    def _read_status(self) -> int:
        self._command.clear()  # all is sent: the chip is deselected
        return self._TFE | self._TFNF | (self._RFNE if self._received else 0)

    @on_read(RXFLR)
    def _read_level(self) -> int:
        return len(self._received)


def _boot(chip: FlashSystem) -> Entry:
    """What the ROM does: 256 bytes of flash to the end of RAM, their checksum, a jump."""
    memory, stage = chip.memory, chip.flash_array.image().content[:BOOT_STAGE_BYTES]
    if checksum(stage[:-4]) != int.from_bytes(stage[-4:], "little"):
        hint = "the chip shows its drive RPI-RP2 now; the build fills the checksum in"
        raise chip.fault("the first 256 bytes of flash have no valid checksum", memory.flash_origin, hint)
    end = memory.ram_origin + memory.ram
    chip.write_ram(end - BOOT_STAGE_BYTES, stage, "the boot ROM")
    return Entry(stack=end - BOOT_STAGE_BYTES, pc=end - BOOT_STAGE_BYTES | 1)


def _build(chip: FlashSystem) -> Parts:
    blocks = {name: bit for bit, name in enumerate(_BLOCKS)}
    resets = Resets(chip, 0x4000C000, blocks, by_rom=("IO_QSPI", "PADS_QSPI"))
    crystal = Crystal(chip, 0x40024000)
    pll = Pll(chip, 0x40028000, resets, "PLL_SYS", crystal)
    clocks = Clocks(chip, 0x40008000, _CLOCKS, crystal, pll)
    pads = Pads(chip, 0x4001C000, resets, at_reset=0x56)
    pins = Pins(chip, 0x40014000, resets, pads)
    power = Block(chip, 0x40010000)
    watchdog = Watchdog(chip, 0x40058000, lambda: power[0x8], _ALL_BUT_OSCILLATORS)

    def tick_hz() -> float:
        tick = watchdog[0x2C]
        return clocks.hz("ref") / (tick & 0x1FF) if tick & 0x200 and tick & 0x1FF else 0.0

    uart = Uart(chip, 0x40034000, resets, pins, lambda: clocks.hz("peri"))
    timer = Timer(chip, 0x40054000, resets, "TIMER", tick_hz)
    port = FlashPort(chip, 0x18000000)
    parts = (resets, crystal, pll, clocks, pads, pins, power, watchdog, uart, timer, port)
    return Parts(parts, boot=lambda: _boot(chip))


CHIP = Chip(
    "rp2040",
    interrupts=32,
    priority_bits=2,
    build=_build,
    flash_aliases=(0x11000000, 0x12000000, 0x13000000),  # past the cache
)
