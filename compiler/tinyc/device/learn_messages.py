"""The messages of group 64 for firmware that learns: commands 10 to 14.

Each of them may be sent again after a lost answer: what would do something twice names the observation
or the sequence number that it is meant for.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Annotated

from pydantic import Field
from smp import message

from tinyc.device.messages import (
    GROUP,
    Bytes,
    Command,
    GroupRead,
    GroupRequest,
    GroupWrite,
    Unsigned,
    Words,
)

Real = Annotated[float, Field(strict=True, allow_inf_nan=True)]


@unique
class Deed(IntEnum):
    """What LEARN_DO can be asked for."""

    PROMOTE = 0
    REVERT = 1
    FACTORY = 2
    RESET = 3
    IMPORT = 4
    FORCED = 5


class LearnResponse(GroupRead):
    """Lists have the numbers of `tinyc.device.learning`, in the order of its fields."""

    _COMMAND_ID = Command.LEARN

    kind: Words
    body: Bytes
    shape: tuple[Unsigned, ...]
    classes: Unsigned
    store: tuple[Unsigned, ...]
    counts: tuple[Unsigned, ...]
    last: tuple[Unsigned, ...]
    marks: tuple[Unsigned | Real, ...]
    duel: tuple[Unsigned, ...]
    drift: tuple[Unsigned, Unsigned, Unsigned, Real, Real]


class Learn(message.ReadRequest, GroupRequest):
    """Ask what the head is, and what has been learned."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.LEARN
    _Response = LearnResponse


class ObservedResponse(GroupRead):
    _COMMAND_ID = Command.TEACH

    seen: Unsigned
    """Number of the last observation, 0 for none. An INVOKE is an observation."""
    label: Unsigned
    score: Real
    shadow: Unsigned
    """What the shadow, which learns, would say now."""
    surprise: Real
    drift: Unsigned
    taught: bool
    """Whether the observation has had its label."""


class Observed(message.ReadRequest, GroupRequest):
    """What the head said to the last observation."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TEACH
    _Response = ObservedResponse


class TeachResponse(GroupWrite):
    _COMMAND_ID = Command.TEACH

    seen: Unsigned
    result: Unsigned
    cycles: Unsigned
    """CPU cycles that learning took, 0 where the core has no counter."""


class Teach(message.WriteRequest, GroupRequest):
    """Tell what observation `seen` is: a class, or float32 values, little endian."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TEACH
    _Response = TeachResponse

    seen: int
    label: int | None = None
    values: bytes | None = None


class ClassNamedResponse(GroupWrite):
    _COMMAND_ID = Command.CLASS

    index: Unsigned


class ClassNamed(message.WriteRequest, GroupRequest):
    """The index of the class of this name, which becomes one if there is room."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.CLASS
    _Response = ClassNamedResponse

    name: str


class ClassAtResponse(GroupRead):
    _COMMAND_ID = Command.CLASS

    index: Unsigned
    name: Bytes
    """UTF-8, empty for a class without a name."""
    samples: Unsigned
    """That the active head has learned of it."""


class ClassAt(message.ReadRequest, GroupRequest):
    """Name and samples of a class."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.CLASS
    _Response = ClassAtResponse

    index: int


class HeadPartResponse(GroupRead):
    _COMMAND_ID = Command.HEAD

    off: Unsigned
    data: Bytes


class HeadPart(message.ReadRequest, GroupRequest):
    """Read `len` bytes of the active head from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.HEAD
    _Response = HeadPartResponse

    off: int
    len: int


class HeadWriteResponse(GroupWrite):
    _COMMAND_ID = Command.HEAD

    off: Unsigned
    """The next byte."""


class HeadWrite(message.WriteRequest, GroupRequest):
    """Bytes of a head that is to be imported, from byte `off` on; byte 0 begins anew."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.HEAD
    _Response = HeadWriteResponse

    off: int
    data: bytes


class LearnDoResponse(GroupWrite):
    _COMMAND_ID = Command.LEARN_DO

    result: Unsigned
    active: Unsigned
    """Sequence number of the head that is active now."""


class LearnDo(message.WriteRequest, GroupRequest):
    """Do a `Deed`, if the head that is active still has this sequence number.

    An import has the CRC-32 of what was staged, and the body that it is for.
    """

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.LEARN_DO
    _Response = LearnDoResponse

    do: int
    at: int
    crc: int | None = None
    body: bytes | None = None
