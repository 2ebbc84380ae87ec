"""`tinyc registry add`: builds, sites, devices and boards by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, SiteName, opened, site_of
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.registry.facts import Fact
    from tinyc.registry.registry import Registry

_FORMS = "BUILD_FOLDER..., site NAME, device BOARD CHIP, boards"


def command(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Build folders; or `site NAME`, `device BOARD CHIP`, `boards`. A folder with such a name is "
            "./site.",
        ),
    ],
    site: SiteName = None,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Write down builds with their deployments and journals, or sites, devices, boards."""
    kind, rest = what[0], what[1:]
    folders = [] if kind in ("site", "device", "boards") else [Path(each) for each in what]
    builds = [_build(folder) for folder in folders]
    facts = () if folders else _by_hand(kind, rest, site_of(site))
    with opened(registry, writable=True) as store:
        told = [each.fact for each in store.apply_all(facts)]
        for folder, build in zip(folders, builds, strict=True):
            told += _add(store, folder, build)
    if json:
        output.as_json([fact.to_json() for fact in told])
        return
    output.table("", ("kind", "what"), ((fact.kind, fact.key.partition(" ")[2]) for fact in told))


def _build(folder: Path) -> tuple[Fact, ...]:
    from tinyc import artifact
    from tinyc.cli.registry.recording import facts_of

    return facts_of(artifact.open_artifact(folder))


def _add(registry: Registry, folder: Path, build: Sequence[Fact]) -> list[Fact]:
    """The build, its journal, and the deployments that `tinyc flash` noted beside it."""
    from tinyc.cli.registry.journals import replay
    from tinyc.files import STATE_FOLDER
    from tinyc.flash.log import FILE
    from tinyc.registry.flash_log import logged_deployments
    from tinyc.registry.journal import Journal

    facts = [each.fact for each in registry.apply_all(build, live=False)]
    replay(registry, Journal(folder))
    try:
        deployments = logged_deployments(folder / STATE_FOLDER / FILE)
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    return facts + [each.fact for each in registry.apply_all(deployments, live=False)]


def _by_hand(kind: str, rest: Sequence[str], site: str) -> tuple[Fact, ...]:
    from tinyc.boards import load_board
    from tinyc.registry.boards import board_facts
    from tinyc.registry.facts import DeviceFact, SiteFact

    if kind == "boards" and not rest:
        return board_facts()
    if kind == "site" and len(rest) == 1 and rest[0].strip():
        return (SiteFact(rest[0]),)
    if kind == "device" and len(rest) == 2:
        board, chip = load_board(rest[0]).name, rest[1].lower()
        if not chip or set(chip) - set("0123456789abcdef"):
            raise TinycError(f"is no number of a chip: {rest[1]!r}", allowed="hexadecimal digits")
        return (DeviceFact(board, chip, site),)
    raise TinycError(f"cannot add {' '.join((kind, *rest))!r}", allowed=_FORMS)
