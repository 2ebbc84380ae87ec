"""Parts that the RP2040 and the RP2350 have in common, from their datasheets.

Each is stricter than the chip where a driver's fault would show only sometimes: an access to a block that is
held in reset, a clock taken from a source that does not run yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from tinyc.emulator.chip import FlashSystem
from tinyc.emulator.peripheral import Peripheral, Reset, on_read, on_write

RING_HZ = 6_500_000  # the ring oscillator that the chip starts with, about
CRYSTAL_HZ = 12_000_000
_ENABLE_XOSC, _STABLE, _LOCK = 0xFAB, 1 << 31, 1 << 31


class Resets(Peripheral):
    """RESETS: a bit for each block; one that is let go is ready at once. The ROM lets go of `by_rom`."""

    size = 0x4000
    RESET, DONE = 0x0, 0x8

    def __init__(
        self, system: FlashSystem, base: int, blocks: Mapping[str, int], by_rom: tuple[str, ...]
    ) -> None:
        self.blocks = blocks
        self._after_rom = (1 << max(blocks.values()) + 1) - 1
        for name in by_rom:
            self._after_rom &= ~(1 << blocks[name])
        self._all = (1 << max(blocks.values()) + 1) - 1
        super().__init__(system, base)

    def reset(self) -> None:
        self.registers = {self.RESET: self._after_rom}

    def holds(self, block: str) -> bool:
        """Whether the block is held in reset."""
        return bool(self[self.RESET] >> self.blocks[block] & 1)

    def read(self, offset: int, size: int) -> int:
        return super().read(offset & 0xFFF, size)

    def write(self, offset: int, size: int, value: int) -> None:
        super().write(offset & 0xFFF, size, combined(self, offset, value))

    @on_read(DONE)
    def _read_done(self) -> int:
        return ~self[self.RESET] & self._all

    @on_write(DONE)
    def _write_done(self, _value: int) -> None:
        return None


def combined(peripheral: Peripheral, offset: int, value: int) -> int:
    """What a write to one of the four aliases of a register means: write, flip, set, clear."""
    old = peripheral[offset & 0xFFF]
    return (value, old ^ value, old | value, old & ~value)[offset >> 12 & 3]


class Block(Peripheral):
    """A block with the four aliases of its registers; `name` is its bit in RESETS, empty without one."""

    size = 0x4000

    def __init__(self, system: FlashSystem, base: int, resets: Resets | None = None, name: str = "") -> None:
        self.chip, self._resets, self.name = system, resets, name
        self.changes = 0  # writes since power-on
        super().__init__(system, base)

    def _require_running(self, offset: int) -> None:
        if self._resets is not None and self._resets.holds(self.name):
            hint = f"clear its bit {self._resets.blocks[self.name]} in RESETS.RESET, wait for RESET_DONE"
            raise self.system.fault(f"{self.name} is held in reset", self.base + offset, hint)

    def read(self, offset: int, size: int) -> int:
        self._require_running(offset)
        return super().read(offset & 0xFFF, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self._require_running(offset)
        super().write(offset & 0xFFF, size, combined(self, offset, value))
        self.changes += 1


class Crystal(Block):
    """XOSC, of 12 MHz: stable when 256 x STARTUP of its periods are over."""

    CTRL, STATUS, STARTUP = 0x00, 0x04, 0x0C
    resets: ClassVar = {CTRL: 0xD1E << 12, STARTUP: 0xC4}

    def reset(self) -> None:
        super().reset()
        self._ready_at: int | None = None

    @property
    def stable(self) -> bool:
        return self._ready_at is not None and self.system.now >= self._ready_at

    @on_write(CTRL)
    def _write_ctrl(self, value: int) -> int:
        on = value >> 12 == _ENABLE_XOSC
        if on and value & 0xFFF != 0xAA0:
            raise self.system.fault("XOSC.CTRL has another FREQ_RANGE than 1 to 15 MHz", self.base)
        if on and self._ready_at is None:
            periods = 256 * (self[self.STARTUP] & 0x3FFF)
            self._ready_at = self.system.now + periods * RING_HZ // CRYSTAL_HZ
        elif not on:
            self._ready_at = None
        return value

    @on_read(STATUS)
    def _read_status(self) -> int:
        return (_STABLE if self.stable else 0) | (0x1000 if self._ready_at is not None else 0)


class Pll(Block):
    """A PLL on the crystal. It locks when it is on and its VCO is within 750 to 1600 MHz."""

    CS, PWR, FBDIV, PRIM = 0x0, 0x4, 0x8, 0xC
    resets: ClassVar = {CS: 1, PWR: 0x2D, PRIM: 0x77000}

    def __init__(self, system: FlashSystem, base: int, resets: Resets, name: str, crystal: Crystal) -> None:
        self._crystal = crystal
        super().__init__(system, base, resets, name)

    @property
    def _vco_hz(self) -> int:
        return CRYSTAL_HZ // max(1, self[self.CS] & 0x3F) * (self[self.FBDIV] & 0xFFF)

    @property
    def locked(self) -> bool:
        on = not self[self.PWR] & 0x21 and self._crystal.stable
        return on and 750_000_000 <= self._vco_hz <= 1_600_000_000

    @property
    def hz(self) -> int:
        """What comes out, 0 while it is not locked or its dividers are off."""
        dividers = (self[self.PRIM] >> 16 & 7) * (self[self.PRIM] >> 12 & 7)
        return self._vco_hz // dividers if self.locked and dividers and not self[self.PWR] & 8 else 0

    @on_read(CS)
    def _read_cs(self) -> int:
        return self[self.CS] & ~_LOCK | (_LOCK if self.locked else 0)


@dataclass(frozen=True, slots=True)
class Generator:
    """Where a clock's registers are, and its sources; `glitchless` is None where all are auxiliary ones."""

    control: int
    glitchless: tuple[str, ...] | None
    auxiliary: tuple[str, ...]


