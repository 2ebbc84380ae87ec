"""The attacks by name. Each class says which rows of the threat table it stands for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation import forgery
from tinyc.sixlowpan.simulation.attacker import Attack, OncePerDatagram, Radio
from tinyc.sixlowpan.simulation.forgery import Fragment
from tinyc.sixlowpan.simulation.station import Job

# What is replayed is older than receivers remember finished datagrams, and among the newest of that age.
_OLD_US, _KEPT = 1_500_000, 200
# A datagram of so many bytes takes many tiny fragments.
_LARGE = 1280
_TINY = 8


class EarlyFirst(Attack):
    """First fragments from its own address, whose rest never comes (row 7)."""

    def strike(self) -> None:
        self.radio.send(self.source(), self.first())

    def source(self) -> Address:
        """Whose they say they are."""
        return self.radio.own

    def first(self) -> bytes:
        """A first fragment with a tag of its own."""
        return forgery.first(self.radio.random, self.radio.mode, self.radio.size, self.radio.tag())


class SpoofedFirst(EarlyFirst):
    """The same, each from an address that nobody has (row 8)."""

    def source(self) -> Address:
        return self.radio.anybody()


class VictimFirst(EarlyFirst):
    """The same with the addresses of honest nodes and new tags (rows 9 and 31).

    At a high rate it makes the receiver of a keyed chain check tags in vain (row 32).
    """

    def source(self) -> Address:
        return self.radio.victim()


class LaterFlood(Attack):
    """Later fragments of datagrams that never began, half of them in the name of honest nodes (row 22)."""

    def strike(self) -> None:
        random, size = self.radio.random, self.radio.size
        source = self.radio.victim() if random.random() < 0.5 else self.radio.anybody()
        offset = random.randrange(6, max(7, size // 8 - 2))
        self.radio.send(source, forgery.later(random, self.radio.mode, size, self.radio.tag(), offset, 8))


class Duplicate(OncePerDatagram):
    """A forged copy of a fragment before the true one (row 4), for a share of the datagrams.

    The attacker overhears the fragment before it, and is faster than the sender.
    """

    def __init__(self, radio: Radio, share: float) -> None:
        super().__init__(radio)
        self._share = share
        self._targets: dict[Address, tuple[int, int]] = {}

    def begins(self, job: Job, fragment: Fragment) -> None:
        mode, random = self.radio.mode, self.radio.random
        starts = [forgery.behind(mode, fragment)]
        while (end := 8 * starts[-1] + forgery.step(mode, fragment.size, starts[-1])) < fragment.size:
            starts.append(end // 8)
        chosen = random.choice(starts)
        if random.random() < self._share:
            self._targets[job.source] = (fragment.tag, chosen)

    def overhear(self, job: Job, fragment: Fragment) -> None:
        super().overhear(job, fragment)
        mode, size = self.radio.mode, fragment.size
        if fragment.offset is None:
            following = forgery.behind(mode, fragment)
        else:
            following = fragment.offset + forgery.step(mode, size, fragment.offset) // 8
        if self._targets.get(job.source) == (fragment.tag, following):
            del self._targets[job.source]
            length = forgery.step(mode, size, following)
            self.race(job, forgery.later(self.radio.random, mode, size, fragment.tag, following, length))


class Reset(OncePerDatagram):
    """A first fragment in the victim's name with a new tag in the middle of its datagram (row 9)."""

    def begins(self, job: Job, fragment: Fragment) -> None:
        self.race(
            job, forgery.first(self.radio.random, self.radio.mode, fragment.size, fragment.tag ^ 0x5555)
        )


class TagReuse(OncePerDatagram):
    """A first fragment in the victim's name with the tag of its datagram under way (row 10)."""

    def begins(self, job: Job, fragment: Fragment) -> None:
        self.race(job, forgery.first(self.radio.random, self.radio.mode, fragment.size, fragment.tag))


class SizeMismatch(OncePerDatagram):
    """A later fragment with a smaller size, by which the datagram would be complete (row 13)."""

    def begins(self, job: Job, fragment: Fragment) -> None:
        begin = forgery.behind(self.radio.mode, fragment)
        size = 8 * begin + 16
        self.race(job, forgery.later(self.radio.random, self.radio.mode, size, fragment.tag, begin, 16))


class Replay(Attack):
    """Overheard first fragments again (row 11)."""

    def __init__(self, radio: Radio, rate: float) -> None:
        super().__init__(radio, rate)
        self._heard: list[tuple[int, Job]] = []

    def overhear(self, job: Job, fragment: Fragment) -> None:
        if fragment.offset is None:
            self._heard = [*self._heard[-_KEPT:], (self.radio.clock.now, job)]

    def strike(self) -> None:
        old = [job for at, job in self._heard if self.radio.clock.now - at > _OLD_US]
        if old:
            job = self.radio.random.choice(old)
            self.radio.send(job.source, job.payload)


