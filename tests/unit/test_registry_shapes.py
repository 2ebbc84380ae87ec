"""The shapes: the fast check, the audit of a store and pySHACL find the same faults."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyshacl
import pytest
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse, serialize
from rdflib.namespace import SH

from support.paths import ROOT
from support.registry_mutations import MUTATIONS, Triples, sample
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.constraints import DATATYPES
from tinyc.registry.shacl import load_shapes, standard_shapes
from tinyc.registry.shapes import Violation, audit, check
from tinyc.registry.store.base import Answer
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import NNET, PREFIXES, PROV, RDF, S3N, SCHEMA, SSN, TINYC, XSD
from tinyc.resources import data_folder

pytestmark = pytest.mark.unit

ONTOLOGY = data_folder("ontology")
SELOC = ROOT.parent / "shared" / "data" / "seloc-ml" / "semantic_description"
DEPLOYMENT = NamedNode("urn:tinyc:deployment:d0000000000000000000000000000001")
DEVICE = names.device("nrf52840", "1122334455667788")
Finding = tuple[str, str, str, str | None]


def store_of(triples: Triples) -> EmbeddedStore:
    store = EmbeddedStore()
    store.insert(Quad(each.subject, each.predicate, each.object) for each in triples)
    return store


@pytest.fixture(scope="module")
def oracle() -> tuple[rdflib.Graph, rdflib.Graph]:
    shapes = rdflib.Graph().parse(ONTOLOGY / "shapes.ttl", format="turtle")
    return shapes, rdflib.Graph().parse(ONTOLOGY / "tinyc.ttl", format="turtle")


def by_pyshacl(triples: Triples, graphs: tuple[rdflib.Graph, rdflib.Graph]) -> Counter[Finding]:
    shapes, ontology = graphs
    data = rdflib.Graph().parse(data=serialize(triples, format=RdfFormat.N_TRIPLES), format="nt")
    _, report, _ = pyshacl.validate(data, shacl_graph=shapes, ont_graph=ontology, inference="none")
    assert isinstance(report, rdflib.Graph)
    found: Counter[Finding] = Counter()
    for result in report.subjects(rdflib.RDF.type, SH.ValidationResult):
        component = str(report.value(result, SH.sourceConstraintComponent)).split("#")[1]
        component = component.removesuffix("ConstraintComponent")
        counts = component in ("MinCount", "MaxCount")
        value = None if counts else str(report.value(result, SH.value))
        path = str(report.value(result, SH.resultPath))
        found[(str(report.value(result, SH.focusNode)), path, component, value)] += 1
    return found


def by_us(violations: tuple[Violation, ...]) -> Counter[Finding]:
    return Counter(
        (
            each.node.value,
            each.path.value,
            each.constraint[0].upper() + each.constraint[1:],
            None if each.value is None else each.value.value,
        )
        for each in violations
    )


def comparable(findings: Counter[Finding]) -> Counter[Finding]:
    """Without the bounds of values of another datatype: rdflib orders what SHACL calls incomparable.

    rdflib also writes the booleans 0 and 1 out, so values of a wrong datatype are told by their place.
    """
    wrong = {finding[:2] for finding in findings if finding[2] == "Datatype"}
    return Counter(
        {
            (node, path, component, None if (node, path) in wrong else value): number
            for (node, path, component, value), number in findings.items()
            if (node, path) not in wrong or component not in ("MinInclusive", "MaxInclusive")
        }
    )


def keys(findings: Counter[Finding]) -> set[tuple[str, str, str]]:
    return {finding[:3] for finding in findings}


def mutated(seed: int) -> Triples:
    chance, triples = random.Random(seed), sample()
    for _ in range(5):
        chance.choice(MUTATIONS)(triples, chance)
    return list(dict.fromkeys(triples))


def test_the_sample_is_right(oracle: tuple[rdflib.Graph, rdflib.Graph]) -> None:
    assert check(sample(), EmbeddedStore(), warnings=True) == ()
    assert audit(store_of(sample())) == ()
    assert not by_pyshacl(sample(), oracle)


@pytest.mark.parametrize("part", range(8))
def test_all_three_find_the_same_faults(part: int, oracle: tuple[rdflib.Graph, rdflib.Graph]) -> None:
    """500 mutations in 100 copies of the sample."""
    faults = 0
    for seed in range(part, 100, 8):
        triples = mutated(seed)
        ours = by_us(check(triples, EmbeddedStore(), warnings=True))
        assert comparable(ours) == comparable(by_pyshacl(triples, oracle)), f"seed {seed}"
        assert keys(by_us(audit(store_of(triples)))) == keys(ours), f"seed {seed}"
        faults += ours.total()
    assert faults > 40


def test_mutations_reach_every_kind_of_constraint() -> None:
    found = {
        finding[2]
        for seed in range(100)
        for finding in by_us(check(mutated(seed), EmbeddedStore(), warnings=True))
    }
    assert found == {
        "MinCount",
        "MaxCount",
        "Datatype",
        "Class",
        "NodeKind",
        "Pattern",
        "MinInclusive",
        "MaxInclusive",
        "MinLength",
        "In",
        "Or",
        "Closed",
    }


def of(triples: Triples, *subjects: NamedNode) -> Triples:
    return [each for each in triples if each.subject in subjects]


def test_only_what_is_touched_is_checked_and_the_rest_is_looked_up() -> None:
    triples = sample()
    touched = of(triples, DEPLOYMENT, DEVICE)
    assert check(touched, store_of(triples)) == ()
    missing = [each for each in triples if each.subject != DEVICE]
    (wrong,) = check(of(triples, DEPLOYMENT), store_of(missing))
    assert (wrong.path, wrong.value, wrong.constraint) == (TINYC.device, DEVICE, "class")
    assert (
        wrong.message
        == f"deployment {DEPLOYMENT.value}: `device` is {DEVICE.value}, which is no known device"
    )


class Counting(EmbeddedStore):
    """A store that counts its queries."""

    asked = 0

    def query(self, text: str, **options: Any) -> Answer:
        self.asked += 1
        return super().query(text, **options)


def test_a_check_asks_the_store_once_at_most() -> None:
    """That keeps it short: a deployment refers to a device, a board, a site, a firmware, a model, a state."""
    store = Counting()
    store.insert(Quad(each.subject, each.predicate, each.object) for each in sample())
    assert check(of(sample(), DEPLOYMENT, DEVICE), store) == ()
    assert store.asked == 1
    assert check(of(sample(), names.board("nrf52840")), store) == ()
    assert store.asked == 1


def changed(path: NamedNode, *values: Literal | NamedNode) -> tuple[Violation, ...]:
    """What is wrong with the deployment once `path` has these values."""
    triples = sample()
    touched = [each for each in of(triples, DEPLOYMENT) if each.predicate != path]
    touched += [Triple(DEPLOYMENT, path, value) for value in values]
    return check(touched, store_of(triples))


def test_messages() -> None:
    name = f"deployment {DEPLOYMENT.value}: "
    (wrong,) = changed(TINYC.verified, Literal("maybe"))
    assert wrong.message == name + '`verified` is "maybe", which is no boolean'
    assert wrong.shape == "urn:tinyc:shape#Deployment"
    (wrong,) = changed(TINYC.verified)
    assert wrong.message == name + "`verified` is missing"
    (wrong,) = changed(TINYC.verified, Literal(True), Literal(False))
    assert wrong.message == name + '`verified` has 2 values where one is allowed: "true", "false"'
    (wrong,) = changed(PROV.startedAtTime, Literal("2026-10-02T10:00:00", datatype=XSD.dateTime))
    assert wrong.message == (
        name + '`startedAtTime` is "2026-10-02T10:00:00"; it must be a time with its offset from UTC'
    )
    (wrong,) = changed(TINYC.color, Literal("red"))
    assert wrong.message == name + "`color` is no property of a deployment"
    (wrong,) = changed(TINYC.method, Literal(""))
    assert wrong.message == name + '`method` is "", which is empty'


def test_values_from_outside_stay_values_in_a_message() -> None:
    (wrong,) = changed(TINYC.verified, Literal('"; DROP ALL #'))
    assert wrong.message.endswith('`verified` is ""; DROP ALL #", which is no boolean')


def test_a_blank_node_of_the_store_is_taken_for_what_it_should_be() -> None:
    triples = sample()
    state, metric = names.state("nrf52840", "1122334455667788", 1), BlankNode("metric")
    touched = [each for each in of(triples, state) if each.predicate != TINYC.guardMetric]
    touched.append(Triple(state, TINYC.guardMetric, metric))
    assert check(touched, store_of(triples)) == ()
    # One that is described must be right.
    found = check([*touched, Triple(metric, RDF.type, TINYC.Board)], store_of(triples))
    (wrong,) = [each for each in found if each.node == state]
    assert wrong.message.endswith("`guardMetric` is a node without a name, which is no known guard metric")


@pytest.mark.parametrize(
    "text",
    [
        "sh:property [ sh:path tinyc:a ; sh:lessThan tinyc:b ]",
        "sh:property [ sh:path [ sh:inversePath tinyc:a ] ; sh:minCount 1 ]",
        "sh:property [ sh:path tinyc:a ; sh:minCount 2 ]",
        "sh:property [ sh:path tinyc:a ; sh:datatype xsd:gYear ]",
        'sh:property [ sh:path tinyc:a ; sh:pattern "a" ; sh:flags "i" ]',
        "sh:property [ sh:path tinyc:a ; sh:nodeKind sh:BlankNodeOrIRI ]",
        'sh:property [ sh:path tinyc:a ; sh:in ( "a" ) ]',
        'sh:sparql [ sh:select "" ]',
        "sh:not tinyc:Other",
        "sh:deactivated true",
        "sh:targetClass tinyc:Other",
    ],
)
def test_shacl_that_is_not_supported_is_refused(text: str, tmp_path: Path) -> None:
    head = "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in PREFIXES.items())
    path = tmp_path / "shapes.ttl"
    shape = "<urn:shape> a sh:NodeShape ; sh:targetClass tinyc:Board"
    path.write_text(f"{head}{shape} .\n", encoding="utf-8")
    assert len(load_shapes(path, ONTOLOGY / "tinyc.ttl")) == 1
    path.write_text(f"{head}{shape} ; {text} .\n", encoding="utf-8")
    with pytest.raises(TinycError):
        load_shapes(path, ONTOLOGY / "tinyc.ttl")


def test_subclasses_are_under_the_shapes_of_what_is_above() -> None:
    shapes = {shape.iri.value.split("#")[1]: shape for shape in standard_shapes()}
    assert {NNET.NeuralNetwork, TINYC.Model} <= shapes["NeuralNetwork"].classes
    assert {S3N.SmartSensor, TINYC.Device} <= shapes["SmartSensor"].classes
    assert set(DATATYPES) >= {XSD.string, XSD.integer}


def published() -> Triples:
    found: Triples = []
    for path in sorted(SELOC.glob("*.ttl")):
        with path.open("rb") as file:
            quads = parse(file, format=RdfFormat.TURTLE, base_iri="file:///seloc/", rename_blank_nodes=True)
            found += [quad.triple for quad in quads]
    return found


def test_data_errors_of_published_descriptions_are_found() -> None:
    if not SELOC.is_dir():
        pytest.skip("the published descriptions are not here")
    triples = published()
    store = store_of(triples)
    # They can be imported as they are: all that is wrong with them is a warning.
    assert audit(store, warnings=False) == ()
    found = audit(store)
    assert keys(by_us(found)) == keys(by_us(check(triples, EmbeddedStore(), warnings=True)))
    by_path: dict[NamedNode, list[Violation]] = {}
    for each in found:
        by_path.setdefault(each.path, []).append(each)
    datasets = [each.value for each in by_path[NNET.trainingDataset]]
    assert datasets.count(NamedNode("file:///seloc/None")) == 3
    assert all(str(each).startswith("<file:///seloc/") for each in datasets)
    macs = [each for each in triples if each.predicate == NNET.hasMultiplyAccumulateOps]
    assert len(by_path[NNET.hasMultiplyAccumulateOps]) == len(macs) == 23
    double = [each for each in by_path[S3N.hasProcedureFeature] if "//procedureFeature_2" in str(each.value)]
    assert len(double) == len(by_path[S3N.hasProcedureFeature]) == 23
    (part,) = by_path[SSN.hasSubSystem]
    kinds = [each.object for each in triples if each.subject == part.value and each.predicate == RDF.type]
    assert [str(kind).endswith("sosa_extend/:Magnetometer>") for kind in kinds] == [True]
    misused = {path.value.split("#")[1] for path in by_path if path.value.startswith(PREFIXES["td"])}
    assert misused == {"href", "op", "unit"}


def test_patterns_mean_the_same_in_python_and_sparql() -> None:
    """No classes of characters or anchors on which the engines differ."""
    for shape in standard_shapes():
        for each in shape.properties:
            for constraint in each.constraints:
                pattern = getattr(constraint, "pattern", "")
                assert not re.search(r"\\[dwsb]|\(\?", pattern), pattern


def test_models_need_a_semantic_version() -> None:
    model = names.model("keyword_spotting", "1.0.0", "a" * 64)
    triples = [each for each in of(sample(), model) if each.predicate != SCHEMA.version]
    for text, right in {
        "1.0.0": True,
        "1.0": False,
        "v1.0.0": False,
        "1.0.0-rc.1+int8.cm4": True,
        "01.0.0": False,
    }.items():
        found = check([*triples, Triple(model, SCHEMA.version, Literal(text))], store_of(sample()))
        assert (found == ()) == right, text
