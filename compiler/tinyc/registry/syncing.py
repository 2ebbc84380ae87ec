"""What answers at the serial ports, brought into the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pyoxigraph import NamedNode

from tinyc.device.discovery import Found
from tinyc.device.hello import Hello
from tinyc.device.ledger import Counters
from tinyc.errors import Problem, TinycError
from tinyc.registry import names, reading
from tinyc.registry.facts import MissingFact, ModelRef, SightingFact
from tinyc.registry.registry import Refused, Registry

NEW, CHANGED, SAME, BACK, MISSING, REFUSED = "new", "changed", "same", "back", "missing", "refused"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one device. `port` is empty for one that is missing; `note` is for people."""

    port: str
    device: NamedNode
    board: str
    chip: str
    state: str
    model: ModelRef | None = None
    firmware: str = ""
    known: bool = False
    """Whether some build told of the firmware."""
    free_ram: int | None = None
    counters: Counters | None = None
    note: str = ""


def sync(
    registry: Registry, found: Sequence[Found], at: datetime, *, site: str = "", everything: bool = False
) -> tuple[Seen, ...]:
    """Write down what answered, and with `everything` who should have answered and did not.

    Devices of `site` are expected, without a site those that have none. Raises TinycError when two ports
    show one chip: nothing is written then.
    """
    answers = [(each, each.hello) for each in found if each.hello is not None]
    _refuse_doubles([(each.port.name, hello) for each, hello in answers])
    seen = [_seen(registry, each, hello, at, site) for each, hello in answers]
    if everything:
        here = {each.device for each in seen}
        seen += _missing(registry, here, at, site)
    return tuple(seen)


def model_of_device(hello: Hello) -> ModelRef | None:
    """The model that a device says it runs, None for a firmware without one."""
    if not (hello.has_model and hello.model):
        return None
    return ModelRef(hello.model, hello.model_version, hello.digest)


def _refuse_doubles(answers: Sequence[tuple[str, Hello]]) -> None:
    ports: dict[str, list[tuple[str, Hello]]] = {}
    for port, hello in answers:
        ports.setdefault(hello.device_id, []).append((port, hello))
    double = {chip: each for chip, each in ports.items() if len(each) > 1}
    if double:
        raise TinycError(
            "two ports show the same chip number",
            problems=[
                Problem(", ".join(port for port, _ in each), f"chip {chip} ({each[0][1].board})")
                for chip, each in sorted(double.items())
            ],
            allowed="each chip at one port",
            hint="name one port of each device with --port; a chip without a number cannot be told apart",
        )


def beat(registry: Registry, seen: Sequence[Seen], at: datetime) -> int:
    """Note in the table of heartbeats who answered; how many rows that were, 0 where there is no table.

    Raises TinycError when the table cannot be written.
    """
    table = registry.heartbeats
    if table is None:
        return 0
    from tinyc.registry.heartbeats import Heartbeat

    return table.record(
        Heartbeat(
            device=each.device.value,
            last_seen=at,
            free_ram=each.free_ram,
            inferences=each.counters.invocations if each.counters else None,
            errors=each.counters.dropped + each.counters.refused if each.counters else None,
        )
        for each in seen
        if each.state not in (MISSING, REFUSED)
    )


def _seen(registry: Registry, found: Found, hello: Hello, at: datetime, site: str) -> Seen:
    """Write down one answer."""
    model = model_of_device(hello)
    fact = SightingFact(hello.board, hello.device_id, hello.firmware, model, at, site)
    before = reading.current(registry.store, fact.device)
    missing = reading.is_missing(registry.store, fact.device)
    told = Seen(
        found.port.name,
        fact.device,
        hello.board,
        hello.device_id,
        SAME,
        model,
        hello.firmware,
        free_ram=hello.ram,
        counters=found.counters,
    )
    try:
        notes = registry.apply(fact).notes
    except Refused as error:
        why = "; ".join(problem.what for problem in error.problems) or error.what
        return replace(told, state=REFUSED, note=why)
    notes += _note_learned(registry, found, hello, at)
    known = reading.is_known_firmware(registry.store, names.firmware(hello.firmware))
    firmware = names.firmware(hello.firmware)
    state = SAME
    if before is None:
        state = NEW
    elif before.firmware != firmware or (model is not None and before.model != model.iri):
        state = CHANGED
    elif missing:
        state = BACK
    return replace(told, state=state, known=known, note="; ".join(notes))


def _note_learned(registry: Registry, found: Found, hello: Hello, at: datetime) -> tuple[str, ...]:
    """Write down what a device has learned; notes, also of what was refused."""
    from tinyc.learning.transfer import digest_of
    from tinyc.registry.learning import learned_facts

    if found.learned is None:
        return ()
    notes: tuple[str, ...] = ()
    digest = digest_of(found.learned, found.head)
    for fact in learned_facts(hello, found.learned, digest, at=at):
        try:
            notes += tuple(registry.apply(fact).notes)
        except Refused as error:
            notes += (f"what it has learned is refused: {error.what}",)
    return notes


def _missing(registry: Registry, here: set[NamedNode], at: datetime, site: str) -> list[Seen]:
    gone = []
    for device, board, chip in reading.devices_at(registry.store, site):
        if device in here:
            continue
        registry.apply(MissingFact(board, chip, at))
        gone.append(Seen("", device, board, chip, MISSING))
    return gone
