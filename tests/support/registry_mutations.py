"""Broken copies of the sample of the registry: each takes a few triples and makes them wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from support.paths import ROOT
from tinyc.registry.store.base import Term
from tinyc.registry.vocabulary import RDF, SCHEMA, TINYC, XSD

SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
Triples = list[Triple]
# In the forms that rdflib keeps: it rewrites others when it reads them.
LITERALS = [
    Literal("maybe", datatype=XSD.boolean),
    Literal("maybe"),
    Literal("", datatype=XSD.string),
    Literal("-1", datatype=XSD.integer),
    Literal("seven", datatype=XSD.integer),
    Literal("1.5", datatype=XSD.decimal),
    Literal("1000.0", datatype=XSD.double),
    Literal("7", datatype=XSD.integer),
    Literal("2026-13-45T00:00:00+00:00", datatype=XSD.dateTime),
    Literal("2026-01-02T03:04:05", datatype=XSD.dateTime),
    Literal("2026-01-02T03:04:05+02:00", datatype=XSD.dateTime),
    Literal("text", language="en"),
    Literal("1.2.3"),
    Literal("1.02.3"),
    Literal("A" * 64),
    Literal("f" * 64),
]


def sample(path: Path = SAMPLE) -> Triples:
    """The triples of a file. Blank nodes get names, so that all validators and parsers mean the same node."""
    seen: dict[str, NamedNode] = {}

    def named(term: Term) -> Term:
        if isinstance(term, BlankNode):
            return seen.setdefault(term.value, NamedNode(f"urn:blank:{len(seen)}"))
        return term

    with path.open("rb") as file:
        return [
            Triple(named(quad.subject), quad.predicate, named(quad.object))  # type: ignore[arg-type]
            for quad in parse(file, format=RdfFormat.TURTLE)
        ]


def drop(triples: Triples, chance: random.Random) -> None:
    del triples[chance.randrange(len(triples))]


def add_literal(triples: Triples, chance: random.Random) -> None:
    one = chance.choice(triples)
    triples.append(Triple(one.subject, one.predicate, chance.choice(LITERALS)))


def replace_literal(triples: Triples, chance: random.Random) -> None:
    places = [i for i, each in enumerate(triples) if isinstance(each.object, Literal)]
    place = chance.choice(places)
    triples[place] = Triple(triples[place].subject, triples[place].predicate, chance.choice(LITERALS))


def empty(triples: Triples, chance: random.Random) -> None:
    texts = [i for i, each in enumerate(triples) if each.predicate in (SCHEMA.name, TINYC.method)]
    place = chance.choice(texts)
    triples[place] = Triple(triples[place].subject, triples[place].predicate, Literal(""))


def other_number(triples: Triples, chance: random.Random) -> None:
    numbers = [
        i
        for i, each in enumerate(triples)
        if isinstance(each.object, Literal) and each.object.datatype == XSD.decimal
    ]
    place, value = chance.choice(numbers), chance.choice(["-1.25", "1.5"])
    new = Literal(value, datatype=XSD.decimal)
    triples[place] = Triple(triples[place].subject, triples[place].predicate, new)


def other_datatype(triples: Triples, chance: random.Random) -> None:
    places = [i for i, each in enumerate(triples) if isinstance(each.object, Literal)]
    place = chance.choice(places)
    old = triples[place].object
    assert isinstance(old, Literal)
    kind = chance.choice([XSD.string, XSD.integer, XSD.decimal, XSD.boolean, XSD.dateTime])
    triples[place] = Triple(
        triples[place].subject, triples[place].predicate, Literal(old.value, datatype=kind)
    )


def retype(triples: Triples, chance: random.Random) -> None:
    places = [i for i, each in enumerate(triples) if each.predicate == RDF.type]
    place, other = chance.choice(places), triples[chance.choice(places)].object
    triples[place] = Triple(triples[place].subject, RDF.type, other)


def dangle(triples: Triples, chance: random.Random) -> None:
    places = [
        i
        for i, each in enumerate(triples)
        if isinstance(each.object, NamedNode) and each.predicate != RDF.type
    ]
    place = chance.choice(places)
    triples[place] = Triple(triples[place].subject, triples[place].predicate, NamedNode("urn:tinyc:nobody"))


def point_elsewhere(triples: Triples, chance: random.Random) -> None:
    places = [i for i, each in enumerate(triples) if isinstance(each.object, NamedNode)]
    place = chance.choice(places)
    triples[place] = Triple(triples[place].subject, triples[place].predicate, chance.choice(triples).subject)


def unknown_property(triples: Triples, chance: random.Random) -> None:
    triples.append(Triple(chance.choice(triples).subject, TINYC.color, Literal("red")))


def foreign_property(triples: Triples, chance: random.Random) -> None:
    """A property of some other class."""
    triples.append(
        Triple(
            chance.choice(triples).subject, chance.choice(triples).predicate, chance.choice(triples).object
        )
    )


MUTATIONS: tuple[Callable[[Triples, random.Random], None], ...] = (
    drop,
    add_literal,
    replace_literal,
    empty,
    other_number,
    other_datatype,
    retype,
    dangle,
    point_elsewhere,
    unknown_property,
    foreign_property,
)
