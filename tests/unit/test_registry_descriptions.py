"""Descriptions in the TinyML schema, as SeLoC-ML publishes them, in the registry's own terms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyoxigraph import NamedNode

from support.registry_sample import literals, quads_in
from tinyc.registry import names
from tinyc.registry.formats.descriptions import DEFAULT_GRAPH
from tinyc.registry.formats.importing import Imported, import_all
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import DCT, MLS, NNET, SCHEMA, SOSA, TINYC

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PREFIXES = """
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix s3n: <http://w3id.org/s3n/> .
@prefix schema: <https://schema.org/> .
@prefix ssn: <http://www.w3.org/ns/ssn/> .
@prefix ssn-system: <http://www.w3.org/ns/ssn/systems/> .
@prefix td: <https://www.w3.org/2019/wot/td#> .
@prefix om: <http://www.ontology-of-units-of-measure.org/resource/om-2/> .
@prefix nnet: <https://w3id.org/tinyml-schema/neural-network-schema#> .
@prefix s3n_extend: <https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/> .
@prefix sosa_extend: <https://w3id.org/tinyml-schema/neural-network-schema/sosa_extend/> .
"""
BOARD = """
<urn:x:lab/my_board-322-000-000-005> a s3n:SmartSensor ;
  ssn:hasSubSystem [ a sosa_extend:Microphone ] , [ a s3n:MicroController ; s3n:hasSystemCapability [
    ssn-system:hasSystemProperty [ a s3n_extend:Flash ; schema:unitCode om:kilobyte ; schema:value 385.5 ] ,
      [ a s3n_extend:RAM ; schema:unitCode om:kibibyte ; schema:value 109 ] ] ] ;
  td:description "A board." .
"""
MODEL = """
<urn:x:nn/1> a nnet:NeuralNetwork ; schema:name "net" ; nnet:hasMultiplyAccumulateOps 3.36e+05 ;
  nnet:trainingDataset <None> , <example.org/data.zip> ; nnet:hasMetric [ a nnet:Top_1_accuracy ;
    nnet:hasMetricValue 9.21e+01 ] ; nnet:inputLayer [ nnet:shapeIn "[ 1 49 10  1]" ] .
