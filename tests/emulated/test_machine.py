"""The emulated chip: exact counts, exceptions, peripherals, faults, serial line."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from support.small_firmware import build
from tinyc.boards import Board, load_board
from tinyc.emulator import Counts, EmulatedFault, Machine, native_library
from tinyc.emulator.machine import Ended
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated

NRF = load_board("nrf52840")
SECOND = NRF.clock_hz
Firmware = Callable[..., Path]


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """`firmware(name, board, *defines)` is the path of the ELF; each is built once."""
    folder = tmp_path_factory.mktemp("firmware")
    built: dict[tuple[str, ...], Path] = {}

    def make(name: str, board: Board = NRF, *defines: str) -> Path:
        key = (name, board.name, *defines)
        if key not in built:
            built[key] = build(name, board, folder, *defines)
        return built[key]

    return make


@pytest.fixture(params=["native", "python"])
def native(request: pytest.FixtureRequest) -> bool:
    """Both counters; the native one only where a compiler is."""
    wanted = request.param == "native"
    if wanted and native_library.load() is None:
        pytest.skip("no compiler for the native counter")
    return wanted


def results(machine: Machine) -> tuple[int, ...]:
    """The firmware's array `result`."""
    with machine.image.path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        address = table.get_symbol_by_name("result")[0]["st_value"]
    return struct.unpack("<16I", machine.read_memory(address, 64))


# Exact counts. The expected numbers are counted by hand from the assembly in loops.c.


class Loops:
    """Runs one function of loops.c at a time."""

    NAMES = ("loop", "conditional", "outer", "tail", "recurse", "leave_by_it")

    def __init__(self, elf: Path, native: bool) -> None:
        self.machine = Machine(elf, NRF, native=native)
        self.machine.watch(self.NAMES)
        assert self.machine.run() is Ended.IDLE
        with elf.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".symtab")
            self.address = table.get_symbol_by_name("result")[0]["st_value"]

    def run(self, which: int, argument: int = 0) -> dict[str, Counts]:
        """Counts of the watched functions that were called."""
        self.machine.write_ram(self.address, struct.pack("<II", which, argument), "the test")
        self.machine.reset_profile()
        self.machine.set_interrupt_line(0, True)
        self.machine.set_interrupt_line(0, False)
        assert self.machine.run() is Ended.IDLE
        return {name: counts for name, counts in self.machine.profile().watched.items() if counts.calls}


@pytest.fixture
def loops(firmware: Firmware, native: bool) -> Loops:
    return Loops(firmware("loops"), native)


def test_loop_counts_are_exact(loops: Loops) -> None:
    # subs and bne, n times, and bx: 2 n + 1 instructions; 3 cycles a round, one less at the end, bx 3
    for rounds in (1, 2, 7, 1000):
        counts = loops.run(1, rounds)["loop"]
        assert counts == Counts(2 * rounds + 1, 3 * rounds - 1 + 3, 1)


@pytest.mark.parametrize("rounds", [1_000_000, 3_000_000])
def test_long_loops_are_exact(firmware: Firmware, rounds: int) -> None:
    if native_library.load() is None:
        pytest.skip("no compiler for the native counter")
    loops = Loops(firmware("loops"), native=True)
    assert loops.run(1, rounds)["loop"].instructions == 2 * rounds + 1
    assert loops.machine.profile().functions["loop"].instructions == 2 * rounds + 1


def test_skipped_instructions_of_an_it_block_count(loops: Loops) -> None:
    assert loops.run(2, 100)["conditional"].instructions == 6 * 100 + 2
    assert loops.run(2, 101)["conditional"].instructions == 6 * 101 + 2


def test_nested_calls_are_inclusive(loops: Loops) -> None:
    counts = loops.run(3)
    assert counts["outer"].instructions == 6 + (2 * 10 + 1) + (2 * 20 + 1)
    assert counts["loop"].instructions == (2 * 10 + 1) + (2 * 20 + 1)
    assert counts["loop"].calls == 2
    assert loops.machine.profile().functions["outer"].instructions == 6


