"""The emulated flash, resets and power cuts, and a program whose records survive every cut."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from support.small_firmware import NRF, Firmware, build
from tinyc.boards import Board, load_board
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.chips.nordic_flash import PAGE, TIMES
from tinyc.emulator.flash import Cut, FlashImage, Kind, Mode
from tinyc.emulator.image import flash_content, read_image
from tinyc.emulator.machine import Ended
from tinyc.emulator.peripheral import Reset
from tinyc.emulator.power import History, Recorder
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated

SECOND = NRF.clock_hz
STRICT = FlashRules(strict=True)
ERASED = 0xFFFFFFFF
FREE = 0xF0000  # a page that no firmware of these tests lies in


# Scripts: single accesses of the emulated core, one after the other.

STEPS = 0x20010000
DONE, STORE, STORE_BYTE, LOAD = 1, 2, 3, 4
Step = tuple[int, int, int]
CONFIG = 0x4001E504
WRITING, ERASING, READING = ((STORE, CONFIG, mode) for mode in (1, 2, 0))
SYSTEM_RESET: Step = (STORE, 0xE000ED0C, 0x05FA0004)
ERASE_PAGE, ERASE_ALL, ERASE_UICR, ERASE_PART = (0x4001E500 + at for at in (8, 0xC, 0x14, 0x18))
UICR = 0x10001080
RESETREAS, GPREGRET, GPREGRET2 = 0x40000400, 0x4000051C, 0x40000520


def store(address: int, value: int) -> Step:
    return (STORE, address, value)


def load(address: int) -> Step:
    return (LOAD, address, 0)


def write(address: int, value: int) -> tuple[Step, ...]:
    return (WRITING, store(address, value), READING)


def erase(address: int, register: int = ERASE_PAGE) -> tuple[Step, ...]:
    return (ERASING, store(register, address), READING)


def protect(region: int, address: int, size: int, permission: int = 2) -> tuple[Step, ...]:
    registers = 0x4001E800 + 16 * region
    return tuple(store(registers + 4 * i, value) for i, value in enumerate((address, size, permission)))


def perform(machine: Machine, *steps: Step) -> list[int]:
    """Run the steps from reset; what each LOAD found, in order."""
    packed = b"".join(struct.pack("<3I", *step) for step in (*steps, (0, 0, 0)))
    machine.write_ram(STEPS, packed, "the test")
    if machine.executed:
        machine.reset(Reset.PIN)
    assert machine.run(100 * SECOND) is Ended.IDLE
    values = struct.iter_unpack("<3I", machine.read_memory(STEPS, 12 * len(steps)))
    return [value for (_, _, value), step in zip(values, steps, strict=True) if step[0] == LOAD]


@pytest.fixture
def script(firmware: Firmware) -> Machine:
    return Machine(firmware("script"), NRF)


@pytest.fixture
def strict_script(firmware: Firmware) -> Machine:
    return Machine(firmware("script"), NRF, flash_rules=STRICT)


def result(machine: Machine, elf: Path, index: int) -> int:
    return int.from_bytes(machine.read_memory(address_of_result(elf) + 4 * index, 4), "little")


@cache
def address_of_result(elf: Path) -> int:
    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        return int(table.get_symbol_by_name("result")[0]["st_value"])


# Starting from the content of the flash.


def test_flash_content_runs_like_its_elf(firmware: Firmware) -> None:
    elf = firmware("chip")
    content = flash_content([read_image(elf)], NRF.memory)
    from_elf, from_flash = Machine(elf, NRF), Machine(content, NRF, symbols=[elf])
    assert from_flash.flash() == content == from_elf.flash()
    for machine in (from_elf, from_flash):
        machine.watch(["main"])
        machine.run(SECOND)
    assert from_flash.profile() == from_elf.profile()
    assert from_flash.now == from_elf.now
    assert from_flash.flash() == from_elf.flash() != content
    assert Machine(from_flash.flash(), NRF).flash() == from_flash.flash()


def test_flash_content_is_written_like_an_elf(firmware: Firmware) -> None:
    machine = Machine(flash_content([read_image(firmware("script"))], NRF.memory), NRF)
    steps = (*write(FREE, 0xFFFF00FF), *write(FREE, 0x12345678), load(FREE))
    assert perform(machine, *steps) == [0x12340078]


def test_flash_content_boots_at_its_first_word(tmp_path: Path, firmware: Firmware) -> None:
    """The board's application offset says where applications lie, not where the chip starts."""
    board = load_board("xiao_nrf52840")
    application = build("chip", board, tmp_path)
    content = flash_content([read_image(application)], board.memory)
    with pytest.raises(EmulatedFault, match="jump to memory that cannot be executed: 0xfffffffe"):
        Machine(content, board, symbols=[application]).run(SECOND)


