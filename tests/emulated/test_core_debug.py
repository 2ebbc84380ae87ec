"""The debugged core: halt, registers, breakpoints, steps, resets, lockup."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from support.debugger import (
    CONFIG,
    ERASE_PAGE,
    RAM,
    RESETREAS,
    Debugger,
    answers,
)
from support.small_firmware import NRF, Firmware
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.core_debug import (
    BKPT,
    C_DEBUGEN,
    DCRDR,
    DCRSR,
    DEMCR,
    DFSR,
    FP_COMP,
    FP_CTRL,
    HALTED,
    S_HALT,
    S_LOCKUP,
    S_REGRDY,
    S_RESET,
    S_SLEEP,
    VC_CORERESET,
    VC_HARDERR,
    VCATCH,
)
from tinyc.emulator.debug_port import (
    DRW,
)
from tinyc.emulator.image import flash_content, read_image
from tinyc.emulator.machine import Ended

pytestmark = pytest.mark.emulated

SECOND = NRF.clock_hz


def test_halt_and_registers(machine: Machine, debugger: Debugger) -> None:
    assert not debugger.status() & S_HALT
    assert machine.executed  # the look has run it
    debugger.halt()
    before = machine.executed
    assert debugger.status() & (S_HALT | S_REGRDY) == S_HALT | S_REGRDY
    assert debugger.read(DFSR) == HALTED
    assert machine.run(SECOND) is Ended.HALTED
    assert machine.executed == before
    general = {selector: 0x1000 + 4 * selector for selector in (*range(15), 17, 18, 64, 95)}
    general[17] = general[13]  # SP is MSP
    for selector, value in general.items():
        debugger.set_core(selector, value)
    assert {selector: debugger.core(selector) for selector in general} == general
    debugger.set_core(15, 0x205)
    debugger.set_core(16, 0xF1000000)
    debugger.set_core(20, 0x00012001)
    assert [debugger.core(selector) for selector in (15, 16, 20)] == [0x204, 0xF1000000, 0x00012001]


def test_registers_of_a_running_core_stay(debugger: Debugger) -> None:
    debugger.halt()
    debugger.set_core(0, 5)
    debugger.go()
    debugger.write(DCRDR, 7)
    debugger.write(DCRSR, 1 << 16)
    debugger.halt()
    assert debugger.core(0) != 7


def test_function_in_ram_ends_at_a_breakpoint(machine: Machine, debugger: Debugger) -> None:
    """As a flash algorithm does: R0 is squared, LR points at a BKPT."""
    debugger.halt()
    for code in (0x4340, 0x4341):  # muls r0, r0; then, in the same place, muls r1, r0
        debugger.at(RAM).port.write_ap_multiple(DRW, [0x4770 << 16 | code, 0xBE00])
        debugger.write(DFSR, 31)
        for selector, value in {0: 12, 1: 5, 14: RAM + 5, 15: RAM, 16: 0x01000000}.items():
            debugger.set_core(selector, value)
        debugger.go()
        assert debugger.status() & S_HALT
        assert (debugger.read(DFSR), debugger.core(15)) == (BKPT, RAM + 4)
    assert (debugger.core(0), debugger.core(1)) == (12, 60)


def test_breakpoint_faults_without_a_debugger(firmware: Firmware) -> None:
    machine = Machine(firmware("faults", "BREAKPOINT"), NRF)
    debugger = Debugger(machine.attach())
    assert debugger.status() & S_LOCKUP  # C_DEBUGEN is off
    machine.reset()
    debugger.go()
    assert debugger.status() & S_HALT
    machine.detach()
    with pytest.raises(EmulatedFault, match="breakpoint"):
        machine.run(SECOND)


def test_comparators_stop_the_core(machine: Machine, debugger: Debugger, echo: Path) -> None:
    assert machine.run(SECOND) is Ended.IDLE
    entry = read_image(echo).function("main").address
    assert debugger.read(FP_CTRL) == 0x260
    debugger.halt()
    debugger.write(FP_CTRL, 3)
    debugger.write(FP_COMP, (2 if entry & 2 else 1) << 30 | entry & ~3 | 1)
    debugger.system_reset()
    debugger.write(DFSR, 31)
    assert debugger.status() & S_HALT
    assert (debugger.read(DFSR), debugger.core(15)) == (BKPT, entry)
    debugger.step()
    assert entry < debugger.core(15) <= entry + 4
    debugger.go()
    assert not debugger.status() & S_HALT
    debugger.system_reset()
    assert debugger.status() & S_HALT
    debugger.write(FP_CTRL, 2)
    debugger.go()
    assert not debugger.status() & S_HALT
    machine.detach()
    assert answers(machine)


def test_steps_are_single_instructions(machine: Machine, debugger: Debugger) -> None:
    debugger.halt()
    debugger.at(RAM).port.write_ap_multiple(DRW, [0x20012000, 0xE7FB3001])  # movs, movs, adds, b RAM
    debugger.set_core(15, RAM)
    seen = []
    for _ in range(6):
        debugger.step()
        seen.append((debugger.core(15) - RAM, debugger.core(0)))
    assert seen == [(2, 0), (4, 1), (6, 2), (0, 2), (2, 0), (4, 1)]


def test_reset_catch(machine: Machine, debugger: Debugger, echo: Path) -> None:
    debugger.write(RAM, 0x1234)
    debugger.halt()
    debugger.write(DEMCR, VC_CORERESET)
    debugger.system_reset()
    assert debugger.status() & (S_HALT | S_RESET) == S_HALT | S_RESET
    assert not debugger.status() & S_RESET
    assert debugger.read(DFSR) & VCATCH
    start = int.from_bytes(machine.flash()[4:8], "little") & ~1
    assert (debugger.core(15), debugger.read(RAM), debugger.read(RESETREAS)) == (start, 0x1234, 4)
    debugger.write(DEMCR, 0)
    debugger.system_reset()
    assert not debugger.status() & S_HALT
    machine.detach()
    assert answers(machine)


def test_reset_pin(machine: Machine, debugger: Debugger) -> None:
    debugger.status()
    debugger.port.debug.hold_reset(True)
    before = machine.executed
    assert debugger.status() & S_RESET
    assert machine.run(SECOND) is Ended.HALTED
    debugger.port.debug.hold_reset(False)
    assert machine.executed == before
    assert (debugger.read(RESETREAS), answers(machine)) == (1, True)


def test_sleep_is_shown_and_ended_by_a_halt(firmware: Firmware) -> None:
    machine = Machine(firmware("script"), NRF)
    machine.write_ram(0x20010000, bytes(12), "the test")
    debugger = Debugger(machine.attach())
    assert debugger.status() & S_SLEEP
    debugger.halt()
    assert debugger.status() & (S_SLEEP | S_HALT) == S_HALT


def test_blank_chip_locks_up_and_can_be_halted() -> None:
    machine = Machine(b"", NRF)
    debugger = Debugger(machine.attach())
    assert debugger.status() & S_LOCKUP
    assert debugger.port.debug.fault is not None
    debugger.halt()
    assert debugger.status() & (S_LOCKUP | S_HALT) == S_HALT
    debugger.write(DEMCR, VC_HARDERR)
    debugger.go()
    assert debugger.status() & S_HALT
    assert debugger.read(DFSR) & VCATCH


def test_vector_without_thumb_bit_locks_up() -> None:
    machine = Machine(b"", NRF)
    debugger = Debugger(machine.attach())
    debugger.write(CONFIG, 1)
    debugger.write(4, 0x1000)
    debugger.system_reset()
    assert debugger.status() & S_LOCKUP


def test_detached_debugger_leaves_no_trace(echo: Path) -> None:
    plain, debugged = Machine(echo, NRF), Machine(echo, NRF)
    debugger = Debugger(debugged.attach())
    debugger.halt()
    debugger.read(0xE000ED00)
    debugged.detach()
    assert answers(plain)
    assert answers(debugged)
    assert debugged.now == plain.now
    assert debugged.instructions == plain.instructions
    assert debugged.read_memory(0x20000000, 0x40000) == plain.read_memory(0x20000000, 0x40000)


def test_firmware_sees_the_debugger(machine: Machine, debugger: Debugger) -> None:
    debugger.halt()
    assert machine._core.control[0xDF0] & C_DEBUGEN
    machine.detach()
    assert not machine._core.control[0xDF0] & C_DEBUGEN


def test_alignment_is_checked_for_what_the_debugger_brought(firmware: Firmware) -> None:
    misaligned, echo = firmware("faults", "MISALIGNED"), firmware("echo", "NRF_UART")
    machine = Machine(echo, NRF, symbols=[misaligned])
    debugger = Debugger(machine.attach())
    debugger.halt()
    debugger.write(CONFIG, 2)
    debugger.write(ERASE_PAGE, 0)
    debugger.write(CONFIG, 1)
    ((address, data), *_) = read_image(misaligned).segments
    content = flash_content([read_image(misaligned)], NRF.memory)[: (address + len(data) + 2048) & ~3]
    for at in range(0, len(content), 1024):
        words = list(struct.unpack(f"<{len(content[at : at + 1024]) // 4}I", content[at : at + 1024]))
        debugger.at(at).port.write_ap_multiple(DRW, words)
    debugger.system_reset()
    machine.detach()
    machine.reset()
    with pytest.raises(EmulatedFault, match="no multiple of 4"):
        machine.run(SECOND)
