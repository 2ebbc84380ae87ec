"""What a fragment costs on the emulated Cortex-M4, measured as the tests do."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sixlowpan_runs import OURS
from tinyc.boards import load_board
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.simulation.traffic import ROOM, SINK, outgoing, sender_address, udp_datagram

BOARD = "nrf52840"
_KEY = bytes(range(16))


@dataclass(frozen=True, slots=True)
class Chip:
    """instructions: of each fragment of a 448-byte datagram, by mode. ram, stack: bytes."""

    instructions: dict[str, list[int]]
    ram: int
    stack: int


def chip() -> Chip:
    """Builds the receive path for the chip and plays one datagram in each mode."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from support.lpc_chip import LpcFirmware

    keyed, open_to_all = sender_address(0), sender_address(1)
    peers = (Peer(keyed, Mode.KEYED, _KEY),)
    made: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        firmware = LpcFirmware(load_board(BOARD), Path(folder), Sizes(), peers)
        for start, (name, mode) in enumerate(OURS.items()):
            source: Address = keyed if mode is Mode.KEYED else open_to_all
            datagram = udp_datagram(source, SINK, bytes(i & 0xFF for i in range(400)))
            one = outgoing(source, datagram, 1, mode, 0, _KEY if mode is Mode.KEYED else b"")
            counts = []
            for i, fragment in enumerate(sender.fragments(one, ROOM)):
                verdict, instructions = firmware.frame(1000 * start + i, source, SINK, fragment)
                if verdict not in (Verdict.TAKEN, Verdict.DELIVERED):
                    raise RuntimeError(f"{name}: fragment {i} was refused ({Verdict(verdict).name})")
                counts.append(int(instructions))
            made[name] = counts
        return Chip(made, int(firmware.ram()), int(firmware.stack_bound()))
