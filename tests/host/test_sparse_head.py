"""The sparse head: its C equals its twin bit for bit, its forward pass the interpreter, its plan the C."""

from __future__ import annotations

import re
import struct
from dataclasses import fields

import numpy as np
import pytest

from support.sparse import Network, SparseProgram
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Quantization
from tinyc.learning.sparse.cut import cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.layers import Weighted
from tinyc.learning.sparse.program import Kind, Trained
from tinyc.learning.sparse.reading import read_layers
from tinyc.learning.sparse.tables import StepRow
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import compiler_called

pytestmark = pytest.mark.host


def separable(seed: int) -> Graph:
    return Network(seed, 6, 5, 7).depthwise().conv(9).depthwise().conv(11).pool().dense(4).graph()


def wide(seed: int) -> Graph:
    return (
        Network(seed, 7, 6, 3)
        .conv(6, 3, 2)
        .conv(5, 3)
        .depthwise(3, 2)
        .flatten()
        .dense(6, relu=True)
        .dense(3)
        .graph()
    )


def residual(seed: int) -> Graph:
    net = Network(seed, 5, 4, 6).conv(8)
    start = net.last
    return (
        net.depthwise()
        .conv(8, relu=False)
        .residual(start)
        .conv(5, 3)
        .pool(mean=True)
        .dense(4)
        .graph(softmax=False)
    )


def doubled(seed: int) -> Graph:
    net = Network(seed, 4, 4, 4).conv(6, relu=False)
    return net.residual(net.last).depthwise(5).pool().dense(3).graph()


GRAPHS = {"separable": separable, "wide": wide, "residual": residual, "doubled": doubled}


def trainable(graph: Graph, tap: str) -> list[Weighted]:
    return [layer for layer in read_layers(cut(graph, tap).suffix) if isinstance(layer, Weighted)]


def designed(
    graph: Graph,
    tap: str = "x",
    capacity: int = 6,
    trained: dict[str, Trained] | None = None,
    rate: float = 0.5,
) -> SparseDesign:
    if trained is None:
        trained = {layer.name: Trained(tuple(range(layer.rows))) for layer in trainable(graph, tap)[:-1]}
    rng = np.random.default_rng(5)
    latents = rng.integers(-128, 128, (4, graph[tap].elements)).astype(np.int8)
    return design_sparse(cut(graph, tap), trained, capacity=capacity, latents=latents, learning_rate=rate)


def samples(design: SparseDesign, count: int, seed: int = 1) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        latent = rng.integers(-128, 128, design.latent)
        if index % 4 == 3:
            latent[:] = (-128, 127)[index // 4 % 2]
        found.append((latent.astype(np.int8), int(rng.integers(0, design.capacity + (index == 2)))))
    return found


def check_stream(design: SparseDesign, program: SparseProgram, count: int = 12) -> None:
    head = design.head()
    stream = samples(design, count)
    for (latent, label), (answer, state) in zip(stream, program.stream(stream), strict=True):
        scores = head.scores(latent)
        expected = struct.pack("<If", head.predict(latent), head.surprise(latent)) + scores.tobytes()
        assert answer == expected
        head.update(latent, label)
        assert state == head.to_bytes()
    assert head.to_bytes() != design.head().to_bytes()


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_c_equals_the_twin(name: str, compiler: str) -> None:
    found = compiler_called(compiler)
    if found is None:
        pytest.skip(f"no {compiler} on PATH")
    design = designed(GRAPHS[name](1))
    check_stream(design, SparseProgram(design, found))


def test_chosen_rows_and_frozen_layers_equal_too() -> None:
    """Some rows of one layer, the biases of another, the rest frozen."""
    graph = separable(2)
    first, second, third, fourth, _ = trainable(graph, "x")
    trained = {
        second.name: Trained((1, 4, 8)),
        third.name: Trained(()),
        fourth.name: Trained((0, 10), biases=False),
    }
    design = designed(graph, trained=trained)
    check_stream(design, SparseProgram(design))
    head = design.head()
    for latent, label in samples(design, 8):
        head.update(latent, label)
    frozen = design.head()
    for layer in design.program.layers:
        if isinstance(layer, Weighted) and not layer.is_logits:
            now, before = head.parameters(layer), frozen.parameters(layer)
            moved = set(np.flatnonzero((now[0] != before[0]).any(axis=1)))
            rows = trained[layer.name].rows if layer.name in trained else ()
            assert moved <= set(rows)
            assert bool(rows) == bool(moved)
            biases = layer.name in trained and trained[layer.name].biases
            assert bool((now[1] != before[1]).any()) == biases
    assert first.name not in design.program.trained


@pytest.mark.parametrize("name", GRAPHS)
def test_the_factory_state_computes_what_the_network_computes(name: str) -> None:
    graph = GRAPHS[name](3)
    design = designed(graph)
    head = design.head()
    suffix = cut(graph, "x").suffix
    for latent, _ in samples(design, 6):
        values = interpreter.trace(suffix, [latent.reshape(graph["x"].shape)])
        found = head.forward(latent)
        for tensor, value in found.values.items():
            assert np.array_equal(value, values[tensor].reshape(-1)), tensor
        last = graph[design.program.layers[-1].output]
        rounded = np.rint(found.logits[: last.elements] / last.scale) + last.zero_point
        assert np.abs(np.clip(rounded, -128, 127) - values[last.name].reshape(-1)).max() <= 1


def test_the_fields_of_a_step_are_the_same_in_c_and_python() -> None:
    text = (data_folder("firmware_templates") / "learning" / "sparse.h").read_text(encoding="utf-8")
    for name, members in (
        ("sparse_field", [*(entry.name for entry in fields(StepRow)), "fields"]),
        ("sparse_kind", [kind.name for kind in Kind]),
    ):
        (body,) = re.findall(rf"enum {name} {{([^}}]*)}}", text)
        assert re.findall(r"SPARSE_(\w+)", body) == [member.upper() for member in members]


def test_a_state_from_outside_is_checked() -> None:
    design = designed(separable(4))
    program = SparseProgram(design)
    head = design.head()
    good = head.to_bytes()
    wrong = dict(head.values, biases=head.values["biases"] + np.int32(1 << 29))
    empty = dict(head.values, counts=head.values["counts"] * 0)
    states = [good, design.pack(wrong), design.pack(empty)]
    answers = program.call([b"l" + state for state in states], [4] * 3)
    assert [struct.unpack("<I", answer)[0] for answer in answers] == [1, 0, 0]


def test_a_dead_channel_has_finite_rates() -> None:
    """A channel whose weights and scale are next to nothing: no step is infinite times nothing."""
    graph = separable(5)
    name = [tensor for tensor in graph.tensors if tensor.endswith("/weights")][1]
    tensor = graph[name]
    assert tensor.quantization is not None
    scales = (1e-38, *tensor.quantization.scale[1:])
    dead = tensor.with_(quantization=Quantization(scales, (0,) * len(scales), 0))
    design = designed(graph.rebuilt(tensors=[dead]))
    assert np.isfinite(design.tables["bias_rates"]).all()
    check_stream(design, SparseProgram(design), 6)
