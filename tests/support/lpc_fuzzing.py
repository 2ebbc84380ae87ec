"""Builds `tests/fuzz/lpc_frames.c` and runs it: sequences of frames for the 6LoWPAN receive path."""

from __future__ import annotations

import sys
from pathlib import Path

from support import fuzzing
from support.iphc_cases import CONTEXTS, SOURCES
from tinyc.resources import data_folder
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

CORPUS = fuzzing.FOLDER / "corpus" / "lpc"
# Tables so small that a short sequence fills them.
SIZES = Sizes(slots=9, contexts=5, neighbours=3, done=2, peers=4)
# As `sources` of lpc_frames.c.
PEERS = (
    Peer(Address.extended(0xA0), Mode.KEYED, bytes(range(16))),
    Peer(Address.extended(0xA1), Mode.LEGACY, bytes(range(16, 32))),
    Peer(Address.extended(0xA2), Mode.CONTENT),
    Peer(Address.short(0x00A3), Mode.KEYED, bytes(16)),
)
LONGEST = 400
# Comparisons teach it nothing, hashes have too many, and they cost half of the time.
_FLAGS = (*WARNINGS, *fuzzing.FLAGS, "-fno-sanitize-coverage=trace-cmp")
# The kinds of records, as `enum what` there.
TIME, MAKE, SEND, PART, CUT, RAW, AIR, POLL, FORGET, RESTART, REPEAT = range(11)


def texts() -> dict[str, str]:
    """File name → text of the fuzzer and what it tests."""
    folder = data_folder("firmware_templates") / "sixlowpan"
    names = (*SOURCES, "mac.c", "mac.h")
    made = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    made |= receive_texts(SIZES, PEERS, rank=True, contexts=CONTEXTS, elided=True)
    for name in ("lpc_frames.c", "lpc_given.c", "lpc_given.h", "lpc_sent.c", "lpc_sent.h", "lpc_mutate.c"):
        made[name] = (fuzzing.FOLDER / name).read_text(encoding="utf-8")
    return made


def compiled(clang: HostCompiler) -> Path:
    """The fuzzer as a program."""
    return compile_cached(clang, texts(), _FLAGS, "lpc_fuzzer")


def record(*values: int) -> bytes:
    """Eight bytes."""
    return bytes(values).ljust(8, b"\0")


def sequences() -> list[bytes]:
    """Each kind of record, and the attacks of the threat table on each kind of sender."""
    found = []
    for source, mode in ((0, 2), (1, 2), (1, 0), (2, 1), (3, 2), (4, 0), (4, 1), (5, 0)):
        for form in range(7):
            make = record(MAKE, source, mode, 100 + form, form, form, 0, 16 * form + 4)
            whole = record(SEND, 0, 15)
            honest = [make, whole]
            found.append(honest)
            found.append([*honest, record(TIME, 12), make, record(SEND, 1, 15, 0, 2)])  # and another
            found.append([make, record(SEND, 0, 0), record(REPEAT), whole, record(REPEAT)])  # repeats
            found.append([make, record(SEND, 0, 15, 4), record(PART, 0, 2), record(POLL)])  # one late
            found.append([make, *(record(PART, 0, i) for i in reversed(range(5)))])  # out of order
            for change in range(1, 11):  # a forged one before the true one
                forged = record(PART, 0, change % 3, 0, change, 9, 3, 1)
                found.append([make, record(SEND, 0, change % 3), forged, whole])
            found.append([make, record(SEND, 0, 1), *(record(CUT, 0, i, 40, 2, 0) for i in range(0, 40, 3))])
            other = record(MAKE, (source + 1) % 6, (mode + 1) % 3, 90, 1, 0, 0, 77)
            found.append([make, other, *[record(SEND, i % 2, 0) for i in range(10)]])  # two interleaved
            found.append([*honest, record(RESTART), *(record(PART, 0, i) for i in range(5))])  # replayed
            found.append([make, record(SEND, 0, 1), record(FORGET, source), whole])
    for early in (4, 6):  # first fragments only, of one address or of many
        found.append(
            [
                it
                for i in range(14)
                for it in (record(MAKE, early + 8 * i, 0, 255, 0, 0, i, i), record(SEND, i))
            ]
        )
    for source, mode in ((4, 0), (4, 1), (0, 2)):  # so often that it is blocked, then time heals it
        lost = [it for i in range(4) for it in (record(MAKE, source, mode, 90, 1, 0, i, i), record(SEND, i))]
        lost += [it for i in range(12) for it in (record(PART, i % 4, 0, 0, 7, i), record(TIME, 9))]
        more = [it for i in range(6) for it in (record(MAKE, source, mode, 90, 1, 0, i), record(SEND, 4 + i))]
        later = [
            record(TIME, 9),
            *[record(TIME, 15)] * 14,
            record(MAKE, source, mode, 90, 1),
            record(SEND, 9, 15),
        ]
        found.append([*lost, *more, *later])
    found.append([record(MAKE, 4, 0, 60, 1), *(record(CUT, 0, i, 8, 2, 0) for i in range(21))])  # tiny ones
    payload = bytes.fromhex("c0300007") + b"\x41\x60" + bytes(42)
    found.append([record(RAW, len(payload), 4), payload, record(RAW, len(payload), 7), payload])
    for control in range(0x41, 0x10000, 0x0B20):  # all forms of addresses, and what is not ours
        frame = control.to_bytes(2, "little") + bytes.fromhex("01cdab0200cdabb100") + payload
        found.append([record(AIR, len(frame)), frame])
    return [bytes(8) + b"".join(it + bytes(-len(it) % 8) for it in one) for one in found]


def seeds() -> list[bytes]:
    """The sequences above, and those that earlier runs found worth keeping."""
    return [*sequences(), *(path.read_bytes() for path in sorted(CORPUS.glob("*")))]


def run(clang: HostCompiler, *options: str) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    return fuzzing.run(compiled(clang), seeds(), LONGEST, *options)


if __name__ == "__main__":
    sys.exit(fuzzing.long_form("sequences of 6LoWPAN frames", __doc__, run))
