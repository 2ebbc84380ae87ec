"""The debug port of the emulated chip: its access ports, its memory, its lock."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from support.debugger import (
    BYTE,
    CONFIG,
    ERASE_PAGE,
    ERASED,
    FREE,
    HALF,
    INCREMENT,
    PACKED,
    POWER_UP,
    RAM,
    RESETREAS,
    UICR_APPROTECT,
    WORD,
    Debugger,
    answers,
    lock,
)
from support.small_firmware import NRF, build
from tinyc.boards import load_board
from tinyc.emulator import Machine
from tinyc.emulator.chips import nordic_debug as ctrl_ap
from tinyc.emulator.core_debug import (
    C_DEBUGEN,
    S_RESET,
)
from tinyc.emulator.debug_bus import ROM_TABLE
from tinyc.emulator.debug_port import (
    BASE,
    BD0,
    CONTROL_PORT,
    CSW,
    CTRL_STAT,
    DPIDR,
    DRW,
    IDR,
    RDBUFF,
    TAR,
    TransferFault,
)
from tinyc.emulator.flash import Cut, Kind, Mode
from tinyc.emulator.machine import Ended
from tinyc.emulator.power import Recorder
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated

SECOND = NRF.clock_hz


# The ports.


def test_identification(debugger: Debugger) -> None:
    assert debugger.port.read_dp(DPIDR) == 0x2BA01477
    assert [debugger.register(IDR, port) for port in range(4)] == [0x24770011, 0x02880000, 0, 0]
    assert debugger.register(BASE) == ROM_TABLE | 3


def test_power_handshake(machine: Machine) -> None:
    port = machine.attach()
    with pytest.raises(TransferFault, match="debug power is off"):
        port.read_ap(IDR)
    assert port.read_dp(CTRL_STAT) == 0
    port.write_dp(CTRL_STAT, POWER_UP)
    assert port.read_dp(CTRL_STAT) == POWER_UP | POWER_UP << 1
    port.write_dp(CTRL_STAT, 0)
    assert port.read_dp(CTRL_STAT) == 0


def test_rom_table_names_the_components_of_the_core(debugger: Debugger) -> None:
    found = {}
    entries = debugger.at(ROM_TABLE).port.read_ap_multiple(DRW, 16)
    for entry in entries[: entries.index(0)]:
        assert entry & 3 == 3
        base = ROM_TABLE + (entry & 0xFFFFF000) & ERASED
        identity = debugger.at(base + 0xFD0).port.read_ap_multiple(DRW, 12)
        assert identity[0] == 4  # Arm's JEP106 code has four continuations
        assert [word & 0xF0 == 0xE0 or word for word in identity[8:]][::2] == [0x0D, 0x05]
        found[base] = identity[4] | (identity[5] & 0xF) << 8
    assert found == {
        0xE000E000: 0x00C,
        0xE0001000: 0x002,
        0xE0002000: 0x003,
        0xE0000000: 0x001,
        0xE0040000: 0x9A1,
        0xE0041000: 0x925,
    }
    nordic = debugger.at(ROM_TABLE + 0xFD0).port.read_ap_multiple(DRW, 12)
    assert (nordic[0], nordic[4], nordic[5] >> 4 | (nordic[6] & 7) << 4) == (2, 0x08, 0x44)


def test_sizes_and_byte_lanes(debugger: Debugger) -> None:
    debugger.write(RAM, 0x44332211)
    debugger.at(RAM + 1, BYTE | INCREMENT)
    assert [debugger.register(DRW) for _ in range(2)] == [0x2200, 0x330000]
    assert debugger.at(RAM + 2, HALF).register(DRW) == 0x44330000
    debugger.at(RAM + 3, BYTE).set_register(DRW, 0xAA123456)
    debugger.at(RAM, HALF).set_register(DRW, 0xFFFFBBCC)
    assert debugger.read(RAM) == 0xAA33BBCC
    assert debugger.at(RAM, BYTE | PACKED).register(DRW) == 0xAA33BBCC
    debugger.at(RAM, HALF | PACKED).set_register(DRW, 0x01020304)
    assert (debugger.read(RAM), debugger.port.read_dp(RDBUFF)) == (0x01020304, 0x01020304)


def test_automatic_increment(debugger: Debugger, machine: Machine) -> None:
    values = list(range(1, 9))
    debugger.at(RAM).port.write_ap_multiple(DRW, values)
    assert debugger.register(TAR) == RAM + 32
    assert machine.read_memory(RAM, 32) == struct.pack("<8I", *values)
    assert debugger.at(RAM).port.read_ap_multiple(DRW, 8) == values
    assert debugger.at(RAM, WORD).port.read_ap_multiple(DRW, 3) == [1, 1, 1]
    assert debugger.register(TAR) == RAM
    assert [debugger.register(BD0 + 4 * i) for i in range(4)] == values[:4]
    debugger.set_register(BD0 + 4, 77)
    assert debugger.read(RAM + 4) == 77


def test_increment_wraps_after_4_kb(debugger: Debugger) -> None:
    debugger.write(RAM, 1)
    debugger.write(RAM + 0xFFC, 2)
    assert debugger.at(RAM + 0xFFC).port.read_ap_multiple(DRW, 2) == [2, 1]


def test_reserved_size_is_a_word(debugger: Debugger) -> None:
    debugger.set_register(CSW, 0x23000005)
    assert debugger.register(CSW) == 0x23000042


@pytest.mark.parametrize("address", [0x30000000, 0x20040000, 0x00100000, 0xE0100000])
def test_failed_access_sticks_until_it_is_cleared(debugger: Debugger, address: int) -> None:
    with pytest.raises(TransferFault, match="nothing to read"):
        debugger.read(address)
    with pytest.raises(TransferFault, match="an earlier access failed"):
        debugger.register(IDR)
    assert debugger.port.read_dp(CTRL_STAT) & 0x20
    debugger.clear()
    assert not debugger.port.read_dp(CTRL_STAT) & 0x20
    assert debugger.register(TAR) == address
    with pytest.raises(TransferFault):
        debugger.write(address, 1)


def test_unaligned_access_fails(debugger: Debugger) -> None:
    with pytest.raises(TransferFault, match="no multiple of 4"):
        debugger.read(RAM + 2)


def test_flash_keeps_its_rules(machine: Machine, debugger: Debugger) -> None:
    recorder = Recorder(machine.flash_array)
    with pytest.raises(TransferFault, match="write to flash while writing is off"):
        debugger.write(FREE, 1)
    debugger.clear()
    debugger.write(CONFIG, 1)
    debugger.write(FREE, 0xFFFF00FF)
    debugger.write(FREE, 0x12345678)
    debugger.at(FREE + 4).port.write_ap_multiple(DRW, [5, 6])
    assert debugger.at(FREE).port.read_ap_multiple(DRW, 3) == [0x12340078, 5, 6]
    with pytest.raises(TransferFault, match="write of 1 bytes to flash"):
        debugger.at(FREE, BYTE).set_register(DRW, 0)
    debugger.clear()
    debugger.write(CONFIG, 2)
    debugger.write(ERASE_PAGE, FREE)
    assert debugger.read(FREE) == ERASED
    kinds = [operation.kind for operation in recorder.history().operations]
    assert kinds == [Kind.WRITE] * 4 + [Kind.ERASE]


def test_power_cut_under_the_debugger(machine: Machine, debugger: Debugger) -> None:
    machine.cut_power(Cut(1, Mode.AFTER))
    debugger.write(CONFIG, 1)
    debugger.at(FREE).port.write_ap_multiple(DRW, [1])
    debugger.write(FREE + 4, 2)
    with pytest.raises(TransferFault, match="the power is off"):
        debugger.read(FREE)
    machine.detach()
    assert machine.run() is Ended.POWER_LOST
    machine.power_cycle()
    assert machine.read_memory(FREE, 12) == struct.pack("<3I", 1, 2, ERASED)


# The maker's port.


def test_locked_chip_hides_everything_until_it_is_erased(machine: Machine) -> None:
    lock(machine)
    debugger = Debugger(machine.attach())
    assert debugger.register(IDR) == 0x24770011
    assert not debugger.register(CSW) & 0x40
    assert debugger.control(ctrl_ap.APPROTECTSTATUS) == 0
    for access in (lambda: debugger.read(RAM), lambda: debugger.write(RAM, 1), debugger.status):
        with pytest.raises(TransferFault, match="the chip is locked"):
            access()
        debugger.clear()
    debugger.control(ctrl_ap.ERASEALL, 1)
    assert debugger.control(ctrl_ap.ERASEALLSTATUS) == 0
    assert debugger.control(ctrl_ap.APPROTECTSTATUS) == 0  # until the reset
    debugger.control(ctrl_ap.RESET, 1)
    debugger.control(ctrl_ap.RESET, 0)
    assert debugger.control(ctrl_ap.APPROTECTSTATUS) == 1
    assert debugger.read(UICR_APPROTECT) == debugger.read(0) == ERASED
    assert machine.flash() == b"\xff" * NRF.memory.flash


def test_locked_chip_runs_its_firmware(machine: Machine) -> None:
    lock(machine)
    assert answers(machine)


def test_reset_by_the_makers_port(machine: Machine, debugger: Debugger) -> None:
    debugger.status()
    debugger.control(ctrl_ap.RESET, 1)
    assert debugger.control(ctrl_ap.RESET) == 1
    debugger.control(ctrl_ap.RESET, 0)
    assert debugger.read(RESETREAS) == 4
    assert debugger.status() & S_RESET
    assert debugger.register(ctrl_ap.IDR, CONTROL_PORT) == 0x02880000


def test_other_chips_have_no_debug_port(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    machine = Machine(build("echo", board, tmp_path, "CMSDK"), board)
    with pytest.raises(TinycError, match="has no debug port"):
        machine.serve_probe()


def test_one_debugger_at_a_time(machine: Machine) -> None:
    machine.attach()
    with pytest.raises(TinycError, match="a debugger is connected already"):
        machine.attach()


# Hostile accesses.


@pytest.mark.parametrize("seed", range(4))
def test_random_accesses_end_in_values_or_faults(echo: Path, seed: int) -> None:
    chance = random.Random(seed)
    debugger = Debugger(Machine(echo, NRF).attach())
    bases = (0x40000000, 0x40002000, 0x40008000, 0x4001E000, 0xE000E000, 0xE0001000, 0xE0002000, RAM, FREE)
    values = (0, 1, C_DEBUGEN | 0xA05F0000, 0xA05F0003, 0xA05F0005, 0x05FA0004, ERASED)
    for _ in range(150):
        address = chance.choice(bases) + chance.choice((0, 0xD0C, 0xDF0, 0xDF4, chance.randrange(0x1000)))
        debugger.at(address, chance.choice((WORD, HALF, BYTE)) | chance.choice((0, INCREMENT, PACKED)))
        try:
            if chance.random() < 0.5:
                debugger.port.read_ap_multiple(DRW, chance.randrange(20))
            else:
                debugger.set_register(DRW, chance.choice((*values, chance.getrandbits(32))))
            if chance.random() < 0.05:
                debugger.status()
        except TransferFault:
            debugger.clear()
