"""A node of this machine on the air of emulated boards, and boards with firmware of 6LoWPAN nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.air import MICROSECOND, Air, Transmission
from tinyc.sixlowpan.endpoint import Endpoint, Udp
from tinyc.sixlowpan.frames import acknowledgement, parse, with_check_sum
from tinyc.toolchain.elf import read_elf

TURNAROUND = 192 * MICROSECOND
# A frame of the longest, its acknowledgement, and room for a board to take it.
FRAME_US = 8_000


@dataclass(slots=True)
class Station:
    """Sends and takes frames of an endpoint as a radio would: it acknowledges what is for it."""

    air: Air
    endpoint: Endpoint
    name: str
    channel: int = 15
    received: list[Udp] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    _last: tuple[bytes, int] | None = None

    def __post_init__(self) -> None:
        self.air.listeners.append(self._hear)

    def send(self, frames: Sequence[bytes]) -> None:
        """One after the other; the time that they take goes by."""
        for frame in frames:
            self.air.inject(self.name, with_check_sum(frame), self.channel)
            self.air.run(FRAME_US)

    def _hear(self, transmission: Transmission) -> None:
        if transmission.sender == self.name or transmission.channel != self.channel:
            return
        frame = transmission.psdu[:-2]
        _, mac = parse(frame)
        if mac.destination != self.endpoint.address:
            return
        if mac.ack_request:
            ack = with_check_sum(acknowledgement(mac.sequence))
            self.air.inject(self.name, ack, self.channel, at=transmission.end + TURNAROUND)
        if (mac.source.value, mac.sequence) == self._last:
            return  # its acknowledgement was lost
        self._last = (mac.source.value, mac.sequence)
        self.heard.append(frame)
        self.received += self.endpoint.take(transmission.end // (1000 * MICROSECOND), frame)


class NodeBoard:
    """An emulated board with the firmware of a node."""

    def __init__(self, elf: Path, board: Board, air: Air, name: str) -> None:
        self.machine = Machine(elf, board)
        self._symbols = {symbol.name: symbol.address for symbol in read_elf(elf).symbols}
        air.join(name, self.machine)

    def word(self, name: str, index: int = 0) -> int:
        """Of a variable of the firmware."""
        return int.from_bytes(self.machine.read_memory(self._symbols[name] + 4 * index, 4), "little")

    def set_word(self, name: str, value: int) -> None:
        """Write a variable of the firmware."""
        self.machine.write_ram(self._symbols[name], value.to_bytes(4, "little"), "the test")
