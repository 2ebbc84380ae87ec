"""From a graph and factory data to a body and a head whose state are trained tensors of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.learning import data as factory
from tinyc.learning import tap as learning_taps
from tinyc.learning.data import FactoryData, Progress
from tinyc.learning.heads.design import HeadDesign
from tinyc.learning.settings import MORE_CLASSES, LearnSettings
from tinyc.learning.sparse import tables
from tinyc.learning.sparse.choose import BUDGET, choose, designed, energies, named, taps
from tinyc.learning.sparse.cut import Cut, cut, possible_taps
from tinyc.learning.sparse.design import SparseDesign, suffix_layers
from tinyc.learning.sparse.program import Trained, make_program
from tinyc.learning.tap import Tap

# Gradients of so many samples say which rows matter.
_SAMPLES = 64


def sparse_head(
    graph: Graph,
    settings: LearnSettings,
    data: FactoryData,
    labels: npt.NDArray[Any],
    fitted: npt.NDArray[np.bool_],
    progress: Progress | None = None,
) -> tuple[Graph, Tap, Graph, SparseDesign]:
    """(body, its tap, the layers behind it, the head); `fitted` says which samples may be used.

    A tap that the settings name is the first one that is looked at. Raises TinycError for labels beyond the
    model's classes, for layers that cannot learn, and when nothing fits into the RAM.
    """
    classes = graph[graph.outputs[0]].elements
    if labels.max() >= classes:
        raise TinycError(
            f"has the label {labels.max()}, the model has {classes} classes", where=str(settings.data)
        )
    capacity = settings.capacity if settings.capacity is not None else classes + MORE_CLASSES
    budget = settings.ram if settings.ram is not None else BUDGET
    first = _first_tap(graph, settings, capacity, budget)
    chosen = np.flatnonzero(fitted)
    few = chosen[np.linspace(0, len(chosen) - 1, min(_SAMPLES, len(chosen))).astype(int)]
    in_front = cut(graph, first)
    latents = factory.latents(in_front.body, first, data, progress)
    energy = energies(in_front, capacity, latents[few], labels[few])
    if settings.update:
        choice = named(graph, settings.update, energy, capacity)
    else:
        choice = choose(graph, energy, capacity, budget=budget, held_out=settings.held_out)
    latents = factory.latents(cut(graph, choice.tap).body, choice.tap, data, progress)
    split, head = designed(
        graph,
        choice,
        capacity=capacity,
        latents=latents[few],
        learning_rate=settings.options.learning_rate,
    )
    producer = split.body.producer(choice.tap)
    return split.body, Tap(choice.tap, producer.name if producer else choice.tap), split.suffix, head


def _first_tap(graph: Graph, settings: LearnSettings, capacity: int, budget: int) -> str:
    if settings.tap in possible_taps(graph.expanded()):
        return settings.tap
    if settings.tap is not None:
        return learning_taps.named(graph.expanded(), settings.tap).outputs[0]
    # A body has a layer at least.
    possible = [name for name in taps(graph, capacity, budget) if name not in graph.inputs]
    if not possible:
        raise TinycError(
            "no layer of the model can learn",
            where=f"graph {graph.name}",
            hint="choose head slda, which learns behind any layer",
        )
    return possible[-1]


def to_json(head: SparseDesign) -> dict[str, Any]:
    """What a `HeadDesign` does not hold, as JSON values."""
    trained = {name: [list(each.rows), each.biases] for name, each in head.program.trained.items()}
    return {"trained": trained, "rate": head.rate}


def from_json(told: Mapping[str, Any], head: HeadDesign, suffix: Graph) -> SparseDesign:
    """The inverse of `to_json`, with the layers behind the tap. Raises TinycError for layers that do not go
    together."""
    layers = suffix_layers(Cut(suffix, suffix, suffix.inputs[0]), head.capacity)
    trained = {name: Trained(tuple(rows), biases) for name, (rows, biases) in told["trained"].items()}
    program = make_program(layers, trained, head.capacity)
    own = {each.name: getattr(head, each.name) for each in fields(HeadDesign)}
    return SparseDesign(**own, program=program, places=tables.places(program), rate=float(told["rate"]))
