"""What differs between two models, firmwares or deployments, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import BlankNode, Literal, NamedNode

from tinyc.errors import TinycError
from tinyc.registry import models
from tinyc.registry.names import BASE
from tinyc.registry.store.base import Rows, Store, Term
from tinyc.registry.vocabulary import PREFIXES, PROV, RDF, TINYC
from tinyc.versioning.calculator import Verdict, compare

_IDENTITY = re.compile(r"[0-9a-f]{6,64}")
# Nodes that belong to one thing alone: their fields are shown as its own.
_OWNED = (TINYC.budget, TINYC.bill, TINYC.evaluation, PROV.qualifiedDerivation)
# Too long to be read; the verdict says what it means.
_HIDDEN = (TINYC.manifest.value, TINYC.layerBill.value)
KINDS = {"Model": "model", "Firmware": "firmware", "UnknownFirmware": "firmware", "Deployment": "deployment"}


@dataclass(frozen=True, slots=True)
class Thing:
    """A node of the registry. `kind` is model, firmware or deployment, `label` what people call it."""

    iri: NamedNode
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One property on both sides; None where a side has none. Several values are sorted, with commas."""

    name: str
    first: str | None
    second: str | None

    @property
    def differs(self) -> bool:
        return self.first != self.second


@dataclass(frozen=True, slots=True)
class Difference:
    """`fields` holds all of them, equal ones too. `verdict` is of two models with manifests, else None."""

    first: Thing
    second: Thing
    fields: tuple[Field, ...]
    verdict: Verdict | None = None

    @property
    def changed(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.differs)


def difference(store: Store, first: str, second: str) -> Difference:
    """Compare what two references mean.

    Raises TinycError for one that means nothing, or several things, and for things of two kinds.
    """
    one, other = find(store, first), find(store, second)
    if one.kind != other.kind:
        raise TinycError(
            f"a {one.kind} and a {other.kind} are not compared",
            where=f"{first}, {second}",
            allowed="two models, two firmwares or two deployments",
        )
    was, now = _fields(store, one.iri), _fields(store, other.iri)
    names = sorted({*was, *now}, key=lambda name: ("." in name, name))
    fields = tuple(Field(name, was.get(name), now.get(name)) for name in names)
    return Difference(one, other, fields, _verdict(store, one, other))


def find(store: Store, reference: str) -> Thing:
    """The thing that a reference means: an IRI, NAME@VERSION, the first digits of a firmware's identity,
    or the chip of a device for its current deployment. Raises TinycError."""
    if reference.startswith(BASE):
        kinds = [KINDS[kind] for kind in _types(store, reference) if kind in KINDS]
        if not kinds:
            raise TinycError(
                "is no model, firmware or deployment of this registry",
                where=reference,
                hint="`tinyc registry show` lists what there is",
            )
        return Thing(NamedNode(reference), kinds[0], reference)
    if "@" not in reference and _IDENTITY.fullmatch(reference.lower()):
        found = _firmwares(store, reference.lower()) or _deployments(store, reference.lower())
        if len(found) == 1:
            return found[0]
        if found:
            known = ", ".join(thing.iri.value for thing in found)
            raise TinycError(f"{reference!r} means {len(found)} things", allowed=f"one of {known}")
    model = models.find(store, reference)
    return Thing(model.iri, "model", model.label)


def _types(store: Store, iri: str) -> list[str]:
    try:
        node = NamedNode(iri)
    except ValueError as error:
        raise TinycError(f"is no IRI: {error}", where=iri) from error
    query = f"SELECT ?type WHERE {{ {node} a ?type }}"
    return [row["type"].removeprefix(TINYC.iri) for row in models.rows(store, query)]


def _firmwares(store: Store, digits: str) -> list[Thing]:
    query = f"""SELECT DISTINCT ?firmware ?identity WHERE {{
        ?firmware tinyc:identity ?identity FILTER(STRSTARTS(?identity, {Literal(digits)})) }}
        ORDER BY ?firmware LIMIT 20"""
    return [
        Thing(NamedNode(row["firmware"]), "firmware", row["identity"][:16])
        for row in models.rows(store, query)
    ]


def _deployments(store: Store, chip: str) -> list[Thing]:
    query = f"""SELECT DISTINCT ?device ?deployment WHERE {{
        ?device tinyc:chip {Literal(chip)} ; tinyc:currentDeployment ?deployment }}
        ORDER BY ?device LIMIT 20"""
    return [
        Thing(NamedNode(row["deployment"]), "deployment", f"current one of {row['device']}")
        for row in models.rows(store, query)
    ]


def _fields(store: Store, iri: NamedNode) -> dict[str, str]:
    """Property → values, those of owned nodes as `budget.flash`."""
    owned = " ".join(map(str, _OWNED))
    answer = store.query(
        f"SELECT DISTINCT ?p ?o ?q ?v WHERE {{ {{ {iri} ?p ?o }} UNION "
        f"{{ VALUES ?p {{ {owned} }} {iri} ?p ?o . ?o ?q ?v }} }}"
    )
    if not isinstance(answer, Rows):
        raise TypeError("not a SELECT")
    found: dict[str, set[str]] = {}
    for property, value, inner, inner_value in answer.rows:
        if not isinstance(property, NamedNode) or property.value in _HIDDEN:
            continue
        if not isinstance(inner, NamedNode):
            if property in _OWNED:
                continue
            found.setdefault(_name(property), set()).add(_text(value))
        elif inner.value not in _HIDDEN and inner != RDF.type:
            found.setdefault(f"{_name(property)}.{_name(inner)}", set()).add(_text(inner_value))
    return {name: ", ".join(_sorted(values)) for name, values in found.items()}


def _sorted(values: Iterable[str]) -> list[str]:
    return sorted(values, key=lambda text: (len(text), text) if text.isdigit() else (0, text))


def _name(property: NamedNode) -> str:
    """`flash` for tinyc's own terms, `schema:version` for others."""
    if property == RDF.type:
        return "type"
    if property.value.startswith(TINYC.iri):
        return property.value.removeprefix(TINYC.iri)
    return _compact(property.value)


def _text(term: Term | None) -> str:
    if isinstance(term, Literal):
        return term.value
    if isinstance(term, NamedNode):
        return _compact(term.value)
    return "(a node without a name)" if isinstance(term, BlankNode) else ""


def _compact(iri: str) -> str:
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace) and re.fullmatch(r"[A-Za-z0-9_-]+", iri[len(namespace) :]):
            return f"{prefix}:{iri[len(namespace) :]}"
    return iri


def _verdict(store: Store, one: Thing, other: Thing) -> Verdict | None:
    """What the change means for the version, where both are models with manifests that can be read."""
    if one.kind != "model":
        return None
    try:
        was, now = (models.manifest_of(store, models.find(store, thing.iri.value)) for thing in (one, other))
    except TinycError:
        return None
    return compare(was, now) if was is not None and now is not None else None
