"""From the words of `tinyc learn label` and `teach` to examples and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinyc.cli import output
from tinyc.cli.learn.recording import record_learned
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.cli.inputs import Sample
    from tinyc.cli.learn.session import Session
    from tinyc.device.learned import Taught
    from tinyc.device.learning import Learner
    from tinyc.learning.session import Course, Example, Lesson, Tell


def examples_of(session: Session, inputs: Sequence[str]) -> list[Example]:
    """An example for each vector, clip or text; a folder stands for its recordings, a long one for its words.

    Raises TinycError for inputs that do not suit the model.
    """
    from tinyc.cli.inputs import samples

    _, program = session.runs
    if program.audio is None:
        return [example_of(session, sample) for sample in samples(program, inputs)]
    from pathlib import Path

    from tinyc.cli.inputs import Sample
    from tinyc.learning.recording import clips_of, recordings

    sounds = [name for name in inputs if Path(name).is_dir() or Path(name).suffix.lower() == ".wav"]
    others = [name for name in inputs if name not in sounds]
    clips = [clip for path in recordings(sounds) for clip in clips_of(path, program.audio)]
    heard = [Sample(clip.name, [], clip.samples) for clip in clips]
    return [example_of(session, sample) for sample in (*heard, *samples(program, others))]


def example_of(session: Session, sample: Sample) -> Example:
    """One inference of the session's device."""
    from tinyc.cli.run import run_sample
    from tinyc.learning.session import Example

    engine, _ = session.runs
    return Example(sample.name, lambda: run_sample(engine, sample))


def label_of(session: Session, name: str, *, create: bool) -> tuple[int, bool]:
    """The class of a name, and whether it is new. Raises TinycError for one that is not there."""
    if session.learned.shape.regression:
        raise TinycError(
            f"the {session.learned.kind} head has no classes", where=name, hint="leave the name out"
        )
    known = session.index_of(name)
    if known is not None:
        return known, False
    if create:
        return session.learner.class_of(name), True
    names = [entry.name for entry in session.classes if entry.name]
    raise TinycError(
        f"the device has no class `{name}`",
        allowed=", ".join(names),
        hint=f"`tinyc learn teach {name}` makes one",
    )


def telling(session: Session, label: int | None, values: Sequence[float] | None) -> Tell:
    """What is told of every example: its class, its values, or that it is a normal one."""
    shape = session.learned.shape

    def tell(learner: Learner, seen: int) -> Taught:
        if label is not None:
            return learner.teach(seen, label)
        return learner.teach_values(seen, values) if values else learner.teach_itself(seen)

    if values and len(values) != shape.capacity:
        raise TinycError(f"{len(values)} values are told", allowed=f"{shape.capacity}, one for each output")
    if label is None and not shape.regression:
        raise TinycError("what is it?", allowed="the name of a class")
    return tell


def finish(session: Session, course: Course, name: str, label: int | None, new: bool, json: bool) -> None:
    """Write it down where something was promoted, and say what became of it."""
    from dataclasses import asdict

    from tinyc.cli.learn.stats import prequential_error

    if course.promoted:
        record_learned(session, output.talk)
    if json:
        after = course.after
        output.as_json(
            {
                "class": name or None,
                "index": label,
                "new": new,
                "lessons": [_entry(lesson) for lesson in course.lessons],
                "learned": course.learned,
                "held_out": course.held_out,
                "right_before": None if label is None else course.right_before(label),
                "promoted": course.promoted,
                "outcome": course.done.outcome.name.lower() if course.done else None,
                "sequence": after.kept.sequence,
                "marks": asdict(after.marks),
                "prequential_error": prequential_error(after),
            }
        )
        return
    marks, count = course.after.marks, len(course.lessons)
    what = f"{count} example{'s' if count != 1 else ''}{f' of `{name}`' if name else ''}"
    right = f", {course.right_before(label)} right before" if label is not None and not new else ""
    output.talk(f"{what}: {course.learned} learned, {course.held_out} held out{right}")
    if course.done is not None:
        held, guard = course.after.counts.held_out, course.after.shape.guard
        output.talk(
            f"held-out samples ({held}): active {marks.held_active:g}, shadow {marks.held_shadow:g}; "
            f"guard set ({guard}): active {marks.guard_active:g}, shadow {marks.guard_shadow:g}"
        )
    output.talk(course.why)


def _entry(lesson: Lesson) -> dict[str, Any]:
    return {
        "input": lesson.name,
        "active": lesson.active,
        "shadow": lesson.shadow,
        "score": lesson.score,
        "surprise": lesson.surprise,
        "outcome": lesson.outcome.name.lower(),
        "cycles": lesson.cycles,
    }
