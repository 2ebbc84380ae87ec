"""`tinyc registry init, add, show, stats`: from the command line, on a registry in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command_line import tinyc
from support.registry_facts import BOARD, CHIP, FIRST, KNOWN, every_kind
from tinyc.registry.location import Location
from tinyc.registry.registry import Registry

pytestmark = pytest.mark.unit


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the registry of a small fleet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY")
    with Registry.create(Location(folder=tmp_path / ".tinyc" / "registry")) as registry:
        registry.apply_all(every_kind(), live=False)
    return tmp_path


def ok(*arguments: object) -> object:
    said = tinyc("registry", *arguments, "--json")
    assert said.code == 0, said.stderr
    return said.json


def test_init_once_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY")
    said = tinyc("registry", "stats")
    assert said.code == 1 and "tinyc registry init" in said.stderr
    first = ok("init")
    assert first == ok("init")
    assert (tmp_path / ".tinyc" / "registry" / "registry.json").is_file()
    assert tinyc("registry", "stats").code == 0


def test_show_a_device_by_its_chip_and_its_iri(here: Path) -> None:
    page = ok("show", CHIP)
    assert page == ok("show", f"urn:tinyc:device:{BOARD}:{CHIP}") == ok("show", CHIP.upper())
    assert isinstance(page, dict)
    assert (page["kind"], page["board"], page["drift"], page["free_flash"]) == (
        "device",
        BOARD,
        "Drifted",
        442_548,
    )
    (row,) = page["deployments"]
    assert (row["model"], row["version"], row["current"]) == ("kws", "1.0.0", True)
    (learned,) = page["states"]
    assert (learned["before"], learned["after"]) == (0.91, 0.93)
    text = tinyc("registry", "show", CHIP).stdout
    assert "deployments" in text and "learned states" in text and "cccccccccccc" in text
    assert "missing since" in tinyc("registry", "show", "99aa").stdout


def test_show_a_model_with_its_lineage(here: Path) -> None:
    page = ok("show", "kws@1.1.0")
    assert isinstance(page, dict)
    assert [(each["name"], each["relation"], each["steps"]) for each in page["ancestors"]] == [
        ("kws", "FineTuned", 1),
        ("kws.tflite", "Quantized", 1),
    ]
    first = ok("show", "kws@1.0.0")
    assert isinstance(first, dict)
    assert (first["accuracy"], first["devices"], len(first["firmware"])) == (0.912, 2, 1)
    said = tinyc("registry", "show", "kws")
    assert said.code == 1 and FIRST.iri.value in said.stderr
    assert "derived from" in tinyc("registry", "show", "kws@1.1.0").stdout


def test_show_a_firmware_by_the_start_of_its_identity(here: Path) -> None:
    page = ok("show", KNOWN[:12])
    assert isinstance(page, dict)
    assert (page["kind"], page["flash"], page["devices"], page["known"]) == ("firmware", 55_628, 2, True)
    assert "442,548 B" in tinyc("registry", "show", KNOWN).stdout


@pytest.mark.parametrize("text", ["nothing", "", '"', "> } #", "urn:tinyc:device:x:y", "cc"])
def test_show_nothing_is_an_error(here: Path, text: str) -> None:
    said = tinyc("registry", "show", text)
    assert said.code == 1 and "knows no" in said.stderr


def test_stats(here: Path) -> None:
    told = ok("stats")
    assert isinstance(told, dict)
    things = told["things"]
    assert things["devices"] == 2 and things["models"] == 2 and things["missing devices"] == 1
    assert told["versions"] == [{"model": "kws", "version": "1.0.0", "devices": 2}]
    assert told["boards"] == [{"board": BOARD, "devices": 2}]
    assert "kws" in tinyc("registry", "stats").stdout


def test_add_sites_and_devices_by_hand(here: Path) -> None:
    ok("add", "site", "hall 4")
    ok("add", "device", "xiao_nrf52840", "AB01", "--site", "hall 5")
    page = ok("show", "ab01")
    assert isinstance(page, dict)
    assert (page["board"], page["site"], page["deployments"]) == ("xiao_nrf52840", "hall 5", [])
    assert isinstance(ok("add", "boards"), list)
    for wrong in (
        ["site"],
        ["site", " "],
        ["device", BOARD],
        ["device", "nosuch", "1"],
        ["device", BOARD, "x"],
        ["boards", "x"],
        ["no/such/folder"],
    ):
        assert tinyc("registry", "add", *wrong).code == 1


def test_the_site_of_tinyc_toml_is_where_devices_are(here: Path) -> None:
    (here / "tinyc.toml").write_text('[registry]\nsite = "hall 9"\n', encoding="utf-8")
    ok("add", "device", BOARD, "77")
    page = ok("show", "77")
    assert isinstance(page, dict) and page["site"] == "hall 9"


def test_the_option_and_the_variable_name_another_one(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other") / "registry"
    ok("init", other)
    told = ok("stats", "--registry", other)
    assert isinstance(told, dict) and told["things"]["devices"] == 0
    monkeypatch.setenv("TINYC_REGISTRY", str(other))
    assert json.dumps(ok("stats")) == json.dumps(told)
    monkeypatch.setenv("TINYC_REGISTRY", "off")
    said = tinyc("registry", "stats")
    assert said.code == 1 and "off" in said.stderr
