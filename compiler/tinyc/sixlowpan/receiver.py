"""The receive path: the twin of `lpc_input.c`, with the same verdicts, counters, scores and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyc.sixlowpan import chain, iphc
from tinyc.sixlowpan.chain import Link
from tinyc.sixlowpan.contexts import Context, Contexts, Relation, Sizes
from tinyc.sixlowpan.datagrams import Datagram, Key, check, link_of
from tinyc.sixlowpan.features import Meta, Ranker, Watch
from tinyc.sixlowpan.first import measure
from tinyc.sixlowpan.fragments import (
    CHAINED,
    FIRST,
    HEADER_FIRST,
    HEADER_LATER,
    LATER,
    SIZE_MAX,
    SIZE_MIN,
    Mode,
    Verdict,
)
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.score import Scores

_WINDOW = 32
EPOCHS_AHEAD = 15


def _is_whole(dispatch: int) -> bool:
    return dispatch == 0x41 or dispatch & 0xE0 == 0x60


@dataclass(frozen=True, slots=True)
class Peer:
    """An address that something is known of: `struct lpc_peer`."""

    address: Address
    mode_min: Mode = Mode.LEGACY
    key: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Replay:
    top: int = 0
    window: int = 0

    def used(self, counter: int) -> bool:
        below = self.top - counter
        return below >= 0 and (below >= _WINDOW or bool(self.window >> below & 1))

    def use(self, counter: int) -> None:
        by = counter - self.top
        if by > 0:
            self.window = (self.window << by | 1) % 2**_WINDOW if by < _WINDOW else 1
            self.top = counter
        else:
            self.window |= 1 << -by


@dataclass(slots=True)
class Receiver:
    """A node's receive path. `rank` is `lpc_rank` of a build with LPC_RANK, None of one without."""

    peers: Sequence[Peer] = ()
    sizes: Sizes = field(default_factory=Sizes)
    rank: Ranker | None = None
    link: iphc.Link = field(default_factory=iphc.Link)
    scores: Scores = field(init=False)
    contexts: Contexts = field(init=False)
    _replays: list[_Replay] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = Scores(self.sizes.neighbours)
        watch = None if self.rank is None else Watch(self.rank)
        self.contexts = Contexts(self.sizes, self.scores, watch, self.link)
        self._replays = [_Replay() for _ in range(self.sizes.peers)]

    @property
    def delivered(self) -> list[Datagram]:
        """All datagrams so far."""
        return self.contexts.delivered

    @property
    def counters(self) -> list[int]:
        """By verdict and event."""
        return self.contexts.counters

    def poll(self, now: int) -> None:
        """Lets timers run out; now in milliseconds, modulo 2**32."""
        self.contexts.expire(now)

    def forget(self, source: Address) -> None:
        """The node has left."""
        self.contexts.forget(source)

    def top(self, peer: int) -> int:
        """The highest counter that a peer's chain has used."""
        return self._replays[peer].top

    def resume(self, peer: int, top: int) -> None:
        """After a restart: no counter up to this one is taken again."""
        self._replays[peer] = _Replay(top, 2**_WINDOW - 1)

    def input(
        self, now: int, source: Address, destination: Address, payload: bytes, meta: Meta | None = None
    ) -> Verdict:
        """One MAC payload. Without `meta`: 0 dBm, sequence number 0."""
        if self.contexts.watch is not None:
            self.contexts.watch.frame = meta or Meta()
        self.contexts.expire(now)
        verdict = self._judged(now, source, destination, payload)
        self.counters[verdict] += 1
        return verdict

    def whole(self, now: int, source: Address, destination: Address, payload: bytes) -> Verdict:
        """A datagram in one frame, what `input` calls WHOLE."""
        self.contexts.expire(now)
        verdict = self._whole(source, destination, payload)
        self.counters[verdict] += 1
        return verdict

    def _whole(self, source: Address, destination: Address, payload: bytes) -> Verdict:
        if not payload:
            return Verdict.BAD_LENGTH
        if not _is_whole(payload[0]):
            return Verdict.BAD_DISPATCH
        if not source.kind or not destination.kind:
            return Verdict.NO_ADDRESS
        if self._mode_min(source) is not Mode.LEGACY:
            return Verdict.DOWNGRADE
        made = check(Key(source, destination, 0, 0, Mode.LEGACY), (payload,), self.link, one_frame=True)
        if not isinstance(made, Datagram):
            return made
        self.delivered.append(made)
        return Verdict.DELIVERED

    def _mode_min(self, source: Address) -> Mode:
        return next((it.mode_min for it in self.peers if it.address == source), self.sizes.mode_min)

    def _judged(self, now: int, source: Address, destination: Address, payload: bytes) -> Verdict:
        chained = payload[:1] == bytes([CHAINED])
        if len(payload) < 1 + chained:
            return Verdict.BAD_LENGTH
        form = payload[chained]
        if form & 0xF8 not in (FIRST, LATER):
            return Verdict.WHOLE if not chained and _is_whole(form) else Verdict.BAD_DISPATCH
        if not source.kind or not destination.kind:
            return Verdict.NO_ADDRESS
        return self._fragment(now, source, destination, payload[chained:], chained)

    def _fragment(
        self, now: int, source: Address, destination: Address, fragment: bytes, chained: bool
    ) -> Verdict:
        is_first = fragment[0] & 0xF8 == FIRST
        self.counters[Verdict.RX_FIRST if is_first else Verdict.RX_LATER] += 1
        if len(fragment) < HEADER_FIRST + 1:
            return Verdict.BAD_LENGTH
        index = next((i for i, it in enumerate(self.peers) if it.address == source), None)
        peer = None if index is None else self.peers[index]
        keyed = peer is not None and peer.key is not None
        mode = Mode.LEGACY if not chained else Mode.KEYED if keyed else Mode.CONTENT
        if mode < self._mode_min(source):
            return Verdict.DOWNGRADE
        size = (fragment[0] & 7) << 8 | fragment[1]
        if not SIZE_MIN <= size <= SIZE_MAX:
            return Verdict.BAD_SIZE
        key = Key(source, destination, size, int.from_bytes(fragment[2:4], "big"), mode)
        return self._first(now, key, index, fragment) if is_first else self._later(now, key, peer, fragment)

    def _broken(self, now: int, context: Context, verdict: Verdict) -> Verdict:
        if context.key.mode is Mode.LEGACY:
            if len(self.contexts.find(context.key)) == 1:
                self.scores.hard(now, context.key.source, keyed=False)
            self.contexts.free(context)
        return verdict

    def _keyed_first(self, index: int, key: Key, link: Link, fragment: bytes, tag: bytes) -> bytes | Verdict:
        replay, verdict, secret = self._replays[index], Verdict.TAG_FIRST, self.peers[index].key
        assert secret is not None
        epoch = replay.top >> 16
        if replay.used(epoch << 16 | key.tag):
            if key in self.contexts.finished:
                return Verdict.DONE_DUPLICATE
            verdict = Verdict.REPLAY
            epoch += 1
        for _ in range(2):
            if epoch >= 2**16:
                break
            counter = epoch << 16 | key.tag
            value = chain.first(secret, key.source, key.destination, counter, link, fragment)
            if value.startswith(tag):
                replay.use(counter)
                return value
            epoch += 1 + key.tag % EPOCHS_AHEAD
        return verdict

    def _first(self, now: int, key: Key, index: int | None, fragment: bytes) -> Verdict:
        trailer, only = chain.FIRST_TRAILER[key.mode], chain.LAST_TRAILER[key.mode]
        link, length = Link.FIRST, len(fragment)
        shorter = min(trailer, only)
        if length < HEADER_FIRST + 2 + shorter:
            return Verdict.BAD_LENGTH
        agreed = link_of(key, self.link, key.mode is not Mode.LEGACY)
        measured = measure(fragment[HEADER_FIRST : length - shorter], key.size, agreed)
        if isinstance(measured, Verdict):
            return measured
        alone = length - HEADER_FIRST - only
        if alone >= 2 and measured.covers(alone) == key.size:
            link, trailer = Link.ONLY, only
        elif length < HEADER_FIRST + 2 + trailer:
            return Verdict.BAD_LENGTH
        content = fragment[HEADER_FIRST : length - trailer]
        covered = measured.covers(len(content))
        noted = chain.HASH if key.mode is Mode.CONTENT and link is not Link.ONLY else 0
        if len(content) > self.sizes.slot_bytes - noted or not covered:
            return Verdict.BAD_LENGTH
        if link is not Link.ONLY and covered >= key.size:
            return Verdict.OVERRUN
        if link is not Link.ONLY and covered % 8:
            return Verdict.MISALIGNED
        value = fragment[length - trailer :]
        for same in self.contexts.find(key):
            # A content chain is known by the hash that it begins with, too.
            known = key.mode is not Mode.CONTENT or same.went_on or same.chain == value
            if same.slots[0].data == content and known:
                return Verdict.DUPLICATE
            if same.keyed:
                return Verdict.TAG_FIRST
        if key.mode is not Mode.KEYED and key in self.contexts.finished:
            return Verdict.DONE_DUPLICATE
        if key.mode is Mode.KEYED:
            assert index is not None
            answer = self._keyed_first(index, key, link, fragment[: length - trailer], value)
            if isinstance(answer, Verdict):
                return answer
            value = answer
        if not self.contexts.admit(now, key, self.scores.blocked(key.source, key.mode is Mode.KEYED)):
            return Verdict.BLOCKED
        rank = self.contexts.rank(now, key)
        context = self.contexts.open(now, key, covered, value, content, rank)
        if context is None:
            return Verdict.NO_SLOT
        if link is Link.ONLY:
            return self.contexts.finish(now, context)
        return Verdict.TAKEN

    def _store(self, now: int, context: Context, offset: int, payload: bytes) -> Verdict:
        if not self.contexts.store(now, context, offset, payload):
            return Verdict.NO_SLOT
        if context.have == context.key.size:
            return self.contexts.finish(now, context)
        return Verdict.TAKEN

    def _later(self, now: int, key: Key, peer: Peer | None, fragment: bytes) -> Verdict:
        middle, end = chain.MIDDLE_TRAILER[key.mode], chain.LAST_TRAILER[key.mode]
        length = len(fragment)
        if length < HEADER_LATER + 1 + min(middle, end):
            return Verdict.BAD_LENGTH
        offset = fragment[4] * 8
        last = offset + length == key.size + HEADER_LATER + end
        trailer = end if last else middle
        payload, tag = fragment[HEADER_LATER : length - trailer], fragment[length - trailer :]
        if length < HEADER_LATER + 1 + trailer or len(payload) > self.sizes.slot_bytes:
            return Verdict.BAD_LENGTH
        contexts = self.contexts.find(key)
        if not contexts:
            return Verdict.DONE_DUPLICATE if key in self.contexts.finished else Verdict.ORPHAN
        verdict = self._goes_on(now, contexts[0], peer, fragment, last, payload, tag)
        if not any(it is two for two in contexts[1:] for it in self.contexts.table):
            return verdict
        two = contexts[1]
        if verdict is Verdict.DELIVERED:
            self.contexts.free(two)
            return verdict
        other = self._goes_on(now, two, peer, fragment, last, payload, tag)
        if other is Verdict.DELIVERED:
            self.contexts.free(contexts[0])
        return other if other is Verdict.DELIVERED else min(verdict, other)

    def _goes_on(
        self,
        now: int,
        context: Context,
        peer: Peer | None,
        fragment: bytes,
        last: bool,
        payload: bytes,
        tag: bytes,
    ) -> Verdict:
        key, offset = context.key, fragment[4] * 8
        if not last and offset + len(payload) >= key.size:
            return self._broken(now, context, Verdict.OVERRUN)
        if not last and len(payload) % 8:
            return self._broken(now, context, Verdict.MISALIGNED)
        if offset < context.covers:
            return self._broken(now, context, Verdict.OVERLAP)
        relation = self.contexts.compare(context, offset, payload)
        if relation is Relation.SAME:
            return Verdict.DUPLICATE
        if key.mode is Mode.LEGACY:
            if relation is Relation.NEW:
                return self._store(now, context, offset, payload)
            partly = relation is Relation.PARTLY
            return self._broken(now, context, Verdict.OVERLAP if partly else Verdict.CONFLICT)
        if offset != context.have:
            return Verdict.TAG_LATER if offset < context.have else Verdict.AHEAD
        if key.mode is Mode.KEYED:
            assert peer is not None
            assert peer.key is not None
            link = Link.LAST if last else Link.MIDDLE
            value = chain.later(peer.key, context.chain, link, fragment[: HEADER_LATER + len(payload)])
            if not value.startswith(tag):
                return Verdict.TAG_LATER
            context.chain = value
        else:
            expected, place = context.chain, (key.size, key.tag, fragment[4])
            before = context.slots[0].data if context.have == context.covers else b""
            fits = chain.content_hash(*place, payload, tag, before) == expected
            if not fits and last and len(payload) > 8 and len(payload) % 8 == 0:
                # As long as the last one, but its end is the hash of eight bytes that are still to come.
                payload, tag = payload[:-8], payload[-8:]
                fits = chain.content_hash(*place, payload, tag, before) == expected
            if not fits:
                return Verdict.TAG_LATER
            context.chain = tag
        return self._store(now, context, offset, payload)
