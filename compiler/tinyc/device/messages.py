"""The messages of tinyc's own group, 64, as classes of `smp`.

Requests carry the classes of their answers, so that `smpclient.SMPClient` takes them as they are.
Answers ignore keys they do not know: a newer firmware may say more. Loading `smp` takes 0.2 s, so
only what talks to a device imports this module.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from smp import error, message

GROUP = 64
DIGEST_BYTES = 8
"""Of the short digests that tell kernels and front ends."""

Unsigned = Annotated[int, Field(strict=True, ge=0)]
Bytes = Annotated[bytes, Field(strict=True)]
Words = Annotated[str, Field(strict=True)]
Span = tuple[Unsigned, Unsigned]
"""Offset and size in bytes."""


@unique
class Command(IntEnum):
    HELLO = 0
    INPUT = 1
    INVOKE = 2
    OUTPUT = 3
    PROFILE = 4
    COUNTERS = 5
    ARENA = 6
    AUDIO = 7
    TEXT = 8
    KERNELS = 9
    LEARN = 10
    TEACH = 11
    CLASS = 12
    HEAD = 13
    LEARN_DO = 14
    LOWPAN = 15
    NEIGHBOURS = 16
    TRAINER = 20
    PARAMETERS = 21
    TRAIN = 22
    DELTA = 23


@unique
class Failure(IntEnum):
    """What `rc` means in an error of this group."""

    OK = 0
    UNKNOWN = 1
    MALFORMED = 2
    OUT_OF_RANGE = 3
    NO_MODEL = 4
    NO_ROOM = 5
    STALE = 6
    NO_ROUND = 20
    NOT_FINITE = 21
    OTHER_START = 22


class TinycErrorV1(error.ErrorV1):
    """The answer to a request with SMP version 1 that was refused."""

    _GROUP_ID = GROUP


class TinycErrorV2(error.ErrorV2[Failure]):
    """The answer to a request with SMP version 2 that was refused."""

    _GROUP_ID = GROUP


class GroupRequest:
    """Whose errors a request of this group is refused with."""

    _ErrorV1 = TinycErrorV1
    _ErrorV2 = TinycErrorV2


class GroupRead(message.ReadResponse):
    """An answer of this group to a read."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    _GROUP_ID = GROUP


class GroupWrite(message.WriteResponse):
    """An answer of this group to a write."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    _GROUP_ID = GROUP


class BootFields(BaseModel):
    """What the bootloader says; empty when it did not start the firmware, as under a debugger."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    map: Unsigned = 0
    """Number of the flash map."""
    version: Unsigned = 0
    """Of the bootloader, major << 16 | minor; 0 when it did not start the firmware."""
    event: Unsigned = 0
    reason: Unsigned = 0
    counter: Unsigned = 0
    """The security counter that an image needs at least."""
    key: Bytes = b""
    """The first bytes of the key's SHA-256; zeros when images need no signature."""
    model: Unsigned = 0
    """Where models have slots: the address of the one to use."""


class _HelloResponse(GroupRead):
    _COMMAND_ID = Command.HELLO

    @model_validator(mode="before")
    @classmethod
    def _own_version(cls, values: Any) -> Any:
        """smp keeps the version of the header under the name that the map has for the model's."""
        if isinstance(values, dict) and "version" in values:
            values = dict(values)
            values["release"] = values.pop("version")
        return values


class HelloResponse(_HelloResponse):
    """Who the device is. Sizes and offsets are bytes, `clock` is hertz."""

    proto: Unsigned
    board: Words
    chip: Bytes
    """Unique number of the chip, zeros when it has none."""
    firmware: Bytes
    """SHA-256 that names the firmware."""
    model: Bytes
    """SHA-256 of the graph."""
    name: Words
    release: Words
    """Version of the model; `version` on the wire."""
    tinyc: Words
    clock: Unsigned
    arena: Unsigned
    layers: Unsigned
    inputs: tuple[Span, ...]
    """Where the inputs lie in the arena."""
    outputs: tuple[Span, ...]
    ram: Unsigned
    """Free bytes of RAM behind static data and stack."""
    slots: tuple[tuple[Words, Unsigned], ...] = ()
    """Name and size of every slot for images."""
    boot: BootFields | None = None
    """Absent without tinyc's bootloader."""
    capacity: Unsigned | None = None
    """Only where the model is an image of its own: the largest arena that one may have."""
    kernels: Bytes = b""
    """Only there: digest of the kernel set."""
    format: Unsigned = 0
    """Only there: of the models that the firmware reads."""
    front: Bytes = b""
    """Only there: digest of what fills the first input from sound or text, zeros for none."""
    refused: tuple[tuple[Unsigned, Bytes, Bytes], ...] = ()
    """Only there: for each model slot why its model does not run, what it wants, and what is there."""
    learns: Words = ""
    """Only in firmware that learns: the kind of its head."""


