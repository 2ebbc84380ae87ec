"""Facts of devices: what runs on them, what was found on them, what they have learned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pyoxigraph import Literal, NamedNode, Triple

from tinyc.registry import names
from tinyc.registry.change import (
    Change,
    Guard,
    Property,
    Step,
    having,
    instant,
    later,
    moment,
    newer,
    present,
    properties_of,
    triples_of,
)
from tinyc.registry.fact import Fact, ModelRef, decimal, need, text, truth, whole
from tinyc.registry.facts_builds import bare_model
from tinyc.registry.vocabulary import PROV, RDF, SCHEMA, TINYC

_TYPE = RDF.type
_CURRENT = TINYC.currentDeployment
_STARTED = PROV.startedAtTime
FOUND = "found"
"""The method of a deployment that nobody told of: `sync` found it."""
DRIFTS = ("Stable", "Warning", "Drifted")


@dataclass(frozen=True, slots=True)
class SiteFact(Fact):
    """A place where devices are."""

    kind: ClassVar[str] = "site"
    name: str

    def __post_init__(self) -> None:
        need(name=self.name)

    @property
    def key(self) -> str:
        return f"site {names.site(self.name).value}"

    def change(self, *, live: bool = True) -> Change:
        return Change((Step(_site(self.name)),))


@dataclass(frozen=True, slots=True)
class DeviceFact(Fact):
    """A device, and where it is if that is known. `chip` is its number in hexadecimal."""

    kind: ClassVar[str] = "device"
    board: str
    chip: str
    site: str = ""

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip)

    @property
    def key(self) -> str:
        return f"device {self.iri.value}"

    @property
    def iri(self) -> NamedNode:
        return names.device(self.board, self.chip)

    def change(self, *, live: bool = True) -> Change:
        return Change(_device_steps(self))


@dataclass(frozen=True, slots=True)
class DeploymentFact(Fact):
    """A firmware and a model on a device, since `at`. `model` may be another one than the build's."""

    kind: ClassVar[str] = "deployment"
    board: str
    chip: str
    firmware: str
    model: ModelRef | None
    at: datetime
    method: str
    verified: bool
    site: str = ""

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip, firmware=self.firmware, method=self.method)

    @property
    def key(self) -> str:
        return f"deployment {self.iri.value}"

    @property
    def device(self) -> NamedNode:
        return names.device(self.board, self.chip)

    @property
    def iri(self) -> NamedNode:
        digest = self.model.iri.value if self.model else ""
        return names.deployment(self.device.value, self.firmware, digest, instant(self.at))

    def change(self, *, live: bool = True) -> Change:
        """A deployment that is there already changes nothing; one that is replayed does not take over from
        a later one."""
        guards = () if live else (newer(self.device, _CURRENT, _STARTED, self.at),)
        there = present(self.iri, _TYPE, TINYC.Deployment)
        return Change(
            (
                *_device_steps(DeviceFact(self.board, self.chip, self.site), self.at),
                Step(_history(self)),
                *_current(self, (there, *guards)),
                *_firmware_steps(self.firmware),
            )
        )


@dataclass(frozen=True, slots=True)
class SightingFact(Fact):
    """What a device said of itself at `at`. It is a deployment where nothing of the kind was known."""

    kind: ClassVar[str] = "sighting"
    board: str
    chip: str
    firmware: str
    model: ModelRef | None
    at: datetime
    site: str = ""

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip, firmware=self.firmware)

    @property
    def key(self) -> str:
        return f"sighting {self.deployment.iri.value}"

    @property
    def device(self) -> NamedNode:
        return names.device(self.board, self.chip)

    @property
    def deployment(self) -> DeploymentFact:
        """The deployment that it would be."""
        return DeploymentFact(
            self.board, self.chip, self.firmware, self.model, self.at, FOUND, False, self.site
        )

    def change(self, *, live: bool = True) -> Change:
        found = self.deployment
        # By the device's own properties: a join with all deployments of the firmware would be slow.
        runs = [(TINYC.runsFirmware, names.firmware(self.firmware))]
        runs += [(TINYC.runsModel, self.model.iri)] if self.model else []
        guards: tuple[Guard, ...] = (
            having(self.device, *runs),
            present(found.iri, _TYPE, TINYC.Deployment),
        )
        if not live:
            guards = (*guards, newer(self.device, _CURRENT, _STARTED, self.at))
        back = () if live else (later(self.device, TINYC.missingSince, self.at),)
        return Change(
            (
                *_device_steps(DeviceFact(self.board, self.chip, self.site), self.at),
                Step(clear=((self.device, TINYC.missingSince),), unless=back),
                Step(_history(found), unless=guards),
                *_current(found, guards),
                *_firmware_steps(self.firmware),
            )
        )


