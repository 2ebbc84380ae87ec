"""The 6LoWPAN receive path compiled for this machine, and what is played to it and to its twin."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyc.sixlowpan import frames, sender
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.datagrams import Datagram
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.features import Features, Meta
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link, interface_identifier
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.sender import Outgoing
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

MAIN = Path(__file__).parent.parent / "host" / "lpc_main.c"
FLAGS = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g")
MARK = 0xD0D0D0D0
IPV6 = b"\x41"
_META = Meta(-60)


def compiled(compiler: HostCompiler, sizes: Sizes, peers: Sequence[Peer], rank: bool = False) -> Path:
    """A program with these tables, with sanitizers."""
    texts = receive_texts(sizes, peers, rank) | {"main.c": MAIN.read_text(encoding="utf-8")}
    return compile_cached(compiler, texts, (*FLAGS, *compiler.sanitizer_flags()), "lpc")


def run(program: Path, script: bytes) -> bytes:
    """What the program answers. A sanitizer's message fails the test."""
    done = subprocess.run([program], input=script, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, (done.returncode, done.stderr.decode(errors="replace")[-4000:])
    return done.stdout


def words(*numbers: int) -> bytes:
    """32 bits each, little endian."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


@dataclass(slots=True)
class Play:
    """Plays to the twin, and writes down the same for the C with what it has to answer."""

    receiver: Receiver
    script: bytearray = field(default_factory=bytearray)
    expected: bytearray = field(default_factory=bytearray)

    def _state(self, source: Address) -> None:
        total = 0
        for count in self.receiver.counters:
            total = (total * 31 + count) % 2**32
        scores = [self.receiver.scores.score(source, keyed) for keyed in (False, True)]
        self.expected += words(*self.receiver.contexts.in_use(), total, *scores)

    @classmethod
    def ranked(cls, sizes: Sizes, peers: Sequence[Peer]) -> Play:
        """With the program's own ranks, which depend on all features."""

        def rank(features: Features) -> int:
            made.expected += bytes(features)
            total = 0
            for value in features:
                total = (total * 31 + value) % 2**32
            return total >> 3 & 0xFF

        made = cls(Receiver(peers, sizes, rank))
        return made

    def frame(
        self, now: int, source: Address, destination: Address, payload: bytes, meta: Meta = _META
    ) -> int:
        """A frame; its verdict."""
        before = len(self.receiver.delivered)
        verdict = self.receiver.input(now % 2**32, source, destination, payload, meta)
        self.script += b"f" + words(now % 2**32) + source.packed() + destination.packed()
        self.script += bytes([meta.rssi % 256, meta.dsn]) + words(len(payload)) + payload
        self._answer(before, verdict, source)
        return verdict

    def whole(self, now: int, source: Address, destination: Address, payload: bytes) -> int:
        """A datagram in one frame; its verdict."""
        before = len(self.receiver.delivered)
        verdict = self.receiver.whole(now % 2**32, source, destination, payload)
        self.script += b"o" + words(now % 2**32) + source.packed() + destination.packed()
        self.script += bytes(2) + words(len(payload)) + payload
        self._answer(before, verdict, source)
        return verdict

    def _answer(self, before: int, verdict: int, source: Address) -> None:
        for datagram in self.receiver.delivered[before:]:
            self.expected += delivered_bytes(datagram)
        self.expected += words(verdict)
        self._state(source)

    def poll(self, now: int, source: Address) -> None:
        """Time passes."""
        self.receiver.poll(now % 2**32)
        self.script += b"p" + words(now % 2**32) + source.packed()
        self._state(source)

    def restart(self, tops: Sequence[int]) -> None:
        """The node forgets all but these bounds, one per peer."""
        old = self.receiver
        self.receiver = Receiver(old.peers, old.sizes, old.rank, old.link)
        self.script += b"i"
        for peer, top in enumerate(tops):
            self.receiver.resume(peer, top)
            self.script += b"r" + words(peer, top)

    def held(self) -> None:
        """What is under way and what it takes."""
        self.script += b"w"
        for it in self.receiver.contexts.held():
            self.expected += it.key.source.packed() + it.key.destination.packed()
            self.expected += words(it.key.size, it.key.tag, it.key.mode, it.slots, it.octets)
        self.expected += words(0)

    def forget(self, source: Address) -> None:
        """A node leaves."""
        self.receiver.forget(source)
        self.script += b"g" + source.packed()
        self._state(source)


def delivered_bytes(datagram: Datagram) -> bytes:
    """What the program says of a delivered datagram."""
    key = datagram.key
    made = words(MARK) + key.source.packed() + key.destination.packed() + words(key.size, key.tag, key.mode)
    made += words(datagram.upper, datagram.protocol, len(datagram.header)) + datagram.header
    return made + b"".join(words(len(it)) + it for it in datagram.pieces) + words(0)


def ipv6(size: int, fill: bytes, addresses: bytes = bytes(range(32))) -> bytes:
    """A UDP datagram that is right, with this repeated in it; below 48 bytes one without a next header."""
    payload = (fill * (size // len(fill) + 1))[: size - 40]
    length = (size - 40).to_bytes(2, "big")
    if size < 48:
        return b"\x60\0\0\0" + length + b"\x3b\x40" + addresses + payload
    udp = b"\x16\x33\x16\x34" + length + bytes(2) + payload[8:]
    made = b"\x60\0\0\0" + length + b"\x11\x40" + addresses + udp
    return made[:46] + udp_checksum(made, 0, 40).to_bytes(2, "big") + made[48:]


def local(address: Address) -> bytes:
    """Its link-local IPv6 address."""
    identifier = interface_identifier(address.value)
    assert identifier is not None
    return b"\xfe\x80" + bytes(6) + identifier


def header_only(size: int, tag: int, payload: bytes) -> bytes:
    """A first fragment in legacy mode of a datagram that never goes on; its payload is cut to 8n bytes."""
    content = ipv6(size, payload)[: 40 + len(payload) // 8 * 8]
    return (0xC000 | size).to_bytes(2, "big") + tag.to_bytes(2, "big") + IPV6 + content


def outgoing(datagram: bytes, source: Address, destination: Address, **how: object) -> Outgoing:
    """A datagram as it is, behind the dispatch of uncompressed IPv6."""
    return Outgoing(source, destination, header=IPV6, covers=0, rest=datagram, **how)  # type: ignore[arg-type]


def compressed(datagram: bytes, source: Address, destination: Address, **how: object) -> Outgoing:
    """A datagram behind headers that are compressed as far as they can be."""
    made = compress(Link(source.value, destination.value), datagram, len(datagram))
    rest = datagram[made.consumed :]
    return Outgoing(source, destination, header=made.data, covers=made.consumed, rest=rest, **how)  # type: ignore[arg-type]


def send_script(it: Outgoing, room: int) -> bytes:
    """What makes the program send it."""
    numbers = (it.mode, it.tag, it.epoch, it.covers, len(it.header), len(it.rest), room)
    made = b"s" + it.source.packed() + it.destination.packed() + words(*numbers)
    return made + it.key.ljust(16, b"\0") + it.header + it.rest


def sent_bytes(it: Outgoing, room: int) -> bytes:
    """What it has to answer."""
    return b"".join(words(len(one)) + one for one in sender.fragments(it, room)) + words(0)


@dataclass(frozen=True, slots=True)
class CorpusFrame:
    """A frame of the corpus: when, from whom, to whom, and the MAC payload."""

    at: int
    source: Address
    destination: Address
    payload: bytes


@dataclass(frozen=True, slots=True)
class CorpusCase:
    """A sequence of frames, and the datagrams that honest nodes sent in it."""

    name: str
    frames: tuple[CorpusFrame, ...]
    datagrams: tuple[bytes, ...]


def corpus(path: Path) -> list[CorpusCase]:
    """All cases; frames that the MAC refuses are left out."""
    cases = []
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        taken = []
        for frame in case["frames"]:
            data = bytes.fromhex(frame["hex"])
            verdict, mac = frames.parse(data)
            if verdict is frames.MacVerdict.OK:
                payload = data[mac.payload : mac.payload + mac.payload_length]
                taken.append(CorpusFrame(frame["t_ms"], mac.source, mac.destination, payload))
        datagrams = tuple(bytes.fromhex(text) for text in case["legit_datagrams"])
        cases.append(CorpusCase(case["name"], tuple(taken), datagrams))
    return cases
