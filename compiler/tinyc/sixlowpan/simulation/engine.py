"""The simulator: honest senders, attackers and one sink, event by event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tinyc.errors import TinycError
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation import forgery
from tinyc.sixlowpan.simulation.attacker import Attack, Radio
from tinyc.sixlowpan.simulation.attacks import ATTACKS
from tinyc.sixlowpan.simulation.channel import (
    ACK_BYTES,
    AUDIBLE_DBM,
    TURNAROUND_US,
    Air,
    Clock,
    Transmission,
    airtime_us,
    on_a_disc,
)
from tinyc.sixlowpan.simulation.energy import energy_uj
from tinyc.sixlowpan.simulation.meter import Meter
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.sixlowpan.simulation.settings import Heard, Make, Outcome, Settings
from tinyc.sixlowpan.simulation.sinks import fragments_of, make_sink
from tinyc.sixlowpan.simulation.station import Job, Spent, Station
from tinyc.sixlowpan.simulation.traffic import (
    ROOM,
    SINK,
    Planned,
    attacker_address,
    key_of,
    lost,
    outgoing,
    planned,
    sender_address,
    udp_datagram,
)

_POLL_US = 50_000
# Datagrams that are under way when the last one was sent are waited for.
_DRAIN_US = 2_000_000
_ACK_US = airtime_us(ACK_BYTES)


@dataclass(slots=True)
class Node:
    """An honest sender: one datagram after the other, fragment by fragment. It gives a datagram up when a
    fragment of it is not acknowledged."""

    number: int
    settings: Settings
    station: Station
    meter: Meter
    fragments: Callable[[Outgoing, int], list[bytes]]
    address: Address = field(init=False)
    sent: int = 0
    whole: int = 0
    _key: bytes = field(init=False)
    _dsn: int = field(init=False)
    _counter: int = field(init=False)
    _queue: list[Planned] = field(default_factory=list)
    _busy: bool = False

    def __post_init__(self) -> None:
        self.address = sender_address(self.number)
        random = Random(f"node/{self.settings.seed}/{self.number}")
        self._key = key_of(self.settings.seed, self.address)
        self._dsn, self._counter = random.randrange(256), random.randrange(1, 1 << 15)

    def start(self) -> None:
        """Plans the first datagram."""
        self._plan(0)

    def _plan(self, number: int) -> None:
        it = self.settings
        one = planned(it.seed, self.number, number, it.rate, it.size, it.loss)
        if one.at_us <= it.seconds * 1_000_000:
            self.station.air.clock.after(
                one.at_us - self.station.air.clock.now, lambda: self._wants(number, one)
            )

    def _wants(self, number: int, one: Planned) -> None:
        self._plan(number + 1)
        self._queue.append(one)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._queue)
        if not self._queue:
            return
        one, mode = self._queue.pop(0), self.settings.mode
        self._counter += 1
        tag, epoch = self._counter & 0xFFFF, self._counter >> 16
        datagram = udp_datagram(self.address, SINK, one.content)
        key = self._key if mode is Mode.KEYED else b""
        payloads = self.fragments(outgoing(self.address, datagram, tag, mode, epoch, key), ROOM)
        self.sent += 1
        self.whole += not lost(one.losses, len(payloads))
        self.meter.sends(self.address, tag, datagram)
        self._fragment(one, tag, payloads, 0)

    def _fragment(self, one: Planned, tag: int, payloads: list[bytes], index: int) -> None:
        self._dsn = (self._dsn + 1) & 0xFF

        def done(success: bool) -> None:
            if success and index + 1 < len(payloads):
                self._fragment(one, tag, payloads, index + 1)
                return
            self.meter.has_sent(self.station.air.clock.now, self.address, tag, self.settings.size)
            self._next()

        frames, answers = one.losses[index]
        self.station.send(
            Job(self.address, SINK, payloads[index], self._dsn, lost=frames, ack_lost=answers, done=done)
        )


@dataclass(slots=True)
class Sink:
    """The node in the middle: takes what is whole, answers, and hands it to its receive side."""

    air: Air
    meter: Meter
    listen: Callable[[Heard], None] | None
    record: Callable[[Captured], None] | None
    attackers: list[tuple[Station, Attack]] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    frames: int = 0
    attack_frames: int = 0
    collisions: int = 0
    taken: int = 0
    _last: tuple[Address, int, bytes] | None = None

    def landed(self, station: Station, job: Job, sent: Transmission, attempt: int) -> bool:
        """At the end of a frame; see `station.Landed`."""
        self.frames += 1
        self.attack_frames += bool(station.attack)
        if self.record is not None:
            rssi = self.air.loudness(0, station.number)
            self.record(Captured(sent.start * 1000, job.mac(), rssi=rssi))
        if not station.attack:
            self._overheard(job, sent)
        if self.air.loudness(0, station.number) >= AUDIBLE_DBM:
            self.spent.listening += sent.end - sent.start
        if not self.air.received(sent, 0):
            self.collisions += 1
            return False
        if attempt in job.lost:
            return False
        self._take(station, job)
        if job.ack:
            self.air.clock.after(TURNAROUND_US, lambda: self._answer(station, job, attempt))
        return job.ack

    def _overheard(self, job: Job, sent: Transmission) -> None:
        fragment = forgery.read(job.payload) if self.attackers else None
        if fragment is not None:
            for station, attack in self.attackers:
                if self.air.received(sent, station.number):
                    attack.overhear(job, fragment)

    def _take(self, station: Station, job: Job) -> None:
        # As the driver does: a repeat of the last frame is answered, but not handed up again.
        this = (job.source, job.dsn, job.payload)
        if job.ack and this == self._last:
            return
        if job.ack:
            self._last = this
        self.taken += 1
        now = self.air.clock.now
        frame = Frame(job.source, job.destination, self.air.rssi(0, station.number), job.dsn, job.payload)
        if self.listen is not None:
            self.listen(Heard(now, frame, station.attack))
        self.meter.input(now, frame, bool(station.attack))

    def _answer(self, station: Station, job: Job, attempt: int) -> None:
        self.spent.sending += _ACK_US
        sent = self.air.begin(0, _ACK_US)

        def ends() -> None:
            heard = attempt not in job.ack_lost and self.air.received(sent, station.number)
            station.acknowledged(job, heard, TURNAROUND_US + _ACK_US)

        self.air.clock.after(_ACK_US, ends)

    def poll(self) -> None:
        """The timer of the receive side."""
        self.meter.poll(self.air.clock.now)
        self.air.clock.after(_POLL_US, self.poll)


def check(settings: Settings) -> None:
    """Raises TinycError for attacks that are not known and numbers that make no sense."""
    problems = []
    for name in settings.attacks:
        if name not in ATTACKS:
            problems.append(name)
    if problems:
        raise TinycError(
            f"no attack is called {', '.join(problems)}", where="--attack", allowed=", ".join(ATTACKS)
        )


def simulate(
    settings: Settings,
    make: Make = make_sink,
    listen: Callable[[Heard], None] | None = None,
    record: Callable[[Captured], None] | None = None,
) -> Outcome:
    """One run. `make` makes the sink's receive side for the addresses of its peers; `listen` is called with
    each frame that reaches it, `record` with each on the air. The same settings give the same outcome.

    Raises TinycError for settings that cannot be simulated.
    """
    check(settings)
    random = Random(f"places/{settings.seed}")
    positions = [(0.0, 0.0)]
    positions += [on_a_disc(random, settings.radius) for _ in range(settings.senders)]
    attackers = Random(f"attackers/{settings.seed}")
    positions += [on_a_disc(attackers, settings.radius) for _ in settings.attacks]
    air = Air(Clock(), Random(f"air/{settings.seed}"), positions)
    honest = tuple(sender_address(i) for i in range(settings.senders))
    own = [attacker_address(i) for i in range(len(settings.attacks))]
    insiders = tuple(it for it, name in zip(own, settings.attacks, strict=True) if name == "insider")
    meter = Meter(make(settings, (*honest, *insiders)), honest, frozenset(own))
    sink = Sink(air, meter, listen, record)

    def station(number: int) -> Station:
        return Station(number, air, Random(f"station/{settings.seed}/{number}"), sink.landed)

    fragments = fragments_of(settings)
    nodes = [Node(i, settings, station(1 + i), meter, fragments) for i in range(settings.senders)]
    for i, name in enumerate(settings.attacks):
        of = station(1 + settings.senders + i)
        of.attack = name
        sink.attackers.append((of, ATTACKS[name](_radio(settings, of, own[i], honest))))
    for node in nodes:
        node.start()
    for _, attack in sink.attackers:
        attack.start()
    sink.poll()
    air.clock.run(round(settings.seconds * 1_000_000) + _DRAIN_US)
    return _outcome(settings, nodes, sink)


def _radio(settings: Settings, station: Station, own: Address, honest: tuple[Address, ...]) -> Radio:
    def transmit(source: Address, payload: bytes, dsn: int, race: bool) -> None:
        station.send(Job(source, SINK, payload, dsn, ack=False, race=race))

    return Radio(
        station.air.clock,
        Random(f"attack/{settings.seed}/{station.attack}"),
        settings.mode,
        own,
        honest,
        settings.size,
        key_of(settings.seed, own),
        transmit,
        lambda: station.waiting,
    )


def _outcome(settings: Settings, nodes: list[Node], sink: Sink) -> Outcome:
    meter = sink.meter
    sent = sum(node.sent for node in nodes)
    spent = [sink.spent, *(node.station.spent for node in nodes)]
    fragments = sink.taken + sum(node.station.frames for node in nodes)
    used = energy_uj(spent, settings.mode, fragments)
    return Outcome(
        settings,
        sent=sent,
        delivered=meter.delivered,
        ceiling=sum(node.whole for node in nodes) / sent if sent else 0.0,
        wrong=meter.wrong,
        wrong_reassembly=meter.wrong_reassembly,
        repeated=meter.repeated,
        attacker_ram=meter.attacker_ram,
        full=meter.full,
        energy_uj=used / meter.delivered if meter.delivered else 0.0,
        false_blocks=len(meter.blocked),
        detection=meter.detection,
        attack_frames=sink.attack_frames,
        collisions=sink.collisions,
        frames=sink.frames,
        channel_losses=sum(node.station.failures for node in nodes),
        counters=meter.counters,
    )