@dataclass(frozen=True, slots=True)
class MissingFact(Fact):
    """A device did not answer at `at`, where it was expected."""

    kind: ClassVar[str] = "missing"
    board: str
    chip: str
    at: datetime

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip)

    @property
    def device(self) -> NamedNode:
        return names.device(self.board, self.chip)

    @property
    def key(self) -> str:
        return f"missing {self.device.value} {instant(self.at)}"

    def change(self, *, live: bool = True) -> Change:
        """A device that is missing stays missing since the first time."""
        guards: tuple[Guard, ...] = (present(self.device, TINYC.missingSince),)
        if not live:
            guards = (*guards, newer(self.device, _CURRENT, _STARTED, self.at))
        missing = triples_of(self.device, (TINYC.missingSince, moment(self.at)))
        return Change((*_device_steps(DeviceFact(self.board, self.chip)), Step(missing, unless=guards)))


@dataclass(frozen=True, slots=True)
class LearnedStateFact(Fact):
    """What a device has learned, the `sequence`th time that it was promoted. It is never a release.

    `before` and `after` are the guard metric, fractions of 1 over `samples`, None where nobody knows them;
    `drift` is one of DRIFTS.
    """

    kind: ClassVar[str] = "learned"
    board: str
    chip: str
    sequence: int
    digest: str
    updates: int
    model: ModelRef
    at: datetime
    before: float | None
    after: float | None
    samples: int
    drift: str = ""

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip, digest=self.digest)
        if self.drift and self.drift not in DRIFTS:
            raise ValueError(f"drift is {self.drift!r}, needs one of {', '.join(DRIFTS)}")

    @property
    def key(self) -> str:
        return f"learned {self.iri.value}"

    @property
    def iri(self) -> NamedNode:
        return names.state(self.board, self.chip, self.sequence)

    def change(self, *, live: bool = True) -> Change:
        """A sequence number is taken once: the state that has it stays. Drift follows the newest state."""
        device = names.device(self.board, self.chip)
        metric = names.guard_metric(self.board, self.chip, self.sequence)
        activity = names.activity("learn", self.digest)
        state = triples_of(
            self.iri,
            (_TYPE, TINYC.LearnedState),
            (TINYC.device, device),
            (TINYC.digest, Literal(self.digest)),
            (TINYC.sequence, whole(self.sequence)),
            (TINYC.updates, whole(self.updates)),
            (PROV.wasDerivedFrom, self.model.iri),
            (PROV.generatedAtTime, moment(self.at)),
            (PROV.wasGeneratedBy, activity),
            (TINYC.guardMetric, metric if self.after is not None else None),
        )
        measured: tuple[Triple, ...] = ()
        if self.after is not None:
            measured = triples_of(
                metric,
                (_TYPE, TINYC.GuardMetric),
                (TINYC.before, decimal(self.before)),
                (TINYC.after, decimal(self.after)),
                (TINYC.samples, whole(self.samples)),
            )
        learned = triples_of(
            activity,
            (_TYPE, TINYC.Learning),
            (PROV.used, self.model.iri),
        )
        ended = triples_of(activity, (PROV.endedAtTime, moment(self.at)))
        link = Triple(device, TINYC.learnedState, self.iri)
        steps = [
            *_device_steps(DeviceFact(self.board, self.chip)),
            Step(bare_model(self.model)),
            Step((*state, *measured, *learned, link), unless=(present(self.iri, _TYPE),)),
            Step(ended, unless=(present(activity, PROV.endedAtTime),)),
        ]
        if self.drift:
            drift = triples_of(device, (TINYC.drift, TINYC[self.drift]))
            guards = (
                present(self.iri, _TYPE),
                newer(device, TINYC.learnedState, PROV.generatedAtTime, self.at),
            )
            steps.append(Step(drift, ((device, TINYC.drift),), guards))
        return Change(tuple(steps))


