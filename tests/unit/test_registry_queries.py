"""The library of named queries: what each answers, and that no value becomes syntax."""

from __future__ import annotations

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse

from support.paths import ROOT
from support.registry_mutations import SAMPLE, sample
from support.registry_parameters import NEEDED, needed
from tinyc.registry import names, values
from tinyc.registry.lookup import resolve
from tinyc.registry.queries import NamedQuery, find, named_queries, tokens_of
from tinyc.registry.store.base import Rows
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import PREFIXES, RDF, TINYC

pytestmark = pytest.mark.unit

SELOC = ROOT.parent / "shared" / "data" / "seloc-ml"
DEVICE = "nrf52840:1122334455667788"
LOST = "microbit:99aa"
MODEL = "a" * 64


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    store = EmbeddedStore()
    store.load(SAMPLE, RdfFormat.TURTLE)
    return store


def rows(store: EmbeddedStore, name: str, **texts: str) -> list[dict[str, str]]:
    """Each row's bound cells, IRIs without `urn:tinyc:`."""
    query = find(name)
    answer = store.query(query.bind(**resolve(query, texts, store)))
    assert isinstance(answer, Rows)
    return [
        {
            name: str(getattr(cell, "value", cell)).removeprefix("urn:tinyc:")
            for name, cell in zip(answer.variables, row, strict=True)
            if cell is not None
        }
        for row in answer.rows
    ]


def test_there_are_many() -> None:
    assert len(named_queries()) >= 30
    assert all(
        each.description.endswith(".") and len(each.description) < 120 for each in named_queries().values()
    )
    assert {each.type for query in named_queries().values() for each in query.parameters} <= set(values.TYPES)


@pytest.mark.parametrize("query", named_queries().values(), ids=named_queries())
def test_a_file_is_sparql_as_it_stands_and_with_values(query: NamedQuery, store: EmbeddedStore) -> None:
    store.query(query.text)
    text = query.bind(**needed(query))
    assert "$" not in "".join(token for kind, token in tokens_of(text) if kind != "text")
    answer = store.query(text)
    assert isinstance(answer, Rows)
    list(answer.rows)
    for variable in filter(None, (query.heartbeat, query.stale[0] if query.stale else "")):
        assert variable in answer.variables
    # Another number of rows at most, wherever the query says so.
    if any(each.name == "limit" for each in query.parameters):
        assert "1000 " not in query.bind(**needed(query), limit="7")
        none = store.query(query.bind(**needed(query), limit="0"))
        assert isinstance(none, Rows)
        assert list(none.rows) == []


def test_where_a_model_runs(store: EmbeddedStore) -> None:
    device = {
        "device": f"device:{DEVICE}",
        "chip": "1122334455667788",
        "boardName": "nrf52840",
        "siteName": "hall 3",
        "name": "keyword_spotting",
        "release": "1.0.0",
    }
    for model in (
        "keyword_spotting",
        MODEL,
        MODEL[:8],
        names.model("keyword_spotting", "1.0.0", MODEL).value,
    ):
        assert rows(store, "devices-running", model=model) == [device]
    assert rows(store, "devices-running", model="keyword_spotting", version="1.0.0") == [device]
    assert rows(store, "devices-running", model="keyword_spotting", version="1.1.0") == []
    assert rows(store, "devices-of-version", version="1.0.0") == [device]
    assert [row["device"] for row in rows(store, "devices-on-board", board="microbit")] == [f"device:{LOST}"]
    assert [row["device"] for row in rows(store, "devices-at-site", site="hall 3")] == [f"device:{DEVICE}"]
    (row,) = rows(store, "devices-with-firmware", firmware="cccccccc")
    assert (row["device"], row["verified"]) == (f"device:{DEVICE}", "true")


