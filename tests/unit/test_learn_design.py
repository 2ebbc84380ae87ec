"""From data to what learns: every kind of head, how it is stored, rendered and reported."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from support import learn_models
from support.learn_builds import NAMES
from tinyc.boards import load_board
from tinyc.emit.project import render
from tinyc.errors import TinycError
from tinyc.learning import stored
from tinyc.learning.prepare import learning
from tinyc.learning.report import learning_entry
from tinyc.learning.settings import LearnSettings
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph
from tinyc.program import Program

pytestmark = pytest.mark.unit

GRAPH = learn_models.body()
BOARD = load_board("nrf52840")
HEADS = ("slda", "sgd", "ncm", "regression", "autoencoder", "sparse")


@cache
def data(folder: Path, regression: bool) -> Path:
    path = learn_models.write_factory_data(folder / f"{regression}.npz")
    if regression:
        found = np.load(path)
        np.savez(path, inputs=found["inputs"], labels=found["labels"] * np.float32(0.5))
    return path


@cache
def program(folder: Path, head: str, board: str = "nrf52840") -> Program:
    settings = LearnSettings(head=head, data=data(folder, head == "regression"))
    graph, found = learning(GRAPH, load_board(board), settings, NAMES if head != "regression" else ())
    return compile_graph(graph, load_board(board), name="learner", learning=found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learn")


@pytest.mark.parametrize("head", HEADS)
def test_what_learns_survives_its_file(folder: Path, head: str) -> None:
    found = program(folder, head)
    assert found.learning is not None
    again = stored.parse(stored.dump(found.learning))
    assert stored.dump(again) == stored.dump(found.learning)
    assert render(replace(found, learning=again)).files == render(found).files
    # The twin of what was stored answers and learns as the one that was fitted.
    latent = found.learning.safety.guard.latents[0]
    first, second = found.learning.head.head(), again.head.head()
    target = np.ones(again.head.capacity, np.float32) if again.head.is_regression else 1
    for twin in (first, second):
        twin.update(latent, target)
    assert first.to_bytes() == second.to_bytes()
    assert first.scores(latent).tobytes() == second.scores(latent).tobytes()


def test_damaged_files_are_refused(folder: Path) -> None:
    found = program(folder, "ncm").learning
    assert found is not None
    data = stored.dump(found)
    for wrong in (b"", data[:100], data[:-40], b"PK" + bytes(50)):
        with pytest.raises(ValueError, match=r"not a stored head|cannot|file"):
            stored.parse(wrong)


@pytest.mark.parametrize("head", HEADS)
def test_the_graph_has_what_the_head_reads(folder: Path, head: str) -> None:
    found = program(folder, head)
    told = found.learning
    assert told is not None
    assert set(told.outputs) <= set(found.graph.outputs)
    assert found.graph[told.tap.tensor].elements == told.head.latent
    # What the model promises is the same with a head and without one, unless the head has its last layers.
    own = found.own_graph
    assert own.outputs == ((told.tap.tensor,) if head == "sparse" else GRAPH.outputs)
    if head != "sparse":
        assert own.digest() == GRAPH.digest()
    if head == "autoencoder":
        assert told.target == GRAPH.inputs[0]
        assert told.head.capacity == GRAPH[GRAPH.inputs[0]].elements
        # The input is still there when the inference has ended.
        places = {place.buffer.name: place for place in found.plan.placements}
        assert places[GRAPH.inputs[0]].buffer.lifetime.last == len(found.graph.ops)


def test_learning_has_its_lines_in_budget_and_report(folder: Path) -> None:
    found = program(folder, "slda")
    plain = compile_graph(GRAPH, BOARD, name="learner")
    with_head, without = budget(found), budget(plain)
    told = found.learning
    assert told is not None
    assert (without.learning_ram, without.learning_tables, without.learning_pages) == (0, 0, 0)
    assert with_head.learning_ram == told.ram > told.head.state_bytes
    assert with_head.learning_tables == told.tables > told.head.table_bytes
    assert (with_head.learning_pages, with_head.learning_page) == (8, 4096)
    assert with_head.ram - with_head.arena - told.ram == without.ram - without.arena + 40
    entry = learning_entry(told)
    assert (entry["head"], entry["tap"], entry["classes"]) == ("slda", "pool", list(NAMES))
    assert entry["lifetime_years"] > 1
    bare = learning_entry(program(folder, "slda", "nrf52840_bare").learning)  # type: ignore[arg-type]
    # No driver writes flash there: the active head is in RAM too.
    assert (bare["pages"], bare["lifetime_years"], bare["record_bytes"]) == (0, None, None)
    assert bare["ram"] >= entry["ram"] + told.head.state_bytes


def test_the_body_hash_names_body_and_layout(folder: Path) -> None:
    hashes = {program(folder, head).learning.safety.body_hash for head in HEADS}  # type: ignore[union-attr]
    assert len(hashes) == len(HEADS)
    again, found = learning(GRAPH, BOARD, LearnSettings(head="slda", data=data(folder, False)), NAMES)
    assert found.safety.body_hash == program(folder, "slda").learning.safety.body_hash  # type: ignore[union-attr]
    assert again.digest() == program(folder, "slda").graph.digest()
    larger = LearnSettings(head="slda", capacity=10, data=data(folder, False))
    assert learning(GRAPH, BOARD, larger, NAMES)[1].safety.body_hash not in hashes


def test_a_model_is_the_same_without_a_head(folder: Path) -> None:
    plain = render(compile_graph(GRAPH, BOARD, name="learner")).files
    learned = render(program(folder, "slda")).files
    more = set(learned) - set(plain)
    assert {"src/learn_config.h", "src/learner.c", "src/learn_group.c", "src/head_slda.c"} <= more
    assert all(name.startswith("src/") for name in more)
    assert "learn_" not in plain["src/main.c"] + plain["src/tinyc_group.c"]
    assert set(plain) <= set(learned)


def test_data_that_do_not_suit_the_head(folder: Path, tmp_path: Path) -> None:
    def fails(match: str, names: tuple[str, ...] = NAMES, **settings: object) -> None:
        with pytest.raises(TinycError, match=match):
            learning(GRAPH, BOARD, LearnSettings(**settings), names)  # type: ignore[arg-type]

    classes, values = data(folder, False), data(folder, True)
    fails("needs factory data")
    fails("has labels of classes", head="regression", data=classes)
    fails("are real numbers", head="slda", data=values)
    fails("room for 3 classes", head="slda", data=classes, capacity=3)
    fails("the model has 3 names", names=NAMES[:3], data=classes)
    fails("no layer", tap="pol", data=classes)
    found = np.load(classes)
    few = tmp_path / "few.npz"
    np.savez(few, inputs=found["inputs"][:5], labels=found["labels"][:5])
    fails("one sample of class 0", head="slda", data=few)
    np.savez(few, inputs=found["inputs"])
    fails("has no `labels`", head="slda", data=few)
    with pytest.raises(TinycError, match="takes no firmware"):
        learning(GRAPH, load_board("host"), LearnSettings(data=classes))
