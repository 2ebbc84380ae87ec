"""Learned heads between devices and files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tinyc.errors import Disagreement, Problem
from tinyc.learning.head_file import HeadFile, head_digest

if TYPE_CHECKING:
    from tinyc.device.hello import Hello
    from tinyc.device.learned import ClassEntry, Done, Learned, Shape
    from tinyc.device.learning import Learner


def export_head(learner: Learner, hello: Hello) -> HeadFile:
    """The active head of a device, with what tells where it came from and where it may go.

    Raises ProtocolError when the active head changed while it was read.
    """
    from tinyc.device.errors import ProtocolError

    told = learner.learned()
    shape = told.shape
    data = learner.head(shape.bytes)
    after = learner.learned()
    if after.kept != told.kept:
        raise ProtocolError("the active head changed while it was read", hint="repeat it")
    return HeadFile(
        kind=told.kind,
        body=told.body,
        model=hello.model,
        version=hello.model_version,
        digest=hello.digest,
        board=hello.board,
        chip=hello.device_id,
        tinyc=hello.tinyc,
        sequence=told.kept.sequence,
        latent=shape.latent,
        capacity=shape.capacity,
        factory_classes=shape.factory_classes,
        classes=(*_factory_names(shape, learner.classes(shape)), *_learned_names(shape, data)),
        counters=_counters(told),
        state=data[: shape.state_bytes],
    )


def digest_of(told: Learned, data: bytes) -> str:
    """Names the head whose bytes a device has sent: `head` of its file."""
    state = data[: told.shape.state_bytes]
    return head_digest(told.kind, told.body, state, _learned_names(told.shape, data))


def _factory_names(shape: Shape, entries: tuple[ClassEntry, ...]) -> tuple[str, ...]:
    return tuple(entry.name for entry in entries[: shape.factory_classes])


def _learned_names(shape: Shape, data: bytes) -> tuple[str, ...]:
    """Behind the state: of the classes that are not the factory's, as the head has them."""
    size, first = shape.name_bytes, shape.state_bytes
    names = [data[at : at + size] for at in range(first, first + shape.new_classes * size, size)]
    return tuple(name.rstrip(b"\0").decode("utf-8", errors="replace") for name in names)


def _counters(told: Learned) -> dict[str, int | float]:
    numbers: dict[str, int | float] = {
        **asdict(told.counts),
        **asdict(told.duel),
        **asdict(told.marks),
        "guard": told.shape.guard,
        "drift": int(told.drift),
        "alarms": told.alarms,
    }
    return numbers


def export_bytes(head: HeadFile, shape: Shape) -> bytes:
    """What the device's import takes: the state, then the names of the classes it learned.

    Raises Disagreement for names or a state of another size.
    """
    names = [name.encode() for name in head.classes[shape.factory_classes :]]
    if len(head.state) != shape.state_bytes or len(names) != shape.new_classes:
        raise Disagreement(
            f"the head has {len(head.state)} bytes of state and {len(names)} learned classes",
            allowed=f"{shape.state_bytes} bytes and {shape.new_classes} classes",
        )
    long = [name.decode() for name in names if len(name) > shape.name_bytes]
    if long:
        raise Disagreement(f"the name `{long[0]}` is too long", allowed=f"{shape.name_bytes} bytes of UTF-8")
    return head.state + b"".join(name.ljust(shape.name_bytes, b"\0") for name in names)


def import_head(learner: Learner, hello: Hello, head: HeadFile, where: str, *, force: bool = False) -> Done:
    """Bring a head to a device, whose gate decides about it, unless `force`.

    What came of it, and its sequence number.

    Raises Disagreement, before anything is sent, for a head that is for another network.
    """
    told = learner.learned()
    if head.body != told.body or head.kind != told.kind:
        raise Disagreement(
            "the head was learned behind another network",
            where=where,
            problems=_differences(head, told, hello),
            hint="what was learned does not carry over: teach the device anew, or flash the firmware "
            "that the head is for",
        )
    return learner.load(export_bytes(head, told.shape), head.body, told.kept.sequence, force=force)


def _differences(head: HeadFile, told: Learned, hello: Hello) -> list[Problem]:
    pairs = (
        ("head", head.kind, told.kind),
        ("model", f"{head.model} {head.version}", f"{hello.model} {hello.model_version}"),
        ("digest", head.digest[:16], hello.digest[:16]),
        ("latent", str(head.latent), str(told.shape.latent)),
        ("room for classes", str(head.capacity), str(told.shape.capacity)),
        ("body", head.body.hex(), told.body.hex()),
    )
    return [
        Problem(what, f"`{file}` in the file, `{device}` on the device")
        for what, file, device in pairs
        if file != device
    ]
