"""What a receiver would have made of a capture: a verdict for each datagram, and why.

For each address that frames go to there is a receiver of its own, with the keys of that node's file if it
is given. Link-layer repeats are fed as they come: it is the receiver's business that they cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tinyc.sixlowpan import frames
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.fragments import CHAINED, FIRST, HEADER_FIRST, LATER, Mode, Verdict
from tinyc.sixlowpan.frames import Address, MacFrame, MacType, MacVerdict
from tinyc.sixlowpan.iphc import IphcError, Link, decompress
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.peers import Node
from tinyc.sixlowpan.receiver import Receiver

_QUIET = (Verdict.TAKEN, Verdict.DELIVERED, Verdict.DUPLICATE, Verdict.DONE_DUPLICATE)


@dataclass(slots=True)
class Judged:
    """A datagram. `frames`: those that belong to it, repeats among them; `first`: the number of the first in
    the capture, from 1. `delivered`; `why`: what was wrong, each reason with its count."""

    first: int
    time_ns: int
    source: Address
    destination: Address
    size: int
    tag: int | None
    mode: Mode
    frames: int = 0
    delivered: bool = False
    why: Counter[str] = field(default_factory=Counter)

    @property
    def verdict(self) -> str:
        """One word."""
        return "delivered" if self.delivered else "refused" if self.why else "incomplete"


@dataclass(slots=True)
class Examiner:
    """Feed it frames in order; `datagrams` is what became of them, `skipped` frames of other kinds."""

    nodes: Iterable[Node] = ()
    datagrams: list[Judged] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    _receivers: dict[Address, Receiver] = field(default_factory=dict)
    _open: dict[tuple[object, ...], Judged] = field(default_factory=dict)

    def feed(self, number: int, captured: Captured) -> None:
        """One frame, the `number`th of the capture."""
        if captured.cut:
            self.skipped["cut by the recorder"] += 1
        elif captured.sound is False:
            self.skipped["wrong check sum"] += 1
        else:
            verdict, frame = frames.parse(captured.data)
            if verdict is not MacVerdict.OK:
                self.skipped[f"header: {verdict.name.lower()}"] += 1
            elif frame.type != MacType.DATA:
                self.skipped["not data"] += 1
            else:
                self._data(number, captured, frame)

    def _data(self, number: int, captured: Captured, frame: MacFrame) -> None:
        payload = captured.data[frame.payload : frame.payload + frame.payload_length]
        receiver = self._receiver(frame.destination)
        now = captured.time_ns // 1_000_000 % 2**32
        verdict = receiver.input(now, frame.source, frame.destination, payload)
        chained = payload[:1] == bytes([CHAINED])
        inner = payload[chained:]
        if verdict is Verdict.WHOLE:
            judged = self._new(number, captured, frame, len(payload), None, Mode.LEGACY)
            judged.frames = 1
            verdict = receiver.whole(now, frame.source, frame.destination, payload)
            judged.delivered = verdict is Verdict.DELIVERED
            if judged.delivered:
                judged.size = receiver.delivered[-1].key.size
            else:
                judged.why[_why(receiver, frame, verdict, payload, 0)] += 1
            return
        if len(inner) < HEADER_FIRST or inner[0] & 0xF8 not in (FIRST, LATER):
            self.skipped[f"payload: {verdict.name.lower()}"] += 1
            return
        size, tag = (inner[0] & 7) << 8 | inner[1], int.from_bytes(inner[2:4], "big")
        keyed = any(peer.address == frame.source and peer.key for peer in receiver.peers)
        mode = Mode.LEGACY if not chained else Mode.KEYED if keyed else Mode.CONTENT
        key = (frame.source, frame.destination, size, tag, mode)
        known = self._open.get(key)
        # After the end of one datagram, a first fragment that is taken again begins another.
        again = known is not None and known.delivered and verdict in (Verdict.TAKEN, Verdict.DELIVERED)
        if known is None or again:
            known = self._open[key] = self._new(number, captured, frame, size, tag, mode)
        known.frames += 1
        if verdict not in _QUIET:
            known.why[_why(receiver, frame, verdict, inner[HEADER_FIRST:], size)] += 1
        known.delivered = known.delivered or verdict is Verdict.DELIVERED

    def _receiver(self, destination: Address) -> Receiver:
        if destination not in self._receivers:
            node = next((it for it in self.nodes if it.address == destination), Node(destination))
            sizes = Sizes(peers=max(len(node.peers), Sizes().peers))
            self._receivers[destination] = Receiver(node.peers, sizes, link=Link(contexts=node.contexts))
        return self._receivers[destination]

    def _new(
        self, number: int, captured: Captured, frame: MacFrame, size: int, tag: int | None, mode: Mode
    ) -> Judged:
        judged = Judged(number, captured.time_ns, frame.source, frame.destination, size, tag, mode)
        self.datagrams.append(judged)
        return judged


def _why(receiver: Receiver, frame: MacFrame, verdict: Verdict, content: bytes, size: int) -> str:
    """The verdict's name; of headers that cannot be expanded, what is wrong with them."""
    if verdict is Verdict.BAD_IPHC:
        link = replace(receiver.link, source=frame.source.value, destination=frame.destination.value)
        try:
            decompress(link, content, size)
        except IphcError as error:
            return f"headers: {error.reason.name.lower()}"
    return verdict.name.lower()


def examine(captured: Iterable[Captured], nodes: Iterable[Node] = ()) -> Examiner:
    """All frames of a capture, judged."""
    examiner = Examiner(tuple(nodes))
    for number, frame in enumerate(captured, 1):
        examiner.feed(number, frame)
    return examiner
