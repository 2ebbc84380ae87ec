"""`tinyc learn teach`: a class by its examples, from recordings, files, or the microphone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.learn.label import Inputs, Values
from tinyc.cli.learn.session import opened
from tinyc.cli.options import Json
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.cli.learn.session import Session
    from tinyc.learning.session import Example, Lesson


def command(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="The class. None for a head whose answers are numbers.", show_default=False)
    ] = "",
    inputs: Inputs = None,
    values: Values = None,
    live: Annotated[
        bool, typer.Option("--live", help="Listen to this computer's microphone (package sounddevice).")
    ] = False,
    shots: Annotated[int, typer.Option("--shots", min=1, help="With --live, end after so many words.")] = 10,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, help="With --live, end after so many seconds.")
    ] = 60.0,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write the head that is active at the end to this file."),
    ] = None,
    json: Json = False,
) -> None:
    """Teach a class, a new one if need be, by examples: each fifth is kept to judge by.

    At the end the device is asked to make it active, which its guard set and the held-out examples decide.
    Eight examples or more are a good start. A recording with many words is cut into its words.
    """
    from tinyc.cli.learn.lessons import examples_of, finish, label_of, telling
    from tinyc.learning.session import teach

    if bool(inputs) == live:
        raise TinycError(
            "what shall it learn from?",
            where="tinyc learn teach",
            allowed="--input FILE, which may be repeated, or --live",
        )
    with opened(context.obj, inputs=True) as session:
        examples = examples_of(session, inputs) if inputs else []
        label, new = label_of(session, name, create=True) if name else (None, False)
        tell = telling(session, label, values)
        heard: Iterator[Example] = (
            _microphone(session, name, shots, seconds)
            if live
            else output.progress(f"teaching {name}", examples)
        )
        course = teach(session.learner, heard, tell, say=_say(live, shots))
        finish(session, course, name, label, new, json)
        if export is not None:
            from tinyc.learning.head_file import save
            from tinyc.learning.transfer import export_head

            head = export_head(session.learner, session.hello)
            save(export, head)
            output.talk(f"wrote {export}: head {head.sequence}")


def _say(live: bool, shots: int) -> Callable[[Lesson], None]:
    """Tells of the words as the microphone hears them; files have a bar."""
    heard = 0

    def say(lesson: Lesson) -> None:
        nonlocal heard
        heard += 1
        if live:
            output.talk(f"{heard} of {shots}: {lesson.outcome.words}")

    return say


def _microphone(session: Session, name: str, shots: int, seconds: float) -> Iterator[Example]:
    """Words as they are heard. Raises TinycError without a front end, a microphone, or a word."""
    from tinyc.cli.inputs import Sample
    from tinyc.cli.learn.lessons import example_of
    from tinyc.learning.recording import Samples, microphone, utterances

    _, program = session.runs
    settings = program.audio
    if settings is None:
        raise TinycError("the model takes no sound", where=program.name, hint="name inputs: --input FILE")
    end = time.monotonic() + seconds

    def blocks() -> Iterator[Samples]:
        for block in microphone(settings):
            if time.monotonic() >= end:
                return
            yield block

    output.talk(f"say it {shots} times, a second apart; {seconds:g} s are there for it")
    count = 0
    for clip in utterances(blocks(), settings):
        count += 1
        yield example_of(session, Sample(f"word {count}", [], clip))
        if count == shots:
            return
    if not count:
        raise TinycError(
            "nothing was heard that is louder than the room",
            hint="is the microphone on, and is it the right one?",
        )
