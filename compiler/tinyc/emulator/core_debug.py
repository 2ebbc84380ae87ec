"""Halting debug of the emulated core, as a debugger sees it: DHCSR and its neighbours, FPB.

From the ARMv7-M Architecture Reference Manual, part C1. Only a debugger comes here; the firmware
keeps seeing plain registers, in which C_DEBUGEN and TRCENA are mirrored.
"""

from __future__ import annotations

from typing import Protocol

from unicorn import arm_const as arm

from tinyc.emulator.chip import ControlPort
from tinyc.emulator.core import Core
from tinyc.emulator.counting import FOREVER
from tinyc.emulator.faults import EmulatedFault
from tinyc.emulator.peripheral import WORD, Reset
from tinyc.emulator.system_control import DEMCR as DEMCR_OFFSET
from tinyc.emulator.system_control import SystemControl

_SCS = 0xE000E000
DFSR, DHCSR, DCRSR, DCRDR, DEMCR = (_SCS + offset for offset in (0xD30, 0xDF0, 0xDF4, 0xDF8, 0xDFC))
FP_CTRL, FP_COMP, COMPARATORS = 0xE0002000, 0xE0002008, 8  # 6 for code, 2 for literals
_CODE_COMPARATORS = 6

DEBUG_KEY = 0xA05F0000
C_DEBUGEN, C_HALT, C_STEP, C_MASKINTS = 1, 2, 4, 8
S_REGRDY, S_HALT, S_SLEEP, S_LOCKUP, S_RETIRE, S_RESET = (1 << bit for bit in (16, 17, 18, 19, 24, 25))
VC_CORERESET, VC_HARDERR = 1 << 0, 1 << 10
HALTED, BKPT, VCATCH, EXTERNAL = 1, 2, 8, 16  # DFSR
WRITE_REGISTER = 1 << 16  # DCRSR

_SLICE_SECONDS = 0.05  # of the chip's time, for each look of the debugger at DHCSR
_LOCKUP_ADDRESS = 0xFFFFFFFE
_XPSR, _SPECIAL = 16, 20
_FLAGS = 0xF80F0000
_PLAIN = {
    **{i: getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13)},
    13: arm.UC_ARM_REG_SP,
    14: arm.UC_ARM_REG_LR,
    17: arm.UC_ARM_REG_MSP,
    18: arm.UC_ARM_REG_PSP,
    33: arm.UC_ARM_REG_FPSCR,
    **{64 + i: getattr(arm, f"UC_ARM_REG_S{i}") for i in range(32)},
}
# CONTROL, FAULTMASK, BASEPRI and PRIMASK share one selector, a byte each.
_BYTES = (
    (arm.UC_ARM_REG_PRIMASK, 0),
    (arm.UC_ARM_REG_BASEPRI, 8),
    (arm.UC_ARM_REG_FAULTMASK, 16),
    (arm.UC_ARM_REG_CONTROL, 24),
)


class Debuggable(Protocol):
    """The machine around the core."""

    clock_hz: int

    def run(self, cycles: int | None = None) -> object:
        """Run for that long, until the core halts or has nothing to do."""

    def reset(self, cause: Reset) -> None:
        """Start again."""

    def apply_reset(self) -> None:
        """Perform a reset that was asked for by a register."""

    @property
    def asleep(self) -> bool:
        """Whether the core waits in WFI or WFE."""

    def wake(self) -> None:
        """End that wait."""

    @property
    def executed(self) -> int:
        """Cycles executed."""

    @property
    def powered(self) -> bool:
        """Whether the power is on."""


