"""The table of verbs, in the order of a user's day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tinyc import __version__
from tinyc.cli.boards import app as boards
from tinyc.cli.build import command as build
from tinyc.cli.check import command as check
from tinyc.cli.devices import command as devices
from tinyc.cli.doctor import command as doctor
from tinyc.cli.federate import app as federate
from tinyc.cli.flash import command as flash
from tinyc.cli.init import command as init
from tinyc.cli.inspect import command as inspect
from tinyc.cli.keys import app as keys
from tinyc.cli.learn import app as learn
from tinyc.cli.lowpan import app as lowpan
from tinyc.cli.monitor import command as monitor
from tinyc.cli.profile import command as profile
from tinyc.cli.quantize import command as quantize
from tinyc.cli.registry import app as registry
from tinyc.cli.report import command as report
from tinyc.cli.run import command as run
from tinyc.cli.tune import command as tune
from tinyc.cli.verify import command as verify
from tinyc.cli.version import command as version

app = typer.Typer(
    name="tinyc",
    help="Compile quantized models to verified microcontroller firmware.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tinyc {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Compile quantized models to verified microcontroller firmware."""


VERBS: dict[str, Callable[..., None]] = {
    "init": init,
    "check": check,
    "inspect": inspect,
    "quantize": quantize,
    "build": build,
    "flash": flash,
    "run": run,
    "verify": verify,
    "version": version,
    "profile": profile,
    "report": report,
    "tune": tune,
    "devices": devices,
    "monitor": monitor,
    "doctor": doctor,
}
for name, verb in VERBS.items():
    app.command(name=name)(verb)
# Verbs with verbs of their own.
app.add_typer(boards, name="boards")
app.add_typer(federate, name="federate")
app.add_typer(keys, name="keys")
app.add_typer(learn, name="learn")
app.add_typer(lowpan, name="lowpan")
app.add_typer(registry, name="registry")
