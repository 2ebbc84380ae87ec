"""Thing Descriptions and Thing Models made from the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import Literal, Quad

from support.registry_sample import BOARD, DEVICE, MODEL, UNKNOWN, sample_store
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.formats.reader import Reader
from tinyc.registry.formats.things import CONTEXT, descriptions, thing_description, thing_model
from tinyc.registry.vocabulary import RDF, SCHEMA, TINYC

pytestmark = pytest.mark.unit


def schema(shared: Path, kind: str) -> Any:
    """W3C's schema. The one at hand is of the next draft, whose context has another name."""
    from jsonschema import Draft7Validator  # takes seconds, which every test worker would wait

    path = shared / "data" / "schemas" / f"{kind}-json-schema-validation.json"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    loaded = json.loads(path.read_text(encoding="utf-8"))
    loaded["definitions"]["thing-context-td-uri-temp"] = {"type": "string", "const": CONTEXT}
    return Draft7Validator(loaded)


def errors(validator: Any, value: Any) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(value)]


def test_every_device_is_valid_by_the_schema(shared: Path) -> None:
    validator = schema(shared, "td")
    found = list(descriptions(Reader(sample_store())))
    assert {thing["id"] for thing in found} == {DEVICE.value, UNKNOWN.value}
    for thing in found:
        assert errors(validator, thing) == []
        assert errors(validator, {**thing, "security": []})
        assert errors(validator, {**thing, "@context": "https://example.org/"})


def test_every_board_is_a_valid_thing_model(shared: Path) -> None:
    validator = schema(shared, "tm")
    reader = Reader(sample_store())
    for name in ("nrf52840", "microbit"):
        thing = thing_model(reader, names.board(name))
        assert errors(validator, thing) == []
        assert errors(validator, {**thing, "@type": "Thing"})


def test_what_a_device_says() -> None:
    thing = thing_description(Reader(sample_store()), DEVICE)
    assert thing["id"] == DEVICE.value
    assert thing["version"] == {"instance": "1.0.0", "model": thing["version"]["model"]}
    assert {"rel": "type", "href": names.board("nrf52840").value, "type": "application/tm+json"} in thing[
        "links"
    ]
    told = thing["properties"]
    assert told["firmware"]["schema:value"] == "c" * 64
    assert (told["model"]["schema:value"], told["model"]["schema:name"]) == ("a" * 64, "keyword_spotting")
    assert told["drift"]["schema:value"] == "Stable"
    assert told["learnedUpdates"]["schema:value"] == 40
    form = told["freeRam"]["forms"][0]
    assert form["href"] == "smp+serial:nrf52840/1122334455667788?group=64&command=0"
    assert (form["subprotocol"], form["schema:propertyID"]) == ("smp", "ram")
    invoke = thing["actions"]["invoke"]
    assert (invoke["input"]["minItems"], invoke["output"]["maxItems"]) == (490, 11)


def test_a_device_with_unknown_firmware() -> None:
    thing = thing_description(Reader(sample_store()), UNKNOWN)
    assert thing["version"]["instance"] == "0.0.0"
    assert thing["properties"]["firmware"]["schema:value"] == "d" * 64
    assert "schema:value" not in thing["properties"]["model"]
    assert thing["tinyc:missingSince"] == "2026-10-05T00:00:00Z"


def test_a_board_has_its_sizes_and_sensors_and_no_forms() -> None:
    thing = thing_model(Reader(sample_store()), BOARD)
    assert (thing["tinyc:flash"], thing["tinyc:ram"], thing["tinyc:clockHz"]) == (524288, 131072, 64000000)
    assert [each["@type"].rpartition("/")[2] for each in thing["sosa:hosts"]] == [
        "Accelerometer",
        "Microphone",
    ]
    assert "forms" not in json.dumps(thing)


def test_the_triples_of_a_description_are_those_of_the_registry() -> None:
    """The prefixed terms mean in JSON-LD what the registry has, read by another program."""
    import rdflib

    store = sample_store()
    thing = thing_description(Reader(store), DEVICE)
    own = {"@context": [thing["@context"][1], {"id": "@id"}], "id": thing["id"]}
    own |= {key: value for key, value in thing.items() if key.startswith("tinyc:")}
    graph = rdflib.Graph().parse(data=json.dumps(own), format="json-ld")
    assert len(graph) == 6
    for subject, predicate, value in graph:
        text = f"ASK {{ {subject.n3()} {predicate.n3()} {value.n3()} }}"
        assert store.query(text).value, text  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ['x"> . <urn:evil> a <urn:x', "a b\n#", "ä/../?#", "%00\\"])
def test_names_that_mean_to_break_out(name: str) -> None:
    board, device = names.board(name), names.device(name, name)
    store = sample_store(
        Quad(board, RDF.type, TINYC.Board),
        Quad(board, SCHEMA.name, Literal(name)),
        Quad(board, SCHEMA.description, Literal(name)),
        Quad(device, RDF.type, TINYC.Device),
        Quad(device, TINYC.board, board),
        Quad(device, TINYC.chip, Literal(name)),
    )
    thing = json.loads(json.dumps(thing_description(Reader(store), device)))
    assert (thing["id"], thing["tinyc:chip"]) == (device.value, name)
    for form in thing["properties"]["firmware"]["forms"]:
        assert not set(form["href"]) & set('"<> \n\\')
        assert form["href"].count("?") == 1


def test_other_things_have_no_description() -> None:
    reader = Reader(sample_store())
    with pytest.raises(TinycError, match="made of a device"):
        thing_description(reader, MODEL)
    with pytest.raises(TinycError, match="made of a board"):
        thing_model(reader, DEVICE)
