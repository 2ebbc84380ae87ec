"""Thing Descriptions into the registry: files, lists, and directories over HTTP."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode

from support.command_line import tinyc
from support.registry_sample import BOARD, DEVICE, SAMPLE, UNKNOWN, literals, quads_in, sample_store
from support.thing_directory import Answer, directory
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.formats import directory as reading
from tinyc.registry.formats.importing import Imported, import_all
from tinyc.registry.formats.reader import Reader
from tinyc.registry.formats.things import CONTEXT, descriptions, thing_description, thing_model
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import DCT, SCHEMA, TINYC

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def take(store: EmbeddedStore, *sources: object) -> Imported:
    return import_all(store, [str(each) for each in sources], now=NOW)


def file(tmp_path: Path, value: Any, name: str = "things.td.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def foreign(number: int, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT, {"ex": "https://example.org/"}],
        "id": f"urn:dev:ops:32473-Lamp-{number}",
        "title": f"Lamp {number}",
        "securityDefinitions": {"nosec_sc": {"scheme": "nosec"}},
        "security": "nosec_sc",
        **more,
    }


def test_our_own_descriptions_give_back_what_they_were_made_of(tmp_path: Path) -> None:
    reader = Reader(sample_store())
    every = [*descriptions(reader), thing_model(reader, names.board("nrf52840")), thing_model(reader, BOARD)]
    path = file(tmp_path, every)
    store = EmbeddedStore()
    done = take(store, path)
    assert (done.devices, done.boards) == (2, 2)
    for board in (BOARD, names.board("nrf52840")):
        for predicate in (
            SCHEMA.name,
            SCHEMA.description,
            TINYC.soc,
            TINYC.core,
            TINYC.clockHz,
            TINYC.feature,
            TINYC.flash,
            TINYC.ram,
        ):
            assert literals(store, board, predicate) == literals(reader.store, board, predicate)  # type: ignore[arg-type]
    for device in (DEVICE, UNKNOWN):
        for predicate in (TINYC.chip, TINYC.board, TINYC.site, TINYC.runsFirmware):
            assert literals(store, device, predicate) == literals(reader.store, device, predicate)  # type: ignore[arg-type]
    # The model's own triples were not in the descriptions: it is not made up.
    assert any("keyword_spotting 1.0.0 is not in the registry" in note for note in done.notes)
    assert literals(store, DEVICE, TINYC.runsModel) == []
    before = quads_in(store)
    take(store, path)
    assert quads_in(store) == before


def test_a_registry_that_knows_the_model_keeps_it(tmp_path: Path) -> None:
    store = sample_store()
    thing = thing_description(Reader(store), DEVICE)
    before = quads_in(store)
    assert take(store, file(tmp_path, thing)).notes == ()
    more = quads_in(store)
    assert more >= before and {quad.predicate for quad in more - before} <= {TINYC.firstSeen}
    # A description that tells of a later time is a deployment that was found.
    thing["modified"] = "2026-12-01T00:00:00Z"
    thing["properties"]["firmware"]["schema:value"] = "e" * 64
    take(store, file(tmp_path, thing))
    assert literals(store, DEVICE, TINYC.runsFirmware) == [names.firmware("e" * 64).value]


def test_foreign_things_are_devices_of_an_unknown_board(tmp_path: Path) -> None:
    store = EmbeddedStore()
    lamp = foreign(
        1,
        links=[
            {"rel": "type", "href": "https://example.org/models/Super-Lamp", "type": "application/tm+json"}
        ],
    )
    done = take(store, file(tmp_path, {"members": [lamp, foreign(2)]}, "list.jsonld"))
    assert done.devices == 2
    device = names.device("super_lamp", names.hashed("thing", "urn:dev:ops:32473-Lamp-1"))
    assert literals(store, device, SCHEMA.name) == ["Lamp 1"]
    assert literals(store, device, DCT.source) == ["urn:dev:ops:32473-Lamp-1"]
    assert literals(store, names.board("super_lamp"), TINYC.flash) == ["0"]
    assert any("has no sizes" in note for note in done.notes)
    # A later description of the board brings its sizes; one without does not take them away.
    model = {
        "@context": CONTEXT,
        "@type": "tm:ThingModel",
        "schema:name": "super_lamp",
        "tinyc:flash": 9,
        "tinyc:ram": 8,
    }
    take(store, file(tmp_path, model))
    take(store, file(tmp_path, lamp))
    assert literals(store, names.board("super_lamp"), TINYC.flash) == ["9"]


WRONG = {
    "no id": ({"id": None}, "no `id`"),
    "an id that is no IRI": ({"id": 'x"> <urn:y> "'}, "no IRI"),
    "an id of another kind": ({"id": 5}, "something else than a text"),
    "half a character": ({"title": "\ud800"}, "half a character"),
    "a long title": ({"title": "x" * 5000}, "something else than a text"),
    "our id and another chip": ({"id": DEVICE.value, "tinyc:chip": "ff"}, "not that of its board and chip"),
    "a size": ({"@type": "tm:ThingModel", "tinyc:flash": 1.5}, "whole number"),
    "a huge size": ({"@type": "tm:ThingModel", "tinyc:ram": 1 << 80}, "whole number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_descriptions_that_cannot_be_taken_over(tmp_path: Path, name: str) -> None:
    changes, words = WRONG[name]
    store = sample_store()
    before = quads_in(store)
    with pytest.raises(TinycError) as caught:
        take(store, file(tmp_path, [foreign(1), foreign(2, **changes)]))
    (problem,) = caught.value.problems
    assert words in problem.what and problem.where.endswith("item 2")
    assert quads_in(store) == before


def test_duplicate_ids(tmp_path: Path) -> None:
    with pytest.raises(TinycError) as caught:
        take(EmbeddedStore(), file(tmp_path, [foreign(1), foreign(2), foreign(1)]))
    (problem,) = caught.value.problems
    assert problem.where.endswith("item 3") and "item 1" in problem.what


@pytest.mark.parametrize(
    "title", ['" . } ; DROP ALL ; #', "<script>alert(1)</script>", "a\\", "line\nbreak \u2028"]
)
def test_titles_stay_texts(tmp_path: Path, title: str) -> None:
    store = sample_store()
    count = store.count()
    take(store, file(tmp_path, foreign(1, title=title)))
    device = names.device("thing", names.hashed("thing", "urn:dev:ops:32473-Lamp-1"))
    assert literals(store, device, SCHEMA.name) == [title]
    assert store.count() > count


def test_a_firmware_that_is_no_digest(tmp_path: Path) -> None:
    store = sample_store()
    thing = thing_description(Reader(store), DEVICE)
    thing["properties"]["firmware"]["schema:value"] = "c> <urn:x"
    with pytest.raises(TinycError, match="cannot be taken over"):
        take(store, file(tmp_path, thing))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
OURS = [f"tinyc:{name}" for name in ("board", "chip", "feature", "flash", "site")]
KEYS = [
    "id",
    "title",
    "titles",
    "@type",
    "links",
    "properties",
    "modified",
    "sosa:hosts",
    "schema:name",
    *OURS,
]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4), st.booleans(), st.data())
def test_any_json_is_taken_or_refused(changes: dict[str, Any], own: bool, data: st.DataObject) -> None:
    import tempfile

    thing = thing_description(Reader(sample_store()), DEVICE) if own else foreign(1)
    for key in ("board", "firmware"):
        value = data.draw(json_values)
        if own and data.draw(st.booleans()):
            thing = copy.deepcopy(thing)
            thing["properties"][key] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(json.dumps({**thing, **changes}), encoding="utf-8")
        store = sample_store()
        try:
            take(store, path)
        except TinycError:
            assert quads_in(store) == quads_in(sample_store())


# --- Over HTTP ------------------------------------------------------------------------------------


@pytest.mark.parametrize("collections", [False, True])
def test_a_directory_page_by_page(collections: bool) -> None:
    with directory([foreign(n) for n in range(8)], collections=collections) as server:
        store = EmbeddedStore()
        assert take(store, server.url).devices == 8
        assert server.asked == ["/things", "/things?offset=3", "/things?offset=6"]
        assert take(store, f"{server.url}/things").devices == 8
        rows = store.query(f"SELECT ?d {{ ?d a {TINYC.Device} }}").rows
        assert len(list(rows)) == 8


def test_an_empty_directory() -> None:
    with directory([]) as server:
        assert take(EmbeddedStore(), server.url).devices == 0


ANSWERS = {
    "an error": (Answer(503, {}), "503"),
    "a way elsewhere": (Answer(302, {"Location": "http://192.0.2.1/things"}), "302"),
    "no JSON": (Answer(200, {}, b"<html>"), "malformed"),
    "something else": (Answer(200, {}, b'[{"a": 1}]'), "no Thing Description"),
    "another server": (
        Answer(200, {"Link": '<http://192.0.2.1/things?x>; rel="next"'}, b"[]"),
        "goes on at another server",
    ),
    "another scheme": (Answer(200, {"Link": '<file:///etc/passwd>; rel="next"'}, b"[]"), "another server"),
    "itself": (Answer(200, {"Link": '</things>; rel="next"'}, b"[]"), "do not end"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_directories_that_answer_something_else(name: str) -> None:
    answer, words = ANSWERS[name]
    with directory([foreign(1)]) as server:
        server.answers["/things"] = answer
        store = EmbeddedStore()
        with pytest.raises(TinycError, match=words):
            take(store, server.url)
        assert store.count() == 0


def test_sizes_of_pages_and_listings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with directory([foreign(n) for n in range(8)], 2) as server:
        monkeypatch.setattr(reading, "MOST_BYTES", 1000)
        with pytest.raises(TinycError, match="lists more than"):
            take(EmbeddedStore(), server.url)
        monkeypatch.setattr(reading, "MOST_PAGE_BYTES", 100)
        with pytest.raises(TinycError, match="a page has more than"):
            take(EmbeddedStore(), server.url)
        monkeypatch.setattr(reading, "MOST_PAGE_BYTES", 1 << 20)
        monkeypatch.setattr(reading, "MOST_BYTES", 1 << 20)
        monkeypatch.setattr(reading, "MOST_PAGES", 2)
        with pytest.raises(TinycError, match="do not end"):
            take(EmbeddedStore(), server.url)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/things", "file:///etc/passwd", "http:///things", "http://127.0.0.1:9/"]
)
def test_addresses_that_lead_nowhere(url: str) -> None:
    with pytest.raises(TinycError):
        take(EmbeddedStore(), url)


def test_by_the_command(tmp_path: Path) -> None:
    at = ("--registry", tmp_path / "r")
    tinyc("registry", "init", tmp_path / "r")
    with directory([foreign(n) for n in range(4)]) as server:
        said = tinyc("registry", "import", server.url, "--json", *at)
        assert (said.code, said.json["devices"]) == (0, 4)
    tinyc("registry", "import", SAMPLE, "--replace", *at)
    listed = tinyc("registry", "export", "--format", "td", *at).json
    assert len(listed) == 6
    assert len(tinyc("registry", "export", "--format", "tm", *at).json) > 10
    assert (
        tinyc("registry", "export", "keyword_spotting", "--format", "mlbom", *at).json["specVersion"] == "1.6"
    )
    # A name without a version is the highest one.
    card = tinyc("registry", "export", "keyword_spotting", "--format", "model-card", *at).stdout
    assert "| version | 1.1.0 |" in card
    said = tinyc("registry", "export", "keyword_spotting", "--format", "td", *at)
    assert said.code == 1 and "made of a device" in said.stderr
    assert NamedNode(listed[0]["id"])
