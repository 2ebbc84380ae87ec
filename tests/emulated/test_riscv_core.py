"""The emulated RISC-V core and the start of an ESP32-C3, by programs of a few words; exact counts."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.classifiers import small_classifier
from tinyc import interpreter
from tinyc.boards import Board, load_board
from tinyc.device.client import DeviceClient
from tinyc.emit.project import render
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.image import flash_content, read_image
from tinyc.pipeline import compile_graph
from tinyc.toolchain import build
from tinyc.toolchain.elf import read_elf

pytestmark = pytest.mark.emulated

BOARD = load_board("esp32c3")
GRAPH = small_classifier(np.random.default_rng(2), "words")
MARKS = struct.pack("<2I", 0xAEDB041D, 0xAEDB041D)
NATIVE = [True, False]

A0, A1, A2, ZERO = 10, 11, 12, 0
MSTATUS, MTVEC, MIE, MCYCLE = 0x300, 0x305, 0x304, 0xB00
MPCER, MPCMR, MPCCR = 0x7E0, 0x7E1, 0x7E2
EBREAK, ECALL, FOREVER = 0x00100073, 0x00000073, 0x0000006F


def lui(target: int, upper: int) -> int:
    return upper << 12 | target << 7 | 0x37


def addi(target: int, source: int, value: int) -> int:
    return (value & 0xFFF) << 20 | source << 15 | target << 7 | 0x13


def load(target: int, base: int, kind: int) -> int:
    return base << 15 | kind << 12 | target << 7 | 0x03


def csr(number: int, kind: int, source: int, target: int = ZERO) -> int:
    return number << 20 | source << 15 | kind << 12 | target << 7 | 0x73


def jump_to(base: int) -> int:
    return base << 15 | 0x67


def bnez(source: int, offset: int) -> int:
    low = (offset >> 1 & 0xF) << 8 | (offset >> 11 & 1) << 7
    return (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3F) << 25 | source << 15 | 1 << 12 | low | 0x63


def machine(*words: int, native: bool = True) -> Machine:
    return Machine(MARKS + struct.pack(f"<{len(words)}I", *words), BOARD, native=native)


def at_the_end(*words: int, native: bool = True) -> dict[str, int]:
    """The registers when a program comes to its breakpoint."""
    with pytest.raises(EmulatedFault, match="breakpoint") as caught:
        machine(*words, EBREAK, native=native).run(100_000)
    return dict(caught.value.registers)


@pytest.mark.parametrize("native", NATIVE)
def test_instructions_are_counted_exactly(native: bool) -> None:
    chip = machine(addi(A0, ZERO, 1000), addi(A0, A0, -1), bnez(A0, -4), FOREVER, native=native)
    with chip:
        chip.run(2001)
        assert chip.instructions == 2001
        chip.run(10)
        assert chip.instructions == 2011


@pytest.mark.parametrize("native", NATIVE)
def test_performance_counter(native: bool) -> None:
    """It counts cycles once it is told to, and those of the instruction that reads it."""
    loop = (addi(A2, ZERO, 50), addi(A2, A2, -1), bnez(A2, -4))
    on = (csr(MPCER, 5, 1), csr(MPCMR, 5, 1), csr(MPCCR, 5, 7))
    found = at_the_end(*on, *loop, csr(MPCCR, 2, ZERO, A0), native=native)
    assert found["x10"] == 7 + 1 + 100 + 1
    found = at_the_end(*on, csr(MPCMR, 7, 1), *loop, csr(MPCCR, 2, ZERO, A0), native=native)
    assert found["x10"] == 7 + 1
    assert at_the_end(*loop, csr(MPCCR, 2, ZERO, A0), native=native)["x10"] == 0


def test_forms_of_access_to_a_control_register() -> None:
    found = at_the_end(
        addi(A0, ZERO, 0x0F0),
        csr(MPCER, 1, A0),  # write
        addi(A0, ZERO, 0x00C),
        csr(MPCER, 2, A0, A1),  # set: reads what was there
        csr(MPCER, 7, 0x18, A2),  # clear by an immediate
        csr(MPCER, 3, ZERO, A0),  # nothing to clear
    )
    assert (found["x11"], found["x12"], found["x10"]) == (0x0F0, 0x0FC, 0x0E4)


REFUSED = {
    "register mie": ((csr(MIE, 5, 0),), "no control register 0x304"),
    "register mcycle": ((csr(MCYCLE, 2, ZERO, A0),), "no control register 0xb00"),
    "atomic instruction": ((0x00B5262F,), "no atomic ones"),
    "zeros": ((0,), "trap with cause 2|illegal instruction"),
    "environment call": ((ECALL,), "environment call"),
    "interrupts": ((csr(MSTATUS, 6, 8), FOREVER), "interrupts are on"),
    "vectors": (
        (addi(A0, ZERO, 0x80), csr(MTVEC, 1, A0), FOREVER),
        "mtvec is no multiple of 256",
    ),
    "byte by the instruction bus": ((lui(A0, 0x42001), load(A1, A0, 4)), "cannot be read: 0x42001000"),
    "store to flash": (
        (lui(A0, 0x3C000), A0 << 15 | 2 << 12 | 0x23),
        "read-only memory: 0x3c000000",
    ),
    "code in RAM": ((lui(A0, 0x3FC80), jump_to(A0)), "cannot be executed: 0x3fc80000"),
    "code by the data bus": ((lui(A0, 0x3C000), jump_to(A0)), "cannot be executed: 0x3c000000"),
    "nothing there": ((lui(A0, 0x60010), load(A1, A0, 2)), "not there: 0x60010000"),
    "PLL": ((lui(A0, 0x600C0), addi(A1, ZERO, 0x400), 0x04B52C23), "switched to the PLL"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_core_refuses(what: str) -> None:
    words, fault = REFUSED[what]
    with pytest.raises(EmulatedFault, match=fault) as caught:
        machine(*words).run(1000)
    assert 0x42000008 <= caught.value.pc <= 0x42000008 + 4 * len(words) or "executed" in fault


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (b"", "not the marks of a direct boot"),
        (MARKS[:4], "not the marks of a direct boot"),
        (MARKS[:7] + b"\xaf", "not the marks of a direct boot"),
        (b"\xe9\x03\x02\x20" + MARKS, "Espressif's format"),
    ],
)
def test_flash_that_the_rom_does_not_start(start: bytes, fault: str) -> None:
    with pytest.raises(EmulatedFault, match=fault):
        Machine(start, BOARD)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Board, str], Path]:
    folder = tmp_path_factory.mktemp("words")

    def of(board: Board, name: str) -> Path:
        return build(render(compile_graph(GRAPH, board, name="words")), folder / name).elf

    return of


def test_firmware_from_its_first_byte_on(model: Callable[[Board, str], Path]) -> None:
    """The flash alone; the model's bits, the chip's own cycles and the counted ones, stack, restart."""
    elf, inputs = model(BOARD, "whole"), random_inputs(np.random.default_rng(1), GRAPH)
    sent = b"".join(array.tobytes() for array in inputs)
    expected = b"".join(array.tobytes() for array in interpreter.run(GRAPH, inputs))
    with Machine(flash_content([read_image(elf)], BOARD.memory), BOARD, symbols=[elf]) as chip:
        client = DeviceClient(chip.transport)
        for _ in range(2):
            assert client.run(sent) == expected
            client.reset()
            client.wait_back()
        client.set_inputs(sent)
        chip.watch(["words_invoke"])
        chip.reset_profile()
        told, counted = client.invoke(), chip.profile().watched["words_invoke"]
        assert 0 <= told - counted.cycles_estimated < 100
        assert counted.cycles_estimated == counted.instructions > GRAPH.macs()
        assert 0 < chip.stack_used() < BOARD.memory.stack


def test_constants_are_linked_where_the_data_bus_has_them(model: Callable[[Board, str], Path]) -> None:
    """Firmware that reads them where its code is does not get far."""
    image, memory = read_elf(model(BOARD, "constants")), BOARD.memory
    weights = [symbol for symbol in image.symbols if symbol.section == ".rodata" and symbol.size]
    assert weights and all(symbol.address in memory.constants for symbol in weights)
    plain = replace(BOARD, memory=replace(memory, constants_origin=None))
    with pytest.raises(EmulatedFault, match="cannot be read: 0x4200"):
        DeviceClient(Machine(model(plain, "plain"), BOARD).transport).hello()
