"""`tinyc lowpan check`: what a receiver makes of a capture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.errors import TinycError


def command(
    capture: Annotated[Path, typer.Argument(help="A pcap file of IEEE 802.15.4 frames.", show_default=False)],
    node: Annotated[
        list[Path] | None,
        typer.Option("--node", help="The file of a node, for its keys; again for more.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Judge the datagrams of a capture as our receivers would, and say why some are refused."""
    from tinyc.sixlowpan import pcap, peers
    from tinyc.sixlowpan.examine import examine

    nodes = [peers.load(path) for path in node or []]
    try:
        found = pcap.read(capture)
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(capture)) from error
    judged = examine(found.frames, nodes)
    start = min((frame.time_ns for frame in found.frames), default=0)
    rows = [
        {
            "frame": each.first,
            "ms": (each.time_ns - start) // 1_000_000,
            "from": peers.show_address(each.source),
            "to": peers.show_address(each.destination),
            "size": each.size,
            "tag": each.tag,
            "mode": "whole" if each.tag is None else each.mode.name.lower(),
            "frames": each.frames,
            "verdict": each.verdict,
            "why": dict(each.why),
        }
        for each in judged.datagrams
    ]
    if json:
        output.as_json({"datagrams": rows, "skipped": dict(judged.skipped), "unfinished": found.unfinished})
        return
    columns = ("frame>", "ms>", "from", "to", "size>", "tag>", "mode", "frames>", "verdict", "why")
    lines = [
        [*list(row.values())[:-1], ", ".join(f"{count} {reason}" for reason, count in each.why.items())]
        for row, each in zip(rows, judged.datagrams, strict=True)
    ]
    output.table("", columns, lines)
    for reason, count in judged.skipped.items():
        output.talk(f"{count} frames skipped: {reason}")
    if found.unfinished:
        output.talk("the last record of the file is not whole")
