"""Our receive path as the simulator's sink: the generated C, or its twin in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tinyc.sixlowpan import sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.features import Meta
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation.compiled import CompiledNode, library
from tinyc.sixlowpan.simulation.reassembly import Frame, Holding, Reassembly, Received
from tinyc.sixlowpan.simulation.settings import Settings
from tinyc.sixlowpan.simulation.traffic import key_of


def peers_of(settings: Settings, addresses: tuple[Address, ...]) -> tuple[Peer, ...]:
    """What the sink knows of its senders: their keys in keyed mode, and that they use no weaker mode."""
    keyed = settings.mode is Mode.KEYED
    return tuple(Peer(it, settings.mode, key_of(settings.seed, it) if keyed else None) for it in addresses)


@dataclass(slots=True)
class TwinSink:
    """The Python twin of the receive path."""

    receiver: Receiver
    _taken: int = field(default=0)
    _keyed: frozenset[Address] = field(init=False)

    def __post_init__(self) -> None:
        self._keyed = frozenset(it.address for it in self.receiver.peers if it.key is not None)

    def input(self, now_ms: int, frame: Frame) -> None:
        """A frame."""
        self.receiver.input(
            now_ms, frame.source, frame.destination, frame.payload, Meta(frame.rssi, frame.dsn)
        )

    def poll(self, now_ms: int) -> None:
        """Time passes."""
        self.receiver.poll(now_ms)

    def take(self) -> list[Received]:
        """What was handed up since the last call; all of it is verified."""
        new = self.receiver.delivered[self._taken :]
        self._taken += len(new)
        return [Received(it.key.source, it.key.tag, it.key.size, it.data, True) for it in new]

    def held(self) -> list[Holding]:
        """The datagrams under way."""
        found = self.receiver.contexts.held()
        return [Holding(it.key.source, it.key.tag, it.key.size, it.octets) for it in found]

    def blocked(self, source: Address) -> bool:
        """Whether new datagrams of this address are refused."""
        return self.receiver.scores.blocked(source, source in self._keyed)

    def full(self) -> bool:
        """Whether a first fragment finds no free slot or context."""
        slots, contexts = self.receiver.contexts.in_use()
        return slots == self.receiver.sizes.slots or contexts == self.receiver.sizes.contexts

    def counters(self) -> dict[str, int]:
        """By verdict and event."""
        return {it.name.lower(): self.receiver.counters[it] for it in Verdict}


def sizes_of(settings: Settings, peers: int) -> Sizes:
    """The default sizes with room for all peers, in powers of two: few builds. Whoever is no peer has to use
    the same mode."""
    room = Sizes().peers
    while room < peers:
        room *= 2
    return Sizes(peers=room, mode_min=settings.mode)


def make_sink(settings: Settings, addresses: tuple[Address, ...]) -> Reassembly:
    """The sink's receive side, by `settings.engine`."""
    peers, sizes = peers_of(settings, addresses), sizes_of(settings, len(addresses))
    if settings.engine == "c":
        return CompiledNode(library(sizes), peers)
    return TwinSink(Receiver(peers, sizes))


def fragments_of(settings: Settings) -> Callable[[Outgoing, int], list[bytes]]:
    """What makes the senders' fragments."""
    if settings.engine == "c":
        return library(sizes_of(settings, settings.senders)).fragments
    return sender.fragments