def test_bootloader_and_application_both_have_names(tmp_path: Path, firmware: Firmware) -> None:
    bootloader = firmware("jump")
    board: Board = replace(NRF, memory=replace(NRF.memory, application_offset=0x8000))
    application = build("chip", board, tmp_path)
    content = flash_content([read_image(bootloader), read_image(application)], NRF.memory)
    machine = Machine(content, NRF, symbols=[bootloader, application])
    machine.watch(["jump", "IRQ17_Handler"])
    machine.run(SECOND)
    assert result(machine, application, 11) == 0x8000  # VTOR
    watched = machine.profile().watched
    assert watched["jump"].calls == watched["IRQ17_Handler"].calls == 1


def test_access_to_several_words_is_still_checked(firmware: Firmware) -> None:
    elf = firmware("faults", "MISALIGNED")
    machine = Machine(flash_content([read_image(elf)], NRF.memory), NRF, symbols=[elf])
    with pytest.raises(EmulatedFault, match="no multiple of 4"):
        machine.run(SECOND)


def test_blank_flash_does_not_run() -> None:
    machine = Machine(b"", NRF)
    assert machine.flash() == b"\xff" * NRF.memory.flash
    with pytest.raises(EmulatedFault, match="jump to memory that cannot be executed: 0xfffffffe"):
        machine.run(SECOND)


def test_too_much_content() -> None:
    with pytest.raises(TinycError, match="more than the flash of this board"):
        Machine(bytes(NRF.memory.flash + 1), NRF)


# Resets.

REASONS = (load(RESETREAS), load(GPREGRET), load(GPREGRET2))
RETAIN = (store(GPREGRET, 0x1B1), store(GPREGRET2, 0x57))
KEPT = 0x20020000


def test_software_reset_keeps_ram_and_retained_registers(script: Machine) -> None:
    assert perform(script, *REASONS) == [0, 0, 0]
    steps = (store(KEPT, 0x1234), *RETAIN, SYSTEM_RESET, *REASONS, load(KEPT))
    assert perform(script, *steps)[:3] == [5, 0xB1, 0x57]  # `perform` itself used the pin
    assert script.read_memory(KEPT, 4) == struct.pack("<I", 0x1234)


def test_pin_reset_keeps_ram_only(script: Machine) -> None:
    perform(script, *RETAIN, store(KEPT, 0x1234))
    assert perform(script, *REASONS, load(KEPT)) == [1, 0, 0, 0x1234]


def test_reset_reasons_add_up_and_are_cleared_by_ones(script: Machine) -> None:
    assert perform(script, SYSTEM_RESET, load(RESETREAS)) == [4]
    steps = (load(RESETREAS), store(RESETREAS, 4), load(RESETREAS), store(RESETREAS, ERASED))
    assert perform(script, *steps, load(RESETREAS)) == [5, 1, 0]


def test_power_cycle_keeps_flash_only(firmware: Firmware) -> None:
    noise = []
    for _ in range(2):
        machine = Machine(firmware("script"), NRF)
        perform(machine, *RETAIN, store(KEPT, 0x1234), *write(FREE, 7), *write(UICR, 8))
        flash, contents = machine.flash(), []
        for _ in range(2):
            machine.power_cycle()
            contents.append(machine.read_memory(NRF.memory.ram_origin, NRF.memory.ram))
            assert machine.stack_used() == 0
        machine.write_ram(STEPS, bytes(12), "the test")
        machine.run()
        assert 0 < machine.stack_used() < 64
        assert machine.flash() == flash
        machine.power_cycle()
        steps = (*REASONS, load(FREE), load(UICR))
        machine.write_ram(STEPS, b"".join(struct.pack("<3I", *s) for s in (*steps, (0, 0, 0))), "the test")
        assert machine.run() is Ended.IDLE
        found = [value for _, _, value in struct.iter_unpack("<3I", machine.read_memory(STEPS, 60))]
        assert found == [0, 0, 0, 7, 8]
        assert contents[0] != contents[1]
        noise.append(contents)
    assert noise[0] == noise[1]


# The flash controller.


