"""The service description of the endpoint (SPARQL 1.1 Service Description)."""

from __future__ import annotations

import io

from pyoxigraph import BlankNode, NamedNode, RdfFormat, Triple, serialize

from tinyc.registry.vocabulary import RDF, Namespace

SD = Namespace("http://www.w3.org/ns/sparql-service-description#")
FORMATS = {
    "text/turtle": RdfFormat.TURTLE,
    "application/n-triples": RdfFormat.N_TRIPLES,
    "application/rdf+xml": RdfFormat.RDF_XML,
    "application/ld+json": RdfFormat.JSON_LD,
}
_RESULTS = Namespace("http://www.w3.org/ns/formats/")


def describe(url: str, union: bool, media: str) -> bytes:
    """The endpoint at `url`, in one of `FORMATS`."""
    node, dataset, graph = NamedNode(url), BlankNode("dataset"), BlankNode("graph")
    triples = [
        Triple(node, RDF.type, SD.Service),
        Triple(node, SD.endpoint, node),
        Triple(node, SD.supportedLanguage, SD.SPARQL11Query),
        Triple(node, SD.defaultDataset, dataset),
        Triple(dataset, RDF.type, SD.Dataset),
        Triple(dataset, SD.defaultGraph, graph),
        Triple(graph, RDF.type, SD.Graph),
    ]
    names = ("SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV")
    for name in (*names, "Turtle", "N-Triples", "RDF_XML", "JSON-LD"):
        triples.append(Triple(node, SD.resultFormat, _RESULTS[name]))
    if union:
        triples.append(Triple(node, SD.feature, SD.UnionDefaultGraph))
    out = io.BytesIO()
    prefixes = {"sd": SD.iri, "formats": _RESULTS.iri}
    serialize(triples, out, FORMATS[media], prefixes=prefixes)
    return out.getvalue()