class CoreDebug:
    """One debugger at one core; `release` when it is gone."""

    def __init__(
        self, machine: Debuggable, core: Core, control: SystemControl, control_port: ControlPort
    ) -> None:
        self._machine, self._core, self._control, self._control_port = machine, core, control, control_port
        self.halted = False
        self.fault: EmulatedFault | None = None  # the core is in lockup
        self._enabled = self._masks = self._was_reset = self._held = False
        self._catches = control[DEMCR_OFFSET]
        self._status = self._data = self._seen = 0
        self._patches, self._comparators = False, [0] * COMPARATORS
        control_port.latch()

    @property
    def powered(self) -> bool:
        """Whether anything answers."""
        return self._machine.powered

    @property
    def masks_interrupts(self) -> bool:
        return self._masks

    # What happens to the core.

    def _halt(self, reason: int) -> None:
        self.halted, self.fault = True, None
        self._status |= reason
        self._machine.wake()

    def at_breakpoint(self) -> None:
        """The core has come to one."""
        self._halt(BKPT)

    def _lock_up(self, fault: EmulatedFault) -> None:
        self.fault = fault
        if self._enabled and self._catches & VC_HARDERR:
            self._halt(VCATCH)

    def reset(self, vectors: int) -> None:
        """The chip starts; a reset catch stops it before the first instruction."""
        self.halted, self.fault, self._was_reset = self._held, None, True
        self._masks = False
        self._control_port.latch()
        try:
            self._core.reset(vectors)
        except EmulatedFault as fault:
            self._core.pc = _LOCKUP_ADDRESS
            self._lock_up(fault)
        self._mirror()
        if self._enabled and self._catches & VC_CORERESET:
            self._halt(VCATCH)

    def settle(self) -> None:
        """Perform what a write of the debugger has asked the chip for."""
        self._machine.apply_reset()

    def hold_reset(self, held: bool) -> None:
        """The reset pin is pulled or let go."""
        if held != self._held:
            self._held = held
            self._machine.reset(Reset.PIN)

    @property
    def reset_held(self) -> bool:
        """Whether the reset pin is pulled."""
        return self._held

    def release(self) -> None:
        """The debugger is gone."""
        if self._held:
            self.hold_reset(False)
        self.halted = self._enabled = self._patches = False
        self._mirror()
        self._apply_breakpoints()

    def _mirror(self) -> None:
        self._core.debugged = self._enabled
        self._control[DHCSR - _SCS] = int(self._enabled)
        self._control[DEMCR_OFFSET] = self._catches

    def _run(self) -> None:
        try:
            self._machine.run(max(1, round(_SLICE_SECONDS * self._machine.clock_hz)))
        except EmulatedFault as fault:
            self._lock_up(fault)

    def _step(self) -> None:
        """One instruction, interrupts masked."""
        counter, self._was_reset = self._core.counter, False
        counter.deadline, counter.stop_request, counter.masked_priority = FOREVER, 0, 0
        self._core.breakpoints.leave(self._core.pc)
        try:
            self._core.run(1)
        except EmulatedFault as fault:
            self._lock_up(fault)
        self._machine.apply_reset()
        if not self._was_reset:
            self._halt(HALTED)

    # Registers.

    def read(self, address: int) -> int | None:
        """The word at `address`, None where it is not ours."""
        if address == DHCSR:
            return self._read_status()
        if address == DFSR:
            return self._status
        if address == DEMCR:
            return self._catches
        if address == DCRDR:
            return self._data
        if address == DCRSR:
            return 0
        if address == FP_CTRL:
            return (COMPARATORS - _CODE_COMPARATORS) << 8 | _CODE_COMPARATORS << 4 | int(self._patches)
        if FP_COMP <= address < FP_COMP + 4 * COMPARATORS:
            return self._comparators[(address - FP_COMP) // 4]
        return None

    def write(self, address: int, value: int) -> bool:
        """Write the word at `address`; False where it is not ours."""
        if address == DHCSR:
            self._write_status(value)
        elif address == DFSR:
            self._status &= ~value
        elif address == DEMCR:
            self._catches = value & 0x010F07F1
            self._mirror()
        elif address == DCRDR:
            self._data = value
        elif address == DCRSR:
            self._transfer(value)
        elif address == FP_CTRL:
            if value & 2:
                self._patches = bool(value & 1)
                self._apply_breakpoints()
        elif FP_COMP <= address < FP_COMP + 4 * COMPARATORS:
            self._comparators[(address - FP_COMP) // 4] = value & 0xDFFFFFFD
            self._apply_breakpoints()
        else:
            return False
        return True

    def _read_status(self) -> int:
        """A look at a running core lets it run on."""
        if not self.halted and self.fault is None:
            self._run()
        value = S_REGRDY | (C_DEBUGEN if self._enabled else 0) | (C_MASKINTS if self._masks else 0)
        if self._held:
            return value | S_RESET
        if self.halted:
            value |= S_HALT | C_HALT
        elif self.fault is not None:
            value |= S_LOCKUP
        elif self._machine.asleep:
            value |= S_SLEEP
        if self._was_reset:
            value |= S_RESET
        if self._machine.executed != self._seen:
            value |= S_RETIRE
        self._was_reset, self._seen = False, self._machine.executed
        return value

    def _write_status(self, value: int) -> None:
        if value & 0xFFFF0000 != DEBUG_KEY or self._held:
            return
        self._enabled = bool(value & C_DEBUGEN)
        self._masks = self._enabled and bool(value & C_MASKINTS)
        self._mirror()
        if self._enabled and value & C_HALT:
            if not self.halted:
                self._halt(HALTED)
        elif self.halted:
            if self._enabled and value & C_STEP:
                self._step()
            else:
                self.halted = False
                self._core.breakpoints.leave(self._core.pc)

    def _apply_breakpoints(self) -> None:
        addresses: set[int] = set()
        for comparator in self._comparators[:_CODE_COMPARATORS] if self._patches else ():
            if comparator & 1:
                halves = comparator >> 30
                addresses |= {(comparator & 0x1FFFFFFC) + 2 * i for i in (0, 1) if halves >> i & 1}
        self._core.breakpoints.set(addresses)

    def _transfer(self, command: int) -> None:
        """DCRSR: move a register of the halted core to or from DCRDR."""
        if not self.halted or self._held:
            return
        selector = command & 0x7F
        if command & WRITE_REGISTER:
            self._write_register(selector, self._data)
        else:
            self._data = self._read_register(selector)

    def _read_register(self, selector: int) -> int:
        core = self._core
        if selector == 15:
            return core.pc
        if selector == _XPSR:
            return core.read(arm.UC_ARM_REG_XPSR)
        if selector == _SPECIAL:
            return sum((core.read(register) & 0xFF) << shift for register, shift in _BYTES)
        return core.read(_PLAIN[selector]) & WORD if selector in _PLAIN else 0

    def _write_register(self, selector: int, value: int) -> None:
        core = self._core
        if selector == 15:
            core.pc = value & ~1
            core.write(arm.UC_ARM_REG_PC, value | 1)
        elif selector == _XPSR:
            core.write(arm.UC_ARM_REG_XPSR_NZCVQG, value & _FLAGS)
            core.write(arm.UC_ARM_REG_XPSR, value)
        elif selector == _SPECIAL:
            for register, shift in _BYTES:
                core.write(register, value >> shift & 0xFF)
        elif selector in _PLAIN:
            core.write(_PLAIN[selector], value & ~3 if selector in (13, 17, 18) else value)