class ReplayDatagrams(Attack):
    """Overheard datagrams again, all fragments of them (row 11)."""

    def __init__(self, radio: Radio, rate: float) -> None:
        super().__init__(radio, rate)
        self._heard: dict[tuple[Address, int], tuple[int, dict[int | None, bytes]]] = {}

    def overhear(self, job: Job, fragment: Fragment) -> None:
        _, parts = self._heard.setdefault((job.source, fragment.tag), (self.radio.clock.now, {}))
        parts[fragment.offset] = job.payload

    def strike(self) -> None:
        old = [key for key, (at, _) in self._heard.items() if self.radio.clock.now - at > _OLD_US]
        if old:
            source, tag = self.radio.random.choice(old[-_KEPT:])
            for payload in self._heard[source, tag][1].values():
                self.radio.send(source, payload, burst=True)


class Tiny(Attack):
    """Large datagrams of tiny fragments with holes between them, from its own address (row 21)."""

    def __init__(self, radio: Radio, rate: float) -> None:
        super().__init__(radio, rate)
        self._tag, self._next = 0, 0

    def strike(self) -> None:
        random, mode = self.radio.random, self.radio.mode
        if not self._next or self._next >= _LARGE // 8 - 2:
            self._tag = self.radio.tag()
            made = forgery.first(random, mode, _LARGE, self._tag)
            fragment = forgery.read(made)
            assert fragment is not None
            self._next = forgery.behind(mode, fragment)
        else:
            self._next += 2
            made = forgery.later(random, mode, _LARGE, self._tag, self._next, _TINY)
        self.radio.send(self.radio.own, made)


class Badmouth(OncePerDatagram):
    """What looks like a broken datagram of a victim, to lower its score (row 31).

    A first fragment, and at once another one with the same tag.
    """

    def strike(self) -> None:
        random, mode, size = self.radio.random, self.radio.mode, self.radio.size
        source, tag = self.radio.victim(), self.radio.tag()
        for _ in range(2):
            self.radio.send(source, forgery.first(random, mode, size, tag))


class Insider(EarlyFirst):
    """First fragments whose rest never comes, from a node that has a key (row 30)."""

    def __init__(self, radio: Radio, rate: float) -> None:
        super().__init__(radio, rate)
        self._counter = 0

    def first(self) -> bytes:
        if self.radio.mode is not Mode.KEYED:
            return super().first()
        self._counter += 1
        return forgery.authentic_first(
            self.radio.random, self.radio.key, self.radio.own, self.radio.size, self._counter
        )


class Mimic(OncePerDatagram):
    """First fragments in a victim's name with its usual size, its next tag and sequence number (4.9)."""

    def __init__(self, radio: Radio, rate: float) -> None:
        super().__init__(radio, rate)
        self._last: dict[Address, tuple[int, int, int]] = {}

    def overhear(self, job: Job, fragment: Fragment) -> None:
        self._last[job.source] = (fragment.size, fragment.tag, job.dsn)

    def strike(self) -> None:
        if self._last:
            source = self.radio.random.choice(list(self._last))
            size, tag, dsn = self._last[source]
            made = forgery.first(self.radio.random, self.radio.mode, size, (tag + 1) % (1 << 16))
            self.radio.send(source, made, dsn + 1)


ATTACKS: dict[str, Callable[[Radio], Attack]] = {
    "early_first_1": partial(EarlyFirst, rate=1.0),
    "early_first_10": partial(EarlyFirst, rate=10.0),
    "early_first_50": partial(EarlyFirst, rate=50.0),
    "spoofed_first_50": partial(SpoofedFirst, rate=50.0),
    "victim_first_50": partial(VictimFirst, rate=50.0),
    "later_flood_100": partial(LaterFlood, rate=100.0),
    "duplicate_half": partial(Duplicate, share=0.5),
    "duplicate_all": partial(Duplicate, share=1.0),
    "reset_all": Reset,
    "tag_reuse": TagReuse,
    "size_mismatch": SizeMismatch,
    "replay_first_10": partial(Replay, rate=10.0),
    "replay_datagrams": partial(ReplayDatagrams, rate=1.0),
    "tiny": partial(Tiny, rate=50.0),
    "badmouth": partial(Badmouth, rate=10.0),
    "burn_100": partial(VictimFirst, rate=100.0),
    "insider": partial(Insider, rate=10.0),
    "mimic": partial(Mimic, rate=10.0),
}