"""


def take(store: EmbeddedStore, *paths: Path) -> Imported:
    return import_all(store, [str(path) for path in paths], now=NOW)


def described(tmp_path: Path, text: str) -> tuple[EmbeddedStore, Imported]:
    path = tmp_path / "a.ttl"
    path.write_text(PREFIXES + text, encoding="utf-8")
    store = EmbeddedStore()
    return store, take(store, path)


def test_a_board_in_bytes(tmp_path: Path) -> None:
    store, done = described(tmp_path, BOARD)
    board = names.board("my_board")
    assert (done.boards, done.models) == (1, 0)
    assert literals(store, board, TINYC.flash) == ["385500"]
    assert literals(store, board, TINYC.ram) == [str(109 * 1024)]
    assert literals(store, board, SCHEMA.description) == ["A board"]
    assert literals(store, board, SOSA.hosts) == ["urn:tinyc:sensor:my_board:microphone"]
    assert literals(store, board, DCT.source) == ["urn:x:lab/my_board-322-000-000-005"]
    assert any("1 kB = 1000 B" in note for note in done.notes)
    published = [quad for quad in quads_in(store) if quad.graph_name == DEFAULT_GRAPH]
    assert len(published) == done.quads == 15


def test_a_model_and_its_defects(tmp_path: Path) -> None:
    store, done = described(tmp_path, MODEL)
    (model,) = (row[0] for row in store.query(f"SELECT ?m {{ ?m a {TINYC.Model} }}").rows)
    assert literals(store, model, TINYC.macs) == ["336000"]
    assert literals(store, model, TINYC.inputShape) == ["1,49,10,1"]
    assert literals(store, model, NNET.trainingDataset) == ["http://example.org/data.zip"]
    (evaluation,) = literals(store, model, TINYC.evaluation)
    assert literals(store, NamedNode(evaluation), MLS.hasValue) == ["0.921"]
    said = "\n".join(done.notes)
    for words in ("net: has no flash", "None>, which is no address", "taken for http://example.org/data.zip"):
        assert words in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("om:kilobyte", "om:gravity", "no size"),
        ("385.5", '"much"', "no size"),
        ("385.5", "-1", "no size"),
        ("385.5", "1e400", "no size"),
        ("385.5", "385 , 386", "2 values for flash"),
        ("a s3n_extend:RAM", "a s3n_extend:Other", "has no RAM"),
    ],
)
def test_sizes_that_are_none_are_reported(tmp_path: Path, old: str, new: str, words: str) -> None:
    store, done = described(tmp_path, BOARD.replace(old, new) + MODEL)
    assert done.boards == 0 and any(words in note for note in done.notes), done.notes
    assert not literals(store, names.board("my_board"), SCHEMA.name)


def test_texts_that_mean_to_break_out(tmp_path: Path) -> None:
    evil = '\\" . } ; DROP ALL ; # <urn:x>'
    store, done = described(
        tmp_path,
        BOARD.replace("A board.", evil)
        + MODEL.replace('"net"', f'"{evil}"').replace("urn:x:nn/1", "urn:x:a%22%3E%20b"),
    )
    assert (done.boards, done.models) == (1, 1)
    said = literals(store, names.board("my_board"), SCHEMA.description)
    assert said == ['" . } ; DROP ALL ; # <urn:x>']


def test_the_published_collection(shared: Path) -> None:
    folder = shared / "data" / "seloc-ml" / "semantic_description"
    if not folder.is_dir():
        pytest.skip("no descriptions of SeLoC-ML")
    store = EmbeddedStore()
    done = take(store, folder)
    assert (done.quads, done.boards, done.models) == (3007, 9, 23)
    before = quads_in(store)
    take(store, folder)
    assert quads_in(store) == before
    # What the collection itself says, in kilobytes.
    assert literals(store, names.board("arduino_nano_ble_33"), TINYC.flash) == ["628000"]
    assert literals(store, names.board("arduino_nano_ble_33"), TINYC.ram) == ["172000"]
    hosts = literals(store, names.board("ms200"), SOSA.hosts)
    assert [each.rpartition(":")[2] for each in hosts] == [
        "accelerometer",
        "gyroscope",
        "magnetometer",
        "thermometer",
    ]
    said = "\n".join(done.notes)
    for words in ("taken for Magnetometer", "<file:///None>, which is no address", "an accuracy of 0"):
        assert words in said
    # The mapped models fit by their sizes: the question of the published query 2, in bytes.
    rows = store.query(
        f"SELECT ?name {{ ?m {SCHEMA.name} ?name ; {TINYC.inputType} 'image' ; {TINYC.budget} ?b . "
        f"?b {TINYC.ram} ?ram ; {TINYC.flash} ?flash FILTER(?ram <= 144000 && ?flash <= 621000) }}"
    ).rows
    assert sorted(row[0].value for row in rows) == ["Person_Detection", "Visual_Alarm_Clock"]


def test_a_file_in_the_registrys_terms_goes_where_facts_go(tmp_path: Path) -> None:
    store, _ = described(tmp_path, "<urn:tinyc:site:s> a <urn:tinyc:ns#Site> ; schema:name 's' .")
    assert {str(quad.graph_name) for quad in quads_in(store)} == {"DEFAULT"}


def test_a_name_that_is_used_by_two_descriptions(tmp_path: Path) -> None:
    second = BOARD.replace("-000-005", "-000-006").replace("385.5", "400")
    store, done = described(tmp_path, second + BOARD)
    assert literals(store, names.board("my_board"), TINYC.flash) == ["385500"]
    assert done.boards == 1 and any("the first is taken" in note for note in done.notes)
