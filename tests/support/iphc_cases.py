"""Datagrams and compressed headers for the tests, and the C of the firmware that works on them."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.resources import data_folder
from tinyc.sixlowpan.iphc import Context, Headers, IphcError, Link, Reason, decompress, interface_identifier
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

TESTS = Path(__file__).parent.parent
SOURCES = (
    "lpc_address.h",
    "iphc.h",
    "iphc_address.h",
    "iphc.c",
    "iphc_ipv6.c",
    "iphc_work.h",
    "lpc_words.h",
    "iphc_address.c",
    "iphc_compress.c",
    "iphc_sum.c",
    "lpc_words.h",
)
FLAGS = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1")

EXTENDED = Link(bytes.fromhex("0212740000000001"), bytes.fromhex("0212740000000002"))
PREFIX = bytes.fromhex("20010db8000100020000000000000000")
CONTEXTS = (
    Context(0, 64, PREFIX),
    Context(3, 48, bytes.fromhex("20010db8aaaa") + bytes(10)),
    Context(7, 45, bytes.fromhex("20010db8bbbf") + bytes(10)),
    Context(15, 128, bytes.fromhex("20010db8000100020000000000000099")),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One call of the C or of its twin: `compressing`, or the other way round."""

    compressing: bool
    link: Link
    data: bytes
    size: int = 0
    room: int = 104

    def twin(self) -> Headers | Reason:
        try:
            if self.compressing:
                return compress(self.link, self.data, self.size, self.room)
            return decompress(self.link, self.data, self.size, self.room)
        except IphcError as error:
            return error.reason

    def packed(self) -> bytes:
        return bytes([self.compressing]) + _link(self.link) + _data(self.size, self.room, self.data)


def _link(link: Link) -> bytes:
    parts = []
    for address in (link.source, link.destination):
        parts.append(bytes([len(address or b"")]) + (address or b"").ljust(8, b"\0"))
    parts.append(bytes([link.elided, len(link.contexts)]))
    parts.extend(bytes([context.number, context.length]) + context.prefix for context in link.contexts)
    return b"".join(parts)


def _data(size: int, room: int, data: bytes) -> bytes:
    return struct.pack("<HBH", size, room, len(data)) + data


def compiled(compiler: HostCompiler) -> Path:
    """The program of `iphc_main.c` under the sanitizers."""
    folder = data_folder("firmware_templates") / "sixlowpan"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in SOURCES}
    texts["main.c"] = (TESTS / "host" / "iphc_main.c").read_text(encoding="utf-8")
    return compile_cached(compiler, texts, (*FLAGS, *compiler.sanitizer_flags()), "iphc")


def run(program: Path, tasks: Sequence[Task]) -> list[Headers | Reason]:
    """What the C answers to each task."""
    answer = _called(program, b"".join(task.packed() for task in tasks))
    at = 0
    results: list[Headers | Reason] = []
    for _ in tasks:
        result, consumed, made, ip, udp, elided = answer[at : at + 6]
        at += 6
        if result:
            results.append(Reason(result))
            continue
        results.append(Headers(answer[at : at + made], consumed, ip, udp, bool(elided)))
        at += made
    assert at == len(answer)
    return results


def checksums(program: Path, datagrams: Sequence[tuple[bytes, int, int]]) -> list[int]:
    """The UDP checksum that the C computes of each (datagram, ip, udp)."""
    requests = [b"\2" + _link(Link()) + _data(ip, udp, datagram) for datagram, ip, udp in datagrams]
    answer = _called(program, b"".join(requests))
    return [int.from_bytes(answer[i : i + 2], "big") for i in range(0, len(answer), 2)]