def test_writes_clear_bits_and_erases_set_them(script: Machine) -> None:
    steps = (*write(FREE, 0xFFFF00FF), *write(FREE, 0x12345678), load(FREE), *erase(FREE + 20), load(FREE))
    assert perform(script, *steps) == [0x12340078, ERASED]
    assert perform(script, load(0x4001E400), load(0x4001E408)) == [1, 1]


def test_a_word_takes_two_writes(firmware: Firmware, strict_script: Machine) -> None:
    twice = (*write(FREE, 0xFFFFFF00), *write(FREE, 0xFFFF0000))
    assert perform(strict_script, *twice, *erase(FREE), *twice, load(FREE)) == [0xFFFF0000]
    what = "write number 3 of a word since its erase: 0x000f0000"
    with pytest.raises(EmulatedFault, match=what):
        perform(strict_script, *write(FREE, 0))
    lenient = Machine(firmware("script"), NRF)
    assert perform(lenient, *twice, *write(FREE, 0), load(FREE)) == [0]


def test_writes_are_counted_across_power_cuts(firmware: Firmware, strict_script: Machine) -> None:
    perform(strict_script, *write(FREE, ERASED), *write(FREE, ERASED))
    image = strict_script.flash_array.image()
    for machine in (strict_script, Machine(image, NRF, flash_rules=STRICT)):
        machine.power_cycle()
        with pytest.raises(EmulatedFault, match="write number 3"):
            perform(machine, *write(FREE, ERASED))
    unknown = Machine(image.content, NRF, flash_rules=STRICT)  # an erased word counts as not written
    assert perform(unknown, *write(FREE, 1), load(FREE)) == [1]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param([store(FREE, 1)], "write to flash while writing is off: 0x000f0000", id="write"),
        pytest.param([store(UICR, 1)], "write to flash while writing is off: 0x10001080", id="uicr"),
        pytest.param([WRITING, (STORE_BYTE, FREE, 1)], "write of 1 bytes to flash", id="byte"),
        pytest.param([WRITING, store(FREE + 2, 1)], "write of . bytes to flash", id="misaligned"),
        pytest.param([WRITING, store(ERASE_PAGE, FREE)], "erase of flash while erasing is off", id="erase"),
        pytest.param([*erase(0x100000)], "erase of a page outside flash: 0x00100000", id="outside"),
    ],
)
def test_refused_operations(strict_script: Machine, steps: Sequence[Step], message: str) -> None:
    with pytest.raises(EmulatedFault, match=message):
        perform(strict_script, *steps)


def test_erase_of_everything_and_of_uicr(script: Machine) -> None:
    perform(script, *write(UICR, 1), *erase(1, ERASE_UICR), load(UICR))
    assert perform(script, load(UICR), *write(UICR, 6), *write(UICR, 3), load(UICR)) == [ERASED, 2]
    script.write_ram(STEPS, b"".join(struct.pack("<3I", *s) for s in erase(1, ERASE_ALL)), "the test")
    script.reset()
    with pytest.raises(EmulatedFault):  # the firmware has erased itself
        script.run(SECOND)
    assert script.flash() == b"\xff" * NRF.memory.flash


def test_partial_erases_add_up(script: Machine) -> None:
    parts = tuple(step for _ in range(8) for step in erase(FREE, ERASE_PART))  # of 10 ms
    assert perform(script, *write(FREE, 5), *parts, load(FREE)) == [5]
    assert perform(script, *erase(FREE, ERASE_PART), load(FREE)) == [ERASED]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(write(FREE + PAGE + 4, 1), id="write"),
        pytest.param(erase(FREE), id="erase"),
        pytest.param(erase(FREE, ERASE_PART), id="partial erase"),
        pytest.param(erase(1, ERASE_ALL), id="erase all"),
    ],
)
def test_protected_flash_refuses(script: Machine, steps: tuple[Step, ...]) -> None:
    locked = protect(7, FREE, 2 * PAGE)
    opened = protect(7, FREE, 0, 0)  # the registers take one write
    before = script.flash()
    with pytest.raises(EmulatedFault, match="BusFault: write or erase of flash that ACL region 7 protects"):
        perform(script, *locked, *opened, *steps)
    assert script.flash() == before


