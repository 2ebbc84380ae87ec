"""What a 6LoWPAN node tells of itself over the serial port: counters, memory, neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyc.device.errors import ProtocolError
from tinyc.sixlowpan.fragments import Verdict
from tinyc.sixlowpan.frames import Address

if TYPE_CHECKING:
    from tinyc.device.client import DeviceClient

# `struct lowpan_counters` of lowpan_node.h.
NODE = ("received", "echoes", "strange", "other", "sent", "failed", "fragments")
# `struct radio_counters` of radio.h.
RADIO = (
    *("received", "bad_check_sum", "filtered", "repeated", "no_room", "acks_sent", "acks_late"),
    *("sent", "attempts", "busy", "no_ack"),
)
_MOST_NEIGHBOURS = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Fragments and datagrams that are held, and what there is room for. `slot_bytes` are those of one."""

    slots: int
    slots_of: int
    slot_bytes: int
    contexts: int
    contexts_of: int
    neighbours_of: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A neighbour: `struct lpc_neighbour`. Keyed evidence has an entry of its own."""

    address: Address
    keyed: bool
    score: int
    ok: int
    """Datagrams that it has completed; 255 says: or more."""
    streak: int
    """Failures since the last of them."""
    blocked: bool

    @property
    def proven(self) -> bool:
        """Whether it has ever completed a datagram."""
        return self.ok > 0


@dataclass(frozen=True, slots=True)
class Told:
    """All counters since the start of the node, `milliseconds` ago modulo 2^32."""

    milliseconds: int
    verdicts: Mapping[Verdict, int]
    node: Mapping[str, int]
    """Of whole datagrams."""
    radio: Mapping[str, int]
    """Of frames."""
    memory: Memory


class LowpanClient:
    """The 6LoWPAN part of a device. ProtocolError for firmware that has none."""

    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def told(self) -> Told:
        """Counters and memory."""
        from tinyc.device.lowpan_messages import Lowpan

        answer = self._client.request(Lowpan())
        return Told(
            answer.ms,
            dict(zip(Verdict, _numbers("counters", answer.counters, len(Verdict)), strict=False)),
            dict(zip(NODE, _numbers("node", answer.node, len(NODE)), strict=False)),
            dict(zip(RADIO, _numbers("radio", answer.radio, len(RADIO)), strict=False)),
            Memory(*_numbers("memory", answer.memory, 6)[:6]),
        )

    def neighbours(self) -> tuple[Standing, ...]:
        """Who has a score, in the order of the node's table."""
        from tinyc.device.lowpan_messages import Neighbours

        room = self.told().memory.neighbours_of
        if room > _MOST_NEIGHBOURS:
            raise _nonsense("memory", f"room for at most {_MOST_NEIGHBOURS} neighbours")
        found: list[Standing] = []
        first = 0
        while first < room:
            answer = self._client.request(Neighbours(first=first))
            if answer.next <= first:
                raise _nonsense("next", f"more than {first}")
            found += [
                Standing(_address(value), bool(keyed), score, ok, streak, bool(blocked))
                for value, keyed, score, ok, streak, blocked in answer.neighbours
            ]
            first = answer.next
        return tuple(found)


def _numbers(name: str, told: Sequence[int], least: int) -> Sequence[int]:
    """Later versions may send more numbers than this one knows."""
    if len(told) < least:
        raise _nonsense(name, f"{least} numbers or more")
    return told


def _address(value: bytes) -> Address:
    try:
        return Address(value)
    except ValueError as error:
        raise _nonsense("neighbours", "addresses of 2 or 8 bytes") from error


def _nonsense(what: str, allowed: str) -> ProtocolError:
    return ProtocolError(f"the device's answer about 6LoWPAN makes no sense: `{what}`", allowed=allowed)
