"""Kernels chosen by what they execute on the emulated chip instead of by prediction.

A few programs measure everything: program k takes the k-th variant of every layer. What was counted
is kept in the cache under a name made of all that it depends on: the graph, the board, the compiler
and the sources of the kernels.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tinyc
from tinyc import pipeline, profiling
from tinyc.boards import Board
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import write_if_changed
from tinyc.ir.graph import Graph
from tinyc.kernels.catalogue import candidates
from tinyc.kernels.kernel import Work
from tinyc.memory import planner
from tinyc.objective import Objective
from tinyc.program import Program, Step
from tinyc.resources import cache_folder, data_folder
from tinyc.selection import Measured
from tinyc.toolchain.platformio import toolchain_version

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was counted for each (layer, kernel), and the kernels that a tuned build uses.

    `skipped` are the layers' variants that no program could measure: together with the others they
    do not fit on the board.
    """

    measured: Measured
    skipped: tuple[tuple[int, str], ...]
    program: Program

    def winner(self, layer: int) -> str:
        """The kernel that a tuned build uses for a layer."""
        return self.program.steps[layer].kernel.symbol


def tune(
    graph: Graph,
    board: Board,
    *,
    name: str,
    toolchain: str = "zig",
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuning:
    """Measure every variant of every layer on the emulated chip and keep the counts in the cache.

    Raises TinycError when a layer has no kernel or nothing fits on the board.
    """
    base = pipeline.compile_graph(graph, board, name=name, optimize=Objective.TIME)
    variants = [_variants(step, graph, board) for step in base.steps]
    rounds = max(map(len, variants), default=0)
    measured: dict[tuple[int, str], Work] = {}
    for turn in range(rounds):
        if progress is not None:
            progress(f"program {turn + 1} of {rounds}", turn / rounds)
        steps = tuple(found[turn] if turn < len(found) else found[0] for found in variants)
        program = Program(name, graph, steps, planner.plan(graph, steps), board)
        try:
            measured |= _counted(program, toolchain, seed)
        except DoesNotFit:
            if turn == 0:
                raise
    skipped = [
        (step.index, step.kernel.symbol)
        for found in variants
        for step in found
        if (step.index, step.kernel.symbol) not in measured
    ]
    _store(key(graph, board, toolchain), measured)
    program = pipeline.compile_graph(graph, board, name=name, optimize=Objective.TUNED, measured=measured)
    return Tuning(measured, tuple(skipped), program)


def load(graph: Graph, board: Board, toolchain: str = "zig") -> Measured:
    """What `tune` counted for this graph, board and toolchain. Raises TinycError when it never ran."""
    path = _path(key(graph, board, toolchain))
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {(int(layer), str(symbol)): Work(int(i), int(c)) for layer, symbol, i, c in rows}
    except FileNotFoundError as error:
        raise TinycError(
            f"this model was not tuned for board `{board.name}` with toolchain `{toolchain}`",
            hint="run `tinyc tune` first; a changed model, compiler or kernel needs it again",
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise TinycError(f"cannot read what tuning found: {error}", where=str(path)) from error


def key(graph: Graph, board: Board, toolchain: str) -> str:
    """The name of a tuning result (hex): every byte that its counts depend on."""
    state = hashlib.sha256(_sources_digest())
    chip = f"{board.name} {board.soc} {board.core} {sorted(board.features)} {board.memory}"
    for part in (
        graph.digest(),
        chip,
        toolchain_version(toolchain, board.instruction_set.family),
        tinyc.__version__,
    ):
        state.update(part.encode() + b"\0")
    return state.hexdigest()


def _variants(fastest: Step, graph: Graph, board: Board) -> list[Step]:
    """The step with every kernel that can compute it, the one predicted to be fastest first."""
    found = [fastest]
    for kernel in candidates(fastest.op, graph):
        if kernel.symbol == fastest.kernel.symbol or not kernel.requires <= board.features:
            continue
        with suppress(ValueError):
            found.append(Step.of(fastest.index, fastest.op, kernel, graph))
    return found


def _counted(program: Program, toolchain: str, seed: int) -> dict[tuple[int, str], Work]:
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder), toolchain)
        *counts, _ = profiling.counts(program, firmware.elf, seed)
    return {
        (step.index, step.kernel.symbol): Work(*count)
        for step, count in zip(program.steps, counts, strict=True)
    }


def _path(name: str) -> Path:
    return cache_folder() / "tuned" / f"{name}.json"


def _store(name: str, measured: Measured) -> None:
    rows = [
        [layer, symbol, work.instructions, work.cycles] for (layer, symbol), work in sorted(measured.items())
    ]
    path = _path(name)
    try:
        write_if_changed(path, (json.dumps(rows) + "\n").encode())
    except OSError as error:
        raise TinycError(f"cannot keep what tuning found: {error.strerror}", where=str(path)) from error


@cache
def _sources_digest() -> bytes:
    """Hash of everything that the kernels are made from."""
    state = hashlib.sha256()
    for root in (Path(__file__).parent / "kernels", data_folder("firmware_templates")):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                state.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return state.digest()
