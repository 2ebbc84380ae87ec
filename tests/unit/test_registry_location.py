"""Which registry is meant, and opening it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyoxigraph import NamedNode

from support.command_line import tinyc
from tinyc.config import load_config
from tinyc.errors import TinycError
from tinyc.registry.location import Location, find, is_off, require, site_here
from tinyc.registry.registry import Registry

pytestmark = pytest.mark.unit


def toml(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tinyc.toml").write_text(text, encoding="utf-8")


def test_the_option_goes_before_the_variable_before_the_file_before_the_folder(tmp_path: Path) -> None:
    below = tmp_path / "project" / "build" / "board"
    below.mkdir(parents=True)
    none: dict[str, str] = {}
    assert find(start=below, environment=none) is None
    Registry.create(Location(folder=tmp_path / ".tinyc" / "registry")).close()
    found = find(start=below, environment=none)
    assert found is not None and found.folder == tmp_path / ".tinyc" / "registry"
    assert not found.may_create
    toml(tmp_path / "project", '[registry]\nat = "there"\nsite = "hall 3"\ngraph = "urn:tenant:1"\n')
    found = find(start=below, environment=none)
    assert found is not None and found.folder == tmp_path / "project" / "there"
    assert (found.site, found.graph, found.may_create) == ("hall 3", NamedNode("urn:tenant:1"), True)
    found = find(start=below, environment={"TINYC_REGISTRY": "/elsewhere"})
    assert found is not None and (found.folder, found.graph) == (Path("/elsewhere"), None)
    assert found.site == "hall 3"
    found = find("https://example.org/sparql", below, {"TINYC_REGISTRY": "/elsewhere"})
    assert found is not None and (found.folder, found.url) == (None, "https://example.org/sparql")
    assert find("x", below, {"TINYC_REGISTRY": "off"}) is not None
    assert find(start=below, environment={"TINYC_REGISTRY": "off"}) is None
    assert is_off({"TINYC_REGISTRY": "off"}) and not is_off({"TINYC_REGISTRY": "here"})
    assert site_here(below) == "hall 3"


def test_the_nearest_table_counts_and_files_without_one_do_not(tmp_path: Path) -> None:
    toml(tmp_path, '[registry]\nat = "outer"\n')
    toml(tmp_path / "a", "[model]\npath = 'x'\n")
    toml(tmp_path / "a" / "b", '[registry]\nsite = "only a site"\n')
    found = find(start=tmp_path / "a", environment={})
    assert found is not None and found.folder == tmp_path / "outer"
    assert find(start=tmp_path / "a" / "b", environment={}) is None
    assert site_here(tmp_path / "a" / "b") == "only a site"


def test_none_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no registry is named") as error:
        require(start=tmp_path, environment={})
    assert "tinyc registry init" in error.value.hint
    with pytest.raises(TinycError, match="off"):
        require(start=tmp_path, environment={"TINYC_REGISTRY": "off"})


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("registry = 3", ["registry"]),
        ("[registry]\nat = 3\nsite = ''\nnear = 'x'", ["registry.at", "registry.site", "registry.near"]),
        ("[registry]\ngraph = 'not an iri'", ["registry.graph"]),
    ],
)
def test_a_wrong_table_is_said_by_both_readers(tmp_path: Path, text: str, wrong: list[str]) -> None:
    toml(tmp_path, text)
    with pytest.raises(TinycError) as error:
        find(start=tmp_path, environment={})
    assert [problem.where for problem in error.value.problems] == wrong
    model = tmp_path / "m.tflite"
    model.write_bytes(b"")
    toml(tmp_path, f'{text}\n[model]\npath = "m.tflite"\n')
    with pytest.raises(TinycError) as error:
        load_config(tmp_path)
    assert [problem.where for problem in error.value.problems] == wrong


def test_opening_says_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="is no registry"):
        Registry.open(Location(folder=tmp_path, told_by="--registry"))
    named = Location(folder=tmp_path / "new", told_by="tinyc.toml", may_create=True)
    with pytest.raises(TinycError, match="no registry yet"):
        Registry.open(named, writable=False)
    assert not (tmp_path / "new").exists()
    with Registry.open(named) as registry:
        assert registry.store.count() > 80
    (tmp_path / "new" / "registry.json").write_text('{"format": 2}')
    with pytest.raises(TinycError, match="format 2"):
        Registry.open(named)
    for broken in ("", "[]", '{"format": 1}', '{"format": 1, "graph": "no iri"}'):
        (tmp_path / "new" / "registry.json").write_text(broken)
        with pytest.raises(TinycError, match="cannot be read"):
            Registry.open(named)


def test_the_graph_of_a_registry_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = tinyc("registry", "init", "here", "--graph", "urn:tenant:1", "--json")
    assert said.code == 0, said.stderr
    assert json.loads((tmp_path / "here" / "registry.json").read_text())["graph"] == "urn:tenant:1"
    with Registry.open(Location(folder=tmp_path / "here"), writable=False) as registry:
        assert registry.graph == NamedNode("urn:tenant:1")
    assert tinyc("registry", "init", "there", "--graph", "no iri").code == 1
    # Once more changes nothing.
    assert tinyc("registry", "init", "here", "--json").json == said.json
