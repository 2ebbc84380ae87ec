"""What a device tells of its learning: heads, counters, outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Drift(IntEnum):
    """`enum drift_state` of drift.h."""

    STABLE = 0
    WARNING = 1
    ALARM = 2


class Outcome(IntEnum):
    """What came of a label or a deed: `enum learner_result` of learner.h."""

    DONE = 0
    LEARNED = 1
    HELD_OUT = 2
    PROMOTED = 3
    REVERTED = 4
    RESET = 5
    NOTHING_OBSERVED = 16
    NO_SUCH_CLASS = 17
    NO_ROOM = 18
    BAD_NAME = 19
    BAD_VALUE = 20
    NOTHING_NEW = 21
    TOO_SOON = 22
    TOO_FEW = 23
    GUARD_WORSE = 24
    NOT_BETTER = 25
    WORSE = 26
    NOTHING_BEFORE = 27
    FLASH_FAILED = 28
    NOT_STAGED = 29
    WRONG_SIZE = 30
    WRONG_BODY = 31
    DAMAGED = 32
    BUSY = 33

    @property
    def refused(self) -> bool:
        """Whether nothing was done."""
        return self >= Outcome.NOTHING_OBSERVED

    @property
    def words(self) -> str:
        """The same for people."""
        return WORDS[self]


WORDS = {
    Outcome.DONE: "done",
    Outcome.LEARNED: "learned",
    Outcome.HELD_OUT: "held out, to judge by",
    Outcome.PROMOTED: "promoted: what was learned is active, and kept",
    Outcome.REVERTED: "reverted: an earlier head is active again",
    Outcome.RESET: "what was learned since the last promotion is thrown away",
    Outcome.NOTHING_OBSERVED: "there was no inference since the last label",
    Outcome.NO_SUCH_CLASS: "the device has no class of this number",
    Outcome.NO_ROOM: "there is no room for another class",
    Outcome.BAD_NAME: "the name is empty or too long",
    Outcome.BAD_VALUE: "the head does not take such a label",
    Outcome.NOTHING_NEW: "nothing was learned since the last promotion",
    Outcome.TOO_SOON: "too few samples were learned since the last promotion",
    Outcome.TOO_FEW: "too few samples are held out to judge by: teach more",
    Outcome.GUARD_WORSE: "what the factory taught would be lost: the guard set says no",
    Outcome.NOT_BETTER: "it answers no more of the held-out samples than the active head",
    Outcome.WORSE: "it answers fewer of the held-out samples than the active head",
    Outcome.NOTHING_BEFORE: "there is no earlier head",
    Outcome.FLASH_FAILED: "the flash could not be written",
    Outcome.NOT_STAGED: "the head did not arrive whole",
    Outcome.WRONG_SIZE: "the head has another size",
    Outcome.WRONG_BODY: "the head is for another network, or another kind of head",
    Outcome.DAMAGED: "the head is damaged",
    Outcome.BUSY: "a head is being imported: begin again, or discard it",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the head is. `bytes` are those of an export, `outputs` values where `regression` is 1."""

    latent: int
    capacity: int
    factory_classes: int
    bytes: int
    guard: int
    """Samples of the factory that a head is judged by."""
    held_out: int
    """Samples of the field that are kept to judge by, at most."""
    regression: int
    persists: int
    name_bytes: int
    """A name is filled up with zeros to so many bytes."""

    @property
    def new_classes(self) -> int:
        """Classes that are not the factory's."""
        return 0 if self.regression else self.capacity - self.factory_classes

    @property
    def state_bytes(self) -> int:
        """Of an export, without the names."""
        return self.bytes - self.new_classes * self.name_bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Sequence numbers of the active head and the one before, 0 for the factory's; records in flash."""

    sequence: int
    good: int
    saves: int
    bad_writes: int
    head_crc: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the device started. `fresh` of the `updates` are since the last promotion."""

    observations: int
    labels: int
    updates: int
    fresh: int
    held_out: int
    attempts: int
    promotions: int
    reverts: int
    resets: int
    not_finite: int
    forced: int


@dataclass(frozen=True, slots=True)
class Marks:
    """At the last attempt of a promotion: right answers, or errors of a regression.

    On the guard set by the heads of the factory, the active one and the shadow; on held-out samples.
    """

    guard_factory: float
    guard_active: float
    guard_shadow: float
    held_active: float
    held_shadow: float


@dataclass(frozen=True, slots=True)
class Duel:
    """Labelled samples that only the active head, or only the one before, answered right; and how many of
    `active_seen` the active head answered right."""

    only_active: int
    only_good: int
    active_right: int
    active_seen: int


@dataclass(frozen=True, slots=True)
class Learned:
    """All that a device tells of its learning."""

    kind: str
    body: bytes
    shape: Shape
    classes: int
    kept: Kept
    counts: Counts
    last_gate: Outcome
    last_result: Outcome
    marks: Marks
    duel: Duel
    drift: Drift
    alarms: int
    wants_labels: bool
    drift_high: float
    drift_low: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What the active head said to the last inference, and what the shadow says to it now.

    `seen` is the inference's number, 0 when there was none.
    """

    seen: int
    label: int
    score: float
    shadow: int
    surprise: float
    drift: Drift
    taught: bool


@dataclass(frozen=True, slots=True)
class Taught:
    """What became of a label. `cycles` are 0 where the core has no counter."""

    outcome: Outcome
    cycles: int


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class of the head. `name` is empty where the device knows none."""

    index: int
    name: str
    samples: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a deed, and the sequence number of the head that is active after it."""

    outcome: Outcome
    sequence: int
