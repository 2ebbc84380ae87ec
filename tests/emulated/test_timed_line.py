"""Serial bytes that take their time, overruns, and damaged links."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from support.small_firmware import NRF, Firmware
from tinyc.boards import load_board
from tinyc.emulator import Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.machine import Ended
from tinyc.emulator.timed_line import FaultyLink, LinkFaults
from tinyc.errors import TinycError

pytestmark = pytest.mark.emulated

SECOND = NRF.clock_hz
BYTE = SECOND * 10 / 115_200
STEPS, STORE, LOAD = 0x20010000, 2, 4
UART = 0x40002000
BUFFER = 0x20020000
ERASE = ((STORE, 0x4001E504, 2), (STORE, 0x4001E508, 0xF0000))
SENT = bytes(range(1, 21))


@pytest.fixture(scope="module")
def machine(firmware: Firmware) -> Callable[..., Machine]:
    """`machine(name, *defines)` runs that firmware with timed flash, and on a timed line unless told."""
    rules = FlashRules(timed=True)

    def made(name: str, *defines: str, timed: bool = True) -> Machine:
        return Machine(firmware(name, *defines), NRF, flash_rules=rules, timed_line=timed)

    return made


@pytest.mark.parametrize("define", ["NRF_UART", "NRF_INTERRUPT", "NRF_DMA"])
def test_bytes_take_their_time(machine: Callable[..., Machine], define: str) -> None:
    echo = machine("echo", define)
    assert echo.transport.read(1, 0.01) == b""
    start = echo.now
    echo.transport.write(SENT[:4])
    assert echo.transport.read(4, 1.0) == bytes(byte + 1 for byte in SENT[:4])
    # The bytes are answered one by one, or all four together.
    bytes_long = 8 if define == "NRF_DMA" else 5
    assert bytes_long * BYTE * 0.99 < echo.now - start < bytes_long * BYTE * 1.2


def test_bytes_survive_a_reset_on_the_wire(machine: Callable[..., Machine]) -> None:
    echo = machine("echo", "NRF_INTERRUPT")
    echo.run(SECOND // 100)
    echo.transport.write(b"ab")
    echo.run(round(BYTE * 0.5))
    echo.reset()
    assert echo.transport.read(2, 1.0) == b"bc"


def perform(machine: Machine, *steps: tuple[int, int, int]) -> list[int]:
    packed = b"".join(struct.pack("<3I", *step) for step in (*steps, (0, 0, 0)))
    machine.write_ram(STEPS, packed, "the test")
    machine.line.write(SENT)
    assert machine.run(SECOND) is Ended.IDLE
    values = struct.iter_unpack("<3I", machine.read_memory(STEPS, 12 * len(steps)))
    return [value for (_, _, value), step in zip(values, steps, strict=True) if step[0] == LOAD]


def test_uart_loses_bytes_while_flash_is_busy(machine: Callable[..., Machine]) -> None:
    start = ((STORE, UART + 0x500, 4), (STORE, UART + 0x524, 0x01D7E000), (STORE, UART, 1))
    received = ((LOAD, UART + 0x518, 0),) * 6
    errors = ((LOAD, UART + 0x124, 0), (LOAD, UART + 0x480, 0), (STORE, UART + 0x480, 1))
    found = perform(machine("script"), *start, *ERASE, *received, *errors, (LOAD, UART + 0x480, 0))
    assert found == [*SENT[:6], 1, 1, 0]  # the FIFO holds six


def test_dma_receives_while_flash_is_busy(machine: Callable[..., Machine]) -> None:
    start = (
        (STORE, UART + 0x500, 8),
        (STORE, UART + 0x524, 0x10000000),  # 1 Mbaud
        (STORE, UART + 0x534, BUFFER),
        (STORE, UART + 0x538, len(SENT)),
        (STORE, UART, 1),
    )
    script = machine("script")
    assert perform(script, *start, *ERASE, (LOAD, UART + 0x53C, 0), (LOAD, UART + 0x480, 0)) == [20, 0]
    assert script.read_memory(BUFFER, len(SENT)) == SENT


DOUBLE = (
    (STORE, UART + 0x500, 8),
    (STORE, UART + 0x524, 0x10000000),
    (STORE, UART + 0x534, BUFFER),
    (STORE, UART + 0x538, 8),
    (STORE, UART + 0x200, 1 << 5),  # ENDRX starts the next buffer
    (STORE, UART, 1),
    (LOAD, UART + 0x14C, 0),
    (STORE, UART + 0x534, BUFFER + 16),  # is taken at that next start
)


def test_dma_takes_the_next_address_when_it_starts(machine: Callable[..., Machine]) -> None:
    """Two buffers fill while flash is busy; the third time the second one is used again."""
    script = machine("script")
    script.write_ram(BUFFER, bytes(32), "the test")
    assert perform(script, *DOUBLE, *ERASE, (LOAD, UART + 0x110, 0), (LOAD, UART + 0x53C, 0)) == [1, 1, 8]
    assert script.read_memory(BUFFER, 32) == SENT[:8] + bytes(8) + SENT[16:] + SENT[12:16] + bytes(8)


def test_dma_without_a_rate_waits_until_a_full_buffer_was_seen(machine: Callable[..., Machine]) -> None:
    """Bytes that take no time are never lost."""
    with machine("script", timed=False) as script:
        script.write_ram(BUFFER, bytes(48), "the test")
        wait = ((LOAD, UART + 0x14C, 0),) * 30  # a byte's time
        seen = ((STORE, UART + 0x534, BUFFER + 32), (STORE, UART + 0x110, 0))
        assert perform(script, *DOUBLE, *wait, (LOAD, UART + 0x110, 0), *seen)[-1] == 1
        assert script.read_memory(BUFFER, 48) == SENT[:8] + bytes(8) + SENT[8:16] + bytes(24)


def test_waiting_for_the_own_bytes_is_not_idling(machine: Callable[..., Machine]) -> None:
    send = (
        (STORE, UART + 0x500, 8),
        (STORE, UART + 0x524, 0x00275000),  # 9600 baud
        (STORE, UART + 0x544, BUFFER),
        (STORE, UART + 0x548, 4),
        (STORE, UART + 0x008, 1),
    )
    script = machine("script")
    script.line.timers_running = lambda: False  # or it would take 20,000 questions
    steps = (*send, *((LOAD, UART + 0x110, 0),) * 100)
    packed = b"".join(struct.pack("<3I", *step) for step in (*steps, (0, 0, 0)))
    script.write_ram(STEPS, packed, "the test")
    assert script.run(SECOND // 1000) is Ended.BUDGET
    assert script.run(SECOND, output=4) is Ended.OUTPUT


def test_other_chips_refuse() -> None:
    with pytest.raises(TinycError, match="the emulated UART of `stm32f405` has no rate"):
        Machine(b"", load_board("netduinoplus2"), timed_line=True)


def test_damage_follows_from_the_seed() -> None:
    data = bytes(range(256)) * 40
    assert FaultyLink(LinkFaults(1)).damage(data) == data
    assert FaultyLink(LinkFaults(1, drop=1.0)).damage(data) == b""
    assert FaultyLink(LinkFaults(1, duplicate=1.0)).damage(b"abc") == b"aabbcc"
    flipped = FaultyLink(LinkFaults(1, flip=1.0)).damage(data)
    assert all((new ^ old).bit_count() == 1 for new, old in zip(flipped, data, strict=True))
    faults = LinkFaults(2, drop=0.01, flip=0.01, duplicate=0.01)
    whole, link = FaultyLink(faults).damage(data), FaultyLink(faults)
    assert whole == b"".join(link.damage(data[at : at + 100]) for at in range(0, len(data), 100))
    assert whole != data and whole != FaultyLink(LinkFaults(3, 0.01, 0.01, 0.01)).damage(data)
    dropped = FaultyLink(LinkFaults(2, drop=0.01)).damage(data)
    assert 0.98 < len(dropped) / len(data) < 0.995
