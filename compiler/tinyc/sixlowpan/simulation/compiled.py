"""The generated C as the simulator's nodes: compiled for this machine, called through cffi."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tinyc.errors import TinycError
from tinyc.resources import data_folder
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.fragments import Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation.reassembly import Frame, Holding, Received
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

_FLAGS = (*WARNINGS, "-O2", "-fPIC", "-shared", '-DLPC_STATE=__attribute__((section("lpc_state")))')
_HEAD = 13  # bytes before a datagram that is taken: source, tag, size
_FRAMES = 32768
_DECLARATIONS = """
struct node_holding { uint8_t source[9]; uint16_t tag, size, bytes; };
uint32_t node_state_size(void);
void node_leave(uint8_t *state);
void node_enter(const uint8_t *state);
void node_start(void);
uint32_t node_peer(uint32_t index, const uint8_t *address, uint8_t mode_min, const uint8_t *key);
uint32_t node_take(const uint8_t **bytes);
uint32_t node_input(uint32_t now_ms, const uint8_t *source, const uint8_t *destination, int8_t rssi,
                    uint8_t dsn, const uint8_t *payload, uint8_t length);
void node_poll(uint32_t now_ms);
uint32_t node_held(struct node_holding *table);
uint32_t node_full(void);
uint32_t node_blocked(const uint8_t *address, uint32_t keyed);
uint32_t node_counter(uint32_t which);
uint32_t node_send(const uint8_t *source, const uint8_t *destination, const uint8_t *header,
                   uint8_t header_length, uint16_t covers, const uint8_t *rest, uint16_t rest_length,
                   uint8_t mode, uint32_t counter, const uint8_t *key, uint8_t room, uint8_t *frames);
"""


def _cffi() -> Any:
    if sys.platform != "linux":
        # Nodes are told apart by a section whose bounds the linker names: that is how ELF does it.
        raise TinycError(
            f"the generated C is simulated on Linux only, and this is {sys.platform}",
            where="--engine c",
            hint="--engine twin runs the same rules in Python",
        )
    try:
        import cffi
    except ImportError as error:
        raise TinycError(
            "the generated C is called through cffi, which is not installed",
            where="--engine c",
            hint='pip install "tinyc[simulate]", or --engine twin for the same rules in Python',
        ) from error
    return cffi


@dataclass(slots=True)
class Library:
    """The compiled code, and the node that is in it now."""

    ffi: Any
    code: Any
    sizes: Sizes
    current: CompiledNode | None = None

    def fragments(self, it: Outgoing, room: int) -> list[bytes]:
        """As `sender.fragments`."""
        frames = self.ffi.new("uint8_t[]", _FRAMES)
        key = self.ffi.from_buffer(it.key) if it.key else self.ffi.NULL
        addresses = (it.source.packed(), it.destination.packed())
        header, counter = (it.header, len(it.header), it.covers), it.epoch << 16 | it.tag
        length = self.code.node_send(
            *addresses, *header, it.rest, len(it.rest), int(it.mode), counter, key, room, frames
        )
        made, at = [], 0
        while at < length:
            made.append(bytes(self.ffi.buffer(frames + at + 1, frames[at])))
            at += 1 + frames[at]
        return made


@cache
def library(sizes: Sizes) -> Library:
    """The code with these sizes. Raises TinycError without cffi or a compiler."""
    cffi = _cffi()
    shim = data_folder("firmware_templates") / "sixlowpan" / "host_node.c"
    texts = receive_texts(sizes, ()) | {"host_node.c": shim.read_text(encoding="utf-8")}
    # The simulator's nodes have their own peers.
    del texts["lpc_peers.c"]
    path = compile_cached(find_compiler(), texts, _FLAGS, "lpc_nodes.so")
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    return Library(ffi, ffi.dlopen(str(path)), sizes)


@dataclass(slots=True)
class CompiledNode:
    """One node's receive path in C."""

    shared: Library
    peers: tuple[Peer, ...]
    _state: Any = field(init=False)
    _holdings: Any = field(init=False)
    _keyed: frozenset[Address] = field(init=False)

    def __post_init__(self) -> None:
        ffi, code = self.shared.ffi, self.shared.code
        self._state = ffi.new("uint8_t[]", code.node_state_size())
        self._holdings = ffi.new("struct node_holding[]", self.shared.sizes.contexts)
        self._keyed = frozenset(peer.address for peer in self.peers if peer.key is not None)
        self._leave()
        code.node_start()
        for i, peer in enumerate(self.peers):
            key = ffi.from_buffer(peer.key) if peer.key is not None else ffi.NULL
            assert code.node_peer(i, peer.address.packed(), int(peer.mode_min), key)

    def _leave(self) -> None:
        """The node that is in the code goes; this one is in it."""
        before = self.shared.current
        if before is not None:
            self.shared.code.node_leave(before._state)
        self.shared.current = self

    def _code(self) -> Any:
        if self.shared.current is not self:
            self._leave()
            self.shared.code.node_enter(self._state)
        return self.shared.code

    def input(self, now_ms: int, frame: Frame) -> None:
        """A frame."""
        addresses = (frame.source.packed(), frame.destination.packed())
        self._code().node_input(now_ms, *addresses, frame.rssi, frame.dsn, frame.payload, len(frame.payload))

    def poll(self, now_ms: int) -> None:
        """Time passes."""
        self._code().node_poll(now_ms)

    def take(self) -> list[Received]:
        """What was handed up since the last call; all of it is verified."""
        where = self.shared.ffi.new("const uint8_t **")
        length = self._code().node_take(where)
        data = bytes(self.shared.ffi.buffer(where[0], length)) if length else b""
        made, at = [], 0
        while at < len(data):
            source = Address(data[at : at + data[at + 8]])
            tag = int.from_bytes(data[at + 9 : at + 11], "little")
            size = int.from_bytes(data[at + 11 : at + 13], "little")
            at += _HEAD + size
            made.append(Received(source, tag, size, data[at - size : at], True))
        return made

    def held(self) -> list[Holding]:
        """The datagrams under way."""
        count, table = self._code().node_held(self._holdings), self._holdings
        return [
            Holding(Address(bytes(it.source)[: it.source[8]]), it.tag, it.size, it.bytes)
            for it in (table[i] for i in range(count))
        ]

    def blocked(self, source: Address) -> bool:
        """Whether new datagrams of this address are refused."""
        return bool(self._code().node_blocked(source.packed(), source in self._keyed))

    def full(self) -> bool:
        """Whether a first fragment finds no free slot or context."""
        return bool(self._code().node_full())

    def counters(self) -> dict[str, int]:
        """By verdict and event."""
        code = self._code()
        return {it.name.lower(): int(code.node_counter(it)) for it in Verdict}
