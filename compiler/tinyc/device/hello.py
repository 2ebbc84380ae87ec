"""What a device says about itself, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyc.device.errors import ProtocolError
from tinyc.device.limits import PROTOCOL

if TYPE_CHECKING:
    from tinyc.device.messages import HelloResponse

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
    )
