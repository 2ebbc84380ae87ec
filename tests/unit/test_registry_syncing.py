"""`tinyc registry sync`: what answers, what changed, what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.command_line import tinyc
from support.registry_facts import (
    BOARD,
    CHIP,
    FIRST,
    KNOWN,
    SECOND,
    UNKNOWN,
    at,
    board,
    deployment,
    firmware,
    model,
)
from tinyc.cli.registry.recording import record_found
from tinyc.device.discovery import Found, Port
from tinyc.device.hello import Hello
from tinyc.device.ledger import Counters
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.facts import DeviceFact, ModelRef
from tinyc.registry.location import Location
from tinyc.registry.pages import device_page
from tinyc.registry.registry import Registry
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.syncing import Seen, beat, sync

pytestmark = pytest.mark.unit


def answer(
    chip: str = CHIP,
    identity: str = KNOWN,
    ref: ModelRef | None = FIRST,
    port: str = "/dev/ttyACM0",
    on: str = BOARD,
    capacity: int | None = None,
) -> Found:
    """What a device with this firmware and model answers."""
    hello = Hello(
        proto=2,
        digest=ref.digest if ref else "0" * 64,
        firmware=identity,
        device_id=chip,
        arena=1,
        layers=1 if ref else 0,
        clock_hz=1,
        ram=1234,
        input_bytes=1,
        output_bytes=1,
        board=on,
        model=ref.name if ref else "",
        model_version=ref.version if ref else "",
        tinyc="0.1.0",
        inputs=(),
        outputs=(),
        slots=(),
        capacity=capacity,
    )
    return Found(Port(port), hello, None)


@pytest.fixture
def registry() -> Registry:
    found = Registry(EmbeddedStore())
    found.apply_all((board(), model(), firmware(), deployment(1)))
    return found


def state(seen: tuple[Seen, ...]) -> list[tuple[str, bool]]:
    return [(each.state, each.known) for each in seen]


def test_same_new_changed_unknown_back(registry: Registry) -> None:
    assert state(sync(registry, [answer()], at(2))) == [("same", True)]
    other = "99" * 8
    found = [answer(), answer(other, UNKNOWN, SECOND, "/dev/ttyACM1")]
    assert state(sync(registry, found, at(3), site="hall 3")) == [("same", True), ("new", False)]
    page = device_page(registry.store, names.device(BOARD, other))
    assert (page.site, page.deployments[0].version) == ("hall 3", "1.1.0")
    assert state(sync(registry, [answer(CHIP, UNKNOWN, SECOND)], at(4))) == [("changed", False)]
    seen = sync(registry, [answer(CHIP, UNKNOWN, SECOND)], at(5), site="hall 3", everything=True)
    assert [(each.chip, each.state) for each in seen] == [(CHIP, "same"), (other, "missing")]
    assert state(sync(registry, [answer(other, UNKNOWN, SECOND)], at(6))) == [("back", False)]
    assert device_page(registry.store, names.device(BOARD, other)).missing_since == ""


def test_another_model_in_the_same_firmware_is_a_change(registry: Registry) -> None:
    found = answer(CHIP, KNOWN, SECOND, capacity=5000)
    assert state(sync(registry, [found], at(2))) == [("changed", True)]
    assert state(sync(registry, [found], at(3))) == [("same", True)]
    page = device_page(registry.store, names.device(BOARD, CHIP))
    assert [row.version for row in page.deployments] == ["1.1.0", "1.0.0"]


def test_a_firmware_without_a_model(registry: Registry) -> None:
    found = answer(CHIP, UNKNOWN, None, capacity=5000)
    (seen,) = sync(registry, [found], at(2))
    assert (seen.state, seen.model) == ("changed", None)
    assert device_page(registry.store, names.device(BOARD, CHIP)).deployments[0].model == ""


def test_missing_are_those_of_the_site_only(registry: Registry) -> None:
    registry.apply_all((DeviceFact(BOARD, "aa", "hall 3"), DeviceFact(BOARD, "bb", "hall 4")))
    seen = sync(registry, [], at(2), site="hall 3", everything=True)
    assert [each.chip for each in seen] == ["aa"]
    # Without a site: devices that have none.
    seen = sync(registry, [], at(2), everything=True)
    assert [each.chip for each in seen] == [CHIP]
    assert sync(registry, [], at(2), site="hall 4") == ()


def test_one_chip_at_two_ports_is_an_error_and_nothing_is_written(registry: Registry) -> None:
    before = registry.store.count()
    found = [answer("aa", UNKNOWN, SECOND, "/dev/a"), answer("aa", KNOWN, FIRST, "/dev/b"), answer()]
    with pytest.raises(TinycError, match="same chip number") as error:
        sync(registry, found, at(2))
    (problem,) = error.value.problems
    assert problem.where == "/dev/a, /dev/b" and "aa" in problem.what
    assert registry.store.count() == before


def test_a_board_that_nobody_knows_is_said_and_the_others_are_written(registry: Registry) -> None:
    found = [answer("aa", UNKNOWN, SECOND, "/dev/a", on="homemade"), answer("bb", UNKNOWN, SECOND, "/dev/b")]
    strange, known = sync(registry, found, at(2))
    assert strange.state == "refused" and "no known board" in strange.note
    assert known.state == "new"
    assert device_page(registry.store, names.device("homemade", "aa")).deployments == ()


def test_a_clock_that_went_back_is_said(registry: Registry) -> None:
    (seen,) = sync(registry, [answer(CHIP, UNKNOWN, SECOND)], at(-5))
    assert seen.state == "changed" and "clock went back" in seen.note
    assert device_page(registry.store, names.device(BOARD, CHIP)).deployments[-1].current


def test_heartbeats_of_what_answered(tmp_path: Path) -> None:
    with Registry.create(Location(folder=tmp_path / "registry")) as registry:
        registry.apply_all((board(), model(), firmware(), deployment(1)))
        found = replace(answer("aa", UNKNOWN, SECOND, "/dev/a"), counters=Counters(9, 2, 3, 7))
        seen = sync(registry, [found, answer("bb", on="homemade")], at(2), everything=True)
        assert [each.state for each in seen] == ["new", "refused", "missing"]
        assert beat(registry, seen, at(2)) == 1
        table = registry.heartbeats
        assert table is not None
        (device,) = table.stale(at(3))
        assert (device.device, device.last_seen) == (names.device(BOARD, "aa").value, at(2))
        assert (device.free_ram, device.inferences, device.errors) == (1234, 7, 5)
    # Who only reads sees them, and makes no table.
    with Registry.open(Location(folder=tmp_path / "registry"), writable=False) as registry:
        assert registry.heartbeats is not None and registry.heartbeats.count() == 1
    with Registry.create(Location(folder=tmp_path / "other")):
        pass
    with Registry.open(Location(folder=tmp_path / "other"), writable=False) as registry:
        assert registry.heartbeats is None


def test_what_a_device_runs_again_is_written_where_a_registry_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `tinyc flash --revert`."""
    monkeypatch.chdir(tmp_path)
    hello = answer(CHIP, UNKNOWN, SECOND).hello
    assert hello is not None
    said: list[str] = []
    record_found(hello, said.append)
    monkeypatch.delenv("TINYC_REGISTRY")
    record_found(hello, said.append)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "tinyc.toml").write_text('[registry]\nat = "here"\nsite = "hall 3"\n', encoding="utf-8")
    record_found(hello, said.append)
    assert said == []
    with Registry.open(Location(folder=tmp_path / "here"), writable=False) as found:
        page = device_page(found.store, names.device(BOARD, CHIP))
    assert (page.site, [row.version for row in page.deployments]) == ("hall 3", ["1.1.0"])
    (tmp_path / "tinyc.toml").write_text("[registry]\nat = 3\n", encoding="utf-8")
    record_found(hello, said.append)
    assert "not told" in said[0]


def test_ports_without_a_device_and_how_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY")
    assert tinyc("registry", "init").code == 0
    for wrong in ([], ["--all", "--port", "x"]):
        assert tinyc("registry", "sync", *wrong).code == 1
    said = tinyc("registry", "sync", "--port", "/dev/nowhere", "--json")
    assert said.code == 0, said.stderr
    assert said.json["devices"] == []
    (silent,) = said.json["silent"]
    assert silent["port"] == "/dev/nowhere" and silent["problem"]
