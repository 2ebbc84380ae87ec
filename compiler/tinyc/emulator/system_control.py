"""The core's own peripherals: system control block, NVIC, SysTick, DWT cycle counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tinyc.emulator.peripheral import WORD, Peripheral, System, on_read, on_write
from tinyc.emulator.scheduler import Event

NMI, HARD_FAULT, SVCALL, PENDSV, SYSTICK, FIRST_IRQ = 2, 3, 11, 14, 15, 16
LOWEST = 256
_FIXED_PRIORITY = {1: -3, NMI: -2, HARD_FAULT: -1}

_ICSR, _VTOR, _AIRCR, _SCR, _SHPR1, _CPACR = 0xD04, 0xD08, 0xD0C, 0xD10, 0xD18, 0xD88
_CSR, _RVR, _CVR = 0x010, 0x014, 0x018
DEMCR = 0xDFC
_RESET_KEY = 0x05FA


class SystemControl(Peripheral):
    """0xE000E000: NVIC, SCB, SysTick, MPU and FPU registers."""

    resets: ClassVar = {
        0x004: 0x7,  # ICTR
        0xD00: 0x410FC241,  # CPUID: Cortex-M4 r0p1
        _AIRCR: 0xFA050000,
        0xD14: 0x200,  # CCR: stack aligned to 8 bytes on exceptions
        0xD90: 0x800,  # MPU_TYPE: 8 regions
        0xF34: 0xC0000000,  # FPCCR
        0xF40: 0x10110021,  # MVFR0
        0xF44: 0x11000011,  # MVFR1
    }

    def __init__(self, system: System, base: int, *, interrupts: int, priority_bits: int) -> None:
        self._interrupts = interrupts
        self._priority_mask = 0xFF & ~((1 << 8 - priority_bits) - 1)
        self.on_reset: Callable[[], None] = lambda: None
        self.vector_table = 0
        super().__init__(system, base)

    def reset(self) -> None:
        super().reset()
        self.enabled: set[int] = {NMI, HARD_FAULT, SVCALL, PENDSV, SYSTICK}
        self.pending: set[int] = set()
        self.active: list[int] = []  # innermost last
        self.lines: set[int] = set()
        self._reload_at = 0
        self._tick: Event | None = None
        self[_VTOR] = self.vector_table

    # Exceptions, asked by the core.

    @property
    def sleeps_on_exit(self) -> bool:
        return bool(self[_SCR] & 2)

    @property
    def wakes_on_pending(self) -> bool:
        return bool(self[_SCR] & 0x10)

    @property
    def fpu_enabled(self) -> bool:
        return self[_CPACR] >> 20 & 0xF == 0xF

    @property
    def vectors(self) -> int:
        return self[_VTOR] & 0xFFFFFF80

    def priority(self, exception: int) -> int:
        """Configured priority, lower is more urgent."""
        if exception in _FIXED_PRIORITY:
            return _FIXED_PRIORITY[exception]
        offset = 0x400 + exception - FIRST_IRQ if exception >= FIRST_IRQ else _SHPR1 + exception - 4
        return self[offset & ~3] >> 8 * (offset & 3) & self._priority_mask

    def _group(self, priority: int) -> int:
        return priority if priority < 0 else priority & ~((2 << (self[_AIRCR] >> 8 & 7)) - 1)

    def running_priority(self) -> int:
        """Group priority of what runs now, PRIMASK and BASEPRI not considered."""
        return min((self._group(self.priority(exception)) for exception in self.active), default=LOWEST)

    def next_exception(self) -> tuple[int, int] | None:
        """(exception, group priority) of the most urgent one that may preempt what runs now."""
        ready = self.pending & self.enabled
        if not ready:
            return None
        exception = min(ready, key=lambda number: (self.priority(number), number))
        group = self._group(self.priority(exception))
        return (exception, group) if group < self.running_priority() else None

    def enter(self, exception: int) -> None:
        """The core takes `exception`."""
        self.pending.discard(exception)
        self.active.append(exception)

    def leave(self, exception: int) -> None:
        """The core returns from `exception`; a line that is still high pends it again."""
        if exception in self.active:
            self.active.remove(exception)
        if exception in self.lines:
            self.pending.add(exception)

    def pend(self, exception: int) -> None:
        self.pending.add(exception)
        self.system.recheck()

    def set_line(self, number: int, level: bool) -> None:
        exception = FIRST_IRQ + number
        if not level:
            self.lines.discard(exception)
        elif exception not in self.lines:
            self.lines.add(exception)
            if exception not in self.active:
                self.pend(exception)

    # NVIC registers.

    def _bits(self, which: set[int], word: int) -> int:
        first = FIRST_IRQ + 32 * word
        return sum(1 << i for i in range(32) if first + i in which)

    def _numbers(self, word: int, value: int) -> set[int]:
        first = FIRST_IRQ + 32 * word
        return {first + i for i in range(32) if value >> i & 1 and first + i < FIRST_IRQ + self._interrupts}

    @on_read(0x100, count=8)
    @on_read(0x180, count=8)
    def _read_enabled(self, word: int) -> int:
        return self._bits(self.enabled, word)

    @on_read(0x200, count=8)
    @on_read(0x280, count=8)
    def _read_pending(self, word: int) -> int:
        return self._bits(self.pending, word)

    @on_read(0x300, count=8)
    def _read_active(self, word: int) -> int:
        return self._bits(set(self.active), word)

    @on_write(0x100, count=8)
    def _set_enabled(self, word: int, value: int) -> None:
        self.enabled |= self._numbers(word, value)
        self.system.recheck()

    @on_write(0x180, count=8)
    def _clear_enabled(self, word: int, value: int) -> None:
        self.enabled -= self._numbers(word, value)

    @on_write(0x200, count=8)
    def _set_pending(self, word: int, value: int) -> None:
        self.pending |= self._numbers(word, value)
        self.system.recheck()

    @on_write(0x280, count=8)
    def _clear_pending(self, word: int, value: int) -> None:
        self.pending -= self._numbers(word, value) - self.lines

    @on_write(0xF00)
    def _trigger(self, value: int) -> None:
        self.pend(FIRST_IRQ + (value & 0x1FF))

    # System control block.

    @on_read(_ICSR)
    def _read_icsr(self) -> int:
        upcoming = min(self.pending & self.enabled, key=lambda n: (self.priority(n), n), default=0)
        value = (self.active[-1] if self.active else 0) | upcoming << 12
        value |= (PENDSV in self.pending) << 28 | (SYSTICK in self.pending) << 26
        return value | (len(self.active) <= 1) << 11 | any(n >= FIRST_IRQ for n in self.pending) << 22

    @on_write(_ICSR)
    def _write_icsr(self, value: int) -> None:
        for bit, exception in ((31, NMI), (28, PENDSV), (26, SYSTICK)):
            if value >> bit & 1:
                self.pend(exception)
        for bit, exception in ((27, PENDSV), (25, SYSTICK)):
            if value >> bit & 1:
                self.pending.discard(exception)

    @on_write(_AIRCR)
    def _write_aircr(self, value: int) -> int | None:
        if value >> 16 != _RESET_KEY:
            return None
        if value & 4:
            self.on_reset()
        return 0xFA050000 | (value & 0x700)

    @on_write(0xD28)
    @on_write(0xD2C)
    def _clear_status(self, _value: int) -> int:
        return 0

    @on_write(0xD00)
    def _read_only(self, _value: int) -> None:
        return None

    # SysTick: a 24-bit down counter on the core clock.

    def _advance(self) -> None:
        """Let the counter run up to now."""
        if self[_CSR] & 1 and self[_RVR] and self.system.now >= self._reload_at:
            period = self[_RVR] + 1
            self._reload_at += (self.system.now - self._reload_at) // period * period + period
            self[_CSR] |= 1 << 16

    def _schedule(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self[_CSR] & 3 == 3 and self[_RVR]:
            self._tick = self.system.scheduler.at(self._reload_at, self._on_tick)

    def _on_tick(self) -> None:
        self._advance()
        self.pend(SYSTICK)
        self._schedule()

    @on_read(_CSR)
    def _read_csr(self) -> int:
        self._advance()
        value = self[_CSR]
        self[_CSR] = value & ~(1 << 16)
        return value

    @on_write(_CSR)
    def _write_csr(self, value: int) -> None:
        self._advance()
        left = self._read_cvr()
        self[_CSR] = value & 7
        self[_CVR] = left
        self._reload_at = self.system.now + (left or self[_RVR]) + 1
        self._schedule()

    @on_write(_RVR)
    def _write_rvr(self, value: int) -> int:
        return value & 0xFFFFFF

    @on_read(_CVR)
    def _read_cvr(self) -> int:
        self._advance()
        return self._reload_at - self.system.now - 1 if self[_CSR] & 1 and self[_RVR] else self[_CVR]

    @on_write(_CVR)
    def _write_cvr(self, _value: int) -> int:
        self[_CSR] &= ~(1 << 16)
        self._reload_at = self.system.now + self[_RVR] + 1
        self._schedule()
        return 0


class Dwt(Peripheral):
    """0xE0001000: the cycle counter, which reads the estimate of the executed cycles.

    `lockable`, as on a Cortex-M7, it takes nothing before the key was written to LAR.
    """

    resets: ClassVar = {0x000: 0x40000000}
    LAR, KEY = 0xFB0, 0xC5ACCE55

    def __init__(self, system: System, base: int, control: SystemControl, *, lockable: bool = False) -> None:
        self._control, self._lockable = control, lockable
        self._offset = 0
        super().__init__(system, base)

    def reset(self) -> None:
        super().reset()
        self._locked = self._lockable

    def store(self, offset: int, value: int) -> None:
        if offset == self.LAR:
            self._locked = self._lockable and value != self.KEY
        elif not self._locked:
            super().store(offset, value)

    def _count(self) -> int:
        return (self.system.executed - self._offset if self[0x000] & 1 else self._offset) & WORD

    @on_write(0x000)
    def _write_ctrl(self, value: int) -> None:
        count = self._count()
        self[0x000] = value
        self._write_cyccnt(count)

    @on_read(0x004)
    def _read_cyccnt(self) -> int:
        return self._count() if self._control[DEMCR] >> 24 & 1 else 0

    @on_write(0x004)
    def _write_cyccnt(self, value: int) -> None:
        self._offset = self.system.executed - value if self[0x000] & 1 else value