def test_tail_call_belongs_to_its_caller(loops: Loops) -> None:
    counts = loops.run(4)
    assert counts["tail"].instructions == 2 + 2 * 30 + 1
    assert counts["loop"].instructions == 2 * 30 + 1


def test_recursion_counts_once(loops: Loops) -> None:
    counts = loops.run(5, 10)["recurse"]
    assert (counts.instructions, counts.calls) == (6 * 10 + 3, 11)


def test_branch_out_of_an_it_block(loops: Loops) -> None:
    assert loops.run(6, 100)["leave_by_it"].instructions == 4 * 99 + 3


def test_exclusive_counts_add_up(loops: Loops) -> None:
    loops.run(3)
    profile = loops.machine.profile()
    assert sum(counts.instructions for counts in profile.functions.values()) == profile.instructions
    assert profile.functions["IRQ0_Handler"].instructions == 1


def test_slices_do_not_change_the_count(firmware: Firmware, native: bool) -> None:
    whole, sliced = Loops(firmware("loops"), native), Loops(firmware("loops"), native)
    whole.run(2, 1000)
    sliced.machine.write_ram(sliced.address, struct.pack("<II", 2, 1000), "the test")
    sliced.machine.reset_profile()
    sliced.machine.set_interrupt_line(0, True)
    sliced.machine.set_interrupt_line(0, False)
    slices = 0
    while sliced.machine.run(7) is Ended.BUDGET:
        slices += 1
    assert slices > 500
    assert sliced.machine.profile() == whole.machine.profile()


@pytest.mark.parametrize("name", ["exceptions", "chip"])
def test_both_counters_agree(firmware: Firmware, name: str) -> None:
    if native_library.load() is None:
        pytest.skip("no compiler for the native counter")
    profiles = []
    for native in (True, False):
        machine = Machine(firmware(name), NRF, native=native)
        machine.watch(["main"])
        machine.run(SECOND)
        profiles.append((machine.profile(), machine.now, results(machine)))
    assert profiles[0] == profiles[1]


def test_unknown_function_to_watch(firmware: Firmware) -> None:
    with pytest.raises(TinycError, match="no function called `nothing`"):
        Machine(firmware("loops"), NRF).watch(["nothing"])


# Exceptions.


@pytest.fixture(scope="module")
def after_exceptions(firmware: Firmware) -> tuple[int, ...]:
    machine = Machine(firmware("exceptions"), NRF)
    assert machine.run(SECOND) is Ended.IDLE
    return results(machine)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        pytest.param(1, 5, id="timer0 interrupts five times"),
        pytest.param(4, 0x123, id="a more urgent interrupt preempts"),
        pytest.param(5, 0x4123, id="primask holds back, wfi wakes all the same"),
        pytest.param(6, 0x24123, id="basepri holds back what is less urgent"),
        pytest.param(2, 1, id="sleep on exit"),
        pytest.param(3, 2, id="svc runs"),
        pytest.param(7, 1, id="registers, flags and FPU survive"),
        pytest.param(8, 0x56, id="pendsv after svc"),
        pytest.param(9, 1, id="registers survive on the process stack"),
        pytest.param(10, 2, id="control keeps the process stack"),
        pytest.param(11, 0x56, id="order on the process stack"),
        pytest.param(12, 0, id="back in thread mode"),
        pytest.param(13, 0, id="sev lets wfe through"),
        pytest.param(14, 1, id="wfe sleeps until an interrupt"),
        pytest.param(15, 15, id="systick is exception 15"),
    ],
)
def test_exceptions(after_exceptions: tuple[int, ...], index: int, expected: int) -> None:
    assert after_exceptions[index] == expected


def test_sleep_takes_time_but_no_instructions(firmware: Firmware) -> None:
    machine = Machine(firmware("exceptions"), NRF)
    machine.run(SECOND)
    # 3 and 1 SysTick periods of 1000 cycles, 5 timer periods of 100 us
    assert machine.now > 3 * 1000 + 5 * 100 * 64 + 1000
    assert machine.executed < 5000


# Peripherals.


