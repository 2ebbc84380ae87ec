"""Emulated boards with the radio driver, and what a test does with them."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.small_firmware import NRF, SOURCES, linker_script
from tinyc.emulator import Machine
from tinyc.emulator.air import Air
from tinyc.resources import data_folder
from tinyc.sixlowpan.frames import Address, MacFrame, header, with_check_sum
from tinyc.toolchain.elf import read_elf

PAN = 0xABCD
CHANNEL = 15
OUTCOMES = ("idle", "sending", "sent", "channel busy", "no ack")
COUNTERS = (
    *("received", "bad_check_sum", "filtered", "repeated", "no_room", "acks_sent", "acks_late"),
    *("sent", "attempts", "busy", "no_ack"),
)
_FLAGS = ("-nostdlib", "-O2", "-std=gnu99", "-fno-builtin", "-fomit-frame-pointer")
_STRICT = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion")
_BOARD = "#define BOARD_HAS_DWT 1\n#define BOARD_CLOCK_HZ 64000000u\n#define BOARD_UART_BAUD 115200\n"
_KEPT = 128


def build(folder: Path, node: int) -> Path:
    """The firmware of node `node`."""
    templates = data_folder("firmware_templates")
    (folder / "board.h").write_text(_BOARD, encoding="utf-8")
    script, elf = folder / "radio.ld", folder / f"radio-{node}.elf"
    script.write_text(linker_script(NRF), encoding="utf-8")
    places = (folder, templates / "hal/include", templates / "hal/nrf52840", templates / "sixlowpan")
    command = [sys.executable, "-m", "ziglang", "cc", *NRF.instruction_set.zig, *_FLAGS, f"-DNODE={node}"]
    command += [f"-I{place}" for place in (*places, SOURCES)]
    objects = []
    for source in (templates / "hal/nrf52840/radio.c", templates / "sixlowpan/mac.c"):
        objects.append(str(folder / f"{source.stem}-{node}.o"))
        _call(*command, *_STRICT, "-c", str(source), "-o", objects[-1])
    _call(
        *command, f"-T{script}", str(SOURCES / "start.c"), str(SOURCES / "radio.c"), *objects, "-o", str(elf)
    )
    return elf


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def short(node: int) -> Address:
    return Address.short(node)


def extended(node: int) -> Address:
    return Address.extended(0x0212740000000000 + node)


def data_frame(
    source: Address, destination: Address, sequence: int, payload: bytes, *, ack: bool = True, pan: int = PAN
) -> bytes:
    """A data frame without its check sum."""
    frame = MacFrame(
        ack_request=ack,
        sequence=sequence,
        destination_pan=pan,
        source_pan=pan,
        destination=destination,
        source=source,
    )
    return header(frame) + payload


@dataclass(frozen=True, slots=True)
class Received:
    frame: bytes
    quality: int
    rssi: int


class Node:
    """A board of that number on an air."""

    def __init__(self, elf: Path, air: Air, number: int) -> None:
        self.machine, self.name = Machine(elf, NRF), f"node {number}"
        self._symbols = {symbol.name: symbol.address for symbol in read_elf(elf).symbols}
        air.join(self.name, self.machine)

    def word(self, name: str, index: int = 0) -> int:
        return int.from_bytes(self.machine.read_memory(self._symbols[name] + 4 * index, 4), "little")

    def set_word(self, name: str, value: int) -> None:
        self.machine.write_ram(self._symbols[name], value.to_bytes(4, "little"), "the test")

    def send(self, frame: bytes) -> None:
        """Let the firmware begin to send, when the air runs on."""
        self.machine.write_ram(self._symbols["outbox"], bytes([len(frame)]) + frame, "the test")
        self.machine.set_interrupt_line(0, True)
        self.machine.set_interrupt_line(0, False)

    @property
    def outcome(self) -> str:
        return OUTCOMES[self.word("outcome")]

    @property
    def counters(self) -> dict[str, int]:
        data = self.machine.read_memory(self._symbols["counts"], 4 * len(COUNTERS))
        return dict(zip(COUNTERS, struct.unpack(f"<{len(COUNTERS)}I", data), strict=True))

    @property
    def inbox(self) -> list[Received]:
        start = self._symbols["inbox"]
        found = []
        for index in range(self.word("received")):
            data = self.machine.read_memory(start + _KEPT * index, _KEPT)
            length, quality, rssi = struct.unpack_from("<BBb", data)
            found.append(Received(data[3 : 3 + length], quality, rssi))
        return found


def on_air(frame: bytes) -> bytes:
    """The frame with its check sum."""
    return with_check_sum(frame)
