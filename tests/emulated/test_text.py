"""From text to label on the emulated chip: ids of the Python twin, outputs of the interpreter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.command_line import tinyc
from support.report_pages import page_data
from support.text_models import text_graph, write_tokenizer
from tinyc import interpreter, pipeline
from tinyc.artifact import open_artifact
from tinyc.cli import target
from tinyc.device import limits
from tinyc.execution import text_ids, token_count
from tinyc.memory.budget import budget
from tinyc.preparation import Prepared
from tinyc.text.emit import model_view
from tinyc.text.samples import sample_texts

pytestmark = pytest.mark.emulated

LONGEST = limits.largest_text(limits.LARGE_BUFFER)
LABELS = ["music", "restaurant", "weather"]
CONFIG = f"""
[model]
path = "net.keras"
[text]
tokenizer = "tokenizer.json"
[labels]
names = {LABELS}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tinyc.toml; its model is prepared already."""
    folder = tmp_path_factory.mktemp("text")
    write_tokenizer(folder)
    (folder / "net.keras").touch()
    (folder / "tinyc.toml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "prepare", lambda source, progress: Prepared(text_graph()))
        said = tinyc("build", project, "--board", "nrf52840", "--out", project / "out")
        assert said.code == 0, said.stderr
        checked = tinyc("check", project, "--board", "nrf52840").stdout
    assert "tokenizer tables" in checked
    return project / "out"


def test_ids_and_outputs_on_the_chip(built: Path) -> None:
    found = open_artifact(built)
    program = found.program
    assert program.tokenizer is not None
    with target.device_engine(found, None) as session:
        for text in (b"play some jazz", *sample_texts(program.tokenizer, 5, LONGEST, 1)):
            ids = text_ids(program, text)
            count, got = session.engine.token_ids(text)
            np.testing.assert_array_equal(got, ids)
            assert count == token_count(program, text)
            (expected,) = interpreter.run(program.graph, [ids])
            np.testing.assert_array_equal(session.engine.run_text(text)[0], expected)


def test_predicted_tables_are_in_the_firmware(built: Path) -> None:
    found = open_artifact(built)
    expected = budget(found.program)
    assert found.program.tokenizer is not None
    sizes = {symbol["name"]: symbol["bytes"] for symbol in found.report["symbols"]}
    for table in model_view(found.program.tokenizer).tables:
        assert sizes[table.name] == table.bytes, table.name
    assert (expected.arena, expected.weights) == (found.report["arena"], found.report["weights"])
    assert 0.7 < expected.flash / found.report["flash"] < 1.3


def test_page_shows_the_layers_in_blocks(built: Path) -> None:
    program = open_artifact(built).program
    assert tinyc("report", built).code == 0
    build = page_data(built / "report.html")["build"]
    parts = [part["name"] for layer in build["layers"] for part in layer["parts"] or [layer]]
    assert parts == [op.name for op in program.graph.expanded().ops]
    assert build["costs"] == "counted" and all(layer["cycles"] > 0 for layer in build["layers"])


def test_run_takes_text(built: Path, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("what is the weather like?\nbook a table\n", encoding="utf-8")
    hostile = b"\xff play [red] \x1b".decode("utf-8", "surrogateescape")
    arguments = ("--input", "play some jazz", "--input", tmp_path / "two.txt", "--input", hostile, "-i", "")
    said = tinyc("run", built, *arguments, "--json")
    assert said.code == 0, said.stderr
    program = open_artifact(built).program
    texts = [b"play some jazz", b"what is the weather like?", b"book a table", b"\xff play [red] \x1b", b""]
    for row, text in zip(said.json["results"], texts, strict=True):
        (expected,) = interpreter.run(program.graph, [text_ids(program, text)])
        assert row["index"] == np.argmax(expected) and row["label"] == LABELS[row["index"]]
    assert said.json["results"][0]["input"] == "play some jazz"
    table = tinyc("run", built, *arguments).stdout
    assert "play some jazz" in table and "\ufffd play [red] \ufffd" in table
    table.encode("utf-8")


def test_run_on_this_machine_gives_the_same(project: Path, built: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "prepare", lambda source, progress: Prepared(text_graph()))
        assert tinyc("build", project, "--board", "host", "--out", tmp_path).code == 0
    rows = [
        tinyc("run", folder, "-i", "play some jazz", "--json").json["results"] for folder in (tmp_path, built)
    ]
    assert rows[0] == rows[1]


def test_a_text_longer_than_a_message(built: Path) -> None:
    assert tinyc("run", built, "--input", "j" * LONGEST, "--json").code == 0
    said = tinyc("run", built, "--input", "j" * LONGEST + "!")
    assert said.code == 1 and f"{LONGEST + 1} bytes" in said.stderr and f"at most {LONGEST}" in said.stderr


def test_verify_names_the_first_text_that_differs(built: Path) -> None:
    said = tinyc("verify", built, "--count", 2, "--json")
    assert said.code == 0, said.stderr
    assert said.json["agrees"] and said.json["texts"] > 5 and said.json["first_text_difference"] is None
    stored = built / ".tinyc" / "tokenizer.json"
    good = stored.read_text(encoding="utf-8")
    changed = json.loads(good)
    vocabulary = changed["model"]["vocab"]
    for token in ("play", "some", "weather"):
        vocabulary[token + "x"] = vocabulary.pop(token)
    stored.write_text(json.dumps(changed), encoding="utf-8")
    try:
        said = tinyc("verify", built, "--count", 1, "--json")
        assert said.code == 4
        assert not said.json["agrees"] and said.json["first_text_difference"]["text"]
        assert "differs from its Python twin" in said.stderr and "expected" in said.stderr
    finally:
        stored.write_text(good, encoding="utf-8")


def test_a_build_folder_without_its_tokenizer(built: Path, tmp_path: Path) -> None:
    stored = built / ".tinyc" / "tokenizer.json"
    good = stored.read_bytes()
    stored.unlink()
    try:
        said = tinyc("verify", built)
        assert said.code == 1 and "tokenizer.json" in said.stderr
    finally:
        stored.write_bytes(good)
