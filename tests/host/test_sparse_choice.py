"""Which tensors learn: within the budget to the byte, by name, and on the networks of MLPerf Tiny."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.sparse import Network, SparseProgram
from tinyc import frontends, interpreter, passes
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.learning.sparse.choose import Choice, choose, designed, energies, named, taps
from tinyc.learning.sparse.cut import cut, possible_taps
from tinyc.learning.sparse.design import SparseDesign
from tinyc.learning.sparse.layers import Weighted
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers

pytestmark = pytest.mark.host


def separable() -> Graph:
    net = Network(7, 8, 6, 8).depthwise().conv(12).depthwise().conv(16, 3).depthwise().conv(24).pool()
    return net.dense(4, size=0.3).graph()


def latents_of(graph: Graph, tap: str, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(-128, 128, (count, graph[tap].elements)).astype(np.int8)


def head_of(graph: Graph, choice: Choice, capacity: int) -> SparseDesign:
    latents = latents_of(graph, choice.tap, 4)
    return designed(graph, choice, capacity=capacity, latents=latents, learning_rate=0.1)[1]


def test_the_choice_fits_and_more_ram_gives_more() -> None:
    graph, capacity = separable(), 6
    first = taps(graph, capacity)[-1]
    energy = energies(cut(graph, first), capacity, latents_of(graph, first, 8), np.arange(8) % 4)
    gained = []
    for budget in (1_600, 3_000, 6_000, 12_000, 64_000):
        choice = choose(graph, energy, capacity, budget=budget)
        design = head_of(graph, choice, capacity)
        assert design.ram_bytes == choice.ram <= budget
        assert choice.trained == design.program.trained
        gained.append(sum(row.energy for row in choice.rows))
    assert gained == sorted(gained)
    assert gained[0] < gained[-1]
    # With all the RAM in the world everything that is looked at learns.
    assert gained[-1] == pytest.approx(1.0)
    held = choose(graph, energy, capacity, budget=6_000, held_out=2)
    assert head_of(graph, held, capacity).ram_bytes + 2 * graph[held.tap].elements == held.ram <= 6_000
    with pytest.raises(TinycError, match="within 300 bytes"):
        choose(graph, energy, capacity, budget=300)


def test_rows_are_those_with_the_most_gradient() -> None:
    graph = separable()
    first = taps(graph, 4)[-1]
    energy = energies(cut(graph, first), 4, latents_of(graph, first, 8), np.arange(8) % 4)
    layer = [op.name for op in graph.ops if op.kind == "CONV_2D"][-1]
    choice = named(graph, [f"{layer}:0.25"], energy, 4)
    rows = choice.trained[layer].rows
    rest = sorted(set(range(24)) - set(rows))
    assert len(rows) == 6
    assert energy.rows[layer][list(rows)].min() >= energy.rows[layer][rest].max()


def test_layers_by_name() -> None:
    graph = separable()
    convs = [op.name for op in graph.ops if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    dense = next(op.name for op in graph.ops if op.kind == "FULLY_CONNECTED")
    choice = named(graph, [convs[-1], f"{convs[-2]}:bias"], None, 5)
    # The tap is what the first of them reads, and the last layer always learns.
    assert choice.tap == graph.ops[convs.index(convs[-2])].inputs[0]
    assert choice.trained == {
        convs[-1]: Trained(tuple(range(24))),
        convs[-2]: Trained(()),
        dense: Trained(tuple(range(5))),
    }
    assert head_of(graph, choice, 5).ram_bytes == choice.ram
    with pytest.raises(TinycError) as error:
        named(graph, ["nothing", f"{convs[-1]}:2", f"{convs[-2]}:half"], None, 5)
    assert [problem.where for problem in error.value.problems] == ["learn.update"] * 3


def test_what_cannot_be_cut_or_differentiated_is_refused() -> None:
    net = Network(3, 5, 4, 6).conv(8)
    start = net.last
    graph = net.depthwise().conv(8, relu=False).residual(start).pool().dense(3).graph()
    inside = graph.ops[1].outputs[0]
    assert inside not in possible_taps(graph)
    with pytest.raises(TinycError, match="also reads"):
        cut(graph, inside)
    with pytest.raises(TinycError, match="no activation 'nothing'"):
        cut(graph, "nothing")
    pooled = Network(3, 6, 6, 4).conv(8).max_pool().flatten().dense(3).graph()
    with pytest.raises(TinycError) as error:
        read_layers(cut(pooled, "x").suffix)
    assert "MAX_POOL_2D" in error.value.problems[0].what
    headless = Network(3, 6, 6, 4).conv(8).graph()
    with pytest.raises(TinycError, match="cannot learn by back-propagation"):
        read_layers(cut(headless, "x").suffix)


@pytest.mark.parametrize(
    ("model", "size"), [("kws_ref_model", (1, 49, 10, 1)), ("vww_96_int8", (1, 96, 96, 3))]
)
def test_last_blocks_within_64_kilobytes(model: str, size: tuple[int, ...], shared: Path) -> None:
    """A DS-CNN and MobileNet-V1 0.25, chosen by the compiler; their C equals the twin."""
    path = shared / "models" / "mlperf_tiny" / f"{model}.tflite"
    graph = passes.legalize(passes.run(frontends.load(path)))
    capacity = graph[graph.outputs[0]].elements
    rng = np.random.default_rng(4)
    inputs = [np.cumsum(rng.normal(0, 20, size), axis=1) for _ in range(2)]
    images = [np.clip(each, -128, 127).astype(np.int8) for each in inputs]

    def latents(tap: str) -> np.ndarray:
        body = cut(graph, tap).body
        return np.array([interpreter.run(body, [image])[0].reshape(-1) for image in images])

    first = taps(graph, capacity)[-1]
    energy = energies(cut(graph, first), capacity, latents(first), np.arange(2) % capacity)
    choice = choose(graph, energy, capacity)
    found = latents(choice.tap)
    design = designed(graph, choice, capacity=capacity, latents=found, learning_rate=0.1)[1]
    assert design.ram_bytes == choice.ram <= 64 * 1024
    learning = [layer for layer in design.program.layers if isinstance(layer, Weighted)]
    assert sum(layer.name in design.program.trained for layer in learning) >= 3
    head = design.head()
    stream = [(latent, index % capacity) for index, latent in enumerate(found)]
    for (latent, label), (_, state) in zip(stream, SparseProgram(design).stream(stream), strict=True):
        head.update(latent, label)
        assert state == head.to_bytes()
