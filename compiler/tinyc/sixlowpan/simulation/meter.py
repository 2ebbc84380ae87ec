"""What the sink's receive side does with the frames: who holds memory, what is delivered, who is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation.forgery import read
from tinyc.sixlowpan.simulation.reassembly import Frame, Reassembly, Received

# A datagram that its sender has done with may be held as long as the gap timer runs.
_AFTER_US = 600_000
_Key = tuple[Address, int, int]


@runtime_checkable
class Counting(Protocol):
    """A receive side that can say more."""

    def full(self) -> bool:
        """Whether a first fragment finds no free slot or context."""

    def counters(self) -> dict[str, int]:
        """By verdict and event."""


@dataclass(slots=True)
class Meter:
    """Feeds a receive side. Times in microseconds. `attackers`: their own addresses."""

    side: Reassembly
    honest: tuple[Address, ...]
    attackers: frozenset[Address]
    delivered: int = 0
    wrong: int = 0
    repeated: int = 0
    detection: int | None = None
    blocked: set[Address] = field(default_factory=set)
    _sent: dict[Address, dict[bytes, bool]] = field(default_factory=dict)
    _begun: dict[_Key, int | None] = field(default_factory=dict)
    _forged: set[_Key] = field(default_factory=set)
    _unlike: int = 0
    _own_frames: int = 0
    _octet_us: int = 0
    _full_us: int = 0
    _holding: int = 0
    _full: bool = False
    _since: int = 0
    _bounded: Counting | None = field(init=False)

    def __post_init__(self) -> None:
        self._sent = {it: {} for it in self.honest}
        self._bounded = self.side if isinstance(self.side, Counting) else None

    def sends(self, source: Address, tag: int, datagram: bytes) -> None:
        """An honest node begins to send a datagram."""
        self._sent[source][datagram] = False
        self._begun[source, tag, len(datagram)] = None

    def has_sent(self, now: int, source: Address, tag: int, size: int) -> None:
        """It has done with it."""
        self._begun[source, tag, size] = now + _AFTER_US

    def input(self, now: int, frame: Frame, forged: bool) -> None:
        """A frame that the sink's MAC took; `forged`: an attacker sent it."""
        self._pass(now)
        fragment = read(frame.payload) if forged else None
        if fragment is not None:
            self._forged.add((frame.source, fragment.tag, fragment.size))
        self.side.input(now // 1000, frame)
        if frame.source in self.attackers and self.detection is None:
            self._own_frames += 1
            if self.side.blocked(frame.source):
                self.detection = self._own_frames
        self._look(now)

    def poll(self, now: int) -> None:
        """Time passes."""
        self._pass(now)
        self.side.poll(now // 1000)
        self.blocked.update(it for it in self.honest if self.side.blocked(it))
        self._look(now)

    def _pass(self, now: int) -> None:
        self._octet_us += self._holding * (now - self._since)
        self._full_us += self._full * (now - self._since)
        self._since = now

    def _is_honest(self, now: int, key: _Key) -> bool:
        if key not in self._begun:
            return False
        until = self._begun[key]
        # What an honest node left is nobody else's, until somebody sends it again.
        return until is None or now < until or key not in self._forged

    def _look(self, now: int) -> None:
        for it in self.side.take():
            self._judge(it)
        self._holding = sum(
            it.octets for it in self.side.held() if not self._is_honest(now, (it.source, it.tag, it.size))
        )
        self._full = self._bounded is not None and self._bounded.full()

    def _judge(self, it: Received) -> None:
        sent = self._sent.get(it.source)
        if sent is None:
            return  # an attacker's own address: nobody's datagram is taken for another's
        before = sent.get(it.datagram) if it.datagram is not None else None
        if before is None:
            self._unlike += 1
            self.wrong += it.verified
        elif before:
            self.repeated += 1
        else:
            assert it.datagram is not None
            sent[it.datagram] = True
            self.delivered += 1

    @property
    def wrong_reassembly(self) -> int:
        """Complete, but not as they were sent: handed up, or noticed by the receive side itself."""
        return self._unlike + self.counters.get("bad_sum", 0)

    @property
    def attacker_ram(self) -> float:
        """Bytes, mean over time, held by what is not honest."""
        return self._octet_us / self._since if self._since else 0.0

    @property
    def full(self) -> float:
        """Share of the time without a free slot or context."""
        return self._full_us / self._since if self._since else 0.0

    @property
    def counters(self) -> dict[str, int]:
        """The receive side's, where it has some."""
        return self._bounded.counters() if self._bounded is not None else {}