def test_counts(store: EmbeddedStore) -> None:
    assert rows(store, "count-by-version") == [
        {"name": "keyword_spotting", "release": "1.0.0", "devices": "1"}
    ]
    assert rows(store, "count-by-board") == [
        {"boardName": "microbit", "devices": "1"},
        {"boardName": "nrf52840", "devices": "1"},
    ]
    assert rows(store, "count-by-site") == [{"siteName": "hall 3", "devices": "1"}]
    found = rows(store, "models")
    assert [(row["release"], row["devices"], row.get("accuracy")) for row in found] == [
        ("1.0.0", "1", "0.912"),
        ("1.1.0", "0", None),
    ]


def test_what_fits(store: EmbeddedStore) -> None:
    (row,) = rows(store, "models-that-fit", board="microbit")
    # The sample's firmware takes 55,628 bytes of flash, 16,008 of RAM and 2,048 of stack.
    assert (row["spareFlash"], row["spareRam"]) == (str(524288 - 55628), str(131072 - 16008 - 2048))
    found = rows(store, "boards-that-fit", model="keyword_spotting")
    assert [row["boardName"] for row in found] == ["microbit", "nrf52840"]
    small = [
        Quad(each.subject, each.predicate, Literal(18055) if each.predicate == TINYC.ram else each.object)
        if each.subject == names.board("microbit")
        else Quad(each.subject, each.predicate, each.object)
        for each in sample()
    ]
    tight = EmbeddedStore()
    tight.insert(small)
    assert rows(tight, "models-that-fit", board="microbit") == []
    assert [row["boardName"] for row in rows(tight, "boards-that-fit", model=MODEL)] == ["nrf52840"]


def test_room_for_more() -> None:
    triples = [Quad(each.subject, each.predicate, each.object) for each in sample()]
    board, part = names.board("nrf52840"), names.sensor("nrf52840", "accelerometer")
    kind = NamedNode(PREFIXES["sosa-extend"] + "Accelerometer")
    triples += [Quad(board, NamedNode(PREFIXES["sosa"] + "hosts"), part), Quad(part, RDF.type, kind)]
    store = EmbeddedStore()
    store.insert(triples)
    for sensor in ("accelerometer", "Accelerometer"):
        (row,) = rows(store, "board-flash-sensor", sensor=sensor, flash="444084", ram="244024")
        assert (row["boardName"], row["devices"], row["identity"]) == ("nrf52840", "1", "c" * 64)
    assert rows(store, "board-flash-sensor", sensor="accelerometer", flash="444085") == []
    assert rows(store, "board-flash-sensor", sensor="accelerometer", ram="244025") == []
    assert rows(store, "board-flash-sensor", sensor="accelerometer", board="microbit") == []
    assert rows(store, "board-flash-sensor", sensor="microphone") == []
    (row,) = rows(store, "devices-with-room", sensor="accelerometer", flash="1")
    assert row["device"] == f"device:{DEVICE}"


def recalled(release: str, digest: str) -> EmbeddedStore:
    store = EmbeddedStore()
    store.load(SAMPLE, RdfFormat.TURTLE)
    model = names.model("keyword_spotting", release, digest)
    store.update(f"DELETE WHERE {{ {model} {TINYC.recalled} ?x }}")
    store.update(f"INSERT DATA {{ {model} {TINYC.recalled} true }}")
    return store


def test_recalls_reach_what_was_made_from_it() -> None:
    old = recalled("1.0.0", MODEL)
    (row,) = rows(old, "running-descendants-of", model=MODEL)
    assert (row["device"], row["descendantRelease"]) == (f"device:{DEVICE}", "1.0.0")
    (row,) = rows(old, "recalled-and-running")
    assert (row["device"], row["recalledRelease"]) == (f"device:{DEVICE}", "1.0.0")
    device, new = (
        names.device("nrf52840", "1122334455667788"),
        names.model("keyword_spotting", "1.1.0", "b" * 64),
    )
    old.update(f"DELETE WHERE {{ {device} {TINYC.runsModel} ?x }}")
    old.update(f"INSERT DATA {{ {device} {TINYC.runsModel} {new} }}")
    # It runs the version that was fine-tuned from the recalled one.
    (row,) = rows(old, "recalled-and-running")
    assert (row["descendantRelease"], row["recalledRelease"]) == ("1.1.0", "1.0.0")
    assert rows(old, "count-running-descendants-of", model="keyword_spotting", version="1.0.0") == [
        {"descendant": "keyword_spotting", "descendantRelease": "1.1.0", "devices": "1"}
    ]
    # What a model was made from is not reached by its recall.
    young = recalled("1.1.0", "b" * 64)
    assert rows(young, "recalled-and-running") == []
    assert rows(young, "running-descendants-of", model="keyword_spotting", version="1.1.0") == []


