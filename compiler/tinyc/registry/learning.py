"""What a device says that it has learned, as facts."""

from __future__ import annotations

from datetime import UTC, datetime

from tinyc.device.hello import Hello
from tinyc.device.learned import Drift, Learned
from tinyc.registry.fact import Fact
from tinyc.registry.facts import DriftFact, LearnedStateFact
from tinyc.registry.syncing import model_of_device

_DRIFT = {Drift.STABLE: "Stable", Drift.WARNING: "Warning", Drift.ALARM: "Drifted"}


def learned_facts(
    hello: Hello, learned: Learned, digest: str, *, before: Learned | None = None, at: datetime | None = None
) -> tuple[Fact, ...]:
    """The active head of a device and its drift; no head for the factory's. `digest` names the head.

    `before` is what the device told before the head became active, None where nobody asked.
    """
    model, drift, when = model_of_device(hello), _DRIFT[learned.drift], at or datetime.now(UTC)
    if model is None:
        return ()
    facts: list[Fact] = []
    if learned.kept.sequence:
        earlier = before if before is not None and before.kept.sequence < learned.kept.sequence else None
        facts.append(
            LearnedStateFact(
                hello.board,
                hello.device_id,
                learned.kept.sequence,
                digest,
                learned.counts.updates - learned.counts.fresh,
                model,
                when,
                guard_accuracy(earlier),
                guard_accuracy(learned),
                learned.shape.guard,
                drift,
            )
        )
    facts.append(DriftFact(hello.board, hello.device_id, drift, when))
    return tuple(facts)


def guard_accuracy(learned: Learned | None) -> float | None:
    """The fraction of the guard set that the active head has right; a regression has errors instead."""
    if learned is None or learned.shape.regression or not learned.shape.guard:
        return None
    return learned.marks.guard_active / learned.shape.guard
