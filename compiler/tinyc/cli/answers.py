"""What a head says, as JSON and for people: `tinyc run` and `tinyc monitor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyc.device.learned import Learned
    from tinyc.learning.answers import Answer, HeadAnswer


def answer_entry(answer: Answer) -> dict[str, Any]:
    """An answer as JSON; `values` and `threshold` where there are some."""
    told: dict[str, Any] = {"index": answer.index, "label": answer.label, "score": answer.score}
    if answer.values:
        told["values"] = list(answer.values)
    if answer.threshold is not None:
        told["threshold"] = answer.threshold
    return told


def head_entry(head: HeadAnswer) -> dict[str, Any]:
    """The active head's answer as JSON."""
    return answer_entry(head.answer) | {
        "shadow": head.shadow,
        "surprise": head.surprise,
        "drift": head.drift.name.lower(),
    }


def scored(answer: Answer) -> str:
    """An answer in one cell of a table."""
    if len(answer.values) > 1:
        return answer.words
    limit = "" if answer.threshold is None else f" of {answer.threshold:.4g}"
    return f"{answer.words} {answer.score:.4g}{limit}"


def active_head(told: Learned) -> str:
    """Which head answers."""
    name = f"head {told.kept.sequence}" if told.kept.sequence else "the factory's head"
    shape = told.shape
    size = f"{shape.capacity} outputs" if shape.regression else f"{told.classes} of {shape.capacity} classes"
    return f"{name} ({told.kind}, {size})"
