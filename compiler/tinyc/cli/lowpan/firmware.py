"""`tinyc lowpan firmware`: a node without a model, with an application of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json, Toolchain
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emit.lowpan import Application
    from tinyc.sixlowpan.settings import LowpanSettings
    from tinyc.toolchain.lowpan import NodeFirmware


def command(
    application: Annotated[
        list[Path],
        typer.Option(
            "--application", "-a", help="A C file of the application; again for more.", show_default=False
        ),
    ],
    board: Annotated[str, typer.Option("--board", "-b", help="Board name, see `tinyc boards`.")] = "nrf52840",
    node: Annotated[
        Path | None,
        typer.Option(
            "--node",
            help="The node's file, of `tinyc lowpan provision`: address and keys.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings", help="A TOML file with a table [sixlowpan], as in tinyc.toml.", show_default=False
        ),
    ] = None,
    pan: Annotated[
        str | None, typer.Option("--pan", help="The network's number, as 0xABCD.", show_default=False)
    ] = None,
    channel: Annotated[int | None, typer.Option("--channel", help="11 to 26.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "--out", "-o", help="Output folder. Default: build/lowpan-BOARD.", show_default=False
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Private key that signs the image, see `tinyc keys`.", show_default=False),
    ] = None,
    toolchain: Toolchain = "zig",
    json: Json = False,
) -> None:
    """Build firmware of a 6LoWPAN node whose application is a C file of yours.

    It defines lowpan_application_start, lowpan_application_poll and lowpan_receive.
    """
    from tinyc.boards import load_board
    from tinyc.toolchain import lowpan

    chosen = load_board(board)
    told = _settings(settings, node, pan, channel)
    program = _application(application)
    folder = out or Path("build") / f"lowpan-{board}"
    with output.busy(f"building a 6LoWPAN node for {board}"):
        found = lowpan.build(chosen, told, program, folder, toolchain)
        report = _report(found, key)
    if json:
        output.as_json(report)
        return
    output.talk(
        f"{program.name}: flash {report['flash']:,} B, RAM {report['ram']:,} B, "
        f"stack {report['stack_bound'] or '?'} B"
    )
    output.table("", ("file", "path"), report["files"].items())
    if told.has_keys:
        output.talk(f"keep {folder} secret: the firmware has the keys of the node")


def _settings(path: Path | None, node: Path | None, pan: str | None, channel: int | None) -> LowpanSettings:
    """What the file says, and the options over it."""
    import tomllib

    from tinyc.sixlowpan.settings import LowpanSettings

    table: dict[str, Any] = {}
    folder = Path()
    if path is not None:
        folder = path.parent
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("sixlowpan", {})
        except (OSError, ValueError) as error:
            raise TinycError(f"cannot be read: {error}", where=str(path)) from error
        if not isinstance(table, dict):
            raise TinycError("`sixlowpan` is no table", where=str(path), allowed="[sixlowpan]")
    if node is not None:
        table["node"] = str(node.absolute())
    if pan is not None:
        try:
            table["pan"] = int(pan, 0)
        except ValueError as error:
            raise TinycError(f"`{pan}` is no number", where="--pan", allowed="as 0xABCD") from error
    if channel is not None:
        table["channel"] = channel
    return LowpanSettings.from_toml(table, folder)


def _application(paths: list[Path]) -> Application:
    from tinyc.emit.lowpan import Application

    sources: dict[str, str] = {}
    for path in paths:
        if path.name in sources:
            raise TinycError("two files of the application have one name", where=path.name)
        try:
            sources[path.name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TinycError(f"cannot be read: {error}", where=str(path)) from error
    return Application(paths[0].stem, sources)


def _report(found: NodeFirmware, key: Path | None) -> dict[str, Any]:
    """What was built, as JSON; on boards with slots the signed image is among the files."""
    from tinyc.packaging import Signing, package_without_model

    packaged = package_without_model(found.firmware, found.board, found.application.title, Signing(key))
    firmware = found.firmware if packaged is None else packaged.firmware
    sizes = firmware.sizes
    return {
        "board": found.board.name,
        "application": found.application.name,
        "flash": sizes.flash,
        "ram": sizes.ram,
        "stack_bound": sizes.stack_bound,
        "firmware": firmware.identity,
        "digest": firmware.digest,
        "sixlowpan": found.settings.to_json(),
        "folder": str(firmware.folder),
        "files": {kind: str(path) for kind, path in firmware.outputs.items()},
    }