class Hello(message.ReadRequest, GroupRequest):
    """Ask who is there."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.HELLO
    _Response = HelloResponse


class IdentityResponse(_HelloResponse):
    """What firmware and bootloader both say in their answers to HELLO."""

    proto: Unsigned
    board: Words
    chip: Bytes
    mode: Words = "application"
    """`recovery` when it is the bootloader that answers."""
    slots: tuple[tuple[Words, Unsigned], ...] = ()
    boot: BootFields | None = None


class Identify(message.ReadRequest, GroupRequest):
    """HELLO, for whoever answers."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.HELLO
    _Response = IdentityResponse


class InputResponse(GroupWrite):
    _COMMAND_ID = Command.INPUT

    off: Unsigned
    """The next byte."""


class Input(message.WriteRequest, GroupRequest):
    """Fill a part of all model inputs, one after the other, from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.INPUT
    _Response = InputResponse

    off: int
    data: bytes


class InvokeResponse(GroupWrite):
    _COMMAND_ID = Command.INVOKE

    cycles: Unsigned
    """CPU cycles, 0 where the core has no counter."""


class Invoke(message.WriteRequest, GroupRequest):
    """Run all layers."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.INVOKE
    _Response = InvokeResponse


class OutputResponse(GroupRead):
    _COMMAND_ID = Command.OUTPUT

    off: Unsigned
    data: Bytes


class Output(message.ReadRequest, GroupRequest):
    """Read `len` bytes of all model outputs, one after the other, from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.OUTPUT
    _Response = OutputResponse

    off: int
    len: int


class ProfileResponse(GroupWrite):
    _COMMAND_ID = Command.PROFILE

    first: Unsigned
    cycles: tuple[Unsigned, ...]


class Profile(message.WriteRequest, GroupRequest):
    """Run `count` layers from layer `first` on, in order."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.PROFILE
    _Response = ProfileResponse

    first: int
    count: int


class CountersResponse(GroupRead):
    _COMMAND_ID = Command.COUNTERS

    packets: Unsigned
    """Packets that arrived undamaged."""
    dropped: Unsigned
    """Packets that arrived damaged."""
    refused: Unsigned
    """Requests that were answered with an error."""
    invocations: Unsigned


class Counters(message.ReadRequest, GroupRequest):
    """Ask what the device has counted since it started."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.COUNTERS
    _Response = CountersResponse


class ArenaReadResponse(GroupRead):
    _COMMAND_ID = Command.ARENA

    off: Unsigned
    data: Bytes


class ArenaRead(message.ReadRequest, GroupRequest):
    """Read `len` bytes of the arena from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.ARENA
    _Response = ArenaReadResponse

    off: int
    len: int


class ArenaWriteResponse(GroupWrite):
    _COMMAND_ID = Command.ARENA

    off: Unsigned
    """The next byte."""


class ArenaWrite(message.WriteRequest, GroupRequest):
    """Store `data` in the arena from byte `off` on."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.ARENA
    _Response = ArenaWriteResponse

    off: int
    data: bytes


class AudioResponse(GroupWrite):
    _COMMAND_ID = Command.AUDIO

    frames: Unsigned
    """Frames finished since the reset."""


class Audio(message.WriteRequest, GroupRequest):
    """Forget all sound when `reset`, then hear `data`, int16 little endian. Both may be left out."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.AUDIO
    _Response = AudioResponse

    reset: bool | None = None
    data: bytes | None = None


class TextResponse(GroupWrite):
    _COMMAND_ID = Command.TEXT

    ids: Unsigned
    """Token ids of the text, those around it included."""


class Text(message.WriteRequest, GroupRequest):
    """Fill the model's input with the token ids of a text."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.TEXT
    _Response = TextResponse

    text: bytes


class KernelsResponse(GroupRead):
    _COMMAND_ID = Command.KERNELS

    off: Unsigned
    data: Bytes


class Kernels(message.ReadRequest, GroupRequest):
    """Read digests of the kernel set from byte `off` on: `len` bytes, or as many as there are."""

    _GROUP_ID = GROUP
    _COMMAND_ID = Command.KERNELS
    _Response = KernelsResponse

    off: int
    len: int
