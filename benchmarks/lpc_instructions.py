"""What a 6LoWPAN fragment costs on the emulated Cortex-M4: instructions, flash, RAM and stack.

    python benchmarks/lpc_instructions.py [--toolchain zig gcc] [--size 448] [--json FILE]

A UDP datagram with compressed headers goes to a receiver that knows nothing yet, and to one that is full:
neighbours with a score, datagrams under way of which one has to be given up, and finished ones in all places.
Then it is sent. Instructions are those from the entry of `lpc_input` or `lpc_send_next` to its return, with
the application's `lpc_deliver`, which walks over the pieces; cycles are estimated, nothing is timed. Frames
have extended addresses, as in `benchmarks/sixlowpan.py`. The stack is the bound below the frame, read off the
machine code.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation.traffic import ROOM, SINK, outgoing, sender_address, udp_datagram

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from support.lpc_chip import COMPILERS, LpcFirmware, has_compiler

BOARD = "nrf52840"
HEADERS = 48
_KEY = bytes(range(16))
_HASHES = {Mode.KEYED: "siphash", Mode.CONTENT: "blake2s"}
_GROUPS = {
    "blake2s": ("blake2s.c",),
    "siphash": ("siphash.c",),
    "sending": ("lpc_send.c",),
    "headers": ("iphc",),
    "receiving": ("lpc_",),
}


@dataclass(frozen=True, slots=True)
class Fragment:
    """One frame. `hash`: the instructions of them that the chain's hash took; `cycles` are estimated."""

    instructions: int
    hash: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Of a toolchain. `fresh`, `full` and `sent` by mode; `flash` by part, in bytes as all memory.

    run_out: instructions of the timers when all datagrams under way run out in one millisecond.
    """

    toolchain: str
    fresh: dict[str, list[Fragment]]
    full: dict[str, list[Fragment]]
    sent: dict[str, list[int]]
    flash: dict[str, int]
    ram: int
    stack: int
    stack_sending: int
    run_out: int


def one(mode: Mode, number: int, size: int) -> Outgoing:
    """A datagram of an honest node."""
    source = sender_address(number)
    content = bytes(i & 0xFF for i in range(size - HEADERS))
    key = _KEY if mode is Mode.KEYED else b""
    return outgoing(source, udp_datagram(source, SINK, content), number, mode, 0, key)


def received(
    firmware: LpcFirmware, datagram: Outgoing, start: int, most: int | None = None
) -> list[Fragment]:
    """Its first `most` fragments, one each millisecond. Raises RuntimeError where one is refused."""
    made = []
    for i, fragment in enumerate(sender.fragments(datagram, ROOM)[:most]):
        verdict, instructions = firmware.frame(start + i, datagram.source, SINK, fragment)
        if verdict not in (Verdict.TAKEN, Verdict.DELIVERED):
            raise RuntimeError(f"{datagram.mode.name}: fragment {i} was refused ({Verdict(verdict).name})")
        hashing = firmware.instructions(_HASHES[datagram.mode]) if datagram.mode in _HASHES else 0
        made.append(Fragment(instructions, hashing, firmware.cycles("lpc_input")))
    return made


def timers(firmware: LpcFirmware, now: int) -> int:
    """Instructions of a frame that is none: the timers alone."""
    return int(firmware.frame(now, SINK, SINK, b"")[1])


def filled(firmware: LpcFirmware, sizes: Sizes, start: int) -> None:
    """Others complete a datagram each; then they begin one each, of which the next newcomer evicts one."""
    others = range(100, 100 + sizes.contexts)
    for number in others:
        received(firmware, one(Mode.LEGACY, number, 128), start)
    for number in others:
        received(firmware, one(Mode.LEGACY, number, 448), start + 10, 1)


def measure(toolchain: str, size: int) -> Costs:
    """Builds and plays."""
    sizes = Sizes()
    places = {mode: int(mode) for mode in Mode}
    peers = (Peer(sender_address(places[Mode.KEYED]), Mode.KEYED, _KEY),)
    run_out = 0
    fresh: dict[str, list[Fragment]] = {}
    full: dict[str, list[Fragment]] = {}
    sent: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        firmware = LpcFirmware(load_board(BOARD), Path(folder), sizes, peers, compiler=toolchain)
        datagrams = {mode: one(mode, number, size) for mode, number in places.items()}
        for mode, datagram in datagrams.items():
            fresh[mode.name.lower()] = received(firmware, datagram, 100 * mode)
        for mode, datagram in datagrams.items():
            name, start = mode.name.lower(), 100_000 * (mode + 1)
            timers(firmware, start - 1)
            filled(firmware, sizes, start)
            full[name] = received(firmware, replace(datagram, tag=9), start + 100)
            filled(firmware, sizes, start + 10_000)
            run_out = max(run_out, timers(firmware, start + 20_000))
            sent[name] = firmware.send(datagram, ROOM)[1]
        flash = dict.fromkeys(_GROUPS, 0)
        for file, count in firmware.flash.items():
            flash[next(name for name, starts in _GROUPS.items() if file.startswith(starts))] += count
        stack, sending = (firmware.stack_bound(function) for function in ("lpc_input", "lpc_send_next"))
        return Costs(toolchain, fresh, full, sent, flash, firmware.ram(), stack, sending, run_out)


def rows(costs: Costs, fragments: int) -> Iterator[tuple[str, ...]]:
    """Mode, what is measured, each fragment, mean and most."""
    for mode in costs.fresh:
        for what, counts in (
            ("received", [it.instructions for it in costs.fresh[mode]]),
            ("of it hash", [it.hash for it in costs.fresh[mode]]),
            ("cycles", [it.cycles for it in costs.fresh[mode]]),
            ("when full", [it.instructions for it in costs.full[mode]]),
            ("sent", costs.sent[mode]),
        ):
            if any(counts):
                mean = round(sum(counts) / len(counts))
                numbers = [str(it) for it in counts] + [""] * (fragments - len(counts))
                yield (mode, what, *numbers, str(mean), str(max(counts)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolchain", nargs="+", choices=COMPILERS, help="default: those that are installed")
    parser.add_argument("--size", type=int, default=448, help="bytes of the datagram (default 448)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write {toolchain: {...}}")
    options = parser.parse_args()
    toolchains = options.toolchain or [name for name in COMPILERS if has_compiler(name)]
    found = [measure(name, options.size) for name in output.progress("measuring", toolchains)]
    for it in found:
        fragments = max(len(counts) for counts in it.fresh.values())
        columns = ("mode", "instructions", *(str(i + 1) for i in range(fragments)), "mean", "most")
        note = (
            f"{it.run_out} instructions when all datagrams run out at once; RAM {it.ram} B; "
            f"stack {it.stack} B receiving, {it.stack_sending} B sending; flash "
            + ", ".join(f"{name} {count} B" for name, count in it.flash.items())
        )
        output.table(
            f"{options.size} bytes, emulated {BOARD}, {it.toolchain}", columns, rows(it, fragments), note
        )
    if options.json:
        made = {it.toolchain: asdict(it) for it in found}
        options.json.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
