"""`--head FILE`: the emulated chip with a head that was learned elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.device.client import DeviceClient

HeadOption = Annotated[
    Path | None,
    typer.Option(
        "--head",
        metavar="FILE",
        help="On the emulated chip: a file of `tinyc learn export`, whose head is made active first.",
        show_default=False,
    ),
]


def require_no_port(head: Path | None, port: str | None) -> None:
    """Raise TinycError for a board, on which a head is not changed in passing."""
    if head is not None and port is not None:
        raise TinycError(
            "--head is for the emulated chip",
            where=str(head),
            hint=f"tinyc learn --port {port} import {head}",
        )


def bring(client: DeviceClient, path: Path) -> None:
    """Make the head of a file the active one, whatever its guard set says: it was asked for.

    Raises TinycError for a damaged file, and Disagreement for a head that is for another network.
    """
    from tinyc.cli.learn.deeds import refuse
    from tinyc.learning.head_file import read
    from tinyc.learning.transfer import import_head

    head = read(path)
    hello = client.hello()
    if not hello.learns:
        raise TinycError(
            "the firmware does not learn", where=str(path), hint="build it with `tinyc build --learn`"
        )
    refuse(import_head(client.learner, hello, head, str(path), force=True))
