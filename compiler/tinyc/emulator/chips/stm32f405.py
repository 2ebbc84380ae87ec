"""ST STM32F405, from reference manual RM0090: clocks, USARTs, and plain registers for the rest."""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.chips.stm32 import Gpio, Shared
from tinyc.emulator.peripheral import Constants, Peripheral, on_read, on_write

UNIQUE_ID = (0x00320047, 0x31365113, 0x35303437)  # the emulated part's own number


class Clocks(Peripheral):
    """RCC: an oscillator that is switched on is ready at once, and the clock switch follows."""

    CR, CFGR, BDCR, CSR = 0x00, 0x08, 0x70, 0x74
    resets: ClassVar = {CR: 0x83, 0x04: 0x24003010, 0x30: 0x00100000, CSR: 0x0E000000}
    size = 0x1000

    @on_write(0x800 + CR)
    def _write_cr(self, value: int) -> int:
        ready = 0
        for enable in (0, 16, 24, 26):  # HSI, HSE, PLL, PLLI2S
            ready |= (value >> enable & 1) << enable + 1
        return value & ~0x0A020002 | ready

    @on_write(0x800 + CFGR)
    def _write_cfgr(self, value: int) -> int:
        return value & ~0xC | (value & 3) << 2

    @on_write(0x800 + BDCR)
    @on_write(0x800 + CSR)
    def _write_low_speed(self, value: int) -> int:
        return value & ~2 | (value & 1) << 1

    def reset(self) -> None:
        self.registers = {0x800 + offset: value for offset, value in self.resets.items()}
        # The flash interface lies in the same page, at +0xC00; FLASH_CR is locked at reset.
        self[0xC10] = 0x80000000


class Power(Peripheral):
    """PWR: the voltage regulator is ready at once."""

    resets: ClassVar = {0x00: 0x4000, 0x04: 0x4000}

    @on_write(0x04)
    def _write_csr(self, value: int) -> int:
        return value | 0x4000


class Usart(Peripheral):
    """USART or UART. `base` is the page, `offset` where in it the registers are."""

    SR, DR, CR1 = 0x00, 0x04, 0x0C
    resets: ClassVar = {SR: 0xC0}
    _RXNE, _IDLE_BITS = 0x20, 0xC0  # TC and TXE are always set: sending takes no time

    def reset(self) -> None:
        super().reset()
        self.system.line.receivers.append(self._receive)

    def _receive(self) -> None:
        if self[self.CR1] & 0x2004 == 0x2004 and not self[self.SR] & self._RXNE:
            byte = self.system.line.take()
            if byte is not None:
                self[self.DR] = byte
                self[self.SR] |= self._RXNE
        self._update()

    def _update(self) -> None:
        if self.interrupt is not None:
            asserted = self[self.SR] & self[self.CR1] & (self._RXNE | self._IDLE_BITS)
            on = bool(self[self.CR1] & 0x2000) and bool(asserted)
            self.system.set_interrupt_line(self.interrupt, on)

    @on_read(SR)
    def _read_status(self) -> int:
        if not self[self.SR] & self._RXNE and self[self.CR1] & 4:
            self.system.line.polled()
        return self[self.SR]

    @on_write(SR)
    def _write_status(self, value: int) -> None:
        self[self.SR] &= value | ~self._RXNE
        self._receive()

    @on_read(DR)
    def _read_data(self) -> int:
        byte = self[self.DR]
        self.system.line.touched()
        self[self.SR] &= ~self._RXNE
        self._receive()
        return byte

    @on_write(DR)
    def _write_data(self, value: int) -> None:
        if self[self.CR1] & 0x2008 == 0x2008:
            self.system.line.send(bytes([value & 0xFF]))

    @on_write(CR1)
    def _write_control(self, value: int) -> None:
        self[self.CR1] = value
        self._receive()


class DebugIdentity(Peripheral):
    """DBGMCU: IDCODE of the STM32F405, revision Y."""

    resets: ClassVar = {0x000: 0x100F6413}


def _build(chip: FlashSystem) -> Parts:
    def usart(base: int, interrupt: int) -> Usart:
        return Usart(chip, base, interrupt)

    usart2, usart3 = usart(0x40004400, 38), usart(0x40004800, 39)
    uart4, uart5 = usart(0x40004C00, 52), usart(0x40005000, 53)
    ports = {
        page: Shared(chip, page, {i * 0x400: Gpio(chip, page + i * 0x400) for i in range(4)})
        for page in (0x40020000, 0x40021000)
    }
    peripherals = (
        Shared(chip, 0x40004000, {0x400: usart2, 0x800: usart3, 0xC00: uart4}),
        Shared(chip, 0x40005000, {0x000: uart5}),
        Shared(chip, 0x40007000, {0x000: Power(chip, 0x40007000)}),
        Shared(chip, 0x40011000, {0x000: usart(0x40011000, 37), 0x400: usart(0x40011400, 71)}),
        *ports.values(),
        Shared(chip, 0x40022000, {0x000: Gpio(chip, 0x40022000)}),
        Clocks(chip, 0x40023000),
        DebugIdentity(chip, 0xE0042000),
        Constants(
            chip, 0x1FFF7000, {0xA10 + 4 * i: word for i, word in enumerate(UNIQUE_ID)} | {0xA20: 0x0400FFFF}
        ),
        *(Peripheral(chip, base) for base in (0x40000000, 0x40001000, 0x40002000, 0x40003000, 0x40006000)),
        *(Peripheral(chip, base) for base in (0x40010000, 0x40012000, 0x40013000, 0x40014000, 0x40026000)),
    )
    return Parts(peripherals)


CHIP = Chip(
    "stm32f405",
    interrupts=82,
    priority_bits=4,
    build=_build,
    extra_ram=((0x10000000, 0x10000),),  # core-coupled memory
    flash_aliases=(0x00000000,),
)
