"""What a device that learns can be asked, in the words of a learner.

Every request here may be sent again after a lost answer. TEACH names its observation, LEARN_DO the
sequence number that it starts from: the device answers a repetition with what it has done, and does it
once. See `docs/reference/protocol.md`.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinyc.device import learn_messages as messages
from tinyc.device import limits
from tinyc.device.errors import ProtocolError
from tinyc.device.learn_messages import Deed
from tinyc.device.learned import (
    ClassEntry,
    Counts,
    Done,
    Drift,
    Duel,
    Kept,
    Learned,
    Marks,
    Observation,
    Outcome,
    Shape,
    Taught,
)
from tinyc.device.text import plain
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.device.client import DeviceClient

# Learning may run a guard set through a head, and erase pages of flash.
_SECONDS = 15.0
BODY_BYTES = 8
# More than any flash has for it.
_LARGEST_STATE = 1 << 20


_Record = TypeVar("_Record", Shape, Kept, Counts, Marks, Duel)


class Learner:
    """The learning part of a device. ProtocolError for firmware that does not learn."""

    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def learned(self) -> Learned:
        """What the head is, and what has been learned."""
        told = self._client.request(messages.Learn())
        gate, result = _numbers("last", told.last, 2)[:2]
        shape = _record(Shape, "shape", told.shape)
        drift, alarms, wants, high, low = told.drift
        if len(told.body) != BODY_BYTES:
            raise _nonsense("body", "8 bytes")
        if shape.factory_classes > shape.capacity or not 0 < shape.state_bytes <= _LARGEST_STATE:
            raise _nonsense("shape", "a head with fewer classes than it has room for, and a state")
        return Learned(
            told.kind,
            told.body,
            shape,
            told.classes,
            _record(Kept, "store", told.store),
            _record(Counts, "counts", told.counts),
            _outcome(gate),
            _outcome(result),
            _record(Marks, "marks", told.marks),
            _record(Duel, "duel", told.duel),
            _drift(drift),
            alarms,
            bool(wants),
            high,
            low,
        )

    def observation(self) -> Observation:
        """What the head said to the last inference."""
        told = self._client.request(messages.Observed())
        return Observation(
            told.seen, told.label, told.score, told.shadow, told.surprise, _drift(told.drift), told.taught
        )

    def teach(self, seen: int, label: int) -> Taught:
        """Tell the class of observation `seen`. Learns once, however often the request arrives.

        Raises ProtocolError when that is not the last observation any more.
        """
        return self._taught(messages.Teach(seen=seen, label=label), seen)

    def teach_values(self, seen: int, values: npt.NDArray[np.float32] | Sequence[float]) -> Taught:
        """The same for heads whose answers are numbers."""
        data = np.asarray(values, "<f4").tobytes()
        room = limits.largest_values(self._client.buffer_bytes())
        if len(data) > room:
            raise TinycError(f"{len(data) // 4} values do not fit one message", allowed=f"{room // 4}")
        return self._taught(messages.Teach(seen=seen, values=data), seen)

    def teach_itself(self, seen: int) -> Taught:
        """The observation was a normal one: what an autoencoder should give is its input."""
        return self._taught(messages.Teach(seen=seen), seen)

    def _taught(self, request: messages.Teach, seen: int) -> Taught:
        told = self._client.request(request, _SECONDS)
        if told.seen != seen:
            raise ProtocolError(f"the device learned observation {told.seen} for {seen}")
        return Taught(_outcome(told.result), told.cycles)

    def class_of(self, name: str) -> int:
        """The index of the class of this name, which becomes one. Raises ProtocolError without room."""
        return self._client.request(messages.ClassNamed(name=name)).index

    def class_at(self, index: int) -> ClassEntry:
        """Name and samples of a class."""
        told = self._client.request(messages.ClassAt(index=index))
        if told.index != index:
            raise ProtocolError(f"the device told of class {told.index} for {index}")
        return ClassEntry(told.index, plain(told.name), told.samples)

    def classes(self, shape: Shape) -> tuple[ClassEntry, ...]:
        """All classes that there is room for; none for a head whose answers are numbers."""
        if shape.regression:
            return ()
        return tuple(self.class_at(index) for index in range(shape.capacity))

    def head(self, size: int) -> bytes:
        """The first `size` bytes of the active head: state, then the names of the classes it learned."""
        parts = []
        most = limits.largest_data(self._client.buffer_bytes())
        for off in range(0, size, most):
            count = min(most, size - off)
            told = self._client.request(messages.HeadPart(off=off, len=count))
            if (told.off, len(told.data)) != (off, count):
                raise ProtocolError(f"the device sent {len(told.data)} bytes of the head for {count}")
            parts.append(told.data)
        return b"".join(parts)

    def promote(self, at: int) -> Done:
        """Make what was learned active, if the gate says so. `at`: the active head's sequence number."""
        return self._do(messages.LearnDo(do=Deed.PROMOTE, at=at))

    def revert(self, at: int) -> Done:
        """Back to the head before."""
        return self._do(messages.LearnDo(do=Deed.REVERT, at=at))

    def factory(self, at: int) -> Done:
        """Back to the head that the firmware came with; what was learned is forgotten."""
        return self._do(messages.LearnDo(do=Deed.FACTORY, at=at))

    def discard(self, at: int) -> Done:
        """Forget what was learned since the last promotion."""
        return self._do(messages.LearnDo(do=Deed.RESET, at=at))

    def load(self, data: bytes, body: bytes, at: int, *, force: bool = False) -> Done:
        """Bring the bytes of a head to the device and make it active, if the gate says so.

        With `force` nobody asks the gate; the device counts that.
        """
        most = limits.largest_data(self._client.buffer_bytes())
        for off in range(0, len(data), most):
            part = data[off : off + most]
            told = self._client.request(messages.HeadWrite(off=off, data=part))
            if told.off != off + len(part):
                raise ProtocolError(f"the device goes on at byte {told.off} of the head")
        return self._do(
            messages.LearnDo(
                do=Deed.FORCED if force else Deed.IMPORT, at=at, crc=binascii.crc32(data), body=body
            )
        )

    def _do(self, request: messages.LearnDo) -> Done:
        told = self._client.request(request, _SECONDS)
        return Done(_outcome(told.result), told.active)


def _numbers(name: str, told: Sequence[Any], least: int) -> Sequence[Any]:
    if len(told) < least:
        raise _nonsense(name, f"{least} numbers or more")
    return told


def _record(kind: type[_Record], name: str, told: Sequence[Any]) -> _Record:
    """Later versions may send more numbers than this one knows."""
    count = len(fields(kind))
    return kind(*_numbers(name, told, count)[:count])


def _outcome(number: int) -> Outcome:
    try:
        return Outcome(number)
    except ValueError as error:
        raise ProtocolError(f"the device tells of result {number}, which this tinyc does not know") from error


def _drift(number: int) -> Drift:
    try:
        return Drift(number)
    except ValueError as error:
        raise _nonsense("drift", "0 to 2") from error


def _nonsense(what: str, allowed: str) -> ProtocolError:
    return ProtocolError(f"the device's answer to LEARN makes no sense: `{what}`", allowed=allowed)
