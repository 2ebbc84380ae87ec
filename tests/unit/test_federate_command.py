"""`tinyc federate`: what it prints, what it writes, and how it tells mistakes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from support.command_line import tinyc
from support.federation import config_text, write_config
from tinyc.errors import TinycError
from tinyc.learning.federation.export import read_npz
from tinyc.learning.federation.plot import Curve, chart, thinned
from tinyc.learning.federation.settings import load_config

pytestmark = pytest.mark.unit

FAULTY = (
    {"kind": "simulated", "count": 6},
    {"kind": "simulated", "count": 2, "name": "gone", "dropout": 1.0},
    {"kind": "simulated", "count": 2, "name": "<liar>", "poison": "nan"},
)
CHANGES = {"run": {"rounds": 12, "devices": 10}, "evaluation": {"tasks": 10, "every": 4}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a run that has ended, its state beside it."""
    config = write_config(tmp_path_factory.mktemp("federate"), FAULTY, **CHANGES)
    said = tinyc("federate", "run", config)
    assert said.code == 0, said.stderr
    assert "12 of 12 rounds" in said.stdout
    assert "gone-6" in said.stdout
    return config


def test_status_as_json(finished: Path) -> None:
    said = tinyc("federate", "status", finished, "--json")
    told = said.json
    assert (told["done"], told["rounds"], told["strategy"]) == (12, 12, "tinyreptile")
    assert told["totals"]["used"] == 12 * 6
    assert told["totals"]["dropped"] == told["totals"]["refused"] == 12 * 2
    assert [score["round"] for score in told["scores"]] == [4, 8, 12]
    assert all(score["mse"] > 0 for score in told["scores"])
    assert told["clients"]["gone-6"]["dropped"] == 12
    assert told == tinyc("federate", "status", finished.with_suffix(".run"), "--json").json


def test_a_finished_run_has_nothing_left_to_do(finished: Path) -> None:
    before = tinyc("federate", "status", finished, "--json").json
    said = tinyc("federate", "run", finished, "--json")
    assert said.code == 0
    assert "going on behind round 12 of 12" in said.stderr
    assert said.json == before


def test_export_gives_the_network(finished: Path, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("a.npz", "b.npz")]
    for target in targets:
        assert tinyc("federate", "export", finished, "-o", target).stdout.strip() == str(target)
    assert targets[0].read_bytes() == targets[1].read_bytes()
    shape, parameters = read_npz(targets[0])
    assert shape.layers == (1, 8, 1)
    with np.load(targets[0]) as arrays:
        np.testing.assert_array_equal(arrays["W0"].ravel(), parameters[:8])
        np.testing.assert_array_equal(arrays["b1"], parameters[-1:])
    # The same seed in another folder gives the same file.
    again = write_config(tmp_path / "again", FAULTY, **CHANGES)
    tinyc("federate", "run", again)
    tinyc("federate", "export", again)
    assert again.with_suffix(".npz").read_bytes() == targets[0].read_bytes()


def test_files_that_are_no_export_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, layers=[1, 2, 1], hidden="tanh", loss="mse", parameters=np.zeros(3, np.float32))
    with pytest.raises(TinycError, match="`parameters` is float32"):
        read_npz(wrong)
    wrong.write_bytes(b"text")
    with pytest.raises(TinycError, match="cannot be read"):
        read_npz(wrong)