def _called(program: Path, request: bytes) -> bytes:
    done = subprocess.run([str(program)], input=request, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def restored(link: Link, datagram: bytes, made: Headers) -> bytes:
    """The datagram after a way through the air in one frame: its headers decompressed."""
    again = decompress(link, made.data + datagram[made.consumed :], 0, 255)
    return again.data + (made.data + datagram[made.consumed :])[again.consumed :]


class Datagrams:
    """Random datagrams whose fields favour what RFC 6282 has short forms for."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def link(self) -> Link:
        rng = self.rng
        ends = [rng.choice([None, rng.randbytes(2), rng.randbytes(8), rng.randbytes(8)]) for _ in range(2)]
        contexts = tuple(rng.sample(CONTEXTS, rng.randrange(len(CONTEXTS) + 1)))
        return Link(ends[0], ends[1], contexts, rng.random() < 0.3)

    def address(self, end: bytes | None, multicast: bool) -> bytes:
        rng = self.rng
        if multicast:
            return rng.choice(
                [
                    b"\xff\x02" + bytes(13) + rng.randbytes(1),
                    b"\xff" + rng.randbytes(1) + bytes(11) + rng.randbytes(3),
                    b"\xff" + rng.randbytes(1) + bytes(9) + rng.randbytes(5),
                    b"\xff\x3e\x00\x40" + PREFIX[:8] + rng.randbytes(4),
                    b"\xff\x3e\x00\x30" + bytes.fromhex("20010db8aaaa0000") + rng.randbytes(4),
                    b"\xff" + rng.randbytes(15),
                ]
            )
        low = rng.choice(
            [
                interface_identifier(end) or bytes(8),
                bytes.fromhex("000000fffe00") + rng.randbytes(2),
                rng.randbytes(8),
            ]
        )
        prefixes = [b"\xfe\x80" + bytes(6), *(context.prefix[:8] for context in CONTEXTS), rng.randbytes(8)]
        return rng.choice(
            [bytes(16), CONTEXTS[3].prefix, rng.choice(prefixes) + low, rng.choice(prefixes) + low]
        )

    def ipv6(self, link: Link, following: int, length: int) -> bytes:
        rng = self.rng
        traffic = rng.choice([0, 0, rng.randrange(256), rng.randrange(4)])
        flow = rng.choice([0, 0, rng.randrange(1 << 20)])
        limit = rng.choice([1, 64, 255, rng.randrange(256)])
        return (
            struct.pack(">IHBB", 6 << 28 | traffic << 20 | flow, length, following, limit)
            + self.address(link.source, False)
            + self.address(link.destination, rng.random() < 0.4)
        )

    def udp(self, payload: int) -> bytes:
        rng = self.rng
        ports = [
            rng.choice([0xF0B0 | rng.randrange(16), 0xF000 | rng.randrange(256), rng.randrange(65536)])
            for _ in "ab"
        ]
        return struct.pack(">HHHH", *ports, 8 + payload, rng.randrange(65536)) + rng.randbytes(payload)

    def extension(self, protocol: int, following: int) -> bytes:
        rng = self.rng
        total = 8 * rng.randrange(1, 4)
        padding = rng.randrange(8) if protocol in (0, 60) else 0
        end = bytes(padding) if padding < 2 else bytes([1, padding - 2]) + bytes(padding - 2)
        body = rng.randbytes(total - 2 - len(end)) if total - 2 > len(end) else b""
        if protocol in (0, 60) and len(body) >= 2 and rng.random() < 0.7:
            body = bytes([5, len(body) - 2]) + body[2:]
        body = (body + end).ljust(total - 2, b"\0")[: total - 2]
        return bytes([following, total // 8 - 1]) + body

    def datagram(self, link: Link) -> bytes:
        """A datagram with up to three headers before UDP or something else."""
        rng = self.rng
        rest = self.udp(rng.randrange(20)) if rng.random() < 0.8 else rng.randbytes(rng.randrange(20))
        following = 17 if rest and rng.random() < 0.9 else 58
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            protocol = rng.choice([0, 43, 60, 60, 135, 41])
            if protocol == 41:
                rest = self.ipv6(link, following, len(rest)) + rest
            else:
                rest = self.extension(protocol, following) + rest
            following = protocol
        return self.ipv6(link, following, len(rest)) + rest

    def compressed(self, link: Link) -> bytes:
        """Bytes that begin like IPHC, most of them a damaged copy of something whole."""
        rng = self.rng
        if rng.random() < 0.4:
            return bytes([0x60 | rng.randrange(32)]) + rng.randbytes(rng.randrange(110))
        try:
            datagram = self.datagram(link)
            made = compress(link, datagram, 0, 255)
            data = bytearray(made.data + datagram[made.consumed :])[:200]
        except IphcError:
            data = bytearray(rng.randbytes(40))
        for _ in range(rng.choice([0, 0, 1, 2, 4])):
            data[rng.randrange(min(len(data), 60))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        return bytes(data)


__all__ = ["Datagrams", "Task", "checksums", "compiled", "restored", "run", "udp_checksum"]
