"""What neighbours have earned: the twin of `lpc_score.c`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyc.sixlowpan.frames import Address

NEUTRAL, BLOCK_BELOW, LIFT_AT, FLOOR = 96, 32, 48, 64
DECAY_MS, _DECAY_STEPS = 16000, 16
_WRAP = 2**32


@dataclass(slots=True)
class Neighbour:
    """A neighbour's entry; `keyed` evidence has one of its own."""

    address: Address
    keyed: bool
    seen: int = 0
    score: int = NEUTRAL
    streak: int = 0
    ok: int = 0
    blocked: bool = False

    def rise(self, by: int) -> None:
        """By at least 1."""
        self.score = min(255, self.score + max(1, by))
        self.blocked = self.blocked and self.score < LIFT_AT

    def fall(self, by: int) -> None:
        """By at least 1, not below FLOOR where anybody can forge the evidence against a proven address."""
        least = min(self.score, FLOOR) if self.ok and not self.keyed else 0  # a failure raises nothing
        self.score = max(least, self.score - max(1, by))
        self.blocked = self.blocked or self.score < BLOCK_BELOW


@dataclass(slots=True)
class Scores:
    """The table of neighbours."""

    room: int
    entries: list[Neighbour | None] = field(init=False)
    decayed: int = 0

    def __post_init__(self) -> None:
        self.entries = [None] * self.room

    def find(self, source: Address, keyed: bool) -> Neighbour | None:
        """Its entry, if it has one."""
        return next((it for it in self.entries if it and it.keyed == keyed and it.address == source), None)

    def place(self, source: Address, keyed: bool) -> tuple[int, Neighbour] | None:
        """Where its entry is, and the entry."""
        it = self.find(source, keyed)
        return None if it is None else (self.entries.index(it), it)

    def score(self, source: Address, keyed: bool) -> int:
        """0 to 255, neutral without an entry."""
        it = self.find(source, keyed)
        return it.score if it else NEUTRAL

    def proven(self, source: Address, keyed: bool) -> bool:
        """Whether it has ever completed a datagram."""
        it = self.find(source, keyed)
        return it is not None and it.ok > 0

    def blocked(self, source: Address, keyed: bool) -> bool:
        """Whether its new datagrams are refused."""
        it = self.find(source, keyed)
        return it is not None and it.blocked

    def _entry(self, now: int, source: Address, keyed: bool, success: bool) -> Neighbour | None:
        found = self.find(source, keyed)
        if found is None:
            chosen = min(
                range(self.room),
                key=lambda i: (_rank(self.entries[i]), -_idle(now, self.entries[i])),
            )
            if _rank(self.entries[chosen]) > (2 + keyed if success else 1):
                return None
            found = self.entries[chosen] = Neighbour(source, keyed)
        found.seen = now
        return found

    def success(self, now: int, source: Address, keyed: bool) -> None:
        """A datagram of it is complete."""
        if it := self._entry(now, source, keyed, success=True):
            it.streak, it.ok = 0, min(255, it.ok + 1)
            it.rise((255 - it.score) >> 4)

    def soft(self, now: int, source: Address, keyed: bool, went_on: bool) -> None:
        """It stopped in the middle of a datagram. `went_on`: not right behind the first fragment, so that it
        weighs as little as the first failure of a streak does, and adds nothing to it."""
        if it := self._entry(now, source, keyed, success=False):
            shift = 5
            if not went_on:
                it.streak = min(255, it.streak + 1)
                shift = 5 if it.streak < 4 else 3 if it.streak < 8 else 2
            it.fall(it.score >> shift)

    def hard(self, now: int, source: Address, keyed: bool) -> None:
        """It broke a datagram."""
        if it := self._entry(now, source, keyed, success=False):
            it.fall(it.score >> (1 if keyed else 4))

    def decay(self, now: int) -> None:
        """Bad scores get better with time."""
        step = 0
        while (now - self.decayed) % _WRAP >= DECAY_MS:
            if step == _DECAY_STEPS:
                self.decayed = now
                break
            step += 1
            self.decayed = (self.decayed + DECAY_MS) % _WRAP
            for it in self.entries:
                if it and it.score < NEUTRAL:
                    it.rise((NEUTRAL - it.score) >> 4)


def _rank(it: Neighbour | None) -> int:
    """The lowest is replaced first: free, unproven, proven, proven with a key."""
    return 0 if it is None else 1 if it.ok == 0 else 2 + it.keyed


def _idle(now: int, it: Neighbour | None) -> int:
    return 0 if it is None else (now - it.seen) % _WRAP