class Clocks(Block):
    """CLOCKS: clk_ref, clk_sys and clk_peri, of which the others stay plain registers."""

    def __init__(
        self,
        system: FlashSystem,
        base: int,
        generators: Mapping[str, Generator],
        crystal: Crystal,
        pll: Pll,
        at_reset: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self._generators, self._crystal, self._pll, self._at_reset = generators, crystal, pll, at_reset
        self._by_offset = {each.control: name for name, each in generators.items()}
        super().__init__(system, base)

    def reset(self) -> None:
        self.registers = dict(self._at_reset)
        self._running: tuple[tuple[int, int, int], dict[str, int]] = ((-1, -1, -1), {})

    def hz(self, name: str) -> int:
        """Frequency of a clock or source; 0 where it does not run."""
        # What runs goes on until something is written: the UART asks for every byte.
        changes = (self._crystal.changes, self._pll.changes, self.changes)
        if changes != self._running[0]:
            self._running = (changes, {})
        known = self._running[1]
        if not known.get(name):
            known[name] = self._hz(name)
        return known[name]

    def _hz(self, name: str) -> int:
        if name == "rosc":
            return RING_HZ
        if name == "xosc":
            return CRYSTAL_HZ if self._crystal.stable else 0
        if name == "pll_sys":
            return self._pll.hz
        if name not in self._generators:
            return 0
        source = self._source(name, self[self._generators[name].control])
        return self.hz(source) if source else 0

    def _source(self, name: str, control: int) -> str:
        """What a clock runs from, empty for one that is off."""
        generator = self._generators[name]
        auxiliary = generator.auxiliary[
            control >> 5 & 7 if control >> 5 & 7 < len(generator.auxiliary) else 0
        ]
        if generator.glitchless is None:
            return auxiliary if control >> 11 & 1 else ""
        return generator.glitchless[control & 3] or auxiliary

    def load(self, offset: int) -> int:
        name = self._by_offset.get(offset - 8)
        if name is None:
            return super().load(offset)
        glitchless = self._generators[name].glitchless
        return 1 if glitchless is None else 1 << (self[offset - 8] & 3)

    def store(self, offset: int, value: int) -> None:
        name = self._by_offset.get(offset)
        if name is not None:
            self._check(name, self[offset], value)
        super().store(offset, value)

    def _check(self, name: str, old: int, value: int) -> None:
        generator, source = self._generators[name], self._source(name, value)
        where = self.base + generator.control
        if generator.glitchless is not None and not generator.glitchless[old & 3] and (old ^ value) & 0xE0:
            raise self.system.fault(f"clk_{name} runs from the source that AUXSRC changes", where)
        if source and not self.hz(source):
            raise self.system.fault(f"clk_{name} is switched to {source}, which does not run", where)
        if name == "sys" and source == "pll_sys" and self._pll.hz != self.system.clock_hz:
            what = f"clk_sys becomes {self._pll.hz:,} Hz, the board's file says {self.system.clock_hz:,} Hz"
            raise self.system.fault(what, where)


class Watchdog(Block):
    """WATCHDOG: resets the chip on request, keeps its scratch registers then. `wdsel` is PSM.WDSEL."""

    CTRL, SCRATCH = 0x00, 0x0C

    def __init__(self, system: FlashSystem, base: int, wdsel: Callable[[], int], everything: int) -> None:
        self._wdsel, self._everything = wdsel, everything
        super().__init__(system, base)

    def reset(self) -> None:
        kept = {} if self.system.reset_cause is Reset.POWER_ON else self.registers
        self.registers = {at: value for at, value in kept.items() if 0 <= at - self.SCRATCH < 0x20}

    @on_write(CTRL)
    def _write_ctrl(self, value: int) -> int:
        if value >> 31:
            if self._wdsel() & self._everything != self._everything:
                what = f"the watchdog resets only a part of the chip: PSM.WDSEL is 0x{self._wdsel():x}"
                raise self.system.fault(what, self.base, f"set 0x{self._everything:x} first")
            self.chip.request_reset()
        return value & 0x7FFFFFFF


class Timer(Block):
    """TIMER: microseconds, when the tick generator is on. `tick_hz` is the rate of its ticks."""

    TIMEHW, TIMELW, TIMERAWL = 0x00, 0x04, 0x28

    def __init__(
        self, system: FlashSystem, base: int, resets: Resets, name: str, tick_hz: Callable[[], float]
    ) -> None:
        self._tick_hz = tick_hz
        super().__init__(system, base, resets, name)

    def reset(self) -> None:
        super().reset()
        self._from, self._value = self.system.now, 0

    @on_write(TIMEHW)
    def _write_time(self, value: int) -> None:
        self._from, self._value = self.system.now, self[self.TIMELW] | value << 32

    @on_read(TIMERAWL)
    def _read_low(self) -> int:
        passed = (self.system.now - self._from) / self.system.clock_hz * self._tick_hz()
        return self._value + int(passed)


class Pins(Block):
    """IO_BANK0: the function of each pin; `pads` is PADS_BANK0, whose bits in `off` cut a pin off."""

    UART = 2

    def __init__(self, system: FlashSystem, base: int, resets: Resets, pads: Pads) -> None:
        self._pads = pads
        super().__init__(system, base, resets, "IO_BANK0")

    def reset(self) -> None:
        super().reset()
        self.registers = {4 + 8 * pin: 0x1F for pin in range(48)}

    def sends(self, pin: int) -> bool:
        """Whether the pin is that of the UART and drives."""
        return self[4 + 8 * pin] & 0x1F == self.UART and not self._pads.value(pin) & self._pads.no_output

    def receives(self, pin: int) -> bool:
        """Whether the pin is that of the UART and its input is on."""
        pad = self._pads.value(pin)
        return self[4 + 8 * pin] & 0x1F == self.UART and bool(pad & 0x40) and not pad & self._pads.isolated


class Pads(Block):
    """PADS_BANK0; `isolated` is the bit that cuts a pad off, 0 on a chip without one."""

    def __init__(
        self, system: FlashSystem, base: int, resets: Resets, at_reset: int, isolated: int = 0
    ) -> None:
        self._at_reset, self.isolated, self.no_output = at_reset, isolated, 0x80 | isolated
        super().__init__(system, base, resets, "PADS_BANK0")

    def reset(self) -> None:
        self.registers = {4 + 4 * pin: self._at_reset for pin in range(48)}

    def value(self, pin: int) -> int:
        return self[4 + 4 * pin]
