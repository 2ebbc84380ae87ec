"""`tinyc learn label`: what the last inference was, or some inputs are."""

from __future__ import annotations

from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.learn.session import opened
from tinyc.cli.options import Json

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="FILE|TEXT",
        help="What `tinyc run` takes, or a folder of recordings; may be repeated.",
    ),
]
Values = Annotated[
    list[float] | None,
    typer.Option("--value", help="For a regression, in the order of its outputs; may be repeated."),
]


def command(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="The class. None for a head whose answers are numbers.", show_default=False)
    ] = "",
    inputs: Inputs = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Tell the device what its last inference was, or run the inputs and tell what they are.

    The class has to be there: `tinyc learn teach` makes one. An autoencoder needs no name: the input is a
    normal one. The device decides by itself when what it has learned becomes active.
    """
    from tinyc.cli.learn.lessons import examples_of, finish, label_of, telling
    from tinyc.learning.session import Example, teach

    with opened(context.obj, inputs=bool(inputs)) as session:
        label, new = label_of(session, name, create=False) if name else (None, False)
        tell = telling(session, label, values)
        found: list[Example | None] = [*examples_of(session, inputs)] if inputs else [None]
        shown = output.progress("labelling", found)
        course = teach(session.learner, shown, tell, promote=False)
        finish(session, course, name, label, new, json)
