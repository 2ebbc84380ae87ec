"""What SHACL can demand of one value: each constraint judges a value and says the same in SPARQL.

A constraint's `holds` decides in Python, its `filter` is a SPARQL expression that is true for the same
values. Both never fail: what cannot be compared does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Protocol

from pyoxigraph import BlankNode, Literal, NamedNode

from tinyc.registry.store.base import Term
from tinyc.registry.vocabulary import SH, XSD

Classes = Callable[[Term], frozenset[NamedNode] | None]
"""The classes of a node, as it will be after the write. None where nobody can tell: it counts as right."""

_NUMBERS = {XSD.integer, XSD.decimal, XSD.double, XSD.float}
# Lexical forms; the names are those of messages.
DATATYPES: dict[NamedNode, tuple[str, str]] = {
    XSD.string: ("text", r"^"),
    XSD.boolean: ("boolean", r"^(true|false|0|1)$"),
    XSD.integer: ("whole number", r"^[+-]?[0-9]+$"),
    XSD.decimal: ("decimal number", r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$"),
    XSD.dateTime: (
        "time",
        r"^-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$",
    ),
}
_KINDS: dict[NamedNode, tuple[str, tuple[type, ...]]] = {
    SH.IRI: ("isIRI", (NamedNode,)),
    SH.BlankNode: ("isBlank", (BlankNode,)),
    SH.Literal: ("isLiteral", (Literal,)),
}


def show(term: Term | None) -> str:
    """A value as a message shows it: text in quotes, IRIs as they are."""
    if isinstance(term, Literal):
        return f'"{term.value}"'
    if isinstance(term, NamedNode):
        return term.value
    return "a node without a name" if isinstance(term, BlankNode) else str(term)


def local(iri: NamedNode) -> str:
    """The name at the end of an IRI, for messages."""
    return re.split(r"[#/:]", iri.value)[-1] or iri.value


class Constraint(Protocol):
    @property
    def component(self) -> str:
        """The name of the SHACL property that says it."""
        ...

    def holds(self, term: Term, classes: Classes) -> bool: ...

    def filter(self, variable: str) -> str:
        """A SPARQL expression over `variable`, true where the constraint holds."""
        ...

    def words(self) -> str:
        """What is wrong with a value for which it does not hold; follows "is VALUE"."""
        ...


@dataclass(frozen=True, slots=True)
class Datatype:
    datatype: NamedNode
    component: str = "datatype"

    def holds(self, term: Term, classes: Classes) -> bool:
        if not isinstance(term, Literal) or term.datatype != self.datatype:
            return False
        if not re.search(DATATYPES[self.datatype][1], term.value):
            return False
        return self.datatype != XSD.dateTime or _is_time(term.value)

    def filter(self, variable: str) -> str:
        tests = [f"isLiteral({variable})", f"datatype({variable}) = {self.datatype}"]
        pattern = DATATYPES[self.datatype][1]
        if pattern != "^":
            tests.append(f"regex(str({variable}), {Literal(pattern)})")
        if self.datatype == XSD.dateTime:
            tests.append(f"COALESCE(YEAR({variable}) > -100000, false)")
        return f"({' && '.join(tests)})"

    def words(self) -> str:
        return f"which is no {DATATYPES[self.datatype][0]}"


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class NodeKind:
    kind: NamedNode
    component: str = "nodeKind"

    def holds(self, term: Term, classes: Classes) -> bool:
        return isinstance(term, _KINDS[self.kind][1])

    def filter(self, variable: str) -> str:
        return f"{_KINDS[self.kind][0]}({variable})"

    def words(self) -> str:
        return f"which is no {local(self.kind)}"


@dataclass(frozen=True, slots=True)
class Class:
    """`members` are the class and all that are below it."""

    name: str
    members: frozenset[NamedNode]
    component: str = "class"

    def holds(self, term: Term, classes: Classes) -> bool:
        if isinstance(term, Literal):
            return False
        found = classes(term)
        return found is None or not self.members.isdisjoint(found)

    def filter(self, variable: str) -> str:
        tests = (f"EXISTS {{ {variable} a {member} }}" for member in sorted(self.members, key=str))
        return f"({' || '.join(tests)})"

    def words(self) -> str:
        return f"which is no known {self.name}"


@dataclass(frozen=True, slots=True)
class Pattern:
    pattern: str
    component: str = "pattern"

    def holds(self, term: Term, classes: Classes) -> bool:
        return isinstance(term, Literal | NamedNode) and re.search(self.pattern, term.value) is not None

    def filter(self, variable: str) -> str:
        return f"(!isBlank({variable}) && regex(str({variable}), {Literal(self.pattern)}))"

    def words(self) -> str:
        return f"which does not match {self.pattern}"


@dataclass(frozen=True, slots=True)
class Bound:
    """`value` <= what is judged, or the other way where `upper`."""

    value: Decimal
    upper: bool

    @property
    def component(self) -> str:
        return "maxInclusive" if self.upper else "minInclusive"

    def holds(self, term: Term, classes: Classes) -> bool:
        if not isinstance(term, Literal) or term.datatype not in _NUMBERS:
            return False
        try:
            number = Decimal(term.value)
        except InvalidOperation:
            return False
        if number.is_nan():
            return False
        return number <= self.value if self.upper else number >= self.value

    def filter(self, variable: str) -> str:
        return f"COALESCE({variable} {'<=' if self.upper else '>='} {self.value}, false)"

    def words(self) -> str:
        return f"which is {'above' if self.upper else 'below'} {self.value:f}"


@dataclass(frozen=True, slots=True)
class MinLength:
    length: int
    component: str = "minLength"

    def holds(self, term: Term, classes: Classes) -> bool:
        return isinstance(term, Literal | NamedNode) and len(term.value) >= self.length

    def filter(self, variable: str) -> str:
        return f"(!isBlank({variable}) && strlen(str({variable})) >= {self.length})"

    def words(self) -> str:
        return "which is empty" if self.length == 1 else f"which is shorter than {self.length}"


@dataclass(frozen=True, slots=True)
class In:
    allowed: tuple[NamedNode, ...]
    component: str = "in"

    def holds(self, term: Term, classes: Classes) -> bool:
        return term in self.allowed

    def filter(self, variable: str) -> str:
        return f"({' || '.join(f'sameTerm({variable}, {each})' for each in self.allowed)})"

    def words(self) -> str:
        return f"which is none of {', '.join(map(local, self.allowed))}"


@dataclass(frozen=True, slots=True)
class Or:
    """Each alternative is a set of constraints that hold together."""

    alternatives: tuple[tuple[Constraint, ...], ...]
    component: str = "or"

    def holds(self, term: Term, classes: Classes) -> bool:
        return any(all(each.holds(term, classes) for each in every) for every in self.alternatives)

    def filter(self, variable: str) -> str:
        every = (" && ".join(each.filter(variable) for each in one) for one in self.alternatives)
        return f"({' || '.join(f'({one})' for one in every)})"

    def words(self) -> str:
        said = [each.words() for every in self.alternatives for each in every]
        return " and ".join([said[0], *(text.removeprefix("which ") for text in said[1:])])
