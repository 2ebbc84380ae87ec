"""The terms that the registry writes: IRIs of the vocabularies, and those of tinyc's own ontology.

`ontology/tinyc.ttl` describes the own ones; a test keeps both equal.
"""

from __future__ import annotations

from pyoxigraph import NamedNode


class Namespace:
    """`Namespace(iri).term` and `Namespace(iri)["term"]` are the IRI's names."""

    def __init__(self, iri: str) -> None:
        self.iri = iri

    def __getitem__(self, name: str) -> NamedNode:
        return NamedNode(self.iri + name)

    def __getattr__(self, name: str) -> NamedNode:
        if name.startswith("__"):
            raise AttributeError(name)
        return NamedNode(self.iri + name)


TINYC = Namespace("urn:tinyc:ns#")
RDF = Namespace("http://www.w3.org/1999/02/22-rdf-syntax-ns#")
RDFS = Namespace("http://www.w3.org/2000/01/rdf-schema#")
OWL = Namespace("http://www.w3.org/2002/07/owl#")
XSD = Namespace("http://www.w3.org/2001/XMLSchema#")
PROV = Namespace("http://www.w3.org/ns/prov#")
DCAT = Namespace("http://www.w3.org/ns/dcat#")
DCT = Namespace("http://purl.org/dc/terms/")
SCHEMA = Namespace("https://schema.org/")
SH = Namespace("http://www.w3.org/ns/shacl#")
SOSA = Namespace("http://www.w3.org/ns/sosa/")
SSN = Namespace("http://www.w3.org/ns/ssn/")
SSN_SYSTEM = Namespace("http://www.w3.org/ns/ssn/systems/")
S3N = Namespace("http://w3id.org/s3n/")
NNET = Namespace("https://w3id.org/tinyml-schema/neural-network-schema#")
S3N_EXTEND = Namespace("https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/")
SOSA_EXTEND = Namespace("https://w3id.org/tinyml-schema/neural-network-schema/sosa_extend/")
SSN_EXTEND = Namespace("https://w3id.org/tinyml-schema/neural-network-schema/ssn_extend/")
MLS = Namespace("http://www.w3.org/ns/mls#")
TD = Namespace("https://www.w3.org/2019/wot/td#")
HCTL = Namespace("https://www.w3.org/2019/wot/hypermedia#")
QUDT = Namespace("http://qudt.org/schema/qudt/")
UNIT = Namespace("http://qudt.org/vocab/unit/")

PREFIXES: dict[str, str] = {
    "tinyc": TINYC.iri,
    "rdf": RDF.iri,
    "rdfs": RDFS.iri,
    "owl": OWL.iri,
    "xsd": XSD.iri,
    "prov": PROV.iri,
    "dcat": DCAT.iri,
    "dct": DCT.iri,
    "schema": SCHEMA.iri,
    "sh": SH.iri,
    "sosa": SOSA.iri,
    "ssn": SSN.iri,
    "ssn-system": SSN_SYSTEM.iri,
    "s3n": S3N.iri,
    "nnet": NNET.iri,
    "s3n-extend": S3N_EXTEND.iri,
    "sosa-extend": SOSA_EXTEND.iri,
    "ssn-extend": SSN_EXTEND.iri,
    "mls": MLS.iri,
    "td": TD.iri,
    "hctl": HCTL.iri,
    "qudt": QUDT.iri,
    "unit": UNIT.iri,
}
"""Prefixes that every query of a user may use without declaring them."""
