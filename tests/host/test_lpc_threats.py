"""The table of threats to reassembly, row by row, in the three modes: what is delivered and counted.

The rows are those of the table of attacks and faults that the receive path was designed from; each is
played to the twin and to the C, and nothing wrong may be delivered in any of them.

 1 exact duplicate           2 duplicate first        3 forged copy after     4 forged copy before
 5 overlaps                  6 later before first     7 early firsts          8 from spoofed addresses
 9 with a victim's address  10 tag used again        11 replay               12 late duplicate
13 size differs             14 sizes out of range    15 beyond the size      16 not of 8n bytes
17 truncated                18 nothing in it         19 unknown dispatch     20 compressed headers
21 tiny fragments           22 flood of later ones   23 eight senders        24 loss
25 bit flips                26 no source             27 another source       28 RFC 8931
29 too long                 30 insider               31 badmouthing          32 asymmetric cost

Also proved elsewhere: 4 to 24 with the frames of another corpus in test_lpc.py (21 and 23 only there), 7 to
12, 22, 30 and 31 as rates on a shared medium by the simulator's tests and benchmarks/sixlowpan.py, 20 with
damaged headers of all kinds in test_iphc.py, 29 for the MAC's length byte in test_mac_frames.py, 32 in
instructions by test_lpc_on_chip.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from support import lpc
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import FIRST, LATER, Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.score import FLOOR
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

KEY = bytes(range(16))
NODE = Address.extended(0x0212740000000002)
KEYED, PLAIN, OTHER = Address.extended(0xA0), Address.extended(0xB0), Address.extended(0xB1)
PEERS = (Peer(KEYED, Mode.KEYED, KEY), Peer(Address.extended(0xA1), Mode.KEYED, KEY[::-1]))
SIZES = Sizes(peers=2)
L, U, K = Mode.LEGACY, Mode.CONTENT, Mode.KEYED
V = Verdict


@dataclass(slots=True)
class World:
    """A receiver and who sends to it in one mode."""

    mode: Mode
    play: lpc.Play = field(default_factory=lambda: lpc.Play(Receiver(PEERS, SIZES)))
    honest: list[bytes] = field(default_factory=list)
    tag: int = 0

    @property
    def source(self) -> Address:
        """An honest sender of that mode."""
        return KEYED if self.mode is K else PLAIN

    @property
    def at(self) -> int:
        """Where the fragment's header begins."""
        return int(self.mode is not L)

    def fragments(
        self, fill: bytes = b"true", size: int = 448, tag: int | None = None, source: Address | None = None
    ) -> list[bytes]:
        """Of an honest datagram; of a new tag."""
        self.tag += 1
        source = self.source if source is None else source
        datagram = lpc.ipv6(size, fill)
        self.honest.append(datagram)
        one = lpc.outgoing(
            datagram,
            source,
            NODE,
            tag=self.tag if tag is None else tag,
            mode=self.mode,
            key=KEY if self.mode is K else b"",
        )
        return sender.fragments(one, 104)

    def give(self, *payloads: bytes, at: int = 0, source: Address | None = None) -> int:
        """Frames at one time; the last one's verdict."""
        verdict = -1
        for payload in payloads:
            verdict = self.play.frame(at, self.source if source is None else source, NODE, payload)
        return verdict

    def chained(self, fragment: bytes) -> bytes:
        """As an attacker sends it, who knows no key: with a guess behind it."""
        return fragment if self.mode is L else b"\xff" + fragment + bytes(8 if self.mode is U else 2)

    def at_place(self, like: bytes, offset: int, payload: bytes) -> bytes:
        """A later fragment of the same datagram."""
        head = bytes([LATER | like[self.at] & 7]) + like[self.at + 1 : self.at + 4]
        return self.chained(head + bytes([offset // 8]) + payload)

    def first(self, size: int, content: bytes, tag: int = 900) -> bytes:
        """A first fragment that is nobody's."""
        head = (FIRST << 8 | size).to_bytes(2, "big") + tag.to_bytes(2, "big")
        made = self.chained(head + content)
        return made + bytes(2) if self.mode is K else made


def forged(fragment: bytes, place: int = 30, value: int = 1) -> bytes:
    """With a byte changed."""
    made = bytearray(fragment)
    made[place] ^= value
    return bytes(made)


def duplicates(w: World) -> None:
    for fragment in w.fragments():
        w.give(fragment, fragment)


def duplicate_first(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[0], f[1], f[0], *f[2:])


def forged_after(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[1], forged(f[1]), *f[2:])


def forged_before(w: World) -> None:
    f = w.fragments()
    w.give(f[0], forged(f[1]), *f[1:])


def partial_overlap(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[1], w.at_place(f[0], 104, w.honest[0][104:200]), *f[2:])


def tiny_inside(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[1], w.at_place(f[0], 120, bytes(8)), *f[2:])


def over_the_first(w: World) -> None:
    f = w.fragments()
    w.give(f[0], w.at_place(f[0], 0, bytes(96)), *f[1:])


def into_the_first(w: World) -> None:
    f = w.fragments()
    w.give(f[0], w.at_place(f[0], 88 if w.mode is L else 80, w.honest[0][88:104]), *f[1:])


def later_before_first(w: World) -> None:
    f = w.fragments()
    w.give(f[1])
    assert w.play.receiver.contexts.in_use() == (0, 0)
    w.give(*f)


def early_first(w: World) -> None:
    """Nine failures block the address; then it has four datagrams at most. With a key it has none."""
    attacker = PEERS[1].address if w.mode is K else OTHER
    for i in range(10):
        w.give(w.first(1280, lpc.IPV6 + lpc.ipv6(1280, b"?")[:88], i), at=500 * i, source=attacker)
        if w.mode is K:
            assert w.play.receiver.contexts.in_use() == (0, 0)
        w.give(*w.fragments(), at=500 * i)
    if w.mode is not K:
        assert w.play.receiver.scores.blocked(attacker, keyed=False)
        more = [w.first(1280, lpc.IPV6 + lpc.ipv6(1280, b"?")[:88], 20 + i) for i in range(5)]
        w.give(*more, at=4600, source=attacker)
        assert w.play.receiver.contexts.in_use() == (4, 4)


def spoofed_first(w: World) -> None:
    """Of a proven peer nothing is lost."""
    w.give(*w.fragments())
    f = w.fragments()
    for i in range(40):
        w.give(*f[i // 10 : i // 10 + 1] if i % 10 == 0 else (), at=i)
        early = w.first(1280, lpc.IPV6 + lpc.ipv6(1280, b"?")[:88], i)
        w.give(early, at=i, source=Address.extended(0xC000 + i))
    w.give(f[4], at=40)


def with_a_victims_address(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[1], w.first(1280, lpc.IPV6 + lpc.ipv6(1280, b"?")[:88]), *f[2:])


def tag_again(w: World) -> None:
    """At once: the new one, or none, never a mix. When the old one's time is over: the new one."""
    old, new = w.fragments(b"old1", tag=7), w.fragments(b"new2", tag=7)
    w.give(old[0], old[1])
    w.give(*new, at=100)
    assert [it.data for it in w.play.receiver.delivered] == ([] if w.mode is K else w.honest[1:])
    last = w.fragments(b"new3", tag=8)
    w.give(last[0], at=700)
    w.give(*w.fragments(b"new4", tag=8 if w.mode is not K else 9), at=1300)


def replay(w: World) -> None:
    f = w.fragments()
    w.give(*f)
    w.give(*f, at=1100)


def late_duplicate(w: World) -> None:
    f = w.fragments()
    w.give(*f)
    w.give(f[4], at=999)
    w.give(f[4], at=1000)
    assert w.play.receiver.contexts.in_use() == (0, 0)


def other_size(w: World) -> None:
    f = w.fragments()
    w.give(f[0], forged(f[1], w.at + 1, 8), *f[1:])


def sizes(w: World) -> None:
    for size in (0, 1, 39, 1281, 2047):
        w.give(w.first(size, lpc.IPV6 + lpc.ipv6(448, b"?")[:88]))
    w.give(*w.fragments())


def beyond(w: World) -> None:
    f = w.fragments()
    w.give(f[0], w.at_place(f[0], 2040, bytes(96)), *f[1:])


def not_aligned(w: World) -> None:
    f = w.fragments()
    w.give(f[0], w.at_place(f[0], 96, bytes(93)), *f[1:])


def truncated(w: World) -> None:
    f = w.fragments()
    for length in range(5 + w.at):
        w.give(f[0][:length], f[1][:length])
    assert w.play.receiver.contexts.in_use() == (0, 0)
    w.give(*f)


def nothing_in_it(w: World) -> None:
    w.give(w.first(448, b""), w.first(448, lpc.IPV6))
    w.give(*w.fragments())


def unknown_dispatch(w: World) -> None:
    for inner in (0x00, 0x50, 0x80, 0xC1, 0xF1):
        w.give(w.first(448, bytes([inner]) + bytes(88)))
    w.give(*w.fragments())


def bad_headers(w: World) -> None:
    """Cut short, an unknown context, options of 5 bytes, a checksum that was not agreed to be left out."""
    for text in ("7a33", "7e3300", "7af100001122", "7f33e205000000f0", "7f33f4"):
        content = bytes.fromhex(text)
        w.give(w.first(448, content if len(content) < 4 else content.ljust(40, b"\xee")))
    assert w.play.receiver.contexts.in_use() == (0, 0)
    w.give(*w.fragments())


def later_flood(w: World) -> None:
    f = w.fragments()
    for i, fragment in enumerate(f):
        for n in range(10):
            w.give(w.at_place(f[0], 96 + 8 * n, bytes(40)), at=i, source=Address.extended(0xC000 + n))
        w.give(fragment, at=i)


def loss(w: World) -> None:
    f = w.fragments()
    w.give(f[0])
    w.give(f[1], f[3], f[4], at=10)
    w.play.poll(509, w.source)
    assert w.play.receiver.contexts.in_use()[1] == 1
    w.play.poll(510, w.source)
    assert w.play.receiver.contexts.in_use() == (0, 0)
    slow = w.fragments(size=1280)
    for i, fragment in enumerate(slow):
        w.give(fragment, at=10_000 + 450 * i)


def bit_flip(w: World) -> None:
    f = w.fragments()
    w.give(f[0], f[1], forged(f[2]), *f[3:])


def bit_flip_in_the_tag(w: World) -> None:
    f = w.fragments()
    w.give(f[0], forged(f[1], w.at + 3), *f[1:])


def no_source(w: World) -> None:
    w.give(*w.fragments(), source=Address())


def another_source(w: World) -> None:
    """Also the same node by its short address."""
    f = w.fragments()
    w.give(f[0])
    w.give(*f[1:], source=OTHER)
    w.give(*f[1:], source=Address.short(0xB0))
    w.give(*f[1:])


def recoverable_fragments(w: World) -> None:
    for dispatch in (0xE8, 0xE9, 0xEA, 0xEB):
        w.give(w.chained(bytes([dispatch, 7, 0x04, 0x00, 0x01, 0xC0]) + bytes(60)))
    w.give(*w.fragments())


def too_long(w: World) -> None:
    """Longer than a frame can be, and than a slot is."""
    f = w.fragments(size=1280)
    for length in (128, 240):
        w.give(w.first(1280, lpc.IPV6 + lpc.ipv6(1280, b"?")[:length]))
    w.give(
        f[0], *(w.at_place(f[0], 96 if w.mode is L else 88, bytes(length)) for length in (120, 232)), *f[1:]
    )


def insider(w: World) -> None:
    """First fragments that are right, of a neighbour that has done well: 12 failures block it."""
    for i in range(20):
        w.give(*w.fragments(), at=i)
    for i in range(20):
        w.give(w.fragments()[0], at=1000 + 500 * i)


def badmouthing(w: World) -> None:
    """Conflicts and first fragments with a victim's address."""
    w.give(*w.fragments(b"good"))
    keyed = w.play.receiver.scores.score(w.source, keyed=True)
    for i in range(40):
        early = [w.first(1280, lpc.IPV6 + lpc.ipv6(1280, bytes([n]))[:88], 100 + i) for n in (1, 2)]
        w.give(*early, at=600 * i)
    score = w.play.receiver.scores.score(w.source, keyed=w.mode is K)
    assert score == keyed if w.mode is K else score >= FLOOR
    w.give(*w.fragments(b"last"), at=30_000)


Expected = dict[Mode, tuple[int, dict[Verdict, int]]]


def same(delivered: int, **counts: int) -> Expected:
    """In all modes."""
    return {mode: (delivered, {V[name]: count for name, count in counts.items()}) for mode in Mode}


BROKEN = {V.ORPHAN: 3}
ROWS: tuple[tuple[int, Callable[[World], None], Expected], ...] = (
    (1, duplicates, same(1, DUPLICATE=4, DONE_DUPLICATE=1)),
    (2, duplicate_first, same(1, DUPLICATE=2)),
    (3, forged_after, same(1, TAG_LATER=1) | {L: (0, {V.CONFLICT: 1, **BROKEN})}),
    (4, forged_before, same(1, TAG_LATER=1) | {L: (0, {V.CONFLICT: 1, **BROKEN})}),
    (5, partial_overlap, same(1, TAG_LATER=1) | {L: (0, {V.OVERLAP: 1, **BROKEN})}),
    (5, tiny_inside, same(1, TAG_LATER=1) | {L: (0, {V.CONFLICT: 1, **BROKEN})}),
    (5, over_the_first, same(1, OVERLAP=1) | {L: (0, {V.OVERLAP: 1, V.ORPHAN: 4})}),
    (5, into_the_first, same(1, OVERLAP=1) | {L: (0, {V.OVERLAP: 1, V.ORPHAN: 4})}),
    (6, later_before_first, same(1, ORPHAN=1)),
    (7, early_first, same(10, EVICTED=2) | {K: (10, {V.TAG_FIRST: 10})}),
    (8, spoofed_first, same(2, BLOCKED=0) | {K: (2, {V.TAKEN: 8})}),
    (9, with_a_victims_address, same(1, TAKEN=5) | {K: (1, {V.TAG_FIRST: 1})}),
    (10, tag_again, same(2, CONFLICT=0, TIMEOUT_GAP=1) | {K: (1, {V.TAG_FIRST: 1, V.TIMEOUT_GAP: 2})}),
    (11, replay, same(2) | {K: (1, {V.REPLAY: 1, V.ORPHAN: 4})}),
    (12, late_duplicate, same(1, DONE_DUPLICATE=1, ORPHAN=1)),
    (13, other_size, same(1, ORPHAN=1)),
    (14, sizes, same(1, BAD_SIZE=5)),
    (15, beyond, same(1, OVERRUN=1) | {L: (0, {V.OVERRUN: 1, V.ORPHAN: 4})}),
    (16, not_aligned, same(1, MISALIGNED=1) | {L: (0, {V.MISALIGNED: 1, V.ORPHAN: 4})}),
    (17, truncated, same(1, BAD_LENGTH=12) | {L: (1, {V.BAD_LENGTH: 10})}),
    (18, nothing_in_it, same(1, BAD_LENGTH=2) | {U: (1, {V.BAD_LENGTH: 1, V.BAD_DISPATCH: 1})}),
    (19, unknown_dispatch, same(1, BAD_DISPATCH=5)),
    (20, bad_headers, same(1, BAD_IPHC=5) | {U: (1, {V.BAD_IPHC: 4, V.BAD_LENGTH: 1})}),
    (22, later_flood, same(1, ORPHAN=50)),
    (24, loss, same(0, TIMEOUT_GAP=1, TIMEOUT_TOTAL=1)),
    (25, bit_flip, same(0, TAG_LATER=1, AHEAD=2) | {L: (0, {V.BAD_SUM: 1})}),
    (25, bit_flip_in_the_tag, same(1, ORPHAN=1)),
    (26, no_source, same(0, NO_ADDRESS=5)),
    (27, another_source, same(1, ORPHAN=8)),
    (28, recoverable_fragments, same(1, BAD_DISPATCH=4)),
    (29, too_long, same(1, BAD_LENGTH=4)),
    (30, insider, same(20, BLOCKED=0) | {K: (20, {V.TIMEOUT_GAP: 12, V.BLOCKED: 8})}),
    (31, badmouthing, same(2) | {K: (2, {V.TAG_FIRST: 80})}),
)


def right(delivered: Iterable[bytes], honest: Iterable[bytes]) -> bool:
    """Nothing but what honest senders sent."""
    return set(delivered) <= set(honest)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("number", "attack", "expected"), ROWS, ids=[f"{n}-{it.__name__}" for n, it, _ in ROWS]
)
def test_row(number: int, attack: Callable[[World], None], expected: Expected, mode: Mode) -> None:
    w = World(mode)
    attack(w)
    receiver = w.play.receiver
    data = [it.data for it in receiver.delivered]
    assert right(data, w.honest)
    counts, (delivered, wanted) = receiver.counters, expected[mode]
    told = {V(i).name: n for i, n in enumerate(counts) if n}
    assert len(data) == delivered, told
    assert {verdict: counts[verdict] for verdict in wanted} == wanted, told
    w.play.poll(200_000, w.source)
    assert receiver.contexts.in_use() == (0, 0)
    program = lpc.compiled(find_compiler(), SIZES, PEERS)
    assert lpc.run(program, bytes(w.play.script)) == bytes(w.play.expected)
