"""`tinyc registry match`: which model fits on which board, and what the others lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.audio.settings import AudioSettings
    from tinyc.ir.graph import Graph
    from tinyc.registry.matching import Build, Match, RegisteredBoard, Wanted
    from tinyc.text.tokenizer import Tokenizer


def command(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Which boards does this model fit on? NAME@VERSION of the registry, NAME for its newest "
            "version, or a build folder, tinyc.toml or model file.",
            show_default=False,
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", "-b", help="Which models fit on this board?", show_default=False),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="List also what lacks several things, and with --board every version of a model."
        ),
    ] = False,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Match models and boards: what fits, by the room that it leaves, and what the near misses lack."""
    if (model is None) == (board is None):
        raise TinycError("name either a model or a board", hint="--model NAME@VERSION or --board NAME")
    if model is not None:
        found, title = _boards(model, registry), f"boards for {model}"
    else:
        assert board is not None
        from tinyc.registry import matching

        with opened(registry) as there:
            found = matching.models_for(there.store, board, newest=not every)
        title = f"models for {board}"
    shown = [each for each in found if every or len(each.lacks) <= 1]
    if json:
        output.as_json([{**asdict(each), "lacks": list(each.lacks), "fits": each.fits} for each in shown])
        return
    _show(shown, title, "board" if model is not None else "model", len(found) - len(shown))


def _boards(reference: str, registry: str | None) -> list[Match]:
    from tinyc.registry import location, matching, models

    if Path(reference).exists():
        if location.find(registry) is None:
            boards = _own_boards()
        else:
            with opened(registry) as there:
                boards = matching.boards(there.store) or _own_boards()
        wanted = _local(Path(reference), boards)
        return matching.ordered(matching.match(board, wanted) for board in boards)
    with opened(registry) as there:
        boards = matching.boards(there.store)
        (wanted,) = matching.wanted_of(there.store, [models.find(there.store, reference)], boards)
        return matching.ordered(matching.match(board, wanted) for board in boards)


def _own_boards() -> tuple[RegisteredBoard, ...]:
    """The boards that tinyc knows by itself, for a model that no registry has."""
    from tinyc.registry.boards import board_facts
    from tinyc.registry.matching import RegisteredBoard

    return tuple(
        RegisteredBoard(
            fact.name,
            fact.core,
            fact.flash,
            fact.ram,
            frozenset(fact.sensors) or None,
            frozenset(fact.features) or None,
        )
        for fact in board_facts()
    )


def _local(path: Path, boards: Sequence[RegisteredBoard]) -> Wanted:
    """A model that lies here: what its build measured, and for other boards the budget."""
    from tinyc import artifact, pipeline
    from tinyc.cli import lineage
    from tinyc.registry.matching import Wanted
    from tinyc.source import resolve
    from tinyc.versioning.building import manifest_of

    if artifact.is_artifact(path):
        built = artifact.open_artifact(path)
        program, manifest = built.program, manifest_of(built)
        name, graph, audio, tokenizer = program.name, program.graph, program.audio, program.tokenizer
        sensor = manifest.input.sensor
        measured = tuple(_measured(built))
    else:
        source = resolve(path)
        with output.stages("preparing") as progress:
            graph = pipeline.prepare(source, progress=progress).graph
        name, audio, tokenizer, measured = source.name, source.audio, source.tokenizer, ()
        told = lineage.release_of(source, None) or {}
        sensor = told.get("sensor") or ("microphone" if audio is not None else None)
    estimates: dict[str, Build | str] = {}
    for board in output.progress("planning", list(boards)):
        if all(board.name != build.board for build in measured):
            estimate = _estimate(board, name, graph, audio, tokenizer)
            if estimate is not None:
                estimates[board.name] = estimate
    return Wanted(name, measured, sensor=sensor, estimates=estimates)


def _measured(built: Artifact) -> Sequence[Build]:
    """The sizes of a build; those of a split one, and of one for this machine, are not comparable."""
    from tinyc.registry.matching import Build

    board, sizes = built.program.board, built.firmware.sizes
    if built.split is not None or board.is_host:
        return ()
    return (Build(board.name, board.core, sizes.flash, sizes.ram + board.memory.stack, board.features),)


def _estimate(
    board: RegisteredBoard,
    name: str,
    graph: Graph,
    audio: AudioSettings | None,
    tokenizer: Tokenizer | None,
) -> Build | str | None:
    """What the model would take of the board, or why it cannot be compiled; None for a board of others."""
    from tinyc import pipeline
    from tinyc.boards import board_names, load_board
    from tinyc.memory.budget import budget
    from tinyc.registry.matching import Build

    if board.name not in board_names():
        return None
    try:
        program = pipeline.compile_graph(
            graph, load_board(board.name), name=name, audio=audio, tokenizer=tokenizer
        )
    except TinycError as error:
        return "; ".join(
            [error.what, *(f"{problem.where}: {problem.what}" for problem in error.problems[:1])]
        )
    sizes = budget(program)
    return Build(board.name, board.core, sizes.flash, sizes.ram, board.features)


def _show(found: Sequence[Match], title: str, column: str, hidden: int) -> None:
    note = f"{hidden} more lack several things: --all" if hidden else ""
    output.table(
        title,
        (column, "fits", "free flash>", "free RAM>", "margin>", "sizes", "lacks"),
        (
            (
                each.board if column == "board" else each.model,
                "yes" if each.fits else "no",
                _free(each.free_flash),
                _free(each.free_ram),
                "" if each.margin is None else f"{each.margin:.0%}",
                each.basis,
                ", ".join(each.lacks),
            )
            for each in found
        ),
        note,
    )


def _free(count: int | None) -> str:
    return "" if count is None else output.bytes_text(count)
