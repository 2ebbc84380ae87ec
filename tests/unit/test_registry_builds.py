"""From what a build and a flash know to facts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.registry_facts import at
from tinyc.boards import board_names, load_board
from tinyc.flash import JsonLines, Several
from tinyc.program import Deployment, Firmware, Sizes
from tinyc.registry import names, reading
from tinyc.registry.boards import board_facts
from tinyc.registry.facts import BoardFact, DeploymentFact, EvaluationFact, FirmwareFact, ModelFact, ModelRef
from tinyc.registry.flash_log import RegistryLog, deployment_fact, logged_deployments
from tinyc.registry.from_build import build_facts
from tinyc.registry.journal import Journal
from tinyc.registry.pages import device_page, model_page
from tinyc.registry.registry import Registry
from tinyc.registry.shapes import audit
from tinyc.registry.store.embedded import EmbeddedStore

pytestmark = pytest.mark.unit

BOARD = load_board("nrf52840")
MODEL = ModelRef("kws", "1.2.0", "a" * 64)
CHIP = "f0511a7c01ed5e0e"
REPORT: dict[str, Any] = {
    "tinyc": "0.1.0",
    "model": "kws",
    "version": "1.2.0",
    "digest": "a" * 64,
    "firmware": "c" * 64,
    "board": "nrf52840",
    "toolchain": "zig",
    "optimize": "balanced",
    "flash": 55_628,
    "ram": 16_008,
    "stack": 2_048,
    "arena": 10_080,
    "weights": 29_159,
    "macs": 2_656_704,
    "inputs": [{"shape": [1, 49, 10, 1]}, {"shape": [1]}],
    "outputs": [{"shape": [1, 11]}],
    "labels": ["silence", "unknown"],
    "audio": {"sample_rate": 16_000},
    "text": None,
    "update": {"key": "e" * 64, "security_counter": 3},
}
BILL: dict[str, Any] = {
    "network_sqnr_db": 35.35,
    "samples": 128,
    "accuracy": {"float_top1": 0.97, "int8_top1": 0.96, "agreement": 1.0, "samples": 128},
    "layers": [{"name": "conv_1", "kind": "CONV_2D", "sqnr_db": 38.64}],
}
ORIGIN = {
    "source": {"title": "kws.tflite", "digest": "1" * 64},
    "calibration": {"title": "calibration.npz", "digest": "2" * 64},
}


def deployment(
    folder: Path, identity: str = "c" * 64, digest: str = "a" * 64, model: str = "kws"
) -> Deployment:
    sizes = Sizes(flash=1, ram=1, text=1, rodata=0, data=0, bss=0, arena=0, weights=0)
    firmware = Firmware(folder, folder / "elf", {}, sizes, "zig", digest, identity)
    when = datetime(2026, 10, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    return Deployment(
        CHIP, "nrf52840", model, "1.2.0" if model else "", firmware, "smp", "/dev/x", True, when
    )


def test_a_build_becomes_facts_that_the_shapes_take() -> None:
    manifest = {
        "precision": "int8+int16",
        "base": {"name": "kws", "version": "1.1.0", "digest": "b" * 64},
        "relation": "fine-tuned",
    }
    facts = build_facts(REPORT, BOARD, at(1), parameters=22_539, bill=BILL, origin=ORIGIN, manifest=manifest)
    board, model, evaluation, firmware = facts
    assert isinstance(board, BoardFact) and isinstance(model, ModelFact)
    assert isinstance(evaluation, EvaluationFact) and isinstance(firmware, FirmwareFact)
    assert (model.input_shape, model.output_shape, model.input_type) == ("1,49,10,1;1", "1,11", "audio")
    assert (model.precision, json.loads(model.manifest)) == ("int8+int16", manifest)
    assert (evaluation.accuracy, evaluation.dataset.title) == (0.96, "calibration.npz")
    assert (firmware.signed, firmware.security_counter, firmware.own_model) == (True, 3, False)
    memory = BOARD.memory
    assert firmware.free_flash == memory.application_flash - 55_628
    assert firmware.free_ram == memory.application_ram - 16_008 - 2_048
    registry = Registry(EmbeddedStore())
    registry.apply_all(facts)
    assert audit(registry.store) == ()
    page = model_page(registry.store, MODEL.iri)
    assert [(each.name, each.version, each.relation) for each in page.ancestors] == [
        ("kws", "1.1.0", "FineTuned"),
        ("kws.tflite", "", "Quantized"),
    ]
    assert [(each.dataset, each.accuracy) for each in page.evaluations] == [("calibration.npz", 0.96)]


def test_a_quantized_model_without_anything_else() -> None:
    report = {**REPORT, "audio": None, "update": None, "labels": []}
    _board, model, firmware = build_facts(report, BOARD, at(1))
    assert isinstance(model, ModelFact) and isinstance(firmware, FirmwareFact)
    assert (model.bill, model.source, model.base, model.input_type) == (None, None, None, "raw")
    assert (firmware.signed, firmware.security_counter) == (False, 0)
    registry = Registry(EmbeddedStore())
    registry.apply_all(build_facts(report, BOARD, at(1)))
    assert audit(registry.store) == ()


def test_a_split_build_does_not_change_its_board() -> None:
    split = BOARD.split()
    assert split.memory.application_flash < BOARD.memory.application_flash
    board, *_, firmware = build_facts({**REPORT, "split": {"firmware": "c" * 64}}, split, at(1))
    assert isinstance(board, BoardFact) and isinstance(firmware, FirmwareFact)
    assert board.flash == BOARD.memory.application_flash
    assert firmware.own_model
    assert firmware.free_flash == split.memory.application_flash - 55_628


def test_every_board_is_a_fact() -> None:
    registry = Registry(EmbeddedStore())
    registry.apply_all(board_facts())
    assert {fact.name for fact in board_facts()} == set(board_names()) - {"host"}
    assert audit(registry.store) == ()
    assert reading.ask(
        registry.store,
        "$board sosa:hosts ?sensor . ?sensor a sosa-extend:Gyroscope",
        board=names.board("nano33ble"),
    )


def test_a_deployment_is_the_same_from_the_log_and_from_the_lines(tmp_path: Path) -> None:
    told = deployment(tmp_path)
    JsonLines(tmp_path).record(told)
    path = tmp_path / ".tinyc" / "deployments.jsonl"
    with path.open("a") as stream:
        stream.write('nonsense\n{}\n[1]\n{"device": 3}\n')
    assert logged_deployments(path) == (deployment_fact(told),)
    assert logged_deployments(tmp_path / "none") == ()


def test_firmware_and_model_are_named_separately(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tinyc flash --model-only`: the firmware is of an earlier build, whose folder nobody has added."""
    monkeypatch.delenv("TINYC_REGISTRY")
    (tmp_path / "tinyc.toml").write_text('[registry]\nat = "registry"\n', encoding="utf-8")
    said: list[str] = []
    report = {**REPORT, "split": {"firmware": "c" * 64}}
    facts = build_facts(report, BOARD, at(1), bill=BILL, origin=ORIGIN)
    log = RegistryLog(tmp_path / "build", facts, said.append, "hall 3")
    log.record(deployment(tmp_path, identity="d" * 64))
    log.record(deployment(tmp_path, identity="e" * 64, digest="0" * 64, model=""))
    assert len(said) == 0
    from tinyc.registry.location import Location

    with Registry.open(Location(folder=tmp_path / "registry"), writable=False) as registry:
        page = device_page(registry.store, names.device("nrf52840", CHIP))
        assert page.site == "hall 3"
        assert sorted((row.firmware[0], row.known, row.model) for row in page.deployments) == [
            ("d", False, "kws"),
            ("e", False, ""),
        ]
        assert audit(registry.store) == ()
        assert registry.heartbeats is not None and registry.heartbeats.count() == 1


