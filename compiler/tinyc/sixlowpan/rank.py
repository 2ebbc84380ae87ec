"""The model that ranks new datagrams: read, run as on the device, and compiled to `lpc_rank.c`.

A rank is the model's answer, 0 for what looks honest, up to 255. It takes the features of `features.py`. It
is compiled like any model, but has an arena and kernels of its own: it lives beside the application's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyc import interpreter
from tinyc.boards import Board
from tinyc.emit.arrays import initializer
from tinyc.emit.environment import render
from tinyc.emit.kernel_files import kernel_files
from tinyc.emit.model import model_view
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import DType, Tensor
from tinyc.objective import Objective
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.sixlowpan.features import MOST, NAMES, Features

NAME = "lpc_rank"
_ANSWER_SCALE, _ANSWER_ZERO = 1 / 256, -128


def shipped() -> Path:
    """The model that comes with tinyc."""
    return data_folder("firmware_templates") / "sixlowpan" / "rank.tflite"


@dataclass(frozen=True, slots=True)
class Ranker:
    """A model that was read. Called with features it answers as `lpc_rank` does."""

    graph: Graph
    quantized: NDArray[np.int8]
    _known: dict[Features, int] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, features: Features) -> int:
        rank = self._known.get(features)
        if rank is None:
            rank = self._known[features] = int(self.many(np.array([features], np.int8))[0])
        return rank

    def many(self, features: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Ranks of [n, 12]."""
        graph, count = self.graph, len(features)
        tensors = [_rows(it, count) for it in graph.tensors.values()]
        (answer,) = interpreter.run(graph.rebuilt(tensors=tensors), [self.quantized[features]])
        return (answer[:, 0].astype(np.int16) - _ANSWER_ZERO).astype(np.uint8)


def _rows(tensor: Tensor, count: int) -> Tensor:
    return tensor if tensor.is_constant else replace(tensor, shape=(count, *tensor.shape[1:]))


def load(path: Path | None = None) -> Ranker:
    """The model of a file, or the one that comes with tinyc.

    Raises TinycError for one that does not take 12 int8 features to one probability.
    """
    from tinyc import frontends, passes
    from tinyc.preparation import is_float

    path = path or shipped()
    graph = passes.run(frontends.load(path))
    if is_float(graph):
        problems = [Problem("the model", "computes in floats", "needs int8")]
    else:
        graph = passes.legalize(graph)
        problems = _problems(graph)
    if problems:
        raise TinycError(
            f"{path.name} is no model that ranks datagrams",
            where="[sixlowpan] rank",
            problems=tuple(problems),
            hint="examples/lowpan_rank/train.py makes one",
        )
    tensor = graph[graph.inputs[0]]
    real = np.arange(MOST + 1) / tensor.scale
    quantized = np.clip(np.rint(real) + tensor.zero_point, -128, 127).astype(np.int8)
    return Ranker(graph, quantized)


def _problems(graph: Graph) -> list[Problem]:
    found = []
    for what, names, elements in (("input", graph.inputs, len(NAMES)), ("output", graph.outputs, 1)):
        tensors = [graph[name] for name in names]
        shapes = [f"{it.dtype.value}{list(it.shape)}" for it in tensors]
        wanted = (1, elements)
        if len(tensors) != 1 or tensors[0].dtype is not DType.INT8 or tensors[0].shape != wanted:
            found.append(Problem(what, f"is {', '.join(shapes)}", f"needs int8{list(wanted)}"))
        elif what == "output" and (tensors[0].scale, tensors[0].zero_point) != (_ANSWER_SCALE, _ANSWER_ZERO):
            found.append(Problem(what, "is no probability", "end with a logistic function"))
    return found


def program(board: Board, path: Path | None = None) -> Program:
    """The model for a board; its arena is `plan.arena_size` bytes. Raises TinycError as `load` does."""
    from tinyc.pipeline import compile_graph

    return compile_graph(load(path).graph, board, name=NAME, optimize=Objective.RAM)


def rank_texts(board: Board, path: Path | None = None) -> dict[str, str]:
    """`lpc_rank.c`, for the path of `receive_texts(..., rank=True)`. Raises TinycError as `load` does."""
    made, quantized = program(board, path), load(path).quantized
    text = render(
        f"sixlowpan/{NAME}.c.j2",
        model=model_view(made),
        files=kernel_files([made]),
        quantized=initializer(quantized),
    )
    return {f"{NAME}.c": text}
