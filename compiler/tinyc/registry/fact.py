"""What every fact of the registry can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, ClassVar, Self

from pyoxigraph import Literal, NamedNode

from tinyc.registry import names
from tinyc.registry.change import Change
from tinyc.registry.codec import decode, encode
from tinyc.registry.vocabulary import XSD

_DIGITS = 6


class Fact(ABC):
    """Something that is to be written down once. Facts are frozen dataclasses.

    `kind` names their class in JSON.
    """

    __slots__ = ()
    kind: ClassVar[str]

    @property
    @abstractmethod
    def key(self) -> str:
        """Its identity: a fact with the key of an earlier one says the same, or says it anew."""

    @abstractmethod
    def change(self, *, live: bool = True) -> Change:
        """What it does to the registry. `live`: it is told as it happens, so no later one is there yet."""

    def to_json(self) -> dict[str, Any]:
        """The fact as JSON values."""
        fields: dict[str, Any] = encode(self)
        return {"kind": self.kind, **fields}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The fact that `to_json` wrote. Raises ValueError for anything else."""
        if not isinstance(value, dict) or value.get("kind") != cls.kind:
            raise ValueError(f"is no fact of the kind `{cls.kind}`")
        return decode(cls, {name: item for name, item in value.items() if name != "kind"})


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A version of a model; `digest` is that of its graph."""

    name: str
    version: str
    digest: str

    @property
    def iri(self) -> NamedNode:
        return names.model(self.name, self.version, self.digest)


def text(value: str) -> Literal | None:
    """A literal, None for no text."""
    return Literal(value) if value else None


def whole(value: int | None) -> Literal | None:
    """An xsd:integer."""
    return None if value is None else Literal(str(value), datatype=XSD.integer)


def decimal(value: float | None) -> Literal | None:
    """An xsd:decimal of at most six places; None for a value that is no number."""
    if value is None or not isfinite(value):
        return None
    rounded = Decimal(str(round(value, _DIGITS)))
    return Literal(f"{rounded:f}", datatype=XSD.decimal)


def truth(value: bool) -> Literal:
    """An xsd:boolean."""
    return Literal("true" if value else "false", datatype=XSD.boolean)


def need(**texts: Any) -> None:
    """Raise ValueError for a text that is empty."""
    for name, value in texts.items():
        if not value:
            raise ValueError(f"{name} is empty")