def test_nrf52840_flash_identity_and_clocks(firmware: Firmware) -> None:
    machine = Machine(firmware("chip"), NRF)
    machine.run(SECOND)
    result = results(machine)
    assert result[0] == 0x7C1A51F0 and result[1] == 0x52840
    assert result[2] == 0xFFFFFFFF  # erased
    assert result[3] == 0xFFFF00FF & 0x12345678  # a second write clears bits only
    assert result[4] == result[3]  # erasing needs to be enabled
    assert result[5] == 0xFFFFFFFF and result[6] == 0x55  # one page only
    assert 3 * 1000 < result[8] < 3 * 1000 + 30  # the cycle counter around 1000 rounds of 3 cycles
    assert result[9] == 1 and result[10] == 32  # the RTC after 32 ticks
    assert machine.now > 32 * SECOND // 32768


def test_no_match_is_lost_while_other_channels_are_written(firmware: Firmware) -> None:
    machine = Machine(firmware("timer"), NRF)
    machine.run(SECOND)
    assert results(machine)[0] == 64


@pytest.mark.parametrize("name", ["nano33ble", "xiao_nrf52840"])
def test_vector_table_behind_a_bootloader(firmware: Firmware, name: str) -> None:
    board = load_board(name)
    machine = Machine(firmware("chip", board), board)
    machine.run(SECOND)
    assert results(machine)[11] == board.memory.application_offset > 0
    assert results(machine)[12] == 1  # the exception came through this table


ECHOES = [
    ("nrf52840", "NRF_UART"),
    ("nrf52840", "NRF_INTERRUPT"),
    ("nrf52840", "NRF_DMA"),
    ("microbit", "NRF_UART"),
    ("mps2_an386", "CMSDK"),
    ("netduinoplus2", "STM32"),
    ("netduinoplus2", "STM32_INTERRUPT"),
]
SENT = b"HAL8, world!"
ANSWERED = bytes(byte + 1 for byte in SENT)


@pytest.mark.parametrize(("name", "define"), ECHOES)
def test_serial_echo(firmware: Firmware, name: str, define: str) -> None:
    board = load_board(name)
    machine = Machine(firmware("echo", board, define), board)
    line = machine.transport
    assert line.read(1, 1.0) == b""  # nothing asked, nothing answered
    line.write(SENT[:8])
    assert line.read(8, 1.0) == ANSWERED[:8]
    line.write(SENT[8:])
    assert line.read(100, 1.0) == ANSWERED[8:]
    if define.endswith("INTERRUPT"):
        assert results(machine)[0] > 0


def test_many_bytes_at_once_are_not_lost(firmware: Firmware) -> None:
    machine = Machine(firmware("echo", NRF, "NRF_INTERRUPT"), NRF)
    sent = bytes(i % 256 for i in range(40))
    machine.transport.write(sent)
    assert machine.transport.read(40, 1.0) == bytes((byte + 1) % 256 for byte in sent)


def test_dma_reaches_ram_only(firmware: Firmware) -> None:
    machine = Machine(firmware("echo", NRF, "NRF_DMA", "FROM_FLASH"), NRF)
    machine.transport.write(b"abcd")
    with pytest.raises(EmulatedFault, match="EasyDMA cannot read 4 bytes there") as caught:
        machine.transport.read(4, 1.0)
    assert caught.value.symbol.startswith("main")


def test_pseudo_terminal_echo(firmware: Firmware) -> None:
    serial = pytest.importorskip("serial")
    with Machine(firmware("echo", NRF, "NRF_INTERRUPT"), NRF) as machine:
        path = machine.serve_pty()
        assert machine.serve_pty() == path
        for _ in range(2):  # a program may close and open again
            with serial.Serial(path, 115200, timeout=20) as port:
                port.write(SENT)
                assert port.read(len(SENT)) == ANSWERED


# Faults.


