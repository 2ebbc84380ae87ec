"""The product: load → passes → quantize → learn → select ⇄ plan → render → build → package → run.

Each stage is a function from one frozen value to the next; nothing is kept between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyc import selection, tradeoff
from tinyc.audio.settings import AudioSettings
from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.learning.design import Learning
from tinyc.learning.settings import LearnSettings
from tinyc.memory import planner
from tinyc.memory.budget import budget
from tinyc.memory.front_end import FrontEnd
from tinyc.memory.plan import MemoryPlan
from tinyc.objective import Limits, Objective
from tinyc.packaging import Package, Signing
from tinyc.patches import Patches
from tinyc.preparation import Prepared, Progress, prepare
from tinyc.program import NO_VERSION, Firmware, Program, Project, Step
from tinyc.report import make_report
from tinyc.selection import Candidates, Measured
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.split import FirmwareManifest, Split
from tinyc.text import front_end as text
from tinyc.text.tokenizer import Tokenizer
from tinyc.token_blocks import with_blocks

__all__ = ["Prepared", "build", "compile_graph", "learn", "make_report", "package", "prepare", "render"]

_NO_LIMITS = Limits()


def learn(
    prepared: Prepared,
    board: Board,
    settings: LearnSettings,
    names: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> tuple[Prepared, Learning]:
    """Tap the graph and fit a head behind the tap; `names` are those of the model's classes.

    Raises TinycError for data, tap, head and settings that do not suit each other.
    """
    from tinyc.learning.prepare import learning

    graph, found = learning(prepared.graph, board, settings, names, progress)
    return replace(prepared, graph=graph), found


def compile_graph(
    graph: Graph,
    board: Board,
    *,
    name: str,
    labels: tuple[str, ...] = (),
    audio: AudioSettings | None = None,
    tokenizer: Tokenizer | None = None,
    optimize: Objective = Objective.BALANCED,
    limits: Limits = _NO_LIMITS,
    measured: Measured | None = None,
    kernels: Sequence[str] | None = None,
    patches: Sequence[Patches] = (),
    within: FirmwareManifest | None = None,
    version: str = NO_VERSION,
    learning: Learning | None = None,
    lowpan: LowpanSettings | None = None,
) -> Program:
    """Select a kernel per layer and plan the arena. `graph` is legal and quantized.

    `optimize` is what the choice minimises, within the `limits`; `measured` work replaces predictions.
    `kernels` are the symbols of exactly the kernels to use, one per layer, and `patches` the stages: then
    nothing is chosen.
    The choice is `within` the kernels of a firmware that exists, when there is one. `version` is the model's.
    `learning` is what learns behind a tap of `graph`, `lowpan` the node that serves the model over the air.
    Raises TinycError that lists every layer without a kernel on `board`, or whose scales fixed
    point cannot hold, and for a model that does not take the ids of `tokenizer`; DoesNotFit where no choice
    keeps the limits.
    """
    if tokenizer is not None:
        text.check(tokenizer, graph)
    if learning is not None or lowpan is not None:
        _require_no_state(graph, "learning" if lowpan is None else "service over 6LoWPAN")
    graph = with_blocks(graph)
    front_end = FrontEnd.of(audio, tokenizer)
    candidates = None if within is None else _kernels_of(within)
    if kernels is not None:
        steps, plan = selection.fixed(graph, board, kernels, patches=patches, front_end=front_end)
    elif candidates is not None:
        steps, plan = _chosen_among(candidates, graph, board, optimize, front_end, measured)
    else:
        steps, plan = selection.choose(graph, board, optimize, front_end=front_end, measured=measured)
    program = Program(
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
        learning=learning,
        lowpan=lowpan,
    )
    return program if limits == _NO_LIMITS else tradeoff.within(program, limits, candidates)


def _require_no_state(graph: Graph, what: str) -> None:
    if graph.states:
        raise TinycError(
            f"a model with state has no {what}",
            where=f"model {graph.name}",
            problems=[Problem(state.name, "outlives an inference") for state in graph.states],
        )


def _kernels_of(firmware: FirmwareManifest) -> Candidates:
    from tinyc.emit.kernel_set import inside

    return inside(firmware.kernel_digests)


def _chosen_among(
    candidates: Candidates,
    graph: Graph,
    board: Board,
    optimize: Objective,
    front_end: FrontEnd,
    measured: Measured | None,
) -> tuple[tuple[Step, ...], MemoryPlan]:
    try:
        return selection.choose(
            graph, board, optimize, front_end=front_end, measured=measured, candidates=candidates
        )
    except TinycError as error:
        raise TinycError(
            f"the firmware does not run the model: {error.what}",
            problems=error.problems,
            hint="send a firmware that does, built with this model; --spare-kernels makes room for others",
        ) from error


def render(program: Program, split: Split | None = None) -> Project:
    """Print the program as a plain PlatformIO project."""
    from tinyc.emit import project

    if split is not None:
        _require_no_state(program.graph, "image of its own")
    return project.render(program, split=split and _with_spare_arena(program, split))


def _with_spare_arena(program: Program, split: Split) -> Split:
    """An arena that is large enough for the spare kernels, where the user does not say how large."""
    if not split.spare or split.arena is not None:
        return split
    from tinyc.emit.kernel_set import plain_steps

    arenas = []
    for each in (program, *split.also):
        graph, steps = plain_steps(each)
        front_end = FrontEnd.of(each.audio, each.tokenizer)
        arenas += [each.plan.arena_size, planner.plan(graph, steps, front_end.buffer).arena_size]
    return replace(split, arena=max(arenas))


def package(
    firmware: Firmware, program: Program, signing: Signing, split: Split | None = None
) -> Package | None:
    """Sign the firmware as an image and put the bootloader beside it; None on boards without one of ours.

    With `split` the model is signed as well, as an image for each of its slots.
    """
    from tinyc import packaging

    return packaging.package(firmware, program, signing, split)


def build(program: Program, folder: Path, toolchain: str = "zig", split: Split | None = None) -> Firmware:
    """Write the project into `folder` and have PlatformIO build it (the host compiler for `host`).

    With `split` the model is an image of its own, beside a firmware without it. Raises DoesNotFit, before
    anything is written, when constants or arena alone exceed the board, and when the build fails for want of
    memory.
    """
    if split is not None:
        from tinyc.toolchain import build, split_images

        split = _with_spare_arena(program, split)
        split_images.require_room(program, split)
        try:
            return build(render(program, split), folder, toolchain)
        except TinycError:
            split_images.require_room(program, split, exact_only=False)
            raise
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
