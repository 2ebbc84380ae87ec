"""`tinyc flash`: firmware onto a board, verified by the board itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.boards import Board
from tinyc.cli import output
from tinyc.cli.options import AllowFloat, BoardName, Json, MaxArena, MaxFlash, Model, Optimize
from tinyc.errors import TinycError
from tinyc.objective import Limits


def command(
    model: Model = None,
    board: BoardName = None,
    port: Annotated[
        str | None,
        typer.Option(
            "--port",
            help="Serial port where the firmware answers. Default: the debugger's.",
            show_default=False,
        ),
    ] = None,
    bootloader_port: Annotated[
        str | None,
        typer.Option(
            "--bootloader-port",
            help="Serial port of the bootloader, where it is another one. Default: found by its USB id.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="One of the board's, see `tinyc boards`. Default: the first that has all it needs.",
            show_default=False,
        ),
    ] = None,
    drive: Annotated[
        Path | None,
        typer.Option(
            "--drive", help="Folder where the UF2 bootloader's drive is mounted.", show_default=False
        ),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(
            "--probe",
            help="Debug probe: its number, or whatever `pyocd --uid` takes, like remote:HOST:PORT.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=1.0, help="Longest wait in seconds for a port, a drive or an answer."),
    ] = 30.0,
    toolchain: Annotated[
        str | None,
        typer.Option(
            "--toolchain",
            help="zig, gcc or registry. Default: registry for platformio, else zig.",
            show_default=False,
        ),
    ] = None,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial", help="Do not confirm the firmware: the next reset takes the one before it back."
        ),
    ] = False,
    revert: Annotated[
        bool, typer.Option("--revert", help="Take back a firmware on trial. Nothing is built or written.")
    ] = False,
    model_only: Annotated[
        bool,
        typer.Option(
            "--model-only",
            help="Send only the model, to a firmware of `tinyc build --split-model` that has all it needs.",
        ),
    ] = False,
    optimize: Optimize = None,
    allow_float: AllowFloat = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    json: Json = False,
) -> None:
    """Write the firmware to a board, building it first if needed, and check that the board runs it."""
    from tinyc import artifact
    from tinyc.cli import target
    from tinyc.cli.registry.recording import deployment_log
    from tinyc.flash import Job, check, entry, flash, flash_model
    from tinyc.source import resolve

    if revert:
        _revert(port or _console(target.board_of(board, resolve(model))), timeout, json)
        return
    if model is None or not artifact.is_artifact(model):
        # What cannot be done is said before anything is built.
        check(target.board_of(board, resolve(model)), port, method)
    if model_only and method not in (None, "smp"):
        raise TinycError("models are sent by the firmware itself", where="--method", allowed="smp")
    split = (
        target.SplitRequest() if model_only and (model is None or not artifact.is_artifact(model)) else None
    )
    found = target.built(
        model,
        board,
        toolchain=toolchain or _toolchain(method),
        optimize=optimize,
        limits=Limits(max_arena, max_flash),
        split=split,
        allow_float=allow_float,
    )
    if model_only and found.split is None:
        raise TinycError(
            "the model of this build is a part of its firmware",
            where=str(found.folder),
            hint="`tinyc build --split-model` makes one of its own",
        )
    job = Job(found.program.board, found.firmware, port, bootloader_port, drive, probe, timeout, trial)
    with output.steps(f"flashing {found.program.board.name}") as say:
        log = deployment_log(found, say)
        deployment = flash_model(job, log, say) if model_only else flash(job, log, say, method)
    told = entry(deployment)
    if json:
        output.as_json(told)
        return
    output.data(
        f"{told['board']} {told['device']} at {told['port']} runs {told['model']} {told['version']}, "
        f"firmware {told['firmware'][:12]}: verified"
    )


def _console(board: Board) -> str:
    from tinyc.flash import ports

    known = ports.with_ids(board.usb.console)
    if not known:
        raise TinycError("the board's serial port is not there", hint="plug it in, or name it with --port")
    return known[0].name


def _revert(port: str, timeout: float, as_json: bool) -> None:
    from tinyc.cli.registry.recording import record_found
    from tinyc.flash import smp

    with output.steps("reverting") as say:
        hello = smp.revert(port, timeout, say)
        record_found(hello, say)
    if as_json:
        output.as_json({"board": hello.board, "device": hello.device_id, "firmware": hello.firmware})
        return
    output.data(
        f"{hello.board} {hello.device_id} at {port} runs {hello.model} {hello.model_version} again, "
        f"firmware {hello.firmware[:12]}"
    )


def _toolchain(method: str | None) -> str:
    return "registry" if method == "platformio" else "zig"
