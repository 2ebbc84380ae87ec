"""The table `[learn]`, what the command line says beside it, and the tap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strategies.common import activation, constant
from support import learn_models
from tinyc.boards import load_board
from tinyc.cli.learn_build import LearnRequest
from tinyc.config import load_config
from tinyc.errors import TinycError
from tinyc.interpreter import run, trace
from tinyc.ir.graph import Graph, GraphError
from tinyc.ir.ops import FullyConnected
from tinyc.ir.tensor import Quantization
from tinyc.learning import data, tap
from tinyc.learning.settings import LearnSettings
from tinyc.memory.lifetimes import tensor_lifetimes
from tinyc.source import Source

pytestmark = pytest.mark.unit

GRAPH = learn_models.body()


def small_wide() -> Graph:
    """One dense layer of 2048 units behind the input."""
    rng = np.random.default_rng(0)
    x, y = activation(rng, "x", (1, 2)), activation(rng, "y", (1, 2048))
    weights = constant("w", np.ones((2048, 2), np.int8), Quantization((0.1,), (0,)))
    op = FullyConnected(name="wide", inputs=("x", "w"), outputs=("y",))
    return Graph("wide", {each.name: each for each in (x, y, weights)}, (op,), ("x",), ("y",))


def test_the_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"")
    np.savez(tmp_path / "factory.npz", inputs=np.zeros(3), labels=np.zeros(3))
    toml = tmp_path / "tinyc.toml"
    toml.write_text(
        '[model]\npath = "model.tflite"\n[learn]\nhead = "sgd"\ntap = "pool"\ncapacity = 12\n'
        'data = "factory.npz"\nlearning_rate = 1\nreplay = 4\nshrinkage = 0.5\n'
    )
    found = load_config(toml).learn
    assert found is not None
    assert (found.head, found.tap, found.capacity) == ("sgd", "pool", 12)
    assert found.data == tmp_path / "factory.npz"
    assert (found.options.learning_rate, found.options.replay, found.options.shrinkage) == (1.0, 4, 0.5)
    assert isinstance(found.options.learning_rate, float)
    toml.write_text('[model]\npath = "model.tflite"\n')
    assert load_config(toml).learn is None


@pytest.mark.parametrize(
    ("table", "where", "allowed"),
    [
        ({"hed": "slda"}, "learn.hed", "did you mean `head`?"),
        ({"head": "slad"}, "learn.head", "did you mean `slda`?"),
        ({"head": 1}, "learn.head", "allowed: auto"),
        ({"tap": ""}, "learn.tap", "the name of a layer"),
        ({"capacity": 0}, "learn.capacity", "1 to 64"),
        ({"capacity": True}, "learn.capacity", "a whole number"),
        ({"held_out": 0}, "learn.held_out", "1 to"),
        ({"arl0": 1.5}, "learn.arl0", "a whole number"),
        ({"data": "nowhere.npz"}, "learn.data", ""),
        ({"data": 7}, "learn.data", "an .npz"),
        ({"learning_rate": 1.5}, "learn.learning_rate", "1]"),
        ({"learning_rate": "fast"}, "learn.learning_rate", "a number"),
        ({"shrinkage": 0}, "learn.shrinkage", "(0, 1]"),
        ({"replay": 0.5}, "learn.replay", "a whole number"),
        ({"normalise": 1}, "learn.normalise", "true or false"),
        ({"metric": "taxi"}, "learn.metric", "cosine"),
        ({"saves_per_day": 0}, "learn.saves_per_day", "1 to"),
    ],
)
def test_what_is_wrong_in_the_table_is_told(
    table: dict[str, Any], where: str, allowed: str, tmp_path: Path
) -> None:
    with pytest.raises(TinycError) as caught:
        LearnSettings.from_toml(table, tmp_path)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert allowed in problem.allowed


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    table = {"head": "x", "capacity": 1000, "learning_rate": -1, "what": 1, "data": "nowhere"}
    with pytest.raises(TinycError) as caught:
        LearnSettings.from_toml(table, tmp_path)
    assert len(caught.value.problems) == 5


def test_settings_survive_json() -> None:
    settings = LearnSettings.from_toml({"head": "sgd", "replay": 3, "prior": 2, "arl0": 500}, Path())
    assert LearnSettings.from_json(settings.to_json()) == settings


def test_options_go_before_the_table() -> None:
    source = Source(Path("m.tflite"), "m", Path("build"), calibration=Path("c.npz"))
    board = load_board("nrf52840")
    assert LearnRequest().settings(source, board) is None
    assert LearnRequest(False).settings(source, board) is None
    asked = LearnRequest(head="ncm", tap="pool").settings(source, board)
    assert asked is not None
    assert (asked.head, asked.tap, asked.data) == ("ncm", "pool", Path("c.npz"))
    told = LearnRequest(True, data=Path("d.npz")).settings(source, board)
    assert told is not None
    assert (told.head, told.data) == ("auto", Path("d.npz"))
    with pytest.raises(TinycError, match="for a head that learns"):
        LearnRequest(False, head="ncm")
    with pytest.raises(TinycError, match="not possible"):
        LearnRequest(head="nmc").settings(source, board)


def test_the_tap_is_what_the_last_dense_layer_reads() -> None:
    found = tap.find(GRAPH)
    (dense,) = [op for op in GRAPH.ops if op.kind == "FULLY_CONNECTED"]
    assert found.tensor == dense.inputs[0]
    assert GRAPH.producer(found.tensor) is not None
    assert tap.find(GRAPH, found.layer) == tap.find(GRAPH, found.tensor) == found


def test_layers_that_are_no_tap() -> None:
    with pytest.raises(TinycError) as caught:
        tap.find(GRAPH, "depthwis")
    assert "did you mean `depthwise`?" in str(caught.value)
    wide = small_wide()
    with pytest.raises(TinycError, match="has 2048 elements"):
        tap.find(wide, "wide")
    with pytest.raises(TinycError, match="no dense layer"):
        tap.find(tap.body(GRAPH, tap.find(GRAPH).tensor))
    with pytest.raises(TinycError, match="reads the model's input"):
        tap.find(wide)


def test_a_tap_is_an_output_behind_the_others() -> None:
    found = tap.find(GRAPH)
    tapped = tap.with_outputs(GRAPH, found.tensor)
    assert tapped.outputs == (*GRAPH.outputs, found.tensor)
    assert tap.with_outputs(tapped, found.tensor) is tapped
    lifetimes = tensor_lifetimes(tap.with_outputs(GRAPH, found.tensor, GRAPH.inputs[0]))
    assert lifetimes[found.tensor].last == lifetimes[GRAPH.inputs[0]].last == len(GRAPH.ops)
    assert tapped.digest() != GRAPH.digest()
    with pytest.raises(GraphError):
        tap.with_outputs(GRAPH, "nowhere")


def test_the_body_is_the_part_in_front_of_the_tap() -> None:
    found = tap.find(GRAPH)
    body = tap.body(GRAPH, found.tensor)
    assert body.ops[-1].name == found.layer
    assert len(body.ops) < len(GRAPH.ops)
    (vector,) = learn_models.samples((0,), 1, 5).inputs.reshape(1, 1, 12, 10, 1)
    np.testing.assert_array_equal(run(body, [vector])[0], trace(GRAPH, [vector])[found.tensor])


def test_latents_are_those_of_the_graph(tmp_path: Path) -> None:
    path = learn_models.write_factory_data(tmp_path / "factory.npz", each=3)
    found = tap.find(GRAPH)
    factory = data.load(path, GRAPH)
    for _ in range(2):  # computed, then out of the cache
        latents = data.latents(GRAPH, found.tensor, factory)
        assert latents.shape == (15, GRAPH[found.tensor].elements)
        for latent, vector in zip(latents, factory.vectors, strict=True):
            np.testing.assert_array_equal(latent, trace(GRAPH, vector)[found.tensor].reshape(-1))


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.array(["go", "hop"]), "no class: hop"),
        (np.array([0, -1]), "label -1"),
        (np.array([True, False]), "labels of bool"),
        (np.array([[0], [1]]), "labels of int64"),
    ],
)
def test_labels_that_are_none(labels: np.ndarray[Any, Any], what: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((2, 12, 10, 1), np.int8), labels=labels)
    with pytest.raises(TinycError, match=what):
        data.load(tmp_path / "d.npz", GRAPH, ("stop", "go"))


def test_labels_by_name_number_and_value(tmp_path: Path) -> None:
    def load(labels: Any) -> data.FactoryData:
        np.savez(tmp_path / "d.npz", inputs=np.zeros((3, 12, 10, 1), np.int8), labels=labels)
        return data.load(tmp_path / "d.npz", GRAPH, ("stop", "go"))

    assert load(["go", "stop", "go"]).labels.tolist() == [1, 0, 1]  # type: ignore[union-attr]
    assert load([1, 0, 1]).targets is None
    assert load([0.5, 1.0, 2.0]).targets.tolist() == [[0.5], [1.0], [2.0]]  # type: ignore[union-attr]
