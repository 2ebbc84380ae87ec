"""`tinyc federate VERB`: devices teach one network together. One module per verb."""

from __future__ import annotations

from collections.abc import Callable

import typer

from tinyc.cli.federate.export import command as export
from tinyc.cli.federate.firmware import command as firmware
from tinyc.cli.federate.merge import command as merge
from tinyc.cli.federate.plot import command as plot
from tinyc.cli.federate.run import command as run
from tinyc.cli.federate.status import command as status

app = typer.Typer(
    help="Let devices teach one network together, without their samples leaving them.",
    no_args_is_help=True,
)

VERBS: dict[str, Callable[..., None]] = {
    "firmware": firmware,
    "run": run,
    "status": status,
    "plot": plot,
    "export": export,
    "merge": merge,
}
for name, verb in VERBS.items():
    app.command(name=name)(verb)
