"""`tinyc federate merge`: one head of those that many devices learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import BoardName, Json


def command(
    model: Annotated[
        Path,
        typer.Argument(help="What the devices' firmware was built from: a tinyc.toml, or a folder with one."),
    ],
    heads: Annotated[list[Path], typer.Argument(help="Files that `tinyc learn export` wrote.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="File of the merged head.", show_default=False)],
    board: BoardName = None,
    json: Json = False,
) -> None:
    """Add up what devices learned apart, without their samples. `tinyc learn import` brings it to a device.

    For slda and ncm heads, whose sums add exactly. Classes of the same name are one.
    """
    from tinyc.cli import target
    from tinyc.cli.learn_build import LearnRequest
    from tinyc.errors import TinycError
    from tinyc.learning.federation.merge import merge
    from tinyc.learning.head_file import read, save

    _, _, program = target.compiled(model, board, None, None, learn=LearnRequest())
    if program.learning is None:
        raise TinycError("does not learn", where=str(model), hint="give it a [learn] table")
    body = program.learning.safety.body_hash
    merged = merge(program.learning.head, body, [(str(path), read(path)) for path in heads])
    save(out, merged.head)
    if json:
        keys = ("name", "samples", "devices", "exact")
        rows = [dict(zip(keys, row, strict=True)) for row in merged.classes]
        output.as_json({"file": str(out), "head": merged.head.head, "heads": len(heads), "classes": rows})
        return
    output.table(
        f"{len(heads)} heads",
        ("class", "samples>", "devices>", "sum"),
        (
            (name, count, taught, "exact" if exact else "mean")
            for name, count, taught, exact in merged.classes
        ),
    )
    output.talk(f"wrote {out}")
