"""`tinyc federate firmware`: firmware that makes a board a device of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import Json, Toolchain
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emit.trainer import TrainerSettings
    from tinyc.toolchain.trainer import TrainerFirmware


def command(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG.toml]", help="A run: its network is trained.", show_default=False),
    ] = None,
    board: Annotated[str, typer.Option("--board", "-b", help="Board name, see `tinyc boards`.")] = "nrf52840",
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers",
            help="Instead of a run: widths from input to output, as 1,32,32,1.",
            show_default=False,
        ),
    ] = None,
    hidden: Annotated[str, typer.Option("--hidden", help="With --layers: tanh, relu or leaky.")] = "tanh",
    loss: Annotated[str, typer.Option("--loss", help="With --layers: mse or softmax.")] = "mse",
    keep_start: Annotated[
        bool,
        typer.Option(
            "--keep-start/--no-keep-start",
            help="Keep the parameters of before a round, so that the device encodes what changed. Without, "
            "half the RAM, and the gateway subtracts.",
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Output folder. Default: build/trainer-BOARD.", show_default=False),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Private key that signs the image, see `tinyc keys`.", show_default=False),
    ] = None,
    flash: Annotated[bool, typer.Option("--flash", help="Write it to a board as well.")] = False,
    port: Annotated[
        str | None, typer.Option("--port", help="With --flash: the board's serial port.", show_default=False)
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="With --flash: one of the board's.", show_default=False)
    ] = None,
    toolchain: Toolchain = "zig",
    json: Json = False,
) -> None:
    """Build firmware that trains the network of a run on a board, for clients of kind `port`."""
    from tinyc.boards import load_board
    from tinyc.toolchain import trainer

    if not flash and (port or method):
        raise TinycError("--port and --method say where to write it", hint="add --flash")
    settings = _settings(config, layers, hidden, loss, keep_start)
    folder = out or Path("build") / f"trainer-{board}"
    with output.busy(f"building a trainer for {board}"):
        found = trainer.build(load_board(board), settings, folder, toolchain)
        report = _report(found, key)
    if flash:
        report["deployment"] = _flashed(found, report, port, method)
    if json:
        output.as_json(report)
        return
    output.talk(
        f"{settings.title}: {settings.parameters:,} parameters, flash {report['flash']:,} B, "
        f"RAM {report['ram']:,} B, stack {report['stack_bound'] or '?'} B"
    )
    output.table("", ("file", "path"), report["files"].items())


def _settings(
    config: Path | None, layers: str | None, hidden: str, loss: str, keep_start: bool
) -> TrainerSettings:
    from tinyc.learning.federation.chips import settings_for
    from tinyc.learning.federation.client import NetworkShape
    from tinyc.learning.federation.settings import load_config

    if (config is None) == (layers is None):
        raise TinycError("which network?", allowed="the CONFIG.toml of a run, or --layers")
    if config is not None:
        return settings_for(load_config(config).shape, keeps_start=keep_start)
    try:
        widths = tuple(int(width) for width in str(layers).split(","))
    except ValueError as error:
        raise TinycError(
            f"`{layers}` are no widths", where="--layers", allowed="whole numbers, as 1,32,32,1"
        ) from error
    # Words that are none are refused by the network itself.
    shape = NetworkShape(widths, hidden, loss)  # type: ignore[arg-type]
    return settings_for(shape, keeps_start=keep_start)


def _report(found: TrainerFirmware, key: Path | None) -> dict[str, Any]:
    """What was built, as JSON; on boards with slots the signed image is among the files."""
    from tinyc.packaging import Signing, package_without_model

    packaged = package_without_model(found.firmware, found.board, found.settings.name, Signing(key))
    firmware = found.firmware if packaged is None else packaged.firmware
    sizes = firmware.sizes
    return {
        "board": found.board.name,
        "layers": list(found.settings.layers),
        "hidden": found.settings.hidden,
        "loss": found.settings.loss,
        "parameters": found.settings.parameters,
        "keeps_start": found.settings.keeps_start,
        "flash": sizes.flash,
        "ram": sizes.ram,
        "stack_bound": sizes.stack_bound,
        "firmware": firmware.identity,
        "network": firmware.digest,
        "folder": str(firmware.folder),
        "files": {kind: str(path) for kind, path in firmware.outputs.items()},
    }


def _flashed(
    found: TrainerFirmware, report: dict[str, Any], port: str | None, method: str | None
) -> dict[str, Any]:
    from dataclasses import replace

    from tinyc.flash import Job, JsonLines, entry
    from tinyc.flash import flash as write

    outputs = {kind: Path(path) for kind, path in report["files"].items()}
    job = Job(found.board, replace(found.firmware, outputs=outputs), port)
    with output.steps(f"flashing {found.board.name}") as say:
        return entry(write(job, JsonLines(found.firmware.folder), say, method))
