"""What a device says about itself, checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TYPE_CHECKING

from tinyc.device.errors import ProtocolError
from tinyc.device.limits import PROTOCOL

if TYPE_CHECKING:
    from tinyc.device.messages import BootFields, HelloResponse, IdentityResponse

RECOVERY = "recovery"
"""The mode of a device whose bootloader answers."""
_DIGEST, _CHIP = 32, 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input or output lies in the arena, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an image in the device's flash; `size` in bytes."""

    name: str
    size: int


@unique
class BootEvent(IntEnum):
    """What the bootloader did when it started the firmware."""

    NOTHING = 0
    INSTALLED = 1
    SWAPPED = 2
    REVERTED = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class Boot:
    """What the bootloader left behind. `key` are the first bytes of its key's SHA-256 in hexadecimal.

    `event` is a number of BootEvent or a newer one, `reason` why an image was refused, 0 when none was,
    `counter` the security counter that an image needs at least.
    """

    slot_map: int
    version: tuple[int, int]
    event: int
    reason: int
    counter: int
    key: str | None
    model: int | None = None
    """Where models have slots: the address of the one to use, None for none."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: a firmware, or the bootloader of a board without one (`recovery`)."""

    board: str
    device_id: str
    recovery: bool
    slots: tuple[Slot, ...]
    boot: Boot | None


class ModelFault(IntEnum):
    """Why the model in a slot does not run: `model_fault` of the firmware's `model.h`."""

    RUNS = 0
    ABSENT = 1
    FORMAT = 2
    DAMAGED = 3
    KERNEL = 4
    ARENA = 5
    FRONT_END = 6
    UNASKED = 7
    INVALID = 8


UNFIT = (ModelFault.FORMAT, ModelFault.KERNEL, ModelFault.ARENA, ModelFault.FRONT_END)
"""A sound model that needs another firmware."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a slot's model does not run. Of numbers and digests: what it wants, what the firmware has."""

    fault: int
    wanted: bytes = b""
    there: bytes = b""

    def __str__(self) -> str:
        wanted, there = self.wanted, self.there
        if self.fault in (ModelFault.FORMAT, ModelFault.ARENA):
            wants, has = (str(int.from_bytes(value, "little")) for value in (wanted, there))
        else:
            wants, has = wanted.hex(), there.hex()
        words: dict[int, str] = {
            ModelFault.RUNS: "the model runs",
            ModelFault.ABSENT: "there is no model",
            ModelFault.FORMAT: f"the model has format {wants}, the firmware reads {has}",
            ModelFault.DAMAGED: "the model is damaged",
            ModelFault.KERNEL: f"the model needs kernel {wants}, the firmware has the set {has} without it",
            ModelFault.ARENA: f"the model needs an arena of {wants} bytes, the firmware has {has}",
            ModelFault.FRONT_END: f"the model takes input of front end {wants}, the firmware has {has}",
            ModelFault.UNASKED: "the other slot's model is the one to use",
            ModelFault.INVALID: "the bootloader found no model that is valid",
        }
        return words.get(self.fault, f"reason {self.fault}")


@dataclass(frozen=True, slots=True)
class Hello:
    """What a device says about itself. Digests and `device_id` are hexadecimal, sizes bytes.

    `digest` is that of the model's graph, `firmware` that of the whole firmware. `ram` is the free
    RAM behind static data and stack.
    """

    proto: int
    digest: str
    firmware: str
    device_id: str
    arena: int
    layers: int
    clock_hz: int
    ram: int
    input_bytes: int
    output_bytes: int
    board: str
    model: str
    model_version: str
    tinyc: str
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    slots: tuple[Slot, ...]
    boot: Boot | None = None
    """None without tinyc's bootloader, and when it did not start the firmware."""
    capacity: int | None = None
    """Where the model is an image of its own: the largest arena that one may have."""
    kernels: str = ""
    """There: digest of the kernel set."""
    format: int = 0
    """There: of the models that the firmware reads."""
    front_end: str = ""
    """There: digest of what fills the first input from sound or text."""
    refused: tuple[Refusal, ...] = ()
    """There: what became of the model in each slot."""
    learns: str = ""
    """The kind of the head that learns, empty where nothing does."""

    @property
    def has_model(self) -> bool:
        return self.capacity is None or self.layers > 0


def check_protocol(proto: object) -> None:
    """Raise ProtocolError for a device that speaks another version of the protocol."""
    if proto != PROTOCOL:
        raise ProtocolError(
            f"the device speaks protocol version {proto}",
            allowed=f"version {PROTOCOL}",
            hint="build and flash the firmware with this tinyc",
        )


def parse_hello(answer: HelloResponse) -> Hello:
    """The answer to HELLO. Raises ProtocolError when it contradicts itself."""
    check_protocol(answer.proto)
    inputs, outputs = (tuple(Place(*place) for place in places) for places in (answer.inputs, answer.outputs))
    fits = all(place.offset + place.size <= answer.arena for place in (*inputs, *outputs))
    sizes = tuple(map(len, (answer.model, answer.firmware, answer.chip)))
    if not fits or sizes != (_DIGEST, _DIGEST, _CHIP):
        raise ProtocolError("the device's HELLO contradicts itself")
    return Hello(
        proto=answer.proto,
        digest=answer.model.hex(),
        firmware=answer.firmware.hex(),
        device_id=answer.chip.hex(),
        arena=answer.arena,
        layers=answer.layers,
        clock_hz=answer.clock,
        ram=answer.ram,
        input_bytes=sum(place.size for place in inputs),
        output_bytes=sum(place.size for place in outputs),
        board=answer.board,
        model=answer.name,
        model_version=answer.release,
        tinyc=answer.tinyc,
        inputs=inputs,
        outputs=outputs,
        slots=tuple(Slot(*slot) for slot in answer.slots),
        boot=_boot(answer.boot),
        capacity=answer.capacity,
        kernels=answer.kernels.hex(),
        format=answer.format,
        front_end=answer.front.hex(),
        refused=tuple(Refusal(*refusal) for refusal in answer.refused),
        learns=answer.learns,
    )


def parse_identity(answer: IdentityResponse) -> Identity:
    """The answer to IDENTIFY. Raises ProtocolError when the chip's number is none."""
    check_protocol(answer.proto)
    if len(answer.chip) != _CHIP:
        raise ProtocolError("the device's HELLO contradicts itself")
    return Identity(
        board=answer.board,
        device_id=answer.chip.hex(),
        recovery=answer.mode == RECOVERY,
        slots=tuple(Slot(*slot) for slot in answer.slots),
        boot=_boot(answer.boot),
    )


def _boot(fields: BootFields | None) -> Boot | None:
    if fields is None or fields.version == 0:
        return None
    return Boot(
        slot_map=fields.map,
        version=(fields.version >> 16, fields.version & 0xFFFF),
        event=fields.event,
        reason=fields.reason,
        counter=fields.counter,
        key=fields.key.hex() if any(fields.key) else None,
        model=fields.model or None,
    )
