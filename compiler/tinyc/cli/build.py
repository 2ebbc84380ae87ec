"""`tinyc build`: model → firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.emit_library import Emit, EmitKind, LibraryFormat
from tinyc.cli.learn_build import HeadName, LearnData, LearnFlag, LearnRequest, TapName
from tinyc.cli.options import (
    AllowFloat,
    BoardName,
    Calibration,
    EmbeddingBits,
    Json,
    MaxArena,
    MaxDrop,
    MaxFlash,
    Model,
    Optimize,
    Out,
    Streaming,
    Toolchain,
    WeightType,
)
from tinyc.cli.parts import PartsRequest, With, Without
from tinyc.cli.tradeoff import Tradeoff, print_tradeoff
from tinyc.errors import TinycError
from tinyc.objective import Limits


def command(
    model: Model = None,
    board: BoardName = None,
    out: Out = None,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    calibration: Calibration = None,
    max_drop: MaxDrop = None,
    embedding_bits: EmbeddingBits = None,
    weights: WeightType = None,
    streaming: Streaming = None,
    allow_float: AllowFloat = None,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Print the bytes of every function and array, largest first.")
    ] = False,
    split_model: Annotated[
        bool,
        typer.Option(
            "--split-model",
            help="Put the model into an image of its own, so that it can be replaced without the firmware.",
        ),
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            "--also",
            help="With --split-model: another model whose kernels the firmware is to have. Repeatable.",
            show_default=False,
        ),
    ] = None,
    arena: Annotated[
        int | None,
        typer.Option(
            "--arena",
            min=1,
            help="With --split-model: bytes of the firmware's arena, for larger models to come. "
            "Default: what the largest of its models needs.",
            show_default=False,
        ),
    ] = None,
    spare_kernels: Annotated[
        bool,
        typer.Option(
            "--spare-kernels",
            help="With --split-model: more kernels, for retrained versions of the model to come.",
        ),
    ] = False,
    firmware: Annotated[
        Path | None,
        typer.Option(
            "--firmware",
            help="With --split-model: a split build's folder. Its firmware stays as it is, and the model "
            "gets kernels that it has.",
            show_default=False,
        ),
    ] = None,
    any_version: Annotated[
        bool,
        typer.Option(
            "--any-version", help="Take the model's version even when it is too low for what changed."
        ),
    ] = False,
    learn: LearnFlag = None,
    head: HeadName = None,
    tap: TapName = None,
    learn_data: LearnData = None,
    with_parts: With = None,
    without: Without = None,
    report_page: Annotated[
        bool, typer.Option("--report", help="Write the page of `tinyc report` as well: OUT/report.html.")
    ] = False,
    tradeoff: Tradeoff = False,
    emit: EmitKind = Emit.FIRMWARE,
    format: LibraryFormat = None,
    json: Json = False,
) -> None:
    """Compile a model and build its firmware with PlatformIO, or write it as a library."""
    from tinyc.cli import emit_library, target
    from tinyc.cli.registry.recording import record_build
    from tinyc.cli.report import write_page
    from tinyc.tradeoff import Point

    makes = bool(also) or arena is not None or spare_kernels
    if not split_model and (makes or firmware is not None):
        raise TinycError(
            "--also, --arena, --spare-kernels and --firmware are for split builds", hint="add --split-model"
        )
    if makes and firmware is not None:
        raise TinycError(
            "--firmware names one that exists", hint="leave out --also, --arena, --spare-kernels"
        )
    learning = LearnRequest(learn, head, tap, learn_data)
    parts = PartsRequest.of(with_parts, without)
    given = {"--sizes": sizes, "--split-model": split_model, "--any-version": any_version}
    given |= {"--report": report_page, "--tradeoff": tradeoff}
    emit_library.require_suits(emit, format, given)
    if format is not None:
        emit_library.build(
            model,
            board,
            out,
            format,
            toolchain,
            calibration,
            optimize,
            Limits(max_arena, max_flash),
            max_drop,
            embedding_bits,
            learning,
            parts,
            streaming,
            allow_float,
            weights,
            json=json,
        )
        return
    request = target.SplitRequest(tuple(also or ()), arena, spare_kernels, firmware)
    split = request if split_model else None
    found = target.built(
        model,
        board,
        out,
        toolchain,
        calibration,
        optimize,
        Limits(max_arena, max_flash),
        max_drop,
        embedding_bits,
        split,
        any_version=any_version,
        learn=learning,
        parts=parts,
        tradeoff=tradeoff,
        streaming=streaming,
        allow_float=allow_float,
        weights=weights,
    )
    record_build(found, output.talk)
    page = write_page(found) if report_page else None
    report = found.report
    if json:
        elf = str(found.folder / str(report["elf"]))
        output.as_json({**report, "elf": elf, "folder": str(found.folder)})
        return
    target.say_built(found)
    if page is not None:
        output.talk(f"report: {page}")
    if tradeoff:
        print_tradeoff("", [Point(**entry) for entry in report["tradeoff"]])
    if sizes:
        _print_sizes(report["symbols"])
        return
    output.table(
        "",
        ("file", "path"),
        ((kind, found.folder / path) for kind, path in report["files"].items()),
    )


def _print_sizes(symbols: list[dict[str, Any]]) -> None:
    totals: dict[str, int] = {}
    for symbol in symbols:
        totals[symbol["kind"]] = totals.get(symbol["kind"], 0) + symbol["bytes"]
    rows = [(symbol["name"], symbol["kind"], f"{symbol['bytes']:,}") for symbol in symbols]
    rows += [("total", kind, f"{total:,}") for kind, total in totals.items()]
    note = "Flash holds code, constants and data, RAM data and bss; the reserved stack is not listed."
    output.table("", ("symbol", "kind", "bytes>"), rows, note)
