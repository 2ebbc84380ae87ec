"""`tinyc lowpan simulate`: senders, a sink and attackers on one simulated air."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.sixlowpan.pcap import Captured
    from tinyc.sixlowpan.simulation.summary import Row

_NONE, _ALL = "none", "all"
_COLUMNS = {
    "delivery": "delivery>",
    "ceiling": "ceiling>",
    "wrong": "wrong>",
    "wrong_reassembly": "wrong below UDP>",
    "repeated": "repeated>",
    "attacker_ram": "attacker's RAM>",
    "energy_uj": "uJ each>",
    "false_blocks": "false blocks>",
    "detection": "blocked after>",
}


class ModeName(StrEnum):
    """Modes by name."""

    KEYED = "keyed"
    CONTENT = "content"
    LEGACY = "legacy"


class Engine(StrEnum):
    """What is simulated."""

    C = "c"
    TWIN = "twin"


def command(
    mode: Annotated[ModeName, typer.Option("--mode", help="How fragments are bound together.")] = (
        ModeName.KEYED
    ),
    attack: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            help="A row for this attack; again for more. `all` for each that there is.",
            show_default=False,
        ),
    ] = None,
    together: Annotated[bool, typer.Option("--together", help="All attacks at once, in one row.")] = False,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=1000, help="Senders.")] = 4,
    size: Annotated[
        int, typer.Option("--size", min=49, max=1280, help="Bytes of a datagram with its IPv6 header.")
    ] = 448,
    rate: Annotated[float, typer.Option("--rate", min=0.001, help="Datagrams per second and sender.")] = 1.0,
    loss: Annotated[
        float, typer.Option("--loss", min=0.0, max=1.0, help="Share of frames lost with all their repeats.")
    ] = 0.01,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="Of each run.")] = 120.0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs for each row.")] = 1,
    engine: Annotated[Engine, typer.Option("--engine", help="The generated C, or its Python twin.")] = (
        Engine.C
    ),
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Write delivery and RAM as one HTML page.", show_default=False),
    ] = None,
    pcap: Annotated[
        Path | None,
        typer.Option("--pcap", help="Write the frames of the last run.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Simulate a network of senders and one sink under attack.

    The channel is that of IEEE 802.15.4 at 2.4 GHz. Frames that are lost are the same ones in each row, so
    rows differ by what the attack does.
    """
    from tinyc.sixlowpan.fragments import Mode
    from tinyc.sixlowpan.simulation.engine import check, simulate
    from tinyc.sixlowpan.simulation.settings import Settings
    from tinyc.sixlowpan.simulation.summary import row

    rows: dict[str, Row] = {}
    frames: list[Captured] = []
    wanted = _wanted(attack or [], together)
    all_settings = {
        name: [
            Settings(Mode[mode.name], attacks, nodes, size, rate, loss, seconds, seed, engine.value)
            for seed in range(1, seeds + 1)
        ]
        for name, attacks in wanted.items()
    }
    for runs in all_settings.values():
        check(runs[0])
    for name in output.progress("simulating", list(wanted)):
        outcomes = []
        for settings in all_settings[name]:
            frames.clear()
            outcomes.append(simulate(settings, record=frames.append if pcap else None))
        rows[name] = row(outcomes)
    if plot is not None:
        _write_plot(plot, mode.value, rows)
    if pcap is not None:
        _write_pcap(pcap, frames)
    if json:
        told = {"mode": mode.value, "nodes": nodes, "size": size, "rate": rate, "loss": loss}
        output.as_json({**told, "seconds": seconds, "engine": engine.value, "attacks": rows})
        return
    output.table("", ("attack", *_COLUMNS.values()), [[name, *_cells(it)] for name, it in rows.items()])


def _wanted(names: list[str], together: bool) -> dict[str, tuple[str, ...]]:
    """The rows, and the attacks in each."""
    from tinyc.sixlowpan.simulation.attacks import ATTACKS

    listed = list(dict.fromkeys(each for name in names for each in (ATTACKS if name == _ALL else [name])))
    real = tuple(name for name in listed if name != _NONE)
    if together:
        return {"+".join(real) or _NONE: real}
    return {_NONE: ()} | {name: (name,) for name in real}


def _cells(row: Row) -> list[str]:
    return [_cell(key, row[key]) for key in _COLUMNS]


def _cell(key: str, value: float | int | None) -> str:
    if value is None:
        return "-"
    if key in ("delivery", "ceiling"):
        return f"{value:.4f}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _write(path: Path, content: bytes) -> None:
    from tinyc.files import write_together

    try:
        write_together({path: content})
    except OSError as error:
        raise TinycError(f"cannot be written: {error.strerror}", where=str(path)) from error
    output.talk(f"wrote {path}")


def _write_plot(path: Path, mode: str, rows: dict[str, Row]) -> None:
    from tinyc.sixlowpan.simulation.plots import Bars, page

    def values(key: str) -> dict[str, dict[str, float | None]]:
        return {name: {mode: it[key]} for name, it in rows.items()}

    charts = [
        Bars(
            "Delivery",
            "Share of the honest datagrams that were handed up right.",
            values("delivery"),
            most=1.0,
        ),
        Bars("Memory", "Bytes held by what is not honest, mean over time.", values("attacker_ram"), digits=0),
    ]
    _write(path, page("A simulated 6LoWPAN network", f"Mode: {mode}.", charts).encode())


def _write_pcap(path: Path, frames: list[Captured]) -> None:
    from tinyc.sixlowpan.pcap import render

    _write(path, render(frames))
