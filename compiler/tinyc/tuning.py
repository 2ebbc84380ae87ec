"""Kernels chosen by what they execute on the emulated chip instead of by prediction.

A few programs measure everything: program k takes the k-th variant of every layer; some more take the
k-th fused kernel of every pair of layers. What was counted is kept in the cache under a name made of all
that it depends on: the graph, the board, the compiler and the sources of the kernels.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import tinyc
from tinyc import pipeline, profiling, selection
from tinyc.alternatives import Measured
from tinyc.boards import Board
from tinyc.errors import DoesNotFit, TinycError
from tinyc.files import write_if_changed
from tinyc.fusion import fuse, fusible
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.kernels.catalogue import candidates
from tinyc.kernels.kernel import Kernel, Work
from tinyc.memory import planner
from tinyc.objective import Objective
from tinyc.program import Program, Step
from tinyc.resources import cache_folder, data_folder
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
        """The kernel that a tuned build uses for a layer; "" where the layer before computes it as well."""
        return self._winners.get(layer, "")

    @property
    def _winners(self) -> Mapping[int, str]:
        return dict(_measures(self.program))


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
    base, _ = selection.choose(graph, board, Objective.TIME, candidates=_unfused)
    variants = [_variants(step, graph, board) for step in base]
    programs = [
        _program(name, graph, board, [found[turn] if turn < len(found) else found[0] for found in variants])
        for turn in range(max(map(len, variants), default=0))
    ]
    programs += _fused_programs(name, graph, board, base)
    measured: dict[tuple[int, str], Work] = {}
    for turn, program in enumerate(programs):
        if progress is not None:
            progress(f"program {turn + 1} of {len(programs)}", turn / len(programs))
        try:
            measured |= _counted(program, toolchain, seed)
        except DoesNotFit:
            if turn == 0:
                raise
    wanted = {at for program in programs for at in _measures(program)}
    skipped = sorted(wanted - measured.keys())
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


def _unfused(op: Op, graph: Graph) -> tuple[Kernel, ...]:
    return () if isinstance(op, ConvDepthwise2D | PatchStage) else candidates(op, graph)


def _program(name: str, graph: Graph, board: Board, steps: Sequence[Step]) -> Program:
    return Program(name, graph, tuple(steps), planner.plan(graph, steps), board)


def _fused_programs(name: str, graph: Graph, board: Board, fastest: Sequence[Step]) -> list[Program]:
    """Program k has the k-th fused kernel of every pair of layers, and the fastest of all others."""
    kernels = {index: list(candidates(op, graph, board.features)) for index, op in fusible(graph).items()}
    programs = []
    for turn in range(max(map(len, kernels.values()), default=0)):
        chosen = {index: found[turn] for index, found in kernels.items() if turn < len(found)}
        fused = fuse(graph, chosen)
        layers = [index for index in range(len(graph.ops)) if index - 1 not in chosen]
        steps = [
            Step.of(n, op, chosen.get(layer) or fastest[layer].kernel, fused)
            for n, (layer, op) in enumerate(zip(layers, fused.ops, strict=True))
        ]
        programs.append(_program(name, fused, board, steps))
    return programs


def _layers(program: Program) -> list[int]:
    """The layer of each step, counted without fusing: where a step computes two, the first."""
    sizes = (1 + isinstance(step.op, ConvDepthwise2D) for step in program.steps)
    return list(accumulate(sizes, initial=0))[:-1]


def _measures(program: Program) -> list[tuple[int, str]]:
    """What a program measures: (layer, kernel) of each step."""
    return [(layer, step.kernel.symbol) for layer, step in zip(_layers(program), program.steps, strict=True)]


def _variants(fastest: Step, graph: Graph, board: Board) -> list[Step]:
    """The step with every kernel that can compute it, the one predicted to be fastest first."""
    found = [fastest]
    for kernel in candidates(fastest.op, graph, board.features):
        if kernel.symbol == fastest.kernel.symbol:
            continue
        with suppress(ValueError):
            found.append(Step.of(fastest.index, fastest.op, kernel, graph))
    return found


def _counted(program: Program, toolchain: str, seed: int) -> dict[tuple[int, str], Work]:
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder), toolchain)
        *counts, _ = profiling.counts(program, firmware.elf, seed)
    return {at: Work(*count) for at, count in zip(_measures(program), counts, strict=True)}


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
