"""`tinyc lowpan provision`: pairwise keys for the nodes of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.errors import TinycError


def command(
    addresses: Annotated[
        list[str], typer.Argument(help="Addresses, as 02:12:74:00:00:00:00:01 or 12:34.", show_default=False)
    ],
    folder: Annotated[Path, typer.Option("--folder", help="Where the files of the nodes lie.")] = Path(
        "peers"
    ),
    hub: Annotated[
        str | None, typer.Option("--hub", help="Make keys with this node only.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Make a key for each pair of nodes, and a file for each node that only you can read.

    Keys that are in the folder stay: so nodes are added to a network.
    """
    from tinyc.sixlowpan import peers

    nodes = peers.provision(
        [peers.parse_address(address) for address in addresses],
        hub=peers.parse_address(hub) if hub else None,
        known=peers.load_folder(folder),
    )
    try:
        written = peers.write(folder, nodes)
    except OSError as error:
        raise TinycError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    rows = [
        {"address": peers.show_address(node.address), "peers": len(node.peers), "file": str(path)}
        for node, path in zip(nodes, written, strict=True)
    ]
    if json:
        output.as_json(rows)
    else:
        output.table("", ("address", "peers>", "file"), [list(row.values()) for row in rows])
    output.talk(f"keep {folder} secret, and name it in .gitignore: it holds the keys of the network")