def test_protection_ends_at_its_bounds_and_with_a_reset(script: Machine) -> None:
    steps = (*protect(0, FREE, PAGE), *write(FREE - 4, 1), *erase(FREE - PAGE), *write(FREE + PAGE, 2))
    assert perform(script, *steps, SYSTEM_RESET, *write(FREE, 3), load(FREE)) == [3]
    unaligned = protect(0, FREE + 4, PAGE)  # not enforced: no start of a page
    readable = protect(1, FREE, PAGE, 4)  # reading is not modelled as forbidden
    assert perform(script, *unaligned, *readable, *write(FREE, 1), load(FREE)) == [1]


@pytest.mark.parametrize(
    ("steps", "microseconds"),
    [
        (write(FREE, 1), TIMES.write),
        (erase(FREE), TIMES.erase_page),
        (erase(FREE, ERASE_PART), 10_000),
        (erase(1, ERASE_UICR), TIMES.erase_page),
        (write(UICR, 1), TIMES.write),
        (write(FREE, 1) * 3 + erase(FREE) * 2, 3 * TIMES.write + 2 * TIMES.erase_page),
    ],
)
def test_operations_take_their_time(firmware: Firmware, steps: tuple[Step, ...], microseconds: int) -> None:
    counter = (store(0xE000EDFC, 1 << 24), store(0xE0001000, 1), load(0xE0001004))
    times, counts = [], []
    for timed in (False, True):
        machine = Machine(firmware("script"), NRF, flash_rules=FlashRules(timed=timed))
        before, after = perform(machine, *counter, *steps, load(0xE0001004))
        times.append(machine.now)
        counts.append(after - before)
    assert times[1] - times[0] == counts[1] - counts[0] == microseconds * SECOND // 1_000_000


# Power cuts.


@pytest.fixture(scope="module")
def records(firmware: Firmware) -> Callable[..., tuple[Path, FlashImage]]:
    """The ELF of records.c and a flash with it."""

    @cache
    def make(*defines: str) -> tuple[Path, FlashImage]:
        elf = firmware("records", *defines)
        return elf, FlashImage(flash_content([read_image(elf)], NRF.memory))

    return make


def count_up(machine: Machine, rounds: int) -> Ended:
    machine.write_ram(0x20010000, rounds.to_bytes(4, "little"), "the test")
    return machine.run(SECOND)


def recorded(image: FlashImage, rounds: int) -> tuple[History, FlashImage]:
    machine = Machine(image, NRF, flash_rules=STRICT)
    recorder = Recorder(machine.flash_array)
    assert count_up(machine, rounds) is Ended.IDLE
    return recorder.history(), machine.flash_array.image()


ROUNDS, A_ROUND = 4, 5  # operations


def test_replayed_flash_equals_emulated_flash(records: Callable[..., tuple[Path, FlashImage]]) -> None:
    history, end = recorded(records()[1], ROUNDS)
    assert [str(operation) for operation in history.operations[5:7]] == [
        "operation 5, erase of 4096 bytes at 0x000f1000",
        "operation 6, write of 0x00000002 at 0x000f1000",
    ]
    assert len(history.operations) == ROUNDS * A_ROUND
    assert history.end() == end
    cuts = list(history.cuts(seeds=(0, 1), unstable=True))
    assert len(cuts) == ROUNDS * (4 * 4 + 6)
    other = Machine(b"", NRF)
    for cut, expected in cuts[::3]:
        machine = Machine(history.start, NRF)
        machine.cut_power(cut)
        assert count_up(machine, ROUNDS) is Ended.POWER_LOST
        assert machine.run(SECOND) is Ended.POWER_LOST  # nothing runs without power
        assert machine.flash_array.image() == expected == history.image(cut), cut
        machine.power_cycle()
        count_up(machine, 1)
        fresh = Machine(expected, NRF, boot=1)
        count_up(fresh, 1)
        other.power_cycle(expected, boot=1)
        count_up(other, 1)
        assert machine.flash() == fresh.flash() == other.flash()


def test_modes_leave_what_they_say(records: Callable[..., tuple[Path, FlashImage]]) -> None:
    history, _ = recorded(records()[1], 3)
    erase_of_a_record = history.operations[10]
    assert (erase_of_a_record.kind, erase_of_a_record.address) == (Kind.ERASE, FREE)

    def left(mode: Mode, number: int = 10, seed: int = 0) -> bytes:
        return history.image(Cut(number, mode, seed)).content[FREE : FREE + PAGE]

    before, after, torn = left(Mode.BEFORE), left(Mode.AFTER), left(Mode.TORN)
    assert before == left(Mode.AFTER, 9) and after == b"\xff" * PAGE
    assert left(Mode.FIRST_HALF) == after  # the record lies in the first half
    assert left(Mode.SECOND_HALF) == before
    assert before != torn != after
    assert all(old & new == old for old, new in zip(before, torn, strict=True))
    assert torn != left(Mode.TORN, seed=1)
    old, new, half = (left(mode, 13)[8:12] for mode in (Mode.BEFORE, Mode.AFTER, Mode.TORN))
    assert old == b"\xff" * 4 and old != half != new
    assert all(h & n == n for h, n in zip(half, new, strict=True))


