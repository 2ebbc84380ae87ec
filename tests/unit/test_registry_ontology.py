"""The ontology: what the code writes is declared, what is declared is used, foreign terms exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rdflib
from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse
from rdflib.namespace import DCAT, DCTERMS, OWL, PROV, RDF, RDFS, SDO, SH, SOSA, SSN, XSD

from support.paths import ROOT
from tinyc.registry import vocabulary
from tinyc.registry.shacl import described, standard_shapes
from tinyc.resources import data_folder

pytestmark = pytest.mark.unit

ONTOLOGY = data_folder("ontology")
SELOC = ROOT.parent / "shared" / "data" / "seloc-ml" / "semantic_schema"
SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
OWN = vocabulary.TINYC.iri
# Terms of vocabularies that neither rdflib nor the sample data carry: ML-Schema's core specification,
# the Thing Description 1.1 and hypermedia ontologies, QUDT 2.1.
OTHERS = {
    vocabulary.MLS.iri: {"Model", "Run", "ModelEvaluation", "EvaluationMeasure", "specifiedBy", "hasValue"},
    vocabulary.TD.iri: {"Thing", "href", "op", "unit"},
    vocabulary.HCTL.iri: {"hasTarget", "hasOperationType"},
    vocabulary.QUDT.iri: {"hasUnit"},
    vocabulary.UNIT.iri: {"BYTE", "HZ", "DeciB"},
}
# td:href, td:op and td:unit are the misuse that shapes.ttl warns of.
SHIPPED = {str(each): each for each in (DCAT, DCTERMS, OWL, PROV, RDF, RDFS, SDO, SH, SOSA, SSN, XSD)}


def triples(path: Path) -> list[Triple]:
    return [quad.triple for quad in parse(path=str(path), format=RdfFormat.TURTLE)]


TERMS = described(triples(ONTOLOGY / "tinyc.ttl"))


def iris(path: Path) -> set[str]:
    """Every IRI of a Turtle file, in any position, and the datatypes."""
    found: set[str] = set()
    for triple in triples(path):
        for term in (triple.subject, triple.predicate, triple.object):
            if isinstance(term, NamedNode):
                found.add(term.value)
            elif isinstance(term, Literal):
                found.add(term.datatype.value)
    return found


def own(found: set[str]) -> set[str]:
    return {iri.removeprefix(OWN) for iri in found if iri.startswith(OWN)}


DECLARED = own({node.value for node in TERMS if isinstance(node, NamedNode)})


def test_terms_in_the_code_are_declared() -> None:
    used: set[str] = set()
    for path in [*(ROOT / "compiler").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"\bTINYC\.([A-Za-z]\w*)", text)) - {"iri"}
        used |= set(re.findall(r"\bTINYC\[[\"'](\w+)[\"']\]", text))
        used |= (
            set(re.findall(r"(?<![\w.:])tinyc:([A-Za-z]\w*)", text)) if "/registry/" in str(path) else set()
        )
    assert used <= DECLARED, sorted(used - DECLARED)


@pytest.mark.parametrize("path", sorted((ONTOLOGY / "queries").glob("*.rq")), ids=lambda path: path.stem)
def test_terms_in_the_queries_are_declared(path: Path) -> None:
    used = set(re.findall(r"(?<![\w.:])tinyc:([A-Za-z]\w*)", path.read_text(encoding="utf-8")))
    assert used <= DECLARED


def test_terms_of_sample_and_shapes_are_declared_and_the_sample_uses_all() -> None:
    sample = own(iris(SAMPLE))
    assert sample <= DECLARED
    assert own(iris(ONTOLOGY / "shapes.ttl")) <= DECLARED
    values = {
        node.value.removeprefix(OWN)
        for node, paths in TERMS.items()
        if {vocabulary.TINYC.Relation, vocabulary.TINYC.DriftState} & set(paths.get(vocabulary.RDF.type, ()))
    }
    # Values of enumerations need not all occur, and no node has the class of all firmware itself.
    assert DECLARED - values - {"Relation", "DriftState", "AnyFirmware"} <= sample


def test_every_term_is_described() -> None:
    for node, paths in TERMS.items():
        if isinstance(node, NamedNode) and node.value.startswith(OWN):
            assert len(paths[vocabulary.RDFS.label]) == 1, node
            assert len(paths[vocabulary.RDFS.comment]) == 1, node
            kinds = set(paths[vocabulary.RDF.type])
            if kinds & {vocabulary.OWL.DatatypeProperty, vocabulary.OWL.ObjectProperty}:
                one = vocabulary.RDFS.domain in paths
                assert one != (len(paths.get(vocabulary.SCHEMA.domainIncludes, ())) > 1), node
                assert vocabulary.RDFS.range in paths, node


def test_every_class_of_its_own_has_a_shape_and_shapes_agree_with_ranges() -> None:
    shapes = {kind: shape for shape in standard_shapes() for kind in shape.classes}
    paths = {each.path for shape in standard_shapes() for each in shape.properties}
    for node, described_ in TERMS.items():
        if not isinstance(node, NamedNode) or not node.value.startswith(OWN):
            continue
        kinds = set(described_[vocabulary.RDF.type])
        name = node.value.removeprefix(OWN)
        if vocabulary.OWL.Class in kinds and name not in ("Relation", "DriftState", "AnyFirmware"):
            assert node in shapes, node
        if kinds & {vocabulary.OWL.DatatypeProperty, vocabulary.OWL.ObjectProperty}:
            assert node in paths, node


def foreign_terms() -> set[str]:
    files = [ONTOLOGY / "tinyc.ttl", ONTOLOGY / "shapes.ttl", SAMPLE]
    found = set().union(*map(iris, files))
    return {iri for iri in found if not iri.startswith("urn:tinyc:")}


def test_foreign_terms_exist() -> None:
    """Against the closed namespaces that rdflib ships, and the lists above."""
    wrong = []
    for iri in sorted(foreign_terms()):
        base = max((each for each in [*SHIPPED, *OTHERS] if iri.startswith(each)), key=len, default=None)
        if base is None:
            assert iri.startswith((vocabulary.S3N.iri, "https://w3id.org/tinyml-schema/")), iri
        elif base in OTHERS:
            wrong += [] if iri.removeprefix(base) in OTHERS[base] else [iri]
        elif iri.removeprefix(base) not in SHIPPED[base]:
            wrong.append(iri)
    assert not wrong


def test_terms_of_s3n_and_nnet_exist() -> None:
    if not SELOC.is_dir():
        pytest.skip("the published schemas are not here")
    graph = rdflib.Graph()
    for path in SELOC.glob("*.ttl"):
        graph.parse(path, format="turtle")
    known = {str(subject) for subject in graph.subjects()}
    asked = {
        iri
        for iri in foreign_terms()
        if iri.startswith((vocabulary.S3N.iri, "https://w3id.org/tinyml-schema/"))
    }
    assert len(asked) > 8
    assert asked <= known, sorted(asked - known)


def test_prefixes_of_the_files_are_those_of_the_code() -> None:
    for path in (ONTOLOGY / "tinyc.ttl", ONTOLOGY / "shapes.ttl", *(ONTOLOGY / "queries").glob("*.rq")):
        for name, iri in re.findall(
            r"(?i)^@?prefix ([\w-]+): <([^>]+)>", path.read_text(encoding="utf-8"), re.M
        ):
            assert vocabulary.PREFIXES.get(name, iri) == iri, (path.name, name)
