"""Arm MPS2 with the AN386 image (Cortex-M4), as QEMU's `mps2-an386` has it: CMSDK UARTs and timers."""

from __future__ import annotations

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.peripheral import Peripheral, on_read, on_write
from tinyc.emulator.scheduler import Event


class CmsdkUart(Peripheral):
    """Arm's CMSDK APB UART (DDI 0479): separate lines for receive (`interrupt`) and send (+ 1)."""

    DATA, STATE, CTRL, INTERRUPTS = 0x000, 0x004, 0x008, 0x00C
    _RX_FULL = 2

    def reset(self) -> None:
        super().reset()
        self.system.line.receivers.append(self._receive)

    def _receive(self) -> None:
        if self[self.CTRL] & 2 and not self[self.STATE] & self._RX_FULL:
            byte = self.system.line.take()
            if byte is not None:
                self[self.DATA] = byte
                self[self.STATE] |= self._RX_FULL
                self._raise(2)

    def _raise(self, bit: int) -> None:
        if self[self.CTRL] & bit << 2:
            self[self.INTERRUPTS] |= bit
        self._update()

    def _update(self) -> None:
        if self.interrupt is not None:
            self.system.set_interrupt_line(self.interrupt, bool(self[self.INTERRUPTS] & 2))
            self.system.set_interrupt_line(self.interrupt + 1, bool(self[self.INTERRUPTS] & 1))

    @on_read(DATA)
    def _read_data(self) -> int:
        byte = self[self.DATA]
        self.system.line.touched()
        self[self.STATE] &= ~self._RX_FULL
        self._receive()
        return byte

    @on_write(DATA)
    def _write_data(self, value: int) -> None:
        if self[self.CTRL] & 1:
            self.system.line.send(bytes([value & 0xFF]))
            self._raise(1)

    @on_read(STATE)
    def _read_state(self) -> int:
        if not self[self.STATE] & self._RX_FULL and self[self.CTRL] & 2:
            self.system.line.polled()
        return self[self.STATE]

    @on_write(STATE)
    def _write_state(self, value: int) -> None:
        self[self.STATE] &= ~(value & 0xC)

    @on_write(CTRL)
    def _write_ctrl(self, value: int) -> None:
        self[self.CTRL] = value & 0x7F
        self._receive()

    @on_write(INTERRUPTS)
    def _clear_interrupts(self, value: int) -> None:
        self[self.INTERRUPTS] &= ~value
        self._update()


class CmsdkTimer(Peripheral):
    """Arm's CMSDK APB timer: a 32-bit down counter on the core clock."""

    CTRL, VALUE, RELOAD, INTERRUPT = 0x000, 0x004, 0x008, 0x00C

    def reset(self) -> None:
        super().reset()
        self._zero_at = 0
        self._event: Event | None = None

    def _left(self) -> int:
        return max(0, self._zero_at - self.system.now) if self[self.CTRL] & 1 else self[self.VALUE]

    def _schedule(self) -> None:
        if self._event is not None:
            self._event.cancel()
            self._event = None
        if self[self.CTRL] & 1 and self._zero_at > self.system.now:
            self._event = self.system.scheduler.at(self._zero_at, self._reached)

    def _reached(self) -> None:
        if self[self.CTRL] & 8:
            self[self.INTERRUPT] = 1
            self._update()
        self._zero_at += self[self.RELOAD] + 1 if self[self.RELOAD] else 0
        self._schedule()

    def _update(self) -> None:
        if self.interrupt is not None:
            self.system.set_interrupt_line(self.interrupt, bool(self[self.INTERRUPT]))

    @on_write(CTRL)
    def _write_ctrl(self, value: int) -> None:
        left = self._left()
        self[self.CTRL], self[self.VALUE] = value & 0xF, left
        self._zero_at = self.system.now + (left or self[self.RELOAD])
        self._schedule()

    @on_read(VALUE)
    def _read_value(self) -> int:
        return self._left()

    @on_write(VALUE)
    def _write_value(self, value: int) -> int:
        self._zero_at = self.system.now + value
        self._schedule()
        return value

    @on_write(RELOAD)
    def _write_reload(self, value: int) -> int:
        self._zero_at = self.system.now + value
        self[self.VALUE] = value
        self._schedule()
        return value

    @on_write(INTERRUPT)
    def _clear(self, value: int) -> None:
        if value & 1:
            self[self.INTERRUPT] = 0
            self._update()


def _build(chip: FlashSystem) -> Parts:
    uarts = ((0x40004000, 0), (0x40005000, 2), (0x40006000, 4), (0x40007000, 18), (0x40009000, 20))
    plain = (0x40002000, 0x40008000, 0x4001F000, 0x40028000, 0x4002F000, 0x40010000, 0x40011000, 0x40012000)
    peripherals = (
        CmsdkTimer(chip, 0x40000000, 8),
        CmsdkTimer(chip, 0x40001000, 9),
        *(CmsdkUart(chip, base, interrupt) for base, interrupt in uarts),
        *(Peripheral(chip, base) for base in plain),
    )
    return Parts(peripherals)


CHIP = Chip("mps2_an386", interrupts=32, priority_bits=3, build=_build)
