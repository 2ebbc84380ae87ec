"""The product, top to bottom: load → passes → quantize → select ⇄ plan → render → build → run.

Each stage is a function from one frozen value to the next; nothing is kept between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyc import selection
from tinyc.audio.settings import AudioSettings
from tinyc.boards import Board
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.memory.budget import budget
from tinyc.memory.front_end import FrontEnd
from tinyc.objective import Objective
from tinyc.preparation import Prepared, prepare
from tinyc.program import NO_VERSION, Firmware, Program, Project
from tinyc.report import make_report
from tinyc.selection import Measured
from tinyc.text import front_end as text
from tinyc.text.tokenizer import Tokenizer
from tinyc.token_blocks import with_blocks

__all__ = ["Prepared", "build", "compile_graph", "make_report", "prepare", "render"]


def compile_graph(
    graph: Graph,
    board: Board,
    *,
    name: str,
    labels: tuple[str, ...] = (),
    audio: AudioSettings | None = None,
    tokenizer: Tokenizer | None = None,
    optimize: Objective = Objective.BALANCED,
    measured: Measured | None = None,
    kernels: Sequence[str] | None = None,
    version: str = NO_VERSION,
) -> Program:
    """Select a kernel per layer and plan the arena. `graph` is legal and quantized.

    `optimize` is what the choice minimises; `measured` work replaces predictions. `kernels` are the
    symbols of exactly the kernels to use, one per layer: then nothing is chosen. `version` is the model's.
    Raises TinycError that lists every layer without a kernel on `board`, or whose scales fixed
    point cannot hold, and for a model that does not take the ids of `tokenizer`.
    """
    if tokenizer is not None:
        text.check(tokenizer, graph)
    graph = with_blocks(graph)
    front_end = FrontEnd.of(audio, tokenizer)
    if kernels is not None:
        steps, plan = selection.fixed(graph, board, kernels, front_end=front_end)
    else:
        steps, plan = selection.choose(graph, board, optimize, front_end=front_end, measured=measured)
    return Program(
        name=name,
        graph=selection.with_steps(graph, steps),
        steps=steps,
        plan=plan,
        board=board,
        labels=labels,
        audio=audio,
        tokenizer=tokenizer,
        optimize=optimize,
        version=version,
    )


def render(program: Program) -> Project:
    """Print the program as a plain PlatformIO project."""
    from tinyc.emit import project

    return project.render(program)


def build(program: Program, folder: Path, toolchain: str = "zig") -> Firmware:
    """Write the project into `folder` and have PlatformIO build it (the host compiler for `host`).

    Raises DoesNotFit, before anything is written, when constants or arena alone exceed the board,
    and when the build fails for want of memory.
    """
    expected = budget(program)
    if expected.certainly_too_large:
        expected.require_fit()
    if program.board.is_host:
        from tinyc.toolchain import native

        return native.build(program, folder)
    from tinyc import toolchain as toolchains

    try:
        return toolchains.build(render(program), folder, toolchain)
    except TinycError:
        # A linker that runs out of memory says so in its own words; ours name the layers.
        expected.require_fit()
        raise
