"""`tinyc build`: model → firmware."""

from __future__ import annotations

from tinyc.cli import output
from tinyc.cli.options import BoardName, Calibration, Json, Model, Optimize, Out, Toolchain


def command(
    model: Model = None,
    board: BoardName = None,
    out: Out = None,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    calibration: Calibration = None,
    json: Json = False,
) -> None:
    """Compile a model and build its firmware with PlatformIO."""
    from tinyc.cli import target

    found = target.built(model, board, out, toolchain, calibration, optimize)
    report = found.report
    if json:
        elf = str(found.folder / str(report["elf"]))
        output.as_json({**report, "elf": elf, "folder": str(found.folder)})
        return
    target.say_built(found)
    output.table(
        "",
        ("file", "path"),
        ((kind, found.folder / path) for kind, path in report["files"].items()),
    )