@dataclass(frozen=True, slots=True)
class DriftFact(Fact):
    """How far the input of a device is from what its model was trained on, at `at`: one of DRIFTS."""

    kind: ClassVar[str] = "drift"
    board: str
    chip: str
    drift: str
    at: datetime

    def __post_init__(self) -> None:
        need(board=self.board, chip=self.chip)
        if self.drift not in DRIFTS:
            raise ValueError(f"drift is {self.drift!r}, needs one of {', '.join(DRIFTS)}")

    @property
    def key(self) -> str:
        return f"drift {names.device(self.board, self.chip).value} {instant(self.at)}"

    def change(self, *, live: bool = True) -> Change:
        """One that is replayed does not take the place of what a later state told."""
        device = names.device(self.board, self.chip)
        guards = () if live else (newer(device, TINYC.learnedState, PROV.generatedAtTime, self.at),)
        drift = triples_of(device, (TINYC.drift, TINYC[self.drift]))
        told = DeviceFact(self.board, self.chip)
        return Change((*_device_steps(told), Step(drift, ((device, TINYC.drift),), guards)))


def _site(name: str) -> tuple[Triple, ...]:
    return triples_of(names.site(name), (_TYPE, TINYC.Site), (SCHEMA.name, Literal(name)))


def _device_steps(told: DeviceFact, at: datetime | None = None) -> tuple[Step, ...]:
    """The device itself, its place, and that it is there since `at` if nobody has said since when."""
    device = told.iri
    own = triples_of(
        device,
        (_TYPE, TINYC.Device),
        (TINYC.chip, text(told.chip)),
        (TINYC.board, names.board(told.board)),
    )
    seen: tuple[Step, ...] = ()
    if at is not None:
        first = triples_of(device, (TINYC.firstSeen, moment(at)))
        seen = (Step(first, unless=(present(device, TINYC.firstSeen),)),)
    if not told.site:
        return (Step(own), *seen)
    place = triples_of(device, (TINYC.site, names.site(told.site)))
    return (Step((*own, *place, *_site(told.site)), ((device, TINYC.site),)), *seen)


def _history(told: DeploymentFact) -> tuple[Triple, ...]:
    """The deployment itself, which stays whatever comes after it."""
    model = told.model
    return (
        *triples_of(
            told.iri,
            (_TYPE, TINYC.Deployment),
            (TINYC.device, told.device),
            (TINYC.firmware, names.firmware(told.firmware)),
            (TINYC.model, model.iri if model else None),
            (_STARTED, moment(told.at)),
            (TINYC.method, Literal(told.method)),
            (TINYC.verified, truth(told.verified)),
        ),
        *(bare_model(model) if model else ()),
    )


def _current(told: DeploymentFact, guards: tuple[Guard, ...]) -> tuple[Step, ...]:
    """What the device runs now, by this deployment."""
    device, model = told.device, told.model
    now = triples_of(
        device,
        (_CURRENT, told.iri),
        (TINYC.runsFirmware, names.firmware(told.firmware)),
        (TINYC.runsModel, model.iri if model else None),
    )
    gone: tuple[Property, ...] = ((device, TINYC.runsModel), (device, TINYC.missingSince))
    return (Step(now, (*properties_of(now), *gone), guards),)


def _firmware_steps(identity: str) -> tuple[Step, ...]:
    """A firmware that no build told of is an unknown one."""
    firmware = names.firmware(identity)
    unknown = triples_of(firmware, (_TYPE, TINYC.UnknownFirmware), (TINYC.identity, Literal(identity)))
    return (Step(unknown, unless=(present(firmware, _TYPE, TINYC.Firmware),)),)
