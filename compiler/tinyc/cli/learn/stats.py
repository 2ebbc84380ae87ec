"""`tinyc learn stats`: what a device has learned, and what its gate has decided."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from tinyc.cli import output
from tinyc.cli.learn.session import opened
from tinyc.cli.options import Json

if TYPE_CHECKING:
    from tinyc.cli.learn.session import Session
    from tinyc.device.learned import Learned


def command(context: typer.Context, json: Json = False) -> None:
    """Show the head of a device: what is active, what was learned, judged and refused, and drift."""
    with opened(context.obj) as session:
        told = entry(session)
        rows = _rows(session.learned)
    if json:
        output.as_json(told)
        return
    hello = session.hello
    output.talk(f"{hello.model} {hello.model_version} on {hello.board} {hello.device_id}, {session.name}")
    output.table("", ("", "value"), rows)


def entry(session: Session) -> dict[str, Any]:
    """The same as JSON."""
    learned, hello = session.learned, session.hello
    return {
        "device": {"board": hello.board, "chip": hello.device_id},
        "model": {"name": hello.model, "version": hello.model_version, "digest": hello.digest},
        "head": learned.kind,
        "body": learned.body.hex(),
        "shape": asdict(learned.shape),
        "classes": learned.classes,
        "kept": asdict(learned.kept),
        "counts": asdict(learned.counts),
        "last_gate": learned.last_gate.name.lower(),
        "last_result": learned.last_result.name.lower(),
        "marks": asdict(learned.marks),
        "duel": asdict(learned.duel),
        "prequential_error": prequential_error(learned),
        "drift": {
            "state": learned.drift.name.lower(),
            "alarms": learned.alarms,
            "wants_labels": learned.wants_labels,
            "high": learned.drift_high,
            "low": learned.drift_low,
        },
    }


def prequential_error(told: Learned) -> float | None:
    """Of the labelled samples, the part that the active head had wrong before it heard the label."""
    return 1 - told.duel.active_right / told.duel.active_seen if told.duel.active_seen else None


def _rows(told: Learned) -> list[tuple[str, str]]:
    shape, counts, marks, kept = told.shape, told.counts, told.marks, told.kept
    error = prequential_error(told)
    size = "outputs" if shape.regression else "classes"
    room = shape.capacity if shape.regression else f"{told.classes} of {shape.capacity}"
    active = f"head {kept.sequence}" if kept.sequence else "the factory's"
    before = f"head {kept.good}" if kept.good else "the factory's"
    return [
        ("head", f"{told.kind}, {shape.latent} values, {room} {size}"),
        ("active", f"{active}, before it {before}"),
        ("kept in flash", f"{kept.saves} written, {kept.bad_writes} failed" if shape.persists else "no"),
        ("inferences", f"{counts.observations:,}"),
        ("labels", f"{counts.labels:,}"),
        ("learned", f"{counts.updates:,}, {counts.fresh:,} of them not yet active"),
        ("held out", f"{counts.held_out} of {shape.held_out}"),
        ("promotions", f"{counts.promotions} of {counts.attempts} attempts, {counts.forced} of them forced"),
        ("last attempt", _gate(told)),
        ("guard set", _marks(marks.guard_factory, marks.guard_active, marks.guard_shadow, told, shape.guard)),
        (
            "held-out samples",
            f"active {marks.held_active:g}, shadow {marks.held_shadow:g}" if counts.attempts else "",
        ),
        ("reverts", str(counts.reverts)),
        ("given up", f"{counts.resets}, {counts.not_finite} of them as not finite"),
        ("wrong before the label", "unknown" if error is None else f"{error:.1%} of {told.duel.active_seen}"),
        ("drift", f"{told.drift.name.lower()}, {told.alarms} alarms"),
        ("asks for labels", "yes" if told.wants_labels else "no"),
    ]


def _gate(told: Learned) -> str:
    if not told.counts.attempts:
        return "none"
    # Of one that went through there is no more to say.
    return told.last_gate.words if told.last_gate else "promoted"


def _marks(factory: float, active: float, shadow: float, told: Learned, count: int) -> str:
    what = "error" if told.shape.regression else f"of {count} right"
    asked = f", shadow {shadow:g}" if told.counts.attempts else ""
    return f"factory {factory:g}, active {active:g}{asked} {what}"