def test_lineage_of_a_deployment(store: EmbeddedStore) -> None:
    found = {row["part"]: row["kind"] for row in rows(store, "lineage", thing=NEEDED["thing"])}
    assert found == {
        "deployment:d0000000000000000000000000000001": "ns#Deployment",
        f"firmware:{'c' * 64}": "ns#Firmware",
        f"activity:compile:{'c' * 64}": "ns#Compilation",
        f"model:keyword_spotting:1.0.0:{'a' * 16}": "ns#Model",
        f"activity:quantize:{'a' * 64}": "ns#Quantization",
        f"artifact:{'1' * 64}": "ns#SourceModel",
        "compiler:0.1.0": "ns#Compiler",
    }
    of_device = {row["part"] for row in rows(store, "lineage", thing=names.device(*DEVICE.split(":")).value)}
    assert of_device - set(found) == {f"device:{DEVICE}", f"state:{DEVICE}:1", f"activity:learn:{'f' * 64}"}


def test_a_device_through_time(store: EmbeddedStore) -> None:
    for device in (DEVICE, "1122334455667788", names.device(*DEVICE.split(":")).value):
        (row,) = rows(store, "device-history", device=device)
        assert (row["method"], row["verified"], row["release"]) == ("smp", "true", "1.0.0")
        (row,) = rows(store, "learned-states", device=device)
        assert (row["sequence"], row["before"], row["after"], row["samples"]) == ("1", "0.91", "0.93", "44")


def test_what_needs_a_look(store: EmbeddedStore) -> None:
    (row,) = rows(store, "never-verified")
    assert (row["device"], row["method"]) == (f"device:{LOST}", "found")
    assert rows(store, "never-verified", board="nrf52840") == []
    assert len(rows(store, "never-verified", board="microbit")) == 1
    (row,) = rows(store, "missing")
    assert (row["device"], row["since"]) == (f"device:{LOST}", "2026-10-05T00:00:00Z")
    assert rows(store, "missing", before="2026-10-05") == []
    (row,) = rows(store, "unknown-firmware")
    assert (row["device"], row["identity"]) == (f"device:{LOST}", "d" * 64)
    assert rows(store, "drifted") == []
    moved = EmbeddedStore()
    moved.load(SAMPLE, RdfFormat.TURTLE)
    moved.update(f"INSERT DATA {{ {names.device('microbit', '99aa')} {TINYC.drift} {TINYC.Drifted} }}")
    (row,) = rows(moved, "drifted")
    assert (row["device"], row["state"]) == (f"device:{LOST}", "ns#Drifted")


def test_accuracy(store: EmbeddedStore) -> None:
    (row,) = rows(store, "accuracy-lost")
    assert (row["floatAccuracy"], row["accuracy"], row["lost"]) == ("0.915", "0.912", "0.003")
    assert rows(store, "accuracy-lost", over="0.003") == []
    (row,) = rows(store, "accuracy-below", accuracy="0.92", compiler="0.1.0")
    assert (row["device"], row["measured"], row["builtBy"]) == (f"device:{DEVICE}", "0.912", "0.1.0")
    assert row["derivedFrom"] == f"artifact:{'1' * 64}"
    assert rows(store, "accuracy-below", accuracy="0.912") == []
    assert rows(store, "accuracy-below", accuracy="0.92", compiler="0.2.0") == []


