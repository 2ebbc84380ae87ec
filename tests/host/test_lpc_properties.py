"""What the reassembly keeps to whatever comes in which order, of the twin and of the C.

Hypothesis makes up sequences of honest datagrams in all modes, their fragments lost, repeated, out of order,
changed and sent by others, first fragments that never go on, frames of any bytes, and pauses. Nothing is
delivered that its source did not send, in that datagram; repeats change nothing; keyed datagrams in order get
through whatever strangers send in between; memory comes back. At the end of each sequence the C has answered
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from support import lpc
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.datagrams import Datagram
from tinyc.sixlowpan.fragments import CHAINED, FIRST, HEADER_FIRST, HEADER_LATER, LATER, Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.score import LIFT_AT
from tinyc.sixlowpan.sender import Outgoing
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

NODE = Address.extended(0x0212740000000002)
KEYS = {Address.extended(0xA0): bytes(range(16)), Address.short(0xA3): bytes(16)}
PEERS = (
    *(Peer(address, Mode.KEYED, key) for address, key in KEYS.items()),
    Peer(Address.extended(0xA2), Mode.CONTENT),
)
SIZES = Sizes(slots=9, contexts=3, neighbours=4, done=3, peers=3)
PLAIN = (Address.extended(0xB0), Address.short(0xB1))
STRANGERS = tuple(Address.extended(0xC0 + i) for i in range(5))  # they complete nothing
EVERYBODY = (*KEYS, PEERS[2].address, *PLAIN)
SENDERS = (
    *((it, Mode.KEYED) for it in KEYS),
    *((it, Mode.LEGACY) for it in PLAIN),
    *((it, Mode.CONTENT) for it in (PEERS[2].address, PLAIN[0])),
)
PAUSES = st.sampled_from((1, 5, 30, 59, 61, 300, 500, 1000, 5000, 16_000))
LATEST = st.sampled_from((-1, -1, -1, -2, -3, -5))  # which of the datagrams so far
EARLY = st.integers(0, 255).map(lambda tag: lpc.header_only(200, tag, b"abc" * 20))


@dataclass(frozen=True, slots=True)
class Made:
    """A datagram and its fragments."""

    source: Address
    mode: Mode
    tag: int
    data: bytes
    fragments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What was sent, and when."""

    at: int
    source: Address
    payload: bytes


def program() -> Path:
    return lpc.compiled(find_compiler(), SIZES, PEERS)


