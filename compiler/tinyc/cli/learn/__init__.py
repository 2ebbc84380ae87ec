"""`tinyc learn VERB`: teach a device, and move what it has learned. One module per verb."""

from __future__ import annotations

from collections.abc import Callable

import typer

from tinyc.cli.learn.classes import command as classes
from tinyc.cli.learn.deeds import discard, promote, reset, revert
from tinyc.cli.learn.heads import HeadOption
from tinyc.cli.learn.label import command as label
from tinyc.cli.learn.session import ModelOption, PortOption, Where
from tinyc.cli.learn.stats import command as stats
from tinyc.cli.learn.teach import command as teach
from tinyc.cli.learn.transfer import export, import_
from tinyc.cli.options import BoardName, Toolchain

app = typer.Typer(help="Teach a device that learns, and move what it has learned.", no_args_is_help=True)


@app.callback()
def _where(
    context: typer.Context,
    port: PortOption = None,
    model: ModelOption = None,
    board: BoardName = None,
    toolchain: Toolchain = "zig",
    head: HeadOption = None,
) -> None:
    """Teach a device that learns, and move what it has learned.

    The options come before the verb: `tinyc learn --port PORT teach yes --input yes.wav`.
    """
    context.obj = Where(port, model, board, toolchain, head)


VERBS: dict[str, Callable[..., None]] = {
    "label": label,
    "teach": teach,
    "classes": classes,
    "stats": stats,
    "export": export,
    "import": import_,
    "promote": promote,
    "revert": revert,
    "discard": discard,
    "reset": reset,
}
for name, verb in VERBS.items():
    app.command(name=name)(verb)
