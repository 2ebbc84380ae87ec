"""What the registry says of single devices, models and firmware, by queries that take milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pyoxigraph import Literal, NamedNode

from tinyc.registry import names
from tinyc.registry.store.base import Rows, Store, Term, Truth
from tinyc.registry.vocabulary import PREFIXES

_PLACE = re.compile(r"\$([a-z]+)")


@dataclass(frozen=True, slots=True)
class Current:
    """What a device runs now. `at` is None where the time cannot be read."""

    deployment: NamedNode
    firmware: NamedNode | None
    model: NamedNode | None
    at: datetime | None


def current(store: Store, device: NamedNode) -> Current | None:
    """What a device runs, None for one without a deployment, or that is not there."""
    query = """SELECT ?d ?f ?m ?t WHERE {
      $device tinyc:currentDeployment ?d .
      OPTIONAL { ?d tinyc:firmware ?f } OPTIONAL { ?d tinyc:model ?m } OPTIONAL { ?d prov:startedAtTime ?t }
    } ORDER BY DESC(?t) LIMIT 1"""
    for deployment, firmware, model, at in rows(store, query, device=device):
        if isinstance(deployment, NamedNode):
            return Current(deployment, iri_of(firmware), iri_of(model), time_of(at))
    return None


def is_missing(store: Store, device: NamedNode) -> bool:
    """Whether a device did not answer when it was asked last."""
    return ask(store, "$device tinyc:missingSince ?since", device=device)


def is_known_firmware(store: Store, firmware: NamedNode) -> bool:
    """Whether some build told of a firmware."""
    return ask(store, "$firmware a tinyc:Firmware", firmware=firmware)


def devices_at(store: Store, site: str) -> list[tuple[NamedNode, str, str]]:
    """Device, board and chip of what is at a site; with no site, of what has none. By board and chip."""
    where = "?d tinyc:site $site ." if site else "FILTER NOT EXISTS { ?d tinyc:site ?s }"
    query = """SELECT ?d ?b ?c WHERE {
      ?d a tinyc:Device ; tinyc:chip ?c ; tinyc:board ?board . ?board schema:name ?b . %s
    } ORDER BY ?b ?c"""
    found = rows(store, query % where, site=names.site(site))
    return [(d, text_of(b), text_of(c)) for d, b, c in found if isinstance(d, NamedNode)]


def ask(store: Store, pattern: str, **terms: Term) -> bool:
    """Whether a pattern is there; `$NAME` is one of `terms`."""
    answer = store.query(_filled(f"ASK {{ {pattern} }}", terms), prefixes=PREFIXES)
    assert isinstance(answer, Truth)
    return answer.value


def rows(store: Store, query: str, **terms: Term) -> Iterator[tuple[Term | None, ...]]:
    """The rows of a SELECT; `$NAME` is one of `terms`."""
    answer = store.query(_filled(query, terms), prefixes=PREFIXES)
    assert isinstance(answer, Rows)
    return answer.rows


def _filled(query: str, terms: Mapping[str, Term]) -> str:
    """Each term in its N-Triples form, so that nothing of it is syntax."""
    return _PLACE.sub(lambda match: str(terms[match[1]]), query)


def iri_of(term: Term | None) -> NamedNode | None:
    return term if isinstance(term, NamedNode) else None


def text_of(term: Term | None) -> str:
    """The text of a literal or IRI, empty for none."""
    return term.value if isinstance(term, Literal | NamedNode) else ""


def time_of(term: Term | None) -> datetime | None:
    """An xsd:dateTime; None for one without an offset, and for anything else."""
    try:
        at = datetime.fromisoformat(text_of(term))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