class Reassembly(RuleBasedStateMachine):
    """A receiver, what was made for it, and all that was sent to it."""

    @initialize(start=st.sampled_from((0, 70_000, 2**32 - 3000)), counter=st.sampled_from((0, 65_530)))
    def begin(self, start: int, counter: int) -> None:
        self.play = lpc.Play(Receiver(PEERS, SIZES))
        self.now = start
        self.counters = dict.fromkeys(KEYS, counter)
        self.made: list[Made] = []
        self.frames: list[Frame] = []
        self.done: list[Datagram] = []
        for source in KEYS:
            for fragment in self.make(source, Mode.KEYED, 200, 104, 0).fragments:
                verdict = self.give(source, fragment)
            assert verdict == Verdict.DELIVERED

    # What may be asked of the receiver.

    def give(self, source: Address, payload: bytes) -> int:
        """A frame. Whatever comes of it, only what was sent is delivered."""
        self.frames.append(Frame(self.now, source, payload))
        verdict = self.play.frame(self.now, source, NODE, payload)
        delivered = self.play.receiver.delivered[len(self.done) :]
        assert len(delivered) == (verdict == Verdict.DELIVERED)
        for datagram in delivered:
            if datagram.key.mode is Mode.LEGACY:
                self.legacy(datagram)
            else:
                self.chained(datagram)
            self.done.append(datagram)
        assert sum(self.play.receiver.counters[: Verdict.EVICTED]) == len(self.frames)
        return verdict

    def legacy(self, datagram: Datagram) -> None:
        """Each byte came from that source, in a fragment of that size and tag, at that place, lately."""
        key, data = datagram.key, datagram.data
        start = key.size.to_bytes(2, "big")
        vouched = bytearray(len(data))
        for it in self.frames:
            if (
                it.source != key.source
                or self.now - it.at >= SIZES.total_ms
                or len(it.payload) < HEADER_LATER
            ):
                continue
            for form in (FIRST, LATER):
                if it.payload[:4] == bytes([start[0] | form, start[1]]) + key.tag.to_bytes(2, "big"):
                    later = form == LATER
                    place = it.payload[HEADER_FIRST] * 8 if later else 0
                    # These first fragments are not compressed: a byte of dispatch, then the datagram's.
                    for i, byte in enumerate(it.payload[HEADER_LATER:], place):
                        if i < len(data) and data[i] == byte:
                            vouched[i] = 1
        assert all(vouched)

    def chained(self, datagram: Datagram) -> None:
        """It is one that was made so, whole; a keyed one by a holder of the key, and it comes only once."""
        key = datagram.key
        same = [it for it in self.made if (it.mode, it.tag, it.data) == (key.mode, key.tag, datagram.data)]
        if key.mode is Mode.KEYED:
            assert any(it.source == key.source for it in same)
            assert all((it.key, it.data) != (key, datagram.data) for it in self.done)
        elif not same:  # in one fragment there is no chain
            payload = self.frames[-1].payload
            assert payload[0] == CHAINED
            assert payload[1 + HEADER_FIRST + 1 :] == datagram.data

    def one(self, which: int) -> Made:
        """Of the latest datagrams."""
        return self.made[max(which, -len(self.made))]

    def make(self, source: Address, mode: Mode, size: int, room: int, tag: int) -> Made:
        key = KEYS.get(source, b"") if mode is Mode.KEYED else b""
        if key:
            self.counters[source] += 1
            tag = self.counters[source]
        data = lpc.ipv6(size, bytes([len(self.made), tag % 256, 7]))
        outgoing = Outgoing(source, NODE, lpc.IPV6, 0, data, tag % 2**16, mode, tag >> 16, key)
        made = Made(source, mode, tag % 2**16, data, tuple(sender.fragments(outgoing, room)))
        self.made.append(made)
        return made

    # What happens.

    @rule(
        who=st.sampled_from((*SENDERS, *SENDERS, (Address.extended(0xA2), Mode.LEGACY))),
        size=st.sampled_from((48, 80, 130, 200, 300, 448)),
        room=st.sampled_from((64, 104, 116)),
        tag=st.integers(0, 2),
        until=st.sampled_from((1, 2, 9, 9, 9)),
        lost=st.sampled_from((9, 9, 9, 1, 2)),
        pause=st.sampled_from((0, 1, 20, 70)),
    )
    def sends(
        self, who: tuple[Address, Mode], size: int, room: int, tag: int, until: int, lost: int, pause: int
    ) -> None:
        """An honest datagram, or the start of one; a fragment may be lost."""
        it = self.make(*who, size, room, tag)
        for i, fragment in enumerate(it.fragments[:until]):
            if i != lost:
                self.give(it.source, fragment)
            self.now += pause

    @precondition(lambda self: bool(self.made))
    @rule(which=LATEST, start=st.integers(0, 4), backwards=st.booleans())
    def goes_on(self, which: int, start: int, backwards: bool) -> None:
        """Fragments that were lost or have come already, in one order or the other."""
        it = self.one(which)
        rest = it.fragments[start:]
        for fragment in reversed(rest) if backwards else rest:
            self.give(it.source, fragment)

    @precondition(lambda self: bool(self.made))
    @rule(
        which=LATEST,
        number=st.integers(0, 9),
        other=st.sampled_from((None, None, None, *PLAIN, STRANGERS[0])),
        place=st.one_of(st.integers(0, 7), st.integers(-8, -1), st.integers(0, 120)),
        value=st.integers(1, 255),
        cut=st.sampled_from((0, 0, 0, 1, 8, 30)),
    )
    def is_forged(
        self, which: int, number: int, other: Address | None, place: int, value: int, cut: int
    ) -> None:
        it = self.one(which)
        frame = bytearray(it.fragments[number % len(it.fragments)])
        frame[place % len(frame)] ^= value
        del frame[len(frame) - cut :]
        self.give(other or it.source, bytes(frame))

    @precondition(lambda self: any(it.mode is Mode.LEGACY for it in self.made))
    @rule(which=LATEST, offset=st.integers(0, 56), length=st.integers(1, 13), odd=st.sampled_from((0, 0, 3)))
    def is_cut_anew(self, which: int, offset: int, length: int, odd: int) -> None:
        """A fragment of a legacy datagram that overlaps others; with `odd` it is not of 8n bytes."""
        legacy = [it for it in self.made if it.mode is Mode.LEGACY]
        it = legacy[which % len(legacy)]
        offset %= (len(it.data) + 7) // 8
        head = (LATER << 8 | len(it.data)).to_bytes(2, "big") + it.tag.to_bytes(2, "big")
        self.give(it.source, head + bytes([offset]) + it.data[offset * 8 :][: length * 8 - odd])

    @rule(
        source=st.sampled_from((*STRANGERS, PLAIN[0], Address())),
        frames=st.lists(st.one_of(st.binary(max_size=40), EARLY), min_size=1, max_size=6),
    )
    def strangers_send(self, source: Address, frames: list[bytes]) -> None:
        """Any bytes, and first fragments of datagrams that never go on."""
        for payload in frames:
            self.give(source, payload)

    @rule(pause=PAUSES, leaver=st.sampled_from((None, None, None, None, *EVERYBODY)))
    def time_passes(self, pause: int, leaver: Address | None) -> None:
        """Or a node leaves."""
        if leaver is None:
            self.now += pause
        else:
            self.play.forget(leaver)
            assert all(it.key.source != leaver for it in self.play.receiver.contexts.held())

    @precondition(lambda self: bool(self.frames) and self.frames[-1].at == self.now)
    @rule()
    def repeated(self) -> None:
        """The link sends a frame again: what was taken is known, and nothing changes."""
        receiver, it = self.play.receiver, self.frames[-1]
        before = (receiver.contexts.in_use(), self.scores(it.source), len(self.done))
        verdict = self.give(it.source, it.payload)
        if verdict in (Verdict.DUPLICATE, Verdict.DONE_DUPLICATE):
            assert (receiver.contexts.in_use(), self.scores(it.source), len(self.done)) == before

    @precondition(lambda self: any(self.usable(it) for it in KEYS))
    @rule(
        strangers=st.lists(
            st.lists(st.tuples(st.sampled_from(STRANGERS), st.integers(0, 255)), max_size=4),
            min_size=5,
            max_size=5,
        ),
        copied=st.booleans(),
    )
    def keyed_gets_through(self, strangers: list[list[tuple[Address, int]]], copied: bool) -> None:
        """Strangers open datagrams of their own, and forge the keyed one's fragments before each true one."""
        source = next(it for it in KEYS if self.usable(it))
        it = self.make(source, Mode.KEYED, 448, 104, 0)
        verdict = -1
        for i, fragment in enumerate(it.fragments):
            for stranger, what in strangers[i % len(strangers)]:
                early = lpc.header_only(200, what, b"abc" * 20)
                self.give(stranger, early)
                if copied:
                    forged = bytearray(fragment)
                    forged[-1 - what % 20] ^= 1 + what % 255
                    self.give(source, bytes(forged))
            verdict = self.give(source, fragment)
            self.now += 8
        assert verdict == Verdict.DELIVERED

    def usable(self, source: Address) -> bool:
        """Proven, not blocked by datagrams of its own that were lost; its counter is not too far ahead."""
        scores = self.play.receiver.scores
        top = self.play.receiver.top(list(KEYS).index(source))
        near = self.counters[source] + 1 - top <= 2**16 - 32
        return scores.proven(source, True) and scores.score(source, True) >= LIFT_AT and near

    def scores(self, source: Address) -> tuple[int, int]:
        """Both."""
        scores = self.play.receiver.scores
        return scores.score(source, False), scores.score(source, True)

    def teardown(self) -> None:
        if not hasattr(self, "play"):
            return
        self.now += SIZES.total_ms
        self.play.poll(self.now, NODE)
        assert self.play.receiver.contexts.in_use() == (0, 0)
        assert lpc.run(program(), bytes(self.play.script)) == bytes(self.play.expected)


TestReassembly = Reassembly.TestCase
TestReassembly.settings = settings(
    max_examples=80,
    stateful_step_count=30,
    phases=(Phase.generate,),  # to make a failing sequence shorter takes minutes: add Phase.shrink for it
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
