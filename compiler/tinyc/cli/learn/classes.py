"""`tinyc learn classes`: what the head tells apart."""

from __future__ import annotations

import typer

from tinyc.cli import output
from tinyc.cli.learn.session import opened
from tinyc.cli.options import Json


def command(context: typer.Context, json: Json = False) -> None:
    """List the classes of the device's head, and how many samples the active head has learned of each."""
    with opened(context.obj) as session:
        shape = session.learned.shape
        rows = [
            {
                "index": entry.index,
                "name": session.class_name(entry.index),
                "from": "factory" if entry.index < shape.factory_classes else "device",
                "samples": entry.samples,
            }
            for entry in session.classes
            if entry.index < shape.factory_classes or entry.name
        ]
    if json:
        output.as_json({"room": shape.capacity, "classes": rows})
        return
    if not rows:
        output.talk("the head has no classes: its answers are numbers")
        return
    free = shape.capacity - len(rows)
    output.table(
        "",
        ("class>", "name", "from", "samples>"),
        [tuple(row.values()) for row in rows],
        f"and room for {free} more" if free else "and no room for more",
    )
