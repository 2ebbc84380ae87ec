"""Models matched with boards, and things of the registry compared, on facts as builds write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import NamedNode, RdfFormat

from support import sparql_servers
from support.command_line import Said, tinyc
from support.manifests import BASE, CHANGES, TARGET
from support.paths import ROOT
from tinyc.errors import TinycError
from tinyc.registry.differences import difference
from tinyc.registry.fact import ModelRef
from tinyc.registry.facts import BoardFact, DeploymentFact, FirmwareFact, ModelFact
from tinyc.registry.location import Location
from tinyc.registry.matching import (
    Build,
    RegisteredBoard,
    Wanted,
    boards,
    match,
    models_for,
    ordered,
    wanted_of,
)
from tinyc.registry.models import find, manifest_of, manifests, models, one_manifest
from tinyc.registry.registry import Registry
from tinyc.registry.store.base import Store
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.versioning import Level, Manifest

pytestmark = pytest.mark.unit

START = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
BOARDS = (
    BoardFact("nrf52840", "DK", "nrf52840", "cortex-m4", 64_000_000, 499_712, 262_080, (), ("dsp", "fpu")),
    BoardFact(
        "nano", "Nano", "nrf52840", "cortex-m4", 64_000_000, 60_000, 262_080, ("microphone",), ("dsp",)
    ),
    BoardFact(
        "small", "Small", "nrf51822", "cortex-m0", 16_000_000, 262_144, 8_192, ("magnetometer",), ("scalar",)
    ),
    BoardFact("tiny", "Tiny", "x", "cortex-m0", 16_000_000, 16_384, 4_096, ("accelerometer",), ("scalar",)),
)


def reference(manifest: Manifest) -> ModelRef:
    return ModelRef(manifest.name, manifest.version, manifest.digest)


def model(manifest: Manifest, told: str | None = None) -> ModelFact:
    return ModelFact(
        reference(manifest),
        START,
        manifest.tinyc,
        weight_bytes=29_000,
        input_type=manifest.input.type,
        labels=manifest.output.labels,
        manifest=json.dumps(manifest.to_json()) if told is None else told,
    )


def firmware(
    manifest: Manifest, board: str, identity: str, flash: int, ram: int, hours: int = 0
) -> FirmwareFact:
    return FirmwareFact(
        identity=identity.ljust(64, identity[-1]),
        model=reference(manifest),
        board=board,
        at=START + timedelta(hours=hours),
        toolchain="zig",
        compiler="0.1.0",
        optimize="balanced",
        signed=False,
        security_counter=0,
        flash=flash,
        ram=ram,
        arena=10_000,
        weight_bytes=29_000,
        stack=2_048,
        free_flash=0,
        free_ram=0,
    )


def version(number: str, *chosen: str, digest: str = "0") -> Manifest:
    found = replace(BASE, version=number)
    for name in chosen:
        found = CHANGES[name][0](found)
    return replace(found, digest=digest * 64)


OLD, NEW = version("1.0.0", digest="a"), version("1.1.0", "body", digest="b")


def filled(registry: Registry) -> Registry:
    registry.apply_all(BOARDS)
    registry.apply_all((model(OLD), firmware(OLD, "nrf52840", "1", 50_000, 16_000)))
    registry.apply_all((model(NEW), firmware(NEW, "nrf52840", "2", 52_000, 16_000, hours=5)))
    return registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    with filled(Registry(EmbeddedStore())) as found:
        yield found


def on(store: Store, name: str, reference: str) -> tuple[str, ...]:
    known = boards(store)
    (wanted,) = wanted_of(store, [find(store, reference)], known)
    (board,) = [board for board in known if board.name == name]
    return match(board, wanted).lacks


def test_near_misses_say_what_is_lacking(registry: Registry) -> None:
    store = registry.store
    assert on(store, "nrf52840", "words@1.0.0") == ()
    assert on(store, "nano", "words@1.0.0") == ()
    assert on(store, "small", "words@1.0.0") == ("9,856 B RAM short", "no microphone")
    assert on(store, "tiny", "words@1.0.0") == (
        "33,616 B flash short",
        "13,952 B RAM short",
        "no microphone",
    )


def test_what_a_model_needs_of_the_core(registry: Registry) -> None:
    registry.store.update(f'INSERT DATA {{ {reference(OLD).iri} <urn:tinyc:ns#needsFeature> "dsp" }}')
    assert on(registry.store, "small", "words@1.0.0")[-1] == "kernel set needs dsp"
    assert on(registry.store, "nano", "words@1.0.0") == ()


def test_sizes_come_from_the_best_that_is_known(registry: Registry) -> None:
    store = registry.store
    found = {each.board: each for each in matches(store, "words@1.0.0")}
    assert (found["nrf52840"].basis, found["nrf52840"].certain) == ("measured", True)
    assert (found["nano"].basis, found["nano"].certain) == ("measured on nrf52840", False)
    assert found["small"].basis == "measured on nrf52840, another core"
    # A build for the very board replaces what was measured elsewhere, and a newer one an older one.
    registry.apply(firmware(OLD, "small", "3", 40_000, 7_000, hours=1))
    registry.apply(firmware(OLD, "small", "4", 40_000, 5_000, hours=2))
    small = {each.board: each for each in matches(store, "words@1.0.0")}["small"]
    assert (small.basis, small.ram, small.free_ram) == ("measured", 7_048, 1_144)
    assert small.lacks == ("no microphone",)
    # The same core without that build: the newer of two.
    tiny = {each.board: each for each in matches(store, "words@1.0.0")}["tiny"]
    assert tiny.basis == "measured on small"


def matches(store: Store, reference: str) -> list[object]:
    from tinyc.registry.matching import boards_for

    (wanted,) = wanted_of(store, [find(store, reference)], boards(store))
    return list(boards_for(store, wanted))


def test_a_model_without_builds_is_known_by_its_weights(registry: Registry) -> None:
    bare = replace(OLD, name="bare", digest="d" * 64, targets={})
    registry.apply(model(bare))
    found = {each.board: each for each in matches(registry.store, "bare")}
    assert found["tiny"].lacks == ("12,616 B flash short", "no microphone")
    assert found["nrf52840"].basis == "weights alone, no build is known"
    assert found["nrf52840"].ram is None


def test_a_manifest_tells_of_a_split_build_as_a_whole(registry: Registry) -> None:
    split = replace(OLD, name="split", digest="e" * 64, targets={"nrf52840": replace(TARGET, flash=90_000)})
    registry.apply_all((model(split), firmware(split, "nrf52840", "5", 30_000, 16_000)))
    found = {each.board: each for each in matches(registry.store, "split")}
    assert found["nrf52840"].flash == 90_000


def test_models_for_a_board_are_the_newest_unless_all_are_asked_for(registry: Registry) -> None:
    store = registry.store
    assert [each.model for each in models_for(store, "nano")] == ["words@1.1.0"]
    every = models_for(store, "nano", newest=False)
    assert [each.model for each in every] == ["words@1.0.0", "words@1.1.0"]
    margins = [each.margin for each in every]
    assert margins == sorted(margins, reverse=True)
    with pytest.raises(TinycError, match="knows no board 'nanu'") as caught:
        models_for(store, "nanu")
    assert caught.value.allowed == "did you mean `nano`?"
    with pytest.raises(TinycError, match="knows no board") as caught:
        models_for(EmbeddedStore(), "nano")
    assert "registry add boards" in caught.value.hint


sizes, capacities = st.integers(0, 1 << 20), st.integers(1, 1 << 20)


@given(sizes, sizes, capacities, capacities)
def test_what_fits_leaves_room_and_what_does_not_says_how_much(
    flash: int, ram: int, has: int, holds: int
) -> None:
    board = RegisteredBoard("board", "core", has, holds)
    found = match(board, Wanted("model", (Build("board", "core", flash, ram),)))
    assert found.fits is (flash <= has and ram <= holds)
    short = [int(text.split(" B ")[0].replace(",", "")) for text in found.lacks]
    assert short == [size for size in (flash - has, ram - holds) if size > 0]
    assert found.fits is (found.margin is None or found.margin >= 0)


def test_the_order_is_by_what_is_lacking_then_by_room() -> None:
    board = RegisteredBoard("b", "c", 100, 100, frozenset({"camera"}))
    wants = [
        Wanted("two", (Build("b", "c", 150, 10),), sensor="microphone"),
        Wanted("far", (Build("b", "c", 190, 10),)),
        Wanted("near", (Build("b", "c", 101, 10),)),
        Wanted("full", (Build("b", "c", 90, 10),)),
        Wanted("roomy", (Build("b", "c", 10, 10),)),
        Wanted("unknown"),
    ]
    order = [each.model for each in ordered(match(board, wanted) for wanted in wants)]
    assert order == ["roomy", "full", "unknown", "near", "far", "two"]


def test_models_are_found_by_name_version_and_iri(registry: Registry) -> None:
    store = registry.store
    assert [known.label for known in models(store)] == ["words@1.1.0", "words@1.0.0"]
    assert find(store, "words").version == "1.1.0"
    assert find(store, reference(OLD).iri.value).version == "1.0.0"
    with pytest.raises(TinycError, match="knows no model 'word'") as caught:
        find(store, "word@1.0.0")
    assert caught.value.allowed == "did you mean `words`?"
    with pytest.raises(TinycError, match=r"does not know 'words@3\.0\.0'") as caught:
        find(store, "words@3.0.0")
    assert caught.value.allowed == "words@1.1.0, words@1.0.0"
    with pytest.raises(TinycError, match="does not know"):
        find(store, "urn:tinyc:model:none")
    registry.apply(model(version("1.0.0", "head", digest="9")))
    with pytest.raises(TinycError, match=r"2 models are words@1\.0\.0"):
        find(store, "words@1.0.0")


@pytest.mark.parametrize("name", ['a"b', "a\\b", "x\n} DELETE", "$name ?x", "{}", "ünï<>code"])
def test_a_name_is_data(registry: Registry, name: str) -> None:
    odd = replace(OLD, name=name, digest="f" * 64)
    registry.apply(model(odd))
    before = registry.store.count()
    assert find(registry.store, f"{name}@1.0.0").name == name
    assert [found.name for found in manifests(registry.store, name)] == [name]
    with pytest.raises(TinycError):
        find(registry.store, f"{name}'@1.0.0")
    assert registry.store.count() == before


def test_manifests_know_the_builds_for_all_boards(registry: Registry) -> None:
    registry.apply(firmware(OLD, "small", "6", 40_000, 7_000))
    found = one_manifest(registry.store, "words@1.0.0")
    assert set(found.targets) == {"nrf52840", "small"}
    assert found.targets["nrf52840"] == OLD.targets["nrf52840"]
    small = found.targets["small"]
    assert (small.flash, small.ram, small.stack, small.code) == (40_000, 7_000, 2_048, None)


@pytest.mark.parametrize("told", ["", "{}", "[", '{"format": 1}', '{"format": 99}'])
def test_models_without_a_readable_manifest_are_no_predecessors(registry: Registry, told: str) -> None:
    registry.apply(model(replace(OLD, version="1.0.5", digest="7" * 64), told))
    assert [found.version for found in manifests(registry.store, "words")] == ["1.1.0", "1.0.0"]
    with pytest.raises(TinycError):
        one_manifest(registry.store, "words@1.0.5")


def test_models_differ_field_by_field_with_a_verdict(registry: Registry) -> None:
    found = difference(registry.store, "words@1.0.0", "words@1.1.0")
    assert {"digest", "schema:version"} == {field.name for field in found.changed}
    assert {field.name for field in found.fields} >= {"weightBytes", "label", "type", "inputType"}
    assert found.verdict is not None
    assert found.verdict.level is Level.MAJOR
    assert difference(registry.store, "words@1.0.0", "words@1.0.0").changed == ()


def test_firmware_differs_by_its_budget_too(registry: Registry) -> None:
    found = difference(registry.store, "111111", "2" * 64)
    changed = {field.name: (field.first, field.second) for field in found.changed}
    assert changed["budget.flash"] == ("50000", "52000")
    assert {"identity", "model", "prov:generatedAtTime"} <= set(changed)
    assert "budget.arena" not in changed
    assert found.verdict is None


def test_deployments_are_named_by_the_chip(registry: Registry) -> None:
    for chip, identity, manifest in (("aabbcc01", "1", OLD), ("aabbcc02", "2", NEW)):
        fact = DeploymentFact("nrf52840", chip, identity * 64, reference(manifest), START, "smp", True)
        registry.apply(fact)
    found = difference(registry.store, "aabbcc01", "aabbcc02")
    assert {field.name for field in found.changed} == {"device", "firmware", "model"}
    with pytest.raises(TinycError, match="a deployment and a model are not compared"):
        difference(registry.store, "aabbcc01", "words@1.0.0")
    with pytest.raises(TinycError, match="is no model, firmware or deployment"):
        difference(registry.store, "urn:tinyc:board:nano", "words")
    with pytest.raises(TinycError, match="is no IRI"):
        difference(registry.store, "urn:tinyc:x> } #", "words")


def test_digits_that_mean_several_firmwares_are_refused(registry: Registry) -> None:
    registry.apply(firmware(OLD, "nano", "1111112", 40_000, 7_000))
    with pytest.raises(TinycError, match="'111111' means 2 things") as caught:
        difference(registry.store, "111111", "222222")
    assert "urn:tinyc:firmware:1111112" in caught.value.allowed
    with pytest.raises(TinycError, match="knows no model 'abcdef'"):
        difference(registry.store, "222222", "abcdef")


def test_the_sample_fleet_is_matched() -> None:
    store = EmbeddedStore()
    store.load(ROOT / "tests/data/registry_sample.ttl", RdfFormat.TURTLE)
    known = find(store, "keyword_spotting@1.0.0")
    found = {each.board: each for each in matches(store, known.iri.value)}
    assert found["nrf52840"].fits
    assert found["nrf52840"].free_flash == 444_084
    assert found["microbit"].fits
    with pytest.raises(TinycError, match="not the manifest"):
        manifest_of(store, known)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("fleet") / "registry"
    filled(Registry.create(Location(folder=folder))).close()
    return str(folder)


def ok(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def test_match_on_the_command_line(at: str) -> None:
    told = ok("registry", "match", "--model", "words@1.0.0", "--registry", at, "--json").json
    # A new registry knows tinyc's own boards besides.
    fits = {each["board"]: each["fits"] for each in told}
    assert fits["nrf52840"] and fits["nano"]
    assert not {"small", "tiny"} & set(fits)
    assert all(each["fits"] is not bool(each["lacks"]) for each in told)
    every = ok("registry", "match", "--model", "words", "--registry", at, "--all").stdout
    assert "no microphone" in every
    assert "B RAM short" in every
    some = ok("registry", "match", "--board", "small", "--registry", at)
    assert "1 more lack several things: --all" in some.stdout
    for wrong in ((), ("--model", "words", "--board", "nano")):
        said = tinyc("registry", "match", *wrong, "--registry", at)
        assert said.code == 1
        assert "name either a model or a board" in said.stderr


def test_diff_on_the_command_line(at: str) -> None:
    told = ok("registry", "diff", "words@1.0.0", "words@1.1.0", "--registry", at, "--json").json
    assert told["level"] == "major"
    assert {"field": "schema:version", "first": "1.0.0", "second": "1.1.0"} in told["fields"]
    shown = ok("registry", "diff", "words@1.0.0", "words@1.1.0", "--registry", at).stdout
    assert "the change is MAJOR" in shown
    same = ok("registry", "diff", "111111", "1" * 64, "--registry", at).stdout
    assert same == "nothing differs between 1111111111111111 and 1111111111111111\n"
    assert "toolchain" in ok("registry", "diff", "111111", "222222", "--registry", at, "--all").stdout


def test_versions_of_the_registry_on_the_command_line(at: str) -> None:
    told = ok("version", "words@1.0.0", "words@1.1.0", "--registry", at, "--json").json
    assert (told["level"], told["next"]) == ("major", "2.0.0")
    said = tinyc("version", "words@1.0.0", "words@1.1.0", "--registry", at, "--check", "1.1.0")
    assert said.code == 1
    assert "needs 2.0.0" in said.stderr
    assert ok("version", "words@1.0.0", "words", "--registry", at, "--check", "2.0.0-rc.1").code == 0


def everything(store: Store) -> list[object]:
    """What matching, versions and comparison say of the fleet."""
    known = models(store)
    return [
        known,
        manifests(store, "words"),
        [matches(store, model.iri.value) for model in known],
        models_for(store, "nano", newest=False),
        difference(store, "words@1.0.0", "words@1.1.0"),
        difference(store, "111111", "222222"),
    ]


@pytest.mark.parametrize("server", ["oxigraph", "virtuoso"])
def test_servers_say_the_same(server: str, tmp_path: Path, registry: Registry) -> None:
    if server == "oxigraph" and sparql_servers.oxigraph_program() is None:
        pytest.skip("no oxigraph server")
    if server == "virtuoso" and sparql_servers.virtuoso_programs() is None:
        pytest.skip("no virtuoso-t and isql-vt")
    graph = NamedNode("urn:tinyc:graph:facts")
    with (
        getattr(sparql_servers, server)(tmp_path) as addresses,
        EndpointStore(addresses, graph=graph) as store,
    ):
        filled(Registry(store, graph))
        assert everything(store) == everything(registry.store)
