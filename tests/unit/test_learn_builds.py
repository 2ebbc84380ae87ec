"""`tinyc check` of a model with a head that learns: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import tinyc
from support.paths import ROOT

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "examples" / "keyword_spotting"


def test_check_says_what_learning_takes() -> None:
    # Without data of its own a head is fitted to the labelled calibration samples.
    plain = tinyc("check", str(EXAMPLE), "--json").json
    assert plain["learning"] is None
    learned = tinyc("check", str(EXAMPLE), "--head", "ncm", "--json").json
    told = learned["learning"]
    assert (told["head"], told["tap"], told["latent"], told["capacity"]) == ("ncm", "pool_1", 64, 15)
    assert told["classes"][:3] == ["silence", "unknown", "down"]
    assert (learned["learning_ram"], learned["learning_tables"]) == (told["ram"], told["flash"])
    assert learned["ram"] > plain["ram"] + told["ram"]
    assert learned["digest"] != plain["digest"]
    said = tinyc("check", str(EXAMPLE), "--head", "ncm")
    assert "learning in RAM" in said.stdout
    assert "ncm head behind layer pool_1" in said.stderr


def project(folder: Path, table: str) -> Path:
    """A copy of the example with a table `[learn]`."""
    for name in ("keyword_spotting.tflite", "calibration.npz", "evaluation.npz"):
        (folder / name).symlink_to(EXAMPLE / name)
    text = (EXAMPLE / "tinyc.toml").read_text(encoding="utf-8").split("[evaluation]")[0]
    (folder / "tinyc.toml").write_text(f"{text}\n[learn]\n{table}\n", encoding="utf-8")
    return folder


def test_auto_prints_the_table_it_chose_from(tmp_path: Path) -> None:
    told = tinyc("check", project(tmp_path, 'data = "evaluation.npz"\nsamples = 165'))
    assert "mean recalls of heads" in told.stderr
    assert all(f"\n  {name} " in told.stderr for name in ("slda", "sgd", "ncm, cosine"))
    assert "over 5 episodes" in told.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--head", "sldaa"), "did you mean `slda`?"),
        (("--tap", "pool_2"), "did you mean `pool_1`?"),
        (("--no-learn", "--head", "slda"), "add --learn"),
        (("--learn", "--board", "host"), "takes no firmware"),
        (("--learn", "--learn-data", "nowhere.npz"), "no such file"),
        (("--head", "regression"), "labels of classes"),
    ],
)
def test_what_cannot_learn_is_told(options: tuple[str, ...], said: str) -> None:
    told = tinyc("check", str(EXAMPLE), *options)
    assert told.code == 1
    assert said in told.stderr


def test_a_project_that_learns_compiles_for_this_machine_without(tmp_path: Path) -> None:
    """The table `[learn]` is for firmware: verifying on this machine goes on."""
    project(tmp_path, 'head = "ncm"')
    assert tinyc("check", str(tmp_path), "--json").json["learning"]["head"] == "ncm"
    assert tinyc("check", str(tmp_path), "--no-learn", "--json").json["learning"] is None
    assert tinyc("check", str(tmp_path), "--board", "host", "--json").json["learning"] is None
