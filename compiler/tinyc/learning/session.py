"""Teaching a device: inferences, each followed by its label, and at the end the question of promotion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tinyc.device.learned import Done, Learned, Outcome, Taught
from tinyc.device.learning import Learner
from tinyc.errors import TinycError

Tell = Callable[[Learner, int], Taught]
"""Tells the device what observation of this number is."""


@dataclass(frozen=True, slots=True)
class Example:
    """Something to learn from: `run` has the device infer on it."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What became of one example. `active` and `shadow` are the classes that both heads gave before."""

    name: str
    active: int
    shadow: int
    score: float
    surprise: float
    outcome: Outcome
    cycles: int


@dataclass(frozen=True, slots=True)
class Course:
    """What became of all. `done` is None when nobody asked for promotion; `after` is the state at the end."""

    lessons: tuple[Lesson, ...]
    done: Done | None
    after: Learned

    @property
    def learned(self) -> int:
        """Examples that the shadow learned from."""
        return sum(lesson.outcome is Outcome.LEARNED for lesson in self.lessons)

    @property
    def held_out(self) -> int:
        """Examples that were kept to judge by."""
        return len(self.lessons) - self.learned

    def right_before(self, label: int) -> int:
        """Examples of a class that the active head had right as they came."""
        return sum(lesson.active == label for lesson in self.lessons)

    @property
    def promoted(self) -> bool:
        """Whether what was learned here became active, on the way or at the end."""
        asked = self.done.outcome if self.done is not None else None
        return Outcome.PROMOTED in (asked, *(lesson.outcome for lesson in self.lessons))

    @property
    def why(self) -> str:
        """One sentence about promotion, for people."""
        if self.done is not None and self.done.outcome is not Outcome.PROMOTED:
            kept = f"; head {self.after.kept.sequence} is active" if self.promoted else ""
            return f"not promoted: {self.done.outcome.words}{kept}"
        if self.promoted:
            return f"promoted: head {self.after.kept.sequence} is active"
        return "not promoted: nobody asked for it"


def lesson(learner: Learner, example: Example | None, tell: Tell) -> Lesson:
    """Run an example, or take the last inference, and tell what it is.

    Raises TinycError where there was no inference, where it has its label, and where the device takes none.
    """
    if example is not None:
        example.run()
    seen = learner.observation()
    name = example.name if example is not None else "last inference"
    if seen.seen == 0:
        raise TinycError(
            "the device has made no inference since it started", hint="name an input: --input FILE"
        )
    if seen.taught:
        raise TinycError("the last inference has its label already", hint="name an input: --input FILE")
    taught = tell(learner, seen.seen)
    if taught.outcome.refused:
        raise TinycError(f"the device takes no label: {taught.outcome.words}", where=name)
    return Lesson(name, seen.label, seen.shadow, seen.score, seen.surprise, taught.outcome, taught.cycles)


def teach(
    learner: Learner,
    examples: Iterable[Example | None],
    tell: Tell,
    *,
    promote: bool = True,
    say: Callable[[Lesson], None] = lambda _: None,
) -> Course:
    """Teach by examples, one after the other, and then ask for promotion. None is the last inference.

    `say` hears of each lesson as it ends.
    """
    lessons = []
    for example in examples:
        taken = lesson(learner, example, tell)
        lessons.append(taken)
        say(taken)
    told, done = learner.learned(), None
    # What was promoted on the way, with nothing learned since, needs no second question.
    if promote and lessons and told.counts.fresh:
        done = learner.promote(told.kept.sequence)
        told = learner.learned()
    return Course(tuple(lessons), done, told)
