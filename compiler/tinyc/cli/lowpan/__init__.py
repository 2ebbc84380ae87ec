"""`tinyc lowpan VERB`: 6LoWPAN networks of devices. One module per verb."""

from __future__ import annotations

from collections.abc import Callable

import typer

from tinyc.cli.lowpan.check import command as check
from tinyc.cli.lowpan.firmware import command as firmware
from tinyc.cli.lowpan.provision import command as provision
from tinyc.cli.lowpan.simulate import command as simulate
from tinyc.cli.lowpan.stats import command as stats

app = typer.Typer(
    help="Provision and simulate 6LoWPAN networks, build and watch nodes, judge what was captured.",
    no_args_is_help=True,
)

VERBS: dict[str, Callable[..., None]] = {
    "check": check,
    "firmware": firmware,
    "provision": provision,
    "simulate": simulate,
    "stats": stats,
}
for name, verb in VERBS.items():
    app.command(name=name)(verb)
