"""`tinyc lowpan stats`: what a node has received and refused, and from whom."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json

if TYPE_CHECKING:
    from tinyc.sixlowpan.told import LowpanClient, Standing, Told

_SECONDS = 1.0


def command(
    port: Annotated[str, typer.Option("--port", help="Serial port of the node.", show_default=False)],
    watch: Annotated[bool, typer.Option("--watch", help="Go on, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.05, help="Seconds between looks.")] = 1.0,
    every: Annotated[bool, typer.Option("--all", help="Show counters that are 0, too.")] = False,
    json: Json = False,
) -> None:
    """Show what a 6LoWPAN node has counted: verdicts on fragments, the radio, memory, neighbours.

    With --watch and --json each look is one line of JSON.
    """
    from tinyc.device.client import DeviceClient
    from tinyc.device.transport import SerialTransport
    from tinyc.sixlowpan.told import LowpanClient

    with contextlib.suppress(KeyboardInterrupt), SerialTransport(port) as line:
        node = LowpanClient(DeviceClient(line, timeout=_SECONDS))
        before: Told | None = None
        while True:
            told = _show(node, before, every, json, watch)
            if not watch:
                return
            before = told
            time.sleep(interval)


def _show(node: LowpanClient, before: Told | None, every: bool, json: bool, watch: bool) -> Told:
    told, neighbours = node.told(), node.neighbours()
    if json:
        (output.json_line if watch else output.as_json)(entry(told, neighbours))
        return told
    output.table(
        f"{told.milliseconds / 1000:.1f} s after the start",
        ("counter", "count>", "since>", "what"),
        _rows(told, before, every),
    )
    memory = told.memory
    output.table(
        "",
        ("neighbour", "evidence", "score>", "completed>", "failures>", "state"),
        [_neighbour(it) for it in neighbours],
        f"{memory.slots} of {memory.slots_of} slots of {memory.slot_bytes} B, "
        f"{memory.contexts} of {memory.contexts_of} datagrams, "
        f"{len(neighbours)} of {memory.neighbours_of} neighbours",
    )
    return told


def _rows(told: Told, before: Told | None, every: bool) -> list[tuple[object, ...]]:
    from tinyc.sixlowpan.words import meaning

    rows: list[tuple[object, ...]] = []
    for verdict, count in told.verdicts.items():
        if count or every:
            last = None if before is None else before.verdicts[verdict]
            rows.append((_plain(verdict.name), count, _since(count, last), meaning(verdict)))
    parts = (
        ("datagrams", told.node, before.node if before else None),
        ("radio", told.radio, before.radio if before else None),
    )
    for part, counts, earlier in parts:
        for name, count in counts.items():
            if count or every:
                last = None if earlier is None else earlier[name]
                rows.append((f"{part} {_plain(name)}", count, _since(count, last), ""))
    return rows


def _since(count: int, last: int | None) -> str:
    """How much it is more than at the look before; counters wrap, and begin anew with the node."""
    return "" if last is None else f"+{count - last}" if count >= last else "anew"


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _neighbour(it: Standing) -> tuple[object, ...]:
    from tinyc.sixlowpan.peers import show_address

    state = "blocked" if it.blocked else "proven" if it.proven else "on probation"
    completed = f"{it.ok}+" if it.ok == 255 else it.ok
    return show_address(it.address), "keyed" if it.keyed else "open", it.score, completed, it.streak, state


def entry(told: Told, neighbours: tuple[Standing, ...]) -> Mapping[str, Any]:
    """All of it as JSON."""
    from dataclasses import asdict

    from tinyc.sixlowpan.peers import show_address

    return {
        "milliseconds": told.milliseconds,
        "counters": {verdict.name.lower(): count for verdict, count in told.verdicts.items()},
        "node": dict(told.node),
        "radio": dict(told.radio),
        "memory": asdict(told.memory),
        "neighbours": [
            {
                "address": show_address(it.address),
                "keyed": it.keyed,
                "score": it.score,
                "ok": it.ok,
                "streak": it.streak,
                "proven": it.proven,
                "blocked": it.blocked,
            }
            for it in neighbours
        ],
    }
