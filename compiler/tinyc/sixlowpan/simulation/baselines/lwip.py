"""lwIP's 6LoWPAN as a peer: a process of its own, built from the system's package of lwIP (`lwip_peer.c`).

Nothing of lwIP is changed but where a reassembled datagram goes, the heap, of which it is known what is held
for whom, the neighbour table and the clock. Its timer is the default: once a second, and a datagram
is given up at the second tick. Sizes are those of this machine: pointers of 8 bytes, and a first fragment's
headers in a buffer of the pool, as the package was built.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType

from tinyc.errors import TinycError
from tinyc.sixlowpan import frames
from tinyc.sixlowpan.fragments import HEADER_FIRST
from tinyc.sixlowpan.frames import Address, MacFrame
from tinyc.sixlowpan.simulation.baselines.pieces import Key, udp_is_right
from tinyc.sixlowpan.simulation.reassembly import Frame, Holding, Received
from tinyc.toolchain.host_compiler import compile_cached, compiler_called

_SOURCE = "lwip_peer.c"
_PAN = 0xABCD
_ROOM = frames.LARGEST
_FLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wl,--no-as-needed", "-llwip")
_FOLDERS = ("/usr/include/lwip", "/usr/local/include/lwip")


def _headers() -> str | None:
    return next((it for it in _FOLDERS if (Path(it) / "netif" / "lowpan6.h").is_file()), None)


def available() -> bool:
    """Whether lwIP's headers and a C compiler are on this machine."""
    return _headers() is not None and shutil.which("cc") is not None


@cache
def _program() -> Path:
    headers, compiler = _headers(), compiler_called("cc")
    if headers is None or compiler is None:
        raise TinycError("lwIP is not on this machine", hint="install Debian's package liblwip-dev, and gcc")
    text = Path(__file__).with_name(_SOURCE).read_text(encoding="utf-8")
    return compile_cached(compiler, {_SOURCE: text}, (*_FLAGS, "-isystem", headers), "lwip_peer")


@dataclass(slots=True)
class Lwip:
    """A peer. Raises TinycError where lwIP is not installed. `close` ends its process."""

    _process: subprocess.Popen[bytes] = field(init=False)
    _labels: list[Key | None] = field(default_factory=list)
    _up: list[Received] = field(default_factory=list)
    _held: list[Holding] | None = None
    _second: int = 0

    def __post_init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([str(_program())], stdin=pipe, stdout=pipe)

    def __enter__(self) -> Lwip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.kill()

    def _call(self, command: bytes) -> Iterator[tuple[bytes, bytes]]:
        """What it answers, as kinds and contents."""
        to, answer = self._process.stdin, self._process.stdout
        assert to is not None
        assert answer is not None
        to.write(command)
        to.flush()
        while (kind := answer.read(1)) != b"E":
            if not kind:
                raise RuntimeError(f"lwIP's process ended with status {self._process.wait()}")
            length = 8 if kind == b"H" else int.from_bytes(answer.read(2), "little")
            yield kind, answer.read(length)

    def input(self, now_ms: int, frame: Frame) -> None:
        """A frame."""
        self.poll(now_ms)
        payload, key = frame.payload, None
        header = MacFrame(
            sequence=frame.dsn & 0xFF,
            destination_pan=_PAN,
            source_pan=_PAN,
            destination=frame.destination,
            source=frame.source,
        )
        if len(payload) >= HEADER_FIRST:
            size, tag = int.from_bytes(payload[:2], "big") & 0x7FF, int.from_bytes(payload[2:4], "big")
            key = Key(frame.source, frame.destination, size, tag)
        self._labels.append(key)
        self._held = None
        mpdu = frames.header(header) + payload
        if len(mpdu) > _ROOM:
            raise ValueError(f"a frame has {_ROOM} bytes at most, not {len(mpdu)}")
        for _, datagram in self._call(b"F" + struct.pack("<H", len(mpdu)) + mpdu):
            size, tag = (key.size, key.tag) if key and payload[0] >= 0xC0 else (len(datagram), 0)
            self._up.append(Received(frame.source, tag, size, datagram, udp_is_right(datagram)))

    def poll(self, now_ms: int) -> None:
        """Time passes; its timer runs once a second."""
        if now_ms // 1000 != self._second:
            self._second, self._held = now_ms // 1000, None
            for _ in self._call(b"T" + struct.pack("<I", now_ms)):
                raise RuntimeError("lwIP does nothing but forget when time passes")

    def take(self) -> list[Received]:
        """What was handed up since the last call."""
        up, self._up = self._up, []
        return up

    def held(self) -> list[Holding]:
        """The datagrams under way and the blocks of the heap that their fragments are in."""
        if self._held is None:
            octets: dict[Key, int] = {}
            for _, content in self._call(b"Q"):
                label, count = struct.unpack("<II", content)
                if key := self._labels[label - 1]:
                    octets[key] = octets.get(key, 0) + count
            self._held = [Holding(it.source, it.tag, it.size, count) for it, count in octets.items()]
        return self._held

    def blocked(self, source: Address) -> bool:
        """Nobody is."""
        return False

    def send(self, source: Address, datagram: bytes) -> list[bytes]:
        """The frames that lwIP makes of a datagram between link-local addresses that were made of short ones,
        with their check sums. `source`: the short one it is sent from; the other one is the datagram's."""
        if source.kind != 2:
            raise ValueError("lwIP sends from short addresses here")
        command = b"S" + source.value + struct.pack("<H", len(datagram)) + datagram
        return [frame for _, frame in self._call(command)]