@pytest.mark.parametrize("at_", ["in_the_way", "http://127.0.0.1:9/query"])
def test_a_registry_that_fails_does_not_make_a_flash_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_: str
) -> None:
    monkeypatch.delenv("TINYC_REGISTRY")
    (tmp_path / "in_the_way").write_text("no folder")
    (tmp_path / "tinyc.toml").write_text(f'[registry]\nat = "{at_}"\n', encoding="utf-8")
    said: list[str] = []
    told = deployment(tmp_path)
    build = tmp_path / "build"
    Several(JsonLines(build), RegistryLog(build, (), said.append)).record(told)
    assert len(logged_deployments(build / ".tinyc" / "deployments.jsonl")) == 1
    (note,) = said
    assert "the journal keeps it" in note
    assert Journal(build).facts() == (deployment_fact(told),)
    assert isinstance(Journal(build).facts()[0], DeploymentFact)


def test_a_store_that_breaks_in_the_middle_is_no_failure_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged store: whatever it raises is told, and the facts wait."""
    monkeypatch.delenv("TINYC_REGISTRY")
    (tmp_path / "tinyc.toml").write_text('[registry]\nat = "registry"\n', encoding="utf-8")
    said: list[str] = []
    build = tmp_path / "build"
    RegistryLog(build, build_facts(REPORT, BOARD, at(1)), said.append).record(deployment(tmp_path))
    assert said == []
    for path in (tmp_path / "registry" / "store").iterdir():
        if path.name.startswith("MANIFEST"):
            path.write_bytes(b"damaged")
    RegistryLog(build, (), said.append).record(deployment(tmp_path, identity="d" * 64))
    (note,) = said
    assert "the journal keeps it" in note
    assert len(Journal(build).facts()) == 1