@pytest.mark.parametrize(
    ("built", "asked", "older"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.1", True),
        ("0.9.0", "0.10.0", True),
        ("0.10.0", "0.9.9", False),
        ("1.0.0", "0.99.99", False),
        ("0.99.99", "1.0.0", True),
        ("0.1.0", "0.2", True),
        ("0.2.1", "0.2", False),
        ("0.9.0", "1", True),
        ("0.2.0", "0.2.1-rc.1", True),
        ("0.1.0", "*", True),
    ],
)
def test_older_firmware(built: str, asked: str, older: bool) -> None:
    store = EmbeddedStore()
    store.insert(
        Quad(
            each.subject,
            each.predicate,
            Literal(built) if each.predicate == TINYC.compilerVersion else each.object,
        )
        for each in sample()
    )
    assert len(rows(store, "firmware-older-than", compiler=asked)) == older
    assert rows(store, "firmware-older-than", compiler=asked, before="2026-10-01T09:01:00+00:00") == []


MENDED = {
    "http://tinyml-schema.org/networkschema#": PREFIXES["nnet"],
    "http://tinyml-schema.org/s3n_extend/": PREFIXES["s3n-extend"],
    "http://tinyml-schema.org/sosa_extend/": PREFIXES["sosa-extend"],
    "http://tinyml-schema.org/ssn_extend/": PREFIXES["ssn-extend"],
}


def published(store: EmbeddedStore, number: int) -> list[tuple[object, ...]]:
    """The rows of a published query, once its namespaces are those of the data."""
    text = (SELOC / "sparql_query" / f"query_{number}.txt").read_text(encoding="utf-8")
    for wrong, right in MENDED.items():
        text = text.replace(wrong, right)
    answer = store.query(text)
    assert isinstance(answer, Rows)
    return list(answer.rows)


def ours(store: EmbeddedStore, name: str, *columns: str) -> set[tuple[object, ...]]:
    answer = store.query(find(name).bind())
    assert isinstance(answer, Rows)
    places = [answer.variables.index(column) for column in columns]
    return {tuple(row[place] for place in places) for row in answer.rows}


def test_published_descriptions_answer_their_questions() -> None:
    """The same rows as the published queries give once their namespaces are mended."""
    if not SELOC.is_dir():
        pytest.skip("the published descriptions are not here")
    store = EmbeddedStore()
    for path in sorted((SELOC / "semantic_description").glob("*.ttl")):
        with path.open("rb") as file:
            quads = parse(file, format=RdfFormat.TURTLE, base_iri="file:///seloc/", rename_blank_nodes=True)
            store.insert(quads)
    first = published(store, 1)
    assert len(first) == 2
    assert ours(store, "seloc-devices-with-room", "described", "ramKb", "flashKb") == set(first)
    second = published(store, 2)
    assert len(second) == 2
    columns = ("uuid", "macs", "ramKb", "flashKb", "description")
    assert ours(store, "seloc-models-for-sensor", *columns) == set(second)
    third = published(store, 3)
    assert len(third) == 4
    columns = ("uuid", "category", "accuracy", "macs", "ramKb", "flashKb")
    assert ours(store, "seloc-models-by-accuracy", *columns) == set(third)
    # The others need prefixes, a schema or a vendor's index that are not there.
    boards = rows(store, "seloc-boards")
    assert len(boards) == 9
    nano = next(row for row in boards if row["described"].endswith("arduino_nano_ble_33-322-000-000-002"))
    assert {"Accelerometer", "Gyroscope", "Microphone"} <= set(nano["sensors"].split())
    assert {row["name"] for row in rows(store, "seloc-find-models", word="visual")} >= {"ARM_MicroNet_VWW_3"}
    fed = rows(store, "seloc-find-models", word="gestures", **{"with": "Gyroscope"})
    assert fed and len(fed) < len(rows(store, "seloc-find-models", word=""))
    found = rows(store, "seloc-find-boards", word="siemens")
    assert found and all("siemens" in row["description"].lower() for row in found)
