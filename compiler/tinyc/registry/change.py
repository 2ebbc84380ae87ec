"""A change of the registry as one SPARQL update, which any endpoint takes whole or not at all.

A change is a tuple of steps. A step inserts triples and clears properties, unless one of its guards
matches what is there; guards are looked at before anything is changed. There are no blank nodes, so that
the same change twice is the change once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from tinyc.registry.vocabulary import XSD

Value = NamedNode | Literal
Property = tuple[NamedNode, NamedNode]
"""A subject and a predicate."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A graph pattern that keeps a step from being done. Made by the functions below, of terms alone.

    It looks at `subject`, and at what that is linked to by `link`.
    """

    pattern: str
    subject: NamedNode
    link: NamedNode | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is done together. `clear`: properties that lose all their values before `insert`."""

    insert: tuple[Triple, ...] = ()
    clear: tuple[Property, ...] = ()
    unless: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a fact does to the registry."""

    steps: tuple[Step, ...]

    def triples(self) -> tuple[Triple, ...]:
        """Everything that may be inserted, once each."""
        return tuple(dict.fromkeys(triple for step in self.steps for triple in step.insert))

    def subjects(self) -> tuple[NamedNode, ...]:
        """Every node whose properties may change, once each."""
        inserted = [triple.subject for step in self.steps for triple in step.insert]
        cleared = [subject for step in self.steps for subject, _predicate in step.clear]
        found = dict.fromkeys([*inserted, *cleared])
        return tuple(subject for subject in found if isinstance(subject, NamedNode))

    def guards(self) -> tuple[Guard, ...]:
        """Every guard, once."""
        return tuple(dict.fromkeys(guard for step in self.steps for guard in step.unless))

    def text(self, graph: NamedNode | None = None) -> str:
        """The update for a graph, None for the default one. Raises ValueError for a blank node."""
        if any(isinstance(term, BlankNode) for triple in self.triples() for term in _terms(triple)):
            raise ValueError("a change has no blank nodes")
        always = dict.fromkeys(triple for step in self.steps if not step.unless for triple in step.insert)
        lines = [f"WITH {graph}"] if graph is not None else []
        # No variable that nothing binds: some endpoints drop the whole template then.
        if any(step.clear for step in self.steps):
            lines.append("DELETE { ?s ?p ?old }")
        lines.append("INSERT {")
        lines += [f"  {_line(triple)}" for triple in always]
        if any(step.unless and step.insert for step in self.steps):
            lines.append("  ?s ?p ?new .")
        lines += ["}", "WHERE {"]
        # One solution there always is, or nothing would be inserted; VALUES in its place confuses Virtuoso.
        branches = ["  { BIND(1 AS ?always) }"]
        branches += [branch for step in self.steps for branch in _branches(step)]
        return "\n".join([*lines, "\n  UNION\n".join(branches), "}"]) + "\n"


def newer(subject: NamedNode, link: NamedNode, time: NamedNode, at: datetime) -> Guard:
    """What `subject` is linked to has a `time` after `at`."""
    # As a join, Oxigraph would read the times of everything, for each row that the guard is asked about.
    late = f"?n {time} ?t . FILTER(?t > {moment(at)})"
    return Guard(f"{subject} {link} ?n . FILTER EXISTS {{ {late} }}", subject, link)


def later(subject: NamedNode, time: NamedNode, at: datetime) -> Guard:
    """`subject` itself has a `time` after `at`."""
    return Guard(f"{subject} {time} ?t . FILTER(?t > {moment(at)})", subject)


def present(subject: NamedNode, predicate: NamedNode, value: Value | None = None) -> Guard:
    """The property has the value, or any when none is given."""
    return Guard(f"{subject} {predicate} {'?v' if value is None else value} .", subject)


def having(subject: NamedNode, *pairs: tuple[NamedNode, Value]) -> Guard:
    """`subject` has all these properties."""
    return Guard(" ".join(f"{subject} {predicate} {value} ." for predicate, value in pairs), subject)


def moment(at: datetime) -> Literal:
    """A time as xsd:dateTime, in UTC. Raises ValueError for one without an offset."""
    return Literal(instant(at), datatype=XSD.dateTime)


def instant(at: datetime) -> str:
    """A time as text, in UTC: one instant is one text. Raises ValueError for a time without an offset."""
    if at.tzinfo is None:
        raise ValueError("a time needs its offset")
    return at.astimezone(UTC).isoformat()


def _terms(triple: Triple) -> tuple[object, ...]:
    return (triple.subject, triple.predicate, triple.object)


def _line(triple: Triple) -> str:
    return f"{triple.subject} {triple.predicate} {triple.object} ."


def _branches(step: Step) -> Iterator[str]:
    guards = " ".join(f"FILTER NOT EXISTS {{ {guard.pattern} }}" for guard in step.unless)
    if step.clear:
        pairs = [f"({subject} {predicate})" for subject, predicate in dict.fromkeys(step.clear)]
        yield _group(f"VALUES (?s ?p) {{ {' '.join(pairs)} }} ?s ?p ?old .", guards)
    if step.unless and step.insert:
        rows = [f"({' '.join(map(str, _terms(triple)))})" for triple in dict.fromkeys(step.insert)]
        yield _group(f"VALUES (?s ?p ?new) {{ {' '.join(rows)} }}", guards)


def _group(*parts: str) -> str:
    return "  { " + " ".join(part for part in parts if part) + " }"


def triples_of(subject: NamedNode, *pairs: tuple[NamedNode, Value | None]) -> tuple[Triple, ...]:
    """Triples of one subject; pairs without a value are left out."""
    return tuple(Triple(subject, predicate, value) for predicate, value in pairs if value is not None)


def properties_of(triples: Sequence[Triple], *keep: NamedNode) -> tuple[Property, ...]:
    """The properties that `triples` set anew, without the predicates `keep`, which may have many values."""
    return tuple(
        dict.fromkeys(
            (triple.subject, triple.predicate)
            for triple in triples
            if triple.predicate not in keep and isinstance(triple.subject, NamedNode)
        )
    )