def test_torn_words_read_differently_until_written_again(
    firmware: Firmware, records: Callable[..., tuple[Path, FlashImage]]
) -> None:
    history, _ = recorded(records()[1], 1)
    cut = Cut(3, Mode.TORN, unstable=True)
    image = history.image(cut)
    ((address, bits),) = image.unstable
    value = history.operations[3].value
    machines = [Machine(image, NRF, boot=boot) for boot in range(8)]
    readings = {machine.read_memory(address, 4) for machine in machines}
    assert len(readings) > 1
    assert all(int.from_bytes(reading, "little") & value == value for reading in readings)
    again = Machine(image, NRF, boot=3)
    assert again.flash() == machines[3].flash()
    again.power_cycle()
    assert again.flash() == machines[4].flash()
    again.reset()
    assert again.flash() == machines[5].flash()
    again.flash_array.write(address, value)  # programmed for good
    assert not again.flash_array.image().unstable
    again.power_cycle()
    assert again.read_memory(address, 4) == value.to_bytes(4, "little")
    lowest = bits & -bits
    machines[0].flash_array.write(address, value | lowest)  # that cell is not programmed
    assert machines[0].flash_array.image().unstable == ((address, lowest),)
    machines[1].flash_array.erase(FREE, PAGE)
    assert not machines[1].flash_array.image().unstable


def test_settling_is_part_of_the_history(records: Callable[..., tuple[Path, FlashImage]]) -> None:
    history, _ = recorded(records("NO_SETTLE")[1], 1)
    machine = Machine(history.image(Cut(3, Mode.TORN, unstable=True)), NRF)
    recorder = Recorder(machine.flash_array)
    machine.reset()
    count_up(machine, 1)
    again = recorder.history()
    assert [operation.kind for operation in again.operations[:2]] == [Kind.SETTLE, Kind.ERASE]
    assert again.end() == machine.flash_array.image()
    assert {cut.number for cut, _ in again.cuts()} == {op.number for op in again.operations[1:]}


# A sweep: the program counts up; after every cut it must know the last count or the next.


def failures(elf: Path, start: FlashImage, *, unstable: bool, seeds: int = 3) -> Iterator[str]:
    history, _ = recorded(start, ROUNDS)
    modes = (Mode.AFTER, Mode.TORN, Mode.FIRST_HALF, Mode.SECOND_HALF)
    machine = Machine(start, NRF, flash_rules=STRICT)
    for cut, image in history.cuts(modes, seeds=range(seeds), unstable=unstable):
        counted = cut.number // A_ROUND
        machine.power_cycle(image, boot=cut.number)
        found = []
        for rounds in (0, 0, 2, 0):  # two boots that only look
            ended = count_up(machine, rounds)
            assert ended is Ended.IDLE and result(machine, elf, 2) == 1
            found.append(result(machine, elf, 0))
            machine.power_cycle()
        if found[0] not in (counted, counted + 1) or found != [found[0]] * 3 + [found[0] + 2]:
            yield f"{cut}: {found} after {counted}"


@pytest.mark.parametrize("unstable", [False, True], ids=["stable", "unstable"])
def test_records_survive_every_cut(records: Callable[..., tuple[Path, FlashImage]], unstable: bool) -> None:
    assert list(failures(*records(), unstable=unstable)) == []


@pytest.mark.parametrize("mistake", ["IN_PLACE", "NO_CHECK"])
def test_sweep_finds_a_wrong_program(records: Callable[..., tuple[Path, FlashImage]], mistake: str) -> None:
    assert next(failures(*records(mistake), unstable=False), None) is not None


def test_sweep_finds_trust_in_a_torn_word(records: Callable[..., tuple[Path, FlashImage]]) -> None:
    assert list(failures(*records("NO_SETTLE"), unstable=False, seeds=1)) == []
    assert next(failures(*records("NO_SETTLE"), unstable=True, seeds=6), None) is not None
