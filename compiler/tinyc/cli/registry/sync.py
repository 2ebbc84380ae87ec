"""`tinyc registry sync`: who answers at the serial ports."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, SiteName, opened, site_of
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.registry.syncing import Seen


def command(
    ports: Annotated[
        list[str] | None, typer.Option("--port", help="Ask at this port; may be repeated.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Ask at every port, and mark devices of the site that do not answer as missing. Without a "
            "site: devices that have none, of a registry in a folder.",
        ),
    ] = False,
    site: SiteName = None,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Ask devices who they are and write down what is new, what changed and, with --all, what is missing.

    What waits in the journals of builds here is written first.
    """
    from datetime import UTC, datetime

    from tinyc.cli.registry.journals import replay_here
    from tinyc.device.discovery import Port, ask_all, attached
    from tinyc.registry.syncing import beat, sync

    if bool(ports) == everything:
        raise TinycError("which ports?", where="tinyc registry sync", allowed="--port PORT, or --all")
    place = site_of(site)
    with opened(registry, writable=True) as store:
        replayed = replay_here(store, Path.cwd())
        with output.busy("asking at the serial ports"):
            known = {port.name: port for port in attached()}
            wanted = list(known.values()) if everything else [known.get(p, Port(p)) for p in ports or ()]
            found = ask_all(wanted, counters=True)
        now = datetime.now(UTC)
        # A registry that many share has devices elsewhere, which nobody here can ask.
        shared = store.location is not None and store.location.folder is None
        if everything and shared and not place:
            output.talk("no site is named, so that nothing is marked as missing")
        marks = everything and bool(place or not shared)
        seen = sync(store, found, now, site=place, everything=marks)
        try:
            beat(store, seen, now)
        except TinycError as error:
            output.talk(f"the heartbeats are not written down: {error}")
    silent = [(each.port.name, each.problem) for each in found if each.hello is None]
    if json:
        output.as_json(
            {
                "devices": [_entry(each) for each in seen],
                "silent": [{"port": port, "problem": problem} for port, problem in silent],
                "replayed": replayed,
            }
        )
        return
    for port, problem in silent:
        output.talk(f"{port}: {problem}")
    for each in seen:
        if each.note:
            output.talk(f"{each.board} {each.chip}: {each.note}")
    output.table(
        "",
        ("state", "port", "board", "chip", "model", "version", "firmware", "free RAM>"),
        ((each.state, each.port, each.board, each.chip, *_runs(each)) for each in seen),
    )


def _runs(seen: Seen) -> tuple[str, str, str, str]:
    firmware = seen.firmware[:12] + ("" if seen.known or not seen.firmware else " (unknown)")
    free = "" if seen.free_ram is None else output.bytes_text(seen.free_ram)
    model = seen.model
    return (model.name if model else "", model.version if model else "", firmware, free)


def _entry(seen: Seen) -> dict[str, Any]:
    model = seen.model
    return {
        "state": seen.state,
        "port": seen.port or None,
        "device": seen.device.value,
        "board": seen.board,
        "chip": seen.chip,
        "model": {"name": model.name, "version": model.version, "digest": model.digest} if model else None,
        "firmware": seen.firmware or None,
        "known_firmware": seen.known,
        "free_ram": seen.free_ram,
        "counters": asdict(seen.counters) if seen.counters else None,
        "note": seen.note or None,
    }
