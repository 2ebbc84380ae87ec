"""`tinyc build --emit library`: the model alone, for another build system."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.learn_build import LearnRequest
from tinyc.cli.parts import PartsRequest
from tinyc.errors import Problem, TinycError
from tinyc.libraries.settings import Format, LibrarySettings
from tinyc.objective import Limits, Objective
from tinyc.quantize.options import Weights


class Emit(Enum):
    """What a build makes."""

    FIRMWARE = "firmware"
    LIBRARY = "library"


EmitKind = Annotated[
    Emit, typer.Option("--emit", help="firmware, or library: the model alone, for another build system.")
]
LibraryFormat = Annotated[
    Format | None,
    typer.Option(
        "--format", help="With --emit library: the build system that it is for.", show_default=False
    ),
]


def require_suits(emit: Emit, format: Format | None, firmware_options: Mapping[str, bool]) -> None:
    """Raise TinycError for options of the other kind of build; `firmware_options` says which are given."""
    if emit is Emit.FIRMWARE:
        if format is not None:
            raise TinycError("--format is for libraries", hint="add --emit library")
        return
    problems = [Problem(name, "is for firmware") for name, given in firmware_options.items() if given]
    if problems:
        raise TinycError("a library is a model alone", where="--emit library", problems=problems)
    if format is None:
        raise TinycError(
            "a library needs a build system", allowed=f"--format {'|'.join(each.value for each in Format)}"
        )


def build(
    model: Path | None,
    board: str | None,
    out: Path | None,
    format: Format,
    toolchain: str,
    calibration: Path | None,
    optimize: Objective | None,
    limits: Limits,
    max_drop: float | None,
    embedding_bits: int | None,
    learn: LearnRequest,
    parts: PartsRequest,
    streaming: bool | None,
    allow_float: bool | None,
    weights: Weights | None,
    *,
    json: bool,
) -> None:
    """Compile the model for the core of `board`, write the library and say where. Raises TinycError."""
    from tinyc import artifact
    from tinyc.cli import target
    from tinyc.emit.project import write_texts
    from tinyc.libraries.emit import render_library

    if model is not None and artifact.is_artifact(model):
        raise TinycError("is a build of a firmware", where=str(model), hint="name the model")
    if out is not None and artifact.is_artifact(out):
        raise TinycError("has a build of a firmware", where=str(out), hint="choose another folder with --out")
    source, _, program = target.compiled(
        model,
        board,
        calibration,
        optimize,
        limits,
        toolchain,
        max_drop,
        embedding_bits,
        learn=learn,
        parts=parts,
        streaming=streaming,
        allow_float=allow_float,
        weights=weights,
    )
    config = source.config
    settings = config.emit_library if config else LibrarySettings()
    told = (config.sensor, config.units) if config else ()
    measured = ", ".join(word for word in told if word)
    files = render_library(program, settings, format, measured=measured)
    folder = out or source.build_folder / f"{program.board.name}-{format.value}"
    write_texts(files, folder)
    if json:
        output.as_json(
            {
                "model": program.name,
                "digest": program.digest,
                "core": program.board.core,
                "format": format.value,
                "folder": str(folder),
                "files": list(files),
                "arena": program.plan.arena_size,
                "weights": program.weight_bytes,
            }
        )
        return
    output.talk(
        f"{program.name} for {program.board.core}: weights {program.weight_bytes:,} B, "
        f"arena {program.plan.arena_size:,} B"
    )
    output.table("", ("file",), ((str(folder / path),) for path in files))