@pytest.mark.parametrize(
    ("define", "message", "address"),
    [
        ("READ_NOWHERE", "read of memory that is not there: 0x30000000", 0x30000000),
        ("WRITE_NOWHERE", "write to memory that is not there: 0x60000004", 0x60000004),
        ("WRITE_FLASH", "write to flash while writing is off: 0x00000100", 0x100),
        ("UNDEFINED", "undefined instruction", None),
        ("UNDEFINED_AFTER_WFE", "undefined instruction", None),
        ("BREAKPOINT", "breakpoint 3", None),
        ("ARM_STATE", "jump to an even address", 0x80),
        ("JUMP_NOWHERE", "jump to memory that is not there: 0x70000000", 0x70000000),
        ("NO_FPU", "FPU instruction while the FPU is off", None),
        ("MISALIGNED", "no multiple of 4: 0x20001002", 0x20001002),
        ("MISALIGNED_STORE", "no multiple of 4: 0x20001001", 0x20001001),
        ("MISALIGNED_FLOAT", "no multiple of 4: 0x20001003", 0x20001003),
        ("LOST_STACK", "exception 11 cannot be stacked", 0x10),
    ],
)
def test_faults_say_where(firmware: Firmware, define: str, message: str, address: int | None) -> None:
    machine = Machine(firmware("faults", NRF, define), NRF)
    with pytest.raises(EmulatedFault, match=message) as caught:
        machine.run(SECOND)
    fault = caught.value
    function = machine.image.function("culprit")
    assert fault.symbol.startswith("culprit")
    assert function.address <= fault.pc < function.address + function.size
    assert fault.address == address
    assert fault.registers["sp"] and f"{fault.registers['sp']:08x}" in str(fault)
    assert results(machine)[2] == 0


def test_unhandled_exception_names_its_number(firmware: Firmware) -> None:
    machine = Machine(firmware("faults", NRF, "NO_HANDLER"), NRF)
    with pytest.raises(EmulatedFault, match="while handling exception 14") as caught:
        machine.run(SECOND)
    assert caught.value.symbol == "Default_Handler"


def test_reset_request_starts_again(firmware: Firmware) -> None:
    machine = Machine(firmware("faults", NRF, "RESET"), NRF)
    assert machine.run(SECOND) is Ended.IDLE
    assert results(machine)[1:3] == (1, 77)


def test_flash_takes_no_writes_unless_enabled(firmware: Firmware) -> None:
    with pytest.raises(EmulatedFault, match="write to flash while writing is off: 0x000f0000"):
        Machine(firmware("chip", NRF, "UNLOCKED_WRITE"), NRF).run(SECOND)


def test_stack_use_is_measured(firmware: Firmware) -> None:
    machine = Machine(firmware("stack"), NRF)
    assert machine.stack_used() == 0
    machine.run()
    assert results(machine)[0] != 0  # RAM that nobody wrote is not zero
    shallow = machine.stack_used()
    assert shallow < 64
    machine.set_interrupt_line(0, True)
    machine.set_interrupt_line(0, False)
    machine.run()
    # deep() runs with main's frame on the stack; the interrupt's frame is 32 bytes
    assert 400 <= machine.stack_used() <= 400 + shallow + 32


# Mistakes of the user.


def test_image_of_another_board(firmware: Firmware) -> None:
    with pytest.raises(TinycError, match="does not fit this board"):
        Machine(firmware("echo", NRF, "NRF_UART"), load_board("nano33ble"))


@pytest.fixture
def broken_images(tmp_path: Path) -> Iterator[Path]:
    for content in (b"", b"\x7fELF" + bytes(10), b"not an image at all"):
        path = tmp_path / f"{len(content)}.elf"
        path.write_bytes(content)
    yield tmp_path


def test_broken_image(broken_images: Path) -> None:
    for path in (*sorted(broken_images.iterdir()), broken_images / "missing.elf"):
        with pytest.raises(TinycError, match="cannot read the image"):
            Machine(path, NRF)


def test_board_without_a_chip(firmware: Firmware) -> None:
    make = partial(Machine, firmware("loops"), load_board("host"))
    with pytest.raises(TinycError, match="no emulated chip"):
        make()


def test_board_with_a_core_that_is_not_emulated(firmware: Firmware) -> None:
    with pytest.raises(TinycError, match="no emulated core for `cortex-m55`"):
        Machine(firmware("loops"), replace(NRF, core="cortex-m55"))
