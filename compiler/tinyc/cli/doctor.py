"""`tinyc doctor`: what is on this machine, what is missing and how to get it."""

from __future__ import annotations

from dataclasses import asdict

from tinyc.cli import output
from tinyc.cli.options import Json


def command(json: Json = False) -> None:
    """Say what is installed, what is missing and how to get it."""
    from tinyc.toolchain import doctor

    rows = doctor.report()
    if json:
        output.as_json([asdict(row) for row in rows])
        return
    output.table(
        "",
        ("part", "state", "found", "needed for", "how to get it"),
        ((row.part, row.state, row.found, row.needed_for, row.hint) for row in rows),
    )