def test_plot_is_one_page_that_needs_nothing(finished: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert tinyc("federate", "plot", finished, "-o", page).code == 0
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert "<liar>" not in text and "&lt;liar&gt;-8" in text
    drawings = [
        part.split("</svg>")[0] + "</svg>" for part in ("<svg" + rest for rest in text.split("<svg")[1:])
    ]
    assert len(drawings) == 5
    scores = ElementTree.fromstring(drawings[0])
    assert len([each for each in scores if each.tag == "circle"]) == 3


def points_of(svg: str) -> list[tuple[float, float]]:
    line = next(each for each in ElementTree.fromstring(svg) if each.tag == "polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]  # type: ignore[misc]


def test_charts_draw_what_they_are_given() -> None:
    drawn = points_of(chart(Curve("up", [(1, 0.0), (2, 1.0), (3, 4.0)]), 3))
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    (_, first), (_, second), (_, third) = drawn
    assert first > second > third
    assert (first - third) == pytest.approx(4 * (first - second), rel=0.01)
    assert chart(Curve("nothing", []), 3) == ""
    assert chart(Curve("diverged", [(1, float("inf"))]), 3) == ""
    assert points_of(chart(Curve("flat", [(1, 2.0), (2, 2.0)]), 2))
    assert points_of(chart(Curve("zero", [(1, 0.0)]), 1))


def test_long_runs_are_thinned_by_means() -> None:
    points = [(float(number), float(number % 2)) for number in range(100_000)]
    fewer = thinned(points)
    assert len(fewer) <= 400
    assert all(value == pytest.approx(0.5, abs=0.01) for _, value in fewer)
    assert fewer[-1][0] == 99_999


def test_fresh_starts_anew_and_another_configuration_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, run={"rounds": 3})
    assert tinyc("federate", "run", config).code == 0
    write_config(tmp_path, run={"rounds": 4})
    refused = tinyc("federate", "run", config)
    assert refused.code == 1
    assert "--fresh" in refused.stderr
    anew = tinyc("federate", "run", config, "--fresh", "--json")
    assert anew.json["done"] == 4


def classes_file(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    path = folder / "classes.npz"
    data = {name: generator.normal(size=(6, 8, 2, 2)).astype(np.float32) for name in ("train", "test")}
    np.savez(path, **data)
    return path


CLASSES = {
    "task": {"kind": "classes", "data": "classes.npz", "ways": 3, "queries": 4},
    "network": {"layers": [4, 6, 3], "loss": "softmax"},
    "evaluation": {"tasks": 4, "shots": 2},
}


def test_constant_one_on_permuted_labels_needs_force(tmp_path: Path) -> None:
    classes_file(tmp_path)
    constant = {"schedule": {"kind": "constant", "start": 1.0}, "run": {"rounds": 3}}
    config = write_config(tmp_path, **CLASSES, **constant)
    refused = tinyc("federate", "run", config)
    assert refused.code == 1
    assert "numbers its classes in its own way" in refused.stderr
    assert not config.with_suffix(".run").exists()
    forced = tinyc("federate", "run", config, "--force", "--json")
    assert forced.code == 0, forced.stderr
    assert 0 <= forced.json["scores"][-1]["accuracy"] <= 1


def test_new_data_is_another_run(tmp_path: Path) -> None:
    path = classes_file(tmp_path)
    config = write_config(tmp_path, **CLASSES)
    before = load_config(config)
    with np.load(path) as arrays:
        changed = {name: np.array(arrays[name]) for name in arrays}
    changed["train"][0, 0] += 1
    np.savez(path, **changed)
    assert load_config(config).digest != before.digest


def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    text = config_text(
        [{"kind": "simulated", "count": 0}, {"kind": "simulatd"}, {"kind": "simulated", "dropuot": 1}],
        run={"stratgy": "x", "rounds": "many"},
        training={"rate": True},
    )
    (tmp_path / "run.toml").write_text(text + "[shedule]\n")
    with pytest.raises(TinycError) as refused:
        load_config(tmp_path / "run.toml")
    told = {problem.where: problem.allowed for problem in refused.value.problems}
    assert set(told) == {
        "clients[0].count",
        "clients[1].kind",
        "clients[2].dropuot",
        "run.stratgy",
        "run.rounds",
        "training.rate",
        "shedule",
    }
    assert told["run.stratgy"] == "did you mean `strategy`?"
    assert told["shedule"] == "did you mean `schedule`?"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"run": {"devices": 11}}, "run.devices"),
        ({"run": {"rounds": 0}}, "run.rounds"),
        ({"run": {"seed": -1}}, "run.seed"),
        ({"run": {"strategy": "fedprox"}}, "strategy"),
        ({"network": {"layers": [1, 8, 2]}}, "network"),
        ({"network": {"layers": [1, "8", 1]}}, "network.layers"),
        ({"task": {"kind": "cosine"}}, "task.kind"),
        ({"task": {"kind": "classes"}}, "task.data"),
        ({"schedule": {"start": 2.0}}, "schedule"),
        ({"robust": {"aggregate": "median"}, "training": {"top": 0.5}}, "aggregate"),
        ({"evaluation": {"shots": 0}}, "evaluation"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, changes: dict[str, dict[str, object]], where: str) -> None:
    with pytest.raises(TinycError) as refused:
        load_config(write_config(tmp_path, **changes))
    assert where in [problem.where for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"train": np.zeros((6, 8, 4))}, "cannot be read"),
        ({"train": np.zeros((2, 8, 4)), "test": np.zeros((6, 8, 4))}, "is no data for 3 ways"),
        ({"train": np.full((6, 8, 4), np.nan), "test": np.zeros((6, 8, 4))}, "is no data for 3 ways"),
        ({"train": np.zeros((6, 8, 4)), "test": np.zeros((6, 4, 4))}, "4 examples of a class"),
    ],
)
def test_data_that_is_no_pool_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], what: str) -> None:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    (tmp_path / "classes.npz").write_bytes(packed.getvalue())
    with pytest.raises(TinycError, match=what):
        load_config(write_config(tmp_path, **CLASSES))


def test_there_must_be_a_run_to_look_at(tmp_path: Path) -> None:
    for verb in ("status", "plot", "export"):
        said = tinyc("federate", verb, tmp_path / "none.run")
        assert said.code == 1
        assert "no such run" in said.stderr
    assert tinyc("federate", "run", tmp_path / "none.toml").code == 1


def test_json_is_json(finished: Path) -> None:
    json.loads(tinyc("federate", "status", finished, "--json").stdout, parse_constant=pytest.fail)
