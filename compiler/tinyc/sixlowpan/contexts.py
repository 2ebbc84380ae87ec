"""Datagrams under way, their fragments in slots, and finished ones: the twin of `lpc_contexts.c`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from tinyc.sixlowpan.datagrams import Datagram, Key, check
from tinyc.sixlowpan.features import MARGIN, MOST, SUSPECT, Watch
from tinyc.sixlowpan.finished import Finished
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.score import Scores

_WRAP = 2**32
_BUSY_MS = 60
_BLOCKED_MOST = 4
# Bytes of `struct lpc_context`, and of `struct slot` beside its bytes.
CONTEXT_BYTES, SLOT_EXTRA = 48, 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """What `lpc_config.h` says."""

    slots: int = 26
    contexts: int = 8
    slot_bytes: int = 112
    neighbours: int = 8
    done: int = 8
    peers: int = 8
    gap_ms: int = 500
    total_ms: int = 5000
    done_ms: int = 1000
    mode_min: Mode = Mode.LEGACY


@dataclass(slots=True)
class Slot:
    """A piece of a datagram."""

    offset: int
    data: bytes


@dataclass(slots=True)
class Context:
    """A datagram under way."""

    key: Key
    covers: int
    chain: bytes
    opened: int
    moved: int
    have: int
    slots: list[Slot]
    rank: int = 0
    level: int = 0

    @property
    def went_on(self) -> bool:
        """Whether something is here behind the first fragment."""
        return self.have > self.covers

    @property
    def keyed(self) -> bool:
        """Whether its frames prove their source."""
        return self.key.mode is Mode.KEYED

    @property
    def only_begun(self) -> bool:
        """Nothing came behind its first fragment, which anybody may have sent."""
        return not self.keyed and not self.went_on


@dataclass(frozen=True, slots=True)
class Holding:
    """A datagram under way, and the bytes of memory that it takes: `struct lpc_holding`."""

    key: Key
    slots: int
    octets: int


class Relation(Enum):
    """How a piece lies to what is here."""

    NEW = 0
    SAME = 1
    DIFFERENT = 2
    PARTLY = 3


@dataclass(slots=True)
class Contexts:
    """The tables; `sizes` bounds them."""

    sizes: Sizes
    scores: Scores
    watch: Watch | None = None
    link: Link = field(default_factory=Link)
    counters: list[int] = field(default_factory=lambda: [0] * len(Verdict))
    table: list[Context | None] = field(init=False)
    delivered: list[Datagram] = field(default_factory=list)
    finished: Finished = field(init=False)

    def __post_init__(self) -> None:
        self.table = [None] * self.sizes.contexts
        self.finished = Finished(self.sizes.done, self.sizes.done_ms)

    def in_use(self) -> tuple[int, int]:
        """Slots and contexts."""
        used = [it for it in self.table if it]
        return sum(len(it.slots) for it in used), len(used)

    def held(self) -> list[Holding]:
        """What is under way, in the order of the table."""
        slot = self.sizes.slot_bytes + SLOT_EXTRA
        return [
            Holding(it.key, len(it.slots), CONTEXT_BYTES + slot * len(it.slots)) for it in self.table if it
        ]

    def expire(self, now: int) -> None:
        """Timers."""
        self.scores.decay(now)
        for i, it in enumerate(self.table):
            if it is None:
                continue
            total = (now - it.opened) % _WRAP >= self.sizes.total_ms
            if total or (now - it.moved) % _WRAP >= self.sizes.gap_ms:
                self.counters[Verdict.TIMEOUT_TOTAL if total else Verdict.TIMEOUT_GAP] += 1
                self.scores.soft(now, it.key.source, it.keyed, it.went_on)
                self.table[i] = None
        self.finished.expire(now)

    def forget(self, source: Address) -> None:
        """The node has left."""
        self.table = [None if it and it.key.source == source else it for it in self.table]
        self.finished.forget(source)

    def find(self, key: Key) -> list[Context]:
        """The datagrams under way: two at most, and one of what proves its source."""
        return [it for it in self.table if it and it.key == key]

    def _value(self, now: int, it: Context) -> int:
        source = it.key.source
        worth = it.have * 64 // it.key.size + (self.scores.score(source, it.keyed) >> 3)
        idle = min(96, (now - it.moved) % _WRAP // (1 if it.only_begun else 4))
        return worth - idle - (0 if self.scores.proven(source, it.keyed) else 24) - (it.rank >> 2)

    def rank(self, now: int, key: Key) -> int:
        """Of a new datagram, 0 without a model."""
        if self.watch is None:
            return 0
        keyed = key.mode is Mode.KEYED
        open_share = self.in_use()[1] * MOST // self.sizes.contexts
        known = self.scores.place(key.source, keyed)
        return self.watch.ranker(self.watch.features(now, key.size, key.tag, known, open_share))

    def _strength(self, key: Key) -> int:
        keyed = key.mode is Mode.KEYED
        return 1 + keyed if self.scores.proven(key.source, keyed) else 0

    def _evict(self, now: int, key: Key, rank: int, but: Context | None) -> bool:
        suspect = _suspect(key, rank)
        newcomer = self._strength(key)
        chosen, lowest = None, 0
        for it in self.table:
            if it is None or it is but or (suspect and it.rank + MARGIN < rank):
                continue
            busy = (now - it.moved) % _WRAP < _BUSY_MS
            if busy and not it.only_begun and self._strength(it.key) > newcomer:
                continue
            worth = self._value(now, it)
            if chosen is None or worth < lowest:
                chosen, lowest = it, worth
        if chosen is None:
            return False
        self._give_up(now, chosen, (now - chosen.moved) % _WRAP > _BUSY_MS)
        return True

    def _give_up(self, now: int, context: Context, evidence: bool) -> None:
        self.counters[Verdict.EVICTED] += 1
        if evidence:
            self.scores.soft(now, context.key.source, context.keyed, context.went_on)
        self.free(context)

    def _full(self) -> bool:
        slots, contexts = self.in_use()
        return contexts == self.sizes.contexts or slots == self.sizes.slots

    def admit(self, now: int, key: Key, blocked: bool) -> bool:
        """Room for a first fragment among those of its source, which may cost another one of them.

        `lpc_context_admit` says which, and why.
        """
        keyed = key.mode is Mode.KEYED
        if keyed and blocked:
            return False
        own = [it for it in self.table if it and it.keyed == keyed and it.key.source == key.source]
        for it in list(own):
            if (now - it.moved) % _WRAP > _BUSY_MS and (keyed or (blocked and it.only_begun)):
                self._give_up(now, it, True)
                own.remove(it)
        while blocked and len(own) >= _BLOCKED_MOST:
            begun = [it for it in own if it.only_begun]
            if not begun:
                return False
            oldest = max(begun, key=lambda it: (now - it.moved) % _WRAP)
            self._give_up(now, oldest, True)
            own.remove(oldest)
        if len(same := self.find(key)) == 2:
            self._give_up(now, min(same, key=lambda it: self._value(now, it)), False)
        return True

    def open(
        self, now: int, key: Key, covers: int, chain: bytes, content: bytes, rank: int
    ) -> Context | None:
        """A datagram's first fragment; None if there is no room."""
        if self._full() and not self._evict(now, key, rank, None):
            return None
        level = self.watch.level if self.watch else 0
        context = Context(key, covers, chain, now, now, covers, [Slot(0, content)], rank, level)
        self.table[self.table.index(None)] = context
        return context

    def compare(self, context: Context, offset: int, payload: bytes) -> Relation:
        """How the payload at that place lies to the fragments behind the first one."""
        covered, differs, end = 0, False, offset + len(payload)
        for it in context.slots[1:]:
            start, stop = max(it.offset, offset), min(it.offset + len(it.data), end)
            if start < stop:
                covered += stop - start
                mine = it.data[start - it.offset : stop - it.offset]
                differs = differs or mine != payload[start - offset : stop - offset]
        if not covered:
            return Relation.NEW
        return (
            Relation.DIFFERENT if differs else Relation.SAME if covered == len(payload) else Relation.PARTLY
        )

    def store(self, now: int, context: Context, offset: int, payload: bytes) -> bool:
        """A piece that is new. False if there is no room; then the datagram is given up."""
        before = max(i for i, it in enumerate(context.slots) if i == 0 or it.offset <= offset)
        it = context.slots[before]
        joins = it.offset + len(it.data) == offset and len(it.data) + len(payload) <= self.sizes.slot_bytes
        if before and joins:
            it.data += payload
        else:
            if self.in_use()[0] == self.sizes.slots and not self._evict(
                now, context.key, context.rank, context
            ):
                self.free(context)
                return False
            context.slots.insert(before + 1, Slot(offset, payload))
        context.have += len(payload)
        context.moved = now
        return True

    def finish(self, now: int, context: Context) -> Verdict:
        """Complete: delivered if it is right."""
        key = context.key
        made = check(key, tuple(it.data for it in context.slots), self.link)
        if isinstance(made, Datagram):
            self.finished.add(now, key)
            self.scores.success(now, key.source, context.keyed)
            if self.watch is not None:
                known = self.scores.place(key.source, context.keyed)
                self.watch.learn(now, key.size, key.tag, context.level, known)
            self.delivered.append(made)
        elif len(self.find(key)) == 1:
            self.scores.hard(now, key.source, context.keyed)
        self.free(context)
        return Verdict.DELIVERED if isinstance(made, Datagram) else made

    def free(self, context: Context) -> None:
        """All of it."""
        self.table = [None if it is context else it for it in self.table]


def _suspect(key: Key, rank: int) -> bool:
    """Its rank is bad, and nothing proves its address."""
    return key.mode is not Mode.KEYED and rank >= SUSPECT
